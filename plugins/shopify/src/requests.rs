//! What the connector asks of the shop: documents and their variables. Pure.

mod export;
mod fulfilment;
mod key;
mod orders;
mod prices;
mod stock;
mod webhooks;

pub use export::{catalogue_size, export_part, export_state, run_export};
pub use fulfilment::{cancel_order, create_fulfillment, fulfillment_order_lines, fulfillment_orders, order_state};
pub use key::idempotency_key;
pub use orders::{
    fulfillment_lines, order_fulfillments, order_lines, order_refunds, orders_by_ids, orders_count, orders_page, refund_lines,
};
pub use prices::{list_prices, prices_by_ids, set_list_prices, update_prices};
pub use stock::{SET_MAX, Write, item_levels, set_quantities, stock_by_ids, variants_by_ids, variants_page};
pub use webhooks::{create_webhook, currency, delete_webhook, locations, shop, shop_address, webhooks};

use serde_json::{Value, json};

use crate::contract::{Failure, Request};
use crate::settings::Settings;

/// The rate-limit bucket of the API, as the manifest names it.
pub const BUCKET: &str = "graphql";

/// One document with its variables.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub document: &'static str,
    pub variables: Value,
    pub mutating: bool,
    /// Points this will cost about; the shop's answers tell the truth afterwards.
    pub cost: u32,
}

impl Query {
    fn read(document: &'static str, cost: u32, variables: Value) -> Self {
        Self { document, variables, mutating: false, cost }
    }

    /// Each mutation costs ten points.
    fn write(document: &'static str, variables: Value) -> Self {
        Self { document, variables, mutating: true, cost: 10 }
    }

    pub fn request(&self, settings: &Settings) -> Result<Request, Failure> {
        let body = json!({ "query": self.document, "variables": self.variables });
        let request =
            Request::post(settings.url()?).header("accept", "application/json").json(&body).credential("api").pace(BUCKET, self.cost);
        Ok(if self.mutating { request } else { request.reads_only() })
    }
}
