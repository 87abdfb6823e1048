//! The words of rates. Pure.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use jiff::civil::Date;
use serde::Serialize;

use super::Error;
use crate::money::{Currency, Decimal};
use entrepot_crossborder::fx::{self, Found, Policy, RateKind, RateTable};

/// The source of what the merchant writes down. No connector may be called so.
pub const OWN: &str = "own";

/// Over Easter and Christmas the ECB publishes nothing for five days.
pub const MAX_AGE_DAYS: u32 = 7;

/// What a rate is wanted for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// Prices made from a base price in another currency.
    Prices,
    /// Thresholds, tax and customs values.
    Tax,
    /// What an order is worth in the merchant's own currency.
    Orders,
}

impl Purpose {
    pub const ALL: &'static [Self] = &[Self::Prices, Self::Tax, Self::Orders];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prices => "prices",
            Self::Tax => "tax",
            Self::Orders => "orders",
        }
    }

    pub fn parse(text: &str) -> Result<Self, Error> {
        let known = Self::ALL.iter().copied().find(|purpose| purpose.as_str() == text);
        known.ok_or_else(|| Error::BadPurpose { text: text.chars().take(40).collect() })
    }
}

/// Names a series; text form `ecb/mid/EUR`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SeriesKey {
    pub source: String,
    pub kind: RateKind,
    pub base: Currency,
}

impl SeriesKey {
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bad = || Error::BadSeries { text: text.chars().take(80).collect() };
        let mut parts = text.split('/');
        let (source, kind, base) = (parts.next(), parts.next(), parts.next());
        let (Some(source), Some(kind), Some(base), None) = (source, kind, base, parts.next()) else { return Err(bad()) };
        if source.is_empty() || source.chars().count() > 40 || source.chars().any(char::is_control) {
            return Err(bad());
        }
        Ok(Self { source: source.to_owned(), kind: parse_kind(kind)?, base: super::currency(base)? })
    }
}

impl fmt::Display for SeriesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.source, self.kind.as_str(), self.base)
    }
}

impl Serialize for SeriesKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A rate locked on an order belongs to that order and is nobody's publication.
pub fn parse_kind(text: &str) -> Result<RateKind, Error> {
    let kind = RateKind::from_name(text).filter(|kind| *kind != RateKind::OrderLock);
    kind.ok_or_else(|| Error::BadKind { text: text.chars().take(40).collect() })
}

/// Three capital letters. Not looked up: sources publish metals, new currencies and ones older than the ISO table.
pub fn check_code(code: &str) -> Result<(), Error> {
    match code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()) {
        true => Ok(()),
        false => Err(Error::BadCode { text: code.chars().take(40).collect() }),
    }
}

/// One value as it was published: units of `quote` per one unit of the series' base.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Observation {
    pub quote: String,
    pub value: Decimal,
    pub published_on: Date,
}

/// One value per currency and day, by currency and day; a later one in the list replaces an earlier one.
pub(super) fn checked(series: &SeriesKey, observations: &[Observation]) -> Result<Vec<Observation>, Error> {
    let mut unique = BTreeMap::new();
    for observation in observations {
        check_code(&observation.quote)?;
        if observation.quote == series.base.code() {
            return Err(Error::SamePair { currency: observation.quote.clone() });
        }
        if observation.value <= Decimal::ZERO {
            return Err(Error::NotPositive {
                quote: observation.quote.clone(),
                value: observation.value.to_string(),
                published_on: observation.published_on,
            });
        }
        unique.insert((observation.quote.as_str(), observation.published_on), observation);
    }
    Ok(unique.into_values().cloned().collect())
}

/// What became of what was recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Recorded {
    pub new: u64,
    pub corrected: u64,
    pub unchanged: u64,
}

impl std::ops::AddAssign for Recorded {
    fn add_assign(&mut self, other: Self) {
        self.new += other.new;
        self.corrected += other.corrected;
        self.unchanged += other.unchanged;
    }
}

/// A series and how far it reaches.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Series {
    #[serde(rename = "series")]
    pub key: SeriesKey,
    pub title: String,
    pub version: String,
    /// Rows, corrections among them.
    pub count: i64,
    pub first_on: Date,
    pub last_on: Date,
    pub created_at: i64,
    pub changed_at: i64,
    /// `None` while its history is being read: half of one would answer for today with a rate of years ago.
    pub ready_at: Option<i64>,
}

/// One row of a series.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Row {
    pub published_on: Date,
    pub quote: String,
    /// 1, and one more for each correction; the highest of a day holds.
    pub revision: i64,
    pub value: Decimal,
    pub fetched_at: i64,
}

/// Which series answers for a purpose.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Use {
    pub purpose: Purpose,
    /// `None`: the series of middle rates that came first.
    pub series: Option<SeriesKey>,
    /// `None`: any age.
    pub max_age_days: Option<u32>,
}

/// The rates that answer for a purpose.
#[derive(Clone, Debug)]
pub struct Book {
    pub table: Arc<RateTable>,
    pub series: SeriesKey,
    /// Of the series: equal versions, equal rates.
    pub version: String,
    /// Nothing was recorded yet; these came with the program.
    pub built_in: bool,
    pub max_age_days: Option<u32>,
}

/// A rate as it was looked up: units of `quote` per one `base`, exact.
#[derive(Clone, Debug)]
pub struct Rate {
    pub base: String,
    pub quote: String,
    pub found: Found,
    pub source: String,
    pub kind: RateKind,
    /// From the day asked for back to the day the rate is of.
    pub age_days: u32,
}

impl Book {
    /// The rate of a day, or the last one before it; refused beyond the greatest age. For whatever is published anew.
    pub fn rate(&self, base: &str, quote: &str, on: Date) -> Result<Rate, Error> {
        self.found(base, quote, on, self.max_age_days)
    }

    /// The same without a greatest age, for what must go on whatever happens: refunds, and reports about the past.
    pub fn rate_of_any_age(&self, base: &str, quote: &str, on: Date) -> Result<Rate, Error> {
        self.found(base, quote, on, None)
    }

    fn found(&self, base: &str, quote: &str, on: Date, max_age_days: Option<u32>) -> Result<Rate, Error> {
        let found = self.table.rate_on(base, quote, on, Policy::LatestOnOrBefore, max_age_days)?;
        let age_days = on.since(found.rate_date).map_or(0, |span| span.get_days().unsigned_abs());
        Ok(Rate {
            base: base.into(),
            quote: quote.into(),
            found,
            source: self.table.source().to_owned(),
            kind: self.table.kind(),
            age_days,
        })
    }
}

static BUILT_IN: LazyLock<Result<Arc<RateTable>, fx::Error>> = LazyLock::new(|| RateTable::embedded().map(Arc::new));

/// The ECB's rates that came with this program. Their age is what keeps anyone from publishing by them for long.
pub fn built_in() -> Result<Arc<RateTable>, fx::Error> {
    BUILT_IN.clone()
}

pub(super) fn built_in_book(max_age_days: Option<u32>) -> Result<Book, Error> {
    let table = built_in()?;
    let series = SeriesKey { source: "built-in".into(), kind: table.kind(), base: super::currency("EUR")? };
    Ok(Book { table, series, version: format!("built-in {}", env!("CARGO_PKG_VERSION")), built_in: true, max_age_days })
}
