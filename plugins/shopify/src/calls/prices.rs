//! Prices to the shop, product by product, and back for comparison.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Shop, concerns_connection, list, text};
use crate::answer::{self, UserError};
use crate::contract::{Failure, ListingRef, Money, Outcome, PriceChange, PriceReading};
use crate::decimal;
use crate::gid;
use crate::requests;

/// Variants read or written in one query.
const MANY: usize = 100;

pub fn push_prices(shop: &Shop<'_>, changes: &[PriceChange]) -> Result<Vec<Outcome>, Failure> {
    let mut outcomes = Vec::new();
    let mut lists: BTreeMap<&str, Vec<&PriceChange>> = BTreeMap::new();
    for change in changes {
        lists.entry(change.price_list.as_deref().unwrap_or_default()).or_default().push(change);
    }
    if let Some(own) = lists.remove("") {
        push_own(shop, &own, &mut outcomes)?;
    }
    for (list, changes) in lists {
        for chunk in changes.chunks(MANY) {
            let done = set_in_list(shop, list, chunk);
            take(done, chunk, &mut outcomes)?;
        }
    }
    Ok(outcomes)
}

/// A failure of the whole connection ends the call only while nothing was written.
fn take(done: Result<Vec<Outcome>, Failure>, changes: &[&PriceChange], outcomes: &mut Vec<Outcome>) -> Result<(), Failure> {
    match done {
        Ok(done) => outcomes.extend(done),
        Err(failure) if concerns_connection(&failure) && outcomes.is_empty() => return Err(failure),
        Err(failure) => outcomes.extend(changes.iter().map(|change| Outcome::failed(&change.key, failure.clone()))),
    }
    Ok(())
}

fn push_own(shop: &Shop<'_>, changes: &[&PriceChange], outcomes: &mut Vec<Outcome>) -> Result<(), Failure> {
    let ids: Vec<&str> = changes.iter().map(|change| change.listing.external_id.as_str()).collect();
    let (currency, variants) = variants(shop, &ids)?;
    let mut products: BTreeMap<String, Vec<&PriceChange>> = BTreeMap::new();
    for change in changes {
        match product_of(change, &currency, &variants) {
            Ok(product) => products.entry(product).or_default().push(change),
            Err(failure) => outcomes.push(Outcome::failed(&change.key, failure)),
        }
    }
    for (product, changes) in &products {
        for chunk in changes.chunks(MANY) {
            take(update(shop, product, chunk), chunk, outcomes)?;
        }
    }
    Ok(())
}

fn update(shop: &Shop<'_>, product: &str, changes: &[&PriceChange]) -> Result<Vec<Outcome>, Failure> {
    let answer = shop.ask(&requests::update_prices(product, changes))?;
    let (_, errors) = answer::payload(&answer.data, "productVariantsBulkUpdate", "userErrors")?;
    Ok(judged(changes, &errors))
}

/// The channel takes all of them or none: where one is refused, the others are only not sent yet.
fn set_in_list(shop: &Shop<'_>, list: &str, changes: &[&PriceChange]) -> Result<Vec<Outcome>, Failure> {
    if !gid::is("PriceList", list) {
        return Err(Failure::invalid(format!("\"{list}\" is not the id of a price list, such as gid://shopify/PriceList/1.")));
    }
    let answer = shop.ask(&requests::set_list_prices(list, changes))?;
    let (_, errors) = answer::payload(&answer.data, "priceListFixedPricesAdd", "userErrors")?;
    let refused = |at: usize| errors.iter().any(|error| error.index() == Some(at) || error.index().is_none());
    let (bad, good): (Vec<_>, Vec<_>) = changes.iter().copied().enumerate().partition(|(at, _)| refused(*at));
    if errors.is_empty() || good.is_empty() {
        return Ok(judged(changes, &errors));
    }
    let mut outcomes = judged(changes, &errors);
    outcomes.retain(|outcome| bad.iter().any(|(_, change)| change.key == outcome.key));
    let good: Vec<&PriceChange> = good.into_iter().map(|(_, change)| change).collect();
    outcomes.extend(set_in_list(shop, list, &good)?);
    Ok(outcomes)
}

fn judged(changes: &[&PriceChange], errors: &[UserError]) -> Vec<Outcome> {
    let whole = errors.iter().find(|error| error.index().is_none());
    (changes.iter().enumerate())
        .map(|(at, change)| match errors.iter().find(|error| error.index() == Some(at)).or(whole) {
            None => Outcome::done(&change.key, ""),
            Some(error) => {
                let failure = Failure::invalid(error.message.clone());
                let missing = error.code.as_deref().is_some_and(|code| code.ends_with("DOES_NOT_EXIST") || code == "VARIANT_NOT_FOUND");
                let failure = if missing { Failure::missing(error.message.clone()) } else { failure };
                Outcome::failed(&change.key, failure.with_code(error.code.clone().unwrap_or_else(|| "user-error".to_owned())))
            }
        })
        .collect()
}

fn product_of(change: &PriceChange, currency: &str, variants: &[Value]) -> Result<String, Failure> {
    for money in [Some(&change.price), change.compare_at.as_ref()].into_iter().flatten() {
        if money.currency != currency {
            return Err(
                Failure::invalid(format!("The price is in {}, the shop sells in {currency}.", money.currency)).with_code("currency")
            );
        }
        if decimal::parse(&money.amount).is_none_or(|amount| amount.is_sign_negative()) {
            return Err(Failure::invalid(format!("\"{}\" is not a price.", money.amount)));
        }
    }
    let id = &change.listing.external_id;
    let variant = variants.iter().find(|variant| text(variant, &["id"]) == Some(id.as_str()));
    let product = variant.and_then(|variant| text(variant, &["product", "id"]));
    product.map(str::to_owned).ok_or_else(|| Failure::missing(format!("The shop has no variant {id}.")))
}

pub fn read_prices(shop: &Shop<'_>, listings: &[ListingRef], price_list: Option<&str>) -> Result<Vec<PriceReading>, Failure> {
    let ids: Vec<&str> = listings.iter().map(|listing| listing.external_id.as_str()).collect();
    if let Some(list) = price_list {
        return read_list(shop, list, &ids);
    }
    let (currency, variants) = variants(shop, &ids)?;
    let money =
        |variant: &Value, key: &str| text(variant, &[key]).map(|amount| Money { amount: amount.to_owned(), currency: currency.clone() });
    Ok((variants.iter())
        .map(|variant| PriceReading {
            listing: text(variant, &["id"]).unwrap_or_default().to_owned(),
            price: money(variant, "price"),
            compare_at: money(variant, "compareAtPrice"),
        })
        .collect())
}

/// A variant without a fixed price in the list has none.
fn read_list(shop: &Shop<'_>, price_list: &str, ids: &[&str]) -> Result<Vec<PriceReading>, Failure> {
    let mut readings = Vec::new();
    for chunk in ids.chunks(MANY) {
        let answer = shop.ask(&requests::list_prices(price_list, chunk))?;
        let found = answer.data.get("priceList").filter(|found| found.is_object());
        let found = found.ok_or_else(|| Failure::missing(format!("The shop has no price list {price_list}.")))?;
        let nodes = list(found, &["prices", "nodes"]);
        for id in chunk {
            let node = nodes.iter().find(|node| text(node, &["variant", "id"]) == Some(id));
            let money = |key: &str| {
                let (amount, currency) = (text(node?, &[key, "amount"])?, text(node?, &[key, "currencyCode"])?);
                Some(Money { amount: amount.to_owned(), currency: currency.to_owned() })
            };
            readings.push(PriceReading { listing: (*id).to_owned(), price: money("price"), compare_at: money("compareAtPrice") });
        }
    }
    Ok(readings)
}

/// The shop's currency and the prices and products of these variants; absent ones are left out.
fn variants(shop: &Shop<'_>, ids: &[&str]) -> Result<(String, Vec<Value>), Failure> {
    let valid: Vec<&str> = ids.iter().copied().filter(|id| gid::is("ProductVariant", id)).collect();
    let mut currency = String::new();
    let mut variants = Vec::new();
    for chunk in valid.chunks(MANY) {
        let answer = shop.ask(&requests::prices_by_ids(chunk))?;
        currency = text(&answer.data, &["shop", "currencyCode"]).unwrap_or_default().to_owned();
        variants.extend(list(&answer.data, &["nodes"]).iter().filter(|node| text(node, &["id"]).is_some()).cloned());
    }
    if currency.is_empty() {
        currency = super::listings::currency(shop)?;
    }
    Ok((currency, variants))
}
