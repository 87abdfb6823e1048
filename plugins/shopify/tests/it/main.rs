//! The connector against the channel's schema and documents, and against a shop that answers by them.
#![allow(clippy::unwrap_used)]
#![recursion_limit = "256"]

mod behaviour;
mod documents;
mod exports;
mod fields;
mod flows;
mod manifest;
mod schema;
mod server;
mod specs;
