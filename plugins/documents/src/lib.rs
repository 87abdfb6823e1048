//! Reading what channels write: exact decimals, instants, and JSON documents whose refusals name the field and the value.
//!
//! Pure, without floats; shared by the connectors that come with the hub.

pub mod decimal;
mod document;
pub mod instant;
mod numbers;
pub mod json {
    //! JSON documents, read member by member.
    pub use crate::document::{Doc, Refusal, text_extra};
    pub use crate::numbers::parse;
}
