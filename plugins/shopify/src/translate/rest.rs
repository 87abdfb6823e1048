//! Orders, fulfilments and refunds in the shape of the older REST API, which webhook bodies have.
//!
//! Old bodies lack members that new ones have (both currencies, open quantities); what is missing is told from the rest.

use rust_decimal::Decimal;
use serde_json::Value;

use super::address::{self, address};
use super::graph::{collector, extra_charges, global, has_left, instant, title, whole};
use super::money::{Bag, REST, currency};
use super::order::{Charge, LineParts, Parts, RefundParts, build};
use crate::contract::{Buyer, LineKind, Order, Refund, RefundLine, Shipment, ShipmentLine, TaxPart, Tracking};
use crate::gid;
use crate::json::{Doc, Refusal};

/// Members with a field in the record, or a reason not to be kept: the buyer's browser, network address and card (nobody
/// here needs them), links that open the order without a login, tokens of the checkout, sums in a currency nobody named,
/// and numbers that `name` already has.
const ORDER_NOT_IN_EXTRAS: [&str; 58] = [
    "id",
    "admin_graphql_api_id",
    "name",
    "created_at",
    "updated_at",
    "cancelled_at",
    "test",
    "taxes_included",
    "financial_status",
    "fulfillment_status",
    "currency",
    "presentment_currency",
    "note",
    "tags",
    "total_price",
    "total_price_set",
    "subtotal_price",
    "subtotal_price_set",
    "total_discounts",
    "total_discounts_set",
    "total_tax",
    "total_tax_set",
    "total_shipping_price_set",
    "original_total_additional_fees_set",
    "original_total_duties_set",
    "customer",
    "customer_locale",
    "email",
    "contact_email",
    "phone",
    "shipping_address",
    "billing_address",
    "line_items",
    "shipping_lines",
    "fulfillments",
    "refunds",
    "location_id",
    "browser_ip",
    "client_details",
    "payment_details",
    "order_status_url",
    "token",
    "cart_token",
    "checkout_token",
    "checkout_id",
    "landing_site",
    "landing_site_ref",
    "referring_site",
    "reference",
    "source_url",
    "source_identifier",
    "device_id",
    "user_id",
    "buyer_accepts_marketing",
    "total_price_usd",
    "number",
    "order_number",
    "processing_method",
];
const LINE_MAPPED: [&str; 22] = [
    "id",
    "admin_graphql_api_id",
    "title",
    "variant_title",
    "name",
    "sku",
    "quantity",
    "fulfillable_quantity",
    "requires_shipping",
    "gift_card",
    "variant_id",
    "price",
    "price_set",
    "discount_allocations",
    "total_discount",
    "total_discount_set",
    "tax_lines",
    "tip",
    "fulfillment_status",
    "product_exists",
    "current_quantity",
    "variant_inventory_management",
];
const SHIPPING_MAPPED: [&str; 10] = [
    "id",
    "title",
    "price",
    "price_set",
    "discount_allocations",
    "discounted_price",
    "discounted_price_set",
    "tax_lines",
    "is_removed",
    "phone",
];

/// Why a body alone does not make the whole order, if so: the caller then asks for the order itself.
pub fn incomplete(document: &Value) -> Result<Option<&'static str>, Refusal> {
    let doc = Doc::new(document)?;
    let (shop, presented) = (doc.text("currency")?, doc.text("presentment_currency")?);
    let two_currencies = presented.is_some() && presented != shop;
    if two_currencies && !doc.list("refunds")?.is_empty() {
        return Ok(Some("its refunds are told in the buyer's currency only"));
    }
    Ok(doc.get("line_items").is_none().then_some("its lines are missing"))
}

pub fn order(document: &Value) -> Result<Order, Refusal> {
    let doc = Doc::new(document)?;
    let id = own_id(doc, "Order")?;
    let currency = currency(doc, "currency")?;
    let bag = |key: &str, set: &str| either(doc, key, set, &currency);
    let total =
        bag("total_price", "total_price_set")?.ok_or_else(|| Refusal::new("total_price", "expected the order's total, found none"))?;
    let mut charges: Vec<Charge> = doc.each("shipping_lines", |line| shipping(line, &id, &currency))?.into_iter().flatten().collect();
    let set = |key: &str| Bag::read(doc, key, &REST);
    charges.extend(extra_charges(&id, set("original_total_additional_fees_set")?, set("original_total_duties_set")?));
    let shipping_sum =
        charges.iter().filter(|c| c.kind == LineKind::Shipping).map(|c| c.price.minus(&c.discount)).reduce(|a, b| a.plus(&b));
    let mut extras = doc.rest(&ORDER_NOT_IN_EXTRAS);
    let (mut shipments, mut other) = (Vec::new(), Vec::new());
    for (at, document) in doc.list("fulfillments")?.iter().enumerate() {
        let shipment = fulfillment(document).map_err(|refusal| refusal.within(&format!("fulfillments[{at}]")))?;
        if has_left(shipment.status.as_deref()) { shipments.push(shipment) } else { other.push(document.clone()) }
    }
    extras.extend((!other.is_empty()).then(|| entrepot_sdk::extra("fulfillmentsNotShipped", &Value::Array(other))));
    let refunds = (doc.list("refunds")?.iter().enumerate())
        .map(|(at, document)| refund(document, &currency).map_err(|refusal| refusal.within(&format!("refunds[{at}]"))))
        .collect::<Result<Vec<_>, _>>()?;
    let read_address = |key: &str| match doc.object(key)? {
        Some(part) => address(part, &address::REST).map(Some).map_err(|refusal| refusal.within(key)),
        None => Ok(None),
    };
    let location = global(doc, "location_id", "Location")?;
    let created_at = instant(doc, "created_at")?;
    Ok(build(Parts {
        name: doc.text("name")?.unwrap_or_else(|| id.clone()),
        updated_at: doc.instant("updated_at")?.unwrap_or_else(|| created_at.clone()),
        placed_at: created_at,
        cancelled_at: doc.instant("cancelled_at")?,
        test: doc.flag("test")?.unwrap_or(false),
        taxes_included: doc.flag("taxes_included")?.unwrap_or(false),
        financial: doc.text("financial_status")?,
        fulfilment: match doc.text("fulfillment_status")?.as_deref() {
            None => "unfulfilled".to_owned(),
            Some("partial") => "partially_fulfilled".to_owned(),
            Some(word) => word.to_owned(),
        },
        lines: doc.each("line_items", |item| line(item, &currency, location.as_deref()))?,
        subtotal: bag("subtotal_price", "subtotal_price_set")?,
        discounts: bag("total_discounts", "total_discounts_set")?,
        tax: bag("total_tax", "total_tax_set")?,
        shipping: set("total_shipping_price_set")?.or(shipping_sum),
        refunded: refunded(&refunds, &currency),
        charges,
        total,
        buyer: buyer(doc)?,
        ship_to: read_address("shipping_address")?,
        bill_to: read_address("billing_address")?,
        shipments,
        refunds,
        note: doc.text("note")?,
        tags: tags(doc)?,
        extras,
        id,
    }))
}

fn line(doc: Doc<'_>, currency: &str, location: Option<&str>) -> Result<LineParts, Refusal> {
    let unit = either(doc, "price", "price_set", currency)?.ok_or_else(|| Refusal::new("price", "expected a price, found none"))?;
    let quantity = whole(doc, "quantity")?;
    let open = if doc.get("fulfillable_quantity").is_some() { Some(whole(doc, "fulfillable_quantity")?) } else { None };
    Ok(LineParts {
        id: own_id(doc, "LineItem")?,
        variant: global(doc, "variant_id", "ProductVariant")?,
        product: doc.id("product_id")?,
        sku: doc.text("sku")?,
        gtin: None,
        title: title(doc.text("title")?, doc.text("variant_title")?),
        quantity,
        open,
        discount: discount(doc, &unit, currency)?,
        taxes: taxes(doc, currency)?,
        requires_shipping: doc.flag("requires_shipping")?.unwrap_or(true),
        gift_card: doc.flag("gift_card")?.unwrap_or(false),
        tip: doc.get("tip").is_some(),
        location: location.map(str::to_owned),
        extras: doc.rest(&LINE_MAPPED),
        unit,
    })
}

/// Old bodies give one sum instead of the parts.
fn discount(doc: Doc<'_>, unit: &Bag, currency: &str) -> Result<Bag, Refusal> {
    if doc.get("discount_allocations").is_none() {
        return Ok(either(doc, "total_discount", "total_discount_set", currency)?.unwrap_or_else(|| unit.zero()));
    }
    let parts = doc.each("discount_allocations", |part| either(part, "amount", "amount_set", currency))?;
    Ok(parts.into_iter().flatten().fold(unit.zero(), |sum, part| sum.plus(&part)))
}

/// `None` for a shipping line that was taken out of the order.
fn shipping(doc: Doc<'_>, order: &str, currency: &str) -> Result<Option<Charge>, Refusal> {
    if doc.flag("is_removed")? == Some(true) {
        return Ok(None);
    }
    let price = either(doc, "price", "price_set", currency)?.ok_or_else(|| Refusal::new("price", "expected a price, found none"))?;
    let title = doc.text("title")?.unwrap_or_default();
    Ok(Some(Charge {
        id: global(doc, "id", "ShippingLine")?.unwrap_or_else(|| format!("{order}#shipping-{title}")),
        kind: LineKind::Shipping,
        discount: discount(doc, &price, currency)?,
        taxes: taxes(doc, currency)?,
        extras: doc.rest(&SHIPPING_MAPPED),
        title,
        price,
    }))
}

fn taxes(doc: Doc<'_>, currency: &str) -> Result<Vec<TaxPart>, Refusal> {
    doc.each("tax_lines", |tax| {
        let amount = either(tax, "price", "price_set", currency)?.ok_or_else(|| Refusal::new("price", "expected an amount, found none"))?;
        Ok(TaxPart {
            title: tax.text("title")?.unwrap_or_else(|| "Tax".to_owned()),
            code: tax.text("source")?,
            rate: tax.decimal("rate")?.map(|rate| rate.normalize().to_string()),
            amount: amount.amounts(),
            collector: collector(tax.flag("channel_liable")?),
        })
    })
}

pub fn fulfillment(document: &Value) -> Result<Shipment, Refusal> {
    let doc = Doc::new(document)?;
    let texts =
        |key: &str| -> Result<Vec<String>, Refusal> { Ok(doc.list(key)?.iter().filter_map(Value::as_str).map(str::to_owned).collect()) };
    let mut numbers = texts("tracking_numbers")?;
    if numbers.is_empty() {
        numbers.extend(doc.text("tracking_number")?);
    }
    let mut urls = texts("tracking_urls")?;
    if urls.is_empty() {
        urls.extend(doc.text("tracking_url")?);
    }
    let carrier = doc.text("tracking_company")?;
    let mut urls = urls.into_iter();
    Ok(Shipment {
        external_id: own_id(doc, "Fulfillment")?,
        shipped_at: doc.instant("created_at")?,
        tracking: numbers.into_iter().map(|number| Tracking { number, carrier: carrier.clone(), url: urls.next() }).collect(),
        lines: doc.each("line_items", |item| Ok(ShipmentLine { line: own_id(item, "LineItem")?, quantity: whole(item, "quantity")? }))?,
        location: global(doc, "location_id", "Location")?,
        status: doc.text("status")?,
        extras: doc.rest(&[
            "id",
            "admin_graphql_api_id",
            "order_id",
            "created_at",
            "updated_at",
            "tracking_number",
            "tracking_numbers",
            "tracking_url",
            "tracking_urls",
            "tracking_company",
            "line_items",
            "location_id",
            "status",
            "receipt",
        ]),
    })
}

pub fn refund(document: &Value, currency: &str) -> Result<RefundParts, Refusal> {
    let doc = Doc::new(document)?;
    let all_restocked = doc.flag("restock")?;
    let lines = doc.each("refund_line_items", |item| {
        let line = global(item, "line_item_id", "LineItem")?.ok_or_else(|| Refusal::new("line_item_id", "expected an id, found none"))?;
        let kind = item.text("restock_type")?;
        let restocked = match kind.as_deref() {
            Some("no_restock") => Some(false),
            Some("cancel" | "return" | "legacy_restock") => Some(true),
            _ => all_restocked,
        };
        let amount = either(item, "subtotal", "subtotal_set", currency)?;
        let record = RefundLine { line, quantity: whole(item, "quantity")?, restocked, amount: amount.as_ref().map(Bag::amounts) };
        Ok((record, kind.as_deref() != Some("return")))
    })?;
    // Money really moved, whatever the goods were worth.
    let paid = doc.each("transactions", |transaction| {
        let is_refund = transaction.text("kind")?.as_deref() == Some("refund");
        let went_through = transaction.text("status")?.is_none_or(|status| status == "success");
        Ok(if is_refund && went_through { transaction.decimal("amount")? } else { None })
    })?;
    let amount = paid.into_iter().flatten().fold(Decimal::ZERO, |sum, amount| sum + amount.abs());
    Ok(RefundParts {
        unshipped: lines.iter().filter(|(_, unshipped)| *unshipped).map(|(line, _)| line.clone()).collect(),
        refund: Refund {
            external_id: own_id(doc, "Refund")?,
            created_at: doc.instant("created_at")?,
            amount: Bag::plain(amount, currency).amounts(),
            reason: doc.text("note")?,
            lines: lines.into_iter().map(|(line, _)| line).collect(),
            extras: doc.rest(&[
                "id",
                "admin_graphql_api_id",
                "order_id",
                "created_at",
                "note",
                "restock",
                "user_id",
                "processed_at",
                "refund_line_items",
                "transactions",
            ]),
        },
    })
}

fn refunded(refunds: &[RefundParts], currency: &str) -> Option<Bag> {
    let amounts = refunds.iter().filter_map(|refund| crate::decimal::parse(&refund.refund.amount.shop.amount));
    amounts.reduce(|sum, amount| sum + amount).map(|sum| Bag::plain(sum, currency))
}

fn buyer(doc: Doc<'_>) -> Result<Option<Buyer>, Refusal> {
    let customer = doc.object("customer")?;
    let of_customer = |key: &str| customer.map_or(Ok(None), |customer| customer.text(key)).map_err(|refusal| refusal.within("customer"));
    let names: Vec<String> = [of_customer("first_name")?, of_customer("last_name")?].into_iter().flatten().collect();
    let buyer = Buyer {
        external_id: match customer {
            Some(customer) => global(customer, "id", "Customer").map_err(|refusal| refusal.within("customer"))?,
            None => None,
        },
        name: Some(names.join(" ")).filter(|name| !name.is_empty()),
        email: doc.text("email")?.or(doc.text("contact_email")?).or(of_customer("email")?),
        phone: doc.text("phone")?.or(of_customer("phone")?),
        locale: doc.text("customer_locale")?,
        tax_number: None,
        extras: Vec::new(),
    };
    let known = buyer.external_id.is_some() || buyer.name.is_some() || buyer.email.is_some() || buyer.phone.is_some();
    Ok(Some(buyer).filter(|_| known))
}

/// `"vip, wholesale"`.
fn tags(doc: Doc<'_>) -> Result<Vec<String>, Refusal> {
    let text = doc.text("tags")?.unwrap_or_default();
    Ok(text.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect())
}

/// The amount in both currencies where the body has it, else in the shop's.
fn either(doc: Doc<'_>, key: &str, set: &str, currency: &str) -> Result<Option<Bag>, Refusal> {
    match Bag::read(doc, set, &REST)? {
        Some(bag) => Ok(Some(bag)),
        None => Ok(doc.decimal(key)?.map(|amount| Bag::plain(amount, currency))),
    }
}

/// The document's own global id: as given, or made of its number.
pub fn own_id(doc: Doc<'_>, kind: &str) -> Result<String, Refusal> {
    match doc.loose_text("admin_graphql_api_id").filter(|id| gid::is(kind, id)) {
        Some(id) => Ok(id),
        None => Ok(gid::of(kind, &doc.required_id("id")?)),
    }
}
