//! Why a rate or a conversion cannot be given.

use jiff::civil::Date;

use crate::money;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("no {currency} rate {direction} {date} in the rates of {table}: load a source that publishes {currency}, or give a rate")]
    NoRate { currency: String, direction: &'static str, date: Date, table: String },
    #[error("the nearest rate is of {found}, {age_days} days from {wanted}, but at most {max_age_days} are allowed: load newer rates")]
    Stale { wanted: Date, found: Date, age_days: u32, max_age_days: u32 },
    #[error("{currency} has no fixed euro rate before {since}: use a published rate for that date")]
    NotFixedYet { currency: String, since: Date },
    #[error("{currency} has no fixed euro rate: it never joined the euro")]
    NeverFixed { currency: String },
    #[error("the refund of {refund} is more than the {left} that is left of the charge")]
    OverRefund { refund: String, left: String },
    #[error("rates file, line {line}: {what}")]
    BadFile { line: usize, what: String },
    #[error(transparent)]
    Money(#[from] money::Error),
}
