//! What the shop offers, product by product, each variable product followed by its variations.

use serde_json::{Value, json};

use super::orders::{id_of, rows};
use super::{REQUESTS_PER_CALL, Shop, prices, stock};
use crate::contract::{Failure, Fault, Listing, ListingPage, ListingRef, failure};
use crate::requests::{self, PAGE_MAX};
use crate::translate::{self, ListingId, Offered, Units};

/// Products looked at in one call.
const PRODUCTS: u32 = 50;

/// Where the reading is: products behind us, variations of the current product behind us, and what they came to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Cursor {
    product: u32,
    variation: u32,
    listings: u32,
}

impl Cursor {
    fn parse(text: &str) -> Result<Self, Failure> {
        let wrong = || failure(Fault::Invalid, Some("cursor"), format!("\"{text}\" is not a cursor of this connector; start without one."));
        let value: Value = serde_json::from_str(text).map_err(|_| wrong())?;
        let number = |key: &str| value.get(key).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).ok_or_else(wrong);
        if number("v")? != 1 {
            return Err(wrong());
        }
        Ok(Self { product: number("product")?, variation: number("variation")?, listings: number("listings").unwrap_or(0) })
    }

    fn text(self) -> String {
        json!({ "v": 1, "product": self.product, "variation": self.variation, "listings": self.listings }).to_string()
    }

    /// The shop counts products; each may be many listings. As many of the rest are taken to be as those behind us were.
    fn estimate(self, products: Option<u32>) -> Option<u64> {
        let (behind, listings) = (u64::from(self.product), u64::from(self.listings));
        let estimate = (listings * u64::from(products?)).checked_div(behind)?;
        Some(estimate.max(listings))
    }

    fn page(mut self, listings: Vec<Listing>, more: bool, products: Option<u32>) -> ListingPage {
        self.listings = self.listings.saturating_add(u32::try_from(listings.len()).unwrap_or(u32::MAX));
        ListingPage { listings, cursor: self.text(), more, total: self.estimate(products), again_after_ms: None, as_of: None }
    }
}

pub fn pull_listings(shop: &Shop<'_>, cursor: Option<&str>, limit: u32) -> Result<ListingPage, Failure> {
    let mut at = cursor.map(Cursor::parse).transpose()?.unwrap_or_default();
    let units = units(shop)?;
    let limit = limit.max(1) as usize;
    let per_page = u32::try_from(limit).unwrap_or(PRODUCTS).clamp(1, PRODUCTS);
    let answer = shop.ask(&requests::products_page(at.product, per_page))?;
    let products = rows(&answer)?;
    let shop_has = answer.total;
    // Currency and products are two requests.
    let mut requests_left = REQUESTS_PER_CALL - 2;
    let mut listings = Vec::new();
    for product in products {
        if at.variation == 0 {
            listings.extend(offered(shop, product, None, &units));
        }
        while has_variations(product) {
            if requests_left == 0 || listings.len() >= limit {
                return Ok(at.page(listings, true, shop_has));
            }
            requests_left -= 1;
            let page = u32::try_from(limit - listings.len()).unwrap_or(PAGE_MAX).min(PAGE_MAX);
            let answer = shop.ask(&requests::variations_page(&id_of(product), at.variation, page))?;
            let variations = rows(&answer)?;
            for variation in variations {
                listings.extend(offered(shop, variation, Some(product), &units));
            }
            at.variation = at.variation.saturating_add(u32::try_from(variations.len()).unwrap_or(u32::MAX));
            if variations.len() < page as usize {
                break;
            }
        }
        at = Cursor { product: at.product + 1, variation: 0, ..at };
        if listings.len() >= limit {
            let more = shop_has.map_or(products.len() >= per_page as usize, |total| at.product < total);
            return Ok(at.page(listings, more, shop_has));
        }
    }
    let more = products.len() >= per_page as usize && shop_has.is_none_or(|total| at.product < total);
    Ok(at.page(listings, more, shop_has))
}

/// These listings as they are now. Variations are read with their product, for its name.
pub fn listings_by_ids(shop: &Shop<'_>, ids: &[String]) -> Result<Vec<Listing>, Failure> {
    let units = units(shop)?;
    let reference = |id: &ListingId| ListingRef { external_id: id.to_string(), parent: None, sku: None, handles: Vec::new() };
    let wanted: Vec<ListingId> = ids.iter().filter_map(|id| ListingId::parse(id)).collect();
    let mut products: Vec<ListingId> = wanted.iter().map(|id| ListingId { product: id.product.clone(), variation: None }).collect();
    products.sort();
    products.dedup();
    let products = stock::read_documents(shop, &products.iter().map(reference).collect::<Vec<_>>())?;
    let variations: Vec<ListingRef> = wanted.iter().filter(|id| id.variation.is_some()).map(reference).collect();
    let variations = if variations.is_empty() { Vec::new() } else { stock::read_documents(shop, &variations)? };
    let mut listings = Vec::new();
    for id in &wanted {
        let product = products.iter().find(|(product, _)| product.product == id.product).map(|(_, document)| document);
        let found = match &id.variation {
            None => product.and_then(|product| offered(shop, product, None, &units)),
            Some(_) => {
                (variations.iter().find(|(other, _)| other == id)).and_then(|(_, variation)| offered(shop, variation, product, &units))
            }
        };
        listings.extend(found);
    }
    Ok(listings)
}

/// A setting saves a request; else the shop is asked.
fn units(shop: &Shop<'_>) -> Result<Units, Failure> {
    let currency = match &shop.settings.currency {
        Some(currency) => currency.clone(),
        None => prices::currency(shop)?,
    };
    Ok(Units { currency: Some(currency), weight: shop.settings.weight_unit })
}

/// A document that cannot be read is left out with a word in the log: it must not stop the others.
fn offered(shop: &Shop<'_>, document: &Value, parent: Option<&Value>, units: &Units) -> Option<Listing> {
    match translate::listing(document, parent, units) {
        Ok(Offered::Listing(listing)) => Some(*listing),
        Ok(Offered::NotSellable(_)) => None,
        Err(refusal) => {
            shop.hub.warn(&refusal.into_failure(&format!("product {}", id_of(document))).message);
            None
        }
    }
}

fn has_variations(product: &Value) -> bool {
    matches!(product.get("type").and_then(Value::as_str), Some("variable" | "variable-subscription"))
}

#[cfg(test)]
mod tests {
    use super::Cursor;

    #[test]
    fn how_many_there_will_be_is_told_from_the_products_behind_us() {
        let at = |product, listings| Cursor { product, variation: 0, listings };
        assert_eq!(at(50, 50).estimate(Some(1_000)), Some(1_000));
        assert_eq!(at(50, 150).estimate(Some(1_000)), Some(3_000));
        assert_eq!(at(1_000, 2_999).estimate(Some(999)), Some(2_999), "never fewer than were seen");
        assert_eq!((at(0, 40).estimate(Some(1_000)), at(50, 50).estimate(None)), (None, None));
        let page = at(10, 20).page(Vec::new(), true, Some(30));
        assert_eq!(page.total, Some(60));
        assert_eq!(Cursor::parse(&page.cursor).unwrap(), at(10, 20));
        assert_eq!(Cursor::parse(r#"{"v":1,"product":3,"variation":2}"#).unwrap().listings, 0);
    }
}
