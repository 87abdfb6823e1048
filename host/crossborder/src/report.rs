//! The VAT / OSS return of a period: booked tax lines of orders and refunds, summed per scheme, country and
//! rate, so that the report adds up to the orders it came from.
//!
//! A refund carries the rate and the date of its sale, so it corrects the period it is booked in with the
//! figures frozen on the order.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::civil::Date;
use serde::Serialize;

use crate::fx::{Error as FxError, Policy, RateTable};
use crate::money::{Currency, Decimal, Error as MoneyError, Money, RoundingMode};

/// One tax amount as frozen on an order; negative for a refund.
#[derive(Debug, Clone)]
pub struct TaxLine {
    pub order: String,
    /// Tax point, or the day the refund was booked.
    pub date: Date,
    /// For a refund: the tax point of the sale it corrects.
    pub corrects: Option<Date>,
    /// `eu.oss`, `eu.ioss`, `gb.le135`, a domestic scheme, ...
    pub scheme: String,
    /// `seller` lines are ours to report; others are shown apart.
    pub collector: String,
    pub country: String,
    pub tax: String,
    pub rate: Decimal,
    pub taxable: Money,
    pub amount: Money,
}

/// One row of the return.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportRow {
    pub scheme: String,
    pub collector: String,
    pub country: String,
    pub tax: String,
    pub rate: Decimal,
    pub currency: Currency,
    /// Sales corrected by refunds of an earlier period are listed with that period, `YYYY-MM`.
    pub corrected_month: Option<String>,
    pub lines: usize,
    pub taxable: Money,
    pub amount: Money,
    /// In the currency of the return at the rate of the last day of the period.
    pub return_taxable: Money,
    pub return_amount: Money,
    /// The rate of the period's end is not published yet: the newest known one stands in.
    pub provisional: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    pub from: Date,
    /// Last day, inclusive.
    pub to: Date,
    pub return_currency: Currency,
    pub rows: Vec<ReportRow>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Fx(#[from] FxError),
    #[error(transparent)]
    Money(#[from] MoneyError),
}

type Key = (String, String, String, String, Decimal, Currency, Option<String>);

/// Sums the lines of a period. Returns are converted at the rate of the last day of the period, else the next
/// publication; a correction of an earlier month keeps the rate of that month's end.
pub fn vat_return(lines: &[TaxLine], from: Date, to: Date, return_currency: Currency, rates: &RateTable) -> Result<Report, Error> {
    let mut sums: BTreeMap<Key, (usize, Money, Money)> = BTreeMap::new();
    for line in lines.iter().filter(|l| from <= l.date && l.date <= to) {
        let earlier = line.corrects.filter(|sale| *sale < from);
        let currency = line.amount.currency();
        let key = (
            line.scheme.clone(),
            line.collector.clone(),
            line.country.clone(),
            line.tax.clone(),
            line.rate.normalize(),
            currency,
            earlier.map(|d| format!("{:04}-{:02}", d.year(), d.month())),
        );
        let zero = Money::zero(currency);
        let sum = sums.entry(key).or_insert((0, zero, zero));
        sum.0 += 1;
        sum.1 = sum.1.checked_add(line.taxable)?;
        sum.2 = sum.2.checked_add(line.amount)?;
    }
    let mut rows = Vec::with_capacity(sums.len());
    for (key, (count, taxable, amount)) in sums {
        let (scheme, collector, country, tax, rate, currency, corrected_month) = key;
        let day = match &corrected_month {
            Some(month) => format!("{month}-01").parse::<Date>().map_or(to, Date::last_of_month),
            None => to,
        };
        let early = rates.last_day().is_none_or(|last| last < day);
        let provisional = early && currency != return_currency;
        let policy = if early { Policy::LatestOnOrBefore } else { Policy::FirstOnOrAfter };
        let oldest = (!early).then_some(10);
        let convert = |money: Money| -> Result<Money, Error> {
            if money.currency() == return_currency {
                return Ok(money);
            }
            Ok(rates.convert(money, return_currency, day, policy, oldest, RoundingMode::HalfUp)?.0)
        };
        rows.push(ReportRow {
            return_taxable: convert(taxable)?,
            return_amount: convert(amount)?,
            scheme,
            collector,
            country,
            tax,
            rate,
            currency,
            corrected_month,
            lines: count,
            taxable,
            amount,
            provisional,
        });
    }
    Ok(Report { from, to, return_currency, rows })
}

impl Report {
    /// What the period owes in the currency of the return, for one collector (usually `seller`).
    pub fn owed_by(&self, collector: &str) -> Result<Money, MoneyError> {
        let owed = self.rows.iter().filter(|r| r.collector == collector);
        Money::sum(owed.map(|r| &r.return_amount), self.return_currency)
    }

    /// The rows as CSV with a header. Amounts are plain decimals.
    pub fn to_csv(&self) -> String {
        let mut out = String::from(
            "from,to,scheme,collector,country,tax,rate,corrected_month,lines,currency,taxable,tax_amount,return_currency,return_taxable,return_tax_amount,provisional\n",
        );
        for r in &self.rows {
            let cells = [
                self.from.to_string(),
                self.to.to_string(),
                r.scheme.clone(),
                r.collector.clone(),
                r.country.clone(),
                r.tax.clone(),
                r.rate.to_string(),
                r.corrected_month.clone().unwrap_or_default(),
                r.lines.to_string(),
                r.currency.to_string(),
                r.taxable.to_decimal_string(),
                r.amount.to_decimal_string(),
                self.return_currency.to_string(),
                r.return_taxable.to_decimal_string(),
                r.return_amount.to_decimal_string(),
                if r.provisional { "yes" } else { "no" }.to_owned(),
            ];
            let line: Vec<String> = cells.iter().map(|c| cell(c)).collect();
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{}", line.join(","));
        }
        out
    }
}

/// A CSV cell: quoted where needed, and with a leading apostrophe where a spreadsheet would run it as a formula.
fn cell(text: &str) -> String {
    let number = text.parse::<Decimal>().is_ok();
    let text = if !number && text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests;
