//! The bank's files as days with their rates. Pure.
//!
//! Two layouts: an XML envelope (`Cube[@time]` holding `Cube[@currency, @rate]`) for the newest table and the last 90 days, and
//! CSV with one column per currency for the whole history. Values stay the decimals they were written as. A hole (no element,
//! an empty cell, `N/A`) is nothing; anything else that is not a decimal above zero is refused alone, by day and currency.

pub mod archive;
mod table;
mod xml;

use entrepot_documents::{decimal, instant};
use entrepot_sdk::rates_in::{Publication, RateKind, Refused};
use entrepot_sdk::types::Failure;

pub use table::from_csv;
pub use xml::from_xml;

/// How the bank is cited.
pub const SOURCE: &str = "ECB euro foreign exchange reference rates";
pub const BASE: &str = "EUR";

/// Days since 1970 and what was published on them.
#[derive(Debug, Default, PartialEq)]
pub struct Days {
    /// Oldest first, each day once.
    pub days: Vec<Day>,
    pub refused: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Day {
    pub day: i64,
    /// Currency and value.
    pub values: Vec<(String, String)>,
}

impl Days {
    pub fn first(&self) -> Option<i64> {
        self.days.first().map(|day| day.day)
    }

    pub fn last(&self) -> Option<i64> {
        self.days.last().map(|day| day.day)
    }

    /// Files are written newest first.
    fn sorted(mut self) -> Self {
        self.days.retain(|day| !day.values.is_empty());
        self.days.sort_by_key(|day| day.day);
        self
    }

    fn put(&mut self, day: i64, currency: &str, value: &str) {
        match checked(currency, value) {
            Ok(value) => match self.days.last_mut().filter(|last| last.day == day) {
                Some(last) => last.values.push((currency.to_owned(), value)),
                None => self.days.push(Day { day, values: vec![(currency.to_owned(), value)] }),
            },
            Err(why) => self.refused.push((format!("{} {currency}", instant::format_day(day)), why)),
        }
    }
}

/// The value as plain decimal text.
fn checked(currency: &str, value: &str) -> Result<String, String> {
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(format!("\"{}\" is not a currency code", currency.chars().take(20).collect::<String>()));
    }
    match decimal::parse(value) {
        Some(parsed) if parsed > decimal::Decimal::ZERO => Ok(parsed.to_string()),
        _ => Err(format!("the rate \"{}\" is not a decimal above zero", value.chars().take(20).collect::<String>())),
    }
}

pub fn publication(day: &Day) -> Publication {
    Publication {
        published_on: instant::format_day(day.day),
        kind: RateKind::Mid,
        base: BASE.to_owned(),
        values: day.values.clone(),
        extras: Vec::new(),
    }
}

pub fn refusals(refused: Vec<(String, String)>) -> Vec<Refused> {
    refused.into_iter().map(|(key, why)| Refused { key, failure: Failure::invalid(why).with_code("unreadable-rate") }).collect()
}

/// A file that is something else altogether.
fn unreadable(file: &str, why: impl std::fmt::Display) -> Failure {
    Failure::remote(format!("The ECB's {file} cannot be read: {why}.")).with_code("unreadable-file")
}
