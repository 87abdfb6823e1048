//! Large shops are read by their own export; one that fails, in whatever way, is never waited for without end.

use std::cell::{Cell, RefCell};

use entrepot_sdk::http::{Payload, RawResponse};
use entrepot_shopify::answer::Throttle;
use entrepot_shopify::calls::{self, Hub, Shop};
use entrepot_shopify::contract::*;
use entrepot_shopify::graphql;
use entrepot_shopify::settings::Settings;
use serde_json::{Value, json};

use super::server::{NOW, data};

const FILE: &str = "https://storage.googleapis.com/shopify-tiers-assets-prod-us-east1/x?Signature=s";

/// A shop with this many variants, each with two levels.
struct Store {
    variants: usize,
    /// Answers to the questions for the state of an export, the last one for ever.
    states: RefCell<Vec<Value>>,
    orders: RefCell<Vec<Value>>,
    /// Instead of the file.
    refusal: RefCell<Option<Result<Response, Failure>>>,
    whole_file: Cell<bool>,
    ungrouped: Cell<bool>,
    ordered: Cell<usize>,
    fetched: RefCell<Vec<String>>,
    warnings: RefCell<Vec<String>>,
}

impl Store {
    fn of(variants: usize) -> Self {
        Self {
            variants,
            states: RefCell::new(vec![completed()]),
            orders: RefCell::default(),
            refusal: RefCell::default(),
            whole_file: Cell::default(),
            ungrouped: Cell::default(),
            ordered: Cell::default(),
            fetched: RefCell::default(),
            warnings: RefCell::default(),
        }
    }

    fn variant(number: usize) -> Value {
        json!({
            "id": format!("gid://shopify/ProductVariant/{number}"), "sku": format!("SKU-{number}"), "title": "Default Title", "price": "9.99",
            "product": { "id": "gid://shopify/Product/1", "title": "Thing", "status": "ACTIVE" },
            "inventoryItem": { "id": format!("gid://shopify/InventoryItem/{number}"), "tracked": true },
        })
    }

    fn level(number: usize, location: usize) -> Value {
        json!({ "id": format!("gid://shopify/InventoryLevel/{number}{location}"), "location": { "id": format!("gid://shopify/Location/{location}") },
            "quantities": [{ "name": "available", "quantity": number }] })
    }

    fn file(&self) -> Vec<u8> {
        let levels = |number: usize| {
            (1..=2).map(move |location| {
                let mut level = Self::level(number, location);
                level["__parentId"] = json!(format!("gid://shopify/ProductVariant/{number}"));
                level.to_string()
            })
        };
        let numbers = 1..=self.variants;
        let lines: Vec<String> = match self.ungrouped.get() {
            true => numbers.clone().map(|number| Self::variant(number).to_string()).chain(numbers.flat_map(levels)).collect(),
            false => numbers.flat_map(|number| [Self::variant(number).to_string()].into_iter().chain(levels(number))).collect(),
        };
        (lines.join("\n") + "\n").into_bytes()
    }

    fn part(&self, request: &Request) -> Response {
        let raw = request.raw();
        assert_eq!((raw.url.as_str(), raw.credentials.len(), raw.mutating, raw.want), (FILE, 0, false, BodyForm::Bytes));
        let range = raw.headers.iter().find(|(name, _)| name == "range").map(|(_, value)| value.clone()).unwrap();
        self.fetched.borrow_mut().push(range.clone());
        let file = self.file();
        if self.whole_file.get() {
            return RawResponse { status: 200, headers: Vec::new(), body: Payload::Bytes(file) }.into();
        }
        let (from, to) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
        let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse::<usize>().unwrap().min(file.len() - 1));
        let headers = vec![("content-range".to_owned(), format!("bytes {from}-{to}/{}", file.len()))];
        RawResponse { status: 206, headers, body: Payload::Bytes(file[from..=to].to_vec()) }.into()
    }

    fn page(&self, variables: &Value) -> Value {
        let first = usize::try_from(variables["first"].as_u64().unwrap()).unwrap();
        let after: usize = variables["after"].as_str().map_or(0, |text| text.parse().unwrap());
        let end = self.variants.min(after + first);
        let nodes: Vec<Value> = (after + 1..=end)
            .map(|number| {
                let mut variant = Self::variant(number);
                variant["inventoryItem"]["inventoryLevels"] = json!({ "nodes": [Self::level(number, 1), Self::level(number, 2)],
                    "pageInfo": { "hasNextPage": false, "endCursor": null } });
                variant
            })
            .collect();
        json!({
            "shop": { "currencyCode": "EUR" },
            "productVariants": { "nodes": nodes, "pageInfo": { "hasNextPage": end < self.variants, "endCursor": end.to_string() } }
        })
    }
}

impl Hub for Store {
    fn send(&self, request: Request) -> Result<Response, Failure> {
        let raw = request.raw();
        let Payload::Text(body) = &raw.body else {
            return match self.refusal.borrow().clone() {
                Some(refusal) => refusal,
                None => Ok(self.part(&request)),
            };
        };
        let body: Value = serde_json::from_str(body).unwrap();
        let query = body["query"].as_str().unwrap();
        Ok(match query {
            graphql::CATALOGUE_SIZE => {
                data(json!({ "shop": { "currencyCode": "EUR" }, "productVariantsCount": { "count": self.variants } }))
            }
            graphql::CURRENCY => data(json!({ "shop": { "currencyCode": "EUR" } })),
            graphql::VARIANTS_PAGE => data(self.page(&body["variables"])),
            graphql::RUN_EXPORT => {
                assert!(raw.mutating);
                self.ordered.set(self.ordered.get() + 1);
                let refusals = &mut *self.orders.borrow_mut();
                let payload = if refusals.is_empty() { made(self.ordered.get()) } else { refusals.remove(0) };
                data(json!({ "bulkOperationRunQuery": payload }))
            }
            graphql::EXPORT_STATE => {
                assert_eq!(body["variables"]["id"], format!("gid://shopify/BulkOperation/{}", self.ordered.get()));
                let states = &mut *self.states.borrow_mut();
                data(json!({ "bulkOperation": if states.len() > 1 { states.remove(0) } else { states[0].clone() } }))
            }
            other => panic!("not asked for here: {other}"),
        })
    }

    fn now(&self) -> i64 {
        NOW
    }

    fn observed(&self, _: Throttle) {}

    fn warn(&self, message: &str) {
        self.warnings.borrow_mut().push(message.to_owned());
    }
}

fn made(number: usize) -> Value {
    json!({ "bulkOperation": { "id": format!("gid://shopify/BulkOperation/{number}"), "status": "CREATED" }, "userErrors": [] })
}

fn busy() -> Value {
    json!({ "bulkOperation": null, "userErrors": [{ "code": "LIMIT_REACHED", "field": null, "message": "Bulk operations limit reached." }] })
}

fn state(status: &str) -> Value {
    json!({ "id": "gid://shopify/BulkOperation/1", "status": status, "errorCode": null, "rootObjectCount": "7", "url": null })
}

fn failed(code: &str) -> Value {
    json!({ "id": "gid://shopify/BulkOperation/1", "status": "FAILED", "errorCode": code, "rootObjectCount": "7", "url": null })
}

fn completed() -> Value {
    json!({ "id": "gid://shopify/BulkOperation/1", "status": "COMPLETED", "errorCode": null, "rootObjectCount": "1200", "url": FILE })
}

fn pull(store: &Store, cursor: Option<&str>) -> Result<ListingPage, Failure> {
    let settings = Settings::parse(r#"{"origin":"https://shop.example","export-from":1000}"#).unwrap();
    calls::pull_listings(&Shop { hub: store, settings: &settings, sent: Cell::new(0) }, cursor, 100)
}

/// All pages until the end: how many, what they brought, and for how long they asked to be left alone.
fn sweep(store: &Store) -> (Vec<Listing>, Vec<ListingPage>) {
    let (mut seen, mut pages): (Vec<Listing>, Vec<ListingPage>) = Default::default();
    for _ in 0..5_000 {
        let page = pull(store, pages.last().map(|page| page.cursor.as_str())).unwrap();
        assert!(page.listings.len() <= 100 && (page.again_after_ms.is_none() || page.listings.is_empty()));
        seen.extend(page.listings.clone());
        let more = page.more;
        pages.push(page);
        if !more {
            return (seen, pages);
        }
    }
    panic!("the sweep does not end");
}

fn ids(listings: &[Listing]) -> Vec<usize> {
    listings.iter().map(|listing| listing.external_id.rsplit('/').next().unwrap().parse().unwrap()).collect()
}

#[test]
fn a_large_shop_is_read_from_its_export_each_variant_once_and_with_all_its_levels() {
    let store = Store::of(1_200);
    *store.states.borrow_mut() = vec![state("CREATED"), state("RUNNING"), completed()];
    let (seen, pages) = sweep(&store);
    assert_eq!(ids(&seen), (1..=1_200).collect::<Vec<_>>());
    assert!(seen.iter().all(|listing| listing.levels.len() == 2));
    assert_eq!(pages.iter().filter_map(|page| page.again_after_ms).collect::<Vec<_>>(), [5_000, 5_000, 5_000]);
    assert!(pages.iter().all(|page| page.total == Some(1_200)));
    assert_eq!(store.ordered.get(), 1);
    assert!(pages.iter().all(|page| !page.cursor.contains("Signature")), "the signed address is not kept");
    let as_of: Vec<_> = pages.iter().filter(|page| !page.listings.is_empty()).map(|page| page.as_of.as_deref()).collect();
    assert_eq!(as_of, [Some("2026-11-21T10:00:00Z"); 12], "as it was when it was ordered");
    // What the API gives for the same variant is the same listing.
    let (paged, _) = sweep(&Store { states: RefCell::new(vec![failed("ACCESS_DENIED")]), ..Store::of(1_200) });
    let levels_aside = |listing: &Listing| Listing { levels: Vec::new(), ..listing.clone() };
    assert_eq!(seen.iter().map(levels_aside).collect::<Vec<_>>(), paged.iter().map(levels_aside).collect::<Vec<_>>());
    assert_eq!(seen.iter().map(|listing| &listing.levels).collect::<Vec<_>>(), paged.iter().map(|l| &l.levels).collect::<Vec<_>>());
}

#[test]
fn a_small_shop_and_one_that_must_not_are_read_page_by_page() {
    let store = Store::of(999);
    let (seen, pages) = sweep(&store);
    assert_eq!((seen.len(), store.ordered.get(), pages[0].total), (999, 0, Some(999)));
    let settings = Settings::parse(r#"{"origin":"https://shop.example","export-from":0}"#).unwrap();
    let large = Store::of(3_000);
    let page = calls::pull_listings(&Shop { hub: &large, settings: &settings, sent: Cell::new(0) }, None, 100).unwrap();
    assert_eq!((page.listings.len(), large.ordered.get()), (100, 0));
}

#[test]
fn an_export_that_fails_is_ordered_once_more_and_then_the_shop_is_read_by_pages() {
    for ending in [failed("INTERNAL_SERVER_ERROR"), failed("TIMEOUT"), state("CANCELED"), state("EXPIRED"), Value::Null] {
        let store = Store::of(1_200);
        *store.states.borrow_mut() = vec![ending.clone(), state("RUNNING"), completed()];
        assert_eq!(ids(&sweep(&store).0), (1..=1_200).collect::<Vec<_>>());
        assert_eq!((store.ordered.get(), store.warnings.borrow().len()), (2, 1), "{ending}");

        let store = Store::of(1_200);
        *store.states.borrow_mut() = vec![ending.clone()];
        assert_eq!(ids(&sweep(&store).0), (1..=1_200).collect::<Vec<_>>());
        assert_eq!(store.ordered.get(), 2, "{ending}");
    }
    let denied = Store::of(1_200);
    *denied.states.borrow_mut() = vec![failed("ACCESS_DENIED")];
    assert_eq!((sweep(&denied).0.len(), denied.ordered.get()), (1_200, 1));
}

#[test]
fn a_file_that_cannot_be_had_ends_in_pages_and_one_that_cannot_be_had_just_now_is_waited_for() {
    let gone = |status| Ok(Response::new(status, &[], "<Error/>"));
    let unusable = |fault| Err(Failure::new(fault, "https://storage.example is not among the hosts this connection may reach"));
    for refusal in [gone(400), gone(403), gone(404), gone(416), unusable(Fault::Denied), unusable(Fault::Remote)] {
        let store = Store::of(1_200);
        *store.refusal.borrow_mut() = Some(refusal.clone());
        let (seen, pages) = sweep(&store);
        assert_eq!(ids(&seen), (1..=1_200).collect::<Vec<_>>(), "{refusal:?}");
        assert!(!store.warnings.borrow().is_empty());
        assert!(pages.iter().rev().find_map(|page| page.total).is_some_and(|total| total >= 1_200));
    }
    let passing = [gone(503), gone(429), Err(Failure::new(Fault::Network, "the connection broke"))];
    for refusal in passing {
        let store = Store::of(1_200);
        let mut page = pull(&store, None).unwrap();
        for _ in 0..3 {
            page = pull(&store, Some(&page.cursor)).unwrap();
        }
        let read = store.fetched.borrow().len();
        *store.refusal.borrow_mut() = Some(refusal.clone());
        assert!(pull(&store, Some(&page.cursor)).unwrap_err().is_transient(), "{refusal:?}");
        *store.refusal.borrow_mut() = None;
        let next = pull(&store, Some(&page.cursor)).unwrap();
        assert_eq!(ids(&next.listings)[0], 1 + 100 * read, "it goes on where it was");
    }
}

#[test]
fn a_file_lost_half_way_is_made_anew_and_the_total_says_what_is_read_twice() {
    let store = Store::of(1_200);
    let mut page = pull(&store, None).unwrap();
    for _ in 0..4 {
        page = pull(&store, Some(&page.cursor)).unwrap();
    }
    *store.refusal.borrow_mut() = Some(Ok(Response::new(404, &[], "")));
    let page = pull(&store, Some(&page.cursor)).unwrap();
    assert_eq!((page.listings.len(), page.total, page.more, store.ordered.get()), (0, Some(400 + 1_200), true, 2));
    *store.refusal.borrow_mut() = None;
    let page = pull(&store, Some(&page.cursor)).unwrap();
    assert_eq!((ids(&page.listings)[0], page.total), (1, Some(400 + 1_200)));
}

#[test]
fn a_shop_busy_with_other_exports_is_asked_again_for_a_while() {
    let store = Store::of(1_200);
    *store.orders.borrow_mut() = vec![busy(), busy(), made(3)];
    let (seen, pages) = sweep(&store);
    assert_eq!((seen.len(), store.ordered.get()), (1_200, 3));
    assert_eq!(pages.iter().filter_map(|page| page.again_after_ms).collect::<Vec<_>>(), [30_000, 30_000, 5_000]);

    let store = Store::of(1_200);
    *store.orders.borrow_mut() = (0..1_000).map(|_| busy()).collect();
    let (seen, pages) = sweep(&store);
    assert_eq!(seen.len(), 1_200);
    assert_eq!(pages.iter().filter(|page| page.again_after_ms.is_some()).count(), 20);
}

#[test]
fn an_export_that_never_ends_is_given_up_after_a_day() {
    let store = Store::of(1_200);
    *store.states.borrow_mut() = vec![state("RUNNING")];
    let (seen, pages) = sweep(&store);
    let waited: u64 = pages.iter().filter_map(|page| page.again_after_ms).map(u64::from).sum();
    assert_eq!(seen.len(), 1_200);
    assert!((23 * 3_600_000..26 * 3_600_000).contains(&waited), "{waited} ms");
}

#[test]
fn a_file_in_another_order_or_without_parts_is_read_rightly_all_the_same() {
    let ungrouped = Store::of(1_200);
    ungrouped.ungrouped.set(true);
    let (seen, _) = sweep(&ungrouped);
    let last: std::collections::BTreeMap<_, _> = seen.iter().map(|listing| (&listing.external_id, listing)).collect();
    assert_eq!(last.len(), 1_200);
    assert!(last.values().all(|listing| listing.levels.len() == 2), "what came without its levels came again with them");

    let whole = Store::of(1_200);
    whole.whole_file.set(true);
    assert_eq!(ids(&sweep(&whole).0), (1..=1_200).collect::<Vec<_>>());
}

#[test]
fn an_empty_export_and_a_foreign_cursor() {
    let store = Store::of(1_200);
    *store.states.borrow_mut() = vec![state("COMPLETED")];
    let (seen, pages) = sweep(&store);
    assert_eq!((seen.len(), pages.len()), (0, 2));
    for cursor in [r#"{"v":1,"export":{}}"#, r#"{"v":1,"export":{"id":"x"}}"#, r#"{"v":2}"#, ""] {
        assert_eq!(pull(&store, Some(cursor)).unwrap_err().code.as_deref(), Some("cursor"), "{cursor}");
    }
}
