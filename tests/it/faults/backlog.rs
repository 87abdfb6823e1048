//! More than can be done at once: it is taken in all the same, and worked off.

use entrepot_tests::chance::count;
use entrepot_tests::sale;
use entrepot_tests::site::{OPENING, Site};

use super::desk::{ARTICLES, Desk};

const SENDERS: u64 = 64;

async fn drained(site: Site, orders: u64) {
    let desk = Desk::open(site).await;
    let body = |order| sale::order(order, sale::articles(order, ARTICLES));
    // Nobody works while the storm lasts, and every third order comes twice.
    let storm = (1..=orders).flat_map(|order| vec![body(order); if order % 3 == 0 { 2 } else { 1 }]);
    desk.deliver(storm.collect(), SENDERS).await;
    desk.work().await;
    let state = desk.state().await;
    let lines = state.keys().filter(|key| key.starts_with("order ")).count() as u64;
    assert_eq!(lines, orders * 4, "three articles and the shipping of each order, once");
    let mut sold = [0; ARTICLES];
    for order in 1..=orders {
        for (article, units) in sale::articles(order, ARTICLES).into_iter().zip(sale::UNITS) {
            sold[article] += units;
        }
    }
    for (article, units) in sold.into_iter().enumerate() {
        let shelf = &state[&entrepot_tests::site::sku(article)];
        assert_eq!(*shelf, format!("{OPENING} on hand, {units} reserved"), "article {article}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_orders_is_taken_in_and_worked_off_each_once() {
    let orders = count(400, 100_000);
    drained(Site::file(), orders).await;
    if let Some(site) = Site::server().await {
        drained(site, orders).await;
    }
}
