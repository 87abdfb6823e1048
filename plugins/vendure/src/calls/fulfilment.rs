//! Shipped goods to the shop, and back for comparison.
//!
//! The shop makes a fulfilment and ships it afterwards: two writes. It keeps no reference of ours, so a repeat is recognised by
//! what was told: the same tracking numbers, or the same lines where there is no number. One that was made and not shipped
//! is taken up again.

use serde_json::Value;

use super::{Shop, concerns_connection, row, text};
use crate::answer;
use crate::contract::{Dispatch, Failure, Outcome, Sent, Shipment};
use crate::json::Doc;
use crate::requests;
use crate::translate::{self, has_left, is_cancelled};

pub fn dispatch(shop: &Shop<'_>, dispatches: &[Dispatch]) -> Result<Vec<Outcome>, Failure> {
    let mut outcomes = Vec::new();
    for dispatch in dispatches {
        outcomes.push(match ship(shop, dispatch) {
            Ok(Shipped::Now(id)) => Outcome::done(&dispatch.key, id),
            Ok(Shipped::Before) => Outcome::unchanged(&dispatch.key),
            Err(failure) if concerns_connection(&failure) && outcomes.is_empty() => return Err(failure),
            Err(failure) => Outcome::failed(&dispatch.key, failure),
        });
    }
    Ok(outcomes)
}

enum Shipped {
    Now(String),
    Before,
}

fn ship(shop: &Shop<'_>, dispatch: &Dispatch) -> Result<Shipped, Failure> {
    let order = order(shop, &dispatch.order)?;
    let known = fulfilments(&order).find(|known| {
        let same = Doc::new(known).and_then(|doc| is_same(doc, dispatch));
        text(known, "state") != "Cancelled" && same.unwrap_or(false)
    });
    let fulfilment = match known {
        Some(known) if has_left(text(known, "state")) => return Ok(Shipped::Before),
        Some(half_done) => text(half_done, "id").to_owned(),
        None if is_cancelled(text(&order, "state")) => {
            let why = format!("Order {} is cancelled in the shop; it cannot be shipped.", dispatch.order);
            return Err(Failure::conflict(why).with_code("cancelled"));
        }
        None => {
            let answer = shop.ask(&requests::fulfil(dispatch, &shop.settings.fulfilment_handler))?;
            let made = answer::result(&answer.data, "addFulfillmentToOrder", "Fulfillment")?;
            // A handler of the shop's own may ship at once.
            if has_left(text(made, "state")) {
                return Ok(Shipped::Now(text(made, "id").to_owned()));
            }
            text(made, "id").to_owned()
        }
    };
    let shipped = shop.ask(&requests::ship(&fulfilment)).and_then(|answer| {
        answer::result(&answer.data, "transitionFulfillmentToState", "Fulfillment")?;
        Ok(())
    });
    // It is made; whoever tries again finds it.
    shipped.map(|()| Shipped::Now(fulfilment)).map_err(|failure| Failure { sent: Sent::Maybe, ..failure })
}

fn is_same(doc: Doc<'_>, dispatch: &Dispatch) -> Result<bool, crate::json::Refusal> {
    let shipment = translate::shipment(doc)?;
    let told: Vec<&str> = shipment.tracking.iter().map(|tracking| tracking.number.as_str()).collect();
    if !dispatch.tracking.is_empty() {
        return Ok(dispatch.tracking.iter().all(|tracking| told.contains(&tracking.number.as_str())));
    }
    let has = |line: &crate::contract::ShipmentLine| {
        shipment.lines.iter().any(|other| other.line == line.line && other.quantity == line.quantity)
    };
    Ok(told.is_empty() && shipment.lines.len() == dispatch.lines.len() && dispatch.lines.iter().all(has))
}

fn order(shop: &Shop<'_>, id: &str) -> Result<Value, Failure> {
    let orders = shop.rows("orders", &[id], requests::order_parcels)?;
    row(&orders, id).cloned().ok_or_else(|| Failure::missing(format!("The shop has no order {id}.")))
}

fn fulfilments(order: &Value) -> impl Iterator<Item = &Value> {
    order.get("fulfillments").and_then(Value::as_array).into_iter().flatten()
}

/// What has left of this order.
pub fn shipped(shop: &Shop<'_>, id: &str) -> Result<Vec<Shipment>, Failure> {
    let order = order(shop, id)?;
    let left = fulfilments(&order).filter(|fulfilment| has_left(text(fulfilment, "state")));
    let read = |document: &Value| Doc::new(document).and_then(translate::shipment);
    left.map(|document| read(document).map_err(|refusal| refusal.into_failure(&format!("order {id}")))).collect()
}
