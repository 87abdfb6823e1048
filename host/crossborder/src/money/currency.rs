//! The dated ISO 4217 table. A [`Currency`] always has a minor unit; metals, funds without one and test
//! codes are refused when looked up.

use std::fmt;
use std::sync::LazyLock;

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Error;

const TABLE_TEXT: &str = include_str!("../../data/currencies.csv");

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CurrencyStatus {
    Active,
    /// Unit of account or fund code that still carries decimals, such as CLF.
    Fund,
    Withdrawn,
}

struct Entry {
    code: &'static str,
    name: &'static str,
    /// `None` for metals and other codes that hold no amount.
    exponent: Option<u8>,
    display_digits: u8,
    status: CurrencyStatus,
    /// `YYYY-MM`.
    withdrawn: Option<&'static str>,
    replaced_by: Option<&'static str>,
}

static TABLE: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let mut entries: Vec<Entry> = TABLE_TEXT.lines().skip(1).filter_map(entry).collect();
    entries.sort_by_key(|e| e.code);
    entries
});

/// One line of our own file. Its free-text column is quoted only where it holds a comma, which none of the
/// names does; a test reads the file with a CSV reader and compares.
fn entry(line: &'static str) -> Option<Entry> {
    let mut fields = line.split(',');
    let code = fields.next()?;
    let _numeric = fields.next()?;
    let name = fields.next()?;
    let exponent = fields.next()?;
    let status = fields.next()?;
    let withdrawn = fields.next()?;
    let replaced_by = fields.next()?;
    let display_digits = fields.next()?;
    Some(Entry {
        code,
        name,
        exponent: exponent.parse().ok(),
        display_digits: display_digits.parse().ok()?,
        status: match status {
            "active" => CurrencyStatus::Active,
            "withdrawn" => CurrencyStatus::Withdrawn,
            _ => CurrencyStatus::Fund,
        },
        withdrawn: (!withdrawn.is_empty()).then_some(withdrawn),
        replaced_by: (!replaced_by.is_empty()).then_some(replaced_by),
    })
}

/// A currency of ISO 4217 that has a minor unit. Ordered by code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency(u16);

impl Currency {
    /// Looks up a code, withdrawn ones included: history needs them. Use [`Currency::parse`] for anything new.
    pub fn from_code(code: &str) -> Result<Self, Error> {
        let found = TABLE.binary_search_by(|e| e.code.cmp(code));
        let index = found.map_err(|_| Error::UnknownCurrency { code: code.chars().take(16).collect() })?;
        if TABLE[index].exponent.is_none() {
            return Err(Error::NoMinorUnit { code: code.to_owned() });
        }
        u16::try_from(index).map(Self).map_err(|_| Error::OutOfRange)
    }

    /// Looks up a code for use on a date: a currency withdrawn by then is refused, naming its successor.
    pub fn parse(code: &str, on: Date) -> Result<Self, Error> {
        let currency = Self::from_code(code)?;
        currency.check_in_use(on)?;
        Ok(currency)
    }

    /// Refuses a date in or after the month of withdrawal.
    pub fn check_in_use(self, on: Date) -> Result<(), Error> {
        match self.entry().withdrawn {
            // The table knows the month only; ISO text of date and month compare in order.
            Some(since) if on.to_string().as_str() >= since => Err(Error::Withdrawn {
                code: self.code().to_owned(),
                since: since.to_owned(),
                replaced_by: self.entry().replaced_by.map(str::to_owned),
            }),
            _ => Ok(()),
        }
    }

    fn entry(self) -> &'static Entry {
        &TABLE[usize::from(self.0)]
    }

    pub fn code(self) -> &'static str {
        self.entry().code
    }

    pub fn name(self) -> &'static str {
        self.entry().name
    }

    /// Decimals of the minor unit by ISO 4217.
    pub fn exponent(self) -> u8 {
        self.entry().exponent.unwrap_or(0)
    }

    /// Decimals people usually write. For display only: storage follows [`Currency::exponent`].
    pub fn display_digits(self) -> u8 {
        self.entry().display_digits
    }

    pub fn status(self) -> CurrencyStatus {
        self.entry().status
    }

    /// Month of withdrawal, `YYYY-MM`.
    pub fn withdrawn(self) -> Option<&'static str> {
        self.entry().withdrawn
    }

    pub fn replaced_by(self) -> Option<&'static str> {
        self.entry().replaced_by
    }

    /// Every currency of the table that can hold an amount, by code.
    pub fn all() -> impl Iterator<Item = Self> {
        (0_u16..).zip(TABLE.iter()).filter(|(_, entry)| entry.exponent.is_some()).map(|(index, _)| Self(index))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl std::str::FromStr for Currency {
    type Err = Error;

    fn from_str(code: &str) -> Result<Self, Error> {
        Self::from_code(code)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::from_code(&code).map_err(serde::de::Error::custom)
    }
}
