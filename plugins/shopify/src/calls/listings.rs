//! What the shop offers: every product variant.

use serde_json::{Value, json};

use super::export::{self, Export};
use super::{Shop, complete, list, next_page, text};
use crate::contract::{Failure, Listing, ListingPage};
use crate::gid;
use crate::requests;
use crate::translate;

/// (variants, locations of each), from the usual to the smallest.
const SIZES: [(u32, u32); 6] = [(100, 5), (50, 5), (25, 5), (10, 5), (5, 5), (2, 2)];
/// Locations of one variant read at a time after the first.
const LEVELS: u32 = 50;

/// Where the reading is.
enum Place {
    /// (after which variant, place in [`SIZES`] that the shop took last time).
    Page(Option<String>, usize),
    Export(Export),
}

/// A large shop is asked for an export, a small one page by page.
pub fn pull_listings(shop: &Shop<'_>, cursor: Option<&str>, limit: u32) -> Result<ListingPage, Failure> {
    match cursor.map(parse).transpose()? {
        Some(Place::Page(after, size)) => page(shop, after.as_deref(), size, limit, None),
        Some(Place::Export(export)) => export::go_on(shop, export, limit),
        None => {
            let answer = shop.ask(&requests::catalogue_size())?;
            let count = answer.data.get("productVariantsCount").and_then(|count| count.get("count")).and_then(Value::as_u64);
            match count {
                Some(count) if shop.settings.export_from.is_some_and(|from| count >= from) => {
                    export::order(shop, Export::new(told_currency(&answer.data)?, count), limit)
                }
                total => page(shop, None, 0, limit, total),
            }
        }
    }
}

pub(super) fn page(shop: &Shop<'_>, after: Option<&str>, start: usize, limit: u32, total: Option<u64>) -> Result<ListingPage, Failure> {
    let (answer, size) =
        shop.ask_sized(&SIZES, start, |(first, levels)| requests::variants_page(first.min(limit.max(1)), after, levels))?;
    let next = answer.data.get("productVariants").and_then(next_page);
    let listings = translated(shop, list(&answer.data, &["productVariants", "nodes"]), &told_currency(&answer.data)?)?;
    let cursor = json!({ "v": 1, "after": next, "size": size }).to_string();
    Ok(ListingPage { listings, more: next.is_some(), cursor, total, again_after_ms: None, as_of: None })
}

fn parse(cursor: &str) -> Result<Place, Failure> {
    let wrong = || Failure::invalid(format!("\"{cursor}\" is not a cursor of this connector; start without one.")).with_code("cursor");
    let value: Option<Value> = serde_json::from_str(cursor).ok();
    let value = value.filter(|value| value.get("v").and_then(Value::as_u64) == Some(1)).ok_or_else(wrong)?;
    if let Some(export) = value.get("export") {
        return Export::parse(export).map(Place::Export).ok_or_else(wrong);
    }
    let size = value.get("size").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    Ok(Place::Page(text(&value, &["after"]).map(str::to_owned), size))
}

/// These listings as they are now; absent ones are left out.
pub fn listings_by_ids(shop: &Shop<'_>, ids: &[String]) -> Result<Vec<Listing>, Failure> {
    let valid: Vec<&str> = ids.iter().map(String::as_str).filter(|id| gid::is("ProductVariant", id)).collect();
    let mut listings = Vec::new();
    for answer in by_ids(shop, &valid, requests::variants_by_ids)? {
        listings.extend(translated(shop, &found(&answer), &told_currency(&answer)?)?);
    }
    Ok(listings)
}

/// What the shop answers about these ids, in as many queries as it makes necessary.
pub(super) fn by_ids(shop: &Shop<'_>, ids: &[&str], query: impl Fn(&[&str], u32) -> requests::Query) -> Result<Vec<Value>, Failure> {
    let mut answers = Vec::new();
    let (mut rest, mut size) = (ids, 0);
    while !rest.is_empty() {
        let chunk = |first: u32| rest.get(..rest.len().min(first as usize)).unwrap_or(rest);
        let (answer, at) = shop.ask_sized(&SIZES, size, |(first, levels)| query(chunk(first), levels))?;
        size = at;
        answers.push(answer.data);
        let taken = chunk(SIZES.get(at).map_or(1, |(first, _)| *first)).len();
        rest = rest.get(taken..).unwrap_or_default();
    }
    Ok(answers)
}

/// What no longer exists, or is of another kind, comes back as null or empty.
pub(super) fn found(answer: &Value) -> Vec<Value> {
    list(answer, &["nodes"]).iter().filter(|node| text(node, &["id"]).is_some()).cloned().collect()
}

/// A document that cannot be read is left out with a word in the log: it must not stop the others.
pub(super) fn translated(shop: &Shop<'_>, documents: &[Value], currency: &str) -> Result<Vec<Listing>, Failure> {
    let mut listings = Vec::new();
    for document in documents {
        let mut document = document.clone();
        complete_levels(shop, &mut document)?;
        match translate::listing(&document, currency) {
            Ok(listing) => listings.push(listing),
            Err(refusal) => {
                let id = text(&document, &["id"]).unwrap_or("a variant").to_owned();
                shop.hub.warn(&refusal.into_failure(&id).message);
            }
        }
    }
    Ok(listings)
}

/// Reads the locations that did not fit into the first page.
pub(super) fn complete_levels(shop: &Shop<'_>, document: &mut Value) -> Result<(), Failure> {
    let Some(item) = document.get_mut("inventoryItem") else { return Ok(()) };
    let id = text(item, &["id"]).unwrap_or_default().to_owned();
    complete(item, "inventoryLevels", |after| {
        let answer = shop.ask(&requests::item_levels(&id, after, LEVELS))?;
        Ok(answer.data.get("inventoryItem").and_then(|item| item.get("inventoryLevels")).cloned().unwrap_or(Value::Null))
    })
}

pub(super) fn currency(shop: &Shop<'_>) -> Result<String, Failure> {
    told_currency(&shop.ask(&requests::currency())?.data)
}

fn told_currency(answer: &Value) -> Result<String, Failure> {
    let currency = text(answer, &["shop", "currencyCode"]).map(str::to_owned);
    currency.ok_or_else(|| Failure::remote("The shop does not tell its currency."))
}
