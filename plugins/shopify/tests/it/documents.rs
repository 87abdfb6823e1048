//! Every well-formed document becomes a record or a refusal that says why.

use entrepot_shopify::contract::{Delivery, Event, Failure};
use entrepot_shopify::translate;
use serde_json::Value;

use super::specs;

pub fn deliver(topic: &str, body: &Value) -> Result<Vec<Event>, Failure> {
    let delivery =
        Delivery { topic: topic.into(), headers: Vec::new(), body: body.to_string(), received_at: "2026-11-21T10:00:00Z".into() };
    translate::delivery(&delivery)
}

/// Documents and the topics whose bodies they are. Lists are taken apart.
fn bodies() -> Vec<(String, &'static str, Value)> {
    let topics: [(&str, &[&str]); 8] = [
        (
            "order",
            &["orders/create", "orders/updated", "orders/paid", "orders/cancelled", "orders/fulfilled", "orders/partially_fulfilled"],
        ),
        ("orders", &["orders/updated"]),
        ("refund", &["refunds/create"]),
        ("fulfillment", &["fulfillments/create", "fulfillments/update"]),
        ("product", &["products/update", "products/create", "products/delete"]),
        ("products", &["products/update"]),
        ("inventory_level", &["inventory_levels/update"]),
        ("inventory_levels", &["inventory_levels/update"]),
    ];
    let mut bodies = Vec::new();
    for (name, topics) in topics {
        let Some(document) = specs::sample(name) else { return Vec::new() };
        let parts = document.as_array().cloned().unwrap_or_else(|| vec![document]);
        for (at, part) in parts.into_iter().enumerate() {
            bodies.extend(topics.iter().map(|topic| (format!("{name}[{at}]"), *topic, part.clone())));
        }
    }
    bodies
}

#[test]
fn every_document_becomes_a_canonical_event_or_a_refusal_with_a_reason() {
    let (mut records, mut hints, mut ignored, mut refused) = (0, 0, 0, 0);
    let bodies = bodies();
    for (name, topic, body) in &bodies {
        match deliver(topic, body) {
            Ok(events) => {
                assert!(!events.is_empty(), "{name} became nothing");
                for event in events {
                    match event {
                        Event::Order(_) | Event::Levels(_) => records += 1,
                        Event::OrderChanged(_) | Event::ListingChanged(_) | Event::ListingRemoved(_) => hints += 1,
                        Event::Ignored(_) => ignored += 1,
                        other => panic!("{name}: unexpected {other:?}"),
                    }
                }
            }
            Err(failure) => {
                println!("{name} as {topic}: {}", failure.message);
                assert!(failure.message.contains(':'), "{name}: the refusal names no field: {}", failure.message);
                refused += 1;
            }
        }
    }
    println!("{} bodies: {records} records, {hints} to be read, {ignored} ignored with a reason, {refused} refused", bodies.len());
    assert_eq!(refused, 0, "all of these documents are readable");
}

#[test]
fn no_document_of_any_kind_makes_the_translation_panic() {
    for (_, document) in specs::samples() {
        for topic in [
            "orders/updated",
            "orders/edited",
            "refunds/create",
            "products/update",
            "products/delete",
            "inventory_levels/update",
            "app/uninstalled",
            "shop/update",
        ] {
            let _ = deliver(topic, &document);
        }
        let _ = translate::order(&document, &[], &[]);
        let _ = translate::listing(&document, "USD");
    }
}

#[test]
fn the_sample_order_keeps_its_money_lines_and_people() {
    let Some(document) = specs::sample("order") else { return };
    let order = translate::rest_order(&document).unwrap();
    assert_eq!(order.external_id, "gid://shopify/Order/450789469");
    assert_eq!((order.total.shop.amount.as_str(), order.total.shop.currency.as_str()), ("409.94", "USD"));
    assert_eq!(order.lines.len(), 4);
    assert_eq!(order.lines[0].external_id, "gid://shopify/LineItem/466157049");
    assert_eq!(order.lines[0].listing.as_deref(), Some("gid://shopify/ProductVariant/39072856"));
    assert_eq!(order.lines[0].title, "IPod Nano - 8gb - green");
    assert_eq!(order.lines[0].fulfilled, 0, "its one fulfilment failed");
    assert!(order.shipments.is_empty() && order.extras.iter().any(|extra| extra.key == "fulfillmentsNotShipped"));
    assert_eq!(order.ship_to.unwrap().region_code.as_deref(), Some("US-KY"));
    assert_eq!(order.placed_at, "2008-01-10T16:00:00Z");
    assert_eq!(order.buyer.unwrap().external_id.as_deref(), Some("gid://shopify/Customer/207119551"));
}
