//! What can be wrong with an amount or a currency, each naming the value and the remedy.

use super::Currency;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("\"{code}\" is not a currency of ISO 4217: use a three-letter code such as EUR")]
    UnknownCurrency { code: String },
    #[error("{code} has no minor unit in ISO 4217 (metal, fund or test code): it cannot hold an amount")]
    NoMinorUnit { code: String },
    #[error(
        "{code} was withdrawn in {since}{}: it is accepted only for dates before that",
        .replaced_by.as_ref().map(|r| format!(" and replaced by {r}")).unwrap_or_default()
    )]
    Withdrawn {
        code: String,
        /// Month, `YYYY-MM`.
        since: String,
        replaced_by: Option<String>,
    },
    #[error("\"{text}\" is not a plain decimal number: write digits with at most one point, such as 19.99")]
    BadNumber { text: String },
    #[error("\"{text}\" has more decimals than {currency} carries ({decimals}): check the currency and the unit of the amount")]
    TooManyDecimals { text: String, currency: Currency, decimals: u8 },
    #[error("amounts in {left} and {right} cannot be combined: convert one with a dated rate first")]
    CurrencyMismatch { left: Currency, right: Currency },
    #[error("the amount is out of range: amounts must fit 64-bit minor units")]
    OutOfRange,
    #[error("division by zero: a rate or divisor in this calculation is zero")]
    DivisionByZero,
    #[error("all weights are zero: there is nothing to allocate by")]
    ZeroWeights,
    #[error("a weight is negative: weights must be zero or more")]
    NegativeWeight,
}
