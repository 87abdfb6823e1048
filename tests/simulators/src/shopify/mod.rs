//! Shopify: the shop's books (`model`, `state`, `orders`, `amounts`, `shipping`, `aftersale`), the Admin GraphQL API over
//! them (`api`, `graph`, `thing`, `facts`, `links`, `lists`, `mutations`, `quantities`, `order_writes`, `price_lists`, `keyed`; the schema is `schema.graphql`), what it exports in bulk (`bulk`, `bulk_files`), the webhooks (`hooks`, `rest`) and the running shop (`shop`) with
//! its admin side (`admin`).

mod admin;
mod aftersale;
mod amounts;
mod api;
mod bulk;
mod bulk_files;
mod catalogue;
mod cost;
mod facts;
mod graph;
mod hooks;
mod idempotency;
mod keyed;
mod links;
mod lists;
mod model;
mod mutations;
mod order_writes;
mod orders;
mod page;
mod price_lists;
mod quantities;
mod rest;
mod search;
mod shipping;
mod shop;
mod state;
mod thing;

pub use api::SCHEMA;
pub use catalogue::{Basket, NewVariant, ShopifyRefused};
pub use model::{LevelWrite, LevelWriter, Parcel, ShopifyOrderView, SubscriptionView};
pub use shop::{ShopifyConfig, ShopifyShop};
