//! T5: from an order at the door to the new quantity at ten shops, at a hundred orders a second.
//!
//! The hub is whole and at work, the shops are simulated ones on loopback with their own limits of requests; an event has
//! reached a shop when the bytes of a request arrived there whose quantity is no larger than the event left.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use entrepot_simulators::woo::NewProduct;
use entrepot_simulators::{WooConfig, WooShop, system_clock};
use tokio::sync::oneshot;

use super::Asked;
use crate::load::{self, Load};
use crate::report::{Figure, Report};
use crate::sale;
use crate::site::{self, OPENING, Site};

const SHOPS: u64 = 10;
const ARTICLES: usize = 200;
const ORDERS_S: u64 = 100;
const SECONDS: u64 = 15;
/// How long a quantity may take before it counts as not told.
const PATIENCE: Duration = Duration::from_secs(30);

/// A shop that sells the site's articles under the ids the site expects.
pub async fn shop(seed: u64, articles: usize) -> WooShop {
    let config = WooConfig { consumer_key: "ck".into(), consumer_secret: "cs".into(), ..WooConfig::seeded(seed) };
    let shop = WooShop::start(config).await.unwrap();
    for n in 0..articles {
        let id = shop.add_product(NewProduct::new(site::sku(n), format!("Article {n}"), "12.50".parse().unwrap()).stock(OPENING));
        assert_eq!(id.to_string(), site::external_id(n), "the shops number their articles otherwise");
    }
    shop
}

pub async fn measure(asked: &Asked, report: &mut Report) {
    if !asked.wants("T5") {
        return;
    }
    let site = Site::file();
    let app = site.open().await;
    let variants = site::stocked(&app, ARTICLES).await;
    let (mut shops, mut paths) = (Vec::new(), Vec::new());
    for n in 0..SHOPS {
        let shop = shop(n, ARTICLES).await;
        let connection = site::trading(&app, &format!("Shop {n}"), &shop.origin(), &variants).await;
        paths.push(format!("/webhooks/{}", connection.webhook_path));
        shops.push(shop);
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_stop, stopped) = oneshot::channel::<()>();
    let (running, router) = (app.clone(), entrepot::api::router(&app));
    tokio::spawn(async move { running.run(listener, router, async move { drop(stopped.await) }).await });
    // The first import of every shop is not what is measured.
    site::at_rest(&app, PATIENCE).await;
    let events = sell(address, &paths).await;
    let times = arrivals(&shops, &events).await;
    let at = |per_mille: usize| times[(times.len() - 1) * per_mille / 1_000] as f64 / 1_000.0;
    let what = format!("of {} events at {ORDERS_S} a second: seconds to the request at all of {SHOPS} shops", events.len());
    report.figures.push(Figure::at_most("T5", format!("p50 {what}"), at(500), 0.3, 0.3));
    report.figures.push(Figure::at_most("T5", format!("p99 {what}"), at(990), 2.0, 1.0));
    report.baseline("T5", "published synchronisation interval of the peers, at best", 300.0, "s");
}

/// One line of one order: what was left when it had been sold.
struct Event {
    sku: String,
    left: i64,
    at_ms: i64,
}

/// Orders of the first shop, one every ten milliseconds; their times are when they were sent.
async fn sell(address: SocketAddr, paths: &[String]) -> Vec<Event> {
    let orders = ORDERS_S * SECONDS;
    let clock = system_clock();
    let mut left: HashMap<usize, i64> = HashMap::new();
    let mut events = Vec::new();
    let requests: Vec<Vec<u8>> = (0..orders)
        .map(|n| {
            let articles = sale::articles(n, ARTICLES);
            for (article, units) in articles.iter().zip(sale::UNITS) {
                let left = left.entry(*article).or_insert(OPENING);
                *left -= units;
                events.push(Event { sku: site::sku(*article), left: *left, at_ms: 0 });
            }
            sale::post(&paths[0], "order.created", &sale::order(n + 1, articles))
        })
        .collect();
    let requests = Arc::new(requests);
    let source: load::Requests = Arc::new(move |n| requests[usize::try_from(n).unwrap()].clone());
    let began_ms = clock();
    let load = Load { rate: Some(ORDERS_S), ..Load::full(16, orders) };
    let outcome = load::run(address, &load, source).await;
    assert_eq!(outcome.failed, 0, "orders were refused");
    let lines = sale::UNITS.len();
    for (n, event) in events.iter_mut().enumerate() {
        event.at_ms = began_ms + (n / lines) as i64 * 1_000 / ORDERS_S as i64;
    }
    events
}

/// Milliseconds until each event had reached all shops, sorted.
async fn arrivals(shops: &[WooShop], events: &[Event]) -> Vec<i64> {
    let last: HashMap<&str, i64> = events.iter().map(|event| (event.sku.as_str(), event.left)).collect();
    let deadline = Instant::now() + PATIENCE;
    // The selling shop knows its own sales; it is told nothing.
    let told = |shop: &WooShop| last.iter().all(|(sku, left)| shop.stock_of(sku) == Some(*left));
    while !shops[1..].iter().all(told) {
        assert!(Instant::now() < deadline, "not every shop was told the last quantity");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut slowest = vec![0; events.len()];
    for shop in &shops[1..] {
        let mut writes: HashMap<String, Vec<(i64, i64)>> = HashMap::new();
        for write in shop.pushes() {
            writes.entry(write.sku).or_default().push((write.at_ms, write.after));
        }
        for (event, slowest) in events.iter().zip(&mut slowest) {
            let first = writes[&event.sku].iter().find(|(_, after)| *after <= event.left).unwrap();
            *slowest = (first.0 - event.at_ms).max(*slowest);
        }
    }
    slowest.sort_unstable();
    slowest
}
