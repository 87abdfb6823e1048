//! Tax arithmetic on facts: rates by date, tax of a document, EU place of supply, per-item duty, and the import
//! rules of single countries. Numbers come from the rule set; nothing here holds a rate of its own.

mod document;
mod error;
pub mod national;
mod place;
mod rates;

pub use document::{Document, DocumentLine, DocumentTax, InclusiveRound, Level, PriceMode, cash_round, document_tax, split_gross};
pub use error::Error;
pub use place::{ItemDuty, ItemDutyRule, Place, PlaceFacts, PlaceReason, item_duty, place_of_supply};
pub use rates::{Applied, jurisdiction_of, rate_for};

#[cfg(test)]
mod tests;
