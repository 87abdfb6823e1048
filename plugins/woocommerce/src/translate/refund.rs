//! Refunds. Quantities and amounts arrive negative; here they are positive. Each refund line has its own id and points to
//! the order's line by a mark; without the mark it is matched by product, if that leaves no choice.

use rust_decimal::Decimal;
use serde_json::Value;

use super::listing::ListingId;
use super::meta::Meta;
use super::order::{amounts, currency};
use crate::contract::{Refund, RefundLine};
use crate::decimal;
use crate::json::{Doc, Refusal};

const LINE_MARK: &str = "_refunded_item_id";
const MAPPED: [&str; 9] =
    ["id", "date_created_gmt", "date_created", "amount", "reason", "line_items", "shipping_lines", "fee_lines", "_links"];

/// All refunds of one order.
pub fn refunds(documents: &[Value], order: &Value) -> Result<Vec<Refund>, Refusal> {
    (documents.iter().enumerate())
        .map(|(at, document)| refund(document, order).map_err(|refusal| refusal.within(&format!("refunds[{at}]"))))
        .collect()
}

pub fn refund(document: &Value, order: &Value) -> Result<Refund, Refusal> {
    let doc = Doc::new(document)?;
    let order = Doc::new(order)?;
    let currency = currency(order)?;
    let mut lines = doc.each("line_items", |item| line(item, order, &currency))?;
    for charges in ["shipping_lines", "fee_lines"] {
        lines.extend(doc.each(charges, |item| line(item, order, &currency))?);
    }
    Ok(Refund {
        external_id: doc.required_id("id")?,
        created_at: doc.instant("date_created_gmt")?,
        amount: amounts(doc.required_decimal("amount")?.abs(), &currency),
        reason: doc.text("reason")?,
        lines: lines.into_iter().flatten().collect(),
        extras: doc.rest(&MAPPED),
    })
}

/// What the order itself tells: sums without quantities. The documents call the reason `refund` in places.
pub fn summaries(order: Doc<'_>, currency: &str) -> Result<Vec<Refund>, Refusal> {
    order.each("refunds", |item| {
        Ok(Refund {
            external_id: item.required_id("id")?,
            created_at: None,
            amount: amounts(item.required_decimal("total")?.abs(), currency),
            reason: item.text("reason")?.or(item.text("refund")?),
            lines: Vec::new(),
            extras: item.rest(&["id", "total", "reason", "refund"]),
        })
    })
}

/// `None` without refunds.
pub fn sum(refunds: &[Refund]) -> Option<Decimal> {
    let values = refunds.iter().filter_map(|refund| decimal::parse(&refund.amount.shop.amount));
    values.reduce(|sum, value| sum + value)
}

/// `None` where the line belongs to nothing in the order.
fn line(item: Doc<'_>, order: Doc<'_>, currency: &str) -> Result<Option<RefundLine>, Refusal> {
    let quantity = item.decimal("quantity")?.unwrap_or_default().abs();
    let quantity = match decimal::is_whole(quantity).then(|| quantity.normalize().to_string().parse()) {
        Some(Ok(quantity)) => quantity,
        _ => {
            return Err(Refusal::new("quantity", format!("expected a whole number of units, found {quantity}")));
        }
    };
    let line = match Meta::of(item)?.text(LINE_MARK) {
        Some(id) => Some(id),
        None => same_product(item, order)?,
    };
    Ok(line.map(|line| RefundLine {
        line,
        quantity,
        restocked: None,
        amount: item.decimal("total").ok().flatten().map(|total| amounts(total.abs(), currency)),
    }))
}

fn same_product(item: Doc<'_>, order: Doc<'_>) -> Result<Option<String>, Refusal> {
    let Some(wanted) = ListingId::of_line(item)? else {
        return Ok(None);
    };
    let mut found = Vec::new();
    for candidate in order.list("line_items")? {
        let candidate = Doc::new(candidate)?;
        if ListingId::of_line(candidate)?.as_ref() == Some(&wanted) {
            found.extend(candidate.id("id")?);
        }
    }
    match <[String; 1]>::try_from(found) {
        Ok([only]) => Ok(Some(only)),
        Err(_) => Ok(None),
    }
}
