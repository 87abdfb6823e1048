//! [`Money`]: an amount of one currency in integer minor units.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::allocate::{split, split_whole};
use super::{Currency, Decimal, Error, Exact, RoundingMode, decimal_from_text};

/// Written to JSON as `{"amount_minor": 1999, "currency": "EUR"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Money {
    #[serde(rename = "amount_minor")]
    minor: i64,
    currency: Currency,
}

impl Money {
    pub fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    pub fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    pub fn minor(&self) -> i64 {
        self.minor
    }

    pub fn currency(&self) -> Currency {
        self.currency
    }

    pub fn is_zero(&self) -> bool {
        self.minor == 0
    }

    pub fn is_negative(&self) -> bool {
        self.minor < 0
    }

    /// Exact decimal text of a major amount. Zeros beyond the currency's decimals carry no value and are
    /// accepted ("1500.00" JPY); any other digit there is refused.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, Error> {
        let value = decimal_from_text(text)?.normalize();
        Self::from_decimal_exact(value, currency).map_err(|e| match e {
            Error::TooManyDecimals { .. } => too_many(text, currency),
            other => other,
        })
    }

    /// As [`Money::parse`], but refuses every written decimal beyond the currency's own, zeros included: for
    /// sources that promise the currency's exact form, where "1500.00" JPY is a sign of a wrong unit.
    pub fn parse_strict(text: &str, currency: Currency) -> Result<Self, Error> {
        let value = decimal_from_text(text)?;
        let written = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        if written > usize::from(currency.exponent()) {
            return Err(too_many(text, currency));
        }
        Self::from_decimal_exact(value, currency)
    }

    /// A decimal that must be a whole number of minor units.
    pub fn from_decimal_exact(value: Decimal, currency: Currency) -> Result<Self, Error> {
        let value = value.normalize();
        let exponent = u32::from(currency.exponent());
        if value.scale() > exponent {
            return Err(too_many(&value.to_string(), currency));
        }
        Self::from_exact_rounded(Exact::from_decimal(value), currency, RoundingMode::HalfUp)
    }

    /// A decimal major amount, rounded to minor units by `mode`.
    pub fn from_decimal_rounded(value: Decimal, currency: Currency, mode: RoundingMode) -> Result<Self, Error> {
        Self::from_exact_rounded(Exact::from_decimal(value), currency, mode)
    }

    /// An exact major amount, rounded to minor units by `mode`: the one rounding point of a formula.
    pub fn from_exact_rounded(value: Exact, currency: Currency, mode: RoundingMode) -> Result<Self, Error> {
        let minor = value.scaled(u32::from(currency.exponent()), mode)?;
        let minor = i64::try_from(minor).map_err(|_| Error::OutOfRange)?;
        Ok(Self { minor, currency })
    }

    /// The major amount as an exact number.
    pub fn exact(&self) -> Exact {
        Exact::from_minor(self.minor, self.currency.exponent())
    }

    /// The major amount as a decimal.
    pub fn to_decimal(&self) -> Decimal {
        Decimal::new(self.minor, u32::from(self.currency.exponent()))
    }

    fn same_currency(&self, other: &Self) -> Result<(), Error> {
        if self.currency == other.currency { Ok(()) } else { Err(Error::CurrencyMismatch { left: self.currency, right: other.currency }) }
    }

    fn with(&self, minor: Option<i64>) -> Result<Self, Error> {
        minor.map(|minor| Self { minor, currency: self.currency }).ok_or(Error::OutOfRange)
    }

    pub fn checked_add(&self, other: Self) -> Result<Self, Error> {
        self.same_currency(&other)?;
        self.with(self.minor.checked_add(other.minor))
    }

    pub fn checked_sub(&self, other: Self) -> Result<Self, Error> {
        self.same_currency(&other)?;
        self.with(self.minor.checked_sub(other.minor))
    }

    pub fn checked_neg(&self) -> Result<Self, Error> {
        self.with(self.minor.checked_neg())
    }

    pub fn checked_mul_int(&self, factor: i64) -> Result<Self, Error> {
        self.with(self.minor.checked_mul(factor))
    }

    /// The amount times an exact rate, rounded once.
    pub fn mul_rounded(&self, rate: Decimal, mode: RoundingMode) -> Result<Self, Error> {
        let product = self.exact().mul(Exact::from_decimal(rate))?;
        Self::from_exact_rounded(product, self.currency, mode)
    }

    /// The sum, in `currency`; refuses any other currency among the parts.
    pub fn sum<'a>(parts: impl IntoIterator<Item = &'a Self>, currency: Currency) -> Result<Self, Error> {
        parts.into_iter().try_fold(Self::zero(currency), |total, part| total.checked_add(*part))
    }

    /// Largest-remainder allocation: the parts add up to the amount, ties go to the lower index, a negative
    /// amount mirrors the positive one and a zero weight gets zero.
    pub fn allocate(&self, weights: &[u64]) -> Result<Vec<Self>, Error> {
        let weights: Vec<u128> = weights.iter().map(|w| u128::from(*w)).collect();
        Ok(self.parts(split_whole(self.minor, &weights)?))
    }

    /// [`Money::allocate`] by decimal weights.
    pub fn allocate_by(&self, weights: &[Decimal]) -> Result<Vec<Self>, Error> {
        Ok(self.parts(split(self.minor, weights)?))
    }

    fn parts(&self, minors: Vec<i64>) -> Vec<Self> {
        minors.into_iter().map(|minor| Self { minor, currency: self.currency }).collect()
    }

    /// The major amount with exactly the currency's decimals.
    pub fn to_decimal_string(&self) -> String {
        self.to_decimal().to_string()
    }
}

fn too_many(text: &str, currency: Currency) -> Error {
    Error::TooManyDecimals { text: text.to_owned(), currency, decimals: currency.exponent() }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.to_decimal(), self.currency)
    }
}
