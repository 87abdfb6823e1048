//! Refunds in the shop.

use serde_json::Value;

use super::Shop;
use super::orders::{id_of, is_id, rows};
use crate::contract::{Context, Failure, Outcome, Refund, RefundOrder};
use crate::requests;
use crate::translate::{self, OUR_REFUND};

/// One after the other, each after a look whether an earlier try has made it: money must not go back twice.
pub fn push_refunds(shop: &Shop<'_>, ctx: &Context, refunds: &[RefundOrder]) -> Result<Vec<Outcome>, Failure> {
    refunds.iter().map(|refund| push_one(shop, ctx, refund)).collect()
}

fn push_one(shop: &Shop<'_>, ctx: &Context, refund: &RefundOrder) -> Result<Outcome, Failure> {
    if !is_id(&refund.order) {
        return Ok(Outcome::failed(&refund.key, Failure::missing(format!("\"{}\" is not an order of this shop.", refund.order))));
    }
    let mark = format!("{}/{}", ctx.idempotency_key, refund.key);
    let result = shop.ask(&requests::list_refunds(&refund.order)).and_then(|answer| {
        if let Some(earlier) = rows(&answer)?.iter().find(|document| has_mark(document, &mark)) {
            return Ok((id_of(earlier), true));
        }
        let made = shop.ask(&requests::create_refund(refund, &mark))?;
        Ok((id_of(&made.document), false))
    });
    match result {
        Ok((_, true)) => Ok(Outcome::unchanged(&refund.key)),
        Ok((id, false)) => Ok(Outcome::done(&refund.key, id)),
        Err(failure) if super::concerns_connection(&failure) => Err(failure),
        Err(failure) => Ok(Outcome::failed(&refund.key, failure)),
    }
}

fn has_mark(document: &Value, mark: &str) -> bool {
    let marks = document.get("meta_data").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text = |pair: &Value, name: &str| pair.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    marks.iter().any(|pair| text(pair, "key") == OUR_REFUND && text(pair, "value") == mark)
}

pub fn read_refunds(shop: &Shop<'_>, order: &str) -> Result<Vec<Refund>, Failure> {
    if !is_id(order) {
        return Err(Failure::missing(format!("\"{order}\" is not an order of this shop.")));
    }
    let document = shop.ask(&requests::retrieve_order(order))?.document;
    let answer = shop.ask(&requests::list_refunds(order))?;
    translate::refunds(rows(&answer)?, &document).map_err(|refusal| refusal.into_failure(&format!("order {order}")))
}
