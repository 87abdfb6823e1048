//! Stock to the shop, and back for comparison.
//!
//! The shop counts what is on the shelf and, apart from it, what of that is promised to orders. We want to say how much can
//! still be sold, so what is promised is added. A sale between reading and writing is then kept by itself: it raises what
//! is promised, and less can be sold. Goods that leave in between lower both counts, and our sum would offer them again; the
//! answer shows it, and the write is made anew.

use std::collections::BTreeMap;

use serde_json::Value;

use super::connection::locations;
use super::{Shop, concerns_connection, text};
use crate::contract::{Extra, Failure, Fault, ListingRef, Outcome, OutcomeState, Sent, StockChange, StockReading};
use crate::requests::{self, Level, MANY};
use crate::translate::{self, Facts, Stock};

/// Writes of one batch, while goods leave at the same time.
const ROUNDS: usize = 4;

pub fn push_stock(shop: &Shop<'_>, changes: &[StockChange]) -> Result<Vec<Outcome>, Failure> {
    let mut ids: Vec<&str> = changes.iter().map(|change| change.listing.external_id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let (mut held, facts) = held(shop, &ids)?;
    let places: Vec<String> = locations(shop)?.into_iter().map(|location| location.external_id).collect();
    let mut outcomes = Vec::new();
    let mut open = Vec::new();
    for change in changes {
        match plan(change, &held, &places) {
            Ok(Some(write)) => open.push(write),
            Ok(None) => outcomes.push(Outcome::unchanged(&change.key)),
            Err(outcome) => outcomes.push(*outcome),
        }
    }
    for _ in 0..ROUNDS {
        let mut again = Vec::new();
        // Levels of one variant must be in one input.
        open.sort_by(|a, b| a.variant.cmp(b.variant));
        for batch in batches(&open) {
            match write(shop, batch, &mut held, &facts) {
                Ok(()) => {}
                Err(failure) if concerns_connection(&failure) && outcomes.is_empty() => return Err(failure),
                Err(failure) => {
                    outcomes.extend(one_by_one(shop, batch, &mut held, &facts, &failure));
                    continue;
                }
            }
            for write in batch {
                match write.too_many(&held) {
                    false => outcomes.push(Outcome::done(write.key, "")),
                    true => again.push(write.clone()),
                }
            }
        }
        open = again;
    }
    // Whoever ships so fast sells as well: the host looks again.
    let busy = || Failure::conflict("Goods left the shop each time the quantity was written.").with_code("busy").with_sent(Sent::Maybe);
    outcomes.extend(open.iter().map(|write| Outcome::failed(write.key, busy())));
    Ok(outcomes)
}

type Held = BTreeMap<String, Stock>;

fn held(shop: &Shop<'_>, variants: &[&str]) -> Result<(Held, Facts), Failure> {
    let (documents, facts) = shop.rows_and_facts("productVariants", variants, requests::stock_by_ids)?;
    let mut held = Held::new();
    for document in &documents {
        note(&mut held, document, &facts)?;
    }
    Ok((held, facts))
}

fn note(held: &mut Held, document: &Value, facts: &Facts) -> Result<(), Failure> {
    let id = text(document, "id");
    let stock = translate::stock(document, facts).map_err(|refusal| refusal.into_failure(&format!("variant {id}")))?;
    held.insert(id.to_owned(), stock);
    Ok(())
}

/// One quantity on its way.
#[derive(Clone)]
struct Write<'a> {
    key: &'a str,
    variant: &'a str,
    location: String,
    quantity: i64,
}

impl Write<'_> {
    fn level(&self, held: &Held) -> Level {
        let allocated = held.get(self.variant).map_or(0, |stock| stock.allocated(&self.location));
        Level { variant: self.variant.to_owned(), location: self.location.clone(), on_hand: allocated + self.quantity }
    }

    fn too_many(&self, held: &Held) -> bool {
        held.get(self.variant).is_some_and(|stock| stock.available(&self.location) > self.quantity)
    }
}

/// `None`: the shop has it so already.
fn plan<'a>(change: &'a StockChange, held: &Held, places: &[String]) -> Result<Option<Write<'a>>, Box<Outcome>> {
    let refuse = |failure: Failure| Box::new(Outcome::failed(&change.key, failure));
    let id = change.listing.external_id.as_str();
    let stock = held.get(id).ok_or_else(|| refuse(Failure::missing(format!("The shop has no variant {id}."))))?;
    if !stock.counted {
        let why = format!("The shop does not count the stock of variant {id}; switch \"Track inventory\" on there.");
        return Err(refuse(Failure::conflict(why).with_code("untracked")));
    }
    let location = match (change.location.as_ref(), places) {
        (Some(location), _) if places.contains(location) => location.clone(),
        (Some(location), _) => {
            return Err(refuse(Failure::invalid(format!(
                "The shop has no stock location {location}; it has {}. Map one of them.",
                places.join(", ")
            ))));
        }
        (None, [only]) => only.clone(),
        (None, _) => {
            return Err(refuse(Failure::invalid(format!(
                "The change of variant {id} names no stock location, and the shop has {}; map them.",
                places.join(", ")
            ))));
        }
    };
    let (here, quantity) = (stock.available(&location), i64::from(change.quantity));
    if here == quantity && stock.has(&location) {
        return Ok(None);
    }
    match change.previous {
        Some(previous) if i64::from(previous) != here => Err(Box::new(stale(change, previous, here))),
        _ => Ok(Some(Write { key: &change.key, variant: id, location, quantity })),
    }
}

/// The shop sold, or somebody counted: what we wanted was worked out without knowing it.
fn stale(change: &StockChange, previous: i32, here: i64) -> Outcome {
    let failure = Failure::conflict(format!(
        "The shop can still sell {here} of variant {} where {previous} was expected.",
        change.listing.external_id
    ));
    let extras = vec![Extra { key: "current".to_owned(), json: here.to_string() }];
    Outcome {
        key: change.key.clone(),
        state: OutcomeState::Rejected(Failure { extras: extras.clone(), ..failure.with_code("stale") }),
        extras,
    }
}

/// At most [`MANY`] levels, never parting those of one variant.
fn batches<'a, 'b>(writes: &'b [Write<'a>]) -> Vec<&'b [Write<'a>]> {
    let (mut batches, mut rest) = (Vec::new(), writes);
    while !rest.is_empty() {
        let mut end = 0;
        for of_one in rest.chunk_by(|a, b| a.variant == b.variant) {
            if end > 0 && end + of_one.len() > MANY {
                break;
            }
            end += of_one.len();
        }
        let (batch, later) = rest.split_at(end.min(rest.len()));
        batches.push(batch);
        rest = later;
    }
    batches
}

/// The shop does all of them or none; what it has afterwards is noted.
fn write(shop: &Shop<'_>, batch: &[Write<'_>], held: &mut Held, facts: &Facts) -> Result<(), Failure> {
    let levels: Vec<Level> = batch.iter().map(|write| write.level(held)).collect();
    let answer = shop.ask(&requests::set_stock(&levels))?;
    let written = answer.data.get("updateProductVariants").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for document in written.iter().filter(|document| document.is_object()) {
        note(held, document, facts).map_err(|failure| failure.with_sent(Sent::Maybe))?;
    }
    Ok(())
}

/// Where the shop refuses a batch for one of its variants (somebody deletes them meanwhile), each is written alone. Where
/// nobody knows what it did, nothing is repeated.
fn one_by_one(shop: &Shop<'_>, batch: &[Write<'_>], held: &mut Held, facts: &Facts, failure: &Failure) -> Vec<Outcome> {
    let certain = matches!(failure.fault, Fault::Missing | Fault::Invalid | Fault::Conflict) && failure.sent == Sent::No;
    if !certain || batch.len() == 1 {
        return batch.iter().map(|write| Outcome::failed(write.key, failure.clone())).collect();
    }
    let alone = |of_one: &[Write<'_>]| -> Vec<Outcome> {
        let result = write(shop, of_one, held, facts);
        let outcome = |write: &Write<'_>| match &result {
            Ok(()) => Outcome::done(write.key, ""),
            Err(failure) => Outcome::failed(write.key, failure.clone()),
        };
        of_one.iter().map(outcome).collect()
    };
    batch.chunk_by(|a, b| a.variant == b.variant).flat_map(alone).collect()
}

/// What can still be sold, location by location.
pub fn read_stock(shop: &Shop<'_>, listings: &[ListingRef]) -> Result<Vec<StockReading>, Failure> {
    let ids: Vec<&str> = listings.iter().map(|listing| listing.external_id.as_str()).collect();
    let (held, _) = held(shop, &ids)?;
    let reading = |(listing, stock): (String, Stock)| {
        let levels = stock.levels().map_err(|refusal| refusal.into_failure(&format!("variant {listing}")))?;
        Ok(StockReading { listing, levels })
    };
    held.into_iter().map(reading).collect()
}
