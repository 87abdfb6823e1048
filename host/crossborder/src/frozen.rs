//! What an order keeps, and what later steps take from it: the tax of a refund from the figures frozen on the
//! order, and the comparison with what the channel charged.
//!
//! Nothing here looks up a rate: a refund in a later year uses the tax of its sale.

use serde::{Deserialize, Serialize};

use crate::money::{Error as MoneyError, Money, RoundingMode};
use crate::quote::{LineTax, Quote};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the refund of {refund} is more than the {left} that is left of the line")]
    OverRefund { refund: Money, left: Money },
    #[error("a refund must be above zero, not {refund}")]
    NotPositive { refund: Money },
    #[error(transparent)]
    Money(#[from] MoneyError),
}

/// What of a line was refunded before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refunded {
    /// Without tax.
    pub taxable: Money,
    pub tax: Money,
}

impl Refunded {
    pub fn nothing(line: &LineTax) -> Self {
        let zero = Money::zero(line.taxable.currency());
        Self { taxable: zero, tax: zero }
    }
}

/// The tax to give back with `taxable` of a line. Parts add up: when everything is refunded, exactly the tax
/// of the line has been given back, in however many steps.
pub fn refund_line(line: &LineTax, taxable: Money, before: Refunded) -> Result<Money, Error> {
    if taxable.minor() <= 0 {
        return Err(Error::NotPositive { refund: taxable });
    }
    let left = line.taxable.checked_sub(before.taxable)?;
    if left.checked_sub(taxable)?.is_negative() {
        return Err(Error::OverRefund { refund: taxable, left });
    }
    let after = before.taxable.checked_add(taxable)?;
    let due = line.tax.exact().mul(after.exact())?.div(line.taxable.exact())?;
    let due = Money::from_exact_rounded(due, line.tax.currency(), RoundingMode::HalfUp)?;
    Ok(due.checked_sub(before.tax)?)
}

/// What the channel says about the tax of an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChannelTax {
    /// `None` = the channel reports no tax.
    pub tax: Option<Money>,
    /// `marketplace` or `seller`, where the channel says so.
    pub collector: Option<String>,
}

/// A difference somebody should look at. The channel's figure is never overwritten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Difference {
    /// The channel's tax less ours.
    Amount {
        channel: Money,
        ours: Money,
        difference: Money,
    },
    Collector {
        channel: String,
        ours: String,
    },
    /// We expect tax at the sale, the channel reports none.
    NotReported {
        ours: Money,
    },
    /// The currencies differ, so the amounts cannot be compared.
    Currency {
        channel: Money,
        ours: Money,
    },
}

impl Difference {
    pub fn words(&self) -> String {
        match self {
            Self::Amount { channel, ours, difference } => {
                format!("the channel charged {channel} tax, we calculate {ours}: a difference of {difference}")
            }
            Self::Collector { channel, ours } => {
                format!("the channel says the {channel} collects the tax, by our rules it is the {ours}")
            }
            Self::NotReported { ours } => format!("the channel reports no tax, we expect {ours} at the sale"),
            Self::Currency { channel, ours } => {
                format!("the channel charged {channel} tax, we calculate {ours}: not the same currency")
            }
        }
    }
}

/// Compares the channel's tax with a quote of the same order. `tolerance_minor` allows for another rounding
/// level, about half a unit per line. An unknown tax of ours is no difference: the quote says what it lacks.
pub fn compare(channel: &ChannelTax, quote: &Quote, tolerance_minor: u64) -> Vec<Difference> {
    let mut found = Vec::new();
    if let (Some(theirs), Some(ours)) = (&channel.collector, &quote.collector)
        && theirs != ours
    {
        found.push(Difference::Collector { channel: theirs.clone(), ours: ours.clone() });
    }
    let at_sale = quote.tax_point.as_deref() == Some("sale");
    let ours = match (at_sale, quote.amounts.tax) {
        (true, tax) => tax,
        (false, Some(tax)) => Some(Money::zero(tax.currency())),
        (false, None) => quote.scheme.as_ref().map(|_| Money::zero(quote.currency)),
    };
    match (channel.tax, ours) {
        (Some(theirs), Some(ours)) if theirs.currency() != ours.currency() => {
            found.push(Difference::Currency { channel: theirs, ours });
        }
        (Some(theirs), Some(ours)) => {
            if let Ok(difference) = theirs.checked_sub(ours)
                && difference.minor().unsigned_abs() > tolerance_minor
            {
                found.push(Difference::Amount { channel: theirs, ours, difference });
            }
        }
        (None, Some(ours)) if !ours.is_zero() => found.push(Difference::NotReported { ours }),
        _ => {}
    }
    found
}

#[cfg(test)]
mod tests;
