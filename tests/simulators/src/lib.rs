//! Simulated shops that speak the true wire formats of WooCommerce REST v3 and Shopify Admin GraphQL 2026-10, written from
//! the channels' documents. The crate knows nothing of the hub: stories and the demo talk to it over HTTP like to a real
//! shop, and play the people in the shop (buyers, the merchant in the shop's own admin) through plain methods.
//!
//! - [`WooShop`], [`ShopifyShop`]: start one, ask for its `origin()`, sell in it, read its stock and logs.
//! - [`Faults`]: what can be made to go wrong, by rate or for named requests.
//! - [`Clock`], [`HandClock`], a seed: time and chance come from the caller.
//!
//! Rooms: `server` (listener and faults before the routes), `outbox` (webhook delivery), `woo`, `shopify`.

mod buyer;
mod clock;
mod faults;
mod outbox;
mod random;
mod server;
pub mod shopify;
mod sign;
pub mod woo;

pub use buyer::Buyer;
pub use clock::{Clock, HandClock, system_clock};
pub use faults::{Fault, Faults, When};
pub use outbox::{Delivery, Reception, WebhookCounts};
pub use server::RequestSeen;
pub use shopify::{ShopifyConfig, ShopifyShop};
pub use sign::signature;
pub use woo::{WooConfig, WooShop};
