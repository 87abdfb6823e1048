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
