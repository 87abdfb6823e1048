//! The entry points of a query: single objects by id, and the searchable, sortable lists.

use apollo_compiler::resolvers::FieldError;
use serde_json::{Value, json};

use crate::faults::Fault;
use crate::shopify::graph::{Ctx, Slot, error};
use crate::shopify::model::{Order, Variant};
use crate::shopify::page::{Row, page};
use crate::shopify::search::{Facet, Search};
use crate::shopify::state::State;
use crate::shopify::thing::Thing;

fn text<'a>(args: &'a Value, name: &str) -> &'a str {
    args.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Numbers and instants as text that sorts alike.
fn sortable(number: i64) -> String {
    format!("{number:020}")
}

pub(crate) fn query(ctx: &Ctx<'_>, field: &str, args: &Value) -> Result<Slot, FieldError> {
    let by_id = |type_name: &str| {
        let id = text(args, "id");
        if !id.starts_with("gid://shopify/") {
            return Err(error(format!("INVALID_ARGUMENT|Invalid global id '{id}'")));
        }
        Ok(ctx.read(|state| Slot::maybe(Thing::find_kind(state, id, type_name))))
    };
    match field {
        "shop" => Ok(Slot::One(Thing::Shop)),
        // Whatever was started is done by the time anybody asks.
        "job" => Ok(Slot::Value(json!({ "id": text(args, "id"), "done": true }))),
        "currentAppInstallation" => Ok(Slot::One(Thing::Installation)),
        "node" => Ok(ctx.read(|state| Slot::maybe(Thing::find(state, text(args, "id"))))),
        "nodes" => {
            let ids = args.get("ids").and_then(Value::as_array).cloned().unwrap_or_default();
            let found = |id: &Value| ctx.read(|state| Slot::maybe(Thing::find(state, id.as_str().unwrap_or_default())));
            Ok(Slot::Many(ids.iter().map(found).collect()))
        }
        "order" => by_id("Order"),
        "product" => by_id("Product"),
        "productVariant" => by_id("ProductVariant"),
        "inventoryItem" => by_id("InventoryItem"),
        "inventoryLevel" => by_id("InventoryLevel"),
        "location" if args.get("id").is_none_or(Value::is_null) => Ok(ctx.read(|state| Slot::One(Thing::Location(state.first_location())))),
        "location" => by_id("Location"),
        "fulfillmentOrder" => by_id("FulfillmentOrder"),
        "fulfillment" => by_id("Fulfillment"),
        "refund" => by_id("Refund"),
        "return" => by_id("Return"),
        "webhookSubscription" => by_id("WebhookSubscription"),
        "priceList" => by_id("PriceList"),
        "bulkOperation" => by_id("BulkOperation"),
        "currentBulkOperation" if text(args, "type") == "MUTATION" => Ok(Slot::null()),
        "currentBulkOperation" => Ok(ctx.read(|state| Slot::maybe(state.exports.keys().next_back().map(|id| Thing::Export(*id))))),
        "ordersCount" | "productsCount" | "productVariantsCount" => {
            let count = rows(ctx, field.trim_end_matches("Count"), args)?.len();
            // Asked for with null: without a limit.
            let limit = args.get("limit").and_then(Value::as_u64).unwrap_or(u64::MAX);
            let precision = if count as u64 > limit { "AT_LEAST" } else { "EXACT" };
            Ok(Slot::Value(json!({ "count": (count as u64).min(limit), "precision": precision })))
        }
        list => {
            let stuck = ctx.fault == Some(Fault::RepeatPage);
            page(rows(ctx, list, args)?, args, stuck).map(Slot::Page)
        }
    }
}

/// All rows of a list that match the search, with the value they are sorted by.
fn rows(ctx: &Ctx<'_>, list: &str, args: &Value) -> Result<Vec<Row>, FieldError> {
    let query = text(args, "query");
    let search = Search::parse(query);
    let known = known_fields(list);
    for field in search.fields().filter(|field| !known.contains(field) && *field != "default") {
        ctx.warnings.borrow_mut().push(json!({
            "path": [list], "query": query, "parsed": {},
            "warnings": [{ "field": field, "message": "Invalid search field for this query.", "code": "invalid_field" }],
        }));
    }
    let key = text(args, "sortKey");
    ctx.read(|state| match list {
        "orders" => Ok(orders(state, &search, key)),
        "products" => Ok(products(state, &search, key)),
        "productVariants" => Ok(variants(state, &search, key)),
        "inventoryItems" => Ok(items(state, &search)),
        "locations" => Ok(locations(state, &search, key)),
        "fulfillmentOrders" => Ok(fulfillment_orders(state, &search, args)),
        "webhookSubscriptions" => Ok(subscriptions(state, args)),
        other => Err(error(format!("{other} is not simulated"))),
    })
}

fn known_fields(list: &str) -> &'static [&'static str] {
    match list {
        "orders" => &[
            "id",
            "name",
            "created_at",
            "updated_at",
            "processed_at",
            "financial_status",
            "fulfillment_status",
            "status",
            "test",
            "email",
            "sku",
            "tag",
            "customer_id",
            "return_status",
        ],
        "products" => &["id", "created_at", "updated_at", "status", "title", "vendor", "handle", "sku", "barcode", "tag"],
        "productVariants" => &["id", "sku", "barcode", "product_id", "updated_at", "title", "product_status"],
        "inventoryItems" => &["id", "sku", "created_at", "updated_at"],
        "locations" => &["id", "name", "created_at", "active"],
        "fulfillmentOrders" => &["id", "status", "updated_at", "assigned_location_id"],
        "webhookSubscriptions" => &["id", "created_at", "updated_at"],
        _ => &[],
    }
}

fn order_facet(order: &Order, field: &str) -> Option<Facet> {
    let fulfillment: &[&str] = match order.fulfillment_status() {
        "FULFILLED" => &["fulfilled", "shipped"],
        "PARTIALLY_FULFILLED" => &["partial"],
        _ => &["unfulfilled", "unshipped"],
    };
    let status: &[&str] = match (order.cancelled_at, order.closed_at) {
        (Some(_), _) => &["cancelled"],
        (None, Some(_)) => &["closed"],
        (None, None) => &["open", "not_closed"],
    };
    let several = |texts: &[&str]| Facet::Several(texts.iter().map(|text| (*text).to_owned()).collect());
    Some(match field {
        "id" => Facet::Number(order.id),
        "customer_id" => Facet::Number(order.customer),
        "name" => several(&[&order.name(), &order.number.to_string()]),
        "created_at" | "processed_at" => Facet::Instant(order.created_at),
        "updated_at" => Facet::Instant(order.updated_at),
        "financial_status" => Facet::Text(order.financial_status().to_lowercase()),
        "fulfillment_status" => several(fulfillment),
        "status" => several(&[status, &["any"]].concat()),
        "test" => Facet::Text(order.test.to_string()),
        "return_status" => Facet::Text(if order.returns.is_empty() { "no_return" } else { "in_progress" }.to_owned()),
        "email" => Facet::Text(order.buyer.email.clone()),
        "sku" => Facet::Several(order.lines.iter().map(|line| line.sku.clone()).collect()),
        "tag" => Facet::Several(order.tags.clone()),
        "default" => Facet::Text(format!("{} {} {}", order.name(), order.buyer.email, order.buyer.last_name)),
        _ => return None,
    })
}

fn orders(state: &State, search: &Search, key: &str) -> Vec<Row> {
    let found = state.orders.values().filter(|order| search.matches(|field| order_facet(order, field)));
    let row = |order: &Order| {
        let sort = match key {
            "UPDATED_AT" => sortable(order.updated_at),
            "ID" => String::new(),
            "ORDER_NUMBER" => sortable(order.number),
            _ => sortable(order.created_at),
        };
        Row::sorted(sort, order.id, Slot::One(Thing::Order(order.id)))
    };
    found.map(row).collect()
}

fn products(state: &State, search: &Search, key: &str) -> Vec<Row> {
    let of = |product: &crate::shopify::model::Product, pick: fn(&Variant) -> Option<String>| {
        product.variants.iter().filter_map(|id| state.variants.get(id)).filter_map(pick).collect()
    };
    let matches = |product: &&crate::shopify::model::Product| {
        search.matches(|field| {
            Some(match field {
                "id" => Facet::Number(product.id),
                "created_at" => Facet::Instant(product.created_at),
                "updated_at" => Facet::Instant(product.updated_at),
                "status" => Facet::Text(product.status.to_lowercase()),
                "title" | "default" => Facet::Text(product.title.clone()),
                "vendor" => Facet::Text(product.vendor.clone()),
                "handle" => Facet::Text(product.handle.clone()),
                "sku" => Facet::Several(of(product, |variant| Some(variant.sku.clone()))),
                "barcode" => Facet::Several(of(product, |variant| variant.barcode.clone())),
                "tag" => Facet::Several(product.tags.clone()),
                _ => return None,
            })
        })
    };
    let row = |product: &crate::shopify::model::Product| {
        let sort = match key {
            "UPDATED_AT" => sortable(product.updated_at),
            "CREATED_AT" | "PUBLISHED_AT" => sortable(product.created_at),
            "TITLE" => product.title.to_lowercase(),
            _ => String::new(),
        };
        Row::sorted(sort, product.id, Slot::One(Thing::Product(product.id)))
    };
    state.products.values().filter(matches).map(row).collect()
}

fn variants(state: &State, search: &Search, key: &str) -> Vec<Row> {
    let matches = |variant: &&Variant| {
        search.matches(|field| {
            Some(match field {
                "id" => Facet::Number(variant.id),
                "product_id" => Facet::Number(variant.product),
                "sku" => Facet::Text(variant.sku.clone()),
                "barcode" => Facet::Text(variant.barcode.clone().unwrap_or_default()),
                "updated_at" => Facet::Instant(variant.updated_at),
                "title" => Facet::Text(variant.title()),
                "product_status" => Facet::Text("active".into()),
                "default" => Facet::Text(format!("{} {}", variant.title(), variant.sku)),
                _ => return None,
            })
        })
    };
    let row = |variant: &Variant| {
        let sort = match key {
            "SKU" => variant.sku.to_lowercase(),
            "TITLE" | "NAME" | "FULL_TITLE" => variant.title().to_lowercase(),
            _ => String::new(),
        };
        Row::sorted(sort, variant.id, Slot::One(Thing::Variant(variant.id)))
    };
    state.variants.values().filter(matches).map(row).collect()
}

fn items(state: &State, search: &Search) -> Vec<Row> {
    let found = state.items.values().filter(|item| {
        let sku = state.variants.get(&item.variant).map(|variant| variant.sku.clone()).unwrap_or_default();
        search.matches(|field| {
            Some(match field {
                "id" => Facet::Number(item.id),
                "sku" | "default" => Facet::Text(sku.clone()),
                "created_at" => Facet::Instant(item.created_at),
                "updated_at" => Facet::Instant(item.updated_at),
                _ => return None,
            })
        })
    });
    found.map(|item| Row::of(item.id, Slot::One(Thing::Item(item.id)))).collect()
}

fn locations(state: &State, search: &Search, key: &str) -> Vec<Row> {
    let found = state.locations.values().filter(|location| {
        search.matches(|field| {
            Some(match field {
                "id" => Facet::Number(location.id),
                "name" | "default" => Facet::Text(location.name.clone()),
                "created_at" => Facet::Instant(location.created_at),
                "active" => Facet::Text("true".into()),
                _ => return None,
            })
        })
    });
    let row = |location: &crate::shopify::model::Location| {
        let sort = if key == "NAME" { location.name.to_lowercase() } else { String::new() };
        Row::sorted(sort, location.id, Slot::One(Thing::Location(location.id)))
    };
    found.map(row).collect()
}

fn fulfillment_orders(state: &State, search: &Search, args: &Value) -> Vec<Row> {
    let closed = args.get("includeClosed").and_then(Value::as_bool).unwrap_or_default();
    let found = state.fulfillment_orders.values().filter(|part| {
        (closed || !matches!(part.status, "CLOSED" | "CANCELLED"))
            && search.matches(|field| {
                Some(match field {
                    "id" => Facet::Number(part.id),
                    "status" => Facet::Text(part.status.to_lowercase()),
                    "updated_at" => Facet::Instant(part.updated_at),
                    "assigned_location_id" => Facet::Number(part.location),
                    _ => return None,
                })
            })
    });
    found.map(|part| Row::of(part.id, Slot::One(Thing::FulfillmentOrder(part.id)))).collect()
}

fn subscriptions(state: &State, args: &Value) -> Vec<Row> {
    let topics = args.get("topics").and_then(Value::as_array);
    let uri = args.get("uri").or_else(|| args.get("callbackUrl")).and_then(Value::as_str);
    let found = state.subscriptions.values().filter(|known| {
        topics.is_none_or(|topics| topics.iter().any(|topic| topic.as_str() == Some(&known.topic)))
            && uri.is_none_or(|uri| uri == known.uri)
    });
    found.map(|known| Row::of(known.id, Slot::One(Thing::Subscription(known.id)))).collect()
}
