//! Exchange rates: dated tables, lookups with a policy and a maximum age, the different dates of one order,
//! the rate locked on an order, settlement and refund.
//!
//! A table holds "units of the currency per one unit of the table's base"; any pair is crossed through the base
//! exactly and rounded once. A hole is a missing value, never zero; a value beyond its maximum age is refused.

mod customs;
mod deal;
mod error;
mod parse;
mod table;

pub use customs::{FixedEuro, ThresholdTwice, customs_month_rate, second_last_wednesday, threshold_twice};
pub use deal::{OrderLock, Presented, Refund, Settlement, SpreadQuote, refund, settle, spread_quote};
pub use error::Error;
pub use table::{Found, Policy, RateKind, RateTable};

#[cfg(test)]
mod tests;
