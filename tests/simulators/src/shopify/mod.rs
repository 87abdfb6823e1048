//! Shopify: the shop's books (`model`, `state`, `orders`), the Admin GraphQL API over them (`api`, `graph`, `lists`,
//! `mutations`, `quantities`; the schema is `schema.graphql`), the webhooks (`hooks`, `rest`) and the running shop with its
//! admin side (`shop`).

mod api;
mod catalogue;
mod cost;
mod facts;
mod graph;
mod hooks;
mod idempotency;
mod lists;
mod model;
mod mutations;
mod orders;
mod page;
mod quantities;
mod rest;
mod search;
mod shop;
mod state;

pub use api::SCHEMA;
pub use catalogue::{Basket, NewVariant, ShopifyRefused};
pub use model::{LevelWrite, LevelWriter, Parcel, ShopifyOrderView, SubscriptionView};
pub use shop::{ShopifyConfig, ShopifyShop};
