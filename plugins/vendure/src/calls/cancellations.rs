//! Cancelling orders in the shop.

use serde_json::Value;

use super::{Shop, concerns_connection, row, text};
use crate::answer;
use crate::contract::{Cancellation, Failure, Outcome};
use crate::requests;
use crate::translate::{has_left, is_cancelled};

pub fn cancel(shop: &Shop<'_>, cancellations: &[Cancellation]) -> Result<Vec<Outcome>, Failure> {
    let ids: Vec<&str> = cancellations.iter().map(|cancellation| cancellation.order.as_str()).collect();
    let orders = shop.rows("orders", &ids, requests::order_parcels)?;
    let mut outcomes = Vec::new();
    for cancellation in cancellations {
        outcomes.push(match cancel_one(shop, cancellation, row(&orders, &cancellation.order)) {
            Ok(true) => Outcome::done(&cancellation.key, ""),
            Ok(false) => Outcome::unchanged(&cancellation.key),
            Err(failure) if concerns_connection(&failure) && outcomes.is_empty() => return Err(failure),
            Err(failure) => Outcome::failed(&cancellation.key, failure),
        });
    }
    Ok(outcomes)
}

/// Whether anything had to be done. The shop would cancel what has left as well, and put it back on its shelf.
fn cancel_one(shop: &Shop<'_>, cancellation: &Cancellation, order: Option<&Value>) -> Result<bool, Failure> {
    let order = order.ok_or_else(|| Failure::missing(format!("The shop has no order {}.", cancellation.order)))?;
    if is_cancelled(text(order, "state")) {
        return Ok(false);
    }
    let parcels = order.get("fulfillments").and_then(Value::as_array).into_iter().flatten();
    if parcels.into_iter().any(|parcel| has_left(text(parcel, "state"))) {
        let why = format!("Something of order {} has been shipped; cancel the rest or refund it in the shop.", cancellation.order);
        return Err(Failure::conflict(why).with_code("fulfilled"));
    }
    let answer = shop.ask(&requests::cancel_order(cancellation))?;
    answer::result(&answer.data, "cancelOrder", "Order").map(|_| true)
}
