//! Webhooks: what arrives, signed how, and what the shop does when nobody answers.

use std::collections::BTreeSet;

use entrepot_simulators::shopify::{Basket, NewVariant};
use entrepot_simulators::signature;
use serde_json::{Value, json};

use super::{App, euros, shop};
use crate::receiver::Receiver;
use crate::specs;

#[tokio::test]
async fn an_order_lowers_what_is_available_and_reaches_the_receiver_signed() {
    let (shop, _) = shop().await;
    let app = App::of(&shop).await;
    let receiver = Receiver::start().await;
    let created = app.subscribe("ORDERS_CREATE", &receiver.url).await;
    assert_eq!(created["userErrors"], json!([]));
    assert_eq!(created["webhookSubscription"]["endpoint"]["callbackUrl"], receiver.url);
    let order = shop.place_order(Basket::of("MUG", 2).and("TEE-S", 1).shipping(euros(490))).unwrap();
    shop.deliveries_idle().await;
    assert_eq!(shop.stock_of("MUG"), Some(3));
    let location = shop.locations()[0];
    assert_eq!(shop.level_of("MUG", location), Some((3, 2, 5)));

    let got = receiver.got();
    assert_eq!(got.len(), 1);
    let headers = &got[0].headers;
    assert_eq!(headers["x-shopify-hmac-sha256"], signature(shop.client_secret(), &got[0].body));
    assert_eq!(headers["x-shopify-topic"], "orders/create");
    assert_eq!(headers["x-shopify-shop-domain"], shop.domain());
    assert_eq!(headers["x-shopify-api-version"], "2026-10");
    assert_eq!(headers["x-shopify-triggered-at"], "2026-11-20T12:00:00Z");
    assert!(headers.contains_key("x-shopify-webhook-id") && headers.contains_key("x-shopify-event-id"));
    let body = got[0].json();
    assert_eq!(body["id"], order);
    assert_eq!(body["total_price"], "59.38");
    assert_eq!(body["created_at"], "2026-11-20T13:00:00+01:00");

    let query = "query($id: ID!) { order(id: $id) { id name displayFinancialStatus totalPriceSet { shopMoney { amount currencyCode } }
        lineItems(first: 10) { nodes { sku quantity variant { sku inventoryItem { id } } } } } }";
    let data = app.run(query, json!({ "id": format!("gid://shopify/Order/{order}") })).await;
    assert_eq!(data["order"]["totalPriceSet"]["shopMoney"], json!({ "amount": "59.38", "currencyCode": "EUR" }));
    assert_eq!(data["order"]["lineItems"]["nodes"][1]["variant"]["sku"], "TEE-S");
}

/// Retired since the samples were written, by path below the topic.
const RETIRED: [&str; 14] = [
    "orders/updated.gateway",
    "orders/updated.processing_method",
    "orders/updated.source",
    "orders/updated.total_price_usd",
    "orders/updated.payment_details",
    "orders/updated.customer.accepts_marketing",
    "orders/updated.customer.last_order_id",
    "orders/updated.customer.last_order_name",
    "orders/updated.customer.orders_count",
    "orders/updated.customer.total_spent",
    // Moved to the inventory item.
    "products/update.variants.fulfillment_service",
    "products/update.variants.grams",
    "products/update.variants.inventory_management",
    "products/update.variants.requires_shipping",
];

/// Adds the paths of sample keys that ours lacks. Lists are compared by their first rows.
fn missing(sample: &Value, ours: &Value, path: &str, found: &mut Vec<String>) {
    match (sample, ours) {
        (Value::Object(sample), Value::Object(ours)) => {
            for (name, value) in sample {
                let path = format!("{path}.{name}");
                match ours.get(name) {
                    Some(mine) => missing(value, mine, &path, found),
                    None if RETIRED.contains(&path.as_str()) => {}
                    None => found.push(path),
                }
            }
        }
        (Value::Array(sample), Value::Array(ours)) => {
            if let (Some(sample), Some(ours)) = (sample.first(), ours.first()) {
                missing(sample, ours, path, found);
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn bodies_carry_every_key_of_the_published_samples_that_still_exists() {
    let (shop, _) = shop().await;
    let app = App::of(&shop).await;
    let receiver = Receiver::start().await;
    for topic in ["ORDERS_UPDATED", "REFUNDS_CREATE", "PRODUCTS_UPDATE", "INVENTORY_LEVELS_UPDATE", "FULFILLMENTS_CREATE"] {
        app.subscribe(topic, &receiver.url).await;
    }
    let order = shop.place_order(Basket::of("TEE-S", 3).shipping(euros(500)).discount("TENOFF", euros(1000))).unwrap();
    shop.ship_order(order, "UPS", "1Z2345").unwrap();
    shop.refund_order(order, &[("TEE-S", 1)], true).unwrap();
    shop.set_price("TEE-S", euros(2500)).unwrap();
    shop.deliveries_idle().await;
    let got = receiver.got();
    let pairs = [
        ("orders/updated", "order", "order"),
        ("refunds/create", "refund", "refund"),
        ("products/update", "product", "product"),
        ("inventory_levels/update", "inventory_level", "inventory_level"),
        ("fulfillments/create", "fulfillment", "fulfillment"),
    ];
    let mut found = Vec::new();
    for (topic, sample, root) in pairs {
        let Some(sample) = specs::json(&format!("shopify/rest-samples/{sample}.json")) else { return };
        let ours = got.iter().rev().find(|got| got.headers["x-shopify-topic"] == topic);
        missing(&sample[root], &ours.unwrap_or_else(|| panic!("no {topic}")).json(), topic, &mut found);
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test]
async fn nine_tries_over_four_hours_carry_the_first_body_and_then_the_subscription_is_gone() {
    let (shop, hand) = shop().await;
    let app = App::of(&shop).await;
    let receiver = Receiver::start().await;
    app.subscribe("ORDERS_CREATE", &receiver.url).await;
    receiver.answer(500);
    let order = shop.place_order(Basket::of("MUG", 1)).unwrap();
    shop.deliveries_idle().await;
    shop.cancel_order(order).unwrap();
    for tries in 1..9 {
        assert_eq!(receiver.got().len(), tries);
        assert_eq!(shop.webhooks()[0].failures as usize, tries);
        let mut waited = 0;
        while receiver.got().len() == tries {
            hand.advance_ms(10_000);
            waited += 10;
            assert!(waited <= 4 * 3600, "no further try");
            shop.deliveries_idle().await;
        }
    }
    assert_eq!(hand.now_ms() - super::NOON, 4 * 3_600_000);
    assert!(shop.webhooks().is_empty(), "removed after the last try");
    let bodies: BTreeSet<Vec<u8>> = receiver.got().into_iter().map(|got| got.body).collect();
    assert_eq!(bodies.len(), 1, "the original body every time");
    let ids: BTreeSet<String> = receiver.got().iter().map(|got| got.headers["x-shopify-webhook-id"].clone()).collect();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn a_success_ends_the_tries() {
    let (shop, hand) = shop().await;
    let app = App::of(&shop).await;
    let receiver = Receiver::start().await;
    app.subscribe("ORDERS_CREATE", &receiver.url).await;
    receiver.answer(503);
    shop.place_order(Basket::of("MUG", 1)).unwrap();
    shop.deliveries_idle().await;
    receiver.answer(200);
    hand.advance_ms(10_000);
    shop.deliveries_idle().await;
    assert_eq!((receiver.got().len(), shop.webhooks()[0].failures, shop.webhooks_waiting()), (2, 0, 0));
}

#[tokio::test]
async fn a_subscription_may_ask_for_some_fields_and_some_events() {
    let (shop, _) = shop().await;
    let app = App::of(&shop).await;
    let receiver = Receiver::start().await;
    let query = "mutation($hook: WebhookSubscriptionInput!) { webhookSubscriptionCreate(topic: ORDERS_CREATE, webhookSubscription: $hook) {
        webhookSubscription { id includeFields filter } userErrors { field message } } }";
    let hook = json!({ "uri": receiver.url, "includeFields": ["id", "test"], "filter": "test:true" });
    let made = app.run(query, json!({ "hook": hook })).await;
    assert_eq!(made["webhookSubscriptionCreate"]["webhookSubscription"]["includeFields"], json!(["id", "test"]));
    shop.place_order(Basket::of("MUG", 1)).unwrap();
    let order = shop.place_order(Basket::of("MUG", 1).test()).unwrap();
    shop.deliveries_idle().await;
    let bodies: Vec<Value> = receiver.got().iter().map(|got| got.json()).collect();
    assert_eq!(bodies, [json!({ "id": order, "test": true })]);
}

#[tokio::test]
async fn subscriptions_are_listed_by_topic_refused_when_doubled_and_deleted() {
    let (shop, _) = shop().await;
    let app = App::of(&shop).await;
    let first = app.subscribe("ORDERS_CREATE", "https://hub.example/one").await;
    app.subscribe("ORDERS_UPDATED", "https://hub.example/one").await;
    let again = app.subscribe("ORDERS_CREATE", "https://hub.example/one").await;
    assert_eq!(again["webhookSubscription"], json!(null));
    assert_eq!(again["userErrors"][0]["message"], "Address for this topic has already been taken");
    let list =
        "{ webhookSubscriptions(first: 10, topics: [ORDERS_CREATE]) { edges { cursor node { id topic uri apiVersion { handle } } } } }";
    let listed = app.run(list, json!({})).await["webhookSubscriptions"]["edges"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["node"]["apiVersion"]["handle"], "2026-10");
    let delete = "mutation($id: ID!) { webhookSubscriptionDelete(id: $id) { deletedWebhookSubscriptionId userErrors { message } } }";
    let id = first["webhookSubscription"]["id"].clone();
    let gone = app.run(delete, json!({ "id": id })).await;
    assert_eq!(gone["webhookSubscriptionDelete"]["deletedWebhookSubscriptionId"], id);
    let gone = app.run(delete, json!({ "id": id })).await;
    assert_eq!(gone["webhookSubscriptionDelete"]["userErrors"].as_array().unwrap().len(), 1);
    assert_eq!(shop.webhooks().len(), 1);
}

#[tokio::test]
async fn one_event_has_one_event_id_for_all_and_a_webhook_id_for_each() {
    let (shop, _) = shop().await;
    let app = App::of(&shop).await;
    let (left, right) = (Receiver::start().await, Receiver::start().await);
    app.subscribe("APP_UNINSTALLED", &left.url).await;
    app.subscribe("APP_UNINSTALLED", &right.url).await;
    shop.add_product("New", vec![NewVariant::new("NEW", euros(100))]);
    shop.uninstall_app();
    shop.deliveries_idle().await;
    let (left, right) = (left.got()[0].headers.clone(), right.got()[0].headers.clone());
    assert_eq!(left["x-shopify-topic"], "app/uninstalled");
    assert_eq!(left["x-shopify-event-id"], right["x-shopify-event-id"]);
    assert_ne!(left["x-shopify-webhook-id"], right["x-shopify-webhook-id"]);
    let (status, _) = app.try_run("{ shop { name } }", json!({})).await.unwrap();
    assert_eq!(status, 401, "the app is out");
}
