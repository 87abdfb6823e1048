//! The plugin host: other people's code, contained.
//!
//! A connector is a WebAssembly component. Each call runs in a fresh instance on the guests' own runtime, with bounded
//! memory, processor time, wall time, copies and host calls, and reaches nothing but the imports of `entrepot:host`. Whatever
//! it does, the caller gets a value or a typed [`CallError`]; a refusal by the host is never a trap.
//!
//! [`engine`] holds the sandbox's profile, [`limits`] what is counted, [`services`] what the hub lends to a call, [`v1`] the
//! first major of the contract, [`call`] the typed calls that `sync` makes. Before anything runs: [`package`] packs a crate,
//! [`artifact`] reads a packed connector without running it, [`manifest`] is what it declares, [`compile`] makes its machine
//! code in a confined child, [`registry`] knows which are installed and [`grant`] what each may do.

pub mod artifact;
pub mod call;
pub mod compile;
pub mod engine;
mod gate;
pub mod grant;
mod limits;
pub mod manifest;
mod outcomes;
pub mod package;
pub mod reach;
pub mod registry;
pub mod services;
pub mod state;
mod store;
pub mod trial;
mod v1;

pub use call::{CallError, Caller};
pub use engine::{Engine, Loaded};
pub use limits::Limits;
pub use outcomes::{Matched, match_outcomes};
pub use registry::{Plugin, Registry};
pub use services::{CallScope, Services};
pub use v1::wire;
