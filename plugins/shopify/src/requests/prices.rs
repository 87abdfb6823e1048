//! Prices.

use serde_json::{Value, json};

use super::Query;
use crate::contract::{Money, PriceChange};
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

/// Fixed prices of these variants in a price list.
pub fn list_prices(list: &str, variants: &[&str]) -> Query {
    let count = u32::try_from(variants.len()).unwrap_or(u32::MAX);
    let number = |id: &&str| format!("variant_id:{}", id.rsplit('/').next().unwrap_or_default());
    let query = variants.iter().map(number).collect::<Vec<_>>().join(" OR ");
    let cost = count.saturating_mul(4).saturating_add(3);
    Query::read(graphql::LIST_PRICES, cost, json!({ "priceListId": list, "first": count, "query": query }))
}

pub fn set_list_prices(list: &str, changes: &[&PriceChange]) -> Query {
    let money = |money: &Money| json!({ "amount": money.amount, "currencyCode": money.currency });
    let prices: Vec<Value> = (changes.iter())
        .map(|change| {
            json!({
                "variantId": change.listing.external_id,
                "price": money(&change.price),
                "compareAtPrice": change.compare_at.as_ref().map(money),
            })
        })
        .collect();
    Query::write(graphql::SET_LIST_PRICES, json!({ "priceListId": list, "prices": prices }))
}
