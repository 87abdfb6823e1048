//! Variants and their stock.

use serde_json::{Value, json};

use super::{Query, idempotency_key};
use crate::graphql;

/// Quantities in one mutation.
pub const SET_MAX: usize = 250;

/// One quantity to write.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    pub item: String,
    pub location: String,
    pub quantity: u32,
    /// What the shop must hold for the write to happen.
    pub from: i32,
}

/// Sets what may be sold, each only if it is what we believe it to be. The shop does all of them or none.
pub fn set_quantities(writes: &[&Write], host_key: &str) -> Query {
    let quantities: Vec<Value> = (writes.iter())
        .map(|write| {
            json!({
                "inventoryItemId": write.item,
                "locationId": write.location,
                "quantity": write.quantity,
                "changeFromQuantity": write.from,
            })
        })
        .collect();
    let input = json!({ "name": "available", "reason": "correction", "quantities": quantities });
    let key = idempotency_key(host_key, &input);
    Query::write(graphql::SET_QUANTITIES, json!({ "input": input, "key": key }))
}

pub fn variants_page(first: u32, after: Option<&str>, levels: u32) -> Query {
    Query::read(graphql::VARIANTS_PAGE, 100, json!({ "first": first, "after": after, "levels": levels }))
}

pub fn variants_by_ids(ids: &[&str], levels: u32) -> Query {
    Query::read(graphql::VARIANTS_BY_IDS, 100, json!({ "ids": ids, "levels": levels }))
}

pub fn item_levels(item: &str, after: &str, levels: u32) -> Query {
    Query::read(graphql::ITEM_LEVELS, 30, json!({ "id": item, "after": after, "levels": levels }))
}

pub fn stock_by_ids(variants: &[&str], levels: u32) -> Query {
    Query::read(graphql::STOCK_BY_IDS, 100, json!({ "ids": variants, "levels": levels }))
}
