//! An order's parts, as both shapes give them, to the canonical record.

use super::money::Bag;
use crate::contract::{Address, Buyer, Extra, Line, LineKind, Order, OrderStatus, PaymentStatus, Refund, RefundLine, Shipment, TaxPart};

pub struct Parts {
    pub id: String,
    pub name: String,
    pub placed_at: String,
    pub updated_at: String,
    pub cancelled_at: Option<String>,
    pub test: bool,
    pub taxes_included: bool,
    /// Lower case: `paid`, `partially_refunded`.
    pub financial: Option<String>,
    /// Lower case: `unfulfilled`, `fulfilled`.
    pub fulfilment: String,
    pub lines: Vec<LineParts>,
    pub charges: Vec<Charge>,
    pub total: Bag,
    pub subtotal: Option<Bag>,
    pub discounts: Option<Bag>,
    pub tax: Option<Bag>,
    pub shipping: Option<Bag>,
    pub refunded: Option<Bag>,
    pub buyer: Option<Buyer>,
    pub ship_to: Option<Address>,
    pub bill_to: Option<Address>,
    pub shipments: Vec<Shipment>,
    pub refunds: Vec<RefundParts>,
    pub note: Option<String>,
    pub tags: Vec<String>,
    pub extras: Vec<Extra>,
}

pub struct LineParts {
    pub id: String,
    pub variant: Option<String>,
    pub product: Option<String>,
    pub sku: Option<String>,
    pub gtin: Option<String>,
    pub title: String,
    /// Units ordered, refunded and removed ones included.
    pub quantity: u32,
    /// Units still to be shipped; `None` where the document does not say.
    pub open: Option<u32>,
    pub unit: Bag,
    /// The whole line's discounts.
    pub discount: Bag,
    pub taxes: Vec<TaxPart>,
    pub requires_shipping: bool,
    pub gift_card: bool,
    pub tip: bool,
    pub location: Option<String>,
    pub extras: Vec<Extra>,
}

/// Shipping, fees, duties: a line that is no goods.
pub struct Charge {
    pub id: String,
    pub kind: LineKind,
    pub title: String,
    pub price: Bag,
    pub discount: Bag,
    pub taxes: Vec<TaxPart>,
    pub extras: Vec<Extra>,
}

pub struct RefundParts {
    pub refund: Refund,
    /// Units per line that had not been shipped.
    pub unshipped: Vec<RefundLine>,
}

pub fn build(parts: Parts) -> Order {
    let cancelled = parts.cancelled_at.is_some();
    let mut lines: Vec<Line> = parts.lines.iter().map(|line| goods(line, cancelled, &parts.shipments, &parts.refunds)).collect();
    let open = lines.iter().any(|line| line.quantity > line.fulfilled + line.released);
    let status = match (cancelled, open) {
        (true, _) => OrderStatus::Cancelled,
        (false, true) => OrderStatus::Placed,
        (false, false) => OrderStatus::Completed,
    };
    lines.extend(parts.charges.iter().map(charge));
    let words = [parts.financial.as_deref(), Some(parts.fulfilment.as_str()), cancelled.then_some("cancelled")];
    Order {
        external_id: parts.id,
        number: parts.name,
        status,
        channel_status: words.into_iter().flatten().collect::<Vec<_>>().join(", "),
        payment: payment(parts.financial.as_deref()),
        test: parts.test,
        placed_at: parts.placed_at,
        updated_at: parts.updated_at,
        cancelled_at: parts.cancelled_at,
        prices_include_tax: parts.taxes_included,
        lines,
        subtotal: parts.subtotal.as_ref().map(Bag::amounts),
        shipping_total: parts.shipping.as_ref().map(Bag::amounts),
        discount_total: parts.discounts.as_ref().map(Bag::amounts),
        tax_total: parts.tax.as_ref().map(Bag::amounts),
        total: parts.total.amounts(),
        refunded_total: parts.refunded.filter(|refunded| !refunded.is_zero()).as_ref().map(Bag::amounts),
        buyer: parts.buyer,
        ship_to: parts.ship_to,
        bill_to: parts.bill_to,
        shipments: parts.shipments,
        refunds: parts.refunds.into_iter().map(|refund| refund.refund).collect(),
        note: parts.note,
        tags: parts.tags,
        extras: parts.extras,
    }
}

/// What has left is what the shipments say; what is open the shop counts itself; the rest will never leave. Where the
/// shop's count is missing, what was refunded before shipping is the rest.
fn goods(line: &LineParts, cancelled: bool, shipments: &[Shipment], refunds: &[RefundParts]) -> Line {
    let shipped = sum(shipments.iter().flat_map(|s| &s.lines).filter(|l| l.line == line.id).map(|l| l.quantity));
    let fulfilled = shipped.min(line.quantity);
    let rest = line.quantity - fulfilled;
    let unshipped = || sum(refunds.iter().flat_map(|r| &r.unshipped).filter(|l| l.line == line.id).map(|l| l.quantity));
    let released = match line.open {
        _ if cancelled => rest,
        Some(open) => rest.saturating_sub(open),
        None => unshipped().min(rest),
    };
    let total = line.unit.times(line.quantity).minus(&line.discount);
    Line {
        external_id: line.id.clone(),
        kind: kind(line),
        listing: line.variant.clone(),
        sku: line.sku.clone(),
        gtin: line.gtin.clone(),
        title: line.title.clone(),
        quantity: line.quantity,
        fulfilled,
        released,
        unit_price: line.unit.amounts(),
        total: total.amounts(),
        discount: line.discount.amounts(),
        taxes: line.taxes.clone(),
        location: line.location.clone(),
        extras: line.extras.clone(),
    }
}

/// A line typed in by hand has neither variant nor product; one with a SKU may still be something we know. A variant that
/// was deleted since leaves its SKU behind.
fn kind(line: &LineParts) -> LineKind {
    let tip = line.tip || (line.variant.is_none() && line.product.is_none() && line.title.trim().eq_ignore_ascii_case("tip"));
    let custom = line.variant.is_none() && line.sku.is_none();
    match line {
        _ if line.gift_card => LineKind::GiftCard,
        _ if tip => LineKind::Tip,
        _ if custom => LineKind::Custom,
        _ if line.requires_shipping => LineKind::Physical,
        _ => LineKind::Digital,
    }
}

fn charge(charge: &Charge) -> Line {
    Line {
        external_id: charge.id.clone(),
        kind: charge.kind,
        listing: None,
        sku: None,
        gtin: None,
        title: charge.title.clone(),
        quantity: 1,
        fulfilled: 0,
        released: 0,
        unit_price: charge.price.amounts(),
        total: charge.price.minus(&charge.discount).amounts(),
        discount: charge.discount.amounts(),
        taxes: charge.taxes.clone(),
        location: None,
        extras: charge.extras.clone(),
    }
}

fn payment(word: Option<&str>) -> PaymentStatus {
    match word {
        Some("pending" | "partially_paid") => PaymentStatus::Pending,
        Some("authorized") => PaymentStatus::Authorized,
        Some("paid") => PaymentStatus::Paid,
        Some("partially_refunded") => PaymentStatus::PartiallyRefunded,
        Some("refunded") => PaymentStatus::Refunded,
        Some("voided" | "expired") => PaymentStatus::Failed,
        Some(_) | None => PaymentStatus::Unknown,
    }
}

fn sum(quantities: impl Iterator<Item = u32>) -> u32 {
    quantities.fold(0, u32::saturating_add)
}
