//! What the relay sends becomes a hint, or is ignored with a reason.

use entrepot_vendure::contract::*;
use entrepot_vendure::translate;
use serde_json::{Value, json};

fn deliver(topic: &str, data: Value) -> Result<Vec<Event>, Failure> {
    let body = json!({ "id": "9d0f", "topic": topic, "at": "2026-11-29T01:00:09.859Z", "data": data }).to_string();
    translate::delivery(&Delivery { topic: topic.into(), headers: Vec::new(), body, received_at: "2026-11-29T01:00:10Z".into() })
}

fn order(state: &str) -> Value {
    json!({ "id": "7", "code": "6BX6PPDJNTGT2GZQ", "state": state, "updatedAt": "2026-11-29T01:00:09.454Z", "from": "AddingItems", "to": state })
}

#[test]
fn orders_and_variants_are_read_after_their_events() {
    let hint = || Event::OrderChanged(OrderHint { external_id: "7".into(), updated_at: None });
    assert_eq!(deliver("order.placed", order("PaymentSettled")).unwrap(), [hint()]);
    for state in
        ["PaymentAuthorized", "PaymentSettled", "PartiallyShipped", "Shipped", "Delivered", "Cancelled", "Modifying", "OfTheShopsOwn"]
    {
        assert_eq!(deliver("order.state", order(state)).unwrap(), [hint()], "{state}");
    }
    let changed = deliver("variant.updated", json!({ "ids": ["1", "2"] })).unwrap();
    assert_eq!(changed, [Event::ListingChanged("1".into()), Event::ListingChanged("2".into())]);
    assert_eq!(deliver("variant.deleted", json!({ "ids": ["1"] })).unwrap(), [Event::ListingRemoved("1".into())]);
    let moves = json!([{ "variant": "3", "sku": "ITEM-3", "quantity": -1 }]);
    assert_eq!(deliver("stock.moved", json!({ "kind": "ADJUSTMENT", "moves": moves })).unwrap(), [Event::ListingChanged("3".into())]);
}

#[test]
fn what_is_no_news_is_ignored_with_a_reason() {
    let moves = json!([{ "variant": "3", "sku": "ITEM-3", "quantity": -1 }]);
    let cases = [
        ("order.state", order("ArrangingPayment"), "no order yet"),
        ("stock.moved", json!({ "kind": "ALLOCATION", "moves": moves }), "told by its order"),
        ("stock.moved", json!({ "kind": "ADJUSTMENT", "moves": [] }), "nothing moved"),
        ("fulfillment.state", json!({ "id": "1", "from": "Pending", "to": "Shipped" }), "its order"),
        ("refund.state", json!({ "id": "1", "order": "6BX6PPDJNTGT2GZQ", "to": "Settled" }), "poll"),
        ("variant.updated", json!({ "ids": [] }), "no variant"),
        ("product.updated", json!({ "id": "1" }), "product.updated"),
    ];
    for (topic, data, why) in cases {
        let events = deliver(topic, data).unwrap();
        assert!(matches!(events.as_slice(), [Event::Ignored(told)] if told.contains(why)), "{topic}: {events:?}");
    }
}

#[test]
fn an_event_without_what_it_is_about_is_refused_by_name() {
    for (topic, data, path) in [
        ("order.placed", json!({}), "data.id"),
        ("stock.moved", json!({ "kind": "ADJUSTMENT", "moves": [{}] }), "data.moves[0].variant"),
        ("variant.updated", json!({ "ids": [true] }), "data.ids"),
    ] {
        let failure = deliver(topic, data).unwrap_err();
        assert!(failure.message.contains(path), "{}", failure.message);
    }
    let no_json = Delivery { topic: "order.placed".into(), headers: Vec::new(), body: "<html>".into(), received_at: String::new() };
    assert_eq!(translate::delivery(&no_json).unwrap_err().code.as_deref(), Some("not-json"));
}
