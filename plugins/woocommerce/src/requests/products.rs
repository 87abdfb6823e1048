//! Products and variations.

use serde_json::{Map, Value, json};

use super::{Call, number};
use crate::contract::Money;
use crate::translate::ListingId;

/// Changes in one batch.
pub const BATCH_MAX: usize = 100;

pub fn products_page(offset: u32, per_page: u32) -> Call {
    Call::get("/wc/v3/products")
        .query("status", "any")
        .query("orderby", "id")
        .query("order", "asc")
        .query("offset", offset.to_string())
        .query("per_page", per_page.to_string())
}

pub fn products_by_ids(ids: &[&str]) -> Call {
    Call::get("/wc/v3/products").query("include", ids.join(",")).query("status", "any").query("per_page", ids.len().max(1).to_string())
}

pub fn variations_page(product: &str, offset: u32, per_page: u32) -> Call {
    Call::get(format!("/wc/v3/products/{product}/variations"))
        .query("status", "any")
        .query("orderby", "id")
        .query("order", "asc")
        .query("offset", offset.to_string())
        .query("per_page", per_page.to_string())
}

pub fn variations_by_ids(product: &str, ids: &[&str]) -> Call {
    Call::get(format!("/wc/v3/products/{product}/variations"))
        .query("include", ids.join(","))
        .query("status", "any")
        .query("per_page", ids.len().max(1).to_string())
}

/// At most [`BATCH_MAX`] changes, each an object with the product's `id`.
pub fn batch_products(updates: Vec<Value>) -> Call {
    Call::send("POST", "/wc/v3/products/batch", json!({ "update": updates }))
}

/// At most [`BATCH_MAX`] changes of one product's variations.
pub fn batch_variations(product: &str, updates: Vec<Value>) -> Call {
    Call::send("POST", format!("/wc/v3/products/{product}/variations/batch"), json!({ "update": updates }))
}

/// Only the count: whether the shop counts this listing at all is the merchant's choice.
pub fn stock_fields(listing: &ListingId, quantity: u32) -> Value {
    with_id(listing, [("stock_quantity", Value::from(quantity))])
}

/// A struck-through price makes the asked one a sale price, from now and without an end; without one the sale ends.
pub fn price_fields(listing: &ListingId, price: &Money, compare_at: Option<&Money>) -> Value {
    match compare_at {
        Some(regular) => with_id(
            listing,
            [
                ("regular_price", Value::from(regular.amount.as_str())),
                ("sale_price", Value::from(price.amount.as_str())),
                ("date_on_sale_from", Value::from("")),
                ("date_on_sale_to", Value::from("")),
            ],
        ),
        None => with_id(listing, [("regular_price", Value::from(price.amount.as_str())), ("sale_price", Value::from(""))]),
    }
}

fn with_id<const N: usize>(listing: &ListingId, fields: [(&str, Value); N]) -> Value {
    let own = listing.variation.as_deref().unwrap_or(&listing.product);
    let mut object = Map::new();
    object.insert("id".to_owned(), number(own));
    object.extend(fields.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(object)
}
