//! Who may come in, how lists are cut, what a batch does.

use entrepot_simulators::woo::{NewProduct, Purchase};
use entrepot_simulators::{WooConfig, WooShop};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Client, euros, shop};

#[tokio::test]
async fn strangers_get_the_documented_refusals() {
    let (shop, _) = shop().await;
    let mut client = Client::of(&shop);
    client.secret = "cs_wrong".into();
    let refused = client.get("/orders").await;
    assert_eq!((refused.status, refused.code()), (401, "woocommerce_rest_authentication_error"));
    assert_eq!(refused.body["data"]["status"], 401);
    let bare = client.http.get(format!("{}/orders", client.base)).send().await.unwrap();
    assert_eq!(bare.status().as_u16(), 401);
    let body: Value = serde_json::from_slice(&bare.bytes().await.unwrap()).unwrap();
    assert_eq!(body["code"], "woocommerce_rest_cannot_view");
    let query = format!("consumer_key={}&consumer_secret={}", shop.consumer_key(), shop.consumer_secret());
    let open = client.http.get(format!("{}/orders?{query}", client.base)).send().await.unwrap();
    assert_eq!(open.status().as_u16(), 200, "key and secret may stand in the address");

    let reader = WooShop::start(WooConfig { may_write: false, ..WooConfig::seeded(1) }).await.unwrap();
    let client = Client::of(&reader);
    assert_eq!(client.get("/products").await.status, 200);
    assert_eq!(client.post("/products/batch", json!({})).await.status, 401);
    let lost = client.get("/nothing/here").await;
    assert_eq!((lost.status, lost.code()), (404, "rest_no_route"));
}

#[tokio::test]
async fn lists_are_cut_into_pages_with_totals_and_links() {
    let (shop, hand) = shop().await;
    let client = Client::of(&shop);
    for n in 0..25 {
        hand.advance_ms(1000);
        shop.add_product(NewProduct::new(format!("SKU-{n:02}"), format!("Thing {n}"), euros(100)));
    }
    let mut seen = Vec::new();
    for page in 1..=3 {
        let answer = client.get(&format!("/products?per_page=10&page={page}&orderby=id&order=asc")).await;
        assert_eq!(answer.header("x-wp-total"), "27");
        assert_eq!(answer.header("x-wp-totalpages"), "3");
        assert_eq!(answer.header("link").contains("rel=\"next\""), page < 3);
        assert_eq!(answer.header("link").contains("rel=\"prev\""), page > 1);
        seen.extend(answer.ids());
    }
    assert_eq!(seen.len(), 27);
    assert!(seen.is_sorted());
    assert_eq!(client.get("/products").await.ids().len(), 10, "ten unless asked otherwise");
    assert_eq!(client.get("/products?page=9").await.body, json!([]));
    let newest = client.get("/products?per_page=1").await;
    assert_eq!(newest.body[0]["sku"], "SKU-24", "newest first unless asked otherwise");
    let too_many = client.get("/products?per_page=101").await;
    assert_eq!((too_many.status, too_many.code()), (400, "rest_invalid_param"));
    assert!(too_many.body["data"]["params"]["per_page"].is_string());
    assert_eq!(client.get("/products?orderby=mood").await.status, 400);
    let link = client.get("/products?per_page=10&search=thing").await.header("link").to_owned();
    let next = link.split(['<', '>']).nth(1).unwrap();
    assert!(next.contains("per_page=10") && next.contains("search=thing") && next.contains("page=2"), "{next}");
}

#[tokio::test]
async fn products_are_found_by_sku_even_as_variations_and_fields_can_be_picked() {
    let (shop, _) = shop().await;
    let client = Client::of(&shop);
    let found = client.get("/products?sku=TEE-S,MUG&orderby=id&order=asc").await;
    assert_eq!(found.ids(), [shop.id_of("MUG").unwrap(), shop.id_of("TEE-S").unwrap()]);
    assert_eq!(found.body[1]["type"], "variation");
    assert_eq!(found.body[1]["parent_id"], shop.id_of("TEE").unwrap());
    assert_eq!(client.get("/products").await.ids().len(), 2, "variations are not listed among products");
    let picked = client.get("/products?sku=MUG&_fields=id,sku,stock_quantity").await;
    assert_eq!(picked.body[0].as_object().unwrap().len(), 3);
    assert_eq!(client.get("/products?type=variable").await.ids(), [shop.id_of("TEE").unwrap()]);
    assert_eq!(client.get("/products?stock_status=outofstock").await.body, json!([]));
}

#[tokio::test]
async fn changed_orders_are_found_by_site_time_or_by_utc_to_the_second() {
    let (shop, hand) = shop().await;
    let client = Client::of(&shop);
    let old = shop.place_order(Purchase::of("TEE-L", 1)).unwrap();
    hand.advance_ms(10_400);
    let new = shop.place_order(Purchase::of("TEE-L", 1)).unwrap();
    // Noon UTC is one o'clock at the shop.
    let changed = async |query: &str| client.get(&format!("/orders?{query}&orderby=modified&order=asc")).await.ids();
    assert_eq!(changed("modified_after=2026-11-20T11:59:59&dates_are_gmt=true").await, [old, new]);
    assert_eq!(changed("modified_after=2026-11-20T12:00:00&dates_are_gmt=true").await, [new], "the limit is excluded");
    assert_eq!(changed("modified_after=2026-11-20T13:00:00").await, [new]);
    assert_eq!(changed("modified_after=2026-11-20T12:00:10Z").await, Vec::<i64>::new(), "whole seconds");
    assert_eq!(changed("modified_before=2026-11-20T12:00:10&dates_are_gmt=true").await, [old]);
    hand.advance_ms(60_000);
    shop.complete_order(old).unwrap();
    assert_eq!(changed("modified_after=2026-11-20T12:00:30&dates_are_gmt=true").await, [old]);
    assert_eq!(changed("status=completed").await, [old]);
    assert_eq!(changed("status[]=completed&status[]=processing").await, [new, old]);
    assert_eq!(changed(&format!("include={new},{old}")).await, [new, old]);
    let wrong = client.get("/orders?modified_after=yesterday").await;
    assert_eq!((wrong.status, wrong.code()), (400, "rest_invalid_param"));
    assert_eq!(client.get("/orders?status=lost").await.status, 400);
}

#[tokio::test]
async fn a_batch_answers_each_item_for_itself() {
    let (shop, _) = shop().await;
    let client = Client::of(&shop);
    let (mug, variation) = (shop.id_of("MUG").unwrap(), shop.id_of("TEE-S").unwrap());
    let body = json!({ "update": [
        { "id": mug, "stock_quantity": 9 },
        { "id": 999_999, "stock_quantity": 1 },
        { "id": variation, "stock_quantity": 1 },
        { "id": mug, "stock_quantity": "many" },
        { "id": mug, "regular_price": 12.5 },
    ] });
    let answer = client.post("/products/batch", body).await;
    assert_eq!(answer.status, 200);
    let rows = answer.body["update"].as_array().unwrap();
    assert_eq!(rows[0]["stock_quantity"], 9);
    assert_eq!(rows[1]["error"]["code"], "woocommerce_rest_product_invalid_id");
    assert_eq!((&rows[1]["id"], &rows[1]["error"]["data"]["status"]), (&json!(999_999), &json!(400)));
    assert_eq!(rows[2]["error"]["code"], "woocommerce_rest_invalid_product_id");
    assert_eq!(rows[3]["error"]["code"], "rest_invalid_param");
    assert_eq!(rows[4]["error"]["data"]["params"]["regular_price"], "regular_price is not of type string.");
    let pushes = shop.pushes();
    assert_eq!((pushes.len(), pushes[0].before, pushes[0].after), (1, 5, 9));
}

#[tokio::test]
async fn variations_are_written_under_their_product_and_only_where_they_count_themselves() {
    let (shop, _) = shop().await;
    let client = Client::of(&shop);
    let parent = shop.id_of("TEE").unwrap();
    let id = |sku: &str| shop.id_of(sku).unwrap();
    let body = json!({ "update": [
        { "id": id("TEE-S"), "stock_quantity": 7 }, { "id": id("TEE-M"), "stock_quantity": 7 },
        { "id": id("TEE-L"), "stock_quantity": 7 }, { "id": id("MUG"), "stock_quantity": 7 },
    ] });
    let rows = client.post(&format!("/products/{parent}/variations/batch"), body).await.body["update"].clone();
    assert_eq!(rows[0]["stock_quantity"], 7);
    assert_eq!((&rows[1]["manage_stock"], &rows[1]["stock_quantity"]), (&json!("parent"), &json!(40)));
    assert_eq!(rows[2]["stock_quantity"], json!(null), "a number for an uncounted item is dropped without a word");
    assert_eq!(rows[3]["error"]["code"], "woocommerce_rest_product_variation_invalid_id");
    assert_eq!(shop.pushes().len(), 1);
    assert_eq!(shop.oddities().len(), 2);
    let one = format!("/products/{parent}/variations/{}", id("TEE-L"));
    let body = json!({ "manage_stock": true, "stock_quantity": 4 });
    assert_eq!(client.put(&one, body).await.body["stock_quantity"], 4);
    assert_eq!(shop.stock_of("TEE-L"), Some(4));
    assert_eq!(client.get(&format!("/products/{}/variations/{}", id("MUG"), id("TEE-L"))).await.status, 404);
}

#[tokio::test]
async fn more_than_a_hundred_items_are_too_many_for_one_batch() {
    let (shop, _) = shop().await;
    let client = Client::of(&shop);
    let mug = shop.id_of("MUG").unwrap();
    let rows = |count: usize| (0..count).map(|n| json!({ "id": mug, "stock_quantity": n })).collect::<Vec<_>>();
    let answer = client.post("/products/batch", json!({ "update": rows(101) })).await;
    assert_eq!((answer.status, answer.code()), (413, "woocommerce_rest_request_entity_too_large"));
    assert!(shop.pushes().is_empty());
    let answer = client.post("/products/batch", json!({ "update": rows(100) })).await;
    assert_eq!((answer.status, shop.stock_of("MUG")), (200, Some(99)));
}

#[tokio::test]
async fn an_order_takes_a_known_status_and_nothing_else() {
    let (shop, _) = shop().await;
    let client = Client::of(&shop);
    let order = shop.place_order(Purchase::of("MUG", 1)).unwrap();
    let wrong = client.put(&format!("/orders/{order}"), json!({ "status": "shipped" })).await;
    assert_eq!((wrong.status, wrong.code()), (400, "rest_invalid_param"));
    assert_eq!(client.put("/orders/1", json!({ "status": "completed" })).await.status, 400);
    assert_eq!(client.get("/orders/1").await.status, 404);
    let broken = client.try_call(Method::PUT, &format!("/orders/{order}"), Some(json!("text"))).await.unwrap();
    assert_eq!((broken.status, broken.code()), (400, "rest_invalid_json"));
    assert_eq!(client.put(&format!("/orders/{order}"), json!({ "status": "completed" })).await.body["status"], "completed");
}

#[tokio::test]
async fn the_index_and_the_settings_name_version_and_currency() {
    let shop = WooShop::start(WooConfig { currency: "JPY".into(), decimals: 0, ..WooConfig::seeded(1) }).await.unwrap();
    let client = Client::of(&shop);
    assert_eq!(client.get("").await.body["namespace"], "wc/v3");
    assert_eq!(client.get("/").await.body["namespace"], "wc/v3");
    assert_eq!(client.get("/system_status").await.body["settings"]["currency"], "JPY");
    assert_eq!(client.get("/settings/general/woocommerce_currency").await.body["value"], "JPY");
    assert_eq!(client.get("/data/currencies/current").await.body["code"], "JPY");
}
