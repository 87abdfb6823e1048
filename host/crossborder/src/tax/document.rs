//! Tax of a whole document: rounded per unit, per line, once per rate, or once over everything; the split of a
//! gross price; and the rounding of a cash total.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Error;
use crate::money::{Currency, Decimal, Error as MoneyError, Exact, Money, RoundingMode};
use crate::rules::CashRounding;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PriceMode {
    /// Tax comes on top of the line.
    Exclusive,
    /// Tax is inside the line.
    Inclusive,
}

/// The point at which tax is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Per piece, then times the quantity.
    Unit,
    Line,
    /// Once per tax and rate over the document.
    DocumentPerRate,
    /// Once over everything.
    Document,
}

/// Which side of a gross price is rounded; the other is the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InclusiveRound {
    Net,
    Tax,
}

#[derive(Debug, Clone)]
pub struct DocumentLine {
    /// Major units, any number of decimals.
    pub unit: Decimal,
    pub qty: Decimal,
    /// Names a set of taxes that share the line as base.
    pub rate_key: String,
}

#[derive(Debug, Clone)]
pub struct Document {
    pub currency: Currency,
    pub price_mode: PriceMode,
    pub level: Level,
    pub mode: RoundingMode,
    pub lines: Vec<DocumentLine>,
    /// Rate key to tax name to fraction.
    pub rates: BTreeMap<String, BTreeMap<String, Decimal>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentTax {
    /// By (tax, rate key); empty when rounded once over the whole document.
    pub by_rate: BTreeMap<(String, String), Money>,
    pub tax: Money,
    pub total: Money,
}

pub fn document_tax(document: &Document) -> Result<DocumentTax, Error> {
    let ccy = document.currency;
    let round = |value: Exact| Money::from_exact_rounded(value, ccy, document.mode);
    let mut lines_total = Money::zero(ccy);
    let mut exact: BTreeMap<(String, String), Exact> = BTreeMap::new();
    let mut rounded: BTreeMap<(String, String), Money> = BTreeMap::new();
    for line in &document.lines {
        let rates = document.rates.get(&line.rate_key).ok_or_else(|| Error::UnknownRateKey { key: line.rate_key.clone() })?;
        let unit = Exact::from_decimal(line.unit);
        let qty = Exact::from_decimal(line.qty);
        // A line is an amount of money before it is taxed.
        let amount = Money::from_exact_rounded(unit.mul(qty)?, ccy, RoundingMode::HalfUp)?;
        lines_total = lines_total.checked_add(amount)?;
        let mut divisor = Exact::ONE;
        if document.price_mode == PriceMode::Inclusive {
            for rate in rates.values() {
                divisor = divisor.add(Exact::from_decimal(*rate))?;
            }
        }
        for (tax, rate) in rates {
            let share = Exact::from_decimal(*rate).div(divisor)?;
            let key = (tax.clone(), line.rate_key.clone());
            match document.level {
                Level::Unit => {
                    let per_piece = round(unit.mul(share)?)?.exact().mul(qty)?;
                    add(&mut rounded, key, round(per_piece)?)?;
                }
                Level::Line => add(&mut rounded, key, round(amount.exact().mul(share)?)?)?,
                Level::DocumentPerRate | Level::Document => {
                    let sum = exact.entry(key).or_insert(Exact::ZERO);
                    *sum = sum.add(amount.exact().mul(share)?)?;
                }
            }
        }
    }
    if document.level == Level::DocumentPerRate {
        for (key, sum) in std::mem::take(&mut exact) {
            rounded.insert(key, round(sum)?);
        }
    }
    let tax = if document.level == Level::Document {
        let sum = exact.values().try_fold(Exact::ZERO, |a, b| a.add(*b))?;
        round(sum)?
    } else {
        Money::sum(rounded.values(), ccy)?
    };
    Ok(DocumentTax {
        by_rate: rounded,
        tax,
        total: match document.price_mode {
            PriceMode::Exclusive => lines_total.checked_add(tax)?,
            PriceMode::Inclusive => lines_total,
        },
    })
}

fn add(sums: &mut BTreeMap<(String, String), Money>, key: (String, String), amount: Money) -> Result<(), MoneyError> {
    let sum = sums.entry(key).or_insert(Money::zero(amount.currency()));
    *sum = sum.checked_add(amount)?;
    Ok(())
}

/// Net and tax of a gross amount.
pub fn split_gross(gross: Money, rate: Decimal, round: InclusiveRound, mode: RoundingMode) -> Result<(Money, Money), MoneyError> {
    let rate = Exact::from_decimal(rate);
    let divisor = Exact::ONE.add(rate)?;
    match round {
        InclusiveRound::Net => {
            let net = Money::from_exact_rounded(gross.exact().div(divisor)?, gross.currency(), mode)?;
            Ok((net, gross.checked_sub(net)?))
        }
        InclusiveRound::Tax => {
            let tax = gross.exact().mul(rate)?.div(divisor)?;
            let tax = Money::from_exact_rounded(tax, gross.currency(), mode)?;
            Ok((gross.checked_sub(tax)?, tax))
        }
    }
}

/// A payable cash total and its difference to the exact one. Only the total of a cash payment is ever rounded.
/// `tie` is the merchant's choice at the half, over the country's own.
pub fn cash_round(total: Money, row: &CashRounding, tie: Option<RoundingMode>) -> Result<(Money, Money), MoneyError> {
    let mode = tie.or(row.tie).unwrap_or_default();
    let steps = Exact::ratio(total.minor(), row.increment_minor)?.scaled(0, mode)?;
    let steps = i64::try_from(steps).map_err(|_| MoneyError::OutOfRange)?;
    let payable = Money::new(row.increment_minor, total.currency()).checked_mul_int(steps)?;
    Ok((payable, payable.checked_sub(total)?))
}
