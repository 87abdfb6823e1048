//! What an order keeps, and what later steps take from it: the tax of a refund from the figures frozen on the
//! order, and the comparison with what the channel charged.
//!
//! Nothing here looks up a rate: a refund in a later year uses the tax of its sale.

use serde::{Deserialize, Serialize};

use crate::money::{Currency, Error as MoneyError, Money, RoundingMode};
use crate::quote::{LineRate, LineTax, Quote};

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

/// What goes back of one line, at the rates of its sale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineCredit {
    /// Position among the lines credited.
    pub line: usize,
    /// Without tax.
    pub taxable: Money,
    pub tax: Money,
    /// By the positions of the quote's rates.
    #[serde(default)]
    pub by_rate: Vec<LineRate>,
}

/// The lines a refund may take from. A sale whose tax fell due elsewhere has one: all the buyer paid at the checkout.
pub fn creditable(quote: &Quote) -> Result<Vec<LineTax>, Error> {
    if !quote.lines.is_empty() {
        return Ok(quote.lines.clone());
    }
    let a = &quote.amounts;
    let taxable = Money::sum(&[a.goods, a.shipping, a.insurance, a.onward], quote.currency)?;
    Ok(vec![LineTax { sku: None, taxable, tax: Money::zero(quote.currency), by_rate: Vec::new() }])
}

fn gross(line: &LineTax) -> Result<Money, MoneyError> {
    line.taxable.checked_add(line.tax)
}

fn credited(index: usize, before: &[LineCredit], currency: Currency) -> Result<(Money, Money), MoneyError> {
    let mine = || before.iter().filter(|c| c.line == index);
    Ok((Money::sum(mine().map(|c| &c.taxable), currency)?, Money::sum(mine().map(|c| &c.tax), currency)?))
}

/// Gives back `taxable` of a line: its tax rate by rate, so that each adds up when everything has gone back.
pub fn credit_line(lines: &[LineTax], index: usize, taxable: Money, before: &[LineCredit]) -> Result<LineCredit, Error> {
    let currency = taxable.currency();
    let zero = Money::zero(currency);
    let line = lines.get(index).ok_or(Error::OverRefund { refund: taxable, left: zero })?;
    let (gone, gone_tax) = credited(index, before, currency)?;
    if line.by_rate.is_empty() {
        let tax = refund_line(line, taxable, Refunded { taxable: gone, tax: gone_tax })?;
        return Ok(LineCredit { line: index, taxable, tax, by_rate: Vec::new() });
    }
    let mut tax = zero;
    let mut by_rate = Vec::with_capacity(line.by_rate.len());
    for part in &line.by_rate {
        let earlier = before.iter().filter(|c| c.line == index).flat_map(|c| &c.by_rate).filter(|p| p.rate == part.rate);
        let gone_part = Money::sum(earlier.map(|p| &p.amount), currency)?;
        let alone = LineTax { sku: None, taxable: line.taxable, tax: part.amount, by_rate: Vec::new() };
        let amount = refund_line(&alone, taxable, Refunded { taxable: gone, tax: gone_part })?;
        tax = tax.checked_add(amount)?;
        by_rate.push(LineRate { rate: part.rate, amount });
    }
    Ok(LineCredit { line: index, taxable, tax, by_rate })
}

/// A refund of `amount` as the buyer gets it back, tax inside. What is named for a line comes from that line, the rest from
/// all lines by what is left of them. Returns what went back and what could not be placed because more was given back
/// than is left of the sale.
pub fn credit(
    lines: &[LineTax],
    amount: Money,
    named: &[(usize, Money)],
    before: &[LineCredit],
) -> Result<(Vec<LineCredit>, Money), Error> {
    let currency = amount.currency();
    let zero = Money::zero(currency);
    let mut left = Vec::with_capacity(lines.len());
    for (index, line) in lines.iter().enumerate() {
        let (taxable, tax) = credited(index, before, currency)?;
        left.push(gross(line)?.checked_sub(taxable)?.checked_sub(tax)?);
    }
    let mut take = vec![zero; lines.len()];
    let mut open = amount;
    for (index, wanted) in named {
        if let (Some(left), Some(take)) = (left.get(*index), take.get_mut(*index)) {
            let free = left.checked_sub(*take)?;
            let part = [*wanted, free, open].into_iter().min_by_key(Money::minor).unwrap_or(zero);
            if part.minor() > 0 {
                *take = take.checked_add(part)?;
                open = open.checked_sub(part)?;
            }
        }
    }
    let rest: Vec<Money> = left.iter().zip(&take).map(|(left, take)| left.checked_sub(*take)).collect::<Result<_, _>>()?;
    let weights: Vec<u64> = rest.iter().map(|m| u64::try_from(m.minor()).unwrap_or(0)).collect();
    let all = Money::sum(&rest, currency)?;
    let placed = if open.minor() > all.minor() { all } else { open };
    if placed.minor() > 0 {
        for (take, part) in take.iter_mut().zip(placed.allocate(&weights)?) {
            *take = take.checked_add(part)?;
        }
    }
    let taken = Money::sum(&take, currency)?;
    let mut credits = Vec::new();
    for (index, take) in take.iter().enumerate().filter(|(_, take)| take.minor() > 0) {
        let line = &lines[index];
        let (gone, _) = credited(index, before, currency)?;
        let left_taxable = line.taxable.checked_sub(gone)?;
        let taxable = if *take == left[index] {
            left_taxable
        } else {
            let share = take.exact().mul(line.taxable.exact())?.div(gross(line)?.exact())?;
            let share = Money::from_exact_rounded(share, currency, RoundingMode::HalfUp)?;
            if share.minor() > left_taxable.minor() { left_taxable } else { share }
        };
        if taxable.minor() > 0 {
            credits.push(credit_line(lines, index, taxable, before)?);
        }
    }
    Ok((credits, amount.checked_sub(taken)?))
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
    // Whether a seller owes it by nexus or anyway, the seller collects.
    let party = |collector: &str| if collector == "seller_if_nexus" { "seller".to_owned() } else { collector.to_owned() };
    if let (Some(theirs), Some(ours)) = (&channel.collector, &quote.collector)
        && party(theirs) != party(ours)
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
