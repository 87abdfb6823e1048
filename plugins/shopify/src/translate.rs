//! Documents of the shop to canonical records. Pure: no network, no clock, no state.
//!
//! Orders arrive in two shapes: as answers of the GraphQL API ([`graph`]) and, in webhooks, in the shape of the older
//! REST API ([`rest`]). Both are read into the same parts, from which [`order`] builds the record.

mod address;
mod event;
mod export;
mod graph;
mod listing;
mod money;
mod order;
mod rest;
mod shop;

pub use event::delivery;
pub use export::{Cut, Spoilt, cut};
pub use graph::{fulfillment, has_left, order, refund};
pub use listing::{INVENTORY_ITEM, levels, listing};
pub use rest::{fulfillment as rest_fulfillment, order as rest_order, refund as rest_refund};
pub use shop::{account, location, subscription, topic_name};
