//! Documents of the shop to canonical records. Pure: no network, no clock, no state.

mod address;
mod event;
mod listing;
mod meta;
mod order;
mod refund;
mod shipment;
mod shop;
mod subscription;
mod text;

pub use event::delivery;
pub use listing::{ListingId, Offered, Units, levels, listing, manages_stock, price_reading, referenced};
pub use meta::{OUR_REFUND, OUR_SHIPMENT};
pub use order::order;
pub use refund::refunds;
pub use shipment::{from_order as shipments, plugin_tracking};
pub use shop::{ShopDocuments, account, currency, shipping_method, version};
pub use subscription::subscription;
pub use text::plain;
