//! Changes of products and variations in batches. The shop answers row by row, in the order of the rows.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Shop;
use super::orders::id_of;
use crate::answer::item_failure;
use crate::contract::{Failure, Sent};
use crate::requests::{self, BATCH_MAX, Call};
use crate::translate::ListingId;

/// One change: the listing and the fields to write, its own `id` among them.
pub struct Change {
    pub listing: ListingId,
    pub fields: Value,
}

/// What became of each change, in the order of the changes: the listing as it is now, or why not.
pub fn update(shop: &Shop<'_>, changes: &[Change]) -> Vec<Result<Value, Failure>> {
    let batches = batches(changes);
    let calls: Vec<Call> = batches.iter().map(|batch| batch.call(changes)).collect();
    let mut results: Vec<Option<Result<Value, Failure>>> = changes.iter().map(|_| None).collect();
    for (batch, answer) in batches.iter().zip(shop.ask_all(&calls)) {
        let rows = answer.map(|answer| answer.document.get("update").and_then(Value::as_array).cloned().unwrap_or_default());
        for (place, at) in batch.members.iter().enumerate() {
            let result = match &rows {
                Err(failure) => Err(failure.clone()),
                Ok(rows) => row(rows, place, changes.get(*at)),
            };
            if let Some(slot) = results.get_mut(*at) {
                *slot = Some(result);
            }
        }
    }
    results.into_iter().map(|result| result.unwrap_or_else(|| Err(Failure::remote("The change was not sent.")))).collect()
}

/// Changes that go in one call, by their place in the whole list.
struct Batch<'a> {
    /// `None`: products.
    product: Option<&'a str>,
    members: Vec<usize>,
}

impl Batch<'_> {
    fn call(&self, changes: &[Change]) -> Call {
        let updates = self.members.iter().filter_map(|at| changes.get(*at)).map(|change| change.fields.clone()).collect();
        match self.product {
            None => requests::batch_products(updates),
            Some(product) => requests::batch_variations(product, updates),
        }
    }
}

fn batches(changes: &[Change]) -> Vec<Batch<'_>> {
    let mut groups: BTreeMap<Option<&str>, Vec<usize>> = BTreeMap::new();
    for (at, change) in changes.iter().enumerate() {
        let group = change.listing.variation.as_ref().map(|_| change.listing.product.as_str());
        groups.entry(group).or_default().push(at);
    }
    (groups.into_iter())
        .flat_map(|(product, members)| {
            let chunks: Vec<Vec<usize>> = members.chunks(BATCH_MAX).map(<[usize]>::to_vec).collect();
            chunks.into_iter().map(move |members| Batch { product, members })
        })
        .collect()
}

/// The answer's row of one change: at its place, if that is the same thing, else wherever it is.
fn row(rows: &[Value], place: usize, change: Option<&Change>) -> Result<Value, Failure> {
    let wanted = change.map(|change| change.listing.variation.as_deref().unwrap_or(&change.listing.product)).unwrap_or_default();
    let row = rows.get(place).filter(|row| id_of(row) == wanted).or_else(|| rows.iter().find(|row| id_of(row) == wanted));
    let Some(row) = row else {
        let message = format!("The shop's answer says nothing about {wanted}.");
        return Err(Failure::remote(message).with_sent(Sent::Maybe));
    };
    match row.get("error") {
        None => Ok(row.clone()),
        Some(error) => {
            let text = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or("unknown");
            let status = error.get("data").and_then(|data| data.get("status")).and_then(Value::as_u64);
            let status = status.and_then(|status| u16::try_from(status).ok()).filter(|status| *status >= 400).unwrap_or(400);
            Err(item_failure(text("code"), text("message"), status))
        }
    }
}
