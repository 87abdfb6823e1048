//! Shipments, cancellations, prices and polls: what is asked, and what comes of the answers.

use entrepot_vendure::calls;
use entrepot_vendure::contract::*;
use serde_json::{Value, json};

use super::recorded;
use super::shop::{Prepared, bad, good, list, with_shop};

fn dispatch(number: &str) -> Dispatch {
    Dispatch {
        key: "k".into(),
        order: "4".into(),
        reference: "shp_1".into(),
        lines: vec![ShipmentLine { line: "5".into(), quantity: 1 }],
        tracking: vec![Tracking { number: number.into(), carrier: Some("UPS".into()), url: None }],
        shipped_at: "2026-11-29T02:00:00Z".into(),
        notify_buyer: true,
        completes_order: false,
    }
}

fn order(name: &str) -> Value {
    list("orders", json!([recorded::order(name)]))
}

fn made(mutation: &str, state: &str) -> Value {
    json!({ mutation: { "__typename": "Fulfillment", "id": "9", "state": state } })
}

fn ship(shop: &Prepared, number: &str) -> OutcomeState {
    with_shop(shop, |shop| calls::dispatch(shop, &[dispatch(number)])).unwrap().remove(0).state
}

#[test]
fn a_parcel_is_made_and_shipped_and_a_known_one_is_not_made_again() {
    let shop = Prepared::with([order("full"), made("addFulfillmentToOrder", "Pending"), made("transitionFulfillmentToState", "Shipped")]);
    assert_eq!(ship(&shop, "NEW"), OutcomeState::Done("9".into()));
    assert_eq!(shop.names(), ["OrderParcels", "Fulfil", "Ship"]);
    assert_eq!(shop.variables(1)["input"]["handler"]["arguments"][1], json!({ "name": "trackingCode", "value": "NEW" }));

    let shop = Prepared::with([order("full")]);
    assert_eq!(ship(&shop, "JJD2"), OutcomeState::Unchanged, "one of two numbers in the shop's one text");
    let shop = Prepared::with([order("full"), made("transitionFulfillmentToState", "Shipped")]);
    assert_eq!(ship(&shop, "1Z"), OutcomeState::Done("3".into()), "made before, and left unshipped");
}

#[test]
fn a_refusal_inside_a_good_answer_is_a_refusal() {
    let said = json!({ "addFulfillmentToOrder": {
        "__typename": "ItemsAlreadyFulfilledError", "errorCode": "ITEMS_ALREADY_FULFILLED_ERROR", "message": "One or more are" } });
    let shop = Prepared::with([order("full"), said]);
    let OutcomeState::Rejected(failure) = ship(&shop, "NEW") else { panic!("taken for done") };
    assert_eq!((failure.fault, failure.code.as_deref()), (Fault::Conflict, Some("ITEMS_ALREADY_FULFILLED_ERROR")));

    // The first of two writes is done: whoever tries again must look.
    let shop = Prepared::with([order("full"), made("addFulfillmentToOrder", "Pending")]);
    shop.then(Ok(bad("INTERNAL_SERVER_ERROR")));
    let OutcomeState::Retry(failure) = ship(&shop, "NEW") else { panic!("not tried again") };
    assert_eq!(failure.sent, Sent::Maybe);
}

#[test]
fn only_an_order_of_which_nothing_left_is_cancelled() {
    let cancellation = |order: &str| Cancellation {
        key: order.into(),
        order: order.into(),
        reason: Some("sold out".into()),
        restock: true,
        notify_buyer: true,
    };
    let mut open = recorded::order("full");
    (open["id"], open["fulfillments"]) = (json!("8"), json!([]));
    let orders = list("orders", json!([recorded::order("full"), recorded::order("cancelled"), open]));
    let shop = Prepared::with([orders, json!({ "cancelOrder": { "__typename": "Order", "id": "8", "state": "Cancelled" } })]);
    let outcomes = with_shop(&shop, |shop| calls::cancel(shop, &["4", "3", "8", "99"].map(cancellation))).unwrap();
    assert!(matches!(&outcomes[0].state, OutcomeState::Rejected(failure) if failure.fault == Fault::Conflict));
    assert_eq!(outcomes[1].state, OutcomeState::Unchanged);
    assert!(matches!(outcomes[2].state, OutcomeState::Done(_)));
    assert!(matches!(&outcomes[3].state, OutcomeState::Rejected(failure) if failure.fault == Fault::Missing));
    assert_eq!(shop.variables(1)["input"], json!({ "orderId": "8", "cancelShipping": true, "reason": "sold out" }));
}

#[test]
fn a_price_is_the_number_somebody_would_enter() {
    let price = |id: &str, amount: &str, currency: &str| PriceChange {
        key: id.into(),
        listing: ListingRef { external_id: id.into(), parent: None, sku: None, handles: Vec::new() },
        price: Money { amount: amount.into(), currency: currency.into() },
        compare_at: None,
        price_list: None,
    };
    let shop = Prepared::with([recorded::variants(), json!({ "updateProductVariants": [] })]);
    let changes = [price("1", "11.90", "EUR"), price("2", "11.905", "EUR"), price("3", "11.90", "USD")];
    let outcomes = with_shop(&shop, |shop| calls::push_prices(shop, &changes)).unwrap();
    let done: Vec<&str> = outcomes.iter().filter(|o| matches!(o.state, OutcomeState::Done(_))).map(|o| o.key.as_str()).collect();
    assert_eq!(done, ["1"]);
    assert_eq!(shop.variables(1)["input"], json!([{ "id": "1", "price": 1190 }]));

    let shop = Prepared::with([recorded::variants()]);
    let listings: Vec<ListingRef> = changes.iter().map(|change| change.listing.clone()).collect();
    let readings = with_shop(&shop, |shop| calls::read_prices(shop, &listings, None)).unwrap();
    assert_eq!(readings[0].price, Some(Money { amount: "10.5".into(), currency: "EUR".into() }), "with tax, as it was entered");
}

#[test]
fn a_quiet_poll_looks_at_new_changed_and_watched_orders_and_at_those_that_were_shipped_again() {
    let none = || list("orders", json!([]));
    // First the order comes in, with the time of change of its cart.
    let mut placed = recorded::order("full");
    placed["state"] = json!("PaymentSettled");
    let shop = Prepared::with([list("orders", json!([placed])), none(), list("orders", json!([]))]);
    let page = with_shop(&shop, |shop| calls::pull_orders(shop, None, 100)).unwrap();
    assert_eq!((page.orders.len(), page.more), (1, false));
    assert_eq!(shop.names(), ["Orders", "Orders", "OrderStamps"]);
    assert_eq!(shop.variables(0)["options"]["filter"]["orderPlacedAt"]["after"], "2026-10-31T23:59:59.999Z");
    assert_eq!(shop.variables(2)["options"]["filter"]["id"]["in"], json!(["4"]));

    // Later it is shipped, which neither list shows.
    let stamp = json!({ "id": "4", "state": "Shipped", "updatedAt": "2026-11-29T01:18:57.563Z", "payments": [], "fulfillments": [] });
    let shop = Prepared::with([none(), none(), list("orders", json!([stamp])), order("full")]);
    let page = with_shop(&shop, |shop| calls::pull_orders(shop, Some(&page.cursor), 100)).unwrap();
    assert_eq!(page.orders[0].external_id, "4");
    let since = shop.variables(1)["options"]["filter"]["updatedAt"]["after"].clone();
    assert_eq!(since, "2026-11-29T01:54:57.999Z", "from before the last sweep began, by the earlier clock");
}

#[test]
fn a_full_page_goes_on_from_its_last_row() {
    let row = |at: &str, id: &str| {
        let mut row = recorded::order("full");
        (row["id"], row["orderPlacedAt"]) = (json!(id), json!(at));
        row
    };
    let rows = json!([row("2026-11-10T00:00:00.250Z", "1"), row("2026-11-11T00:00:00.500Z", "2")]);
    let shop = Prepared::with([list("orders", rows)]);
    let page = with_shop(&shop, |shop| calls::pull_orders(shop, None, 2)).unwrap();
    assert_eq!((page.orders.len(), page.more), (2, true));
    let none = || list("orders", json!([]));
    let shop = Prepared::with([none(), none(), none()]);
    with_shop(&shop, |shop| calls::pull_orders(shop, Some(&page.cursor), 2)).unwrap();
    assert_eq!(shop.variables(0)["options"]["filter"]["orderPlacedAt"]["after"], "2026-11-11T00:00:00.499Z");
}

#[test]
fn what_the_shop_says_of_a_request_decides_who_has_to_act() {
    let faults = [
        ("FORBIDDEN", Fault::Auth),
        ("CHANNEL_NOT_FOUND", Fault::Config),
        ("GRAPHQL_VALIDATION_FAILED", Fault::Unsupported),
        ("INTERNAL_SERVER_ERROR", Fault::Remote),
    ];
    for (code, fault) in faults {
        let shop = Prepared::default();
        shop.then(Ok(bad(code)));
        assert_eq!(with_shop(&shop, calls::check).unwrap_err().fault, fault, "{code}");
    }
    for (response, fault) in [
        (Response::new(404, &[], "<html>"), Fault::Config),
        (Response::new(301, &[("location", "https://other.example")], ""), Fault::Config),
        (Response::new(502, &[], "<html>"), Fault::Remote),
        (Response::new(200, &[], "<html>"), Fault::Remote),
    ] {
        let shop = Prepared::default();
        shop.then(Ok(response));
        assert_eq!(with_shop(&shop, calls::check).unwrap_err().fault, fault);
    }
    let shop = Prepared::default();
    shop.then(Ok(good(recorded::variants())));
    let account = with_shop(&shop, calls::check).unwrap();
    assert_eq!((account.name.as_str(), account.currency.as_deref()), ("Default Seller", Some("EUR")));
}
