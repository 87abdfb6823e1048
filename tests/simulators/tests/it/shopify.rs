//! The Shopify shop as its own apps see it.

use entrepot_simulators::shopify::{Basket, NewVariant};
use entrepot_simulators::{Fault, HandClock, ShopifyConfig, ShopifyShop, When, signature};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::receiver::{Receiver, http};

const NOON: i64 = 1_795_176_000_000;

struct App {
    http: reqwest::Client,
    origin: String,
    token: String,
}

async fn grant(shop: &ShopifyShop, secret: &str) -> (u16, Value) {
    let form = format!(
        "client_id={}&client_secret={secret}&grant_type=client_credentials",
        shop.client_id()
    );
    let request = http()
        .post(format!("{}/admin/oauth/access_token", shop.origin()))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (
        status,
        serde_json::from_slice(&response.bytes().await.unwrap()).unwrap(),
    )
}

impl App {
    async fn of(shop: &ShopifyShop) -> Self {
        let (status, body) = grant(shop, shop.client_secret()).await;
        assert_eq!(status, 200);
        assert_eq!(body["expires_in"], 86_399);
        Self {
            http: http(),
            origin: shop.origin(),
            token: body["access_token"].as_str().unwrap().to_owned(),
        }
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
        Ok((
            status,
            serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        ))
    }

    /// Data of a query that must not have errors.
    async fn run(&self, query: &str, variables: Value) -> Value {
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
        let data = self
            .run(query, json!({ "topic": topic, "hook": { "uri": uri } }))
            .await;
        data["webhookSubscriptionCreate"].clone()
    }
}

fn euros(cents: i64) -> Decimal {
    Decimal::new(cents, 2)
}

async fn shop() -> (ShopifyShop, HandClock) {
    let hand = HandClock::at(NOON);
    let config = ShopifyConfig {
        clock: hand.clock(),
        ..ShopifyConfig::seeded(7)
    };
    let shop = ShopifyShop::start(config).await.unwrap();
    shop.add_product(
        "Mug",
        vec![
            NewVariant::new("MUG", euros(1250))
                .stock(5)
                .barcode("4006381333931")
                .grams(350),
        ],
    );
    shop.add_product(
        "Tee",
        vec![
            NewVariant::new("TEE-S", euros(2000))
                .stock(3)
                .option("Size", "S"),
            NewVariant::new("TEE-M", euros(2100))
                .stock(40)
                .option("Size", "M"),
        ],
    );
    (shop, hand)
}

#[tokio::test]
async fn an_order_lowers_what_is_available_and_reaches_the_receiver_signed() {
    let (shop, _) = shop().await;
    let app = App::of(&shop).await;
    let receiver = Receiver::start().await;
    let created = app.subscribe("ORDERS_CREATE", &receiver.url).await;
    assert_eq!(created["userErrors"], json!([]));
    assert_eq!(
        created["webhookSubscription"]["endpoint"]["callbackUrl"],
        receiver.url
    );
    let order = shop
        .place_order(Basket::of("MUG", 2).and("TEE-S", 1).shipping(euros(490)))
        .unwrap();
    shop.deliveries_idle().await;
    assert_eq!(shop.stock_of("MUG"), Some(3));
    let location = shop.locations()[0];
    assert_eq!(shop.level_of("MUG", location), Some((3, 2, 5)));

    let got = receiver.got();
    assert_eq!(got.len(), 1);
    let headers = &got[0].headers;
    assert_eq!(
        headers["x-shopify-hmac-sha256"],
        signature(shop.client_secret(), &got[0].body)
    );
    assert_eq!(headers["x-shopify-topic"], "orders/create");
    assert_eq!(headers["x-shopify-shop-domain"], shop.domain());
    assert_eq!(headers["x-shopify-api-version"], "2026-10");
    assert_eq!(headers["x-shopify-triggered-at"], "2026-11-20T12:00:00Z");
    assert!(
        headers.contains_key("x-shopify-webhook-id") && headers.contains_key("x-shopify-event-id")
    );
    let body = got[0].json();
    assert_eq!(body["id"], order);
    assert_eq!(body["total_price"], "59.38");
    assert_eq!(body["created_at"], "2026-11-20T13:00:00+01:00");

    let query = "query($id: ID!) { order(id: $id) { id name displayFinancialStatus totalPriceSet { shopMoney { amount currencyCode } }
        lineItems(first: 10) { nodes { sku quantity variant { sku inventoryItem { id } } } } } }";
    let data = app
        .run(
            query,
            json!({ "id": format!("gid://shopify/Order/{order}") }),
        )
        .await;
    assert_eq!(
        data["order"]["totalPriceSet"]["shopMoney"],
        json!({ "amount": "59.38", "currencyCode": "EUR" })
    );
    assert_eq!(
        data["order"]["lineItems"]["nodes"][1]["variant"]["sku"],
        "TEE-S"
    );
}
