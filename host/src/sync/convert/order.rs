//! Orders: from the contract's record to the hub's.

use std::collections::HashSet;

use super::{Refusal, decimal, external_id, extras, instant, money, refuse};
use crate::money::Money;
use crate::orders::model::{
    Address, Amounts, Buyer, ChannelLine, ChannelOrder, ChannelRefund, ChannelShipment, Collector, ExactAmounts, LineKind, LineUnits,
    Payment, Personal, RefundLine, Status, TaxPart, Tracking,
};
use crate::plugins::wire::{self, commerce};

pub fn order(order: commerce::Order) -> Result<ChannelOrder, Refusal> {
    let total = amounts("total", order.total)?;
    let same = Same { shop: &total.shop, presented: total.presented.as_ref() };
    let lines: Vec<ChannelLine> =
        order.lines.into_iter().enumerate().map(|(i, l)| line(&format!("lines[{i}]"), l, &same)).collect::<Result<_, _>>()?;
    let mut seen = HashSet::new();
    if let Some(twice) = lines.iter().find(|line| !seen.insert(line.external_id.as_str())) {
        return refuse("lines", format!("two lines carry the id `{}`", twice.external_id));
    }
    let personal = Personal {
        buyer: order.buyer.map(buyer).transpose()?,
        ship_to: order.ship_to.map(|a| address("ship-to", a)).transpose()?,
        bill_to: order.bill_to.map(|a| address("bill-to", a)).transpose()?,
        note: order.note.filter(|note| !note.is_empty()),
    };
    let optional = |field: &str, value: Option<wire::Amounts>| value.map(|v| same.check(field, amounts(field, v)?)).transpose();
    Ok(ChannelOrder {
        external_id: external_id("external-id", order.external_id)?,
        number: order.number,
        status: status(order.status),
        channel_status: order.channel_status,
        payment: payment(order.payment),
        test: order.test,
        placed_at: instant("placed-at", &order.placed_at)?,
        updated_at: instant("updated-at", &order.updated_at)?,
        cancelled_at: order.cancelled_at.map(|at| instant("cancelled-at", &at)).transpose()?,
        prices_include_tax: order.prices_include_tax,
        subtotal: optional("subtotal", order.subtotal)?,
        shipping_total: optional("shipping-total", order.shipping_total)?,
        discount_total: optional("discount-total", order.discount_total)?,
        tax_total: optional("tax-total", order.tax_total)?,
        refunded_total: optional("refunded-total", order.refunded_total)?,
        personal: (personal != Personal::default()).then_some(personal),
        shipments: order
            .shipments
            .into_iter()
            .enumerate()
            .map(|(i, s)| shipment(&format!("shipments[{i}]"), s))
            .collect::<Result<_, _>>()?,
        refunds: order
            .refunds
            .into_iter()
            .enumerate()
            .map(|(i, r)| refund(&format!("refunds[{i}]"), r, &same))
            .collect::<Result<_, _>>()?,
        tags: order.tags,
        extras: extras("order", order.extras)?,
        lines,
        total: total.clone(),
    })
}

/// One order has one shop currency and one presented currency.
struct Same<'a> {
    shop: &'a Money,
    presented: Option<&'a Money>,
}

impl Same<'_> {
    fn check(&self, field: &str, amounts: Amounts) -> Result<Amounts, Refusal> {
        let differs = |a: &Money, b: &Money| a.currency() != b.currency();
        if differs(&amounts.shop, self.shop) {
            return refuse(
                field,
                format!("is in {}, but the order's total is in {}", amounts.shop.currency().code(), self.shop.currency().code()),
            );
        }
        match (&amounts.presented, self.presented) {
            (Some(a), Some(b)) if differs(a, b) => refuse(
                field,
                format!("the buyer's amount is in {}, but that of the total is in {}", a.currency().code(), b.currency().code()),
            ),
            _ => Ok(amounts),
        }
    }
}

fn amounts(field: &str, amounts: wire::Amounts) -> Result<Amounts, Refusal> {
    let shop = money(field, &amounts.shop.amount, &amounts.shop.currency)?;
    let presented = amounts.presented.map(|m| money(&format!("{field}.presented"), &m.amount, &m.currency)).transpose()?;
    // The same amount twice says nothing.
    Ok(Amounts { shop, presented: presented.filter(|p| *p != shop) })
}

fn exact(field: &str, amounts: wire::Amounts, same: &Same<'_>) -> Result<ExactAmounts, Refusal> {
    if amounts.shop.currency != same.shop.currency().code() {
        return refuse(field, format!("is in {}, but the order's total is in {}", amounts.shop.currency, same.shop.currency().code()));
    }
    let shop = decimal(field, &amounts.shop.amount)?;
    let presented = match amounts.presented {
        Some(m) if (&m.amount, &m.currency) != (&amounts.shop.amount, &amounts.shop.currency) => {
            Some(decimal(&format!("{field}.presented"), &m.amount)?)
        }
        _ => None,
    };
    Ok(ExactAmounts { shop, presented })
}

fn line(field: &str, line: commerce::Line, same: &Same<'_>) -> Result<ChannelLine, Refusal> {
    let at = |name: &str| format!("{field}.{name}");
    let (quantity, fulfilled, released) = (i64::from(line.quantity), i64::from(line.fulfilled), i64::from(line.released));
    let taxes = line.taxes.into_iter().map(|part| tax(&at("taxes"), part, same)).collect::<Result<_, _>>()?;
    Ok(ChannelLine {
        external_id: external_id(&at("external-id"), line.external_id)?,
        kind: kind(line.kind),
        listing: line.listing.filter(|text| !text.is_empty()),
        sku: line.sku.filter(|text| !text.trim().is_empty()).map(|text| text.trim().to_owned()),
        gtin: line.gtin.filter(|text| !text.is_empty()),
        title: line.title,
        quantity,
        fulfilled,
        released,
        unit_price: exact(&at("unit-price"), line.unit_price, same)?,
        total: same.check(&at("total"), amounts(&at("total"), line.total)?)?,
        discount: same.check(&at("discount"), amounts(&at("discount"), line.discount)?)?,
        taxes,
        location: line.location,
        extras: extras(field, line.extras)?,
    })
}

fn tax(field: &str, part: commerce::TaxPart, same: &Same<'_>) -> Result<TaxPart, Refusal> {
    Ok(TaxPart {
        title: part.title,
        code: part.code,
        rate: part.rate.map(|rate| decimal(&format!("{field}.rate"), &rate)).transpose()?,
        amount: exact(&format!("{field}.amount"), part.amount, same)?,
        collector: match part.collector {
            commerce::TaxCollector::Seller => Collector::Seller,
            commerce::TaxCollector::Channel => Collector::Channel,
            commerce::TaxCollector::Unknown => Collector::Unknown,
        },
    })
}

fn buyer(buyer: commerce::Buyer) -> Result<Buyer, Refusal> {
    Ok(Buyer {
        external_id: buyer.external_id,
        name: buyer.name,
        email: buyer.email,
        phone: buyer.phone,
        locale: buyer.locale,
        tax_number: buyer.tax_number,
        extras: extras("buyer", buyer.extras)?,
    })
}

fn address(field: &str, address: commerce::Address) -> Result<Address, Refusal> {
    Ok(Address {
        name: address.name,
        company: address.company,
        lines: address.lines,
        city: address.city,
        region_code: address.region_code,
        region: address.region,
        postal_code: address.postal_code,
        country: address.country,
        phone: address.phone,
        email: address.email,
        extras: extras(field, address.extras)?,
    })
}

fn tracking(tracking: commerce::Tracking) -> Tracking {
    Tracking { number: tracking.number, carrier: tracking.carrier, url: tracking.url }
}

fn shipment(field: &str, shipment: commerce::Shipment) -> Result<ChannelShipment, Refusal> {
    Ok(ChannelShipment {
        external_id: external_id(&format!("{field}.external-id"), shipment.external_id)?,
        shipped_at: shipment.shipped_at.map(|at| instant(&format!("{field}.shipped-at"), &at)).transpose()?,
        tracking: shipment.tracking.into_iter().map(tracking).collect(),
        lines: shipment.lines.into_iter().map(|l| LineUnits { line: l.line, quantity: i64::from(l.quantity) }).collect(),
        location: shipment.location,
        status: shipment.status,
        extras: extras(field, shipment.extras)?,
    })
}

fn refund(field: &str, refund: commerce::Refund, same: &Same<'_>) -> Result<ChannelRefund, Refusal> {
    let part = |part: commerce::RefundLine| -> Result<RefundLine, Refusal> {
        let at = format!("{field}.lines.{}", part.line);
        Ok(RefundLine {
            line: part.line,
            quantity: i64::from(part.quantity),
            restocked: part.restocked,
            amount: part.amount.map(|amount| same.check(&at, amounts(&at, amount)?)).transpose()?,
        })
    };
    let at = format!("{field}.amount");
    Ok(ChannelRefund {
        external_id: external_id(&format!("{field}.external-id"), refund.external_id)?,
        created_at: refund.created_at.map(|at| instant(&format!("{field}.created-at"), &at)).transpose()?,
        amount: same.check(&at, amounts(&at, refund.amount)?)?,
        reason: refund.reason,
        lines: refund.lines.into_iter().map(part).collect::<Result<_, _>>()?,
        extras: extras(field, refund.extras)?,
    })
}

fn status(status: commerce::OrderStatus) -> Status {
    match status {
        commerce::OrderStatus::Draft => Status::Draft,
        commerce::OrderStatus::Placed => Status::Placed,
        commerce::OrderStatus::Completed => Status::Completed,
        commerce::OrderStatus::Cancelled => Status::Cancelled,
        commerce::OrderStatus::Other => Status::Other,
    }
}

fn payment(payment: commerce::PaymentStatus) -> Payment {
    match payment {
        commerce::PaymentStatus::Pending => Payment::Pending,
        commerce::PaymentStatus::Authorized => Payment::Authorized,
        commerce::PaymentStatus::Paid => Payment::Paid,
        commerce::PaymentStatus::PartiallyRefunded => Payment::PartiallyRefunded,
        commerce::PaymentStatus::Refunded => Payment::Refunded,
        commerce::PaymentStatus::Failed => Payment::Failed,
        commerce::PaymentStatus::Unknown => Payment::Unknown,
    }
}

fn kind(kind: commerce::LineKind) -> LineKind {
    match kind {
        commerce::LineKind::Physical => LineKind::Physical,
        commerce::LineKind::Digital => LineKind::Digital,
        commerce::LineKind::GiftCard => LineKind::GiftCard,
        commerce::LineKind::Tip => LineKind::Tip,
        commerce::LineKind::Fee => LineKind::Fee,
        commerce::LineKind::Shipping => LineKind::Shipping,
        commerce::LineKind::Custom => LineKind::Custom,
        commerce::LineKind::Other => LineKind::Other,
    }
}
