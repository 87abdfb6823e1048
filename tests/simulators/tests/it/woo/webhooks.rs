//! Webhooks: what arrives, signed how, and what the shop does when nobody answers.

use entrepot_simulators::signature;
use entrepot_simulators::woo::Purchase;
use serde_json::json;

use super::{Client, euros, shop};
use crate::receiver::Receiver;
use crate::specs;

#[tokio::test]
async fn an_order_lowers_the_shops_own_stock_and_reaches_the_receiver_signed() {
    let (shop, _) = shop().await;
    let receiver = Receiver::start().await;
    let client = Client::of(&shop);
    let hook = client.subscribe("order.created", &receiver.url).await;
    let order = shop.place_order(Purchase::of("MUG", 2).and("TEE-S", 1).shipping(euros(490))).unwrap();
    shop.deliveries_idle().await;

    assert_eq!(shop.stock_of("MUG"), Some(3));
    assert_eq!(shop.stock_of("TEE-S"), Some(2));
    let got = receiver.got();
    assert_eq!(got[0].body, format!("webhook_id={hook}").as_bytes());
    assert_eq!(got[0].headers["content-type"], "application/x-www-form-urlencoded");
    assert!(!got[0].headers.contains_key("x-wc-webhook-signature"));
    assert_eq!(got.len(), 2);
    let delivered = &got[1];
    assert_eq!(delivered.headers["x-wc-webhook-signature"], signature("woo-secret", &delivered.body));
    assert_eq!(delivered.headers["x-wc-webhook-topic"], "order.created");
    assert_eq!(delivered.headers["x-wc-webhook-resource"], "order");
    assert_eq!(delivered.headers["x-wc-webhook-event"], "created");
    assert_eq!(delivered.headers["x-wc-webhook-id"], hook.to_string());
    assert_eq!(delivered.headers["x-wc-webhook-source"], format!("{}/", shop.origin()));
    assert_eq!(delivered.json(), client.get(&format!("/orders/{order}")).await.body);
    // 2 x 12.50 + 20.00 + 4.90 shipping, 19 % tax on each.
    assert_eq!(delivered.json()["total"], "59.38");
}

#[tokio::test]
async fn two_orders_of_one_second_share_their_delivery_id() {
    let (shop, hand) = shop().await;
    let receiver = Receiver::start().await;
    Client::of(&shop).subscribe("order.created", &receiver.url).await;
    shop.place_order(Purchase::of("MUG", 1)).unwrap();
    shop.place_order(Purchase::of("MUG", 1)).unwrap();
    shop.deliveries_idle().await;
    hand.advance_ms(1000);
    shop.place_order(Purchase::of("MUG", 1)).unwrap();
    shop.deliveries_idle().await;
    let ids: Vec<String> = receiver.got().iter().skip(1).map(|got| got.headers["x-wc-webhook-delivery-id"].clone()).collect();
    assert_eq!(ids.len(), 3);
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[1], ids[2]);
}

#[tokio::test]
async fn five_failures_in_a_row_switch_a_webhook_off_and_a_success_in_between_does_not_count() {
    let (shop, _) = shop().await;
    let receiver = Receiver::start().await;
    let client = Client::of(&shop);
    let hook = client.subscribe("order.created", &receiver.url).await;
    let sell = async |status: u16, times: usize| {
        receiver.answer(status);
        for _ in 0..times {
            shop.place_order(Purchase::of("TEE-L", 1)).unwrap();
        }
        shop.deliveries_idle().await;
    };
    sell(500, 4).await;
    sell(204, 1).await;
    assert_eq!(shop.webhooks()[0].failures, 0);
    sell(302, 4).await;
    assert_eq!(shop.webhooks()[0].status, "active");
    sell(404, 1).await;
    assert_eq!(shop.webhooks()[0].status, "disabled");
    let before = receiver.got().len();
    sell(200, 2).await;
    assert_eq!(receiver.got().len(), before, "a disabled webhook sends nothing");
    let answer = client.put(&format!("/webhooks/{hook}"), json!({ "status": "active" })).await;
    assert_eq!(answer.body["status"], "active");
    sell(200, 1).await;
    assert_eq!(receiver.got().len(), before + 1);
}

#[tokio::test]
async fn a_webhook_about_a_deleted_order_carries_its_id_alone() {
    let (shop, _) = shop().await;
    let receiver = Receiver::start().await;
    Client::of(&shop).subscribe("order.deleted", &receiver.url).await;
    let order = shop.place_order(Purchase::of("MUG", 1)).unwrap();
    shop.delete_order(order).unwrap();
    shop.deliveries_idle().await;
    assert_eq!(receiver.got()[1].json(), json!({ "id": order }));
}

#[tokio::test]
async fn webhooks_are_listed_without_their_secret_and_deleted_only_by_force() {
    let (shop, _) = shop().await;
    let receiver = Receiver::start().await;
    let client = Client::of(&shop);
    let hook = client.subscribe("product.updated", &receiver.url).await;
    let listed = client.get("/webhooks?status=active").await.body;
    assert_eq!(listed[0]["id"], hook);
    assert!(listed[0].get("secret").is_none());
    let refused = client.delete(&format!("/webhooks/{hook}")).await;
    assert_eq!((refused.status, refused.code()), (501, "woocommerce_rest_trash_not_supported"));
    assert_eq!(client.delete(&format!("/webhooks/{hook}?force=true")).await.status, 200);
    let gone = client.get(&format!("/webhooks/{hook}")).await;
    assert_eq!((gone.status, gone.code()), (404, "woocommerce_rest_shop_webhook_invalid_id"));
    let bad = client.post("/webhooks", json!({ "topic": "order.exploded", "delivery_url": receiver.url })).await;
    assert_eq!((bad.status, bad.code()), (400, "woocommerce_rest_shop_webhook_invalid_topic"));
    let bad = client.post("/webhooks", json!({ "topic": "order.created", "delivery_url": "ftp://x" })).await;
    assert_eq!((bad.status, bad.code()), (400, "woocommerce_rest_shop_webhook_invalid_delivery_url"));
}

#[tokio::test]
async fn dropped_doubled_delayed_and_reordered_webhooks_are_counted_and_happen() {
    let (shop, hand) = shop().await;
    let receiver = Receiver::start().await;
    Client::of(&shop).subscribe("order.created", &receiver.url).await;
    let sell = |times: usize| (0..times).map(|_| shop.place_order(Purchase::of("TEE-L", 1)).unwrap()).collect::<Vec<_>>();
    let ids = || receiver.got().iter().skip(1).map(|got| got.json()["id"].as_i64().unwrap()).collect::<Vec<_>>();

    shop.faults(|faults| faults.webhook_drop_per_mille = 1000);
    sell(3);
    shop.deliveries_idle().await;
    assert_eq!((shop.webhook_counts().dropped, ids().len()), (3, 0));

    shop.faults(|faults| {
        faults.clear();
        faults.webhook_duplicate_per_mille = 1000;
    });
    let order = sell(1)[0];
    shop.deliveries_idle().await;
    assert_eq!(ids(), [order, order]);
    assert_eq!(shop.webhook_counts().duplicates_sent, 1);

    shop.faults(|faults| {
        faults.clear();
        faults.webhook_delay_per_mille = 1000;
        faults.webhook_delay_ms = 60_000;
    });
    let late = sell(1)[0];
    shop.faults(|faults| faults.clear());
    shop.cancel_order(late).unwrap();
    shop.deliveries_idle().await;
    assert_eq!(ids().len(), 2, "not due yet");
    hand.advance_ms(60_000);
    shop.deliveries_idle().await;
    assert_eq!(ids()[2], late);
    assert_eq!(receiver.got()[3].json()["status"], "processing", "what arrives late is what was written then");

    shop.faults(|faults| faults.webhook_reorder_per_mille = 1000);
    let placed = sell(20);
    hand.advance_ms(1000);
    shop.deliveries_idle().await;
    let mut arrived = ids().split_off(3);
    assert_ne!(arrived, placed);
    arrived.sort_unstable();
    assert_eq!(arrived, placed);
}

#[test]
fn webhook_signatures_follow_the_worked_vectors() {
    let Some(file) = specs::json("_signature-vectors/vectors.json") else { return };
    let ours = |vector: &&serde_json::Value| matches!(vector["id"].as_str(), Some("woocommerce-webhook-1" | "shopify-webhook-1"));
    let vectors: Vec<_> = file["vectors"].as_array().unwrap().iter().filter(ours).collect();
    assert_eq!(vectors.len(), 2);
    for vector in vectors {
        let made = signature(vector["secret"].as_str().unwrap(), vector["input"].as_str().unwrap().as_bytes());
        assert_eq!(made, vector["expected"].as_str().unwrap(), "{}", vector["id"]);
    }
}
