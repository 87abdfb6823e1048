//! A table of published rates of one kind and source, and the lookup over it.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::Error;
use crate::money::{Currency, Decimal, Exact, Money, RoundingMode};

/// What a rate is. Kinds are never mixed in one lookup: a mid rate is not what a bank pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateKind {
    Mid,
    Bid,
    Ask,
    /// Monthly rate of a customs authority.
    Customs,
    /// Irrevocable conversion rate.
    Fixed,
    /// Locked on one order.
    OrderLock,
}

impl RateKind {
    pub const ALL: &'static [Self] = &[Self::Mid, Self::Bid, Self::Ask, Self::Customs, Self::Fixed, Self::OrderLock];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mid => "mid",
            Self::Bid => "bid",
            Self::Ask => "ask",
            Self::Customs => "customs",
            Self::Fixed => "fixed",
            Self::OrderLock => "order_lock",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }
}

/// Which publication day answers for a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// The day itself, else the last publication before it (sales, invoices).
    #[default]
    LatestOnOrBefore,
    /// The day itself, else the next publication (OSS and IOSS returns).
    FirstOnOrAfter,
}

impl Policy {
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "latest_on_or_before" => Some(Self::LatestOnOrBefore),
            "first_on_or_after" => Some(Self::FirstOnOrAfter),
            _ => None,
        }
    }

    fn direction(self) -> &'static str {
        match self {
            Self::LatestOnOrBefore => "on or before",
            Self::FirstOnOrAfter => "on or after",
        }
    }
}

/// A rate as looked up: units of the quote currency per unit of the base currency, exact.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    pub rate: Exact,
    /// The publication day the rate is of.
    pub rate_date: Date,
}

/// Currency codes are plain text here: a history holds currencies older than the ISO table.
type Code = [u8; 3];

/// Published rates of one source and kind, per publication day.
#[derive(Debug, Clone)]
pub struct RateTable {
    source: String,
    kind: RateKind,
    base: Code,
    /// Day to row; a row has one cell per column of `columns`.
    days: BTreeMap<Date, Vec<Option<Decimal>>>,
    columns: Vec<Code>,
}

fn code(text: &str) -> Option<Code> {
    let bytes: Code = text.as_bytes().try_into().ok()?;
    bytes.iter().all(u8::is_ascii_uppercase).then_some(bytes)
}

impl RateTable {
    /// An empty table; rates are units per one `base`.
    pub fn new(source: &str, kind: RateKind, base: Currency) -> Self {
        Self { source: source.to_owned(), kind, base: code(base.code()).unwrap_or(*b"EUR"), days: BTreeMap::new(), columns: Vec::new() }
    }

    pub fn source(&self) -> &str {
        &self.source
    }

    pub fn kind(&self) -> RateKind {
        self.kind
    }

    /// Code of the currency that every rate is per one unit of.
    pub fn base(&self) -> &str {
        std::str::from_utf8(&self.base).unwrap_or("EUR")
    }

    pub fn is_empty(&self) -> bool {
        self.days.is_empty()
    }

    pub fn first_day(&self) -> Option<Date> {
        self.days.keys().next().copied()
    }

    pub fn last_day(&self) -> Option<Date> {
        self.days.keys().next_back().copied()
    }

    /// Publication days in order.
    pub fn days(&self) -> impl Iterator<Item = Date> + '_ {
        self.days.keys().copied()
    }

    /// Every published value, for storage: (day, currency code, units per base).
    pub fn rows(&self) -> impl Iterator<Item = (Date, &str, Decimal)> + '_ {
        self.days.iter().flat_map(|(day, row)| {
            self.columns.iter().zip(row).filter_map(|(column, cell)| Some((*day, std::str::from_utf8(column).ok()?, (*cell)?)))
        })
    }

    /// Adds or replaces one value. Zero and negative rates are refused: they are holes in disguise.
    pub fn insert(&mut self, day: Date, currency: &str, rate: Decimal) -> Result<(), Error> {
        let bad = |what: String| Error::BadFile { line: 0, what };
        let column = code(currency).ok_or_else(|| bad(format!("\"{currency}\" is not a three-letter currency code")))?;
        if rate <= Decimal::ZERO {
            return Err(bad(format!("{currency} {rate} on {day}: a rate must be above zero; leave it empty if not published")));
        }
        let index = match self.columns.iter().position(|c| *c == column) {
            Some(index) => index,
            None => {
                self.columns.push(column);
                self.columns.len() - 1
            }
        };
        let row = self.days.entry(day).or_default();
        if row.len() <= index {
            row.resize(index + 1, None);
        }
        row[index] = Some(rate);
        Ok(())
    }

    /// Adds every value of `other`, which must have the same base; its values win.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        if other.base != self.base {
            return Err(Error::BadFile { line: 0, what: "two tables with different base currencies cannot be merged".to_owned() });
        }
        for (day, currency, rate) in other.rows() {
            self.insert(day, currency, rate)?;
        }
        Ok(())
    }

    /// Where a currency stands: the base itself, a column, or nowhere.
    fn place(&self, currency: &str, date: Date, policy: Policy) -> Result<Option<usize>, Error> {
        let missing = || self.no_rate(currency, date, policy);
        let wanted = code(currency).ok_or_else(missing)?;
        if wanted == self.base {
            return Ok(None);
        }
        let found = self.columns.iter().position(|c| *c == wanted);
        found.map(Some).ok_or_else(missing)
    }

    fn no_rate(&self, currency: &str, date: Date, policy: Policy) -> Error {
        Error::NoRate { currency: currency.chars().take(8).collect(), direction: policy.direction(), date, table: self.source.clone() }
    }

    /// Units of `quote` per unit of `base`, crossed through the table's base on the nearest publication day on
    /// which every currency involved has a value.
    pub fn rate_on(&self, base: &str, quote: &str, date: Date, policy: Policy, max_age_days: Option<u32>) -> Result<Found, Error> {
        let from = self.place(base, date, policy)?;
        let to = self.place(quote, date, policy)?;
        let cell = |row: &[Option<Decimal>], place: Option<usize>| match place {
            None => Some(Decimal::ONE),
            Some(index) => row.get(index).copied().flatten(),
        };
        let both = |(day, row): (&Date, &Vec<Option<Decimal>>)| Some((*day, cell(row, from)?, cell(row, to)?));
        let found = match policy {
            Policy::LatestOnOrBefore => self.days.range(..=date).rev().find_map(both),
            Policy::FirstOnOrAfter => self.days.range(date..).find_map(both),
        };
        let (rate_date, from_rate, to_rate) = found.ok_or_else(|| {
            let lacking = if from.is_some() { base } else { quote };
            self.no_rate(lacking, date, policy)
        })?;
        if let Some(max_age_days) = max_age_days {
            let age_days = days_between(date, rate_date);
            if age_days > max_age_days {
                return Err(Error::Stale { wanted: date, found: rate_date, age_days, max_age_days });
            }
        }
        let rate = Exact::from_decimal(to_rate).div(Exact::from_decimal(from_rate))?;
        Ok(Found { rate, rate_date })
    }

    /// Converts an amount exactly and rounds once to the target's minor units.
    pub fn convert(
        &self,
        amount: Money,
        to: Currency,
        date: Date,
        policy: Policy,
        max_age_days: Option<u32>,
        mode: RoundingMode,
    ) -> Result<(Money, Date), Error> {
        let from = amount.currency().code();
        let found = self.rate_on(from, to.code(), date, policy, max_age_days)?;
        let value = amount.exact().mul(found.rate)?;
        Ok((Money::from_exact_rounded(value, to, mode)?, found.rate_date))
    }
}

fn days_between(a: Date, b: Date) -> u32 {
    a.since(b).map_or(u32::MAX, |span| span.get_days().unsigned_abs())
}
