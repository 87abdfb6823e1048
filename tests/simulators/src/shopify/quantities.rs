//! Setting and adjusting stock: compare-and-set per quantity, all or nothing, and never twice under one idempotency key.

use apollo_compiler::resolvers::FieldError;
use serde_json::Value;

use crate::shopify::facts::number;
use crate::shopify::graph::{Ctx, Slot, error};
use crate::shopify::keyed::keyed;
use crate::shopify::model::{Adjustment, LevelWriter};
use crate::shopify::mutations::{UserError, user_errors};
use crate::shopify::state::State;
use crate::shopify::thing::Thing;

const BOUND: i64 = 1_000_000_000;
/// Most entries of one input list.
const MOST: usize = 250;
const REASONS: [&str; 17] = [
    "correction",
    "cycle_count_available",
    "damaged",
    "movement_canceled",
    "movement_created",
    "movement_received",
    "movement_updated",
    "other",
    "promotion",
    "quality_control",
    "received",
    "reservation_created",
    "reservation_deleted",
    "reservation_updated",
    "restock",
    "safety_stock",
    "shrinkage",
];

/// One checked change of a level.
struct Change {
    item: i64,
    location: i64,
    delta: i64,
}

fn answer(payload: &'static str, group: Option<i64>, errors: &[UserError]) -> Slot {
    let group = Slot::maybe(group.map(Thing::Adjustment));
    Slot::Payload(payload, vec![("inventoryAdjustmentGroup", group), ("userErrors", user_errors(errors))])
}

/// Checks, then applies all or nothing, under the request's idempotency key.
fn checked(
    ctx: &Ctx<'_>,
    payload: &'static str,
    response_key: &str,
    args: &Value,
    check: impl FnOnce(&State) -> Result<Vec<Change>, Vec<UserError>>,
) -> Result<Slot, FieldError> {
    let run = |state: &mut State| {
        let changes = check(state)?;
        Ok(apply(state, &args["input"], &changes, ctx.now))
    };
    keyed(ctx, response_key, args, run, |_, group, errors| answer(payload, group, errors))
}

/// Writes the changes and returns their group, or nothing when no number moved.
fn apply(state: &mut State, input: &Value, changes: &[Change], now: i64) -> Option<i64> {
    let id = state.next_id();
    let mut booked = Vec::new();
    for change in changes {
        state.move_level(change.item, change.location, change.delta, 0, LevelWriter::Api, now);
        let level = state.items.get(&change.item).and_then(|item| item.levels.get(&change.location));
        let Some(level) = level.filter(|_| change.delta != 0) else {
            continue;
        };
        let (available, on_hand) = (level.available, level.on_hand());
        booked.push((change.item, change.location, "available".to_owned(), change.delta, available));
        booked.push((change.item, change.location, "on_hand".to_owned(), change.delta, on_hand));
    }
    if booked.is_empty() {
        return None;
    }
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    let group = Adjustment {
        reason: text("reason").unwrap_or_default().to_owned(),
        reference: text("referenceDocumentUri").map(str::to_owned),
        at: now,
        changes: booked,
    };
    state.adjustments.insert(id, group);
    Some(id)
}

fn entries<'a>(input: &'a Value, list: &str, kind: &str) -> Result<&'a [Value], FieldError> {
    let entries = input[list].as_array().map(Vec::as_slice).unwrap_or_default();
    if entries.len() > MOST {
        return Err(error(format!(
            "MAX_INPUT_SIZE_EXCEEDED|The input array size of {} is greater than the maximum allowed of {MOST}.",
            entries.len()
        )));
    }
    if entries.iter().any(|entry| entry.get("changeFromQuantity").is_none()) {
        return Err(error(format!("INVALID_FIELD_ARGUMENTS|{kind} must include the following argument: changeFromQuantity.")));
    }
    Ok(entries)
}

fn check_head(input: &Value, names: &[&str], bad_name: &'static str) -> Vec<UserError> {
    let mut errors = Vec::new();
    let text = |name: &str| input.get(name).and_then(Value::as_str).unwrap_or_default();
    if !names.contains(&text("name")) {
        let message = format!("The quantity name must be either {}.", names.join(" or "));
        errors.push(UserError::coded(bad_name, &["input", "name"], message));
    }
    if !REASONS.contains(&text("reason")) {
        errors.push(UserError::coded("INVALID_REASON", &["input", "reason"], "The specified reason is invalid."));
    }
    let reference = input.get("referenceDocumentUri").and_then(Value::as_str);
    if reference.is_some_and(|uri| uri.split_once(':').is_none_or(|(scheme, rest)| scheme.is_empty() || rest.len() < 3)) {
        let path = ["input", "referenceDocumentUri"];
        errors.push(UserError::coded("INVALID_REFERENCE_DOCUMENT", &path, "The specified reference document is invalid."));
    }
    errors
}

/// The level an entry means and its present number, or what is wrong with the entry.
fn level(state: &State, entry: &Value, path: &[&str], name: &str) -> Result<(i64, i64, i64), UserError> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
    let at = |field: &'static str| [path, &[field]].concat();
    let item = number(text("inventoryItemId"), "InventoryItem").and_then(|id| state.items.get(&id));
    let item = item.ok_or_else(|| {
        let message = "The specified inventory item could not be found.";
        UserError::coded("INVALID_INVENTORY_ITEM", &at("inventoryItemId"), message)
    })?;
    let location = number(text("locationId"), "Location").unwrap_or_default();
    let level = item.levels.get(&location).filter(|_| state.locations.contains_key(&location)).ok_or_else(|| {
        let message = "The specified location could not be found.";
        UserError::coded("INVALID_LOCATION", &at("locationId"), message)
    })?;
    let current = if name == "on_hand" { level.on_hand() } else { level.available };
    match entry["changeFromQuantity"].as_i64() {
        Some(expected) if expected != current => {
            let message = "The changeFromQuantity value does not match persisted value.";
            Err(UserError::coded("CHANGE_FROM_QUANTITY_STALE", &at("changeFromQuantity"), message))
        }
        _ => Ok((item.id, location, current)),
    }
}

pub(crate) fn set(ctx: &Ctx<'_>, response_key: &str, args: &Value) -> Result<Slot, FieldError> {
    let input = &args["input"];
    let quantities = entries(input, "quantities", "InventoryQuantityInput")?;
    checked(ctx, "InventorySetQuantitiesPayload", response_key, args, |state| {
        let mut errors = check_head(input, &["available", "on_hand"], "INVALID_NAME");
        let name = input["name"].as_str().unwrap_or_default();
        let mut changes = Vec::new();
        for (index, entry) in quantities.iter().enumerate() {
            let at = index.to_string();
            let path = ["input", "quantities", &at];
            let quantity = entry["quantity"].as_i64().unwrap_or_default();
            let path_of_quantity = [&path[..], &["quantity"]].concat();
            if quantity < 0 {
                let message = "The quantity can't be negative.";
                errors.push(UserError::coded("INVALID_QUANTITY_NEGATIVE", &path_of_quantity, message));
            } else if quantity > BOUND {
                let message = "The total quantity can't be higher than 1,000,000,000.";
                errors.push(UserError::coded("INVALID_QUANTITY_TOO_HIGH", &path_of_quantity, message));
            }
            match level(state, entry, &path, name) {
                Ok((item, location, _)) if changes.iter().any(|known: &Change| (known.item, known.location) == (item, location)) => {
                    let message = "The combination of inventoryItemId and locationId must be unique.";
                    errors.push(UserError::coded("NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR", &path, message));
                }
                Ok((item, location, current)) => changes.push(Change { item, location, delta: quantity - current }),
                Err(wrong) => errors.push(wrong),
            }
        }
        if errors.is_empty() { Ok(changes) } else { Err(errors) }
    })
}

pub(crate) fn adjust(ctx: &Ctx<'_>, response_key: &str, args: &Value) -> Result<Slot, FieldError> {
    let input = &args["input"];
    let deltas = entries(input, "changes", "InventoryChangeInput")?;
    checked(ctx, "InventoryAdjustQuantitiesPayload", response_key, args, |state| {
        let mut errors = check_head(input, &["available"], "INVALID_QUANTITY_NAME");
        let mut changes = Vec::new();
        for (index, entry) in deltas.iter().enumerate() {
            let at = index.to_string();
            let path = ["input", "changes", &at];
            let delta = entry["delta"].as_i64().unwrap_or_default();
            match level(state, entry, &path, "available") {
                Ok((_, _, current)) if !(-BOUND..=BOUND).contains(&(current + delta)) => {
                    let code = if delta > 0 { "INVALID_QUANTITY_TOO_HIGH" } else { "INVALID_QUANTITY_TOO_LOW" };
                    let path = [&path[..], &["delta"]].concat();
                    errors.push(UserError::coded(code, &path, "The quantity is out of range."));
                }
                Ok((item, location, _)) => changes.push(Change { item, location, delta }),
                Err(wrong) => errors.push(wrong),
            }
        }
        if errors.is_empty() { Ok(changes) } else { Err(errors) }
    })
}

/// Starts stocking an item at a location; one that is stocked there already keeps its number.
pub(crate) fn activate(ctx: &Ctx<'_>, response_key: &str, args: &Value) -> Result<Slot, FieldError> {
    let id = |name: &str, kind: &str| args[name].as_str().and_then(|id| number(id, kind)).unwrap_or_default();
    let (item, location) = (id("inventoryItemId", "InventoryItem"), id("locationId", "Location"));
    let available = args["available"].as_i64().or_else(|| args["onHand"].as_i64());
    let run = |state: &mut State| {
        let missing = |field: &str, words: &str| vec![UserError::new(&[field], words)];
        let known = state.items.get(&item).ok_or_else(|| missing("inventoryItemId", "The inventory item could not be found."))?;
        if !state.locations.contains_key(&location) {
            return Err(missing("locationId", "The location could not be found."));
        }
        if known.levels.contains_key(&location) && available.is_some() {
            return Err(missing("available", "Not allowed to set available quantity when the item is already active at the location."));
        }
        state.move_level(item, location, available.unwrap_or_default(), 0, LevelWriter::Api, ctx.now);
        Ok(None)
    };
    keyed(ctx, response_key, args, run, |_, _, errors| {
        let level = errors.is_empty().then_some(Thing::Level(item, location));
        Slot::Payload("InventoryActivatePayload", vec![("inventoryLevel", Slot::maybe(level)), ("userErrors", user_errors(errors))])
    })
}
