//! References from one object to others, as the schema draws them.

use apollo_compiler::resolvers::FieldError;
use serde_json::{Value, json};

use crate::shopify::facts;
use crate::shopify::graph::{Slot, error};
use crate::shopify::model::Refund;
use crate::shopify::page::{Row, page};
use crate::shopify::price_lists;
use crate::shopify::state::State;
use crate::shopify::thing::Thing;

fn names(args: &Value) -> Vec<String> {
    let list = args.get("names").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// References from one object to others. Nothing means: a plain fact.
pub(crate) fn link(state: &State, thing: Thing, field: &str, args: &Value) -> Result<Option<Slot>, FieldError> {
    let rows = |things: Vec<(i64, Thing)>| {
        let rows = things.into_iter().map(|(id, thing)| Row::of(id, Slot::One(thing))).collect();
        page(rows, args, false).map(|connection| Some(Slot::Page(connection)))
    };
    let one = |thing: Thing| Ok(Some(Slot::One(thing)));
    let wanted = |name: &str| args.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    // Lists that exist and are always empty here.
    if matches!(field, "metafields" | "media" | "events" | "countryHarmonizedSystemCodes") {
        return rows(Vec::new());
    }
    match (thing, field) {
        (Thing::Product(id), "variants") => {
            let variants = state.products.get(&id).map(|product| product.variants.clone()).unwrap_or_default();
            rows(variants.into_iter().map(|id| (id, Thing::Variant(id))).collect())
        }
        (Thing::Variant(id), "product") => one(Thing::Product(state.variants.get(&id).map_or(0, |known| known.product))),
        (Thing::Variant(id), "inventoryItem") => one(Thing::Item(state.variants.get(&id).map_or(0, |known| known.item))),
        (Thing::Item(id), "variant") => one(Thing::Variant(state.items.get(&id).map_or(0, |item| item.variant))),
        (Thing::Item(id), "variants") => {
            let variant = state.items.get(&id).map_or(0, |item| item.variant);
            rows(vec![(variant, Thing::Variant(variant))])
        }
        (Thing::Item(id), "inventoryLevel") => {
            let location = facts::number(&wanted("locationId"), "Location").unwrap_or_default();
            let found = state.items.get(&id).is_some_and(|item| item.levels.contains_key(&location));
            Ok(Some(Slot::maybe(found.then_some(Thing::Level(id, location)))))
        }
        (Thing::Item(id), "inventoryLevels") => {
            let levels = state.items.get(&id).map(|item| item.levels.clone()).unwrap_or_default();
            rows(levels.into_iter().map(|(location, level)| (level.id, Thing::Level(id, location))).collect())
        }
        (Thing::Level(item, _), "item") => one(Thing::Item(item)),
        (Thing::Level(_, location), "location") => one(Thing::Location(location)),
        (Thing::Level(id, location), "quantities") => {
            let level = state.items.get(&id).and_then(|item| item.levels.get(&location));
            let shown = level.map(|level| facts::quantities(id, level, &names(args)));
            Ok(Some(Slot::Value(shown.transpose().map_err(error)?.unwrap_or_default())))
        }
        (Thing::Location(location), "inventoryLevel") => {
            let item = facts::number(&wanted("inventoryItemId"), "InventoryItem").unwrap_or_default();
            let found = state.items.get(&item).is_some_and(|item| item.levels.contains_key(&location));
            Ok(Some(Slot::maybe(found.then_some(Thing::Level(item, location)))))
        }
        (Thing::Location(location), "inventoryLevels") => {
            let levels = state.items.values().filter_map(|item| Some((item.levels.get(&location)?.id, item.id)));
            rows(levels.map(|(level, item)| (level, Thing::Level(item, location))).collect())
        }
        (Thing::PriceList(id), "prices") => match state.price_lists.get(&id) {
            Some(list) => price_lists::prices(list, args).map(Some),
            None => Ok(None),
        },
        (Thing::Adjustment(id), "changes") => Ok(Some(changes(state, id))),
        (Thing::Order(_) | Thing::Line(..), _) => order_link(state, thing, field, args),
        _ => shipping_link(state, thing, field, args),
    }
}

fn changes(state: &State, id: i64) -> Slot {
    let changes = state.adjustments.get(&id).map(|group| group.changes.clone()).unwrap_or_default();
    let change = |(item, location, name, delta, after): (i64, i64, String, i64, i64)| {
        Slot::Payload(
            "InventoryChange",
            vec![
                ("delta", Slot::Value(json!(delta))),
                ("item", Slot::One(Thing::Item(item))),
                ("ledgerDocumentUri", Slot::null()),
                ("location", Slot::One(Thing::Location(location))),
                ("name", Slot::Value(json!(name))),
                ("quantityAfterChange", Slot::Value(json!(after))),
            ],
        )
    };
    Slot::Many(changes.into_iter().map(change).collect())
}

fn order_link(state: &State, thing: Thing, field: &str, args: &Value) -> Result<Option<Slot>, FieldError> {
    let (Thing::Order(id) | Thing::Line(id, _)) = thing else {
        return Ok(None);
    };
    let Some(order) = state.orders.get(&id) else {
        return Ok(None);
    };
    let connect = |rows: Vec<Row>| page(rows, args, false).map(|connection| Some(Slot::Page(connection)));
    let things = |ids: &[i64], thing: fn(i64) -> Thing| connect(ids.iter().map(|id| Row::of(*id, Slot::One(thing(*id)))).collect());
    let plain = |things: Vec<Thing>| {
        let first = args.get("first").and_then(Value::as_u64).map_or(usize::MAX, |first| first as usize);
        Ok(Some(Slot::Many(things.into_iter().take(first).map(Slot::One).collect())))
    };
    match (thing, field) {
        (Thing::Order(_), "lineItems") => {
            connect(order.lines.iter().map(|line| Row::of(line.id, Slot::One(Thing::Line(id, line.id)))).collect())
        }
        (Thing::Order(_), "nonFulfillableLineItems") => {
            let gone = order.lines.iter().filter(|line| line.current == 0);
            connect(gone.map(|line| Row::of(line.id, Slot::One(Thing::Line(id, line.id)))).collect())
        }
        (Thing::Order(_), "fulfillmentOrders") => things(&order.fulfillment_orders, Thing::FulfillmentOrder),
        (Thing::Order(_), "returns") => things(&order.returns, Thing::Return),
        (Thing::Order(_), "fulfillments") => plain(order.fulfillments.iter().map(|id| Thing::Fulfillment(*id)).collect()),
        (Thing::Order(_), "refunds") => plain(order.refunds.iter().map(|id| Thing::Refund(*id)).collect()),
        (Thing::Order(_), "transactions") => plain(order.transactions.iter().map(|known| Thing::Transaction(id, known.id)).collect()),
        (Thing::Order(_), "shippingLines") => connect(vec![Row::of(order.shipping_line, Slot::Value(facts::shipping_line(state, order)))]),
        (Thing::Order(_), "discountApplications") => {
            connect(facts::discount_application(order).into_iter().map(|known| Row::of(0, Slot::Value(known))).collect())
        }
        (Thing::Line(_, line), "variant" | "product") => {
            let line = order.line(line).filter(|line| line.variant != 0);
            let found = line.map(|line| if field == "variant" { Thing::Variant(line.variant) } else { Thing::Product(line.product) });
            Ok(Some(Slot::maybe(found)))
        }
        _ => Ok(None),
    }
}

fn shipping_link(state: &State, thing: Thing, field: &str, args: &Value) -> Result<Option<Slot>, FieldError> {
    let connect = |rows: Vec<Row>| page(rows, args, false).map(|connection| Some(Slot::Page(connection)));
    let one = |thing: Thing| Ok(Some(Slot::One(thing)));
    match thing {
        Thing::FulfillmentOrder(id) => {
            let Some(part) = state.fulfillment_orders.get(&id) else {
                return Ok(None);
            };
            match field {
                "order" => one(Thing::Order(part.order)),
                "lineItems" => {
                    let own = |line: i64| Row::of(line, Slot::One(Thing::FulfillmentOrderLine(id, line)));
                    connect(part.lines.iter().filter(|line| line.total > 0).map(|line| own(line.id)).collect())
                }
                "fulfillments" => {
                    let known = state.fulfillments.values().filter(|known| known.fulfillment_orders.contains(&id));
                    connect(known.map(|known| Row::of(known.id, Slot::One(Thing::Fulfillment(known.id)))).collect())
                }
                "assignedLocation" => Ok(Some(assigned_location(state, part.location))),
                _ => Ok(None),
            }
        }
        Thing::FulfillmentOrderLine(part, id) => {
            let Some(part) = state.fulfillment_orders.get(&part) else {
                return Ok(None);
            };
            let line = part.lines.iter().find(|line| line.id == id).map_or(0, |line| line.line);
            match field {
                "lineItem" => one(Thing::Line(part.order, line)),
                "variant" => order_link(state, Thing::Line(part.order, line), "variant", args),
                _ => Ok(None),
            }
        }
        Thing::Fulfillment(id) => {
            let Some(known) = state.fulfillments.get(&id) else {
                return Ok(None);
            };
            match field {
                "order" => one(Thing::Order(known.order)),
                "location" => one(Thing::Location(known.location)),
                "trackingInfo" => Ok(Some(Slot::Value(facts::tracking(&known.parcel)))),
                "fulfillmentLineItems" => {
                    let own = |line: i64| Row::of(line, Slot::One(Thing::FulfillmentLine(id, line)));
                    connect(known.lines.iter().map(|(line, ..)| own(*line)).collect())
                }
                "fulfillmentOrders" => {
                    let part = |part: &i64| Row::of(*part, Slot::One(Thing::FulfillmentOrder(*part)));
                    connect(known.fulfillment_orders.iter().map(part).collect())
                }
                _ => Ok(None),
            }
        }
        Thing::FulfillmentLine(known, id) if field == "lineItem" => {
            let Some(known) = state.fulfillments.get(&known) else {
                return Ok(None);
            };
            let line = known.lines.iter().find(|(own, ..)| *own == id).map_or(0, |(_, line, _)| *line);
            one(Thing::Line(known.order, line))
        }
        Thing::Transaction(order, _) if field == "order" => one(Thing::Order(order)),
        Thing::Refund(_) | Thing::RefundLine(..) | Thing::Return(_) | Thing::ReturnLine(..) => aftersale_link(state, thing, field, args),
        _ => Ok(None),
    }
}

fn assigned_location(state: &State, location: i64) -> Slot {
    let name = state.locations.get(&location).map(|known| known.name.clone());
    let text = |text: &str| Slot::Value(json!(text));
    Slot::Payload(
        "FulfillmentOrderAssignedLocation",
        vec![
            ("address1", text("Hafenstraße 1")),
            ("address2", Slot::null()),
            ("city", text("Hamburg")),
            ("countryCode", text("DE")),
            ("location", Slot::One(Thing::Location(location))),
            ("name", Slot::Value(json!(name))),
            ("phone", Slot::null()),
            ("province", Slot::null()),
            ("zip", text("20457")),
        ],
    )
}

fn aftersale_link(state: &State, thing: Thing, field: &str, args: &Value) -> Result<Option<Slot>, FieldError> {
    let connect = |rows: Vec<Row>| page(rows, args, false).map(|connection| Some(Slot::Page(connection)));
    let one = |thing: Thing| Ok(Some(Slot::One(thing)));
    match thing {
        Thing::Refund(id) => {
            let Some(refund) = state.refunds.get(&id) else {
                return Ok(None);
            };
            match field {
                "order" => one(Thing::Order(refund.order)),
                "refundLineItems" => {
                    let own = |line: i64| Row::of(line, Slot::One(Thing::RefundLine(id, line)));
                    connect(refund.lines.iter().map(|line| own(line.id)).collect())
                }
                "orderAdjustments" => connect(Vec::new()),
                "refundShippingLines" => connect(shipping_back(state, refund)),
                "return" => Ok(Some(Slot::null())),
                "transactions" => {
                    let order = state.orders.get(&refund.order);
                    let known = order.into_iter().flat_map(|order| &order.transactions);
                    let own = known.filter(|known| known.kind == "REFUND" && known.at == refund.created_at);
                    connect(own.map(|own| Row::of(own.id, Slot::One(Thing::Transaction(refund.order, own.id)))).collect())
                }
                _ => Ok(None),
            }
        }
        Thing::RefundLine(refund, id) => {
            let Some(refund) = state.refunds.get(&refund) else {
                return Ok(None);
            };
            let line = refund.lines.iter().find(|line| line.id == id).map_or(0, |line| line.line);
            match field {
                "lineItem" => one(Thing::Line(refund.order, line)),
                "location" => one(Thing::Location(state.orders.get(&refund.order).map_or(0, |order| order.location))),
                _ => Ok(None),
            }
        }
        Thing::Return(id) => {
            let Some(known) = state.returns.get(&id) else {
                return Ok(None);
            };
            match field {
                "order" => one(Thing::Order(known.order)),
                "refunds" => connect(Vec::new()),
                "returnLineItems" => {
                    let own = |line: i64| Row::of(line, Slot::One(Thing::ReturnLine(id, line)));
                    connect(known.lines.iter().map(|(line, ..)| own(*line)).collect())
                }
                _ => Ok(None),
            }
        }
        Thing::ReturnLine(known, id) if field == "fulfillmentLineItem" => {
            let Some(known) = state.returns.get(&known) else {
                return Ok(None);
            };
            let with = known.lines.iter().find(|(own, ..)| *own == id).map_or(0, |(.., with)| *with);
            let mut shipped = state.fulfillments.values();
            let found = shipped.find(|shipment| shipment.lines.iter().any(|(own, ..)| *own == with));
            Ok(Some(Slot::maybe(found.map(|shipment| Thing::FulfillmentLine(shipment.id, with)))))
        }
        _ => Ok(None),
    }
}

fn shipping_back(state: &State, refund: &Refund) -> Vec<Row> {
    let (net, tax) = refund.shipping;
    let Some(order) = state.orders.get(&refund.order).filter(|_| !net.is_zero()) else { return Vec::new() };
    let id = refund.id * 10;
    let line = json!({
        "id": facts::gid("RefundShippingLine", id), "shippingLine": facts::shipping_line(state, order),
        "subtotalAmountSet": facts::bag(state, order, net), "taxAmountSet": facts::bag(state, order, tax),
    });
    vec![Row::of(id, Slot::Value(line))]
}
