//! Documents of the shop to canonical records. Pure: no network, no clock, no state.

mod address;
mod event;
mod facts;
mod line;
mod listing;
mod order;
mod parcel;
mod payment;

pub use event::delivery;
pub use facts::{Facts, account, location};
pub use listing::{Stock, listing, price, stock};
pub use order::{is_cancelled, is_over, order};
pub use parcel::{has_left, numbers, shipment};
