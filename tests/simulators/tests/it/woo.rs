//! The WooCommerce shop as its own clients see it.

use std::sync::Arc;

use entrepot_simulators::woo::{
    ManageStock, NewProduct, NewVariation, Purchase, Refused, StockWriter,
};
use entrepot_simulators::{Fault, HandClock, Reception, When, WooConfig, WooShop, signature};
use reqwest::Method;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::receiver::Receiver;
use crate::specs;

const NOON: i64 = 1_795_176_000_000;

struct Client {
    http: reqwest::Client,
    base: String,
    key: String,
    secret: String,
}

struct Answer {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: Value,
}

impl Client {
    fn of(shop: &WooShop) -> Self {
        Self {
            http: crate::receiver::http(),
            base: format!("{}/wp-json/wc/v3", shop.origin()),
            key: shop.consumer_key().to_owned(),
            secret: shop.consumer_secret().to_owned(),
        }
    }

    async fn try_call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.base))
            .basic_auth(&self.key, Some(&self.secret));
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await?;
        Ok(Answer {
            status,
            headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        })
    }

    async fn get(&self, path: &str) -> Answer {
        self.try_call(Method::GET, path, None).await.unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.try_call(Method::POST, path, Some(body)).await.unwrap()
    }

    async fn put(&self, path: &str, body: Value) -> Answer {
        self.try_call(Method::PUT, path, Some(body)).await.unwrap()
    }

    async fn subscribe(&self, topic: &str, url: &str) -> i64 {
        let body =
            json!({ "topic": topic, "delivery_url": url, "secret": "woo-secret", "name": "hub" });
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
    let shop = WooShop::start(WooConfig {
        clock: hand.clock(),
        ..WooConfig::seeded(7)
    })
    .await
    .unwrap();
    shop.add_product(
        NewProduct::new("MUG", "Mug", euros(1250))
            .stock(5)
            .gtin("4006381333931"),
    );
    shop.add_variable_product(
        NewProduct::new("TEE", "Tee", euros(0)).stock(40),
        vec![
            NewVariation::new(
                NewProduct::new("TEE-S", "Tee", euros(2000)).stock(3),
                &[("Size", "S")],
            ),
            NewVariation::new(
                NewProduct::new("TEE-M", "Tee", euros(2100)).manage_stock(ManageStock::Parent),
                &[("Size", "M")],
            ),
            NewVariation::new(
                NewProduct::new("TEE-L", "Tee", euros(2200)).manage_stock(ManageStock::No),
                &[("Size", "L")],
            ),
        ],
    );
    (shop, hand)
}

#[tokio::test]
async fn an_order_lowers_the_shops_own_stock_and_reaches_the_receiver_signed() {
    let (shop, _) = shop().await;
    let receiver = Receiver::start().await;
    let client = Client::of(&shop);
    let hook = client.subscribe("order.created", &receiver.url).await;
    let order = shop
        .place_order(Purchase::of("MUG", 2).and("TEE-S", 1).shipping(euros(490)))
        .unwrap();
    shop.deliveries_idle().await;

    assert_eq!(shop.stock_of("MUG"), Some(3));
    assert_eq!(shop.stock_of("TEE-S"), Some(2));
    let got = receiver.got();
    assert_eq!(got[0].body, format!("webhook_id={hook}").as_bytes());
    assert_eq!(
        got[0].headers["content-type"],
        "application/x-www-form-urlencoded"
    );
    assert!(!got[0].headers.contains_key("x-wc-webhook-signature"));
    assert_eq!(got.len(), 2);
    let delivered = &got[1];
    assert_eq!(
        delivered.headers["x-wc-webhook-signature"],
        signature("woo-secret", &delivered.body)
    );
    assert_eq!(delivered.headers["x-wc-webhook-topic"], "order.created");
    assert_eq!(delivered.headers["x-wc-webhook-resource"], "order");
    assert_eq!(delivered.headers["x-wc-webhook-event"], "created");
    assert_eq!(delivered.headers["x-wc-webhook-id"], hook.to_string());
    assert_eq!(
        delivered.headers["x-wc-webhook-source"],
        format!("{}/", shop.origin())
    );
    assert_eq!(
        delivered.json(),
        client.get(&format!("/orders/{order}")).await.body
    );
    // 2 x 12.50 + 20.00 + 4.90 shipping, 19 % tax on each.
    assert_eq!(delivered.json()["total"], "59.38");
}
