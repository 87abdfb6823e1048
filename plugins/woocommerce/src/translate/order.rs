//! Orders.
//!
//! Amounts: WooCommerce books every line and total without tax and lists the tax beside it, whatever the shop shows its
//! buyers; `prices_include_tax` only says how prices were typed in. So `prices-include-tax` is always false here and the
//! shop's flag stays in the extras.

mod lines;

use rust_decimal::Decimal;
use serde_json::Value;

use super::meta::Meta;
use super::{address, refund, shipment};
use crate::contract::{Amounts, Line, Money, Order, OrderStatus, PaymentStatus, Refund, Shipment};
use crate::instant;
use crate::json::{Doc, Refusal};
use crate::settings::{Settings, State};

/// Members that have a field in the record, or a reason not to be kept: twins in the site's own time zone, links, the
/// buyer's network address and browser (personal data nobody here needs), and the shop's own housekeeping.
const NOT_IN_EXTRAS: [&str; 32] = [
    "id",
    "number",
    "status",
    "currency",
    "date_created_gmt",
    "date_modified_gmt",
    "discount_total",
    "shipping_total",
    "total",
    "total_tax",
    "customer_id",
    "customer_note",
    "billing",
    "shipping",
    "line_items",
    "shipping_lines",
    "fee_lines",
    "refunds",
    "date_created",
    "date_modified",
    "date_paid",
    "date_completed",
    "_links",
    "customer_ip_address",
    "customer_user_agent",
    "cart_hash",
    "is_editable",
    "needs_payment",
    "needs_processing",
    "payment_url",
    "currency_symbol",
    "version",
];

/// One order. `refund_documents` are those of `orders/{id}/refunds`; without them the order's own list gives sums but
/// no quantities.
pub fn order(document: &Value, refund_documents: Option<&[Value]>, settings: &Settings) -> Result<Order, Refusal> {
    let doc = Doc::new(document)?;
    let external_id = doc.required_id("id")?;
    let currency = currency(doc)?;
    let meta = Meta::of(doc)?;
    let refunds = match refund_documents {
        Some(documents) => refund::refunds(documents, document)?,
        None => refund::summaries(doc, &currency)?,
    };
    let channel_status = doc.text("status")?.unwrap_or_else(|| "unknown".to_owned());
    let completed_at = doc.instant("date_completed_gmt")?;
    let status = status(&channel_status, completed_at.is_some(), settings);
    let shipments = shipment::from_order(document)?;
    let mut lines = lines::lines(doc, &currency)?;
    let goods = goods(&channel_status, status, completed_at.as_deref());
    settle(&mut lines, goods, &shipments, &refunds);

    let money = |key: &str| -> Result<Option<Amounts>, Refusal> { Ok(doc.decimal(key)?.map(|d| amounts(d, &currency))) };
    let total = doc.required_decimal("total")?;
    let created_at = doc.instant("date_created_gmt")?;
    let modified_at = doc.instant("date_modified_gmt")?;
    let refunded = refund::sum(&refunds);
    let billing = doc.object("billing")?;
    let read = |key: &str| match doc.object(key)? {
        Some(part) => address::address(part).map_err(|refusal| refusal.within(key)),
        None => Ok(None),
    };
    Ok(Order {
        number: doc.text("number")?.unwrap_or_else(|| external_id.clone()),
        payment: payment(&channel_status, doc, total, refunded)?,
        status,
        test: meta.is_test(),
        placed_at: created_at.clone().or_else(|| modified_at.clone()).ok_or_else(|| no_date("date_created_gmt"))?,
        updated_at: modified_at.or(created_at).ok_or_else(|| no_date("date_modified_gmt"))?,
        cancelled_at: None,
        prices_include_tax: false,
        subtotal: None,
        shipping_total: money("shipping_total")?,
        discount_total: money("discount_total")?,
        tax_total: money("total_tax")?,
        total: amounts(total, &currency),
        refunded_total: refunded.map(|sum| amounts(sum, &currency)),
        buyer: address::buyer(doc, billing, &meta)?,
        ship_to: read("shipping")?,
        bill_to: read("billing")?,
        note: doc.text("customer_note")?,
        tags: Vec::new(),
        extras: doc.rest(&NOT_IN_EXTRAS),
        external_id,
        channel_status,
        lines,
        shipments,
        refunds,
    })
}

/// ISO 4217, as the order was placed in.
pub fn currency(doc: Doc<'_>) -> Result<String, Refusal> {
    match doc.text("currency")? {
        Some(code) if code.len() == 3 && code.bytes().all(|b| b.is_ascii_alphabetic()) => Ok(code.to_ascii_uppercase()),
        Some(other) => Err(Refusal::new("currency", format!("expected an ISO 4217 code, found \"{other}\""))),
        None => Err(Refusal::new("currency", "expected an ISO 4217 code, found none")),
    }
}

pub fn amounts(value: Decimal, currency: &str) -> Amounts {
    Amounts { shop: Money { amount: value.to_string(), currency: currency.to_owned() }, presented: None }
}

fn no_date(path: &str) -> Refusal {
    Refusal::new(path, "expected a date and time in UTC, found none; the order cannot be put in order of time")
}

/// Refunded and trashed orders were shipped if they had been completed, else their goods will never leave. A failed
/// payment leaves nothing to ship either; when the buyer pays after all, the order changes again.
fn status(word: &str, was_completed: bool, settings: &Settings) -> OrderStatus {
    let word = word.strip_prefix("wc-").unwrap_or(word);
    if let Some((_, state)) = settings.states.iter().find(|(name, _)| name == word) {
        return match state {
            State::Draft => OrderStatus::Draft,
            State::Placed => OrderStatus::Placed,
            State::Completed => OrderStatus::Completed,
            State::Cancelled => OrderStatus::Cancelled,
        };
    }
    match word {
        "checkout-draft" | "auto-draft" | "draft" => OrderStatus::Draft,
        "pending" | "on-hold" | "processing" => OrderStatus::Placed,
        "completed" | "refunded" => OrderStatus::Completed,
        "trash" if was_completed => OrderStatus::Completed,
        "cancelled" | "failed" | "trash" => OrderStatus::Cancelled,
        _ => OrderStatus::Other,
    }
}

fn payment(word: &str, doc: Doc<'_>, total: Decimal, refunded: Option<Decimal>) -> Result<PaymentStatus, Refusal> {
    let paid = doc.instant("date_paid_gmt")?.is_some();
    Ok(match (word, refunded) {
        ("refunded", _) => PaymentStatus::Refunded,
        (_, Some(sum)) if !sum.is_zero() && sum >= total => PaymentStatus::Refunded,
        (_, Some(sum)) if !sum.is_zero() => PaymentStatus::PartiallyRefunded,
        ("failed", _) => PaymentStatus::Failed,
        _ if paid => PaymentStatus::Paid,
        ("pending" | "on-hold" | "processing" | "completed" | "cancelled" | "checkout-draft" | "trash", _) => PaymentStatus::Pending,
        _ => PaymentStatus::Unknown,
    })
}

/// What is known about the goods of the whole order.
#[derive(Clone, Copy)]
enum Goods<'a> {
    /// Not an order yet.
    Untouched,
    /// Some may have left: what the shipments say.
    Open,
    /// Everything left at this moment, as far as it had not been refunded before.
    Left(Option<&'a str>),
    /// What has not left stays.
    Stay,
}

fn goods<'a>(word: &str, status: OrderStatus, completed_at: Option<&'a str>) -> Goods<'a> {
    match status {
        OrderStatus::Draft => Goods::Untouched,
        OrderStatus::Placed | OrderStatus::Other => Goods::Open,
        OrderStatus::Completed if word == "refunded" && completed_at.is_none() => Goods::Stay,
        OrderStatus::Completed => Goods::Left(completed_at),
        OrderStatus::Cancelled => Goods::Stay,
    }
}

/// How many units of each line have left and how many never will.
///
/// WooCommerce counts neither: an order is completed as a whole, and a refund does not say whether the goods had gone.
/// Units refunded before the completion stayed; after it they had been shipped.
fn settle(lines: &mut [Line], goods: Goods<'_>, shipments: &[Shipment], refunds: &[Refund]) {
    let left_after = |refund: &&Refund| match (goods, refund.created_at.as_deref()) {
        (Goods::Left(Some(left)), Some(refunded)) => instant::parse(refunded) < instant::parse(left),
        (Goods::Left(_), _) => false,
        _ => true,
    };
    for line in lines {
        let shipped = sum((shipments.iter().flat_map(|shipment| &shipment.lines))
            .filter(|part| part.line == line.external_id)
            .map(|part| part.quantity));
        let refunded_unshipped = sum((refunds.iter().filter(left_after).flat_map(|refund| &refund.lines))
            .filter(|part| part.line == line.external_id)
            .map(|part| part.quantity));
        let shipped = shipped.min(line.quantity);
        (line.fulfilled, line.released) = match goods {
            Goods::Untouched => (0, 0),
            Goods::Open => (shipped, refunded_unshipped.min(line.quantity - shipped)),
            Goods::Left(_) => {
                let released = refunded_unshipped.min(line.quantity);
                (line.quantity - released, released)
            }
            Goods::Stay => (shipped, line.quantity - shipped),
        };
    }
}

fn sum(quantities: impl Iterator<Item = u32>) -> u32 {
    quantities.fold(0, u32::saturating_add)
}
