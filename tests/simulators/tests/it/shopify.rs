//! The Shopify shop as its own apps see it.

use entrepot_simulators::shopify::NewVariant;
use entrepot_simulators::{HandClock, ShopifyConfig, ShopifyShop};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::receiver::http;

mod api;
mod complete;
mod exports;
mod faults;
mod orders;
mod quantities;
mod webhooks;

const NOON: i64 = 1_795_176_000_000;

pub(crate) struct App {
    http: reqwest::Client,
    origin: String,
    token: String,
}

async fn grant(shop: &ShopifyShop, secret: &str) -> (u16, Value) {
    let form = format!("client_id={}&client_secret={secret}&grant_type=client_credentials", shop.client_id());
    let request = http()
        .post(format!("{}/admin/oauth/access_token", shop.origin()))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
}

impl App {
    pub(crate) async fn of(shop: &ShopifyShop) -> Self {
        let (status, body) = grant(shop, shop.client_secret()).await;
        assert_eq!(status, 200);
        assert_eq!(body["expires_in"], 86_399);
        Self { http: http(), origin: shop.origin(), token: body["access_token"].as_str().unwrap().to_owned() }
    }

    async fn try_run(&self, query: &str, variables: Value) -> Result<(u16, Value), reqwest::Error> {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let request = self
            .http
            .post(format!("{}/admin/api/2026-10/graphql.json", self.origin))
            .header("content-type", "application/json")
            .header("x-shopify-access-token", &self.token)
            .body(body);
        let response = request.send().await?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await?;
        Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    }

    /// Data of a query that must not have errors.
    pub(crate) async fn run(&self, query: &str, variables: Value) -> Value {
        let (status, body) = self.try_run(query, variables).await.unwrap();
        assert_eq!(status, 200, "{body}");
        assert!(body.get("errors").is_none(), "{body}");
        body["data"].clone()
    }

    async fn subscribe(&self, topic: &str, uri: &str) -> Value {
        let query = "mutation($topic: WebhookSubscriptionTopic!, $hook: WebhookSubscriptionInput!) {
            webhookSubscriptionCreate(topic: $topic, webhookSubscription: $hook) {
                webhookSubscription { id topic uri format endpoint { ... on WebhookHttpEndpoint { callbackUrl } } }
                userErrors { field message } } }";
        let data = self.run(query, json!({ "topic": topic, "hook": { "uri": uri } })).await;
        data["webhookSubscriptionCreate"].clone()
    }
}

fn euros(cents: i64) -> Decimal {
    Decimal::new(cents, 2)
}

async fn shop() -> (ShopifyShop, HandClock) {
    let hand = HandClock::at(NOON);
    let config = ShopifyConfig { clock: hand.clock(), ..ShopifyConfig::seeded(7) };
    let shop = ShopifyShop::start(config).await.unwrap();
    shop.add_product("Mug", vec![NewVariant::new("MUG", euros(1250)).stock(5).barcode("4006381333931").grams(350)]);
    shop.add_product(
        "Tee",
        vec![
            NewVariant::new("TEE-S", euros(2000)).stock(3).option("Size", "S"),
            NewVariant::new("TEE-M", euros(2100)).stock(40).option("Size", "M"),
        ],
    );
    (shop, hand)
}
