//! The simulated shops against the channels' documents.
// Tests read the place of the documents from the environment and call the shops themselves.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod books;
mod rates;
mod receiver;
mod schema;
mod shopify;
mod specs;
mod woo;
