//! What orders do to stock and to what the API shows, whoever moves them along.

use entrepot_simulators::shopify::{Basket, NewVariant, ShopifyRefused};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{App, euros, shop};

const READ: &str = "query($id: ID!) { order(id: $id) { name cancelledAt cancelReason closed edited displayFinancialStatus displayFulfillmentStatus
    currentTotalPriceSet { shopMoney { amount } presentmentMoney { amount currencyCode } } totalRefundedSet { shopMoney { amount } }
    lineItems(first: 20) { nodes { sku quantity currentQuantity unfulfilledQuantity refundableQuantity discountAllocations { allocatedAmountSet { shopMoney { amount } } discountApplication { ... on DiscountCodeApplication { code } value { __typename } } } } }
    fulfillmentOrders(first: 5) { nodes { id status assignedLocation { name location { id } } supportedActions { action } lineItems(first: 20) { nodes { id remainingQuantity totalQuantity sku lineItem { id } } } } }
    fulfillments { id status totalQuantity trackingInfo { company number url } fulfillmentLineItems(first: 5) { nodes { quantity lineItem { sku } } } }
    refunds { id totalRefundedSet { shopMoney { amount } } refundLineItems(first: 5) { nodes { quantity restockType lineItem { sku } } } transactions(first: 5) { nodes { kind } } }
    returns(first: 5) { nodes { name status returnLineItems(first: 5) { nodes { quantity ... on ReturnLineItem { fulfillmentLineItem { lineItem { sku } } } } } } }
    transactions { kind status amountSet { shopMoney { amount } } } } }";

async fn read(app: &App, order: i64) -> Value {
    app.run(READ, json!({ "id": format!("gid://shopify/Order/{order}") })).await["order"].clone()
}

#[tokio::test]
async fn the_shop_guards_its_own_last_unit_unless_told_to_oversell() {
    let (shop, _) = shop().await;
    let refused = shop.place_order(Basket::of("MUG", 4).and("MUG", 2)).unwrap_err();
    assert_eq!(refused, ShopifyRefused::OutOfStock { sku: "MUG".into(), wanted: 6, left: 5 });
    shop.place_order(Basket::of("MUG", 6).oversell()).unwrap();
    assert_eq!(shop.stock_of("MUG"), Some(-1));
    shop.add_product("Service", vec![NewVariant::new("SVC", euros(100)).untracked().digital()]);
    shop.place_order(Basket::of("SVC", 1000)).unwrap();
    assert_eq!(shop.stock_of("SVC"), None);
}

#[tokio::test]
async fn a_fulfilment_over_the_api_ships_part_by_part_with_tracking() {
    let (shop, _) = shop().await;
    let app = App::of(&shop).await;
    let order = shop.place_order(Basket::of("MUG", 2).and("TEE-S", 1)).unwrap();
    let before = read(&app, order).await;
    let part = &before["fulfillmentOrders"]["nodes"][0];
    assert_eq!((&part["status"], &part["supportedActions"][0]["action"]), (&json!("OPEN"), &json!("CREATE_FULFILLMENT")));
    let query = "mutation($f: FulfillmentInput!) { fulfillmentCreate(fulfillment: $f) { fulfillment { id status trackingInfo { company number url } } userErrors { field message } } }";
    let mug = &part["lineItems"]["nodes"][0];
    let ship = |lines: Value| {
        json!({ "f": { "lineItemsByFulfillmentOrder": [{ "fulfillmentOrderId": part["id"], "fulfillmentOrderLineItems": lines }],
            "notifyCustomer": true, "trackingInfo": { "company": "DHL", "number": "JJD1", "url": "https://dhl.example/JJD1" } } })
    };
    let too_many = app.run(query, ship(json!([{ "id": mug["id"], "quantity": 3 }]))).await;
    assert_eq!(too_many["fulfillmentCreate"]["userErrors"].as_array().unwrap().len(), 1);
    let done = app.run(query, ship(json!([{ "id": mug["id"], "quantity": 1 }]))).await["fulfillmentCreate"].clone();
    assert_eq!(done["userErrors"], json!([]));
    assert_eq!(done["fulfillment"]["trackingInfo"], json!([{ "company": "DHL", "number": "JJD1", "url": "https://dhl.example/JJD1" }]));
    let half = read(&app, order).await;
    assert_eq!(half["displayFulfillmentStatus"], "PARTIALLY_FULFILLED");
    assert_eq!(half["fulfillmentOrders"]["nodes"][0]["lineItems"]["nodes"][0]["remainingQuantity"], 1);
    let location = shop.locations()[0];
    assert_eq!(shop.level_of("MUG", location), Some((3, 1, 4)), "shipped units leave what is on hand");

    let rest = json!({ "f": { "lineItemsByFulfillmentOrder": [{ "fulfillmentOrderId": part["id"] }] } });
    let second = app.run(query, rest.clone()).await["fulfillmentCreate"]["fulfillment"]["id"].clone();
    let whole = read(&app, order).await;
    assert_eq!((&whole["displayFulfillmentStatus"], &whole["closed"]), (&json!("FULFILLED"), &json!(true)));
    assert_eq!(whole["fulfillmentOrders"]["nodes"][0]["status"], "CLOSED");
    assert_eq!(whole["fulfillments"][1]["totalQuantity"], 2);
    let closed = app.run(query, rest).await;
    assert!(closed["fulfillmentCreate"]["userErrors"][0]["message"].as_str().unwrap().contains("closed"));

    let update = "mutation($id: ID!, $t: FulfillmentTrackingInput!) { fulfillmentTrackingInfoUpdate(fulfillmentId: $id, trackingInfoInput: $t) { fulfillment { trackingInfo { number } } userErrors { message } } }";
    app.run(update, json!({ "id": second, "t": { "numbers": ["A", "B"], "company": "UPS" } })).await;
    assert_eq!(shop.tracking_of(order)[1].numbers, ["A", "B"]);
    assert_eq!(shop.notices_of(order), 1);
    let cancel = "mutation($id: ID!) { fulfillmentCancel(id: $id) { fulfillment { status } userErrors { message } } }";
    let cancelled = app.run(cancel, json!({ "id": second })).await;
    assert_eq!(cancelled["fulfillmentCancel"]["fulfillment"]["status"], "CANCELLED");
    assert_eq!(read(&app, order).await["displayFulfillmentStatus"], "PARTIALLY_FULFILLED");
    assert_eq!(shop.level_of("MUG", location), Some((3, 1, 4)));
}

#[tokio::test]
async fn cancelling_gives_everything_back_and_pays_back_what_was_paid() {
    let (shop, _) = shop().await;
    let app = App::of(&shop).await;
    let order = shop.place_order(Basket::of("MUG", 2).shipping(euros(490))).unwrap();
    shop.cancel_order(order).unwrap();
    let seen = read(&app, order).await;
    assert_eq!((&seen["cancelReason"], &seen["displayFinancialStatus"]), (&json!("CUSTOMER"), &json!("REFUNDED")));
    assert!(seen["cancelledAt"].is_string());
    assert_eq!(seen["refunds"][0]["refundLineItems"]["nodes"][0]["restockType"], "CANCEL");
    assert_eq!(seen["lineItems"]["nodes"][0]["currentQuantity"], 0);
    assert_eq!(seen["totalRefundedSet"]["shopMoney"]["amount"], "35.58");
    assert_eq!(shop.level_of("MUG", shop.locations()[0]), Some((5, 0, 5)));
    assert_eq!(shop.cancel_order(order), Err(ShopifyRefused::NotCancellable(order)));
    let unpaid = shop.place_order(Basket::of("MUG", 2).unpaid()).unwrap();
    assert_eq!(shop.order(unpaid).unwrap().financial_status, "PENDING");
    assert_eq!(shop.stock_of("MUG"), Some(3), "an unpaid order commits too");
    shop.cancel_order(unpaid).unwrap();
    assert_eq!((shop.order(unpaid).unwrap().financial_status, shop.stock_of("MUG")), ("VOIDED", Some(5)));
}

#[tokio::test]
async fn editing_keeps_the_first_quantity_and_moves_the_difference() {
    let (shop, _) = shop().await;
    let app = App::of(&shop).await;
    let order = shop.place_order(Basket::of("MUG", 3)).unwrap();
    shop.edit_order(order, "MUG", 1).unwrap();
    shop.edit_order(order, "TEE-S", 2).unwrap();
    let seen = read(&app, order).await;
    let lines = &seen["lineItems"]["nodes"];
    assert_eq!((&lines[0]["quantity"], &lines[0]["currentQuantity"]), (&json!(3), &json!(1)));
    assert_eq!((&lines[1]["quantity"], &lines[1]["currentQuantity"]), (&json!(2), &json!(2)));
    assert_eq!(seen["edited"], true);
    assert_eq!(seen["currentTotalPriceSet"]["shopMoney"]["amount"], "62.48");
    assert_eq!((shop.stock_of("MUG"), shop.stock_of("TEE-S")), (Some(4), Some(1)));
    let waiting: Vec<&Value> = seen["fulfillmentOrders"]["nodes"][0]["lineItems"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| &line["remainingQuantity"])
        .collect();
    assert_eq!(waiting, [&json!(1), &json!(2)]);
    shop.ship_order(order, "DHL", "1").unwrap();
    assert_eq!(shop.order(order).unwrap().fulfillment_status, "FULFILLED");
    assert_eq!(shop.level_of("MUG", shop.locations()[0]), Some((4, 0, 4)));
    assert_eq!(shop.ship_order(order, "DHL", "2"), Err(ShopifyRefused::NothingToShip(order)));
}

#[tokio::test]
async fn refunds_and_returns_are_shown_with_what_they_did_to_the_stock() {
    let (shop, _) = shop().await;
    let app = App::of(&shop).await;
    let order = shop.place_order(Basket::of("TEE-S", 3).discount("TENOFF", euros(600))).unwrap();
    shop.ship_order(order, "DHL", "1").unwrap();
    shop.open_return(order, "TEE-S", 2).unwrap();
    shop.refund_order(order, &[("TEE-S", 1)], true).unwrap();
    shop.refund_order(order, &[("TEE-S", 1)], false).unwrap();
    let seen = read(&app, order).await;
    assert_eq!(seen["displayFinancialStatus"], "PARTIALLY_REFUNDED");
    let kinds: Vec<&Value> =
        seen["refunds"].as_array().unwrap().iter().map(|refund| &refund["refundLineItems"]["nodes"][0]["restockType"]).collect();
    assert_eq!(kinds, [&json!("RETURN"), &json!("NO_RESTOCK")]);
    assert_eq!(shop.stock_of("TEE-S"), Some(1));
    assert_eq!(seen["returns"]["nodes"][0]["returnLineItems"]["nodes"][0]["fulfillmentLineItem"]["lineItem"]["sku"], "TEE-S");
    assert_eq!(seen["lineItems"]["nodes"][0]["discountAllocations"][0]["discountApplication"]["code"], "TENOFF");
    // (60 - 6) with tax, a third of it back.
    assert_eq!(seen["refunds"][0]["totalRefundedSet"]["shopMoney"]["amount"], "21.42");
}

#[tokio::test]
async fn the_buyer_may_pay_in_another_currency() {
    let (shop, _) = shop().await;
    let app = App::of(&shop).await;
    let order = shop.place_order(Basket::of("MUG", 1).presentment("SEK", Decimal::new(112_345, 4))).unwrap();
    let money = read(&app, order).await["currentTotalPriceSet"].clone();
    assert_eq!(money["shopMoney"]["amount"], "14.88");
    assert_eq!(money["presentmentMoney"], json!({ "amount": "167.17", "currencyCode": "SEK" }));
}

#[tokio::test]
async fn an_order_ships_from_a_location_that_has_it_all() {
    let (shop, _) = shop().await;
    let second = shop.add_location("Second");
    shop.set_stock_at("MUG", second, 30).unwrap();
    shop.place_order(Basket::of("MUG", 20)).unwrap();
    assert_eq!(shop.level_of("MUG", second), Some((10, 20, 30)));
    assert_eq!(shop.level_of("MUG", shop.locations()[0]), Some((5, 0, 5)));
}

const CANCEL: &str = "mutation($id: ID!, $restock: Boolean!, $method: OrderCancelRefundMethodInput) {
    orderCancel(orderId: $id, reason: INVENTORY, restock: $restock, refundMethod: $method, staffNote: \"sold elsewhere\") {
        job { id done } orderCancelUserErrors { code message } } }";

#[tokio::test]
async fn an_app_may_cancel_with_or_without_restock_and_refund() {
    let (shop, _) = shop().await;
    let app = App::of(&shop).await;
    let location = shop.locations()[0];
    let gid = |order: i64| format!("gid://shopify/Order/{order}");
    let first = shop.place_order(Basket::of("MUG", 2)).unwrap();
    let variables = json!({ "id": gid(first), "restock": true, "method": { "originalPaymentMethodsRefund": true } });
    let done = app.run(CANCEL, variables.clone()).await["orderCancel"].clone();
    assert_eq!(done["orderCancelUserErrors"], json!([]));
    let job = app.run("query($id: ID!) { job(id: $id) { done } }", json!({ "id": done["job"]["id"] })).await;
    assert_eq!(job["job"]["done"], true);
    let seen = read(&app, first).await;
    assert_eq!((&seen["cancelReason"], &seen["displayFinancialStatus"]), (&json!("INVENTORY"), &json!("REFUNDED")));
    assert_eq!(shop.level_of("MUG", location), Some((5, 0, 5)));
    let again = app.run(CANCEL, variables).await["orderCancel"]["orderCancelUserErrors"].clone();
    assert_eq!(again[0]["code"], "INVALID");

    let second = shop.place_order(Basket::of("MUG", 2)).unwrap();
    app.run(CANCEL, json!({ "id": gid(second), "restock": false })).await;
    assert_eq!(shop.level_of("MUG", location), Some((3, 0, 3)), "gone from the shelf without having been shipped");
    assert_eq!(read(&app, second).await["displayFinancialStatus"], "PAID");
    let nobody = app.run(CANCEL, json!({ "id": gid(1), "restock": true })).await["orderCancel"]["orderCancelUserErrors"].clone();
    assert_eq!(nobody[0]["code"], "NOT_FOUND");
}

const REFUND: &str = "mutation($input: RefundInput!, $key: String!) { refundCreate(input: $input) @idempotent(key: $key) {
    refund { id totalRefundedSet { shopMoney { amount } } refundLineItems(first: 5) { nodes { quantity restockType } }
        refundShippingLines(first: 5) { nodes { subtotalAmountSet { shopMoney { amount } } } } } order { displayFinancialStatus } userErrors { field message } } }";

#[tokio::test]
async fn an_app_refunds_once_per_key_and_only_the_money_it_names() {
    let (shop, _) = shop().await;
    let app = App::of(&shop).await;
    let location = shop.locations()[0];
    let order = shop.place_order(Basket::of("MUG", 4).shipping(euros(490))).unwrap();
    let line = app
        .run(
            "query($id: ID!) { order(id: $id) { lineItems(first: 1) { nodes { id } } } }",
            json!({ "id": format!("gid://shopify/Order/{order}") }),
        )
        .await["order"]["lineItems"]["nodes"][0]["id"]
        .clone();
    let input = |units: i64, restock: &str, amount: &str| {
        json!({ "orderId": format!("gid://shopify/Order/{order}"), "note": "broken", "shipping": { "fullRefund": true },
            "refundLineItems": [{ "lineItemId": line, "quantity": units, "restockType": restock }],
            "transactions": [{ "orderId": format!("gid://shopify/Order/{order}"), "amount": amount, "gateway": "bogus", "kind": "REFUND" }] })
    };
    let refund = async |input: Value, key: &str| app.run(REFUND, json!({ "input": input, "key": key })).await["refundCreate"].clone();
    let first = refund(input(1, "CANCEL", "20.00"), "k1").await;
    assert_eq!(first["userErrors"], json!([]));
    assert_eq!(first["refund"]["totalRefundedSet"]["shopMoney"]["amount"], "20.0");
    assert_eq!(first["refund"]["refundShippingLines"]["nodes"][0]["subtotalAmountSet"]["shopMoney"]["amount"], "4.9");
    assert_eq!(shop.level_of("MUG", location), Some((2, 3, 5)));
    assert_eq!(refund(input(1, "CANCEL", "20.00"), "k1").await, first);
    assert_eq!(shop.level_of("MUG", location), Some((2, 3, 5)), "once");

    let kept = refund(input(1, "NO_RESTOCK", "5.00"), "k2").await;
    assert_eq!(kept["refund"]["refundLineItems"]["nodes"][0]["restockType"], "NO_RESTOCK");
    assert_eq!(shop.level_of("MUG", location), Some((2, 3, 5)), "what was to be shipped still is");
    let seen = read(&app, order).await;
    assert_eq!(seen["lineItems"]["nodes"][0]["unfulfilledQuantity"], 3);
    assert_eq!(seen["lineItems"]["nodes"][0]["currentQuantity"], 2);
    shop.ship_order(order, "DHL", "1").unwrap();
    let back = refund(input(1, "RETURN", "5.00"), "k3").await;
    assert_eq!(back["order"]["displayFinancialStatus"], "PARTIALLY_REFUNDED");
    assert_eq!(shop.level_of("MUG", location), Some((3, 0, 3)));
    assert_eq!(read(&app, order).await["displayFulfillmentStatus"], "FULFILLED");

    for (input, words) in [
        (input(9, "RETURN", "1.00"), "more items"),
        (input(1, "CANCEL", "1.00"), "not fulfilled"),
        (input(1, "RETURN", "900.00"), "more than what is left"),
    ] {
        let refused = refund(input, words).await;
        assert!(refused["userErrors"][0]["message"].as_str().unwrap().contains(words), "{refused}");
        assert_eq!(refused["refund"], json!(null));
    }
    let bare = REFUND.replace("@idempotent(key: $key)", "").replace(", $key: String!", "");
    let (_, body) = app.try_run(&bare, json!({ "input": input(1, "RETURN", "1.00") })).await.unwrap();
    assert_eq!(body["errors"][0]["extensions"]["code"], "BAD_REQUEST");
}

#[tokio::test]
async fn an_app_may_annotate_an_order_and_find_it_by_its_tag() {
    let (shop, hand) = shop().await;
    let app = App::of(&shop).await;
    let order = shop.place_order(Basket::of("MUG", 1)).unwrap();
    let id = format!("gid://shopify/Order/{order}");
    hand.advance_ms(5000);
    let query = "mutation($id: ID!) { tagsAdd(id: $id, tags: [\"hub\", \"late\"]) { node { id } userErrors { message } }
        orderUpdate(input: { id: $id, note: \"call first\" }) { order { note tags updatedAt } userErrors { message } } }";
    let done = app.run(query, json!({ "id": id })).await;
    assert_eq!(done["orderUpdate"]["order"], json!({ "note": "call first", "tags": ["hub", "late"], "updatedAt": "2026-11-20T12:00:05Z" }));
    let found = app.run("{ orders(first: 5, query: \"tag:hub\") { nodes { id } } }", json!({})).await;
    assert_eq!(found["orders"]["nodes"], json!([{ "id": id }]));
}
