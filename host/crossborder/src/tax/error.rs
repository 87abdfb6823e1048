//! Why a tax cannot be said.

use jiff::civil::Date;

use crate::{fx, money, rules};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("no tax rate for {jurisdiction}, category {category}, on {date} in the tables: add a row to tax_rates.csv")]
    NoRate { jurisdiction: String, category: String, date: Date },
    #[error("{country} is not an EU member state on {date}")]
    NotEu { country: String, date: Date },
    #[error("lines use rate key \"{key}\", which has no rates: give it in `rates`")]
    UnknownRateKey { key: String },
    #[error("{what} is missing from {program}: correct programs.json")]
    MissingNumber { program: String, what: &'static str },
    #[error("the value is above the {limit} limit of the scheme")]
    OverLimit { limit: String },
    #[error("{what} is not known: give it")]
    MissingFact { what: String },
    #[error(transparent)]
    NotInForce(#[from] rules::NotInForce),
    #[error(transparent)]
    Money(#[from] money::Error),
    #[error(transparent)]
    Fx(#[from] fx::Error),
}
