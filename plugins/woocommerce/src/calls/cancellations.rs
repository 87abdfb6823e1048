//! Cancelling orders in the shop.

use serde_json::Value;

use super::Shop;
use super::orders::{id_of, is_id, rows};
use super::stock::common_failure;
use crate::answer::item_failure;
use crate::contract::{Cancellation, Failure, Outcome};
use crate::requests::{self, BATCH_MAX};

/// Only what has not left can be cancelled. The shop puts the goods back by itself and tells the buyer by its own settings;
/// neither can be chosen in the request.
pub fn cancel(shop: &Shop<'_>, cancellations: &[Cancellation]) -> Result<Vec<Outcome>, Failure> {
    let mut outcomes = Vec::new();
    for chunk in cancellations.chunks(BATCH_MAX) {
        cancel_batch(shop, chunk, &mut outcomes)?;
    }
    Ok(outcomes)
}

fn cancel_batch(shop: &Shop<'_>, cancellations: &[Cancellation], outcomes: &mut Vec<Outcome>) -> Result<(), Failure> {
    let ids: Vec<&str> = cancellations.iter().map(|c| c.order.as_str()).filter(|id| is_id(id)).collect();
    if ids.is_empty() {
        outcomes.extend(cancellations.iter().map(|c| Outcome::failed(&c.key, unknown(&c.order))));
        return Ok(());
    }
    let answer = shop.ask(&requests::orders_by_ids(&ids))?;
    let documents = rows(&answer)?;
    let mut wanted = Vec::new();
    for cancellation in cancellations {
        let Some(document) = documents.iter().find(|document| id_of(document) == cancellation.order) else {
            outcomes.push(Outcome::failed(&cancellation.key, unknown(&cancellation.order)));
            continue;
        };
        match document.get("status").and_then(Value::as_str).unwrap_or_default() {
            "cancelled" => outcomes.push(Outcome::unchanged(&cancellation.key)),
            state @ ("completed" | "refunded") => outcomes.push(Outcome::failed(
                &cancellation.key,
                Failure::conflict(format!(
                    "Order {} is {state} in the shop and can no longer be cancelled; refund it instead.",
                    cancellation.order
                ))
                .with_code(state),
            )),
            _ => wanted.push(cancellation),
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let call = requests::batch_orders(wanted.iter().map(|c| requests::cancel_order(&c.order)).collect());
    let results = update_orders(shop, &call, wanted.iter().map(|c| c.order.as_str()));
    if let Some(failure) = common_failure(&results) {
        return Err(failure);
    }
    outcomes.extend(wanted.iter().zip(results).map(|(cancellation, result)| match result {
        Ok(_) => Outcome::done(&cancellation.key, ""),
        Err(failure) => Outcome::failed(&cancellation.key, failure),
    }));
    Ok(())
}

fn unknown(order: &str) -> Failure {
    Failure::missing(format!("The shop has no order {order}, or it is in the trash."))
}

/// One batch of changed orders; what became of each, in the order given.
pub(super) fn update_orders<'a>(shop: &Shop<'_>, call: &requests::Call, ids: impl Iterator<Item = &'a str>) -> Vec<Result<Value, Failure>> {
    let answer = shop.ask(call).map(|answer| answer.document);
    ids.map(|id| {
        let document = answer.as_ref().map_err(Clone::clone)?;
        let rows = document.get("update").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let row = rows.iter().find(|row| id_of(row) == id).ok_or_else(|| {
            Failure::remote(format!("The shop's answer says nothing about order {id}.")).with_sent(crate::contract::Sent::Maybe)
        })?;
        match row.get("error") {
            None => Ok(row.clone()),
            Some(error) => {
                let text = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or("unknown");
                Err(item_failure(text("code"), text("message"), 400))
            }
        }
    })
    .collect()
}
