//! Each switch does what it says, and leaves behind exactly what it says.

use entrepot_simulators::woo::Purchase;
use entrepot_simulators::{Fault, When};
use reqwest::Method;
use serde_json::json;

use super::{Client, shop};

#[tokio::test]
async fn a_lost_answer_took_effect_and_a_dropped_request_did_not() {
    let (shop, _) = shop().await;
    let client = Client::of(&shop);
    let path = format!("/products/{}", shop.id_of("MUG").unwrap());
    let push = async |stock: i64| client.try_call(Method::PUT, &path, Some(json!({ "stock_quantity": stock }))).await;

    shop.faults(|faults| faults.on_next(1, When::Write, Fault::LoseAnswer));
    assert_eq!(client.get(&path).await.status, 200, "reads are left alone");
    assert!(push(11).await.is_err());
    assert_eq!(shop.stock_of("MUG"), Some(11));

    shop.faults(|faults| faults.on_next(1, When::Contains("stock_quantity".into()), Fault::DropRequest));
    assert!(push(12).await.is_err());
    assert_eq!(shop.stock_of("MUG"), Some(11));
    assert_eq!(push(13).await.unwrap().status, 200);
    let statuses: Vec<_> = shop.requests().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [Some(200), None, None, Some(200)]);
}

#[tokio::test]
async fn refusals_look_like_the_hosts_and_change_nothing() {
    let (shop, _) = shop().await;
    let client = Client::of(&shop);
    let path = format!("/products/{}", shop.id_of("MUG").unwrap());
    let push = async || client.try_call(Method::PUT, &path, Some(json!({ "stock_quantity": 1 }))).await.unwrap();
    let plan = |fault| shop.faults(|faults| faults.on_next(1, When::Any, fault));

    plan(Fault::Throttle);
    let answer = push().await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, ""));
    shop.faults(|faults| faults.throttle_retry_after_s = Some(7));
    plan(Fault::Throttle);
    assert_eq!(push().await.header("retry-after"), "7");
    plan(Fault::ServerError);
    let answer = push().await;
    assert!((500..=503).contains(&answer.status) && answer.header("content-type") == "text/html");
    plan(Fault::ErrorIn200);
    let answer = push().await;
    assert_eq!((answer.status, answer.code()), (200, "internal_server_error"));
    plan(Fault::RefuseCredentials);
    assert_eq!(push().await.status, 401);
    assert_eq!(shop.stock_of("MUG"), Some(5));
    shop.faults(|faults| faults.maintenance = true);
    assert_eq!(push().await.status, 503);
    shop.faults(|faults| faults.clear());
    assert_eq!(push().await.status, 200);
}

#[tokio::test]
async fn a_truncated_body_breaks_off_and_a_repeated_page_repeats() {
    let (shop, _) = shop().await;
    let client = Client::of(&shop);
    for _ in 0..6 {
        shop.place_order(Purchase::of("TEE-L", 1)).unwrap();
    }
    shop.faults(|faults| faults.on_next(1, When::Read, Fault::TruncateBody));
    assert!(client.try_call(Method::GET, "/orders", None).await.is_err());
    let page = async |page: usize| client.get(&format!("/orders?per_page=2&page={page}&order=asc")).await.ids();
    let (first, second) = (page(1).await, page(2).await);
    shop.faults(|faults| faults.on_next(1, When::Contains("page=2".into()), Fault::RepeatPage));
    assert_eq!(page(2).await, first);
    assert_eq!(page(2).await, second);
}

#[tokio::test]
async fn half_of_a_batch_can_fail() {
    let (shop, _) = shop().await;
    let client = Client::of(&shop);
    shop.faults(|faults| faults.partial_batch_per_mille = 1000);
    let parent = shop.id_of("TEE").unwrap();
    let rows = json!({ "update": [
        { "id": shop.id_of("TEE-S").unwrap(), "stock_quantity": 8 }, { "id": shop.id_of("TEE-S").unwrap(), "stock_quantity": 9 },
    ] });
    let answer = client.post(&format!("/products/{parent}/variations/batch"), rows).await.body;
    assert_eq!(answer["update"][0]["stock_quantity"], 8);
    assert_eq!(answer["update"][1]["error"]["data"]["status"], 500);
    assert_eq!(shop.stock_of("TEE-S"), Some(8));
}

#[tokio::test]
async fn a_stopped_shop_refuses_connections_and_comes_back_on_the_same_port() {
    let (shop, _) = shop().await;
    let client = Client::of(&shop);
    let origin = shop.origin();
    assert_eq!(client.get("/orders").await.status, 200);
    shop.stop().await;
    let failed = client.try_call(Method::GET, "/orders", None).await.err().unwrap();
    assert!(failed.is_connect(), "{failed:?}");
    shop.place_order(Purchase::of("MUG", 1)).unwrap();
    shop.restart().await.unwrap();
    assert_eq!(shop.origin(), origin);
    assert_eq!(client.get("/orders").await.ids().len(), 1, "the shop sold on");
}
