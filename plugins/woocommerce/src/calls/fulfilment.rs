//! Shipped goods to the shop, and back for comparison.
//!
//! First one batch that marks the orders with our references (and completes them), then what people see: an entry of the
//! tracking extension or a note. Both ask first whether an earlier try has been here, so a repeat mails nobody twice.

use serde_json::Value;

use super::Shop;
use super::cancellations::update_orders;
use super::orders::{id_of, is_id, rows};
use super::stock::common_failure;
use crate::contract::{Dispatch, Failure, Fault, Outcome, Shipment};
use crate::requests::{self, Call};
use crate::translate::{self, OUR_SHIPMENT};

/// Dispatches told to people in one run: each may need a look and two entries.
const VISIBLE_PER_CALL: usize = 30;

/// What the order says about a dispatch.
struct Known {
    /// An earlier try has marked the order.
    marked: bool,
    completed: bool,
}

pub fn dispatch(shop: &Shop<'_>, dispatches: &[Dispatch]) -> Result<Vec<Outcome>, Failure> {
    let (now, later) = dispatches.split_at(dispatches.len().min(VISIBLE_PER_CALL));
    let mut outcomes: Vec<Outcome> = (later.iter())
        .map(|dispatch| {
            Outcome::failed(
                &dispatch.key,
                Failure::throttled("More shipments than fit into one run; the rest follows in the next one.", None),
            )
        })
        .collect();
    let ids: Vec<&str> = now.iter().map(|dispatch| dispatch.order.as_str()).filter(|id| is_id(id)).collect();
    let answer = if ids.is_empty() { None } else { Some(shop.ask(&requests::orders_by_ids(&ids))?) };
    let documents = answer.as_ref().map_or(Ok(&[] as &[Value]), rows)?;

    let mut open = Vec::new();
    for dispatch in now {
        let document = documents.iter().find(|document| id_of(document) == dispatch.order);
        match known(dispatch, document) {
            Ok(known) => open.push((dispatch, known)),
            Err(failure) => outcomes.push(Outcome::failed(&dispatch.key, failure)),
        }
    }
    let open = mark(shop, open, &mut outcomes)?;
    show(shop, open, &mut outcomes);
    Ok(outcomes)
}

fn known(dispatch: &Dispatch, document: Option<&Value>) -> Result<Known, Failure> {
    let document = document.ok_or_else(|| Failure::missing(format!("The shop has no order {}, or it is in the trash.", dispatch.order)))?;
    let key = format!("{OUR_SHIPMENT}{}", dispatch.reference);
    let marks = document.get("meta_data").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let marked = marks.iter().any(|mark| mark.get("key").and_then(Value::as_str) == Some(key.as_str()));
    let state = document.get("status").and_then(Value::as_str).unwrap_or_default();
    if !marked && matches!(state, "cancelled" | "refunded" | "failed") {
        return Err(Failure::conflict(format!("Order {} is {state} in the shop; it cannot be shipped.", dispatch.order)).with_code(state));
    }
    Ok(Known { marked, completed: state == "completed" })
}

/// Marks the orders that are not marked yet. Two parcels of one order go in one change: a batch takes each order once.
fn mark<'a>(shop: &Shop<'_>, open: Vec<(&'a Dispatch, Known)>, outcomes: &mut Vec<Outcome>) -> Result<Vec<(&'a Dispatch, Known)>, Failure> {
    let mut updates: Vec<(&str, Value)> = Vec::new();
    for (dispatch, known) in &open {
        if known.marked && (known.completed || !dispatch.completes_order) {
            continue;
        }
        let update = requests::mark_shipped(dispatch);
        match updates.iter_mut().find(|(order, _)| *order == dispatch.order) {
            Some((_, earlier)) => merge(earlier, update),
            None => updates.push((&dispatch.order, update)),
        }
    }
    if updates.is_empty() {
        return Ok(open);
    }
    let call = requests::batch_orders(updates.iter().map(|(_, update)| update.clone()).collect());
    let results = update_orders(shop, &call, updates.iter().map(|(order, _)| *order));
    if let Some(failure) = common_failure(&results) {
        return Err(failure);
    }
    let mut marked = Vec::new();
    for (dispatch, known) in open {
        let result = updates.iter().zip(&results).find(|((order, _), _)| *order == dispatch.order).map(|(_, result)| result);
        match result {
            Some(Err(failure)) => outcomes.push(Outcome::failed(&dispatch.key, failure.clone())),
            _ => marked.push((dispatch, known)),
        }
    }
    Ok(marked)
}

fn merge(earlier: &mut Value, update: Value) {
    let (Value::Object(earlier), Value::Object(update)) = (earlier, update) else {
        return;
    };
    for (name, value) in update {
        match (earlier.get_mut(&name), value) {
            (Some(Value::Array(marks)), Value::Array(more)) => marks.extend(more),
            (_, value) => {
                earlier.insert(name, value);
            }
        }
    }
}

/// Tells people, unless an earlier try has.
fn show(shop: &Shop<'_>, open: Vec<(&Dispatch, Known)>, outcomes: &mut Vec<Outcome>) {
    let looked: Vec<&Dispatch> = open.iter().filter(|(_, known)| known.marked).map(|(dispatch, _)| *dispatch).collect();
    let seen = shop.ask_all(&looked.iter().map(|dispatch| what_people_see(shop, &dispatch.order)).collect::<Vec<_>>());
    let mut calls: Vec<(&str, Call)> = Vec::new();
    let mut told = Vec::new();
    for (dispatch, known) in &open {
        let before = looked.iter().zip(&seen).find(|(other, _)| other.key == dispatch.key).map(|(_, answer)| answer);
        let before = match before {
            Some(Err(failure)) => {
                outcomes.push(Outcome::failed(&dispatch.key, failure.clone()));
                continue;
            }
            Some(Ok(answer)) => answer.document.to_string(),
            None => String::new(),
        };
        if shop.settings.tracking_extension {
            let new = dispatch.tracking.iter().filter(|tracking| !tells_number(&before, &tracking.number));
            calls.extend(new.map(|tracking| (dispatch.key.as_str(), requests::create_tracking(dispatch, tracking))));
        } else if !before.contains(&dispatch.reference) {
            calls.push((&dispatch.key, requests::create_note(dispatch)));
        }
        told.push((*dispatch, known.marked));
    }
    let answers = shop.ask_all(&calls.iter().map(|(_, call)| call.clone()).collect::<Vec<_>>());
    for (dispatch, was_marked) in told {
        let mine: Vec<_> = calls.iter().zip(&answers).filter(|((key, _), _)| *key == dispatch.key).map(|(_, answer)| answer).collect();
        let failed = mine.iter().find_map(|answer| answer.as_ref().err());
        outcomes.push(match failed {
            Some(failure) if failure.fault == Fault::Missing && shop.settings.tracking_extension => Outcome::failed(
                &dispatch.key,
                Failure::config("The shop has no shipment-tracking extension; change the setting \"tracking\"."),
            ),
            Some(failure) => Outcome::failed(&dispatch.key, failure.clone()),
            None if was_marked && mine.is_empty() => Outcome::unchanged(&dispatch.key),
            None => Outcome::done(&dispatch.key, &dispatch.reference),
        });
    }
}

/// What the order tells of its parcels: our marks, and the extension's entries where there is one. A mark whose notice
/// people cannot see yet is half a shipment: it is left out, so that the host dispatches it again and [`show`] completes it.
pub fn shipped(shop: &Shop<'_>, order: &str) -> Result<Vec<Shipment>, Failure> {
    if !is_id(order) {
        return Err(Failure::missing(format!("\"{order}\" is not an order of this shop.")));
    }
    let document = shop.ask(&requests::retrieve_order(order))?.document;
    let mut shipments = translate::shipments(&document).map_err(|refusal| refusal.into_failure(&format!("order {order}")))?;
    let visible = shop.ask(&what_people_see(shop, order))?;
    let text = visible.document.to_string();
    shipments.retain(|shipment| match shipment.extras.iter().any(|extra| extra.key == "reference") {
        true if shop.settings.tracking_extension => shipment.tracking.iter().all(|tracking| tells_number(&text, &tracking.number)),
        true => text.contains(&shipment.external_id),
        false => true,
    });
    if shop.settings.tracking_extension {
        let known: Vec<String> = shipments.iter().flat_map(|shipment| &shipment.tracking).map(|t| t.number.clone()).collect();
        let others = rows(&visible)?.iter().filter_map(translate::plugin_tracking);
        shipments.extend(others.filter(|shipment| !shipment.tracking.iter().any(|t| known.contains(&t.number))));
    }
    Ok(shipments)
}

fn what_people_see(shop: &Shop<'_>, order: &str) -> Call {
    if shop.settings.tracking_extension { requests::list_tracking(order) } else { requests::list_notes(order) }
}

/// Whether the extension's entries, as JSON text, have a parcel of this number.
fn tells_number(entries: &str, number: &str) -> bool {
    entries.contains(&format!("\"{number}\""))
}
