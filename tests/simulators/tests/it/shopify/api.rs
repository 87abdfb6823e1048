//! Tokens, validation, paging, search and the price of a query.

use entrepot_simulators::shopify::{Basket, NewVariant};
use entrepot_simulators::{HandClock, ShopifyConfig, ShopifyShop};
use serde_json::{Value, json};

use super::{App, NOON, euros, grant, shop};

#[tokio::test]
async fn a_token_is_bought_with_the_secret_and_lasts_a_day() {
    let (shop, hand) = shop().await;
    let (status, body) = grant(&shop, "wrong").await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_client")));
    let mut app = App::of(&shop).await;
    let ask = "{ currentAppInstallation { accessScopes { handle } } shop { myshopifyDomain currencyCode } }";
    let data = app.run(ask, json!({})).await;
    assert_eq!(data["shop"]["myshopifyDomain"], shop.domain());
    hand.advance_ms(86_399_000);
    let (status, body) = app.try_run(ask, json!({})).await.unwrap();
    assert_eq!(status, 401);
    assert!(body["errors"].as_str().unwrap().contains("Invalid API key or access token"));
    app = App::of(&shop).await;
    app.run(ask, json!({})).await;
    shop.expire_tokens();
    assert_eq!(app.try_run(ask, json!({})).await.unwrap().0, 401);
}

#[tokio::test]
async fn what_the_schema_does_not_know_is_refused_with_200_and_errors() {
    let (shop, _) = shop().await;
    let app = App::of(&shop).await;
    for (query, part) in [
        ("{ shop { nickname } }", "nickname"),
        ("{ order { id } }", "id"),
        ("{ shop { name ", "syntax"),
        ("mutation { inventorySetQuantities(input: { name: \"available\" }) { userErrors { message } } }", "quantities"),
        ("{ orders(first: 1, sortKey: MOOD) { nodes { id } } }", "MOOD"),
    ] {
        let (status, body) = app.try_run(query, json!({})).await.unwrap();
        assert_eq!(status, 200);
        assert!(body.get("data").is_none());
        assert!(body["errors"].to_string().to_lowercase().contains(&part.to_lowercase()), "{body}");
    }
    let (_, body) = app.try_run("query($id: ID!) { order(id: $id) { id } }", json!({})).await.unwrap();
    assert_eq!(body["errors"][0]["extensions"]["code"], "INVALID_VARIABLE");
    let (_, body) = app.try_run("{ orders { nodes { id } } }", json!({})).await.unwrap();
    assert_eq!(body["errors"][0]["message"], "you must provide one of first or last");
}

const LIST: &str = "query($after: String, $query: String, $reverse: Boolean) {
    orders(first: 3, after: $after, query: $query, sortKey: UPDATED_AT, reverse: $reverse) {
        edges { cursor node { legacyResourceId updatedAt } } pageInfo { hasNextPage hasPreviousPage endCursor } } }";

async fn walk(app: &App, query: Value, reverse: bool) -> Vec<i64> {
    let mut seen = Vec::new();
    let mut after = Value::Null;
    loop {
        let data = app.run(LIST, json!({ "after": after, "query": query, "reverse": reverse })).await;
        let page = &data["orders"];
        let ids = page["edges"].as_array().unwrap().iter();
        seen.extend(ids.map(|edge| edge["node"]["legacyResourceId"].as_str().unwrap().parse::<i64>().unwrap()));
        if page["pageInfo"]["hasNextPage"] == false {
            return seen;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

#[tokio::test]
async fn orders_are_walked_by_cursor_in_order_of_change() {
    let (shop, hand) = shop().await;
    let app = App::of(&shop).await;
    let mut placed = Vec::new();
    for _ in 0..8 {
        hand.advance_ms(10_000);
        placed.push(shop.place_order(Basket::of("TEE-M", 1)).unwrap());
    }
    assert_eq!(walk(&app, Value::Null, false).await, placed);
    assert_eq!(walk(&app, Value::Null, true).await, placed.iter().rev().copied().collect::<Vec<_>>());
    hand.advance_ms(10_000);
    shop.cancel_order(placed[2]).unwrap();
    let since = "updated_at:>='2026-11-20T12:01:10Z'";
    assert_eq!(walk(&app, json!(since), false).await, [placed[6], placed[7], placed[2]]);
    let both = format!("{since} AND -status:cancelled");
    assert_eq!(walk(&app, json!(both), false).await, [placed[6], placed[7]]);
    let (_, body) = app.try_run(LIST, json!({ "query": "mood:good" })).await.unwrap();
    assert_eq!(body["extensions"]["search"][0]["warnings"][0]["field"], "mood");
    let (_, body) = app.try_run(LIST, json!({ "after": "nonsense" })).await.unwrap();
    assert!(body["errors"][0]["message"].as_str().unwrap().contains("cursor"));
}

#[tokio::test]
async fn a_cursor_survives_changes_between_two_pages() {
    let (shop, hand) = shop().await;
    let app = App::of(&shop).await;
    let mut placed = Vec::new();
    for _ in 0..6 {
        hand.advance_ms(1000);
        placed.push(shop.place_order(Basket::of("TEE-M", 1)).unwrap());
    }
    let first = app.run(LIST, json!({})).await["orders"].clone();
    hand.advance_ms(1000);
    shop.cancel_order(placed[1]).unwrap();
    let after = first["pageInfo"]["endCursor"].clone();
    let second = app.run(LIST, json!({ "after": after })).await["orders"].clone();
    let ids: Vec<i64> = second["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| edge["node"]["legacyResourceId"].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(ids, placed[3..6], "nothing is skipped because an earlier row moved");
    assert_eq!(second["pageInfo"]["hasNextPage"], true, "and the moved row comes again at its new place");
}

#[tokio::test]
async fn catalogue_and_nodes_answer_with_their_relations() {
    let (shop, _) = shop().await;
    let app = App::of(&shop).await;
    let query = "{ products(first: 5, sortKey: TITLE) { nodes { title status totalInventory options { name values } variants(first: 5) {
        nodes { sku barcode price selectedOptions { name value } inventoryItem { id tracked measurement { weight { unit value } } } } } } }
        productVariants(first: 5, query: \"sku:TEE-M\") { nodes { sku displayName product { title } } }
        locations(first: 5) { nodes { id name isActive } } productsCount { count precision } }";
    let data = app.run(query, json!({})).await;
    assert_eq!(data["products"]["nodes"][0]["variants"]["nodes"][0]["barcode"], "4006381333931");
    assert_eq!(data["products"]["nodes"][0]["variants"]["nodes"][0]["price"], "12.50");
    assert_eq!(
        data["products"]["nodes"][0]["variants"]["nodes"][0]["inventoryItem"]["measurement"]["weight"],
        json!({ "unit": "GRAMS", "value": 350.0 })
    );
    assert_eq!(data["products"]["nodes"][1]["options"][0], json!({ "name": "Size", "values": ["S", "M"] }));
    assert_eq!(data["productVariants"]["nodes"].as_array().unwrap().len(), 1);
    assert_eq!(data["productVariants"]["nodes"][0]["displayName"], "Tee - M");
    assert_eq!(data["productsCount"], json!({ "count": 2, "precision": "EXACT" }));
    let location = data["locations"]["nodes"][0]["id"].clone();
    let nodes = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on Location { name } } }";
    let data = app.run(nodes, json!({ "ids": [location, "gid://shopify/Order/1"] })).await;
    assert_eq!(data["nodes"][0]["__typename"], "Location");
    assert_eq!(data["nodes"][1], json!(null));
}

#[tokio::test]
async fn the_bucket_is_shown_emptied_by_throttling_and_filled_by_the_clock() {
    let hand = HandClock::at(NOON);
    let config = ShopifyConfig { clock: hand.clock(), bucket_points: 200, restore_rate: 10, ..ShopifyConfig::seeded(2) };
    let shop = ShopifyShop::start(config).await.unwrap();
    shop.add_product("Mug", vec![NewVariant::new("MUG", euros(100)).stock(1)]);
    let app = App::of(&shop).await;
    let query = "{ products(first: 50) { nodes { id } } }";
    let (_, body) = app.try_run(query, json!({})).await.unwrap();
    let cost = &body["extensions"]["cost"];
    assert_eq!((&cost["requestedQueryCost"], &cost["actualQueryCost"]), (&json!(9), &json!(3)));
    assert_eq!(cost["throttleStatus"], json!({ "maximumAvailable": 200.0, "currentlyAvailable": 197, "restoreRate": 10.0 }));
    shop.drain_bucket(4);
    let (status, body) = app.try_run(query, json!({})).await.unwrap();
    assert_eq!((status, &body["errors"][0]["extensions"]["code"]), (200, &json!("THROTTLED")));
    assert_eq!(body["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"], 4);
    assert!(body.get("data").is_none());
    hand.advance_ms(1200);
    assert!(app.try_run(query, json!({})).await.unwrap().1.get("errors").is_none());
    shop.drain_bucket(200);
    let seen = "query($id: ID!) { product(id: $id) { variants(first: 250) { nodes { inventoryItem { id tracked } } } } }";
    let (_, body) = app.try_run(seen, json!({ "id": "gid://shopify/Product/1" })).await.unwrap();
    let cost = &body["extensions"]["cost"];
    assert_eq!((&cost["requestedQueryCost"], &cost["actualQueryCost"]), (&json!(25), &json!(1)));
    let greedy = "{ products(first: 250) { nodes { variants(first: 250) { nodes { inventoryItem { inventoryLevels(first: 250) {
        nodes { item { inventoryLevels(first: 250) { nodes { id } } } } } } } } } } }";
    let (_, body) = app.try_run(greedy, json!({})).await.unwrap();
    assert_eq!(body["errors"][0]["extensions"]["code"], "MAX_COST_EXCEEDED");
}

#[tokio::test]
async fn prices_are_written_per_product_in_one_call() {
    let (shop, _) = shop().await;
    let app = App::of(&shop).await;
    let ids = app.run("{ products(first: 5, query: \"title:Tee\") { nodes { id variants(first: 5) { nodes { id } } } } }", json!({})).await;
    let product = &ids["products"]["nodes"][0];
    let variants: Vec<Value> = product["variants"]["nodes"].as_array().unwrap().iter().map(|row| row["id"].clone()).collect();
    let query = "mutation($product: ID!, $variants: [ProductVariantsBulkInput!]!) { productVariantsBulkUpdate(productId: $product, variants: $variants) {
        productVariants { price compareAtPrice } userErrors { code field } } }";
    let good = json!([{ "id": variants[0], "price": "19.90", "compareAtPrice": "25.00" }, { "id": variants[1], "price": "21.90" }]);
    let done = app.run(query, json!({ "product": product["id"], "variants": good })).await["productVariantsBulkUpdate"].clone();
    assert_eq!(done["productVariants"][0], json!({ "price": "19.90", "compareAtPrice": "25.00" }));
    let bad = json!([{ "id": variants[0], "price": "1.00" }, { "id": "gid://shopify/ProductVariant/1", "price": "1.00" }]);
    let refused = app.run(query, json!({ "product": product["id"], "variants": bad })).await["productVariantsBulkUpdate"].clone();
    assert_eq!(refused["userErrors"][0]["code"], "PRODUCT_VARIANT_DOES_NOT_EXIST");
    let price = app.run("query($id: ID!) { productVariant(id: $id) { price } }", json!({ "id": variants[0] })).await;
    assert_eq!(price["productVariant"]["price"], "19.90", "all or nothing");
}
