//! Running totals against the lines the law draws: EU distance sales over all channels of a legal entity, US
//! economic nexus per state, and yearly turnovers that make a foreign seller register.
//!
//! Pure functions over facts: the caller keeps one row per sale of a legal entity and asks.

use jiff::civil::Date;
use serde::Serialize;

use crate::money::{Error as MoneyError, Exact, Money};
use crate::rules::{Citation, RuleSet};
use crate::tax::national::{UsNexus, us_nexus};

use std::sync::Arc;

/// One sale, or several alike of one day, as the totals see them. Refunds are sales with a negative net.
#[derive(Debug, Clone)]
pub struct Sale {
    pub date: Date,
    /// Country the goods left.
    pub ship_from: String,
    pub ship_to: String,
    /// State of destination in the United States.
    pub us_state: Option<String>,
    pub consumer: bool,
    /// A marketplace accounts for the tax: such sales count for none of the seller's EU total.
    pub marketplace_is_taxpayer: bool,
    /// Net of tax, in the currency of the threshold asked about.
    pub net: Money,
    /// How many orders it stands for; none for a refund.
    pub transactions: u64,
}

/// How near a total is to its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Below,
    /// At 80 % or more.
    Near,
    Exceeded,
}

#[derive(Debug, Clone, Serialize)]
pub struct Standing {
    pub threshold: Money,
    pub total: Money,
    pub level: Level,
    /// The day of the sale that crossed the line.
    pub crossed_on: Option<Date>,
    pub citation: Arc<Citation>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    NotInForce(#[from] crate::rules::NotInForce),
    #[error("{program} has no number \"{number}\": correct programs.json")]
    MissingNumber { program: String, number: String },
    #[error("\"{state}\" is not a state of us_states.csv")]
    UnknownState { state: String },
    #[error(transparent)]
    Money(#[from] MoneyError),
}

/// Whether a sale counts towards the EU-wide distance selling total of a seller established in `home`.
pub fn counts_for_oss(rules: &RuleSet, home: &str, sale: &Sale) -> bool {
    let eu = |country: &str| rules.zone_of(country, sale.date).filter(|z| z.zone == "EU");
    let (Some(from), Some(to)) = (eu(&sale.ship_from), eu(&sale.ship_to)) else {
        return false;
    };
    let at_home = |z: &crate::rules::ZoneMember| z.taxed_as == home;
    sale.consumer && !sale.marketplace_is_taxpayer && at_home(from) && !at_home(to)
}

/// The EU distance selling total of a calendar year for a seller established in `home`, in EUR.
pub fn oss(rules: &RuleSet, home: &str, year: i16, sales: &[Sale]) -> Result<Standing, Error> {
    let end = Date::new(year, 12, 31).map_err(|_| MoneyError::OutOfRange)?;
    let counted = sales.iter().filter(|s| counts_for_oss(rules, home, s));
    yearly(rules, "eu.oss_threshold", "threshold", end, counted)
}

/// A yearly turnover into one country against a number of a programme, such as `au.lvig` `yearly_turnover`.
pub fn turnover(rules: &RuleSet, series: &str, number: &str, year: i16, sales: &[Sale]) -> Result<Standing, Error> {
    let end = Date::new(year, 12, 31).map_err(|_| MoneyError::OutOfRange)?;
    let jurisdiction = rules.program(series, end)?.jurisdiction.clone();
    let counted = sales.iter().filter(|s| s.ship_to == jurisdiction && s.consumer);
    yearly(rules, series, number, end, counted)
}

fn yearly<'s>(rules: &RuleSet, series: &str, number: &str, end: Date, sales: impl Iterator<Item = &'s Sale>) -> Result<Standing, Error> {
    let program = rules.program(series, end)?;
    let limit = program.number(number).ok_or_else(|| Error::MissingNumber { program: program.id.clone(), number: number.to_owned() })?;
    let currency = crate::money::Currency::from_code(&program.ccy)?;
    let threshold = Money::from_decimal_exact(limit, currency)?;
    let mut of_year: Vec<&Sale> = sales.filter(|s| s.date.year() == end.year()).collect();
    of_year.sort_by_key(|s| s.date);
    let mut total = Money::zero(currency);
    let mut crossed_on = None;
    for sale in of_year {
        total = total.checked_add(sale.net)?;
        // Once crossed the year stays crossed, whatever is refunded later.
        if crossed_on.is_none() && total.minor() > threshold.minor() {
            crossed_on = Some(sale.date);
        }
    }
    let near = threshold.exact().mul(Exact::ratio(8, 10)?)?;
    let level = if crossed_on.is_some() {
        Level::Exceeded
    } else if total.exact().compare(near)?.is_ge() {
        Level::Near
    } else {
        Level::Below
    };
    Ok(Standing { threshold, total, level, crossed_on, citation: Arc::clone(&program.cite) })
}

/// Economic nexus in one state over the twelve months before and including `as_of`, sales in USD.
pub fn nexus(rules: &RuleSet, state: &str, as_of: Date, sales: &[Sale]) -> Result<(UsNexus, Money, u64), Error> {
    let row = rules.us_state(state).ok_or_else(|| Error::UnknownState { state: state.to_owned() })?;
    let from = as_of.checked_sub(jiff::Span::new().years(1)).map_err(|_| MoneyError::OutOfRange)?;
    let counted = sales.iter().filter(|s| s.us_state.as_deref() == Some(state) && s.date > from && s.date <= as_of);
    let mut total = Money::zero(crate::money::Currency::from_code("USD")?);
    let mut count = 0_u64;
    for sale in counted {
        total = total.checked_add(sale.net)?;
        count = count.saturating_add(sale.transactions);
    }
    Ok((us_nexus(row, total.to_decimal(), count, false), total, count))
}

#[cfg(test)]
mod tests;
