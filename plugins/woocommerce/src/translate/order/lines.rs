//! The lines of an order: products, shipping and fees. Coupons are no lines: their discount is already inside the lines
//! and in `discount-total`; the coupon itself is kept in the order's extras.

use rust_decimal::Decimal;

use super::amounts;
use crate::contract::{Line, LineKind, TaxCollector, TaxPart};
use crate::decimal;
use crate::json::{Doc, Refusal};
use crate::translate::listing::ListingId;
use crate::translate::meta::Meta;
use crate::translate::text::plain;

const PRODUCT_MAPPED: [&str; 14] = [
    "id",
    "name",
    "product_id",
    "variation_id",
    "quantity",
    "subtotal",
    "total",
    "total_tax",
    "taxes",
    "sku",
    "price",
    "global_unique_id",
    "image",
    "parent_name",
];
const SHIPPING_MAPPED: [&str; 5] = ["id", "method_title", "total", "total_tax", "taxes"];
const FEE_MAPPED: [&str; 5] = ["id", "name", "total", "total_tax", "taxes"];

pub fn lines(order: Doc<'_>, currency: &str) -> Result<Vec<Line>, Refusal> {
    let rates = Rates::of(order)?;
    let mut lines = order.each("line_items", |item| product(item, currency, &rates))?;
    lines
        .extend(order.each("shipping_lines", |item| charge(item, LineKind::Shipping, "method_title", &SHIPPING_MAPPED, currency, &rates))?);
    lines.extend(order.each("fee_lines", |item| {
        let kind = if is_tip(item) { LineKind::Tip } else { LineKind::Fee };
        charge(item, kind, "name", &FEE_MAPPED, currency, &rates)
    })?);
    Ok(lines)
}

/// An order line does not say whether its product is shipped or downloaded; what is not known to be something else
/// counts as physical. A line typed in by hand has neither product nor SKU.
fn product(item: Doc<'_>, currency: &str, rates: &Rates) -> Result<Line, Refusal> {
    let meta = Meta::of(item)?;
    let listing = ListingId::of_line(item)?;
    let sku = item.text("sku")?;
    let kind = match (&listing, &sku) {
        _ if meta.is_gift_card() => LineKind::GiftCard,
        (None, None) => LineKind::Custom,
        _ => LineKind::Physical,
    };
    let quantity = quantity(item)?;
    let total = item.required_decimal("total")?;
    let before_discount = item.decimal("subtotal")?.unwrap_or(total);
    let unit_price = match item.decimal("price")? {
        Some(price) => price,
        None => total.checked_div(Decimal::from(quantity)).unwrap_or(total).normalize(),
    };
    Ok(Line {
        external_id: item.required_id("id")?,
        kind,
        listing: listing.map(|id| id.to_string()),
        sku,
        gtin: item.loose_text("global_unique_id").and_then(|text| crate::translate::listing::gtin(&text)),
        title: plain(&item.text("name")?.unwrap_or_default()),
        quantity,
        fulfilled: 0,
        released: 0,
        unit_price: amounts(unit_price, currency),
        total: amounts(total, currency),
        discount: amounts((before_discount - total).max(Decimal::ZERO), currency),
        taxes: rates.parts(item, currency)?,
        location: None,
        extras: item.rest(&PRODUCT_MAPPED),
    })
}

fn charge(item: Doc<'_>, kind: LineKind, title: &str, mapped: &[&str], currency: &str, rates: &Rates) -> Result<Line, Refusal> {
    let total = item.decimal("total")?.unwrap_or_default();
    Ok(Line {
        external_id: item.required_id("id")?,
        kind,
        listing: None,
        sku: None,
        gtin: None,
        title: plain(&item.text(title)?.unwrap_or_default()),
        quantity: 1,
        fulfilled: 0,
        released: 0,
        unit_price: amounts(total, currency),
        total: amounts(total, currency),
        discount: amounts(Decimal::ZERO, currency),
        taxes: rates.parts(item, currency)?,
        location: None,
        extras: item.rest(mapped),
    })
}

fn quantity(item: Doc<'_>) -> Result<u32, Refusal> {
    let value = item.required_decimal("quantity")?;
    let refuse = || Refusal::new("quantity", format!("expected a whole number of units from 0, found {value}"));
    if value.is_sign_negative() && !value.is_zero() || !decimal::is_whole(value) {
        return Err(refuse());
    }
    value.normalize().to_string().parse().map_err(|_| refuse())
}

/// Tips are fees with a telling name or mark.
fn is_tip(item: Doc<'_>) -> bool {
    let name = item.loose_text("name").unwrap_or_default().to_lowercase();
    let marked = Meta::of(item).is_ok_and(|meta| meta.get("_wc_order_tip").is_some() || meta.get("_is_tip").is_some());
    let told =
        name.split(|c: char| !c.is_alphanumeric()).any(|word| matches!(word, "tip" | "gratuity" | "trinkgeld" | "pourboire" | "propina"));
    marked || told
}

/// The tax rates that the order names once and its lines refer to.
struct Rates {
    rates: Vec<Rate>,
}

struct Rate {
    id: String,
    title: String,
    code: Option<String>,
    /// A fraction.
    rate: Option<String>,
}

impl Rates {
    fn of(order: Doc<'_>) -> Result<Self, Refusal> {
        let rates = order.each("tax_lines", |line| {
            let percent = line.decimal("rate_percent")?;
            Ok(Rate {
                id: line.text("rate_id")?.unwrap_or_default(),
                title: plain(&line.loose_text("label").unwrap_or_else(|| "Tax".to_owned())),
                code: line.loose_text("rate_code"),
                rate: percent.map(|percent| (percent / Decimal::ONE_HUNDRED).normalize().to_string()),
            })
        })?;
        Ok(Self { rates })
    }

    /// A line's taxes: its parts, or its sum where the shop gives no parts. Parts of a rate that does not apply to the line
    /// are left out (the shop writes them as empty texts).
    fn parts(&self, item: Doc<'_>, currency: &str) -> Result<Vec<TaxPart>, Refusal> {
        let parts: Vec<Option<TaxPart>> = item.each("taxes", |part| {
            let id = part.text("id")?.unwrap_or_default();
            let Some(amount) = part.decimal("total")? else {
                return Ok(None);
            };
            let rate = self.rates.iter().find(|rate| rate.id == id);
            Ok(Some(TaxPart {
                title: rate.map_or_else(|| "Tax".to_owned(), |rate| rate.title.clone()),
                code: rate.and_then(|rate| rate.code.clone()).or(Some(id)),
                rate: rate.and_then(|rate| rate.rate.clone()),
                amount: amounts(amount, currency),
                collector: TaxCollector::Seller,
            }))
        })?;
        let parts: Vec<TaxPart> = parts.into_iter().flatten().collect();
        let sum = item.decimal("total_tax")?.unwrap_or_default();
        if parts.is_empty() && !sum.is_zero() {
            return Ok(vec![TaxPart {
                title: "Tax".to_owned(),
                code: None,
                rate: None,
                amount: amounts(sum, currency),
                collector: TaxCollector::Seller,
            }]);
        }
        Ok(parts)
    }
}
