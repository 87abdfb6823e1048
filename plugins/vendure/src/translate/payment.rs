//! Payments and refunds of an order.

use rust_decimal::Decimal;

use super::facts::{Facts, amounts, required, whole};
use crate::contract::{PaymentStatus, Refund, RefundLine};
use crate::json::{Doc, Refusal};

/// What was paid and paid back, in the shop's units.
#[derive(Debug, Default)]
pub struct Paid {
    authorized: Decimal,
    settled: Decimal,
    refunded: Decimal,
    /// There are payments, and every one of them failed.
    failed: bool,
    pub refunds: Vec<Refund>,
}

impl Paid {
    pub fn read(doc: Doc<'_>, facts: &Facts, currency: &str) -> Result<Self, Refusal> {
        let mut paid = Self::default();
        let payments = doc.each("payments", |payment| {
            let refunds = payment.each("refunds", |one| refund(one, facts, currency))?;
            Ok((required(payment, "state")?, payment.required_decimal("amount")?, refunds))
        })?;
        paid.failed = !payments.is_empty();
        for (state, amount, refunds) in payments {
            match state.as_str() {
                "Settled" => paid.settled += amount,
                "Authorized" => paid.authorized += amount,
                _ => {}
            }
            paid.failed &= matches!(state.as_str(), "Declined" | "Error" | "Cancelled");
            for (amount, refund) in refunds.into_iter().flatten() {
                paid.refunded += amount;
                paid.refunds.push(refund);
            }
        }
        Ok(paid)
    }

    /// `total`: what the buyer owes.
    pub fn status(&self, total: Decimal) -> PaymentStatus {
        match () {
            () if self.refunded > Decimal::ZERO && self.refunded >= self.settled => PaymentStatus::Refunded,
            () if self.refunded > Decimal::ZERO => PaymentStatus::PartiallyRefunded,
            () if self.settled >= total && (self.settled > Decimal::ZERO || !self.failed) => PaymentStatus::Paid,
            () if self.settled + self.authorized >= total => PaymentStatus::Authorized,
            () if self.failed => PaymentStatus::Failed,
            () => PaymentStatus::Pending,
        }
    }

    pub fn refunded(&self) -> Option<Decimal> {
        Some(self.refunded).filter(|refunded| !refunded.is_zero())
    }
}

/// One that was paid out. A promised one may still fail; it stays among the order's extras. What became of the goods the
/// shop does not say.
fn refund(doc: Doc<'_>, facts: &Facts, currency: &str) -> Result<Option<(Decimal, Refund)>, Refusal> {
    if doc.text("state")?.as_deref() != Some("Settled") {
        return Ok(None);
    }
    let total = doc.required_decimal("total")?;
    let lines = doc.each("lines", |line| {
        Ok(RefundLine { line: required(line, "orderLineId")?, quantity: whole(line, "quantity")?, restocked: None, amount: None })
    })?;
    let refund = Refund {
        external_id: required(doc, "id")?,
        created_at: doc.instant("createdAt")?,
        amount: amounts(facts.booked(total), currency),
        reason: doc.text("reason")?,
        lines,
        extras: Vec::new(),
    };
    Ok(Some((total, refund)))
}

#[cfg(test)]
mod tests {
    use super::{Decimal, Paid, PaymentStatus};

    #[test]
    fn the_sums_say_how_far_an_order_is_paid() {
        let paid = |authorized: i64, settled: i64, refunded: i64, failed: bool| {
            let of = Decimal::from;
            let paid = Paid { authorized: of(authorized), settled: of(settled), refunded: of(refunded), failed, refunds: Vec::new() };
            paid.status(of(1_000))
        };
        assert_eq!(paid(0, 0, 0, false), PaymentStatus::Pending);
        assert_eq!(paid(0, 0, 0, true), PaymentStatus::Failed);
        assert_eq!(paid(1_000, 0, 0, false), PaymentStatus::Authorized);
        assert_eq!(paid(400, 600, 0, false), PaymentStatus::Authorized);
        assert_eq!(paid(0, 400, 0, false), PaymentStatus::Pending);
        assert_eq!(paid(0, 1_000, 0, false), PaymentStatus::Paid);
        assert_eq!(paid(0, 1_000, 300, false), PaymentStatus::PartiallyRefunded);
        assert_eq!(paid(0, 1_000, 1_000, false), PaymentStatus::Refunded);
    }
}
