//! Variants to listings: what has a price and a quantity in Shopify is the product variant and its inventory item.

use rust_decimal::Decimal;
use serde_json::Value;

use super::graph::{inner_id, nodes, required};
use crate::contract::{Extra, Level, Listing, ListingStatus, Money, StockTracking};
use crate::json::{Doc, Refusal, text_extra};

/// The handle under which a listing carries the id that stock is written to.
pub const INVENTORY_ITEM: &str = "inventory-item";

const MAPPED: [&str; 8] = ["id", "sku", "barcode", "price", "title", "updatedAt", "selectedOptions", "inventoryItem"];

/// One variant; `currency` is the shop's.
pub fn listing(document: &Value, currency: &str) -> Result<Listing, Refusal> {
    let doc = Doc::new(document)?;
    let product = doc.object("product")?.ok_or_else(|| Refusal::new("product", "expected the variant's product, found none"))?;
    let item = doc.object("inventoryItem")?.ok_or_else(|| Refusal::new("inventoryItem", "expected the variant's stock, found none"))?;
    let of_product = |key: &str| product.text(key).map_err(|refusal| refusal.within("product"));
    let of_item = |key: &str| item.text(key).map_err(|refusal| refusal.within("inventoryItem"));
    let barcode = doc.text("barcode")?;
    let gtin = barcode.as_deref().and_then(gtin);
    let hs_code = of_item("harmonizedSystemCode")?;
    let mut extras: Vec<Extra> = doc.rest(&MAPPED).into_iter().filter(|extra| extra.key != "product").collect();
    extras.extend(
        product
            .rest(&["id", "title", "status", "onlineStoreUrl"])
            .into_iter()
            .map(|extra| Extra { key: format!("product.{}", extra.key), ..extra }),
    );
    extras.extend(item.rest(&["id", "tracked", "harmonizedSystemCode", "countryCodeOfOrigin", "measurement", "inventoryLevels"]));
    // A barcode that is no GTIN (an own number) is still worth keeping.
    extras.extend(barcode.filter(|_| gtin.is_none()).map(|barcode| text_extra("barcode", &barcode)));
    let hs_digits = hs_code.as_deref().and_then(hs_code_digits);
    extras.extend(hs_code.filter(|_| hs_digits.is_none()).map(|code| text_extra("harmonizedSystemCode", &code)));
    Ok(Listing {
        external_id: required(doc, "id")?,
        parent: inner_id(Some(product))?,
        sku: doc.text("sku")?,
        gtin,
        title: of_product("title")?.or(doc.text("title")?).unwrap_or_default(),
        options: options(doc)?,
        status: status(of_product("status")?.as_deref()),
        price: doc.decimal("price")?.map(|amount| Money { amount: amount.to_string(), currency: currency.to_owned() }),
        tracking: if item.flag("tracked")? == Some(true) { StockTracking::Tracked } else { StockTracking::Untracked },
        levels: levels(item)?,
        weight_g: weight(item)?,
        hs_code: hs_digits,
        origin: of_item("countryCodeOfOrigin")?,
        url: of_product("onlineStoreUrl")?,
        updated_at: doc.instant("updatedAt")?,
        handles: vec![text_extra(INVENTORY_ITEM, &required(item, "id")?)],
        extras,
    })
}

/// What may be sold, location by location.
pub fn levels(item: Doc<'_>) -> Result<Vec<Level>, Refusal> {
    let levels = nodes(item, "inventoryLevels", |level| {
        let location = inner_id(level.object("location")?)?;
        let quantities = level.each("quantities", |quantity| {
            Ok((quantity.text("name")?.as_deref() == Some("available")).then_some(quantity.text("quantity")?).flatten())
        })?;
        let Some(available) = quantities.into_iter().flatten().next() else { return Ok(None) };
        let quantity =
            available.parse().map_err(|_| Refusal::new("quantities", format!("expected a whole number of units, found {available}")))?;
        Ok(Some(Level { location, quantity }))
    })?;
    Ok(levels.into_iter().flatten().collect())
}

/// The one option of a product without options says nothing.
fn options(doc: Doc<'_>) -> Result<Vec<(String, String)>, Refusal> {
    let pairs = doc.each("selectedOptions", |option| Ok(option.text("name")?.zip(option.text("value")?)))?;
    Ok(pairs.into_iter().flatten().filter(|(name, value)| name != "Title" || value != "Default Title").collect())
}

fn status(word: Option<&str>) -> ListingStatus {
    match word {
        Some("ACTIVE" | "UNLISTED") => ListingStatus::Active,
        Some("DRAFT") => ListingStatus::Draft,
        Some("ARCHIVED") => ListingStatus::Archived,
        _ => ListingStatus::Other,
    }
}

/// Whole grams, rounded half up.
fn weight(item: Doc<'_>) -> Result<Option<u32>, Refusal> {
    let measurement = match item.object("measurement")? {
        Some(measurement) => measurement.object("weight")?,
        None => None,
    };
    let Some(weight) = measurement else { return Ok(None) };
    let Some(value) = weight.decimal("value")? else { return Ok(None) };
    let factor = match weight.text("unit")?.as_deref() {
        Some("GRAMS") => Decimal::ONE,
        Some("KILOGRAMS") => Decimal::ONE_THOUSAND,
        // Exact definitions: international pound = 453.59237 g, ounce = 1/16 of it.
        Some("POUNDS") => Decimal::new(45_359_237, 5),
        Some("OUNCES") => Decimal::new(28_349_523_125, 9),
        _ => return Ok(None),
    };
    let grams = value
        .checked_mul(factor)
        .map(|grams| grams.round_dp_with_strategy(0, rust_decimal::RoundingStrategy::MidpointAwayFromZero).normalize());
    Ok(grams.and_then(|grams| grams.to_string().parse().ok()))
}

/// Digits of a GTIN whose check digit is right; separators are forgiven.
pub fn gtin(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    let fits = matches!(digits.len(), 8 | 12 | 13 | 14) && digits.bytes().all(|b| b.is_ascii_digit());
    fits.then_some(())?;
    let weighted = digits.bytes().rev().zip([1u32, 3].into_iter().cycle()).map(|(b, weight)| u32::from(b - b'0') * weight);
    (weighted.sum::<u32>() % 10 == 0).then_some(digits)
}

fn hs_code_digits(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    (6..=10).contains(&digits.len()).then_some(digits)
}
