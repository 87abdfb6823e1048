//! A quote: who owes the tax on one sale, how much, what it costs landed, and why.

mod decide;
mod facts;

pub(crate) use decide::{Decision, decide};
pub(crate) use facts::SaleFacts;
pub use facts::{Buyer, Channel};
