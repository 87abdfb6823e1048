//! Exact money: integer minor units of an ISO 4217 currency, exact decimal rates, and one named rounding
//! point.
//!
//! Invariants: no float anywhere; every operation is checked; two currencies never mix; a text with more
//! decimals than its currency carries is refused, never rounded. Amounts are `i64` minor units, products with
//! rates are calculated in [`Exact`] rationals over `i128` and rounded once, where the caller says so.

mod allocate;
mod amount;
mod currency;
mod error;
mod exact;
mod rounding;

pub use allocate::split;
pub use amount::Money;
pub use currency::{Currency, CurrencyStatus};
pub use error::Error;
pub use exact::{Exact, decimal_from_text};
pub use rounding::RoundingMode;
pub use rust_decimal::Decimal;

#[cfg(test)]
mod tests;
