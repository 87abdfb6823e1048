//! The capabilities against a small shop that answers by the documents: paging, batches, repeats, faults.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use entrepot_sdk::http::Payload;
use entrepot_woocommerce::calls::{self, Hub, Shop};
use entrepot_woocommerce::contract::*;
use entrepot_woocommerce::settings::Settings;
use serde_json::{Value, json};

use super::behaviour::order_document;

/// 2026-11-21T10:00:00Z.
const NOW: i64 = 1_795_255_200;

type Hook = Box<dyn Fn(&mut Vec<Value>, usize)>;

#[derive(Default)]
struct Server {
    orders: RefCell<Vec<Value>>,
    products: RefCell<BTreeMap<String, Value>>,
    webhooks: RefCell<Vec<Value>>,
    notes: RefCell<Vec<Value>>,
    refunds: RefCell<Vec<Value>>,
    requests: RefCell<Vec<(String, String)>>,
    /// Runs after every page of orders, with the number of pages so far.
    after_page: RefCell<Option<Hook>>,
    pages: Cell<usize>,
    /// Answers this instead, once.
    fault: RefCell<Option<Response>>,
}

impl Server {
    fn query(url: &str) -> BTreeMap<String, String> {
        let pairs = url.split_once('?').map_or("", |(_, query)| query).split('&').filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.replace("%3A", ":"))).collect()
    }

    fn list(rows: Vec<Value>, query: &BTreeMap<String, String>) -> Response {
        let number = |key: &str, default: usize| query.get(key).map_or(default, |text| text.parse().unwrap());
        let (offset, per_page) = (number("offset", 0), number("per_page", 10));
        let offset = if offset > 0 { offset } else { (number("page", 1) - 1) * per_page };
        let total = rows.len().to_string();
        let page: Vec<Value> = rows.into_iter().skip(offset).take(per_page).collect();
        Response::new(200, &[("x-wp-total", &total), ("date", "Sat, 21 Nov 2026 10:00:00 GMT")], Value::Array(page).to_string())
    }

    fn answer(&self, method: &str, url: &str, body: &Value) -> Response {
        let path = url.strip_prefix("https://example.com/wp-json").unwrap().split('?').next().unwrap().to_owned();
        let query = Self::query(url);
        let parts: Vec<&str> = path.trim_start_matches("/wc/v3/").split('/').collect();
        match (method, parts.as_slice()) {
            ("GET", ["orders"]) => {
                let included = query.get("include").map(|ids| ids.split(',').map(str::to_owned).collect::<BTreeSet<_>>());
                let mut rows: Vec<Value> = (self.orders.borrow().iter())
                    .filter(|order| match &included {
                        Some(ids) => ids.contains(&order["id"].to_string()),
                        None => order["date_modified_gmt"].as_str().unwrap() > query["modified_after"].as_str(),
                    })
                    .filter(|order| (order["status"] == "trash") == (query["status"] == "trash"))
                    .cloned()
                    .collect();
                rows.sort_by_key(|order| order["id"].as_u64());
                let response = Self::list(rows, &query);
                if included.is_none() {
                    self.pages.set(self.pages.get() + 1);
                    if let Some(hook) = &*self.after_page.borrow() {
                        hook(&mut self.orders.borrow_mut(), self.pages.get());
                    }
                }
                response
            }
            ("GET", ["orders", id]) => match self.orders.borrow().iter().find(|order| has_id(order, id)) {
                Some(order) => ok(order.clone()),
                None => error(404, "woocommerce_rest_shop_order_invalid_id", "Invalid ID."),
            },
            ("POST", ["orders", "batch"]) => {
                let mut orders = self.orders.borrow_mut();
                let updated = body["update"].as_array().unwrap().iter().map(|update| {
                    let Some(order) = orders.iter_mut().find(|order| order["id"] == update["id"]) else {
                        return json!({"id": update["id"], "error": {"code": "woocommerce_rest_shop_order_invalid_id", "message": "Invalid ID.", "data": {"status": 400}}});
                    };
                    for (key, value) in update.as_object().unwrap() {
                        if key == "meta_data" {
                            order["meta_data"].as_array_mut().unwrap().extend(value.as_array().unwrap().clone());
                        } else {
                            order[key] = value.clone();
                        }
                    }
                    order.clone()
                });
                ok(json!({"update": updated.collect::<Vec<_>>()}))
            }
            ("GET", ["orders", _, "notes"]) => ok(Value::Array(self.notes.borrow().clone())),
            ("POST", ["orders", _, "notes"]) => {
                self.notes.borrow_mut().push(body.clone());
                ok(body.clone())
            }
            ("GET", ["orders", _, "refunds"]) => ok(Value::Array(self.refunds.borrow().clone())),
            ("POST", ["orders", _, "refunds"]) => {
                let mut refund = body.clone();
                refund["id"] = json!(900 + self.refunds.borrow().len());
                self.refunds.borrow_mut().push(refund.clone());
                ok(refund)
            }
            ("GET", ["data", "currencies", "current"]) => ok(json!({"code": "EUR"})),
            ("GET", ["products"]) => {
                let mut rows: Vec<(u64, Value)> = (self.products.borrow().iter())
                    .filter(|(key, _)| !key.contains('/'))
                    .filter(|(key, _)| query.get("include").is_none_or(|ids| ids.split(',').any(|id| id == *key)))
                    .map(|(key, product)| (key.parse().unwrap(), product.clone()))
                    .collect();
                rows.sort_by_key(|(id, _)| *id);
                Self::list(rows.into_iter().map(|(_, product)| product).collect(), &query)
            }
            ("GET", ["products", product, "variations"]) => {
                let products = self.products.borrow();
                let rows = (products.iter())
                    .filter(|(key, _)| key.starts_with(&format!("{product}/")))
                    .map(|(_, variation)| variation.clone())
                    .filter(|variation| query.get("include").is_none_or(|ids| ids.split(',').any(|id| has_id(variation, id))));
                Self::list(rows.collect(), &query)
            }
            ("POST", ["products", "batch"]) => self.update(None, body),
            ("POST", ["products", product, "variations", "batch"]) => self.update(Some(product), body),
            ("GET", ["webhooks"]) => Self::list(self.webhooks.borrow().clone(), &query),
            ("POST", ["webhooks"]) => {
                let mut webhook = body.clone();
                webhook["id"] = json!(100 + self.webhooks.borrow().len());
                self.webhooks.borrow_mut().push(webhook.clone());
                Response::new(201, &[], webhook.to_string())
            }
            ("PUT", ["webhooks", id]) => {
                let mut webhooks = self.webhooks.borrow_mut();
                let webhook = webhooks.iter_mut().find(|webhook| has_id(webhook, id)).unwrap();
                webhook["status"] = body["status"].clone();
                ok(webhook.clone())
            }
            ("DELETE", ["webhooks", id]) => {
                self.webhooks.borrow_mut().retain(|webhook| !has_id(webhook, id));
                ok(json!({"id": 1}))
            }
            other => panic!("the shop has no {other:?}"),
        }
    }

    /// As the shop does: a batch takes what it can, and drops a quantity it does not count.
    fn update(&self, product: Option<&str>, body: &Value) -> Response {
        let updates = body["update"].as_array().unwrap();
        assert!(updates.len() <= 100, "the shop refuses batches of more than 100");
        let mut products = self.products.borrow_mut();
        let updated = updates.iter().map(|update| {
            let key = product.map_or_else(|| update["id"].to_string(), |product| format!("{product}/{}", update["id"]));
            let Some(held) = products.get_mut(&key) else {
                return json!({"id": update["id"], "error": {"code": "woocommerce_rest_product_invalid_id", "message": "Invalid ID.", "data": {"status": 400}}});
            };
            for (name, value) in update.as_object().unwrap() {
                if name != "stock_quantity" || held["manage_stock"] == json!(true) {
                    held[name] = value.clone();
                }
            }
            held.clone()
        });
        ok(json!({"update": updated.collect::<Vec<_>>()}))
    }
}

fn has_id(document: &Value, id: &str) -> bool {
    document["id"].as_u64() == id.parse().ok()
}

fn ok(value: Value) -> Response {
    Response::new(200, &[], value.to_string())
}

fn error(status: u16, code: &str, message: &str) -> Response {
    Response::new(status, &[], json!({"code": code, "message": message, "data": {"status": status}}).to_string())
}

impl Hub for Server {
    fn send(&self, request: Request) -> Result<Response, Failure> {
        let raw = request.raw();
        let body = match &raw.body {
            Payload::Text(text) => serde_json::from_str(text).unwrap(),
            _ => Value::Null,
        };
        self.requests.borrow_mut().push((raw.method.clone(), raw.url.clone()));
        if let Some(response) = self.fault.borrow_mut().take() {
            return Ok(response);
        }
        Ok(self.answer(&raw.method, &raw.url, &body))
    }

    fn send_many(&self, requests: Vec<Request>) -> Vec<Result<Response, Failure>> {
        assert!(requests.len() <= 100);
        requests.into_iter().map(|request| self.send(request)).collect()
    }

    fn now(&self) -> i64 {
        NOW
    }

    fn warn(&self, _: &str) {}
}

fn settings() -> Settings {
    Settings::parse(r#"{"origin":"https://example.com","since":"2026-11-01T00:00:00Z"}"#).unwrap()
}

fn order_at(id: u64, modified: &str) -> Value {
    let mut order = order_document(id);
    order["date_modified_gmt"] = json!(modified);
    order
}

/// Polls until the sweep ends; ids seen and the last cursor.
fn sweep(server: &Server, cursor: Option<String>) -> (BTreeSet<String>, String) {
    let settings = settings();
    let shop = Shop { hub: server, settings: &settings };
    let mut seen = BTreeSet::new();
    let mut cursor = cursor;
    for _ in 0..1000 {
        let page = calls::pull_orders(&shop, cursor.as_deref(), 200).unwrap();
        assert!(page.refused.is_empty());
        seen.extend(page.orders.into_iter().map(|order| order.external_id));
        cursor = Some(page.cursor);
        if !page.more {
            return (seen, cursor.unwrap());
        }
    }
    panic!("the sweep does not end");
}

#[test]
fn hundreds_of_orders_of_one_second_are_all_seen() {
    let server = Server::default();
    *server.orders.borrow_mut() = (1..=357).map(|id| order_at(id, "2026-11-20T10:00:00")).collect();
    assert_eq!(sweep(&server, None).0.len(), 357);
}

#[test]
fn an_order_that_changes_or_arrives_during_a_sweep_is_seen_and_hides_no_other() {
    let server = Server::default();
    *server.orders.borrow_mut() = (1..=250).map(|id| order_at(id, "2026-11-20T10:00:00")).collect();
    *server.after_page.borrow_mut() = Some(Box::new(|orders, page| {
        orders[page]["date_modified_gmt"] = json!("2026-11-21T10:00:00");
        orders.push(order_at(1000 + page as u64, "2026-11-21T10:00:00"));
    }));
    let (seen, _) = sweep(&server, None);
    assert!((1..=250).all(|id: u32| seen.contains(&id.to_string())));
}

#[test]
fn orders_deleted_during_a_sweep_hide_no_other() {
    let server = Server::default();
    *server.orders.borrow_mut() = (1..=250).map(|id| order_at(id, "2026-11-20T10:00:00")).collect();
    *server.after_page.borrow_mut() = Some(Box::new(|orders, _| {
        orders.drain(0..3);
    }));
    let (seen, _) = sweep(&server, None);
    assert!((10..=250).all(|id: u32| seen.contains(&id.to_string())));
}

#[test]
fn the_next_sweep_begins_before_the_last_one_did_and_sees_late_changes() {
    let server = Server::default();
    *server.orders.borrow_mut() = vec![order_at(1, "2026-11-20T10:00:00")];
    let (seen, cursor) = sweep(&server, None);
    assert_eq!(seen.len(), 1);
    // Written while the last sweep ran, shown after it.
    server.orders.borrow_mut().push(order_at(2, "2026-11-21T09:58:00"));
    let (seen, cursor) = sweep(&server, Some(cursor));
    assert_eq!(seen, BTreeSet::from(["2".to_owned()]));
    // The same change again is harmless; an old one is not read again.
    assert_eq!(sweep(&server, Some(cursor)).0, BTreeSet::from(["2".to_owned()]));
}

#[test]
fn an_order_in_the_trash_is_seen_as_cancelled() {
    let server = Server::default();
    let mut trashed = order_at(3, "2026-11-20T10:00:00");
    trashed["status"] = json!("trash");
    server.orders.borrow_mut().push(trashed);
    assert!(sweep(&server, None).0.contains("3"));
    let settings = settings();
    let shop = Shop { hub: &server, settings: &settings };
    let found = calls::orders_by_ids(&shop, &["3".into(), "4".into(), "x".into()]).unwrap();
    assert!(matches!(&found[0].1, Found::Order(order) if order.status == OrderStatus::Cancelled));
    assert_eq!((&found[1].1, &found[2].1), (&Found::Absent, &Found::Absent));
}

#[test]
fn one_unreadable_order_stops_no_page() {
    let server = Server::default();
    *server.orders.borrow_mut() = (1..=3).map(|id| order_at(id, "2026-11-20T10:00:00")).collect();
    server.orders.borrow_mut()[1]["total"] = json!("many");
    let settings = settings();
    let page = calls::pull_orders(&Shop { hub: &server, settings: &settings }, None, 100).unwrap();
    assert_eq!((page.orders.len(), page.refused.len()), (2, 1));
    assert_eq!(page.refused[0].external_id, "2");
    assert!(page.refused[0].failure.message.contains("many"));
}

#[test]
fn a_foreign_cursor_is_refused() {
    let server = Server::default();
    let settings = settings();
    for cursor in ["", "{}", "{\"v\":2}", "[1]"] {
        assert!(calls::pull_orders(&Shop { hub: &server, settings: &settings }, Some(cursor), 10).is_err(), "{cursor}");
    }
}

fn change(key: &str, listing: &str, quantity: u32) -> StockChange {
    let listing = ListingRef { external_id: listing.into(), parent: None, sku: None, handles: Vec::new() };
    StockChange { key: key.into(), listing, location: None, quantity, previous: None }
}

fn stocked(server: &Server, keys: &[(&str, Value)]) {
    for (key, manage_stock) in keys {
        let id: u64 = key.rsplit('/').next().unwrap().parse().unwrap();
        let kind = if key.contains('/') { "variation" } else { "simple" };
        server.products.borrow_mut().insert((*key).to_owned(), json!({"id": id, "type": kind, "parent_id": 0, "name": "Thing", "manage_stock": manage_stock, "stock_quantity": 1, "price": "1.00"}));
    }
}

#[test]
fn each_stock_change_gets_its_own_outcome() {
    let server = Server::default();
    stocked(&server, &[("93", json!(true)), ("94", json!(false)), ("22/732", json!(true)), ("22/733", json!("parent"))]);
    let settings = settings();
    let shop = Shop { hub: &server, settings: &settings };
    let changes = [
        change("a", "93", 7),
        change("b", "94", 7),
        change("c", "22/732", 8),
        change("d", "22/733", 8),
        change("e", "99", 1),
        change("f", "x/y", 1),
    ];
    let outcomes: BTreeMap<String, OutcomeState> =
        calls::push_stock(&shop, &changes).unwrap().into_iter().map(|outcome| (outcome.key, outcome.state)).collect();
    assert_eq!(outcomes.len(), 6);
    assert!(matches!(outcomes["a"], OutcomeState::Done(_)));
    assert!(matches!(&outcomes["b"], OutcomeState::Rejected(failure) if failure.code.as_deref() == Some("untracked")));
    assert!(matches!(outcomes["c"], OutcomeState::Done(_)));
    assert!(matches!(&outcomes["d"], OutcomeState::Rejected(failure) if failure.code.as_deref() == Some("counted-at-parent")));
    assert!(matches!(&outcomes["e"], OutcomeState::Rejected(failure) if failure.fault == Fault::Missing));
    assert!(matches!(&outcomes["f"], OutcomeState::Rejected(failure) if failure.fault == Fault::Invalid));
    let readings = calls::read_stock(&shop, &changes.iter().map(|change| change.listing.clone()).collect::<Vec<_>>()).unwrap();
    let level = |listing: &str| {
        readings.iter().find(|reading| reading.listing == listing).and_then(|reading| reading.levels.first()).map(|level| level.quantity)
    };
    assert_eq!((level("93"), level("22/732"), level("94")), (Some(7), Some(8), None));
}

#[test]
fn two_hundred_changes_go_in_batches_of_at_most_a_hundred() {
    let server = Server::default();
    let keys: Vec<String> = (1..=200).map(|id| id.to_string()).collect();
    stocked(&server, &keys.iter().map(|key| (key.as_str(), json!(true))).collect::<Vec<_>>());
    let settings = settings();
    let changes: Vec<StockChange> = keys.iter().map(|key| change(key, key, 3)).collect();
    let outcomes = calls::push_stock(&Shop { hub: &server, settings: &settings }, &changes).unwrap();
    assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome.state, OutcomeState::Done(_))).count(), 200);
    assert_eq!(server.requests.borrow().len(), 2);
}

#[test]
fn faults_of_a_shop_are_told_apart_and_say_whether_something_may_have_happened() {
    let cases = [
        (error(401, "woocommerce_rest_cannot_view", "Sorry"), Fault::Auth, Sent::No),
        (error(403, "woocommerce_rest_cannot_edit", "Sorry"), Fault::Permission, Sent::No),
        (Response::new(429, &[("retry-after", "7")], "slow down"), Fault::Throttled, Sent::No),
        (Response::new(503, &[("retry-after", "Sat, 21 Nov 2026 10:00:30 GMT")], "<html>Maintenance</html>"), Fault::Remote, Sent::Maybe),
        (Response::new(200, &[], "<html>Log in</html>"), Fault::Remote, Sent::Maybe),
        (Response::new(200, &[], r#"{"code":"internal","message":"broken","data":{"status":500}}"#), Fault::Remote, Sent::Maybe),
        (Response::new(301, &[("location", "https://www.example.com/")], ""), Fault::Config, Sent::No),
        (error(404, "rest_no_route", "No route"), Fault::Config, Sent::No),
    ];
    for (response, fault, sent) in cases {
        let server = Server::default();
        stocked(&server, &[("93", json!(true))]);
        let shown = format!("{response:?}");
        *server.fault.borrow_mut() = Some(response);
        let settings = settings();
        let result = calls::push_stock(&Shop { hub: &server, settings: &settings }, &[change("a", "93", 7)]);
        let failure = match result {
            Err(failure) => failure,
            Ok(outcomes) => match &outcomes[0].state {
                OutcomeState::Rejected(failure) | OutcomeState::Retry(failure) => failure.clone(),
                other => panic!("{other:?}"),
            },
        };
        assert_eq!((failure.fault, failure.sent), (fault, sent), "{shown}");
        match fault {
            Fault::Throttled => assert_eq!(failure.retry_after_ms, Some(7000)),
            Fault::Remote if shown.contains("503") => assert_eq!(failure.retry_after_ms, Some(30_000)),
            _ => {}
        }
    }
}

#[test]
fn warnings_printed_before_the_answer_do_not_hide_it() {
    let server = Server::default();
    *server.fault.borrow_mut() = Some(Response::new(200, &[], "<br />Warning: array [0] in plugin.php\n[]"));
    let settings = settings();
    assert!(calls::pull_orders(&Shop { hub: &server, settings: &settings }, None, 10).unwrap().orders.is_empty());
}

fn dispatch(key: &str, reference: &str, completes: bool) -> Dispatch {
    Dispatch {
        key: key.into(),
        order: "7".into(),
        reference: reference.into(),
        lines: vec![ShipmentLine { line: "1".into(), quantity: 1 }],
        tracking: vec![Tracking { number: format!("NR-{reference}"), carrier: Some("DHL".into()), url: None }],
        shipped_at: "2026-11-21T09:00:00Z".into(),
        notify_buyer: true,
        completes_order: completes,
    }
}

#[test]
fn a_shipment_is_marked_once_told_once_and_found_again() {
    let server = Server::default();
    server.orders.borrow_mut().push(order_document(7));
    let settings = settings();
    let shop = Shop { hub: &server, settings: &settings };
    let first = calls::dispatch(&shop, &[dispatch("k1", "shp_1", false)]).unwrap();
    assert!(matches!(&first[0].state, OutcomeState::Done(id) if id == "shp_1"));
    let again = calls::dispatch(&shop, &[dispatch("k1", "shp_1", false)]).unwrap();
    assert_eq!(again[0].state, OutcomeState::Unchanged);
    assert_eq!(server.notes.borrow().len(), 1, "the buyer is mailed once");
    let order = calls::orders_by_ids(&shop, &["7".into()]).unwrap();
    assert!(matches!(&order[0].1, Found::Order(order) if order.lines[0].fulfilled == 1 && order.status == OrderStatus::Placed));
    let both = calls::dispatch(&shop, &[dispatch("k2", "shp_2", false), dispatch("k3", "shp_3", true)]).unwrap();
    assert!(both.iter().all(|outcome| matches!(outcome.state, OutcomeState::Done(_))));
    assert_eq!(server.orders.borrow()[0]["status"], "completed");
    let shipments = calls::shipped(&shop, "7").unwrap();
    assert_eq!(shipments.iter().map(|s| s.external_id.as_str()).collect::<Vec<_>>(), ["shp_1", "shp_2", "shp_3"]);
    assert_eq!(shipments[0].tracking[0].number, "NR-shp_1");
}

#[test]
fn a_note_lost_after_the_mark_is_written_by_the_repeat() {
    let server = Server::default();
    server.orders.borrow_mut().push(order_document(7));
    let settings = settings();
    let shop = Shop { hub: &server, settings: &settings };
    calls::dispatch(&shop, &[dispatch("k1", "shp_1", false)]).unwrap();
    server.notes.borrow_mut().clear();
    let again = calls::dispatch(&shop, &[dispatch("k1", "shp_1", false)]).unwrap();
    assert!(matches!(again[0].state, OutcomeState::Done(_)));
    assert_eq!(server.notes.borrow().len(), 1);
}

#[test]
fn a_cancelled_order_cannot_be_shipped_nor_a_shipped_one_cancelled() {
    let server = Server::default();
    let mut cancelled = order_document(7);
    cancelled["status"] = json!("cancelled");
    let mut completed = order_document(8);
    completed["status"] = json!("completed");
    *server.orders.borrow_mut() = vec![cancelled, completed, order_document(9)];
    let settings = settings();
    let shop = Shop { hub: &server, settings: &settings };
    let outcomes = calls::dispatch(&shop, &[dispatch("k", "shp_1", true)]).unwrap();
    assert!(matches!(&outcomes[0].state, OutcomeState::Rejected(failure) if failure.fault == Fault::Conflict));
    let cancel = |order: &str| Cancellation { key: order.into(), order: order.into(), reason: None, restock: true, notify_buyer: false };
    let outcomes: BTreeMap<String, OutcomeState> = calls::cancel(&shop, &[cancel("7"), cancel("8"), cancel("9"), cancel("10")])
        .unwrap()
        .into_iter()
        .map(|o| (o.key, o.state))
        .collect();
    assert_eq!(outcomes["7"], OutcomeState::Unchanged);
    assert!(matches!(&outcomes["8"], OutcomeState::Rejected(failure) if failure.fault == Fault::Conflict));
    assert!(matches!(outcomes["9"], OutcomeState::Done(_)));
    assert!(matches!(&outcomes["10"], OutcomeState::Rejected(failure) if failure.fault == Fault::Missing));
}

#[test]
fn a_repeated_refund_pays_once() {
    let server = Server::default();
    let settings = settings();
    let shop = Shop { hub: &server, settings: &settings };
    let ctx = Context {
        connection: "con_1".into(),
        config_json: String::new(),
        trace: String::new(),
        attempt: 1,
        idempotency_key: "eff_1".into(),
        dry_run: false,
        extras: Vec::new(),
    };
    let amount = Amounts { shop: Money { amount: "9.50".into(), currency: "EUR".into() }, presented: None };
    let refund = RefundOrder { key: "k".into(), order: "7".into(), amount, lines: Vec::new(), reason: None, pay_out: true };
    assert!(matches!(calls::push_refunds(&shop, &ctx, std::slice::from_ref(&refund)).unwrap()[0].state, OutcomeState::Done(_)));
    assert_eq!(calls::push_refunds(&shop, &ctx, std::slice::from_ref(&refund)).unwrap()[0].state, OutcomeState::Unchanged);
    assert_eq!(server.refunds.borrow().len(), 1);
}

#[test]
fn subscriptions_are_kept_revived_made_and_never_doubled() {
    let server = Server::default();
    let hook = |id: u64, topic: &str, status: &str, url: &str| json!({"id": id, "topic": topic, "status": status, "delivery_url": url});
    let mine = "https://hub.example/webhooks/x";
    *server.webhooks.borrow_mut() = vec![
        hook(1, "order.updated", "active", mine),
        hook(2, "order.created", "disabled", mine),
        hook(3, "order.updated", "active", mine),
        hook(4, "order.updated", "active", "https://other.example/"),
    ];
    let settings = settings();
    let shop = Shop { hub: &server, settings: &settings };
    let topics: Vec<String> = ["order.updated", "order.created", "product.updated"].map(str::to_owned).into();
    let now = calls::ensure(&shop, mine, &topics).unwrap();
    assert!(now.iter().all(|subscription| subscription.active && subscription.callback_url == mine));
    assert_eq!(now.iter().map(|s| s.topic.as_str()).collect::<BTreeSet<_>>().len(), 3);
    assert_eq!(server.webhooks.borrow().len(), 4, "the double is gone, the stranger's stays, one is new");
    let writes = || server.requests.borrow().iter().filter(|(method, _)| method != "GET").count();
    let before = writes();
    assert_eq!(calls::ensure(&shop, mine, &topics).unwrap().len(), 3);
    assert_eq!(writes(), before, "nothing is left to do");
}

#[test]
fn every_listing_is_read_with_its_variations_in_pages_of_any_size() {
    let server = Server::default();
    for id in 1..=7u64 {
        let kind = if id == 4 { "variable" } else { "simple" };
        server
            .products
            .borrow_mut()
            .insert(id.to_string(), json!({"id": id, "type": kind, "name": "Thing", "price": "1.00", "manage_stock": false}));
    }
    for id in 100..350u64 {
        server.products.borrow_mut().insert(format!("4/{id}"), json!({"id": id, "price": "1.00", "manage_stock": true, "stock_quantity": 1, "attributes": [{"id": 1, "name": "Size", "option": id.to_string()}]}));
    }
    let settings = settings();
    let shop = Shop { hub: &server, settings: &settings };
    for limit in [1, 3, 50, 200] {
        let (mut cursor, mut seen) = (None::<String>, Vec::new());
        loop {
            let page = calls::pull_listings(&shop, cursor.as_deref(), limit).unwrap();
            seen.extend(page.listings.into_iter().map(|listing| listing.external_id));
            cursor = Some(page.cursor);
            if !page.more {
                break;
            }
        }
        assert_eq!(seen.len(), 256, "limit {limit}");
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 256);
    }
    let got = calls::listings_by_ids(&shop, &["4/100".into(), "4/999".into(), "1".into()]).unwrap();
    assert_eq!(
        got.iter().map(|l| (l.external_id.as_str(), l.title.as_str(), l.price.as_ref().unwrap().currency.as_str())).collect::<Vec<_>>(),
        [("4/100", "Thing", "EUR"), ("1", "Thing", "EUR")]
    );
}
