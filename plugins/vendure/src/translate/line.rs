//! Lines of an order: goods, shipping, surcharges. All with tax, as the shop's buyers see them.

use rust_decimal::Decimal;

use super::facts::{Facts, amounts, required, whole};
use crate::contract::{Line, LineKind, Shipment, TaxCollector, TaxPart};
use crate::json::{Doc, Refusal};

/// How an order's amounts are read, and what of it has left.
pub struct Sale<'a> {
    pub facts: &'a Facts,
    pub currency: &'a str,
    pub shipments: &'a [Shipment],
    pub cancelled: bool,
}

const GOODS_MAPPED: [&str; 10] = [
    "id",
    "quantity",
    "orderPlacedQuantity",
    "unitPriceWithTax",
    "proratedUnitPrice",
    "proratedUnitPriceWithTax",
    "proratedLinePrice",
    "proratedLinePriceWithTax",
    "taxLines",
    "productVariant",
];

/// The shop takes cancelled units off the line, and off its amounts. Here they stay, as units that will never leave.
pub fn goods(doc: Doc<'_>, sale: &Sale<'_>) -> Result<Line, Refusal> {
    let id = required(doc, "id")?;
    let variant = doc.object("productVariant")?.ok_or_else(|| Refusal::new("productVariant", "expected what was sold, found none"))?;
    let (kept, placed) = (whole(doc, "quantity")?, whole(doc, "orderPlacedQuantity")?);
    let left = sale.shipments.iter().flat_map(|s| &s.lines).filter(|l| l.line == id).fold(0, |sum: u32, l| sum.saturating_add(l.quantity));
    let sold = kept.max(placed).max(left);
    let open = if sale.cancelled { 0 } else { kept.saturating_sub(left) };
    let taken_off = Decimal::from(sold - kept);
    let amount = |line: &str, unit: &str| -> Result<Decimal, Refusal> {
        Ok(sale.facts.booked(doc.required_decimal(line)? + doc.required_decimal(unit)? * taken_off))
    };
    let total = amount("proratedLinePriceWithTax", "proratedUnitPriceWithTax")?;
    let net = amount("proratedLinePrice", "proratedUnitPrice")?;
    let unit = sale.facts.exact(doc.required_decimal("unitPriceWithTax")?);
    let discount = (sale.facts.booked(doc.required_decimal("unitPriceWithTax")? * Decimal::from(sold)) - total).max(Decimal::ZERO);
    Ok(Line {
        kind: LineKind::Physical,
        listing: variant.text("id")?,
        sku: variant.text("sku")?,
        gtin: None,
        title: variant.text("name")?.unwrap_or_default(),
        quantity: sold,
        fulfilled: left,
        released: sold - left - open,
        unit_price: amounts(unit, sale.currency),
        total: amounts(total, sale.currency),
        discount: amounts(discount, sale.currency),
        taxes: taxes(doc, sale, total, net)?,
        location: None,
        extras: doc.rest(&GOODS_MAPPED),
        external_id: id,
    })
}

/// Shipping is a line like any other; its id is made, for the shop counts it apart from the goods.
pub fn shipping(doc: Doc<'_>, sale: &Sale<'_>) -> Result<Line, Refusal> {
    let method = doc.object("shippingMethod")?;
    let title = method.and_then(|method| method.loose_text("name")).unwrap_or_else(|| "Shipping".to_owned());
    let (before, total) = (doc.required_decimal("priceWithTax")?, doc.required_decimal("discountedPriceWithTax")?);
    let net = doc.decimal("discountedPrice")?.unwrap_or(total);
    let (before, total, net) = (sale.facts.booked(before), sale.facts.booked(total), sale.facts.booked(net));
    let taxes = (total != net).then(|| TaxPart {
        title: "Tax".to_owned(),
        code: None,
        rate: None,
        amount: amounts(total - net, sale.currency),
        collector: TaxCollector::Seller,
    });
    let code = method.and_then(|method| method.loose_text("code"));
    Ok(Line {
        taxes: taxes.into_iter().collect(),
        discount: amounts((before - total).max(Decimal::ZERO), sale.currency),
        extras: code.map(|code| crate::json::text_extra("shippingMethod", &code)).into_iter().collect(),
        ..charge(format!("shipping-{}", required(doc, "id")?), LineKind::Shipping, title, before, total, sale)
    })
}

pub fn surcharge(doc: Doc<'_>, sale: &Sale<'_>) -> Result<Line, Refusal> {
    let (total, net) = (sale.facts.booked(doc.required_decimal("priceWithTax")?), sale.facts.booked(doc.required_decimal("price")?));
    let title = doc.text("description")?.unwrap_or_else(|| "Surcharge".to_owned());
    Ok(Line {
        sku: doc.text("sku")?,
        taxes: taxes(doc, sale, total, net)?,
        ..charge(format!("surcharge-{}", required(doc, "id")?), LineKind::Fee, title, total, total, sale)
    })
}

fn charge(external_id: String, kind: LineKind, title: String, unit: Decimal, total: Decimal, sale: &Sale<'_>) -> Line {
    Line {
        external_id,
        kind,
        listing: None,
        sku: None,
        gtin: None,
        title,
        quantity: 1,
        fulfilled: 0,
        released: 0,
        unit_price: amounts(unit, sale.currency),
        total: amounts(total, sale.currency),
        discount: amounts(Decimal::ZERO, sale.currency),
        taxes: Vec::new(),
        location: None,
        extras: Vec::new(),
    }
}

/// The shop tells the rates and the sum. One rate has all of it; several have what each comes to, uncut.
fn taxes(doc: Doc<'_>, sale: &Sale<'_>, total: Decimal, net: Decimal) -> Result<Vec<TaxPart>, Refusal> {
    let rates = doc.each("taxLines", |tax| Ok((tax.text("description")?, tax.required_decimal("taxRate")? / Decimal::ONE_HUNDRED)))?;
    let alone = rates.len() == 1;
    let part = |(title, rate): (Option<String>, Decimal)| TaxPart {
        title: title.unwrap_or_else(|| "Tax".to_owned()),
        code: None,
        rate: Some(rate.normalize().to_string()),
        amount: amounts(if alone { total - net } else { (net * rate).normalize() }, sale.currency),
        collector: TaxCollector::Seller,
    };
    Ok(rates.into_iter().map(part).collect())
}
