//! No field of the schema is a dead end: each one of every object a full shop has is asked for, and answered.

use apollo_compiler::Schema;
use apollo_compiler::schema::ExtendedType;
use entrepot_simulators::shopify::{Basket, SCHEMA};
use serde_json::{Value, json};

use super::{App, euros, shop};

/// All fields of a type that need no argument, `depth` levels deep, lists one row long.
fn selection(schema: &Schema, name: &str, depth: usize) -> String {
    let fields = match &schema.types[name] {
        ExtendedType::Object(object) => &object.fields,
        ExtendedType::Interface(_) | ExtendedType::Union(_) => return "{ __typename }".to_owned(),
        _ => return String::new(),
    };
    let mut shown = vec!["__typename".to_owned()];
    for (field, definition) in fields {
        let mut arguments = Vec::new();
        if definition.argument_by_name("first").is_some() {
            arguments.push("first: 1");
        }
        if definition.argument_by_name("names").is_some() {
            arguments.push("names: [\"available\"]");
        }
        if definition.arguments.iter().any(|argument| argument.is_required() && argument.name != "names") {
            continue;
        }
        let arguments = if arguments.is_empty() { String::new() } else { format!("({})", arguments.join(", ")) };
        let inner = definition.ty.inner_named_type();
        let leaf = matches!(schema.types[inner], ExtendedType::Scalar(_) | ExtendedType::Enum(_));
        if leaf {
            shown.push(format!("{field}{arguments}"));
        } else if depth > 0 {
            shown.push(format!("{field}{arguments} {}", selection(schema, inner, depth - 1)));
        } else if matches!(schema.types[inner], ExtendedType::Object(_)) {
            shown.push(format!("{field}{arguments} {{ __typename }}"));
        }
    }
    format!("{{ {} }}", shown.join(" "))
}

#[tokio::test]
async fn every_field_of_every_object_a_shop_has_is_answered() {
    let (shop, _) = shop().await;
    let app = App::of(&shop).await;
    app.subscribe("ORDERS_CREATE", "https://hub.example/hook").await;
    let basket = Basket::of("TEE-S", 3).custom_line("Engraving", euros(300)).discount("X", euros(100)).shipping(euros(490));
    let order = shop.place_order(basket.note("Ring twice")).unwrap();
    shop.ship_order(order, "DHL", "1").unwrap();
    shop.open_return(order, "TEE-S", 1).unwrap();
    shop.refund_order(order, &[], true).unwrap();

    let ids = "{ orders(first: 1) { nodes { id fulfillments { id } refunds { id } returns(first: 1) { nodes { id } } fulfillmentOrders(first: 1) { nodes { id } }
        lineItems(first: 2) { nodes { id } } } } products(first: 1) { nodes { id variants(first: 1) { nodes { id inventoryItem { id
        inventoryLevels(first: 1) { nodes { id } } } } } } } locations(first: 1) { nodes { id } } webhookSubscriptions(first: 1) { nodes { id } } }";
    let found = app.run(ids, json!({})).await.to_string();
    let ids: Vec<&str> = found.split('"').filter(|text| text.starts_with("gid://shopify/")).collect();
    assert_eq!(ids.len(), 13, "{found}");

    let schema = Schema::parse_and_validate(SCHEMA, "schema.graphql").unwrap();
    let mut empty = Vec::new();
    for id in ids {
        let kind = id.split('/').nth(3).unwrap();
        let asked = format!("query($id: ID!) {{ node(id: $id) {{ ... on {kind} {} }} }}", selection(&schema, kind, 2));
        let (status, body) = app.try_run(&asked, json!({ "id": id })).await.unwrap();
        assert_eq!(status, 200);
        assert!(body.get("errors").is_none(), "{kind}: {}", body["errors"]);
        if body["data"]["node"].is_null() {
            empty.push(kind);
        }
        shop.drain_bucket(2000);
    }
    assert!(empty.is_empty(), "{empty:?}");
    for root in ["shop", "currentAppInstallation"] {
        let kind = schema.type_field("QueryRoot", root).unwrap().ty.inner_named_type().clone();
        let data = app.run(&format!("{{ {root} {} }}", selection(&schema, &kind, 2)), json!({})).await;
        assert_ne!(data[root], Value::Null);
    }
}
