//! What orders do to the shop's own stock, whoever moves them along.

use entrepot_simulators::woo::{ManageStock, NewProduct, Purchase, Refused, StockWriter};
use serde_json::json;

use super::{Client, euros, shop};

#[tokio::test]
async fn the_shop_guards_its_own_last_unit_unless_told_to_oversell() {
    let (shop, _) = shop().await;
    let refused = shop.place_order(Purchase::of("MUG", 4).and("MUG", 2)).unwrap_err();
    assert_eq!(refused, Refused::OutOfStock { sku: "MUG".into(), wanted: 6, left: 5 });
    assert!(shop.orders().is_empty(), "a refused purchase leaves nothing behind");
    assert_eq!(shop.stock_of("MUG"), Some(5));
    shop.place_order(Purchase::of("MUG", 5)).unwrap();
    assert!(shop.place_order(Purchase::of("MUG", 1)).is_err());
    shop.place_order(Purchase::of("MUG", 1).oversell()).unwrap();
    assert_eq!(shop.stock_of("MUG"), Some(-1));
    shop.add_product(NewProduct::new("BACK", "Back", euros(100)).stock(1).backorders());
    shop.place_order(Purchase::of("BACK", 3)).unwrap();
    assert_eq!(shop.stock_of("BACK"), Some(-2));
    assert_eq!(shop.place_order(Purchase::of("NOPE", 1)).unwrap_err(), Refused::NoSuchSku("NOPE".into()));
}

#[tokio::test]
async fn a_shared_count_belongs_to_the_parent_and_no_count_to_nobody() {
    let (shop, _) = shop().await;
    shop.place_order(Purchase::of("TEE-M", 4).and("TEE-L", 2)).unwrap();
    assert_eq!((shop.stock_of("TEE"), shop.stock_of("TEE-M")), (Some(36), Some(36)));
    assert_eq!((shop.stock_of("TEE-S"), shop.stock_of("TEE-L")), (Some(3), None));
    let client = Client::of(&shop);
    let parent = shop.id_of("TEE").unwrap();
    let seen = client.get(&format!("/products/{parent}/variations?orderby=id&order=asc")).await.body;
    assert_eq!((&seen[0]["manage_stock"], &seen[0]["stock_quantity"]), (&json!(true), &json!(3)));
    assert_eq!((&seen[1]["manage_stock"], &seen[1]["stock_quantity"]), (&json!("parent"), &json!(36)));
    assert_eq!((&seen[2]["manage_stock"], &seen[2]["stock_quantity"]), (&json!(false), &json!(null)));
    shop.set_manage_stock("TEE", ManageStock::No).unwrap();
    let seen = client.get(&format!("/products/{parent}/variations?sku=TEE-M")).await.body;
    assert_eq!(seen[0]["manage_stock"], false);
    assert_eq!(shop.set_stock("TEE-M", 3), Err(Refused::NotCounted { sku: "TEE-M".into() }));
}

#[tokio::test]
async fn stock_is_taken_when_paid_given_back_when_cancelled_and_never_twice() {
    let (shop, _) = shop().await;
    let order = shop.place_order(Purchase::of("MUG", 2).status("pending")).unwrap();
    assert_eq!(shop.stock_of("MUG"), Some(5), "an unpaid order takes nothing");
    for (status, left) in
        [("on-hold", 3), ("processing", 3), ("cancelled", 5), ("cancelled", 5), ("processing", 3), ("completed", 3), ("pending", 5)]
    {
        shop.set_order_status(order, status).unwrap();
        assert_eq!(shop.stock_of("MUG"), Some(left), "after {status}");
    }
    let by: Vec<StockWriter> = shop.stock_writes().iter().map(|write| write.by).collect();
    assert!(by.iter().all(|by| *by == StockWriter::Order(order)));
}

#[tokio::test]
async fn editing_an_order_moves_only_the_difference() {
    let (shop, _) = shop().await;
    let order = shop.place_order(Purchase::of("MUG", 2)).unwrap();
    shop.edit_order(order, "MUG", 4).unwrap();
    assert_eq!(shop.stock_of("MUG"), Some(1));
    shop.edit_order(order, "TEE-S", 1).unwrap();
    shop.edit_order(order, "MUG", 0).unwrap();
    assert_eq!((shop.stock_of("MUG"), shop.stock_of("TEE-S")), (Some(5), Some(2)));
    assert_eq!(shop.order(order).unwrap().lines, [("TEE-S".to_owned(), 1)]);
    shop.cancel_order(order).unwrap();
    assert_eq!(shop.stock_of("TEE-S"), Some(3));
}

#[tokio::test]
async fn refunds_restock_when_asked_and_a_full_one_changes_the_status() {
    let (shop, _) = shop().await;
    let order = shop.place_order(Purchase::of("MUG", 3)).unwrap();
    shop.refund_order(order, &[("MUG", 1)], true).unwrap();
    assert_eq!((shop.stock_of("MUG"), shop.order(order).unwrap().status.as_str()), (Some(3), "processing"));
    shop.refund_order(order, &[("MUG", 1)], false).unwrap();
    assert_eq!(shop.stock_of("MUG"), Some(3));
    shop.refund_order(order, &[], true).unwrap();
    assert_eq!((shop.stock_of("MUG"), shop.order(order).unwrap().status.as_str()), (Some(4), "refunded"));
    let body = Client::of(&shop).get(&format!("/orders/{order}")).await.body;
    assert_eq!(body["refunds"].as_array().unwrap().len(), 3);
    assert_eq!(body["refunds"][0]["total"], "-14.88");
}

#[tokio::test]
async fn a_refund_over_the_api_would_move_money_unless_told_not_to() {
    let (shop, _) = shop().await;
    let client = Client::of(&shop);
    let order = shop.place_order(Purchase::of("MUG", 2)).unwrap();
    let path = format!("/orders/{order}/refunds");
    let refused = client.post(&path, json!({ "amount": "5.00" })).await;
    assert_eq!((refused.status, refused.code()), (500, "woocommerce_rest_cannot_create_order_refund"));
    let line = client.get(&format!("/orders/{order}")).await.body["line_items"][0]["id"].clone();
    let body = json!({ "amount": "14.88", "api_refund": false, "reason": "broken",
        "line_items": [{ "id": line, "quantity": 1, "refund_total": 12.5 }] });
    let made = client.post(&path, body).await;
    assert_eq!((made.status, &made.body["amount"]), (201, &json!("14.88")));
    assert_eq!(made.body["line_items"][0]["quantity"], -1);
    assert_eq!(shop.stock_of("MUG"), Some(4), "restocked by default");
    let too_much = client.post(&path, json!({ "amount": "500", "api_refund": false })).await;
    assert_eq!(too_much.status, 400);
}

#[tokio::test]
async fn shipping_in_the_admin_completes_the_order_and_shows_the_parcel() {
    let (shop, hand) = shop().await;
    let client = Client::of(&shop);
    let order = shop.place_order(Purchase::of("MUG", 2)).unwrap();
    hand.advance_ms(90_000);
    shop.ship_order(order, "DHL", "JJD000390007882936").unwrap();
    let body = client.get(&format!("/orders/{order}")).await.body;
    assert_eq!(body["status"], "completed");
    assert_eq!(body["date_completed_gmt"], "2026-11-20T12:01:30");
    assert_eq!(body["date_completed"], "2026-11-20T13:01:30");
    assert_eq!(shop.tracking_of(order)[0].number, "JJD000390007882936");
    assert_eq!(shop.stock_of("MUG"), Some(3), "shipping takes nothing more");
}

#[tokio::test]
async fn tracking_is_written_as_a_custom_field_or_through_the_extension_when_it_is_installed() {
    let (shop, _) = shop().await;
    let client = Client::of(&shop);
    let order = shop.place_order(Purchase::of("MUG", 1)).unwrap();
    let parcel = json!([{ "tracking_provider": "", "custom_tracking_provider": "GLS", "tracking_number": "123",
        "custom_tracking_link": "https://gls.example/123", "date_shipped": "1795176000", "tracking_id": "x" }]);
    let body = json!({ "status": "completed", "meta_data": [{ "key": "_wc_shipment_tracking_items", "value": parcel }] });
    assert_eq!(client.put(&format!("/orders/{order}"), body.clone()).await.status, 200);
    assert_eq!(client.put(&format!("/orders/{order}"), body).await.status, 200);
    let parcels = shop.tracking_of(order);
    assert_eq!(parcels.len(), 1, "the same key is replaced, not added");
    assert_eq!((parcels[0].provider.as_str(), parcels[0].number.as_str()), ("GLS", "123"));
    let path = format!("../../wc-shipment-tracking/v3/orders/{order}/shipment-trackings");
    let absent = client.get(&format!("/{path}")).await;
    assert_eq!((absent.status, absent.code()), (404, "rest_no_route"));

    let config = entrepot_simulators::WooConfig { shipment_tracking: true, ..entrepot_simulators::WooConfig::seeded(8) };
    let shop = entrepot_simulators::WooShop::start(config).await.unwrap();
    let client = Client::of(&shop);
    shop.add_product(NewProduct::new("MUG", "Mug", euros(100)).stock(1));
    let order = shop.place_order(Purchase::of("MUG", 1)).unwrap();
    let path = format!("/../../wc-shipment-tracking/v3/orders/{order}/shipment-trackings");
    let made = client.post(&path, json!({ "tracking_provider": "UPS", "tracking_number": "1Z" })).await;
    assert_eq!(made.status, 201);
    assert_eq!(shop.tracking_of(order)[0].provider, "UPS");
    assert_eq!(client.get(&path).await.body[0]["tracking_number"], "1Z");
    let one = format!("{path}/{}", made.body["tracking_id"].as_str().unwrap());
    assert_eq!(client.delete(&one).await.status, 200);
    assert!(shop.tracking_of(order).is_empty());
}
