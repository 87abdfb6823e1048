//! Entrepot: one catalogue, one stock, many channels, with connectors in a sandbox.
//!
//! Leaves: [`id`], [`clock`], [`ctx`], [`money`]. Plumbing: [`store`]. See ARCHITECTURE.md for the whole map and who may call whom.

pub mod clock;
pub mod ctx;
pub mod id;
pub mod lanes;
pub mod orders;
pub mod plugins;
pub mod secrets;
pub mod stock;
pub mod store;

/// Exact money; the arithmetic lives in the cross-border crate.
pub use entrepot_crossborder::money;
