//! Orders to canonical records.

use rust_decimal::Decimal;
use serde_json::Value;

use super::address::{address, buyer};
use super::facts::{Facts, amounts, required};
use super::line::{self, Sale};
use super::parcel::{has_left, shipment};
use super::payment::Paid;
use crate::contract::{Line, LineKind, Order, OrderStatus, Shipment};
use crate::json::{Doc, Refusal};
use crate::moment;

/// Members with a field in the record; all others go into the extras.
const MAPPED: [&str; 20] = [
    "id",
    "code",
    "state",
    "active",
    "createdAt",
    "updatedAt",
    "orderPlacedAt",
    "currencyCode",
    "subTotalWithTax",
    "shippingWithTax",
    "totalWithTax",
    "taxSummary",
    "discounts",
    "customer",
    "shippingAddress",
    "billingAddress",
    "lines",
    "shippingLines",
    "surcharges",
    "fulfillments",
];

pub fn order(document: &Value, facts: &Facts) -> Result<Order, Refusal> {
    let doc = Doc::new(document)?;
    let currency = required(doc, "currencyCode")?;
    let state = required(doc, "state")?;
    let (shipments, not_shipped) = parcels(doc)?;
    let sale = Sale { facts, currency: &currency, shipments: &shipments, cancelled: is_cancelled(&state) };
    let paid = Paid::read(doc, facts, &currency)?;
    let mut lines = doc.each("lines", |one| line::goods(one, &sale))?;
    lines.extend(doc.each("shippingLines", |one| line::shipping(one, &sale))?);
    lines.extend(doc.each("surcharges", |one| line::surcharge(one, &sale))?);
    let total = doc.required_decimal("totalWithTax")?;
    let booked = |amount: Decimal| amounts(facts.booked(amount), &currency);
    let sum =
        |list: &str, key: &str| -> Result<Decimal, Refusal> { Ok(doc.each(list, |one| one.required_decimal(key))?.into_iter().sum()) };
    let mut extras = doc.rest(&MAPPED);
    if !not_shipped.is_empty() {
        extras.push(entrepot_sdk::extra("fulfillmentsNotShipped", &Value::Array(not_shipped)));
    }
    let placed = match doc.instant("orderPlacedAt")? {
        Some(placed) => Some(placed),
        None => doc.instant("createdAt")?,
    };
    Ok(Order {
        external_id: required(doc, "id")?,
        number: required(doc, "code")?,
        status: status(&state, doc.flag("active")?.unwrap_or(false), &lines),
        payment: paid.status(total),
        test: false,
        placed_at: placed.ok_or_else(|| Refusal::new("orderPlacedAt", "expected a date and time, found none"))?,
        updated_at: last_change(document).ok_or_else(|| Refusal::new("updatedAt", "expected a date and time, found none"))?,
        // The shop tells it only in its history.
        cancelled_at: None,
        prices_include_tax: true,
        subtotal: doc.decimal("subTotalWithTax")?.map(booked),
        shipping_total: doc.decimal("shippingWithTax")?.map(booked),
        // Written as negative amounts.
        discount_total: Some(booked(-sum("discounts", "amountWithTax")?)),
        tax_total: Some(booked(sum("taxSummary", "taxTotal")?)),
        total: booked(total),
        refunded_total: paid.refunded().map(booked),
        buyer: buyer(doc.object("customer")?).map_err(|refusal| refusal.within("customer"))?,
        ship_to: address(doc.object("shippingAddress")?).map_err(|refusal| refusal.within("shippingAddress"))?,
        bill_to: address(doc.object("billingAddress")?).map_err(|refusal| refusal.within("billingAddress"))?,
        refunds: paid.refunds,
        note: None,
        tags: Vec::new(),
        channel_status: state,
        lines,
        shipments,
        extras,
    })
}

pub fn is_cancelled(state: &str) -> bool {
    state == "Cancelled"
}

/// Nothing is usually done to such an order any more, but paying back.
pub fn is_over(state: &str) -> bool {
    matches!(state, "Shipped" | "Delivered" | "Cancelled")
}

/// A shop may have states of its own, so only two are read; for the rest the goods decide.
fn status(state: &str, active: bool, lines: &[Line]) -> OrderStatus {
    let open = lines.iter().any(|line| line.kind == LineKind::Physical && line.quantity > line.fulfilled + line.released);
    match () {
        () if is_cancelled(state) => OrderStatus::Cancelled,
        () if active || state == "Draft" => OrderStatus::Draft,
        () if open => OrderStatus::Placed,
        () => OrderStatus::Completed,
    }
}

/// Those that left, and, as they are, those that did not, or not yet.
fn parcels(doc: Doc<'_>) -> Result<(Vec<Shipment>, Vec<Value>), Refusal> {
    let (mut shipments, mut other) = (Vec::new(), Vec::new());
    for (at, document) in doc.list("fulfillments")?.iter().enumerate() {
        let shipment = Doc::new(document).and_then(shipment).map_err(|refusal| refusal.within(&format!("fulfillments[{at}]")))?;
        match has_left(shipment.status.as_deref().unwrap_or_default()) {
            true => shipments.push(shipment),
            false => other.push(document.clone()),
        }
    }
    Ok((shipments, other))
}

/// The order's own time of change stands still when it is placed, paid, shipped or paid back; that of the part moves.
fn last_change(document: &Value) -> Option<String> {
    let members = |list: &'static str| document.get(list).and_then(Value::as_array).into_iter().flatten();
    let refunds = members("payments").flat_map(|payment| payment.get("refunds").and_then(Value::as_array).into_iter().flatten());
    let parts = members("payments").chain(members("fulfillments")).chain(refunds).chain([document]);
    let stamps = parts.filter_map(|part| part.get("updatedAt")).chain(document.get("orderPlacedAt"));
    let latest = stamps.filter_map(|stamp| moment::parse(stamp.as_str()?)).max()?;
    crate::instant::canonical(&moment::format(latest))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::last_change;

    #[test]
    fn an_order_changed_when_the_last_of_its_parts_did() {
        let document = json!({
            "updatedAt": "2026-11-29T01:00:09.454Z", "orderPlacedAt": "2026-11-29T01:00:09.859Z",
            "payments": [{ "updatedAt": "2026-11-29T01:00:10.000Z", "refunds": [{ "updatedAt": "2026-11-29T01:05:00.000Z" }] }],
            "fulfillments": [{ "updatedAt": "2026-11-29T01:04:00.000Z" }],
        });
        assert_eq!(last_change(&document).as_deref(), Some("2026-11-29T01:05:00Z"));
        assert_eq!(last_change(&json!({ "payments": [] })), None);
    }
}
