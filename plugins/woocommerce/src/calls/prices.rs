//! Prices to the shop, and back for comparison. The shop has one price in one currency.

use super::Shop;
use super::batch::{self, Change};
use super::stock::{common_failure, read_documents};
use crate::contract::{Failure, ListingRef, Outcome, PriceChange, PriceReading};
use crate::decimal;
use crate::requests;
use crate::translate::{self, ListingId};

pub fn push_prices(shop: &Shop<'_>, changes: &[PriceChange]) -> Result<Vec<Outcome>, Failure> {
    let currency = currency(shop)?;
    let mut outcomes = Vec::new();
    let (mut sent, mut updates) = (Vec::new(), Vec::new());
    for change in changes {
        match accepted(change, &currency) {
            Ok(listing) => {
                let fields = requests::price_fields(&listing, &change.price, change.compare_at.as_ref());
                updates.push(Change { listing, fields });
                sent.push(change);
            }
            Err(failure) => outcomes.push(Outcome::failed(&change.key, failure)),
        }
    }
    let results = batch::update(shop, &updates);
    if let Some(failure) = common_failure(&results) {
        return Err(failure);
    }
    outcomes.extend(sent.iter().zip(results).map(|(change, result)| match result {
        Ok(_) => Outcome::done(&change.key, ""),
        Err(failure) => Outcome::failed(&change.key, failure),
    }));
    Ok(outcomes)
}

pub fn read_prices(shop: &Shop<'_>, listings: &[ListingRef], price_list: Option<&str>) -> Result<Vec<PriceReading>, Failure> {
    if let Some(list) = price_list {
        return Err(no_price_lists(list));
    }
    let currency = currency(shop)?;
    (read_documents(shop, listings)?.iter())
        .map(|(id, document)| {
            translate::price_reading(document, id, &currency).map_err(|refusal| refusal.into_failure(&format!("listing {id}")))
        })
        .collect()
}

/// The shop's own word on its currency: a setting may be stale, and a price in the wrong currency costs money.
pub(super) fn currency(shop: &Shop<'_>) -> Result<String, Failure> {
    let answer = shop.ask(&requests::current_currency())?;
    translate::currency(&answer.document).map_err(|refusal| refusal.into_failure("The shop's currency"))
}

fn accepted(change: &PriceChange, currency: &str) -> Result<ListingId, Failure> {
    if let Some(list) = &change.price_list {
        return Err(no_price_lists(list));
    }
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
    if let Some(compare_at) = &change.compare_at
        && decimal::parse(&compare_at.amount) <= decimal::parse(&change.price.amount)
    {
        return Err(Failure::invalid(format!(
            "The struck-through price {} must be above the price {}.",
            compare_at.amount, change.price.amount
        )));
    }
    translate::referenced(&change.listing).map_err(Failure::invalid)
}

fn no_price_lists(list: &str) -> Failure {
    Failure::unsupported(format!("WooCommerce has one price per product; it knows no price list \"{list}\"."))
}
