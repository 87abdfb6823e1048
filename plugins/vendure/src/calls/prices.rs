//! Prices to the shop, and back for comparison.

use serde_json::Value;

use super::{Shop, concerns_connection, row, text};
use crate::contract::{Failure, ListingRef, Money, Outcome, PriceChange, PriceReading};
use crate::decimal;
use crate::requests::{self, MANY};
use crate::translate::{self, Facts};

pub fn push_prices(shop: &Shop<'_>, changes: &[PriceChange]) -> Result<Vec<Outcome>, Failure> {
    let ids: Vec<&str> = changes.iter().map(|change| change.listing.external_id.as_str()).collect();
    let (variants, facts) = shop.rows_and_facts("productVariants", &ids, requests::prices_by_ids)?;
    let mut outcomes = Vec::new();
    let mut writes: Vec<(&PriceChange, i64)> = Vec::new();
    for change in changes {
        match units(change, &variants, &facts) {
            Ok(units) => writes.push((change, units)),
            Err(failure) => outcomes.push(Outcome::failed(&change.key, failure)),
        }
    }
    for batch in writes.chunks(MANY) {
        let prices: Vec<(&str, i64)> = batch.iter().map(|(change, units)| (change.listing.external_id.as_str(), *units)).collect();
        match shop.ask(&requests::set_prices(&prices)) {
            Ok(_) => outcomes.extend(batch.iter().map(|(change, _)| Outcome::done(&change.key, ""))),
            Err(failure) if concerns_connection(&failure) && outcomes.is_empty() => return Err(failure),
            Err(failure) => outcomes.extend(batch.iter().map(|(change, _)| Outcome::failed(&change.key, failure.clone()))),
        }
    }
    Ok(outcomes)
}

/// The price as the shop's number.
fn units(change: &PriceChange, variants: &[Value], facts: &Facts) -> Result<i64, Failure> {
    let id = &change.listing.external_id;
    if let Some(list) = &change.price_list {
        return Err(no_price_lists(list));
    }
    if change.compare_at.is_some() {
        return Err(Failure::unsupported("Vendure has no struck-through price."));
    }
    if change.price.currency != facts.currency {
        return Err(Failure::invalid(format!("The price is in {}, the shop sells in {}.", change.price.currency, facts.currency))
            .with_code("currency"));
    }
    if row(variants, id).is_none() {
        return Err(Failure::missing(format!("The shop has no variant {id}.")));
    }
    let units = decimal::parse(&change.price.amount).filter(|amount| !amount.is_sign_negative()).and_then(|amount| facts.units(amount));
    units.ok_or_else(|| {
        Failure::invalid(format!("\"{}\" is not a price with at most {} digits after the point.", change.price.amount, facts.precision))
    })
}

pub fn read_prices(shop: &Shop<'_>, listings: &[ListingRef], price_list: Option<&str>) -> Result<Vec<PriceReading>, Failure> {
    if let Some(list) = price_list {
        return Err(no_price_lists(list));
    }
    let ids: Vec<&str> = listings.iter().map(|listing| listing.external_id.as_str()).collect();
    let (variants, facts) = shop.rows_and_facts("productVariants", &ids, requests::prices_by_ids)?;
    let reading = |variant: &Value| {
        let listing = text(variant, "id").to_owned();
        let price = translate::price(variant, &facts).map_err(|refusal| refusal.into_failure(&format!("variant {listing}")))?;
        let price = price.map(|amount| Money { amount: amount.to_string(), currency: facts.currency.clone() });
        Ok(PriceReading { listing, price, compare_at: None })
    };
    variants.iter().map(reading).collect()
}

fn no_price_lists(list: &str) -> Failure {
    Failure::unsupported(format!(
        "This connector writes the price of the connection's channel; it does not write the price list \"{list}\"."
    ))
}
