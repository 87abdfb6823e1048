//! Each switch does what it says, and leaves behind exactly what it says.

use entrepot_simulators::{Fault, When};
use serde_json::json;

use super::{App, euros, shop};

const WRITE: &str = "mutation($id: ID!, $variants: [ProductVariantsBulkInput!]!) { productVariantsBulkUpdate(productId: $id, variants: $variants) { userErrors { message } } }";

#[tokio::test]
async fn a_lost_answer_took_effect_and_refusals_did_not() {
    let (shop, _) = shop().await;
    let app = App::of(&shop).await;
    let read = "{ products(first: 1, query: \"title:Mug\") { nodes { id variants(first: 1) { nodes { id price } } } } }";
    let seen = app.run(read, json!({})).await["products"]["nodes"][0].clone();
    let variant = seen["variants"]["nodes"][0]["id"].clone();
    let write = async |price: &str| app.try_run(WRITE, json!({ "id": seen["id"], "variants": [{ "id": variant, "price": price }] })).await;
    let price = async || app.run(read, json!({})).await["products"]["nodes"][0]["variants"]["nodes"][0]["price"].clone();

    shop.faults(|faults| faults.on_next(1, When::Write, Fault::LoseAnswer));
    assert_eq!(price().await, "12.50", "reads are left alone");
    assert!(write("13.00").await.is_err());
    assert_eq!(price().await, "13.00");
    for (fault, status, code) in
        [(Fault::Throttle, 200, "THROTTLED"), (Fault::ErrorIn200, 200, "INTERNAL_SERVER_ERROR"), (Fault::RefuseCredentials, 401, "")]
    {
        shop.faults(|faults| faults.on_next(1, When::Contains("productVariantsBulkUpdate".into()), fault));
        let (seen, body) = write("1.00").await.unwrap();
        assert_eq!(seen, status);
        assert_eq!(body["errors"][0]["extensions"]["code"].as_str().unwrap_or_default(), code);
    }
    shop.faults(|faults| faults.on_next(1, When::Any, Fault::DropRequest));
    assert!(write("1.00").await.is_err());
    assert_eq!(price().await, "13.00");
    shop.stop().await;
    assert!(write("1.00").await.is_err());
    shop.restart().await.unwrap();
    assert_eq!(price().await, "13.00");
}

#[tokio::test]
async fn a_repeated_page_ignores_the_cursor() {
    let (shop, _) = shop().await;
    let app = App::of(&shop).await;
    let list = "query($after: String) { products(first: 1, after: $after) { nodes { title } pageInfo { endCursor } } }";
    let first = app.run(list, json!({})).await["products"].clone();
    let next = json!({ "after": first["pageInfo"]["endCursor"] });
    shop.faults(|faults| faults.on_next(1, When::Contains("products".into()), Fault::RepeatPage));
    assert_eq!(app.run(list, next.clone()).await["products"], first);
    assert_eq!(app.run(list, next).await["products"]["nodes"][0]["title"], "Tee");
    shop.set_price("MUG", euros(1)).unwrap();
}
