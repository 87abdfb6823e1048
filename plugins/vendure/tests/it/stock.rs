//! Stock: what is promised is added, what the shop did meanwhile is noticed, and nothing is offered twice.

use entrepot_vendure::calls;
use entrepot_vendure::contract::*;
use serde_json::{Value, json};

use super::shop::{Prepared, bad, list, with_shop};

fn variant(id: &str, on_hand: i64, allocated: i64) -> Value {
    let level = json!({ "stockLocationId": "1", "stockOnHand": on_hand, "stockAllocated": allocated });
    json!({ "id": id, "trackInventory": "INHERIT", "stockLevels": [level] })
}

fn variants(rows: &[Value]) -> Value {
    list("productVariants", rows.into())
}

fn written(rows: &[Value]) -> Value {
    json!({ "updateProductVariants": rows })
}

fn places(ids: &[&str]) -> Value {
    list("stockLocations", ids.iter().map(|id| json!({ "id": id, "name": "Shelf" })).collect())
}

fn change(id: &str, quantity: u32, previous: Option<i32>) -> StockChange {
    let listing = ListingRef { external_id: id.into(), parent: None, sku: None, handles: Vec::new() };
    StockChange { key: format!("k{id}"), listing, location: Some("1".into()), quantity, previous }
}

fn push(shop: &Prepared, changes: &[StockChange]) -> Vec<Outcome> {
    with_shop(shop, |shop| calls::push_stock(shop, changes)).unwrap()
}

fn failure(outcome: &Outcome) -> &Failure {
    match &outcome.state {
        OutcomeState::Rejected(failure) | OutcomeState::Retry(failure) => failure,
        other => panic!("{other:?}"),
    }
}

fn on_hand(shop: &Prepared, at: usize) -> Value {
    shop.variables(at)["input"][0]["stockLevels"][0]["stockOnHand"].clone()
}

#[test]
fn what_is_promised_to_orders_is_added_to_what_may_still_be_sold() {
    let shop = Prepared::with([variants(&[variant("1", 10, 3)]), places(&["1"]), written(&[variant("1", 8, 3)])]);
    assert_eq!(push(&shop, &[change("1", 5, Some(7))]), [Outcome::done("k1", "")]);
    assert_eq!(on_hand(&shop, 2), json!(8));
}

#[test]
fn what_the_shop_has_already_is_not_written() {
    let shop = Prepared::with([variants(&[variant("1", 10, 3)]), places(&["1"])]);
    assert_eq!(push(&shop, &[change("1", 7, Some(9))]), [Outcome::unchanged("k1")]);
}

#[test]
fn a_sale_we_did_not_know_of_stops_the_write() {
    let shop = Prepared::with([variants(&[variant("1", 10, 4)]), places(&["1"])]);
    let outcomes = push(&shop, &[change("1", 5, Some(7))]);
    let failure = failure(&outcomes[0]);
    assert_eq!((failure.fault, failure.sent), (Fault::Conflict, Sent::No));
    assert_eq!(outcomes[0].extras[0].json, "6");
}

#[test]
fn a_sale_between_reading_and_writing_is_kept() {
    // One more is promised in the answer: one less can be sold, which is right.
    let shop = Prepared::with([variants(&[variant("1", 10, 3)]), places(&["1"]), written(&[variant("1", 8, 4)])]);
    assert_eq!(push(&shop, &[change("1", 5, None)]), [Outcome::done("k1", "")]);
}

#[test]
fn goods_that_leave_between_reading_and_writing_are_not_offered_again() {
    let shop =
        Prepared::with([variants(&[variant("1", 10, 3)]), places(&["1"]), written(&[variant("1", 8, 1)]), written(&[variant("1", 6, 1)])]);
    assert_eq!(push(&shop, &[change("1", 5, None)]), [Outcome::done("k1", "")]);
    assert_eq!((on_hand(&shop, 2), on_hand(&shop, 3)), (json!(8), json!(6)));
}

#[test]
fn a_batch_refused_for_one_variant_is_written_one_by_one() {
    let shop = Prepared::with([variants(&[variant("1", 1, 0), variant("2", 1, 0)]), places(&["1"])]);
    shop.then(Ok(bad("ENTITY_NOT_FOUND")));
    shop.then(Ok(super::shop::good(written(&[variant("1", 4, 0)]))));
    shop.then(Ok(bad("ENTITY_NOT_FOUND")));
    let outcomes = push(&shop, &[change("1", 4, None), change("2", 4, None), change("9", 4, None)]);
    let state = |key: &str| &outcomes.iter().find(|outcome| outcome.key == key).unwrap().state;
    assert!(matches!(state("k1"), OutcomeState::Done(_)));
    for key in ["k2", "k9"] {
        assert!(matches!(state(key), OutcomeState::Rejected(failure) if failure.fault == Fault::Missing), "{key}");
    }
}

#[test]
fn a_batch_whose_answer_was_lost_is_not_repeated() {
    let shop = Prepared::with([variants(&[variant("1", 1, 0), variant("2", 1, 0)]), places(&["1"])]);
    shop.then(Err(Failure::new(Fault::Network, "reset").with_sent(Sent::Maybe)));
    let outcomes = push(&shop, &[change("1", 4, None), change("2", 4, None)]);
    assert!(outcomes.iter().all(|outcome| failure(outcome).sent == Sent::Maybe));
    assert_eq!(shop.names().iter().filter(|name| *name == "SetStock").count(), 1);
}

#[test]
fn places_the_shop_does_not_have_and_stock_it_does_not_count_are_refused_with_the_remedy() {
    let mut uncounted = variant("2", 1, 0);
    uncounted["trackInventory"] = json!("FALSE");
    let shop = Prepared::with([variants(&[variant("1", 1, 0), uncounted]), places(&["1", "2"])]);
    let elsewhere = StockChange { location: Some("7".into()), ..change("1", 4, None) };
    let nowhere = StockChange { key: "n".into(), location: None, ..change("1", 4, None) };
    let outcomes = push(&shop, &[elsewhere, nowhere, change("2", 4, None)]);
    let told: Vec<&str> = outcomes.iter().map(|outcome| failure(outcome).message.as_str()).collect();
    assert!(told[0].contains("no stock location 7; it has 1, 2"), "{told:?}");
    assert!(told[1].contains("map them"), "{told:?}");
    assert!(told[2].contains("Track inventory"), "{told:?}");
}
