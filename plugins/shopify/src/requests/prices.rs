//! Prices.

use serde_json::{Value, json};

use super::Query;
use crate::contract::PriceChange;
use crate::graphql;

pub fn prices_by_ids(variants: &[&str]) -> Query {
    let cost = u32::try_from(variants.len()).unwrap_or(u32::MAX).saturating_mul(2).saturating_add(1);
    Query::read(graphql::PRICES_BY_IDS, cost, json!({ "ids": variants }))
}

/// Variants of one product. A missing struck-through price is taken away, so it is always said.
pub fn update_prices(product: &str, changes: &[&PriceChange]) -> Query {
    let variants: Vec<Value> = (changes.iter())
        .map(|change| {
            json!({
                "id": change.listing.external_id,
                "price": change.price.amount,
                "compareAtPrice": change.compare_at.as_ref().map(|money| money.amount.as_str()),
            })
        })
        .collect();
    Query::write(graphql::UPDATE_PRICES, json!({ "productId": product, "variants": variants }))
}
