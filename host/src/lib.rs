//! Entrepot: one catalogue, one stock, many channels, with connectors in a sandbox.
//!
//! Leaves: [`id`], [`clock`], [`ctx`], [`money`]. Plumbing: [`store`]. See ARCHITECTURE.md for the whole map and who may call whom.

pub mod access;
pub mod admin;
pub mod api;
pub mod app;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod config;
pub mod connections;
pub mod crossborder;
pub mod ctx;
#[cfg(feature = "demo")]
pub mod demo;
pub mod egress;
pub mod fulfilment;
mod hex;
pub mod id;
pub mod identity;
pub mod inbox;
pub mod lanes;
pub mod listings;
pub mod locations;
pub mod orders;
pub mod page;
pub mod patch;
pub mod plugins;
pub mod pricing;
pub mod rates;
pub mod secrets;
pub mod sheet;
pub mod stock;
pub mod store;
pub mod sync;
pub mod telemetry;

/// Exact money; the arithmetic lives in the cross-border crate.
pub use entrepot_crossborder::money;
