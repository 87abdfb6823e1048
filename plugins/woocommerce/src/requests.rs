//! What the connector asks of the shop: canonical changes to REST v3 calls. Pure.

mod fulfilment;
mod orders;
mod products;
mod refunds;
mod shop;
mod webhooks;

pub use fulfilment::{create_note, create_tracking, list_notes, list_tracking, mark_shipped};
pub use orders::{batch_orders, cancel_order, orders_by_ids, orders_page, retrieve_order};
pub use products::{
    BATCH_MAX, batch_products, batch_variations, price_fields, products_by_ids, products_page, stock_fields, variations_by_ids,
    variations_page,
};
pub use refunds::{create_refund, list_refunds};
pub use shop::{current_currency, general_settings, index, shipping_methods, system_status};
pub use webhooks::{create_webhook, delete_webhook, revive_webhook, webhooks_page};

use serde_json::Value;

use crate::contract::{Failure, Request};
use crate::settings::Settings;

/// Largest page the API gives.
pub const PAGE_MAX: u32 = 100;

/// One call of the REST API, before it has an origin and a credential.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub method: &'static str,
    /// Under the REST root: `/wc/v3/orders`.
    pub path: String,
    pub query: Vec<(&'static str, String)>,
    pub body: Option<Value>,
    /// Further credentials the host writes into the call.
    pub credentials: &'static [&'static str],
}

impl Call {
    fn get(path: impl Into<String>) -> Self {
        Self { method: "GET", path: path.into(), query: Vec::new(), body: None, credentials: &[] }
    }

    fn send(method: &'static str, path: impl Into<String>, body: Value) -> Self {
        Self { method, path: path.into(), query: Vec::new(), body: Some(body), credentials: &[] }
    }

    fn with_method(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub fn request(&self, settings: &Settings) -> Result<Request, Failure> {
        let mut url = settings.url(&self.path)?;
        for (at, (name, value)) in self.query.iter().enumerate() {
            url.push(if at == 0 { '?' } else { '&' });
            url.push_str(name);
            url.push('=');
            url.push_str(&encoded(value));
        }
        let mut request = Request::new(self.method, url).header("accept", "application/json").credential("api").pace("requests", 1);
        if let Some(body) = &self.body {
            request = request.json(body);
        }
        for name in self.credentials {
            request = request.credential(*name);
        }
        Ok(request)
    }
}

/// Percent-encoding of everything but unreserved characters and the comma, which separates ids here.
fn encoded(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b',') {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// Ids are numbers in bodies. What is not one goes as text, for the shop to refuse by name.
fn number(id: &str) -> Value {
    id.parse::<u64>().map_or_else(|_| Value::from(id), Value::from)
}
