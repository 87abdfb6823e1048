//! Simulated shops that speak the true wire formats of WooCommerce REST v3 and Shopify Admin GraphQL 2026-10, written from
//! the channels' documents. The crate knows nothing of the hub: stories and the demo talk to it over HTTP like to a real
//! shop, and play the people in the shop (buyers, the merchant in the shop's own admin) through plain methods.
//!
//! - [`WooShop`], [`ShopifyShop`]: start one, ask for its `origin()`, sell in it, read its stock and logs.
//! - [`Faults`]: what can be made to go wrong, by rate or for named requests.
//! - [`Clock`], [`HandClock`], a seed: time and chance come from the caller.
//!
//! ```
//! use entrepot_simulators::woo::{NewProduct, Purchase};
//! use entrepot_simulators::{Fault, HandClock, When, WooConfig, WooShop};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let clock = HandClock::at(1_795_176_000_000);
//! let shop = WooShop::start(WooConfig { clock: clock.clock(), ..WooConfig::seeded(7) }).await?;
//! shop.add_product(NewProduct::new("MUG", "Mug", "12.50".parse().unwrap_or_default()).stock(5));
//! // Somebody with `shop.origin()`, `shop.consumer_key()` and `shop.consumer_secret()` subscribes; then a buyer buys.
//! let order = shop.place_order(Purchase::of("MUG", 2)).map_err(std::io::Error::other)?;
//! shop.deliveries_idle().await;
//! assert_eq!(shop.stock_of("MUG"), Some(3));
//! // The next write takes effect, but its answer never arrives.
//! shop.faults(|faults| faults.on_next(1, When::Write, Fault::LoseAnswer));
//! shop.ship_order(order, "DHL", "JJD0003").map_err(std::io::Error::other)?;
//! # std::io::Result::Ok(())
//! # })?;
//! # std::io::Result::Ok(())
//! ```
//!
//! Rooms: `server` (listener and faults before the routes), `outbox` (webhook delivery), `woo`, `shopify`, [`rates`] (a central
//! bank and a rate service).

mod buyer;
mod clock;
mod faults;
mod outbox;
mod random;
pub mod rates;
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
