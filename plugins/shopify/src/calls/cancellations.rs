//! Cancelling orders in the shop. The shop does it in the background and cannot undo it.

use serde_json::Value;

use super::{Shop, concerns_connection, list, text};
use crate::answer;
use crate::contract::{Cancellation, Failure, Outcome};
use crate::gid;
use crate::requests;

/// Orders looked at in one query.
const MANY: usize = 100;

pub fn cancel(shop: &Shop<'_>, cancellations: &[Cancellation]) -> Result<Vec<Outcome>, Failure> {
    let ids: Vec<&str> = cancellations.iter().map(|c| c.order.as_str()).filter(|id| gid::is("Order", id)).collect();
    let mut orders: Vec<Value> = Vec::new();
    for chunk in ids.chunks(MANY) {
        orders.extend(list(&shop.ask(&requests::order_state(chunk))?.data, &["nodes"]).iter().cloned());
    }
    let mut outcomes = Vec::new();
    for cancellation in cancellations {
        if shop.is_nearly_spent() {
            outcomes.push(Outcome::failed(
                &cancellation.key,
                Failure::throttled("More cancellations than fit into one run; the rest follows in the next one.", None),
            ));
            continue;
        }
        let order = orders.iter().find(|order| text(order, &["id"]) == Some(cancellation.order.as_str()));
        outcomes.push(match cancel_one(shop, cancellation, order) {
            Ok(true) => Outcome::done(&cancellation.key, ""),
            Ok(false) => Outcome::unchanged(&cancellation.key),
            Err(failure) if concerns_connection(&failure) && outcomes.is_empty() => return Err(failure),
            Err(failure) => Outcome::failed(&cancellation.key, failure),
        });
    }
    Ok(outcomes)
}

/// Whether anything had to be done.
fn cancel_one(shop: &Shop<'_>, cancellation: &Cancellation, order: Option<&Value>) -> Result<bool, Failure> {
    let order = order.ok_or_else(|| Failure::missing(format!("The shop has no order {}.", cancellation.order)))?;
    if text(order, &["cancelledAt"]).is_some() {
        return Ok(false);
    }
    if text(order, &["displayFulfillmentStatus"]) == Some("FULFILLED") {
        return Err(Failure::conflict(format!(
            "Order {} has been shipped and can no longer be cancelled; refund it instead.",
            cancellation.order
        ))
        .with_code("fulfilled"));
    }
    let answer = shop.ask(&requests::cancel_order(cancellation))?;
    let (_, errors) = answer::payload(&answer.data, "orderCancel", "orderCancelUserErrors")?;
    match errors.first() {
        None => Ok(true),
        Some(error) => {
            let failure = Failure::invalid(format!("The shop refuses to cancel {}: {}", cancellation.order, error.message));
            Err(failure.with_code(error.code.clone().unwrap_or_else(|| "user-error".to_owned())))
        }
    }
}
