//! Resolves the API's fields. A [`Thing`] is an object with identity, read from the books each time it is asked; everything
//! else is a value that was written down as JSON. Which field has which type comes from the schema alone.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use apollo_compiler::resolvers::{FieldError, ObjectValue, ResolveInfo, ResolvedValue};
use apollo_compiler::schema::ExtendedType;
use serde_json::{Map, Value, json};

use crate::faults::Fault;
use crate::server::lock;
use crate::shopify::facts::{self, gid};
use crate::shopify::page::{Connection, Row, page};
use crate::shopify::shop::Inner;
use crate::shopify::state::State;
use crate::shopify::{lists, mutations};

/// One request being answered.
pub(crate) struct Ctx<'c> {
    pub(crate) inner: &'c Inner,
    pub(crate) now: i64,
    /// Idempotency keys by the name each mutation answers under.
    pub(crate) keys: &'c BTreeMap<String, String>,
    /// The keys among them that this request, and no other, works on.
    pub(crate) begun: &'c BTreeSet<String>,
    pub(crate) fault: Option<Fault>,
    /// Search fields that were ignored.
    pub(crate) warnings: RefCell<Vec<Value>>,
}

impl Ctx<'_> {
    pub(crate) fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&lock(&self.inner.state))
    }

    pub(crate) fn write<T>(&self, write: impl FnOnce(&mut State) -> T) -> T {
        write(&mut lock(&self.inner.state))
    }
}

/// An object with identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thing {
    Query,
    Mutation,
    Shop,
    Installation,
    Location(i64),
    Product(i64),
    Variant(i64),
    Item(i64),
    /// Item, location.
    Level(i64, i64),
    Order(i64),
    /// Order, line.
    Line(i64, i64),
    FulfillmentOrder(i64),
    FulfillmentOrderLine(i64, i64),
    Fulfillment(i64),
    FulfillmentLine(i64, i64),
    Refund(i64),
    RefundLine(i64, i64),
    /// Order, transaction.
    Transaction(i64, i64),
    Return(i64),
    ReturnLine(i64, i64),
    Subscription(i64),
    Adjustment(i64),
}

impl Thing {
    fn type_name(self) -> &'static str {
        match self {
            Self::Query => "QueryRoot",
            Self::Mutation => "Mutation",
            Self::Shop => "Shop",
            Self::Installation => "AppInstallation",
            Self::Location(_) => "Location",
            Self::Product(_) => "Product",
            Self::Variant(_) => "ProductVariant",
            Self::Item(_) => "InventoryItem",
            Self::Level(..) => "InventoryLevel",
            Self::Order(_) => "Order",
            Self::Line(..) => "LineItem",
            Self::FulfillmentOrder(_) => "FulfillmentOrder",
            Self::FulfillmentOrderLine(..) => "FulfillmentOrderLineItem",
            Self::Fulfillment(_) => "Fulfillment",
            Self::FulfillmentLine(..) => "FulfillmentLineItem",
            Self::Refund(_) => "Refund",
            Self::RefundLine(..) => "RefundLineItem",
            Self::Transaction(..) => "OrderTransaction",
            Self::Return(_) => "Return",
            Self::ReturnLine(..) => "ReturnLineItem",
            Self::Subscription(_) => "WebhookSubscription",
            Self::Adjustment(_) => "InventoryAdjustmentGroup",
        }
    }

    /// The thing behind a global id, when the shop has it.
    pub(crate) fn find(state: &State, id: &str) -> Option<Self> {
        let (kind, _) = id.strip_prefix("gid://shopify/")?.split_once('/')?;
        let number = facts::number(id, kind)?;
        let found = match kind {
            "Location" => state.locations.contains_key(&number).then_some(Self::Location(number)),
            "Product" => state.products.contains_key(&number).then_some(Self::Product(number)),
            "ProductVariant" => state.variants.contains_key(&number).then_some(Self::Variant(number)),
            "InventoryItem" => state.items.contains_key(&number).then_some(Self::Item(number)),
            "InventoryLevel" => state.items.values().find_map(|item| {
                let (location, _) = item.levels.iter().find(|(_, level)| level.id == number)?;
                Some(Self::Level(item.id, *location))
            }),
            "Order" => state.orders.contains_key(&number).then_some(Self::Order(number)),
            "LineItem" => {
                let order = state.orders.values().find(|order| order.line(number).is_some())?;
                Some(Self::Line(order.id, number))
            }
            "FulfillmentOrder" => state.fulfillment_orders.contains_key(&number).then_some(Self::FulfillmentOrder(number)),
            "Fulfillment" => state.fulfillments.contains_key(&number).then_some(Self::Fulfillment(number)),
            "Refund" => state.refunds.contains_key(&number).then_some(Self::Refund(number)),
            "Return" => state.returns.contains_key(&number).then_some(Self::Return(number)),
            "WebhookSubscription" => state.subscriptions.contains_key(&number).then_some(Self::Subscription(number)),
            "InventoryAdjustmentGroup" => state.adjustments.contains_key(&number).then_some(Self::Adjustment(number)),
            _ => None,
        };
        found
    }

    /// As [`Thing::find`], but only when it is of this kind.
    pub(crate) fn find_kind(state: &State, id: &str, type_name: &str) -> Option<Self> {
        Self::find(state, id).filter(|thing| thing.type_name() == type_name)
    }
}

/// What a field resolves to, before the schema says how to show it.
#[derive(Clone, Debug)]
pub(crate) enum Slot {
    Value(Value),
    One(Thing),
    Many(Vec<Slot>),
    Page(Connection),
    Payload(&'static str, Vec<(&'static str, Slot)>),
}

impl Slot {
    pub(crate) fn null() -> Self {
        Self::Value(Value::Null)
    }

    pub(crate) fn maybe(thing: Option<Thing>) -> Self {
        thing.map_or_else(Self::null, Self::One)
    }
}

pub(crate) fn error(message: impl Into<String>) -> FieldError {
    FieldError { message: message.into() }
}

enum Kind {
    Thing(Thing),
    Plain(String, Map<String, Value>),
    Connection(String, Connection),
    Edge(String, Row),
    Payload(&'static str, Vec<(&'static str, Slot)>),
}

pub(crate) struct Node<'c> {
    ctx: &'c Ctx<'c>,
    kind: Kind,
}

impl<'c> Node<'c> {
    pub(crate) fn root(ctx: &'c Ctx<'c>, thing: Thing) -> Self {
        Self { ctx, kind: Kind::Thing(thing) }
    }

    fn show<'a>(&'a self, slot: Slot, info: &ResolveInfo<'_>) -> ResolvedValue<'a>
    where
        'c: 'a,
    {
        let named = info.field_definition().ty.inner_named_type();
        let composite =
            matches!(info.schema().types.get(named), Some(ExtendedType::Object(_) | ExtendedType::Interface(_) | ExtendedType::Union(_)));
        show(self.ctx, slot, named.as_str(), composite)
    }
}

fn show<'a>(ctx: &'a Ctx<'a>, slot: Slot, named: &str, composite: bool) -> ResolvedValue<'a> {
    let node = |kind: Kind| ResolvedValue::object(Node { ctx, kind });
    match slot {
        Slot::One(thing) => node(Kind::Thing(thing)),
        Slot::Page(connection) => node(Kind::Connection(named.to_owned(), connection)),
        Slot::Payload(name, fields) => node(Kind::Payload(name, fields)),
        Slot::Many(slots) => {
            let shown: Vec<_> = slots.into_iter().map(|slot| show(ctx, slot, named, composite)).collect();
            ResolvedValue::list(shown.into_iter())
        }
        Slot::Value(Value::Array(values)) => {
            let shown: Vec<_> = values.into_iter().map(|value| show(ctx, Slot::Value(value), named, composite)).collect();
            ResolvedValue::list(shown.into_iter())
        }
        Slot::Value(Value::Object(map)) if composite => {
            let name = map.get("__typename").and_then(Value::as_str).unwrap_or(named).to_owned();
            node(Kind::Plain(name, map))
        }
        Slot::Value(value) => ResolvedValue::leaf(value),
    }
}

impl ObjectValue for Node<'_> {
    fn type_name(&self) -> &str {
        match &self.kind {
            Kind::Thing(thing) => thing.type_name(),
            Kind::Plain(name, _) | Kind::Connection(name, _) | Kind::Edge(name, _) => name,
            Kind::Payload(name, _) => name,
        }
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Result<ResolvedValue<'a>, FieldError> {
        let name = info.field_name();
        let slot = match &self.kind {
            Kind::Thing(thing) => resolve(self.ctx, *thing, info)?,
            Kind::Plain(_, map) => Slot::Value(map.get(name).cloned().ok_or_else(|| self.unknown_field_error(info))?),
            Kind::Connection(_, connection) => match name {
                "nodes" => Slot::Many(connection.rows.iter().map(|row| row.slot.clone()).collect()),
                "pageInfo" => Slot::Value(connection.info()),
                _ => {
                    let edge = info.field_definition().ty.inner_named_type().to_string();
                    let node = |row: &Row| {
                        let kind = Kind::Edge(edge.clone(), row.clone());
                        ResolvedValue::object(Node { ctx: self.ctx, kind })
                    };
                    let edges: Vec<_> = connection.rows.iter().map(node).collect();
                    return Ok(ResolvedValue::list(edges.into_iter()));
                }
            },
            Kind::Edge(_, row) => match name {
                "cursor" => Slot::Value(json!(row.cursor())),
                _ => row.slot.clone(),
            },
            Kind::Payload(_, fields) => {
                let found = fields.iter().find(|(known, _)| *known == name).map(|(_, slot)| slot.clone());
                found.ok_or_else(|| self.unknown_field_error(info))?
            }
        };
        Ok(self.show(slot, info))
    }
}

/// Arguments as ordinary JSON.
pub(crate) fn arguments(info: &ResolveInfo<'_>) -> Value {
    serde_json::to_value(info.arguments()).unwrap_or(Value::Null)
}

fn resolve(ctx: &Ctx<'_>, thing: Thing, info: &ResolveInfo<'_>) -> Result<Slot, FieldError> {
    let args = arguments(info);
    match thing {
        Thing::Query => return lists::query(ctx, info.field_name(), &args),
        Thing::Mutation => return mutations::run(ctx, info, &args),
        _ => {}
    }
    if let Some(slot) = ctx.read(|state| link(ctx, state, thing, info.field_name(), &args))? {
        return Ok(slot);
    }
    let facts = ctx.read(|state| facts_of(ctx, state, thing));
    let found = facts.get(info.field_name()).cloned();
    let missing = || error(format!("{} has no {}", thing.type_name(), info.field_name()));
    Ok(Slot::Value(found.ok_or_else(missing)?))
}

fn facts_of(ctx: &Ctx<'_>, state: &State, thing: Thing) -> Value {
    let inner = ctx.inner;
    let found = match thing {
        Thing::Query | Thing::Mutation => None,
        Thing::Shop => Some(facts::shop(state, &inner.config.domain, inner.config.zone_offset_minutes, &inner.origin)),
        Thing::Installation => Some(facts::installation(&inner.config.client_id, &inner.config.scopes)),
        Thing::Location(id) => state.locations.get(&id).map(facts::location),
        Thing::Product(id) => state.products.get(&id).map(|product| facts::product(state, product, &inner.origin)),
        Thing::Variant(id) => state.variants.get(&id).map(|variant| facts::variant(state, variant)),
        Thing::Item(id) => state.items.get(&id).map(|item| facts::item(state, item)),
        Thing::Level(item, location) => {
            state.items.get(&item).and_then(|item| item.levels.get(&location)).map(|level| facts::level(item, level))
        }
        Thing::Order(id) => state.orders.get(&id).map(|order| facts::order(state, order)),
        Thing::Line(order, line) => {
            let order = state.orders.get(&order);
            order.and_then(|order| order.line(line).map(|line| facts::line(state, order, line)))
        }
        Thing::FulfillmentOrder(id) => state.fulfillment_orders.get(&id).map(|part| facts::fulfillment_order(state, part)),
        Thing::FulfillmentOrderLine(part, id) => fulfillment_order_line(state, part, id),
        Thing::Fulfillment(id) => state.fulfillments.get(&id).map(facts::fulfillment),
        Thing::FulfillmentLine(known, id) => fulfillment_line(state, known, id),
        Thing::Refund(id) => state.refunds.get(&id).and_then(|refund| {
            let order = state.orders.get(&refund.order)?;
            Some(json!({
                "id": gid("Refund", id), "legacyResourceId": id.to_string(), "note": refund.note,
                "createdAt": crate::clock::zulu(refund.created_at), "processedAt": crate::clock::zulu(refund.created_at),
                "updatedAt": crate::clock::zulu(refund.created_at),
                "totalRefundedSet": facts::bag(state, order, refund.amount),
            }))
        }),
        Thing::RefundLine(refund, id) => refund_line(state, refund, id),
        Thing::Transaction(order, id) => transaction(state, order, id),
        Thing::Return(id) => state.returns.get(&id).map(|known| {
            let units: i64 = known.lines.iter().map(|(_, _, units, _)| units).sum();
            json!({ "id": gid("Return", id), "name": known.name, "status": known.status, "totalQuantity": units,
                "createdAt": crate::clock::zulu(known.created_at), "closedAt": null, "requestApprovedAt": null })
        }),
        Thing::ReturnLine(known, id) => return_line(state, known, id),
        Thing::Subscription(id) => state.subscriptions.get(&id).map(facts::subscription),
        Thing::Adjustment(id) => state.adjustments.get(&id).map(|group| {
            json!({ "id": gid("InventoryAdjustmentGroup", id), "reason": group.reason,
                "referenceDocumentUri": group.reference, "createdAt": crate::clock::zulu(group.at),
                "app": { "id": gid("App", 5_900_000_004), "apiKey": inner.config.client_id, "handle": "hub", "title": "Hub" } })
        }),
    };
    found.unwrap_or(Value::Null)
}

fn fulfillment_order_line(state: &State, part: i64, id: i64) -> Option<Value> {
    let part = state.fulfillment_orders.get(&part)?;
    let own = part.lines.iter().find(|line| line.id == id)?;
    let line = state.orders.get(&part.order)?.line(own.line)?;
    let item = state.variants.get(&line.variant).map(|variant| gid("InventoryItem", variant.item));
    Some(json!({
        "id": gid("FulfillmentOrderLineItem", id), "inventoryItemId": item, "productTitle": line.title,
        "remainingQuantity": own.remaining, "totalQuantity": own.total, "requiresShipping": line.requires_shipping,
        "sku": line.sku, "variantTitle": line.variant_title, "vendor": line.vendor,
        "weight": { "unit": "GRAMS", "value": facts::float(rust_decimal::Decimal::from(line.grams)) },
    }))
}

fn fulfillment_line(state: &State, known: i64, id: i64) -> Option<Value> {
    let known = state.fulfillments.get(&known)?;
    let (_, line, units) = known.lines.iter().find(|(own, ..)| *own == id)?;
    let order = state.orders.get(&known.order)?;
    let line = order.line(*line)?;
    let total = line.price * rust_decimal::Decimal::from(*units);
    let discounted = total - (line.discount * rust_decimal::Decimal::from(*units)).checked_div(line.quantity.into())?;
    Some(json!({
        "id": gid("FulfillmentLineItem", id), "quantity": units, "originalTotalSet": facts::bag(state, order, total),
        "discountedTotalSet": facts::bag(state, order, State::round(discounted)),
    }))
}

fn refund_line(state: &State, refund: i64, id: i64) -> Option<Value> {
    let refund = state.refunds.get(&refund)?;
    let own = refund.lines.iter().find(|line| line.id == id)?;
    let order = state.orders.get(&refund.order)?;
    let line = order.line(own.line)?;
    Some(json!({
        "id": gid("RefundLineItem", id), "quantity": own.quantity, "restockType": own.restock,
        "restocked": own.restock != "NO_RESTOCK", "priceSet": facts::bag(state, order, line.price),
        "subtotalSet": facts::bag(state, order, own.subtotal), "totalTaxSet": facts::bag(state, order, own.tax),
    }))
}

fn transaction(state: &State, order: i64, id: i64) -> Option<Value> {
    let order = state.orders.get(&order)?;
    let own = order.transactions.iter().find(|known| known.id == id)?;
    Some(json!({
        "id": gid("OrderTransaction", id), "kind": own.kind, "status": "SUCCESS", "gateway": "bogus",
        "formattedGateway": "Bogus", "manualPaymentGateway": false, "errorCode": null, "paymentId": order.token,
        "test": order.test, "createdAt": crate::clock::zulu(own.at), "processedAt": crate::clock::zulu(own.at),
        "amountSet": facts::bag(state, order, own.amount), "parentTransaction": null,
    }))
}

fn return_line(state: &State, known: i64, id: i64) -> Option<Value> {
    let known = state.returns.get(&known)?;
    let (_, line, units, _) = known.lines.iter().find(|(own, ..)| *own == id)?;
    let order = state.orders.get(&known.order)?;
    let line = order.line(*line)?;
    let total = line.price * rust_decimal::Decimal::from(*units);
    Some(json!({
        "id": gid("ReturnLineItem", id), "quantity": units, "refundableQuantity": units, "refundedQuantity": 0,
        "processableQuantity": units, "processedQuantity": 0, "unprocessedQuantity": units, "customerNote": null,
        "returnReasonNote": "", "totalWeight": null, "withCodeDiscountedTotalPriceSet": facts::bag(state, order, total),
    }))
}

fn names(args: &Value) -> Vec<String> {
    let list = args.get("names").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// References from one object to others. Nothing means: a plain fact.
fn link(ctx: &Ctx<'_>, state: &State, thing: Thing, field: &str, args: &Value) -> Result<Option<Slot>, FieldError> {
    let rows = |things: Vec<(i64, Thing)>| {
        let rows = things.into_iter().map(|(id, thing)| Row::of(id, Slot::One(thing))).collect();
        page(rows, args, false).map(|connection| Some(Slot::Page(connection)))
    };
    let one = |thing: Thing| Ok(Some(Slot::One(thing)));
    let wanted = |name: &str| args.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
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
        (Thing::Adjustment(id), "changes") => Ok(Some(changes(state, id))),
        (Thing::Order(_) | Thing::Line(..), _) => order_link(state, thing, field, args),
        _ => shipping_link(ctx, state, thing, field, args),
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

fn shipping_link(ctx: &Ctx<'_>, state: &State, thing: Thing, field: &str, args: &Value) -> Result<Option<Slot>, FieldError> {
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
        Thing::Refund(_) | Thing::RefundLine(..) | Thing::Return(_) | Thing::ReturnLine(..) => {
            aftersale_link(ctx, state, thing, field, args)
        }
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

fn aftersale_link(_: &Ctx<'_>, state: &State, thing: Thing, field: &str, args: &Value) -> Result<Option<Slot>, FieldError> {
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
