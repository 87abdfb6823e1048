//! Stock to the shop by compare-and-set, and back for comparison.
//!
//! The shop does a whole batch or nothing of it. So where single inputs are refused, the others are sent again without
//! them; the batch's key is made of its content, so a repeat of either batch is recognised.

use std::collections::BTreeMap;

use serde_json::Value;

use super::listings::{by_ids, complete_levels, found};
use super::{Shop, concerns_connection, text};
use crate::answer::{self, UserError};
use crate::contract::{Context, Extra, Failure, Fault, ListingRef, Outcome, OutcomeState, Sent, StockChange, StockReading};
use crate::gid;
use crate::json::Doc;
use crate::requests::{self, SET_MAX, Write};
use crate::translate::{self, INVENTORY_ITEM};

/// Batches without the inputs refused before; each round loses at least one input.
const ROUNDS: usize = 5;

pub fn push_stock(shop: &Shop<'_>, ctx: &Context, changes: &[StockChange]) -> Result<Vec<Outcome>, Failure> {
    let known = known_levels(shop, changes)?;
    let mut outcomes = Vec::new();
    let mut writes: Vec<(&StockChange, Write)> = Vec::new();
    for change in changes {
        match plan(change, &known) {
            Ok(Some(write)) => writes.push((change, write)),
            Ok(None) => outcomes.push(Outcome::unchanged(&change.key)),
            Err(failure) => outcomes.push(Outcome::failed(&change.key, failure)),
        }
    }
    for chunk in writes.chunks(SET_MAX) {
        outcomes.extend(set(shop, ctx, chunk)?);
    }
    Ok(outcomes)
}

/// What the shop holds of one variant.
struct Held {
    item: Option<String>,
    /// By location.
    levels: BTreeMap<String, i32>,
}

/// Reads what the changes do not tell: the inventory item, or what to compare with.
fn known_levels(shop: &Shop<'_>, changes: &[StockChange]) -> Result<BTreeMap<String, Held>, Failure> {
    let needs = |change: &&StockChange| change.previous.is_none() || item_of(&change.listing).is_none();
    let mut ids: Vec<&str> = changes.iter().filter(needs).map(|change| change.listing.external_id.as_str()).collect();
    ids.retain(|id| gid::is("ProductVariant", id));
    ids.sort_unstable();
    ids.dedup();
    held(shop, &ids)
}

fn held(shop: &Shop<'_>, variants: &[&str]) -> Result<BTreeMap<String, Held>, Failure> {
    let mut known = BTreeMap::new();
    for mut document in by_ids(shop, variants, requests::stock_by_ids)?.iter().flat_map(found) {
        complete_levels(shop, &mut document)?;
        let id = text(&document, &["id"]).unwrap_or_default().to_owned();
        let levels = (levels_of(&document)?.into_iter()).filter_map(|level| Some((level.location?, level.quantity))).collect();
        let item = text(&document, &["inventoryItem", "id"]).map(str::to_owned);
        known.insert(id, Held { item, levels });
    }
    Ok(known)
}

fn levels_of(document: &Value) -> Result<Vec<crate::contract::Level>, Failure> {
    let Some(item) = document.get("inventoryItem") else { return Ok(Vec::new()) };
    let levels = Doc::new(item).and_then(translate::levels);
    levels.map_err(|refusal| refusal.into_failure(text(document, &["id"]).unwrap_or("a variant")))
}

fn item_of(listing: &ListingRef) -> Option<String> {
    let handle = listing.handles.iter().find(|handle| handle.key == INVENTORY_ITEM)?;
    let id: Value = serde_json::from_str(&handle.json).ok()?;
    id.as_str().filter(|id| gid::is("InventoryItem", id)).map(str::to_owned)
}

/// `None`: the shop was read and has it so already.
fn plan(change: &StockChange, known: &BTreeMap<String, Held>) -> Result<Option<Write>, Failure> {
    let id = &change.listing.external_id;
    if !gid::is("ProductVariant", id) {
        return Err(Failure::invalid(format!("\"{id}\" is not a variant of this shop.")));
    }
    let location = change.location.as_deref().filter(|location| gid::is("Location", location));
    let location = location.ok_or_else(|| {
        Failure::invalid(format!("The change of {id} names no location of the shop; map one in the connection's settings."))
    })?;
    let held = known.get(id);
    let item = item_of(&change.listing).or_else(|| held?.item.clone());
    let item = item.ok_or_else(|| Failure::missing(format!("The shop has no variant {id}.")))?;
    let from = match (change.previous, held) {
        (Some(previous), _) => previous,
        (None, Some(held)) => match held.levels.get(location) {
            Some(quantity) if i64::from(*quantity) == i64::from(change.quantity) => return Ok(None),
            Some(quantity) => *quantity,
            None => {
                return Err(Failure::conflict(format!("{id} is not stocked at {location}; activate it there in the shop."))
                    .with_code("not-stocked"));
            }
        },
        (None, None) => return Err(Failure::missing(format!("The shop has no variant {id}."))),
    };
    Ok(Some(Write { item, location: location.to_owned(), quantity: change.quantity, from }))
}

fn set(shop: &Shop<'_>, ctx: &Context, writes: &[(&StockChange, Write)]) -> Result<Vec<Outcome>, Failure> {
    let mut outcomes = Vec::new();
    let mut open: Vec<&(&StockChange, Write)> = writes.iter().collect();
    let mut stale = Vec::new();
    for _ in 0..ROUNDS {
        if open.is_empty() {
            break;
        }
        let batch: Vec<&Write> = open.iter().map(|(_, write)| write).collect();
        let errors = match send(shop, &batch, &ctx.idempotency_key) {
            Ok(errors) => errors,
            Err(failure) if concerns_connection(&failure) && outcomes.is_empty() => return Err(failure),
            Err(failure) => {
                outcomes.extend(open.iter().map(|(change, _)| Outcome::failed(&change.key, failure.clone())));
                open.clear();
                break;
            }
        };
        if errors.is_empty() {
            outcomes.extend(open.iter().map(|(change, _)| Outcome::done(&change.key, "")));
            open.clear();
            break;
        }
        let (named, whole): (Vec<UserError>, Vec<UserError>) =
            errors.into_iter().partition(|error| error.index().is_some_and(|at| at < open.len()));
        if let (true, Some(error)) = (named.is_empty(), whole.first()) {
            outcomes.extend(open.iter().map(|(change, _)| Outcome::failed(&change.key, batch_failure(error))));
            open.clear();
            break;
        }
        let mut kept = Vec::new();
        for (at, pair) in open.iter().enumerate() {
            match named.iter().find(|error| error.index() == Some(at)) {
                None => kept.push(*pair),
                Some(error) if is_stale(error) => stale.push(*pair),
                Some(error) => outcomes.push(Outcome::failed(&pair.0.key, input_failure(error))),
            }
        }
        open = kept;
    }
    let unsent = || Failure::new(Fault::Remote, "The shop kept refusing parts of the batch.");
    outcomes.extend(open.iter().map(|(change, _)| Outcome::failed(&change.key, unsent())));
    outcomes.extend(conflicts(shop, &stale));
    Ok(outcomes)
}

fn send(shop: &Shop<'_>, batch: &[&Write], host_key: &str) -> Result<Vec<UserError>, Failure> {
    let answer = shop.ask(&requests::set_quantities(batch, host_key))?;
    answer::payload(&answer.data, "inventorySetQuantities", "userErrors").map(|(_, errors)| errors)
}

/// Changes whose comparison failed, with what the shop holds instead.
fn conflicts(shop: &Shop<'_>, stale: &[&(&StockChange, Write)]) -> Vec<Outcome> {
    if stale.is_empty() {
        return Vec::new();
    }
    let ids: Vec<&str> = stale.iter().map(|(change, _)| change.listing.external_id.as_str()).collect();
    let held = held(shop, &ids).unwrap_or_default();
    (stale.iter())
        .map(|(change, write)| {
            let current = held.get(&change.listing.external_id).and_then(|held| held.levels.get(&write.location)).copied();
            // An earlier try whose answer was lost may have written it.
            if current.is_some_and(|current| i64::from(current) == i64::from(change.quantity)) {
                return Outcome::unchanged(&change.key);
            }
            let holds = current.map_or_else(|| "something else".to_owned(), |current| current.to_string());
            let failure =
                Failure::conflict(format!("The shop holds {holds} of {} where {} was expected.", change.listing.external_id, write.from));
            let failure = failure.with_code("CHANGE_FROM_QUANTITY_STALE");
            let extras: Vec<Extra> =
                current.map(|current| Extra { key: "current".to_owned(), json: current.to_string() }).into_iter().collect();
            Outcome { key: change.key.clone(), state: OutcomeState::Rejected(Failure { extras: extras.clone(), ..failure }), extras }
        })
        .collect()
}

fn is_stale(error: &UserError) -> bool {
    matches!(error.code.as_deref(), Some("CHANGE_FROM_QUANTITY_STALE" | "COMPARE_QUANTITY_STALE"))
}

fn input_failure(error: &UserError) -> Failure {
    let failure = match error.code.as_deref() {
        Some("INVALID_INVENTORY_ITEM" | "INVALID_LOCATION") => Failure::missing(error.message.clone()),
        Some("NON_MUTABLE_INVENTORY_ITEM") => Failure::conflict(error.message.clone()),
        _ => Failure::invalid(error.message.clone()),
    };
    match &error.code {
        Some(code) => failure.with_code(code.clone()),
        None => failure,
    }
}

/// An error that names no input. Under our key something else may be going on or have gone wrong: then nobody knows what the
/// shop holds, and the host reads it back.
fn batch_failure(error: &UserError) -> Failure {
    match error.code.as_deref() {
        Some(code @ "IDEMPOTENCY_CONCURRENT_REQUEST") => {
            Failure::throttled(error.message.clone(), Some(2000)).with_code(code).with_sent(Sent::Maybe)
        }
        Some(code @ ("IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED" | "IDEMPOTENCY_KEY_PARAMETER_MISMATCH")) => {
            Failure::remote(error.message.clone()).with_code(code).with_sent(Sent::Maybe)
        }
        _ => input_failure(error),
    }
}

/// What the shop holds, location by location.
pub fn read_stock(shop: &Shop<'_>, listings: &[ListingRef]) -> Result<Vec<StockReading>, Failure> {
    let ids: Vec<&str> = listings.iter().map(|listing| listing.external_id.as_str()).filter(|id| gid::is("ProductVariant", id)).collect();
    let mut readings = Vec::new();
    for mut document in by_ids(shop, &ids, requests::stock_by_ids)?.iter().flat_map(found) {
        complete_levels(shop, &mut document)?;
        let listing = text(&document, &["id"]).unwrap_or_default().to_owned();
        readings.push(StockReading { listing, levels: levels_of(&document)? });
    }
    Ok(readings)
}
