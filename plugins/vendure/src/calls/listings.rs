//! What the shop offers: every product variant.

use serde_json::{Value, json};

use super::{Shop, facts, rows, text};
use crate::contract::{Failure, Listing, ListingPage};
use crate::requests::{self, MANY};
use crate::translate::{self, Facts};

pub fn pull_listings(shop: &Shop<'_>, cursor: Option<&str>, limit: u32) -> Result<ListingPage, Failure> {
    let skip = cursor.map_or(Ok(0), parse)?;
    let take = usize::try_from(limit).unwrap_or(MANY).clamp(1, MANY);
    let answer = shop.ask(&requests::variants_page(skip, take))?;
    let documents = rows(&answer.data, "productVariants");
    let listings = translated(shop, documents, &facts(&answer.data)?);
    let cursor = json!({ "v": 1, "skip": skip + documents.len() }).to_string();
    let total = answer.data.get("productVariants").and_then(|list| list.get("totalItems")).and_then(Value::as_u64);
    Ok(ListingPage { listings, more: documents.len() >= take, cursor, total, again_after_ms: None, as_of: None })
}

fn parse(cursor: &str) -> Result<usize, Failure> {
    let value: Option<Value> = serde_json::from_str(cursor).ok();
    let value = value.filter(|value| value.get("v").and_then(Value::as_u64) == Some(1));
    let skip = value.and_then(|value| usize::try_from(value.get("skip")?.as_u64()?).ok());
    skip.ok_or_else(|| Failure::invalid(format!("\"{cursor}\" is not a cursor of this connector; start without one.")).with_code("cursor"))
}

/// These listings as they are now; absent ones are left out.
pub fn listings_by_ids(shop: &Shop<'_>, ids: &[String]) -> Result<Vec<Listing>, Failure> {
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let (documents, facts) = shop.rows_and_facts("productVariants", &ids, requests::variants_by_ids)?;
    Ok(translated(shop, &documents, &facts))
}

/// A document that cannot be read is left out with a word in the log: it must not stop the others.
fn translated(shop: &Shop<'_>, documents: &[Value], facts: &Facts) -> Vec<Listing> {
    let read = |document: &Value| match translate::listing(document, facts) {
        Ok(listing) => Some(listing),
        Err(refusal) => {
            shop.hub.warn(&refusal.into_failure(&format!("variant {}", text(document, "id"))).message);
            None
        }
    };
    documents.iter().filter_map(read).collect()
}
