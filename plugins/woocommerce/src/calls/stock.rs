//! Stock to the shop, and back for comparison. The shop knows neither compare-and-set nor repeated requests: a write sets
//! the count whatever it was, so writing it again is harmless and reading it tells what happened.

use std::collections::BTreeMap;

use serde_json::Value;

use super::batch::{self, Change};
use super::orders::{id_of, is_id, rows};
use super::{Shop, concerns_connection};
use crate::contract::{Failure, Fault, ListingRef, Outcome, StockChange, StockReading, StockTracking};
use crate::json::Doc;
use crate::requests::{self, Call, PAGE_MAX};
use crate::translate::{self, ListingId};

pub fn push_stock(shop: &Shop<'_>, changes: &[StockChange]) -> Result<Vec<Outcome>, Failure> {
    let mut outcomes = Vec::new();
    let (mut sent, mut updates) = (Vec::new(), Vec::new());
    for change in changes {
        match listing_of(change) {
            Ok(listing) => {
                updates.push(Change { fields: requests::stock_fields(&listing, change.quantity), listing });
                sent.push(change);
            }
            Err(failure) => outcomes.push(Outcome::failed(&change.key, failure)),
        }
    }
    let results = batch::update(shop, &updates);
    if let Some(failure) = common_failure(&results) {
        return Err(failure);
    }
    outcomes.extend(sent.iter().zip(results).map(|(change, result)| match result.and_then(|row| written(&row, change)) {
        Ok(()) => Outcome::done(&change.key, ""),
        Err(failure) => Outcome::failed(&change.key, failure),
    }));
    Ok(outcomes)
}

/// The connection's own failure, when nothing at all went through.
pub(super) fn common_failure<T>(results: &[Result<T, Failure>]) -> Option<Failure> {
    let first = results.first()?.as_ref().err()?;
    let all_failed = results.iter().all(|result| result.is_err());
    (all_failed && concerns_connection(first)).then(|| first.clone())
}

fn listing_of(change: &StockChange) -> Result<ListingId, Failure> {
    if let Some(location) = &change.location {
        return Err(Failure::unsupported(format!(
            "WooCommerce has no locations; the change names \"{location}\". Remove the location from the connection's mapping."
        )));
    }
    translate::referenced(&change.listing).map_err(Failure::invalid)
}

/// Whether the shop really holds the quantity now: it drops it without a word where it does not count the listing.
fn written(row: &Value, change: &StockChange) -> Result<(), Failure> {
    let unreadable = |refusal: crate::json::Refusal| refusal.into_failure(&format!("listing {}", change.listing.external_id));
    let doc = Doc::new(row).map_err(unreadable)?;
    match translate::manages_stock(doc).map_err(unreadable)? {
        StockTracking::Tracked => {}
        StockTracking::Parent => {
            return Err(Failure::conflict(format!(
                "The shop counts the stock of {} at its product; push to that listing.",
                change.listing.external_id
            ))
            .with_code("counted-at-parent"));
        }
        StockTracking::Untracked => {
            return Err(Failure::conflict(format!(
                "The shop does not count the stock of {}; switch \"Manage stock\" on there.",
                change.listing.external_id
            ))
            .with_code("untracked"));
        }
    }
    match doc.decimal("stock_quantity").map_err(unreadable)? {
        Some(quantity) if quantity == change.quantity.into() => Ok(()),
        found => {
            let found = found.map_or_else(|| "nothing".to_owned(), |quantity| quantity.to_string());
            Err(Failure::conflict(format!(
                "The shop answered with {found} for {} where {} was written.",
                change.listing.external_id, change.quantity
            ))
            .with_code("not-written"))
        }
    }
}

/// The shop's own quantities.
pub fn read_stock(shop: &Shop<'_>, listings: &[ListingRef]) -> Result<Vec<StockReading>, Failure> {
    let documents = read_documents(shop, listings)?;
    (documents.iter())
        .map(|(id, document)| {
            let levels = translate::levels(document).map_err(|refusal| refusal.into_failure(&format!("listing {id}")))?;
            Ok(StockReading { listing: id.to_string(), levels })
        })
        .collect()
}

/// The documents of these listings, absent ones left out.
pub(super) fn read_documents(shop: &Shop<'_>, listings: &[ListingRef]) -> Result<Vec<(ListingId, Value)>, Failure> {
    let ids: Vec<ListingId> = listings.iter().filter_map(|listing| ListingId::parse(&listing.external_id)).collect();
    let mut groups: BTreeMap<Option<&str>, Vec<&str>> = BTreeMap::new();
    for id in ids.iter() {
        match &id.variation {
            None => groups.entry(None).or_default().push(&id.product),
            Some(variation) => groups.entry(Some(&id.product)).or_default().push(variation),
        }
    }
    let calls: Vec<(Option<&str>, Call)> = (groups.iter())
        .flat_map(|(product, members)| {
            members.chunks(PAGE_MAX as usize).map(move |chunk| match product {
                None => (None, requests::products_by_ids(chunk)),
                Some(product) => (Some(*product), requests::variations_by_ids(product, chunk)),
            })
        })
        .collect();
    let answers = shop.ask_all(&calls.iter().map(|(_, call)| call.clone()).collect::<Vec<_>>());
    let mut documents = Vec::new();
    for ((product, _), answer) in calls.iter().zip(answers) {
        let answer = match answer {
            Ok(answer) => answer,
            // The product of these variations is gone, and they with it.
            Err(failure) if failure.fault == Fault::Missing => continue,
            Err(failure) => return Err(failure),
        };
        for document in rows(&answer)? {
            let own = id_of(document);
            if !is_id(&own) {
                continue;
            }
            let id = match product {
                None => ListingId { product: own, variation: None },
                Some(product) => ListingId { product: (*product).to_owned(), variation: Some(own) },
            };
            documents.push((id, document.clone()));
        }
    }
    Ok(documents)
}
