//! WooCommerce: the shop's books (`model`, `state`, `orders`), how they are written down (`render`), the REST routes (`routes`), the
//! webhooks (`hooks`) and the running shop (`shop`) with its admin side (`admin`).

mod admin;
mod catalogue;
mod hooks;
mod model;
mod orders;
mod render;
mod routes;
mod shop;
mod state;
mod tracking;

pub use catalogue::{NewProduct, NewVariation, Purchase, Refused};
pub use model::{ManageStock, OrderView, StockWrite, StockWriter, Tracking, WebhookView};
pub use shop::{WooConfig, WooShop};
