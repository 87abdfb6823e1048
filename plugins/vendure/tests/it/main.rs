//! The connector against documents of a running shop, and against shops that answer in the same way.
#![allow(clippy::unwrap_used)]

mod events;
mod fields;
mod manifest;
mod orders;
mod recorded;
mod shop;
mod stock;
mod writes;
