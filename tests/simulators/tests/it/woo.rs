//! The WooCommerce shop as its own clients see it.

use entrepot_simulators::woo::{ManageStock, NewProduct, NewVariation};
use entrepot_simulators::{HandClock, WooConfig, WooShop};
use reqwest::Method;
use rust_decimal::Decimal;
use serde_json::{Value, json};

mod api;
mod documents;
mod faults;
mod orders;
mod webhooks;

const NOON: i64 = 1_795_176_000_000;

pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    key: String,
    secret: String,
}

pub(crate) struct Answer {
    status: u16,
    headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Ids of a list.
    fn ids(&self) -> Vec<i64> {
        self.body.as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect()
    }
}

impl Client {
    pub(crate) fn of(shop: &WooShop) -> Self {
        Self {
            http: crate::receiver::http(),
            base: format!("{}/wp-json/wc/v3", shop.origin()),
            key: shop.consumer_key().to_owned(),
            secret: shop.consumer_secret().to_owned(),
        }
    }

    async fn try_call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Answer, reqwest::Error> {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).basic_auth(&self.key, Some(&self.secret));
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await?;
        Ok(Answer { status, headers, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.try_call(Method::GET, path, None).await.unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.try_call(Method::POST, path, Some(body)).await.unwrap()
    }

    async fn put(&self, path: &str, body: Value) -> Answer {
        self.try_call(Method::PUT, path, Some(body)).await.unwrap()
    }

    async fn delete(&self, path: &str) -> Answer {
        self.try_call(Method::DELETE, path, None).await.unwrap()
    }

    async fn subscribe(&self, topic: &str, url: &str) -> i64 {
        let body = json!({ "topic": topic, "delivery_url": url, "secret": "woo-secret", "name": "hub" });
        let answer = self.post("/webhooks", body).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.body["id"].as_i64().unwrap()
    }
}

fn euros(cents: i64) -> Decimal {
    Decimal::new(cents, 2)
}

async fn shop() -> (WooShop, HandClock) {
    let hand = HandClock::at(NOON);
    let shop = WooShop::start(WooConfig { clock: hand.clock(), ..WooConfig::seeded(7) }).await.unwrap();
    shop.add_product(NewProduct::new("MUG", "Mug", euros(1250)).stock(5).gtin("4006381333931"));
    shop.add_variable_product(
        NewProduct::new("TEE", "Tee", euros(0)).stock(40),
        vec![
            NewVariation::new(NewProduct::new("TEE-S", "Tee", euros(2000)).stock(3), &[("Size", "S")]),
            NewVariation::new(NewProduct::new("TEE-M", "Tee", euros(2100)).manage_stock(ManageStock::Parent), &[("Size", "M")]),
            NewVariation::new(NewProduct::new("TEE-L", "Tee", euros(2200)).manage_stock(ManageStock::No), &[("Size", "L")]),
        ],
    );
    (shop, hand)
}
