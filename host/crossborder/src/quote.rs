//! A quote: who owes the tax on one sale, how much, what it costs landed, and why.
//!
//! The scheme is decided before any rate: rules of the destination in order of priority, the first that holds
//! answers. Whatever is not known is named in `missing`, never replaced by zero; what was taken for granted is
//! named in `assumptions`; every rule and row that had a say is in `trace` with its source.

mod answer;
mod decide;
mod duty;
mod engine;
mod facts;
mod import;
mod input;
mod sale;
mod words;

pub use answer::{Amounts, AppliedRate, FactUsed, LineRate, LineTax, Quote, RateUsed, TraceStep};
pub(crate) use decide::{Decision, decide};
pub use engine::{Error, quote};
pub(crate) use facts::SaleFacts;
pub use facts::{Buyer, Channel};
pub use input::{Fee, InputError, Line, National, QuoteInput, Seller};
pub use words::cited;

#[cfg(test)]
mod tests;
