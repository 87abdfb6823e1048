//! Setting stock: compare-and-set, all or nothing, once per key.

use entrepot_simulators::ShopifyShop;
use entrepot_simulators::shopify::Basket;
use serde_json::{Value, json};

use super::{App, shop};

const SET: &str = "mutation($input: InventorySetQuantitiesInput!, $key: String!) {
    inventorySetQuantities(input: $input) @idempotent(key: $key) {
        inventoryAdjustmentGroup { id reason changes(quantityNames: [\"available\"]) { name delta quantityAfterChange item { sku } } }
        userErrors { code field message } } }";

fn entry(shop: &ShopifyShop, sku: &str, from: Value, to: i64) -> Value {
    json!({
        "inventoryItemId": format!("gid://shopify/InventoryItem/{}", shop.ids_of(sku).unwrap().1),
        "locationId": format!("gid://shopify/Location/{}", shop.locations()[0]),
        "quantity": to, "changeFromQuantity": from,
    })
}

fn input(quantities: &[Value]) -> Value {
    json!({ "name": "available", "reason": "correction", "quantities": quantities })
}

async fn set(app: &App, input: &Value, key: &str) -> Value {
    app.run(SET, json!({ "input": input, "key": key })).await["inventorySetQuantities"].clone()
}

fn codes(answer: &Value) -> Vec<&str> {
    answer["userErrors"].as_array().unwrap().iter().map(|error| error["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_set_compares_first_and_changes_all_or_nothing() {
    let (shop, _) = shop().await;
    let app = App::of(&shop).await;
    let good = input(&[entry(&shop, "MUG", json!(5), 9), entry(&shop, "TEE-S", json!(null), 1)]);
    let done = set(&app, &good, "k1").await;
    assert_eq!(codes(&done), Vec::<&str>::new());
    assert_eq!(done["inventoryAdjustmentGroup"]["changes"][0]["item"]["sku"], "MUG");
    assert_eq!((shop.stock_of("MUG"), shop.stock_of("TEE-S")), (Some(9), Some(1)));

    let stale = input(&[entry(&shop, "TEE-S", json!(1), 4), entry(&shop, "MUG", json!(5), 6)]);
    let refused = set(&app, &stale, "k2").await;
    assert_eq!(codes(&refused), ["CHANGE_FROM_QUANTITY_STALE"]);
    assert_eq!(refused["userErrors"][0]["field"], json!(["input", "quantities", "1", "changeFromQuantity"]));
    assert_eq!(refused["inventoryAdjustmentGroup"], json!(null));
    assert_eq!(shop.stock_of("TEE-S"), Some(1), "the good half did not happen either");
}

#[tokio::test]
async fn a_sale_between_read_and_write_makes_the_write_stale() {
    let (shop, _) = shop().await;
    let app = App::of(&shop).await;
    let push = input(&[entry(&shop, "MUG", json!(5), 5)]);
    shop.place_order(Basket::of("MUG", 1)).unwrap();
    assert_eq!(codes(&set(&app, &push, "k").await), ["CHANGE_FROM_QUANTITY_STALE"]);
    assert_eq!(shop.stock_of("MUG"), Some(4));
}

#[tokio::test]
async fn one_key_is_one_effect_and_the_same_answer() {
    let (shop, hand) = shop().await;
    let app = App::of(&shop).await;
    let push = input(&[entry(&shop, "MUG", json!(5), 2)]);
    let first = set(&app, &push, "key").await;
    shop.set_stock("MUG", 50).unwrap();
    hand.advance_ms(3_600_000);
    assert_eq!(set(&app, &push, "key").await, first);
    assert_eq!((shop.stock_of("MUG"), shop.pushes().len()), (Some(50), 1));

    let other = input(&[entry(&shop, "MUG", json!(null), 3)]);
    assert_eq!(codes(&set(&app, &other, "key").await), ["IDEMPOTENCY_KEY_PARAMETER_MISMATCH"]);
    hand.advance_ms(24 * 3_600_000);
    let app = App::of(&shop).await;
    assert_eq!(codes(&set(&app, &other, "key").await), Vec::<&str>::new(), "forgotten after a day");
    assert_eq!(shop.stock_of("MUG"), Some(3));
}

#[tokio::test]
async fn a_key_whose_first_attempt_failed_is_used_up() {
    let (shop, _) = shop().await;
    let app = App::of(&shop).await;
    let stale = input(&[entry(&shop, "MUG", json!(99), 2)]);
    assert_eq!(codes(&set(&app, &stale, "key").await), ["CHANGE_FROM_QUANTITY_STALE"]);
    assert_eq!(codes(&set(&app, &stale, "key").await), ["IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"]);
}

#[tokio::test]
async fn two_requests_with_one_key_at_once_are_told_apart() {
    let (shop, _) = shop().await;
    let app = App::of(&shop).await;
    shop.faults(|faults| faults.write_hold_ms = 200);
    let push = input(&[entry(&shop, "MUG", json!(5), 2)]);
    let second = async {
        tokio::time::sleep(std::time::Duration::from_millis(60)).await;
        set(&app, &push, "key").await
    };
    let (first, second) = tokio::join!(set(&app, &push, "key"), second);
    assert_eq!(codes(&first), Vec::<&str>::new());
    assert_eq!(codes(&second), ["IDEMPOTENCY_CONCURRENT_REQUEST"]);
    assert_eq!(shop.pushes().len(), 1);
    assert_eq!(set(&app, &push, "key").await, first, "the answer can be had later");
}

#[tokio::test]
async fn a_request_without_key_or_compared_quantity_is_refused_as_a_whole() {
    let (shop, _) = shop().await;
    let app = App::of(&shop).await;
    let push = input(&[entry(&shop, "MUG", json!(5), 2)]);
    let bare = SET.replace("@idempotent(key: $key)", "").replace(", $key: String!", "");
    let (status, body) = app.try_run(&bare, json!({ "input": push })).await.unwrap();
    assert_eq!((status, &body["errors"][0]["extensions"]["code"]), (200, &json!("BAD_REQUEST")));
    assert_eq!(body["data"]["inventorySetQuantities"], json!(null));
    let (_, body) = app.try_run(SET, json!({ "input": push, "key": " " })).await.unwrap();
    assert_eq!(body["errors"][0]["extensions"]["code"], "BAD_REQUEST");
    let mut loose = push.clone();
    loose["quantities"][0].as_object_mut().unwrap().remove("changeFromQuantity");
    let (_, body) = app.try_run(SET, json!({ "input": loose, "key": "k" })).await.unwrap();
    assert_eq!(body["errors"][0]["extensions"]["code"], "INVALID_FIELD_ARGUMENTS");
    assert!(body["errors"][0]["message"].as_str().unwrap().contains("changeFromQuantity"));
    assert!(shop.pushes().is_empty());
}

#[tokio::test]
async fn wrong_input_is_named_with_the_documented_codes() {
    let (shop, _) = shop().await;
    let app = App::of(&shop).await;
    let mug = |from: Value, to: i64| entry(&shop, "MUG", from, to);
    let with = |field: &str, value: &str| {
        let mut entry = mug(json!(null), 1);
        entry[field] = json!(value);
        input(&[entry])
    };
    let mut named = input(&[mug(json!(null), 1)]);
    named["name"] = json!("sellable");
    let mut reasoned = input(&[mug(json!(null), 1)]);
    reasoned["reason"] = json!("because");
    let cases = [
        (with("inventoryItemId", "gid://shopify/InventoryItem/1"), "INVALID_INVENTORY_ITEM"),
        (with("locationId", "gid://shopify/Location/1"), "INVALID_LOCATION"),
        (input(&[mug(json!(null), -1)]), "INVALID_QUANTITY_NEGATIVE"),
        (input(&[mug(json!(null), 2_000_000_000)]), "INVALID_QUANTITY_TOO_HIGH"),
        (input(&[mug(json!(null), 1), mug(json!(null), 2)]), "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR"),
        (named, "INVALID_NAME"),
        (reasoned, "INVALID_REASON"),
    ];
    for (index, (input, code)) in cases.iter().enumerate() {
        assert_eq!(codes(&set(&app, input, &format!("k{index}")).await), [*code]);
    }
    assert!(shop.pushes().is_empty());
    let many: Vec<Value> = (0..251).map(|n| mug(json!(null), n)).collect();
    let (_, body) = app.try_run(SET, json!({ "input": input(&many), "key": "k" })).await.unwrap();
    assert_eq!(body["errors"][0]["extensions"]["code"], "MAX_INPUT_SIZE_EXCEEDED");
}

#[tokio::test]
async fn adjusting_moves_by_a_delta_and_committed_units_stay_on_hand() {
    let (shop, _) = shop().await;
    let app = App::of(&shop).await;
    shop.place_order(Basket::of("MUG", 2)).unwrap();
    let mut change = entry(&shop, "MUG", json!(3), 0);
    change["delta"] = json!(-1);
    change.as_object_mut().unwrap().remove("quantity");
    let query = "mutation($input: InventoryAdjustQuantitiesInput!) { inventoryAdjustQuantities(input: $input) @idempotent(key: \"a\") {
        inventoryAdjustmentGroup { changes { name delta } } userErrors { code } } }";
    let input = json!({ "name": "available", "reason": "damaged", "changes": [change] });
    let done = app.run(query, json!({ "input": input })).await;
    assert_eq!(done["inventoryAdjustQuantities"]["userErrors"], json!([]));
    let location = shop.locations()[0];
    assert_eq!(shop.level_of("MUG", location), Some((2, 2, 4)));
    let levels = "query($id: ID!) { inventoryItem(id: $id) { tracked inventoryLevels(first: 5) { nodes { location { name }
        quantities(names: [\"available\", \"on_hand\", \"committed\"]) { name quantity } } } } }";
    let id = format!("gid://shopify/InventoryItem/{}", shop.ids_of("MUG").unwrap().1);
    let data = app.run(levels, json!({ "id": id })).await;
    let shown = &data["inventoryItem"]["inventoryLevels"]["nodes"][0]["quantities"];
    let numbers: Vec<i64> = shown.as_array().unwrap().iter().map(|row| row["quantity"].as_i64().unwrap()).collect();
    assert_eq!(numbers, [2, 4, 2]);
}

#[tokio::test]
async fn an_item_is_stocked_at_a_second_location_only_after_it_was_activated_there() {
    let (shop, _) = shop().await;
    let app = App::of(&shop).await;
    let second = shop.add_location("Second");
    let mut push = entry(&shop, "MUG", json!(null), 4);
    push["locationId"] = json!(format!("gid://shopify/Location/{second}"));
    assert_eq!(codes(&set(&app, &input(&[push.clone()]), "k1").await), ["INVALID_LOCATION"]);
    let query = "mutation($item: ID!, $location: ID!, $key: String!) { inventoryActivate(inventoryItemId: $item, locationId: $location, available: 2)
        @idempotent(key: $key) { inventoryLevel { quantities(names: [\"available\"]) { quantity } location { name } } userErrors { message } } }";
    let variables = json!({ "item": push["inventoryItemId"], "location": push["locationId"], "key": "a1" });
    let done = app.run(query, variables.clone()).await["inventoryActivate"].clone();
    assert_eq!(done["inventoryLevel"]["quantities"][0]["quantity"], 2);
    assert_eq!(app.run(query, variables).await["inventoryActivate"], done, "the same key, the same answer");
    assert_eq!(codes(&set(&app, &input(&[push]), "k2").await), Vec::<&str>::new());
    assert_eq!((shop.level_of("MUG", second), shop.stock_of("MUG")), (Some((4, 0, 4)), Some(9)));
}
