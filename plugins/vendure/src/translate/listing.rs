//! Variants to listings: what has a price and a quantity in Vendure is the product variant.

use rust_decimal::Decimal;
use serde_json::Value;

use super::facts::{Facts, required};
use crate::contract::{Level, Listing, ListingStatus, Money, StockTracking};
use crate::json::{Doc, Refusal, text_extra};

const MAPPED: [&str; 12] = [
    "id",
    "sku",
    "name",
    "enabled",
    "trackInventory",
    "createdAt",
    "updatedAt",
    "currencyCode",
    "prices",
    "options",
    "product",
    "stockLevels",
];

pub fn listing(document: &Value, facts: &Facts) -> Result<Listing, Refusal> {
    let doc = Doc::new(document)?;
    let product = doc.object("product")?.ok_or_else(|| Refusal::new("product", "expected the variant's product, found none"))?;
    let options = doc.each("options", |option| {
        let group = option.object("group")?.and_then(|group| group.loose_text("name"));
        Ok(group.zip(option.text("name")?))
    })?;
    let sold = doc.flag("enabled")?.unwrap_or(true) && product.flag("enabled")?.unwrap_or(true);
    let mut extras = doc.rest(&MAPPED);
    extras.extend(product.loose_text("slug").map(|slug| text_extra("product.slug", &slug)));
    let stock = stock(document, facts)?;
    Ok(Listing {
        external_id: required(doc, "id")?,
        parent: product.text("id")?,
        sku: doc.text("sku")?,
        gtin: None,
        title: doc.text("name")?.unwrap_or_default(),
        options: options.into_iter().flatten().collect(),
        status: if sold { ListingStatus::Active } else { ListingStatus::Draft },
        price: price(document, facts)?.map(|amount| Money { amount: amount.to_string(), currency: facts.currency.clone() }),
        tracking: if stock.counted { StockTracking::Tracked } else { StockTracking::Untracked },
        levels: stock.levels()?,
        weight_g: None,
        hs_code: None,
        origin: None,
        url: None,
        updated_at: doc.instant("updatedAt")?,
        handles: Vec::new(),
        extras,
    })
}

/// The price somebody entered, with or without tax as the channel says: the same that a price written there becomes.
pub fn price(document: &Value, facts: &Facts) -> Result<Option<Decimal>, Refusal> {
    let prices = Doc::new(document)?.each("prices", |price| Ok((price.text("currencyCode")?, price.required_decimal("price")?)))?;
    let own = prices.into_iter().find(|(currency, _)| currency.as_deref() == Some(facts.currency.as_str()));
    Ok(own.map(|(_, amount)| facts.exact(amount)))
}

/// What the shop has of one variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stock {
    /// Whether the shop counts it at all.
    pub counted: bool,
    /// (location, on the shelf, of that promised to orders)
    pub shelves: Vec<(String, i64, i64)>,
}

impl Stock {
    pub fn allocated(&self, location: &str) -> i64 {
        self.shelf(location).map_or(0, |(_, allocated)| allocated)
    }

    /// What can still be sold at a location; a location without a shelf has none.
    pub fn available(&self, location: &str) -> i64 {
        self.shelf(location).map_or(0, |(on_hand, allocated)| on_hand - allocated)
    }

    pub fn has(&self, location: &str) -> bool {
        self.shelf(location).is_some()
    }

    fn shelf(&self, location: &str) -> Option<(i64, i64)> {
        self.shelves.iter().find(|(at, _, _)| at == location).map(|(_, on_hand, allocated)| (*on_hand, *allocated))
    }

    pub fn levels(&self) -> Result<Vec<Level>, Refusal> {
        let level = |(location, on_hand, allocated): &(String, i64, i64)| {
            let quantity = i32::try_from(on_hand - allocated)
                .map_err(|_| Refusal::new("stockLevels", format!("expected a count of units, found {on_hand}")))?;
            Ok(Level { location: Some(location.clone()), quantity })
        };
        self.shelves.iter().map(level).collect()
    }
}

pub fn stock(document: &Value, facts: &Facts) -> Result<Stock, Refusal> {
    let doc = Doc::new(document)?;
    let count = |level: Doc<'_>, key: &str| {
        let text = required(level, key)?;
        text.parse::<i64>().map_err(|_| Refusal::new(key, format!("expected a whole number of units, found {text}")))
    };
    Ok(Stock {
        counted: match doc.text("trackInventory")?.as_deref() {
            Some("TRUE") => true,
            Some("FALSE") => false,
            _ => facts.counts_stock,
        },
        shelves: doc.each("stockLevels", |level| {
            Ok((required(level, "stockLocationId")?, count(level, "stockOnHand")?, count(level, "stockAllocated")?))
        })?,
    })
}
