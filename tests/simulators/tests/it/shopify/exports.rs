//! Bulk operations: what may be asked, how they go on, and the file they make.

use entrepot_simulators::ShopifyShop;
use serde_json::{Value, json};

use super::{App, shop};

const RUN: &str = "mutation($query: String!, $grouped: Boolean!) { bulkOperationRunQuery(query: $query, groupObjects: $grouped) {
    bulkOperation { id status type query } userErrors { code field message } } }";
const LOOK: &str = "query($id: ID!) { bulkOperation(id: $id) {
    id status errorCode objectCount rootObjectCount fileSize url partialDataUrl createdAt completedAt } }";
const PRODUCTS: &str = "{ products { edges { node { id title variants { edges { node { id sku inventoryItem { id
    inventoryLevels { edges { node { id location { id } quantities(names: [\"available\"]) { name quantity } } } } } } } } } } } }";

async fn run(app: &App, query: &str, grouped: bool) -> Value {
    app.run(RUN, json!({ "query": query, "grouped": grouped })).await["bulkOperationRunQuery"].clone()
}

async fn look(app: &App, made: &Value) -> Value {
    app.run(LOOK, json!({ "id": made["bulkOperation"]["id"] })).await["bulkOperation"].clone()
}

async fn part(app: &App, url: &str, range: Option<&str>) -> (u16, Option<String>, String) {
    let request = app.http.get(url);
    let request = range.into_iter().fold(request, |request, range| request.header("range", range));
    let response = request.send().await.unwrap();
    let header = response.headers().get("content-range").map(|value| value.to_str().unwrap().to_owned());
    (response.status().as_u16(), header, String::from_utf8(response.bytes().await.unwrap().to_vec()).unwrap())
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Each line's kind: `Product`, `ProductVariant`, `InventoryLevel`.
fn kinds(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["id"].as_str().unwrap().split('/').nth(3).unwrap()).collect()
}

async fn finished(app: &App, hand: &entrepot_simulators::HandClock, grouped: bool) -> (Value, String) {
    let made = run(app, PRODUCTS, grouped).await;
    hand.advance_ms(20_000);
    let url = look(app, &made).await["url"].as_str().unwrap().to_owned();
    (made, url)
}

#[tokio::test]
async fn an_operation_is_created_runs_and_is_completed_with_a_file() {
    let (shop, hand) = shop().await;
    let app = App::of(&shop).await;
    let made = run(&app, PRODUCTS, true).await;
    assert_eq!(
        (&made["userErrors"], &made["bulkOperation"]["status"], &made["bulkOperation"]["type"]),
        (&json!([]), &json!("CREATED"), &json!("QUERY"))
    );
    hand.advance_ms(10_000);
    let now = look(&app, &made).await;
    assert_eq!(
        (&now["status"], &now["url"], &now["completedAt"], &now["fileSize"]),
        (&json!("RUNNING"), &Value::Null, &Value::Null, &Value::Null)
    );
    hand.advance_ms(10_000);
    let now = look(&app, &made).await;
    assert_eq!((&now["status"], &now["errorCode"]), (&json!("COMPLETED"), &Value::Null));
    let (status, _, text) = part(&app, now["url"].as_str().unwrap(), None).await;
    let lines = lines(&text);
    assert_eq!(
        (status, now["fileSize"].as_str().unwrap(), now["objectCount"].as_str().unwrap()),
        (200, text.len().to_string().as_str(), lines.len().to_string().as_str())
    );
    let roots = lines.iter().filter(|line| line.get("__parentId").is_none()).count();
    assert_eq!(now["rootObjectCount"], roots.to_string());
    assert!(text.contains("gid:\\/\\/shopify"), "slashes are escaped");
    assert_eq!(app.run("{ currentBulkOperation { id } }", json!({})).await["currentBulkOperation"]["id"], now["id"]);
    let node = app.run("query($id: ID!) { node(id: $id) { ... on BulkOperation { url } } }", json!({ "id": now["id"] })).await;
    assert_eq!(node["node"]["url"], now["url"]);
}

#[tokio::test]
async fn children_stand_behind_their_parents_and_directly_if_that_was_asked() {
    let (shop, hand) = shop().await;
    let app = App::of(&shop).await;
    for grouped in [true, false] {
        let (_, url) = finished(&app, &hand, grouped).await;
        let lines = lines(&part(&app, &url, None).await.2);
        let mut known = std::collections::BTreeSet::new();
        for line in &lines {
            assert!(line.get("__parentId").is_none_or(|parent| known.contains(parent.as_str().unwrap())), "{line}");
            known.insert(line["id"].as_str().unwrap());
            assert!(line.get("variants").is_none());
        }
        let kinds = kinds(&lines);
        let products = kinds.iter().filter(|kind| **kind == "Product").count();
        assert!(products > 1 && kinds.contains(&"InventoryLevel"), "{kinds:?}");
        assert_eq!(kinds[1] == "Product", !grouped, "{kinds:?}");
        // The level's nearest line is the variant: its item is no line.
        let level = lines.iter().find(|line| line.get("quantities").is_some()).unwrap();
        assert!(level["__parentId"].as_str().unwrap().contains("/ProductVariant/"));
    }
}

#[tokio::test]
async fn what_bulk_operations_do_not_allow_is_a_user_error() {
    let (shop, _) = shop().await;
    let app = App::of(&shop).await;
    for (query, part) in [
        ("{ shop { name } }", "at least one connection"),
        ("{ products { edges { node { nickname } } } }", "nickname"),
        ("{ products { edges { node { id", "Invalid"),
        ("mutation { tagsAdd(id: \"1\", tags: []) { userErrors { message } } }", "only queries"),
        ("{ products { edges { node { id } } } orders { edges { node { id } } } }", "single"),
        ("query($id: ID!) { product(id: $id) { variants { edges { node { id } } } } }", "variables"),
        ("{ nodes(ids: [\"gid://shopify/Product/1\"]) { id } }", "`nodes`"),
        (
            "{ locations { edges { node { inventoryLevels { edges { node { item { variants { edges { node { product { variants { edges { node { id } } } } } } } } } } } } } } }",
            "nesting depth",
        ),
    ] {
        let made = run(&app, query, false).await;
        assert_eq!((&made["bulkOperation"], &made["userErrors"][0]["code"]), (&Value::Null, &json!("INVALID")), "{query}");
        assert!(made["userErrors"][0]["message"].as_str().unwrap().contains(part), "{made}");
    }
}

#[tokio::test]
async fn five_run_at_a_time_and_one_may_be_cancelled_or_fail() {
    let (shop, hand) = shop().await;
    let app = App::of(&shop).await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(run(&app, PRODUCTS, true).await);
    }
    assert_eq!(run(&app, PRODUCTS, true).await["userErrors"][0]["code"], "LIMIT_REACHED");
    let cancel = "mutation($id: ID!) { bulkOperationCancel(id: $id) { bulkOperation { status } userErrors { field message } } }";
    let answer = app.run(cancel, json!({ "id": made[0]["bulkOperation"]["id"] })).await;
    assert_eq!(answer["bulkOperationCancel"]["bulkOperation"]["status"], "CANCELING");
    hand.advance_ms(1_000);
    assert_eq!(look(&app, &made[0]).await["status"], "CANCELED");
    shop.fail_exports(1, "TIMEOUT");
    let failing = run(&app, PRODUCTS, true).await;
    hand.advance_ms(20_000);
    let failed = look(&app, &failing).await;
    assert_eq!((&failed["status"], &failed["errorCode"], &failed["url"]), (&json!("FAILED"), &json!("TIMEOUT"), &Value::Null));
    assert_eq!(look(&app, &made[1]).await["status"], "COMPLETED");
}

#[tokio::test]
async fn the_file_is_given_in_parts_to_whoever_has_its_address_for_a_week() {
    let (shop, hand) = shop().await;
    let app = App::of(&shop).await;
    let (made, url) = finished(&app, &hand, true).await;
    let whole = part(&app, &url, None).await.2;
    let all = whole.len();
    assert_eq!(part(&app, &url, Some("bytes=0-9")).await, (206, Some(format!("bytes 0-9/{all}")), whole[..10].to_owned()));
    let tail = part(&app, &url, Some(&format!("bytes={}-999999", all - 5))).await;
    assert_eq!(tail, (206, Some(format!("bytes {}-{}/{all}", all - 5, all - 1)), whole[all - 5..].to_owned()));
    let past = part(&app, &url, Some(&format!("bytes={all}-999999"))).await;
    assert_eq!((past.0, past.1), (416, Some(format!("bytes */{all}"))));
    assert_eq!(part(&app, &url.replace("Signature=", "Signature=0"), None).await.0, 403);
    hand.advance_ms(7 * 24 * 3_600_000);
    let (status, _, text) = part(&app, &url, None).await;
    assert!(status == 400 && text.contains("ExpiredToken"), "{status} {text}");
    let app = App::of(&shop).await;
    assert_eq!(look(&app, &made).await["status"], "EXPIRED");
    lost(&shop, &hand).await;
}

async fn lost(shop: &ShopifyShop, hand: &entrepot_simulators::HandClock) {
    let app = App::of(shop).await;
    let (made, url) = finished(&app, hand, true).await;
    shop.lose_exports();
    assert_eq!(look(&app, &made).await["status"], "COMPLETED");
    assert_eq!(part(&app, &url, None).await.0, 404);
    shop.expire_exports();
    assert_eq!(look(&app, &made).await["status"], "EXPIRED");
}

#[tokio::test]
async fn variants_and_orders_are_counted_up_to_a_limit_or_without_one() {
    let (shop, _) = shop().await;
    let app = App::of(&shop).await;
    let data = app
        .run(
            "{ some: productVariantsCount(limit: 1) { count precision } all: productVariantsCount(limit: null) { count precision }
              orders: ordersCount { count precision } }",
            json!({}),
        )
        .await;
    assert_eq!(data["some"], json!({ "count": 1, "precision": "AT_LEAST" }));
    assert!(data["all"]["count"].as_u64().unwrap() > 1 && data["all"]["precision"] == "EXACT");
    assert_eq!(data["orders"], json!({ "count": 0, "precision": "EXACT" }));
}
