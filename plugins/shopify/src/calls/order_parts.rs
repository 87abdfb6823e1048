//! The parts of an order that its own document leaves out: further lines, fulfilments, refunds.

use serde_json::Value;

use super::{Shop, complete, list, text};
use crate::contract::{Failure, Order};
use crate::json::Doc;
use crate::requests;
use crate::translate;

/// (fulfilments or refunds, lines of each), from the usual to the smallest.
const SIZES: [(u32, u32); 5] = [(20, 20), (10, 20), (10, 10), (5, 5), (2, 5)];
/// Lines of one order or one fulfilment read at a time after the first.
const LINES: u32 = 20;

/// The whole order.
pub fn whole(shop: &Shop<'_>, mut document: Value) -> Result<Order, Failure> {
    let id = text(&document, &["id"]).unwrap_or_default().to_owned();
    complete(&mut document, "lineItems", |after| {
        let answer = shop.ask(&requests::order_lines(&id, after, LINES))?;
        Ok(answer.data.get("order").and_then(|order| order.get("lineItems")).cloned().unwrap_or(Value::Null))
    })?;
    let fulfillments = if has_fulfillments(&document) { fulfillments(shop, &id)? } else { Vec::new() };
    let refunds = if may_have_refunds(&document) { refunds(shop, &id)? } else { Vec::new() };
    translate::order(&document, &fulfillments, &refunds).map_err(|refusal| refusal.into_failure(&format!("order {id}")))
}

fn has_fulfillments(document: &Value) -> bool {
    let count = document.get("fulfillmentsCount").and_then(|count| count.get("count")).and_then(Value::as_u64);
    count.is_none_or(|count| count > 0)
}

/// A refund moves money or takes units off a line; edits take units off too.
fn may_have_refunds(document: &Value) -> bool {
    let Ok(doc) = Doc::new(document) else { return true };
    let refunded = doc.object("totalRefundedSet").ok().flatten().and_then(|bag| bag.object("shopMoney").ok().flatten());
    let moved = refunded.is_none_or(|money| money.decimal("amount").is_ok_and(|amount| amount.is_some_and(|amount| !amount.is_zero())));
    let taken = list(document, &["lineItems", "nodes"]).iter().any(|line| line.get("currentQuantity") != line.get("quantity"));
    moved || taken
}

pub fn fulfillments(shop: &Shop<'_>, order: &str) -> Result<Vec<Value>, Failure> {
    let mut documents = all(shop, "fulfillments", |first, lines| requests::order_fulfillments(order, first, lines))?;
    for document in &mut documents {
        let id = text(document, &["id"]).unwrap_or_default().to_owned();
        complete(document, "fulfillmentLineItems", |after| {
            let answer = shop.ask(&requests::fulfillment_lines(&id, after, LINES))?;
            Ok(answer.data.get("node").and_then(|node| node.get("fulfillmentLineItems")).cloned().unwrap_or(Value::Null))
        })?;
    }
    Ok(documents)
}

fn refunds(shop: &Shop<'_>, order: &str) -> Result<Vec<Value>, Failure> {
    let mut documents = all(shop, "refunds", |first, lines| requests::order_refunds(order, first, lines))?;
    for document in &mut documents {
        let id = text(document, &["id"]).unwrap_or_default().to_owned();
        complete(document, "refundLineItems", |after| {
            let answer = shop.ask(&requests::refund_lines(&id, after, LINES))?;
            Ok(answer.data.get("node").and_then(|node| node.get("refundLineItems")).cloned().unwrap_or(Value::Null))
        })?;
    }
    Ok(documents)
}

/// These lists have no pages: a full answer may be a cut one, so it is asked for again, longer and with fewer lines each.
fn all(shop: &Shop<'_>, key: &str, query: impl Fn(u32, u32) -> requests::Query) -> Result<Vec<Value>, Failure> {
    let (answer, size) = shop.ask_sized(&SIZES, 0, |(first, lines)| query(first, lines))?;
    let mut first = SIZES.get(size).map_or(2, |(first, _)| *first);
    let mut documents = list(&answer.data, &["order", key]).to_vec();
    while documents.len() >= first as usize && first < 250 {
        first = (first * 2).min(250);
        documents = list(&shop.ask(&query(first, 1))?.data, &["order", key]).to_vec();
    }
    Ok(documents)
}
