//! Objects with identity: how each is found by its global id and which plain facts it has.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::clock::zulu;
use crate::shopify::facts::{self, gid};
use crate::shopify::graph::Ctx;
use crate::shopify::price_lists;
use crate::shopify::state::State;

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
    PriceList(i64),
    Export(i64),
}

impl Thing {
    pub(crate) fn type_name(self) -> &'static str {
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
            Self::PriceList(_) => "PriceList",
            Self::Export(_) => "BulkOperation",
        }
    }

    /// The thing behind a global id, when the shop has it.
    pub(crate) fn find(state: &State, id: &str) -> Option<Self> {
        let (kind, _) = id.strip_prefix("gid://shopify/")?.split_once('/')?;
        let number = facts::number(id, kind)?;
        match kind {
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
            "BulkOperation" => state.exports.contains_key(&number).then_some(Self::Export(number)),
            "PriceList" => state.price_lists.contains_key(&number).then_some(Self::PriceList(number)),
            _ => None,
        }
    }

    /// As [`Thing::find`], but only when it is of this kind.
    pub(crate) fn find_kind(state: &State, id: &str, type_name: &str) -> Option<Self> {
        Self::find(state, id).filter(|thing| thing.type_name() == type_name)
    }
}

/// The plain facts of a thing; null when it is gone.
pub(crate) fn facts_of(ctx: &Ctx<'_>, state: &State, thing: Thing) -> Value {
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
                "createdAt": zulu(refund.created_at), "processedAt": zulu(refund.created_at),
                "updatedAt": zulu(refund.created_at),
                "totalRefundedSet": facts::bag(state, order, refund.amount), "duties": [],
            }))
        }),
        Thing::RefundLine(refund, id) => refund_line(state, refund, id),
        Thing::Transaction(order, id) => transaction(state, order, id),
        Thing::Return(id) => state.returns.get(&id).map(|known| {
            let units: i64 = known.lines.iter().map(|(_, _, units, _)| units).sum();
            json!({ "id": gid("Return", id), "name": known.name, "status": known.status, "totalQuantity": units,
                "createdAt": zulu(known.created_at), "closedAt": null, "requestApprovedAt": null, "decline": null })
        }),
        Thing::ReturnLine(known, id) => return_line(state, known, id),
        Thing::Subscription(id) => state.subscriptions.get(&id).map(facts::subscription),
        Thing::PriceList(id) => state.price_lists.get(&id).map(price_lists::facts),
        Thing::Export(id) => state.exports.get(&id).map(|export| export.facts(&inner.origin, ctx.now)),
        Thing::Adjustment(id) => state.adjustments.get(&id).map(|group| {
            json!({ "id": gid("InventoryAdjustmentGroup", id), "reason": group.reason,
                "referenceDocumentUri": group.reference, "createdAt": zulu(group.at),
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
        "sku": line.sku, "variantTitle": line.variant_title, "vendor": line.vendor, "image": null,
        "weight": { "unit": "GRAMS", "value": facts::float(Decimal::from(line.grams)) },
    }))
}

fn fulfillment_line(state: &State, known: i64, id: i64) -> Option<Value> {
    let known = state.fulfillments.get(&known)?;
    let (_, line, units) = known.lines.iter().find(|(own, ..)| *own == id)?;
    let order = state.orders.get(&known.order)?;
    let line = order.line(*line)?;
    let total = line.price * Decimal::from(*units);
    let discounted = total - (line.discount * Decimal::from(*units)).checked_div(line.quantity.into())?;
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
        "id": gid("RefundLineItem", id), "quantity": own.quantity, "restockType": own.restock.name(),
        "restocked": own.restock.name() != "NO_RESTOCK", "priceSet": facts::bag(state, order, line.price),
        "subtotalSet": facts::bag(state, order, own.subtotal), "totalTaxSet": facts::bag(state, order, own.tax),
    }))
}

fn transaction(state: &State, order: i64, id: i64) -> Option<Value> {
    let order = state.orders.get(&order)?;
    let own = order.transactions.iter().find(|known| known.id == id)?;
    Some(json!({
        "id": gid("OrderTransaction", id), "kind": own.kind, "status": "SUCCESS", "gateway": "bogus",
        "formattedGateway": "Bogus", "manualPaymentGateway": false, "errorCode": null, "paymentId": order.token,
        "test": order.test, "createdAt": zulu(own.at), "processedAt": zulu(own.at),
        "amountSet": facts::bag(state, order, own.amount), "parentTransaction": null, "accountNumber": null,
        "authorizationExpiresAt": null, "fees": [],
    }))
}

fn return_line(state: &State, known: i64, id: i64) -> Option<Value> {
    let known = state.returns.get(&known)?;
    let (_, line, units, _) = known.lines.iter().find(|(own, ..)| *own == id)?;
    let order = state.orders.get(&known.order)?;
    let line = order.line(*line)?;
    let total = line.price * Decimal::from(*units);
    Some(json!({
        "id": gid("ReturnLineItem", id), "quantity": units, "refundableQuantity": units, "refundedQuantity": 0,
        "processableQuantity": units, "processedQuantity": 0, "unprocessedQuantity": units, "customerNote": null,
        "returnReasonNote": "", "totalWeight": null, "restockingFee": null,
        "returnReasonDefinition": { "id": gid("ReturnReasonDefinition", 1), "handle": "unknown", "name": "Unknown", "deleted": false }, "withCodeDiscountedTotalPriceSet": facts::bag(state, order, total),
    }))
}
