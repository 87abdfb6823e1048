//! Products and variations to listings, and the form of a listing's id.
//!
//! A listing is the level that has a price and a quantity: a simple product (`93`) or a variation (`22/732`). A variable
//! product is one too (`22`) when it counts the stock for its variations: a variation that says `"manage_stock": "parent"`
//! has its quantity there.

use rust_decimal::Decimal;
use serde_json::Value;

use super::meta::Meta;
use super::text::plain;
use crate::contract::{Extra, Level, Listing, ListingRef, ListingStatus, Money, PriceReading, StockTracking};
use crate::decimal;
use crate::json::{Doc, Refusal, text_extra};
use crate::settings::WeightUnit;

/// What names a listing: product, or product and variation. Order lines name the same two numbers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListingId {
    pub product: String,
    pub variation: Option<String>,
}

impl ListingId {
    pub fn parse(text: &str) -> Option<Self> {
        let number = |part: &str| !part.is_empty() && part.len() <= 20 && part.bytes().all(|b| b.is_ascii_digit());
        let (product, variation) = match text.split_once('/') {
            Some((product, variation)) => (product, Some(variation)),
            None => (text, None),
        };
        let fits = number(product) && variation.is_none_or(number);
        fits.then(|| Self { product: product.to_owned(), variation: variation.map(str::to_owned) })
    }

    /// What an order or refund line sold; `None` for a line without a product.
    pub fn of_line(line: Doc<'_>) -> Result<Option<Self>, Refusal> {
        let variation = line.id("variation_id")?;
        Ok(line.id("product_id")?.map(|product| Self { product, variation }))
    }
}

impl std::fmt::Display for ListingId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.variation {
            Some(variation) => write!(f, "{}/{variation}", self.product),
            None => f.write_str(&self.product),
        }
    }
}

/// What a product document does not tell by itself.
#[derive(Debug, Clone)]
pub struct Units {
    /// ISO 4217 of the shop's prices.
    pub currency: Option<String>,
    pub weight: WeightUnit,
}

/// What became of a product document.
#[derive(Debug, Clone, PartialEq)]
pub enum Offered {
    Listing(Box<Listing>),
    /// Has neither price nor quantity of its own; the reason, for people.
    NotSellable(&'static str),
}

/// Members with a field in the record, twins in the site's own time zone, and what only matters on the shop's own pages
/// (texts, pictures, recommendations, ratings, downloads, tax classes): a listing tells what is sold, not how it looks.
const NOT_IN_EXTRAS: [&str; 44] = [
    "id",
    "name",
    "sku",
    "global_unique_id",
    "status",
    "price",
    "manage_stock",
    "stock_quantity",
    "weight",
    "permalink",
    "date_modified_gmt",
    "parent_id",
    "date_created",
    "date_modified",
    "date_on_sale_from",
    "date_on_sale_to",
    "_links",
    "slug",
    "description",
    "short_description",
    "price_html",
    "images",
    "image",
    "gallery_images",
    "featured",
    "downloads",
    "download_limit",
    "download_expiry",
    "button_text",
    "reviews_allowed",
    "average_rating",
    "rating_count",
    "related_ids",
    "upsell_ids",
    "cross_sell_ids",
    "purchase_note",
    "menu_order",
    "total_sales",
    "default_attributes",
    "catalog_visibility",
    "has_options",
    "post_password",
    "generated_slug",
    "permalink_template",
];

/// One product or variation. `parent` is the product a variation belongs to, where the reader knows it.
pub fn listing(document: &Value, parent: Option<&Value>, units: &Units) -> Result<Offered, Refusal> {
    let doc = Doc::new(document)?;
    let id = doc.required_id("id")?;
    let kind = doc.text("type")?.unwrap_or_default();
    let parent_doc = parent.map(Doc::new).transpose()?;
    let product = product_of(doc, parent_doc, &kind)?;
    let counts = manages_stock(doc)?;
    match kind.as_str() {
        "grouped" => {
            return Ok(Offered::NotSellable("a grouped product has no price and no stock of its own; its members do"));
        }
        "external" => {
            return Ok(Offered::NotSellable("an external product is sold on another site"));
        }
        "variable" | "variable-subscription" if counts != StockTracking::Tracked => {
            return Ok(Offered::NotSellable("a variable product is sold by its variations and counts no stock for them"));
        }
        _ => {}
    }
    let meta = Meta::of(doc)?;
    let listing_id = match &product {
        Some(product) => ListingId { product: product.clone(), variation: Some(id) },
        None => ListingId { product: id, variation: None },
    };
    let quantity = if counts == StockTracking::Tracked { doc.decimal("stock_quantity")? } else { None };
    let mut extras = doc.rest(&NOT_IN_EXTRAS);
    // A variation's attributes are its options; a product's are a description of it.
    extras.retain(|extra| extra.key != "attributes" || product.is_none());
    let level = quantity.map(|quantity| level(quantity, &mut extras)).transpose()?;
    let weight = doc.decimal("weight")?;
    let (hs_code, origin) = (meta.hs_code().and_then(|text| hs_code(&text)), meta.origin().and_then(|text| country(&text)));
    Ok(Offered::Listing(Box::new(Listing {
        external_id: listing_id.to_string(),
        parent: product,
        sku: doc.text("sku")?,
        gtin: [doc.loose_text("global_unique_id")].into_iter().flatten().chain(meta.gtin_candidates()).find_map(|text| gtin(&text)),
        title: title(doc, parent_doc)?,
        options: options(doc)?,
        status: status(doc)?,
        price: price(doc, units.currency.as_deref(), &mut extras)?,
        tracking: counts,
        levels: level.into_iter().collect(),
        weight_g: weight.and_then(|weight| grams(weight, units.weight, &mut extras)),
        hs_code,
        origin,
        url: doc.text("permalink")?,
        updated_at: doc.instant("date_modified_gmt")?,
        handles: Vec::new(),
        extras,
    })))
}

/// The prices of one product or variation, as `prices-out` writes them: the lower one is asked, the higher one is struck
/// through.
pub fn price_reading(document: &Value, id: &ListingId, currency: &str) -> Result<PriceReading, Refusal> {
    let doc = Doc::new(document)?;
    let money = |amount: Decimal| Money { amount: amount.to_string(), currency: currency.to_owned() };
    let regular = doc.decimal("regular_price")?;
    let sale = doc.decimal("sale_price")?;
    Ok(PriceReading { listing: id.to_string(), price: sale.or(regular).map(money), compare_at: sale.and(regular).map(money) })
}

/// What the shop holds of one listing.
pub fn levels(document: &Value) -> Result<Vec<Level>, Refusal> {
    let doc = Doc::new(document)?;
    match (manages_stock(doc)?, doc.decimal("stock_quantity")?) {
        (StockTracking::Tracked, Some(quantity)) => Ok(vec![level(quantity, &mut Vec::new())?]),
        _ => Ok(Vec::new()),
    }
}

/// The product of a variation: what the reader knows, what the document says, or the address the document links up to.
/// `None` for a product.
fn product_of(doc: Doc<'_>, parent: Option<Doc<'_>>, kind: &str) -> Result<Option<String>, Refusal> {
    if let Some(parent) = parent {
        return parent.required_id("id").map(Some).map_err(|refusal| refusal.within("parent"));
    }
    let is_variation = match kind {
        "variation" | "subscription_variation" => true,
        // Variations read from their own route have no type; products always have one.
        "" => true,
        _ => return Ok(None),
    };
    if let Some(parent) = doc.id("parent_id")? {
        return Ok(Some(parent));
    }
    let up = (doc.object("_links")?.and_then(|links| links.get("up")))
        .and_then(|up| up.get(0)?.get("href")?.as_str())
        .and_then(|href| href.trim_end_matches('/').rsplit('/').next())
        .filter(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()));
    match up {
        Some(id) => Ok(Some(id.to_owned())),
        None if is_variation => Err(Refusal::new("parent_id", "expected the product this variation belongs to, found none")),
        None => Ok(None),
    }
}

pub fn manages_stock(doc: Doc<'_>) -> Result<StockTracking, Refusal> {
    if doc.get("manage_stock").and_then(Value::as_str) == Some("parent") {
        return Ok(StockTracking::Parent);
    }
    Ok(match doc.flag("manage_stock")? {
        Some(true) => StockTracking::Tracked,
        Some(false) | None => StockTracking::Untracked,
    })
}

/// Whole units; parts of a unit (some extensions sell by weight) cannot be promised, so they are floored and kept beside.
fn level(quantity: Decimal, extras: &mut Vec<Extra>) -> Result<Level, Refusal> {
    let whole = decimal::floor(quantity)
        .ok_or_else(|| Refusal::new("stock_quantity", format!("expected a quantity within 32 bits, found {quantity}")))?;
    if !decimal::is_whole(quantity) {
        extras.push(text_extra("stock_quantity", &quantity.to_string()));
    }
    Ok(Level { location: None, quantity: whole })
}

/// The asking price. Without the shop's currency it is kept as a bare amount.
fn price(doc: Doc<'_>, currency: Option<&str>, extras: &mut Vec<Extra>) -> Result<Option<Money>, Refusal> {
    let Some(amount) = doc.decimal("price")? else {
        return Ok(None);
    };
    match currency {
        Some(currency) => Ok(Some(Money { amount: amount.to_string(), currency: currency.to_owned() })),
        None => {
            extras.push(text_extra("price", &amount.to_string()));
            Ok(None)
        }
    }
}

/// A variation has no name of its own in most versions; its product's name serves.
fn title(doc: Doc<'_>, parent: Option<Doc<'_>>) -> Result<String, Refusal> {
    let own = doc.text("name")?;
    let parents = parent.and_then(|parent| parent.loose_text("name"));
    let title = parents.or(own).or_else(|| doc.loose_text("sku")).unwrap_or_default();
    Ok(plain(&title))
}

/// A variation's choices; a product's attributes tell nothing apart.
fn options(doc: Doc<'_>) -> Result<Vec<(String, String)>, Refusal> {
    let pairs = doc.each("attributes", |attribute| {
        let name = attribute.text("name")?.or(attribute.text("slug")?);
        Ok(name.zip(attribute.text("option")?))
    })?;
    Ok(pairs.into_iter().flatten().map(|(name, option)| (plain(&name), plain(&option))).collect())
}

/// Early versions wrote a variation's state as a flag.
fn status(doc: Doc<'_>) -> Result<ListingStatus, Refusal> {
    if let Some(Value::Bool(visible)) = doc.get("status") {
        return Ok(if *visible { ListingStatus::Active } else { ListingStatus::Draft });
    }
    Ok(match doc.text("status")?.as_deref() {
        Some("publish") | None => ListingStatus::Active,
        Some("draft" | "pending" | "auto-draft" | "future") => ListingStatus::Draft,
        Some("private" | "trash") => ListingStatus::Archived,
        Some(_) => ListingStatus::Other,
    })
}

/// Whole grams, rounded half up; an absurd weight is kept beside instead.
fn grams(weight: Decimal, unit: WeightUnit, extras: &mut Vec<Extra>) -> Option<u32> {
    // Exact definitions: international pound = 453.59237 g, ounce = 1/16 of it.
    let factor = match unit {
        WeightUnit::Kilogram => Decimal::ONE_THOUSAND,
        WeightUnit::Gram => Decimal::ONE,
        WeightUnit::Pound => Decimal::new(45_359_237, 5),
        WeightUnit::Ounce => Decimal::new(28_349_523_125, 9),
    };
    let grams = weight
        .checked_mul(factor)
        .map(|grams| grams.round_dp_with_strategy(0, rust_decimal::RoundingStrategy::MidpointAwayFromZero).normalize());
    let grams = grams.and_then(|grams| grams.to_string().parse().ok());
    if grams.is_none() {
        extras.push(text_extra("weight", &weight.to_string()));
    }
    grams
}

/// Digits of a GTIN whose check digit is right; separators are forgiven.
pub fn gtin(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    let fits = matches!(digits.len(), 8 | 12 | 13 | 14) && digits.bytes().all(|b| b.is_ascii_digit());
    fits.then_some(())?;
    let weighted = digits.bytes().rev().zip([1u32, 3].into_iter().cycle()).map(|(b, weight)| u32::from(b - b'0') * weight);
    (weighted.sum::<u32>() % 10 == 0).then_some(digits)
}

fn hs_code(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    (6..=10).contains(&digits.len()).then_some(digits)
}

fn country(text: &str) -> Option<String> {
    let code = text.trim().to_ascii_uppercase();
    (code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase())).then_some(code)
}

/// The listing a reference from the host names.
pub fn referenced(listing: &ListingRef) -> Result<ListingId, String> {
    ListingId::parse(&listing.external_id)
        .ok_or_else(|| format!("\"{}\" is not a listing of this shop; expected PRODUCT or PRODUCT/VARIATION", listing.external_id))
}
