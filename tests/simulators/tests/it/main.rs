//! The simulated shops against the channels' documents.
#![allow(clippy::unwrap_used)]

mod receiver;
mod schema;
mod shopify;
mod specs;
mod woo;
