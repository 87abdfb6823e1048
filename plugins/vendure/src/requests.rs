//! What the connector asks of the shop: documents and their variables. Pure.

mod writes;

pub use writes::{Level, NUMBERS_APART, cancel_order, fulfil, set_prices, set_stock, ship};

use serde_json::{Value, json};

use crate::contract::{Failure, Request};
use crate::graphql;
use crate::place::Place;
use crate::settings::Settings;

/// The rate-limit bucket of the API, as the manifest names it.
const BUCKET: &str = "admin-api";
/// Selects one of the server's channels.
const CHANNEL_HEADER: &str = "vendure-token";
/// Rows that every server gives in one page; its own limit is 1000 unless somebody lowered it.
pub const MANY: usize = 100;

/// One document with its variables.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub document: &'static str,
    pub variables: Value,
    pub mutating: bool,
}

impl Query {
    fn read(document: &'static str, variables: Value) -> Self {
        Self { document, variables, mutating: false }
    }

    fn write(document: &'static str, variables: Value) -> Self {
        Self { document, variables, mutating: true }
    }

    pub fn request(&self, settings: &Settings) -> Result<Request, Failure> {
        let body = json!({ "query": self.document, "variables": self.variables });
        let request = Request::post(settings.url()?).header("accept", "application/json").json(&body).credential("api").pace(BUCKET, 1);
        let request = match &settings.channel_token {
            Some(token) => request.header(CHANNEL_HEADER, token),
            None => request,
        };
        Ok(if self.mutating { request } else { request.reads_only() })
    }
}

pub fn shop() -> Query {
    Query::read(graphql::SHOP, json!({}))
}

pub fn locations(skip: usize) -> Query {
    Query::read(graphql::LOCATIONS, json!({ "options": { "take": MANY, "skip": skip, "sort": { "id": "ASC" } } }))
}

/// Orders by the instant in one of their columns, oldest first. Open carts are orders to the shop and are left out.
pub fn orders_page(column: &str, place: &Place, take: usize) -> Query {
    let mut options = place.options(column, take);
    options["filter"]["active"] = json!({ "eq": false });
    Query::read(graphql::ORDERS, json!({ "options": options }))
}

pub fn orders_by_ids(ids: &[&str]) -> Query {
    Query::read(graphql::ORDERS, by_ids(ids))
}

/// When anything of these orders changed.
pub fn order_stamps(ids: &[&str]) -> Query {
    Query::read(graphql::ORDER_STAMPS, by_ids(ids))
}

pub fn order_parcels(ids: &[&str]) -> Query {
    Query::read(graphql::ORDER_PARCELS, by_ids(ids))
}

pub fn variants_page(skip: usize, take: usize) -> Query {
    Query::read(graphql::VARIANTS, json!({ "options": { "take": take, "skip": skip, "sort": { "id": "ASC" } } }))
}

pub fn variants_by_ids(ids: &[&str]) -> Query {
    Query::read(graphql::VARIANTS, by_ids(ids))
}

pub fn stock_by_ids(ids: &[&str]) -> Query {
    Query::read(graphql::STOCK, by_ids(ids))
}

pub fn prices_by_ids(ids: &[&str]) -> Query {
    Query::read(graphql::PRICES, by_ids(ids))
}

fn by_ids(ids: &[&str]) -> Value {
    json!({ "options": { "take": ids.len(), "filter": { "id": { "in": ids } } } })
}
