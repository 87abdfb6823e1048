//! Write a connector for Entrepot in Rust.
//!
//! A connector is a library crate with a `manifest.json` beside its `Cargo.toml`. It implements one `Guest` trait per
//! capability on a unit struct and names the capabilities once:
//!
//! ```ignore
//! use entrepot_sdk::prelude::*;
//!
//! struct Shop;
//!
//! impl entrepot_sdk::connection::Guest for Shop {
//!     fn check(ctx: Context) -> Result<Account, Failure> { /* … */ }
//!     fn describe(_: Context, what: String) -> Result<Vec<Document>, Failure> { /* … */ }
//! }
//!
//! entrepot_sdk::export_connector!(Shop: connection);
//! ```
//!
//! `entrepot plugin build` compiles it for `wasm32-unknown-unknown` and packs component and manifest into one file.
//!
//! What to know:
//! - Every call runs in a fresh instance. A `static` is empty again at the next call; what must last goes into [`state`].
//! - A panic cannot become a [`Failure`] on this target: it aborts the instance and the hub reports `plugin-crash`. So
//!   return errors; do not `unwrap`, index or divide by what a channel sent.
//! - There is no clock, no randomness, no file and no socket but what the modules here give. Do not depend on a crate
//!   that needs `getrandom` or `std::time`.
//! - Secrets never enter a connector. A request names credentials; the hub adds the values.
//! - Outside WebAssembly (in your unit tests) types and pure functions work, the hub's functions do not: keep
//!   translation and request building pure and test those.

mod bindings;
mod capability;
mod failure;
pub mod http;
pub mod log;

pub use capability::*;

/// The canonical records: `entrepot:types/base` and `entrepot:types/commerce`.
pub mod types {
    pub use crate::bindings::entrepot::types::base::{
        Account, Amounts, Context, Document, Extra, Failure, Fault, Instant, Money, Outcome, OutcomeState, Sent,
    };
    pub use crate::bindings::entrepot::types::commerce::*;
}

pub use bindings::entrepot::host::{blobs, clock, pacing, state, vault};

/// What nearly every connector needs.
pub mod prelude {
    pub use crate::http::Request;
    pub use crate::types::*;
}

/// Exports `$connector`'s capabilities: `export_connector!(Shop: connection, orders_in, webhooks);`. Each name is a module of
/// this crate, and `$connector` implements that module's `Guest`. The manifest's `capabilities` must list the same ones.
#[macro_export]
macro_rules! export_connector {
    ($connector:ident: $($capability:ident),+ $(,)?) => {
        $( $crate::$capability::export!($connector with_types_in $crate::$capability); )+
    };
}

/// The settings of this connection as a type of yours. The hub has checked them against the manifest's schema, so a
/// mismatch means that schema and type disagree.
pub fn settings<T: serde::de::DeserializeOwned>(ctx: &types::Context) -> Result<T, types::Failure> {
    serde_json::from_str(&ctx.config_json)
        .map_err(|error| types::Failure::config(format!("The settings of this connection cannot be read: {error}.")))
}

/// An [`types::Extra`] holding any JSON value.
pub fn extra(key: impl Into<String>, value: &serde_json::Value) -> types::Extra {
    types::Extra { key: key.into(), json: value.to_string() }
}
