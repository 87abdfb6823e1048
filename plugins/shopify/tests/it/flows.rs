//! The capabilities against a small shop that answers by the documents.

use std::collections::{BTreeMap, BTreeSet};

use entrepot_shopify::calls;
use entrepot_shopify::contract::*;
use serde_json::{Value, json};

use super::behaviour::{line_document, order_document};
use super::server::{Server, context, data, errors, with_shop};

fn order_at(id: u64, updated: &str) -> Value {
    let mut order = order_document(id, vec![line_document(id, 1, 1)]);
    order["updatedAt"] = json!(updated);
    order
}

fn sweep(server: &Server, mut cursor: Option<String>) -> (Vec<Order>, String) {
    let mut seen = Vec::new();
    for _ in 0..500 {
        let page = with_shop(server, |shop| calls::pull_orders(shop, cursor.as_deref(), 200)).unwrap();
        assert!(page.refused.is_empty(), "{:?}", page.refused);
        seen.extend(page.orders);
        cursor = Some(page.cursor);
        if !page.more {
            return (seen, cursor.unwrap());
        }
    }
    panic!("the sweep does not end");
}

#[test]
fn every_order_is_seen_and_the_next_sweep_overlaps() {
    let server = Server::default();
    *server.orders.borrow_mut() = (1..=55).map(|id| order_at(id, "2026-11-20T10:00:00Z")).collect();
    let (seen, cursor) = sweep(&server, None);
    assert_eq!(seen.iter().map(|order| &order.external_id).collect::<BTreeSet<_>>().len(), 55);
    server.orders.borrow_mut().push(order_at(99, "2026-11-21T09:58:00Z"));
    let (seen, _) = sweep(&server, Some(cursor));
    assert_eq!(seen.iter().map(|order| order.external_id.as_str()).collect::<Vec<_>>(), ["gid://shopify/Order/99"]);
}

#[test]
fn a_shop_that_finds_pages_too_costly_gets_smaller_ones_and_is_not_asked_twice() {
    let server = Server::default();
    server.largest_page.set(Some(3));
    *server.orders.borrow_mut() = (1..=12).map(|id| order_at(id, "2026-11-20T10:00:00Z")).collect();
    assert_eq!(sweep(&server, None).0.len(), 12);
    let asked = server.operations.borrow().iter().filter(|name| *name == "OrdersPage").count();
    assert_eq!(asked, 3 + 4, "three refusals once, then four pages");
}

#[test]
fn an_order_with_very_many_lines_is_read_whole() {
    let server = Server::default();
    let lines = (1..=130).map(|id| line_document(id, 1, 1)).collect();
    server.orders.borrow_mut().push(order_document(1, lines));
    let (seen, _) = sweep(&server, None);
    assert_eq!(seen[0].lines.iter().filter(|line| line.kind == LineKind::Physical).count(), 130);
    let found = with_shop(&server, |shop| {
        calls::orders_by_ids(shop, &["gid://shopify/Order/1".into(), "gid://shopify/Order/2".into(), "7".into()])
    })
    .unwrap();
    assert!(matches!(&found[0].1, Found::Order(order) if order.lines.len() == 131));
    assert_eq!((&found[1].1, &found[2].1), (&Found::Absent, &Found::Absent));
}

#[test]
fn one_unreadable_order_stops_no_page() {
    let server = Server::default();
    *server.orders.borrow_mut() = (1..=3).map(|id| order_at(id, "2026-11-20T10:00:00Z")).collect();
    server.orders.borrow_mut()[1]["totalPriceSet"]["shopMoney"]["amount"] = json!("many");
    let page = with_shop(&server, |shop| calls::pull_orders(shop, None, 50)).unwrap();
    assert_eq!((page.orders.len(), page.refused.len()), (2, 1));
    assert!(page.refused[0].failure.message.contains("many"));
}

fn change(key: &str, variant: u64, quantity: u32, previous: Option<i32>) -> StockChange {
    let handles = vec![Extra { key: "inventory-item".into(), json: format!("\"gid://shopify/InventoryItem/{variant}\"") }];
    let listing = ListingRef { external_id: format!("gid://shopify/ProductVariant/{variant}"), parent: None, sku: None, handles };
    StockChange { key: key.into(), listing, location: Some("gid://shopify/Location/1".into()), quantity, previous }
}

fn stocked(server: &Server, levels: &[(u64, i64)]) {
    for (item, quantity) in levels {
        server.stock.borrow_mut().insert((format!("gid://shopify/InventoryItem/{item}"), "gid://shopify/Location/1".into()), *quantity);
    }
}

fn push(server: &Server, key: &str, changes: &[StockChange]) -> BTreeMap<String, Outcome> {
    let outcomes = with_shop(server, |shop| calls::push_stock(shop, &context(key), changes)).unwrap();
    assert_eq!(outcomes.len(), changes.len(), "one outcome for each change");
    outcomes.into_iter().map(|outcome| (outcome.key.clone(), outcome)).collect()
}

#[test]
fn a_stale_change_is_a_conflict_with_the_real_quantity_and_stops_no_other() {
    let server = Server::default();
    stocked(&server, &[(1, 5), (2, 7), (3, 0)]);
    let outcomes = push(
        &server,
        "eff_1",
        &[
            change("a", 1, 4, Some(5)),
            change("b", 2, 4, Some(5)),
            change("c", 3, 9, None),
            change("d", 4, 1, Some(1)),
            change("e", 1, 1, None),
        ]
        .map(|mut change| {
            if change.key == "e" {
                change.location = None;
            }
            change
        }),
    );
    assert!(matches!(outcomes["a"].state, OutcomeState::Done(_)));
    assert!(matches!(&outcomes["b"].state, OutcomeState::Rejected(failure) if failure.fault == Fault::Conflict));
    assert_eq!(outcomes["b"].extras, [Extra { key: "current".into(), json: "7".into() }]);
    assert!(matches!(outcomes["c"].state, OutcomeState::Done(_)), "what was not known was read first");
    assert!(matches!(&outcomes["d"].state, OutcomeState::Rejected(failure) if failure.fault == Fault::Missing));
    assert!(matches!(&outcomes["e"].state, OutcomeState::Rejected(failure) if failure.fault == Fault::Invalid));
    let held: Vec<i64> = server.stock.borrow().values().copied().collect();
    assert_eq!(held, [4, 7, 9]);
}

#[test]
fn a_lost_answer_is_unknown_and_the_repeat_does_nothing_twice() {
    let server = Server::default();
    stocked(&server, &[(1, 5)]);
    let lost = Failure::new(Fault::Network, "reset").with_sent(Sent::Maybe);
    *server.fault.borrow_mut() = Some((Err(lost), true));
    let changes = [change("a", 1, 4, Some(5))];
    assert!(matches!(&push(&server, "eff_1", &changes)["a"].state, OutcomeState::Retry(failure) if failure.sent == Sent::Maybe));
    // Somebody bought one in between; the repeat under the same key must not put it back.
    stocked(&server, &[(1, 3)]);
    assert!(matches!(push(&server, "eff_1", &changes)["a"].state, OutcomeState::Done(_)));
    assert_eq!(*server.stock.borrow().values().next().unwrap(), 3);
}

#[test]
fn what_the_shop_has_already_is_unchanged() {
    let server = Server::default();
    stocked(&server, &[(1, 4)]);
    assert_eq!(push(&server, "eff_1", &[change("a", 1, 4, None)])["a"].state, OutcomeState::Unchanged);
    assert_eq!(
        push(&server, "eff_2", &[change("a", 1, 4, Some(9))])["a"].state,
        OutcomeState::Unchanged,
        "the comparison failed, but it is so"
    );
    let readings =
        with_shop(&server, |shop| calls::read_stock(shop, &[change("a", 1, 0, None).listing, change("b", 9, 0, None).listing])).unwrap();
    assert_eq!(readings.len(), 1);
    assert_eq!(readings[0].levels, [Level { location: Some("gid://shopify/Location/1".into()), quantity: 4 }]);
}

#[test]
fn the_rate_limit_is_told_to_the_hub_and_a_refusal_says_how_long_to_wait() {
    let server = Server::default();
    with_shop(&server, |shop| calls::pull_orders(shop, None, 10)).unwrap();
    let seen = server.observed.borrow()[0];
    assert_eq!((seen.available, seen.maximum, seen.restore_per_second), (1990, 2000, 100));
    let cost =
        json!({"requestedQueryCost": 500, "throttleStatus": {"maximumAvailable": 1000.0, "currentlyAvailable": 100, "restoreRate": 50.0}});
    *server.fault.borrow_mut() = Some((Ok(errors("THROTTLED", cost)), false));
    let failure = with_shop(&server, |shop| calls::pull_orders(shop, None, 10)).unwrap_err();
    assert_eq!((failure.fault, failure.retry_after_ms, failure.sent), (Fault::Throttled, Some(8000), Sent::No));
}

#[test]
fn faults_of_a_shop_are_told_apart_and_say_whether_something_may_have_happened() {
    let cases = [
        (Response::new(401, &[], r#"{"errors":"[API] Invalid API key"}"#), Fault::Auth, Sent::No),
        (Response::new(403, &[], "{}"), Fault::Permission, Sent::No),
        (Response::new(402, &[], r#"{"errors":"frozen"}"#), Fault::Permission, Sent::No),
        (Response::new(404, &[], r#"{"errors":"Not Found"}"#), Fault::Config, Sent::No),
        (Response::new(429, &[("retry-after", "2.0")], ""), Fault::Throttled, Sent::No),
        (Response::new(502, &[], "<html>"), Fault::Remote, Sent::Maybe),
        (Response::new(200, &[], "<html>"), Fault::Remote, Sent::Maybe),
        (errors("ACCESS_DENIED", json!({})), Fault::Permission, Sent::No),
        (errors("INTERNAL_SERVER_ERROR", json!({})), Fault::Remote, Sent::Maybe),
        (
            data(
                json!({"inventorySetQuantities": {"userErrors": [{"code": "IDEMPOTENCY_CONCURRENT_REQUEST", "field": null, "message": "busy"}]}}),
            ),
            Fault::Throttled,
            Sent::Maybe,
        ),
        (
            data(
                json!({"inventorySetQuantities": {"userErrors": [{"code": "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED", "field": null, "message": "failed"}]}}),
            ),
            Fault::Remote,
            Sent::Maybe,
        ),
    ];
    for (response, fault, sent) in cases {
        let server = Server::default();
        stocked(&server, &[(1, 5)]);
        let shown = format!("{response:?}");
        *server.fault.borrow_mut() = Some((Ok(response), false));
        let failure = match with_shop(&server, |shop| calls::push_stock(shop, &context("eff_1"), &[change("a", 1, 4, Some(5))])) {
            Err(failure) => failure,
            Ok(outcomes) => match &outcomes[0].state {
                OutcomeState::Rejected(failure) | OutcomeState::Retry(failure) => failure.clone(),
                other => panic!("{other:?}"),
            },
        };
        assert_eq!((failure.fault, failure.sent), (fault, sent), "{shown}");
    }
}

fn dispatch(reference: &str, lines: &[(u64, u32)], number: Option<&str>) -> Dispatch {
    Dispatch {
        key: reference.into(),
        order: "gid://shopify/Order/7".into(),
        reference: reference.into(),
        lines: lines
            .iter()
            .map(|(line, quantity)| ShipmentLine { line: format!("gid://shopify/LineItem/{line}"), quantity: *quantity })
            .collect(),
        tracking: number.map(|number| Tracking { number: number.into(), carrier: Some("DHL".into()), url: None }).into_iter().collect(),
        shipped_at: "2026-11-21T09:00:00Z".into(),
        notify_buyer: true,
        completes_order: false,
    }
}

fn ship(server: &Server, dispatch: Dispatch) -> OutcomeState {
    with_shop(server, |shop| calls::dispatch(shop, &[dispatch])).unwrap().remove(0).state
}

#[test]
fn a_parcel_is_told_once_and_found_again() {
    let server = Server::default();
    *server.remaining.borrow_mut() = BTreeMap::from([(1, 2), (2, 1)]);
    assert!(matches!(ship(&server, dispatch("a", &[(1, 1)], Some("NR1"))), OutcomeState::Done(id) if id == "gid://shopify/Fulfillment/1"));
    assert_eq!(ship(&server, dispatch("a", &[(1, 1)], Some("NR1"))), OutcomeState::Unchanged);
    assert_eq!(server.remaining.borrow()[&1], 1);
    let shipments = with_shop(&server, |shop| calls::shipped(shop, "gid://shopify/Order/7")).unwrap();
    assert_eq!((shipments.len(), shipments[0].tracking[0].number.as_str(), shipments[0].lines[0].quantity), (1, "NR1", 1));
    assert!(matches!(ship(&server, dispatch("b", &[(2, 1)], None)), OutcomeState::Done(_)));
    assert_eq!(ship(&server, dispatch("b", &[(2, 1)], None)), OutcomeState::Unchanged, "without a number its lines tell");
}

#[test]
fn a_parcel_from_two_places_is_told_for_each_and_one_without_lines_takes_all() {
    let server = Server::default();
    *server.remaining.borrow_mut() = BTreeMap::from([(1, 2), (2, 1)]);
    assert!(matches!(ship(&server, dispatch("a", &[], Some("NR1"))), OutcomeState::Done(ids) if ids.split(',').count() == 2));
    assert_eq!(server.remaining.borrow().values().sum::<u32>(), 0);
}

#[test]
fn more_than_is_open_is_a_conflict_and_nothing_is_told() {
    let server = Server::default();
    *server.remaining.borrow_mut() = BTreeMap::from([(1, 1)]);
    assert!(
        matches!(ship(&server, dispatch("a", &[(1, 2)], Some("NR1"))), OutcomeState::Rejected(failure) if failure.fault == Fault::Conflict)
    );
    assert!(server.fulfillments.borrow().is_empty());
}

#[test]
fn an_order_is_cancelled_once_and_a_shipped_one_never() {
    let server = Server::default();
    let mut shipped = order_document(2, vec![]);
    shipped["displayFulfillmentStatus"] = json!("FULFILLED");
    *server.orders.borrow_mut() = vec![order_document(1, vec![]), shipped];
    let cancel = |id: u64| {
        let order = format!("gid://shopify/Order/{id}");
        let cancellation =
            Cancellation { key: "k".into(), order, reason: Some("customer asked".into()), restock: false, notify_buyer: false };
        with_shop(&server, |shop| calls::cancel(shop, &[cancellation])).unwrap().remove(0).state
    };
    assert!(matches!(cancel(1), OutcomeState::Done(_)));
    assert_eq!(cancel(1), OutcomeState::Unchanged);
    assert!(matches!(cancel(2), OutcomeState::Rejected(failure) if failure.fault == Fault::Conflict));
    assert!(matches!(cancel(3), OutcomeState::Rejected(failure) if failure.fault == Fault::Missing));
}

#[test]
fn each_price_gets_its_own_outcome() {
    let server = Server::default();
    let price = |key: &str, variant: u64, currency: &str| PriceChange {
        key: key.into(),
        listing: ListingRef {
            external_id: format!("gid://shopify/ProductVariant/{variant}"),
            parent: None,
            sku: None,
            handles: Vec::new(),
        },
        price: Money { amount: "9.99".into(), currency: currency.into() },
        compare_at: None,
        price_list: None,
    };
    let outcomes =
        with_shop(&server, |shop| calls::push_prices(shop, &[price("a", 1, "EUR"), price("b", 2, "EUR"), price("c", 3, "USD")])).unwrap();
    let state = |key: &str| &outcomes.iter().find(|outcome| outcome.key == key).unwrap().state;
    assert!(matches!(state("a"), OutcomeState::Done(_)));
    assert!(matches!(state("b"), OutcomeState::Rejected(failure) if failure.message == "bad price"));
    assert!(matches!(state("c"), OutcomeState::Rejected(failure) if failure.code.as_deref() == Some("currency")));
}

#[test]
fn subscriptions_are_kept_made_and_never_doubled() {
    let server = Server::default();
    let hook = |id: u64, topic: &str, uri: &str| json!({"id": format!("gid://shopify/WebhookSubscription/{id}"), "topic": topic, "uri": uri, "format": "JSON"});
    let mine = "https://hub.example/webhooks/x";
    *server.webhooks.borrow_mut() =
        vec![hook(1, "ORDERS_UPDATED", mine), hook(2, "ORDERS_UPDATED", mine), hook(3, "ORDERS_CREATE", "https://other.example/")];
    let topics: Vec<String> = ["orders/updated", "orders/create", "inventory_levels/update"].map(str::to_owned).into();
    let now = with_shop(&server, |shop| calls::ensure(shop, mine, &topics)).unwrap();
    assert_eq!(
        now.iter().map(|subscription| subscription.topic.as_str()).collect::<Vec<_>>(),
        ["orders/updated", "orders/create", "inventory_levels/update"]
    );
    assert_eq!(server.webhooks.borrow().len(), 4);
    let ids: Vec<String> = now.into_iter().map(|subscription| subscription.external_id).collect();
    assert_eq!(with_shop(&server, |shop| calls::remove(shop, &ids)).unwrap(), 3);
    assert_eq!(server.webhooks.borrow().len(), 1, "the stranger's stays");
}
