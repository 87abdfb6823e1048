//! Every well-formed document becomes a record or a refusal that says why.

use entrepot_woocommerce::contract::{Delivery, Event};
use entrepot_woocommerce::settings::Settings;
use entrepot_woocommerce::translate;
use serde_json::Value;

use super::specs;

pub fn settings() -> Settings {
    Settings::parse(r#"{"origin":"https://example.com","currency":"USD"}"#).unwrap()
}

fn deliver(topic: &str, document: &Value) -> Result<Vec<Event>, entrepot_woocommerce::contract::Failure> {
    let delivery = Delivery {
        topic: topic.to_owned(),
        headers: Vec::new(),
        body: document.to_string(),
        received_at: "2026-11-21T10:00:00Z".to_owned(),
    };
    translate::delivery(&delivery, &settings())
}

#[test]
fn every_document_becomes_a_canonical_event_or_a_refusal_with_a_reason() {
    let kinds = [("orders", "order.updated"), ("products", "product.updated"), ("product-variations", "product.updated")];
    for (kind, topic) in kinds {
        let documents = specs::samples(kind);
        if documents.is_empty() {
            return;
        }
        let (mut records, mut hints, mut ignored, mut refused) = (0, 0, 0, 0);
        for (name, document) in &documents {
            match deliver(topic, document) {
                Ok(events) => {
                    assert!(!events.is_empty(), "{name} became nothing");
                    for event in events {
                        match event {
                            Event::Order(_) | Event::Listing(_) => records += 1,
                            Event::OrderChanged(_) | Event::ListingChanged(_) => hints += 1,
                            Event::Ignored(why) => {
                                assert!(!why.is_empty(), "{name}");
                                ignored += 1;
                            }
                            other => panic!("{name}: unexpected {other:?}"),
                        }
                    }
                }
                Err(failure) => {
                    assert!(failure.message.contains(':'), "{name}: the refusal names no field: {}", failure.message);
                    refused += 1;
                }
            }
        }
        println!(
            "{kind}: {} documents, {records} records, {hints} to be read, {ignored} ignored with a reason, {refused} refused",
            documents.len()
        );
        assert_eq!(refused, 0, "all of the shop's own examples are readable");
    }
}

#[test]
fn every_order_with_refunds_takes_their_lines_from_the_refund_documents() {
    let refunds: Vec<Value> = specs::samples("order-refunds").into_iter().map(|(_, document)| document).collect();
    let Some((_, order)) = specs::samples("orders").into_iter().find(|(_, order)| !order["refunds"].as_array().unwrap().is_empty()) else {
        return;
    };
    let (id, lines): (Value, Vec<Value>) = (order["refunds"][1]["id"].clone(), refunds.clone());
    let documents: Vec<Value> = lines.into_iter().filter(|refund| refund["id"] == id).collect();
    let record = translate::order(&order, Some(&documents), &settings()).unwrap();
    let line = &record.refunds[0].lines[0];
    assert_eq!((line.line.as_str(), line.quantity), ("311", 1));
    assert_eq!(line.amount.as_ref().unwrap().shop.amount, "9.00");
    assert_eq!(record.refunded_total.unwrap().shop.amount, "9.00");
}

#[test]
fn every_subscription_document_is_read() {
    let mut count = 0;
    for (name, document) in specs::samples("webhooks") {
        let subscription = translate::subscription(&document).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        assert!(subscription.callback_url.starts_with("http"), "{name}");
        count += 1;
    }
    println!("webhooks: {count} subscriptions read");
}

#[test]
fn no_document_of_any_other_kind_makes_the_translation_panic() {
    for kind in ["coupons", "customers", "webhooks", "order-notes", "data", "shipping-zones", "payment-gateways", "taxes"] {
        for (_, document) in specs::samples(kind) {
            let _ = deliver("order.updated", &document);
            let _ = deliver("product.updated", &document);
            let _ = translate::order(&document, Some(std::slice::from_ref(&document)), &settings());
        }
    }
}
