//! Orders as the GraphQL API gives them.

use serde_json::Value;

use super::address::{self, address};
use super::money::{Bag, GRAPH};
use super::order::{Charge, LineParts, Parts, RefundParts, build};
use crate::contract::{Buyer, LineKind, Order, Refund, RefundLine, Shipment, ShipmentLine, TaxCollector, TaxPart, Tracking};
use crate::gid;
use crate::json::{Doc, Refusal};

/// Members with a field in the record; all others go into the extras. `shippingLines` and `lineItems` are lines.
const ORDER_MAPPED: [&str; 28] = [
    "id",
    "name",
    "createdAt",
    "updatedAt",
    "cancelledAt",
    "test",
    "taxesIncluded",
    "displayFinancialStatus",
    "displayFulfillmentStatus",
    "note",
    "tags",
    "totalPriceSet",
    "subtotalPriceSet",
    "totalDiscountsSet",
    "totalTaxSet",
    "totalShippingPriceSet",
    "totalRefundedSet",
    "originalTotalAdditionalFeesSet",
    "originalTotalDutiesSet",
    "customer",
    "customerLocale",
    "email",
    "phone",
    "shippingAddress",
    "billingAddress",
    "fulfillmentsCount",
    "shippingLines",
    "lineItems",
];
const LINE_MAPPED: [&str; 12] = [
    "id",
    "title",
    "variantTitle",
    "sku",
    "quantity",
    "fulfillableQuantity",
    "requiresShipping",
    "isGiftCard",
    "variant",
    "originalUnitPriceSet",
    "discountAllocations",
    "taxLines",
];
const SHIPPING_MAPPED: [&str; 5] = ["id", "title", "originalPriceSet", "discountAllocations", "taxLines"];

/// One order, with all of its lines. `fulfillments` and `refunds` are the documents of their own queries.
pub fn order(document: &Value, fulfillments: &[Value], refunds: &[Value]) -> Result<Order, Refusal> {
    let doc = Doc::new(document)?;
    let id = required(doc, "id")?;
    let total =
        Bag::read(doc, "totalPriceSet", &GRAPH)?.ok_or_else(|| Refusal::new("totalPriceSet", "expected the order's total, found none"))?;
    let bag = |key: &str| Bag::read(doc, key, &GRAPH);
    let (shipments, other) = shipments(fulfillments)?;
    let mut charges = nodes(doc, "shippingLines", |line| shipping(line, &id))?;
    charges.extend(extra_charges(&id, bag("originalTotalAdditionalFeesSet")?, bag("originalTotalDutiesSet")?));
    let refunds = (refunds.iter().enumerate()).map(|(at, document)| refund(document).map_err(|r| r.within(&format!("refunds[{at}]"))));
    let mut extras = doc.rest(&ORDER_MAPPED);
    extras.extend((!other.is_empty()).then(|| entrepot_sdk::extra("fulfillmentsNotShipped", &Value::Array(other))));
    let read_address = |key: &str| match doc.object(key)? {
        Some(part) => address(part, &address::GRAPH).map(Some).map_err(|refusal| refusal.within(key)),
        None => Ok(None),
    };
    Ok(build(Parts {
        name: doc.text("name")?.unwrap_or_else(|| id.clone()),
        placed_at: instant(doc, "createdAt")?,
        updated_at: instant(doc, "updatedAt")?,
        cancelled_at: doc.instant("cancelledAt")?,
        test: doc.flag("test")?.unwrap_or(false),
        taxes_included: doc.flag("taxesIncluded")?.unwrap_or(false),
        financial: doc.text("displayFinancialStatus")?.map(|word| word.to_lowercase()),
        fulfilment: doc.text("displayFulfillmentStatus")?.map_or_else(|| "unfulfilled".to_owned(), |word| word.to_lowercase()),
        lines: nodes(doc, "lineItems", line)?,
        charges,
        subtotal: bag("subtotalPriceSet")?,
        discounts: bag("totalDiscountsSet")?,
        tax: bag("totalTaxSet")?,
        shipping: bag("totalShippingPriceSet")?,
        refunded: bag("totalRefundedSet")?,
        total,
        buyer: buyer(doc)?,
        ship_to: read_address("shippingAddress")?,
        bill_to: read_address("billingAddress")?,
        shipments,
        refunds: refunds.collect::<Result<Vec<_>, _>>()?,
        note: doc.text("note")?,
        tags: tags(doc)?,
        extras,
        id,
    }))
}

fn line(doc: Doc<'_>) -> Result<LineParts, Refusal> {
    let unit = Bag::read(doc, "originalUnitPriceSet", &GRAPH)?
        .ok_or_else(|| Refusal::new("originalUnitPriceSet", "expected a price, found none"))?;
    let variant = doc.object("variant")?;
    Ok(LineParts {
        id: required(doc, "id")?,
        variant: inner_id(variant)?,
        product: inner_id(doc.object("product")?)?,
        sku: doc.text("sku")?,
        gtin: variant.and_then(|variant| variant.loose_text("barcode")).and_then(|code| super::listing::gtin(&code)),
        title: title(doc.text("title")?, doc.text("variantTitle")?),
        quantity: whole(doc, "quantity")?,
        open: if doc.get("fulfillableQuantity").is_some() { Some(whole(doc, "fulfillableQuantity")?) } else { None },
        discount: allocated(doc, "allocatedAmountSet", "discountAllocations", &unit)?,
        taxes: taxes(doc)?,
        requires_shipping: doc.flag("requiresShipping")?.unwrap_or(true),
        gift_card: doc.flag("isGiftCard")?.unwrap_or(false),
        tip: false,
        location: None,
        extras: doc.rest(&LINE_MAPPED),
        unit,
    })
}

fn shipping(doc: Doc<'_>, order: &str) -> Result<Charge, Refusal> {
    let price =
        Bag::read(doc, "originalPriceSet", &GRAPH)?.ok_or_else(|| Refusal::new("originalPriceSet", "expected a price, found none"))?;
    let title = doc.text("title")?.unwrap_or_default();
    Ok(Charge {
        id: doc.text("id")?.unwrap_or_else(|| format!("{order}#shipping-{title}")),
        kind: LineKind::Shipping,
        discount: allocated(doc, "allocatedAmountSet", "discountAllocations", &price)?,
        taxes: taxes(doc)?,
        extras: doc.rest(&SHIPPING_MAPPED),
        title,
        price,
    })
}

/// Fees and duties come as sums of the order; as lines they have ids made of the order's.
pub fn extra_charges(order: &str, fees: Option<Bag>, duties: Option<Bag>) -> Vec<Charge> {
    let charge = |name: &str, title: &str, price: Bag| Charge {
        id: format!("{order}#{name}"),
        kind: LineKind::Fee,
        title: title.to_owned(),
        discount: price.zero(),
        price,
        taxes: Vec::new(),
        extras: Vec::new(),
    };
    let fees = fees.filter(|bag| !bag.is_zero()).map(|bag| charge("fees", "Additional fees", bag));
    let duties = duties.filter(|bag| !bag.is_zero()).map(|bag| charge("duties", "Duties", bag));
    fees.into_iter().chain(duties).collect()
}

fn taxes(doc: Doc<'_>) -> Result<Vec<TaxPart>, Refusal> {
    doc.each("taxLines", |tax| {
        let amount = Bag::read(tax, "priceSet", &GRAPH)?.ok_or_else(|| Refusal::new("priceSet", "expected an amount, found none"))?;
        Ok(TaxPart {
            title: tax.text("title")?.unwrap_or_else(|| "Tax".to_owned()),
            code: tax.text("source")?,
            rate: tax.decimal("rate")?.map(|rate| rate.normalize().to_string()),
            amount: amount.amounts(),
            collector: collector(tax.flag("channelLiable")?),
        })
    })
}

/// Shopify says `null` where it does not know.
pub fn collector(channel_liable: Option<bool>) -> TaxCollector {
    match channel_liable {
        Some(true) => TaxCollector::Channel,
        Some(false) => TaxCollector::Seller,
        None => TaxCollector::Unknown,
    }
}

fn allocated(doc: Doc<'_>, key: &str, list: &str, unit: &Bag) -> Result<Bag, Refusal> {
    let parts = doc.each(list, |part| Bag::read(part, key, &GRAPH))?;
    Ok(parts.into_iter().flatten().fold(unit.zero(), |sum, part| sum.plus(&part)))
}

fn buyer(doc: Doc<'_>) -> Result<Option<Buyer>, Refusal> {
    let customer = doc.object("customer")?;
    let contact = |key: &str, value: &str| match customer.map(|customer| customer.object(key)) {
        Some(Ok(Some(contact))) => contact.text(value),
        Some(Err(refusal)) => Err(refusal.within("customer")),
        _ => Ok(None),
    };
    let buyer = Buyer {
        external_id: inner_id(customer)?,
        name: customer.and_then(|customer| customer.loose_text("displayName")),
        email: doc.text("email")?.or(contact("defaultEmailAddress", "emailAddress")?),
        phone: doc.text("phone")?.or(contact("defaultPhoneNumber", "phoneNumber")?),
        locale: doc.text("customerLocale")?,
        tax_number: None,
        extras: Vec::new(),
    };
    let known = buyer.external_id.is_some() || buyer.name.is_some() || buyer.email.is_some() || buyer.phone.is_some();
    Ok(Some(buyer).filter(|_| known))
}

/// Those that left, and, as they are, those that did not (cancelled, failed).
fn shipments(documents: &[Value]) -> Result<(Vec<Shipment>, Vec<Value>), Refusal> {
    let (mut shipments, mut other) = (Vec::new(), Vec::new());
    for (at, document) in documents.iter().enumerate() {
        let shipment = fulfillment(document).map_err(|refusal| refusal.within(&format!("fulfillments[{at}]")))?;
        match has_left(shipment.status.as_deref()) {
            true => shipments.push(shipment),
            false => other.push(document.clone()),
        }
    }
    Ok((shipments, other))
}

/// A fulfilment that was cancelled or failed moved nothing.
pub fn has_left(status: Option<&str>) -> bool {
    !matches!(status, Some("cancelled" | "error" | "failure"))
}

pub fn fulfillment(document: &Value) -> Result<Shipment, Refusal> {
    let doc = Doc::new(document)?;
    let tracking = doc.each("trackingInfo", |item| {
        Ok(item.text("number")?.map(|number| Tracking { number, carrier: item.loose_text("company"), url: item.loose_text("url") }))
    })?;
    let lines = nodes(doc, "fulfillmentLineItems", |item| {
        let line = inner_id(item.object("lineItem")?)?.ok_or_else(|| Refusal::new("lineItem.id", "expected an id, found none"))?;
        Ok(ShipmentLine { line, quantity: whole(item, "quantity")? })
    })?;
    Ok(Shipment {
        external_id: required(doc, "id")?,
        shipped_at: doc.instant("createdAt")?,
        tracking: tracking.into_iter().flatten().collect(),
        lines,
        location: inner_id(doc.object("location")?)?,
        status: doc.text("status")?.map(|word| word.to_lowercase()),
        extras: doc.rest(&["id", "createdAt", "trackingInfo", "fulfillmentLineItems", "location", "status"]),
    })
}

pub fn refund(document: &Value) -> Result<RefundParts, Refusal> {
    let doc = Doc::new(document)?;
    let amount =
        Bag::read(doc, "totalRefundedSet", &GRAPH)?.ok_or_else(|| Refusal::new("totalRefundedSet", "expected an amount, found none"))?;
    let lines = nodes(doc, "refundLineItems", |item| {
        let line = inner_id(item.object("lineItem")?)?.ok_or_else(|| Refusal::new("lineItem.id", "expected an id, found none"))?;
        let record = RefundLine {
            line,
            quantity: whole(item, "quantity")?,
            restocked: item.flag("restocked")?,
            amount: Bag::read(item, "subtotalSet", &GRAPH)?.as_ref().map(Bag::amounts),
        };
        Ok((record, item.loose_text("restockType").is_none_or(|kind| kind != "RETURN")))
    })?;
    Ok(RefundParts {
        unshipped: lines.iter().filter(|(_, unshipped)| *unshipped).map(|(line, _)| line.clone()).collect(),
        refund: Refund {
            external_id: required(doc, "id")?,
            created_at: doc.instant("createdAt")?,
            amount: amount.amounts(),
            reason: doc.text("note")?,
            lines: lines.into_iter().map(|(line, _)| line).collect(),
            extras: Vec::new(),
        },
    })
}

fn tags(doc: Doc<'_>) -> Result<Vec<String>, Refusal> {
    Ok(doc.list("tags")?.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// The nodes of a connection.
pub fn nodes<'a, T>(doc: Doc<'a>, key: &str, read: impl Fn(Doc<'a>) -> Result<T, Refusal>) -> Result<Vec<T>, Refusal> {
    match doc.object(key)? {
        Some(connection) => connection.each("nodes", read).map_err(|refusal| refusal.within(key)),
        None => Ok(Vec::new()),
    }
}

pub fn inner_id(doc: Option<Doc<'_>>) -> Result<Option<String>, Refusal> {
    doc.map_or(Ok(None), |doc| doc.text("id"))
}

pub fn required(doc: Doc<'_>, key: &str) -> Result<String, Refusal> {
    doc.text(key)?.ok_or_else(|| Refusal::new(key, "expected an id, found none"))
}

pub fn instant(doc: Doc<'_>, key: &str) -> Result<String, Refusal> {
    doc.instant(key)?.ok_or_else(|| Refusal::new(key, "expected a date and time, found none"))
}

/// A count of units.
pub fn whole(doc: Doc<'_>, key: &str) -> Result<u32, Refusal> {
    let text = doc.text(key)?.unwrap_or_else(|| "0".to_owned());
    text.parse().map_err(|_| Refusal::new(key, format!("expected a whole number of units from 0, found {text}")))
}

/// `IPod Nano - green`, as the shop itself joins them; the one variant of a plain product has no name.
pub fn title(product: Option<String>, variant: Option<String>) -> String {
    match (product, variant.filter(|variant| variant != "Default Title")) {
        (Some(product), Some(variant)) => format!("{product} - {variant}"),
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => String::new(),
    }
}

/// The id a REST document gives, as a global one.
pub fn global(doc: Doc<'_>, key: &str, kind: &str) -> Result<Option<String>, Refusal> {
    Ok(doc.id(key)?.map(|id| gid::of(kind, &id)))
}
