//! T13, T17: several processes on one server.
//!
//! T13, two against one, when the work is to wait for channels: the shops take a tenth of a second for every answer, and a process
//! makes only a few calls at once, so that what it can do is bound by that and not by the cores, which both processes, the shops
//! and the database share here. T17, three processes that always have something to ask one shop: how much of what the shop allows
//! is used, and whether ever more.

use std::time::Duration;

use entrepot::app::App;
use entrepot::lanes::{self, LaneKey};
use entrepot::sync;
use entrepot_simulators::WooShop;
use entrepot_test_postgres::Durability;

use super::channels::shop;
use super::{Asked, median};
use crate::child::Process;
use crate::report::{Figure, Report};
use crate::site::{self, Site};

const SHOPS: u64 = 16;
const ANSWER_MS: u64 = 100;
const CALLS: [&str; 2] = ["--set", "plugins.concurrency=4"];
const ROUNDS: usize = 3;
/// Until a process has claimed its share.
const START: Duration = Duration::from_secs(2);
const WINDOW: Duration = Duration::from_secs(8);
/// Every shop is asked again as soon as it was asked.
const PROD: Duration = Duration::from_millis(20);

pub async fn measure(asked: &Asked, report: &mut Report) {
    let Some(cluster) = entrepot_test_postgres::private_cluster(Durability::Full).await else {
        for id in ["T13", "T17"].into_iter().filter(|id| asked.wants(id)) {
            report.skip(id, "there is no PostgreSQL server here");
        }
        return;
    };
    if asked.wants("T13") {
        two_against_one(Site::on(cluster.fresh_database().await), report).await;
    }
    if asked.wants("T17") {
        one_limit(Site::on(cluster.fresh_database().await), report).await;
    }
}

async fn two_against_one(site: Site, report: &mut Report) {
    let app = site.open().await;
    let variants = site::stocked(&app, 1).await;
    let (mut shops, mut polls) = (Vec::new(), Vec::new());
    for n in 0..SHOPS {
        let shop = shop(n, 1).await;
        let connection = site::trading(&app, &format!("Shop {n}"), &shop.origin(), &variants).await;
        shop.faults(|faults| faults.api_delay_ms = ANSWER_MS);
        polls.push(sync::poll_lane(&connection.id));
        shops.push(shop);
    }
    let (mut one, mut two) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        one.push(asked_by(1, &site, &app, &polls, &shops).await);
        two.push(asked_by(2, &site, &app, &polls, &shops).await);
    }
    let ratio = median(two.iter().zip(&one).map(|(two, one)| two / one).collect());
    let what = format!(
        "two processes against one on PostgreSQL: {:.0} and {:.0} answers a second of {SHOPS} shops that take {ANSWER_MS} ms, 4 calls at once in each",
        median(two),
        median(one)
    );
    report.figures.push(Figure::at_least("T13", what, ratio, 1.6, 1.8));
}

/// Answers a second of all shops while so many processes do nothing but ask them for orders.
async fn asked_by(processes: usize, site: &Site, app: &App, polls: &[LaneKey], shops: &[WooShop]) -> f64 {
    let anywhere = "127.0.0.1:0".parse().unwrap();
    let hubs: Vec<Process> = (0..processes).map(|_| Process::hub_with(site, anywhere, &CALLS)).collect();
    let prodding = tokio::spawn(prod(app.clone(), polls.to_vec()));
    tokio::time::sleep(START).await;
    let before = answered(shops);
    tokio::time::sleep(WINDOW).await;
    let rate = (answered(shops) - before) as f64 / WINDOW.as_secs_f64();
    prodding.abort();
    for mut hub in hubs {
        // In order: what a killed process had begun would lie still for as long as its leases last, into the next round.
        hub.signal("TERM");
        hub.wait_for_end();
    }
    rate
}

/// The shop counts what reaches it in every stretch of half a minute, once what may be used at once has been.
async fn one_limit(site: Site, report: &mut Report) {
    const NODES: usize = 3;
    /// What the connector's manifest declares.
    const PER_MINUTE: i64 = 300;
    const AT_ONCE: i64 = 10;
    const STRETCH_MS: i64 = 30_000;
    const STRETCHES: i64 = 2;
    let app = site.open().await;
    let variants = site::stocked(&app, 1).await;
    let shop = shop(1, 1).await;
    let connection = site::trading(&app, "Shop", &shop.origin(), &variants).await;
    let anywhere = "127.0.0.1:0".parse().unwrap();
    let _hubs: Vec<Process> = (0..NODES).map(|_| Process::hub_with(&site, anywhere, &[])).collect();
    let lanes = vec![sync::poll_lane(&connection.id), sync::listings_lane(&connection.id)];
    let prodding = tokio::spawn(prod(app.clone(), lanes));
    tokio::time::sleep(5 * START).await;
    let began_ms = entrepot_simulators::system_clock()();
    let length_ms = STRETCH_MS * (STRETCHES + 1);
    tokio::time::sleep(Duration::from_millis(length_ms.unsigned_abs())).await;
    prodding.abort();
    let times: Vec<i64> = shop.requests().iter().map(|request| request.at_ms - began_ms).filter(|at| (0..length_ms).contains(at)).collect();
    let allowed = (PER_MINUTE * STRETCH_MS / 60_000) as f64;
    // What was not used for a moment may be used at once afterwards, as the shop itself counts.
    let at_most = allowed + AT_ONCE as f64;
    let within = |from: i64| times.iter().filter(|at| (from..from + STRETCH_MS).contains(at)).count() as f64 / at_most;
    let mean = times.len() as f64 / (allowed * (STRETCHES + 1) as f64);
    let most = times.iter().filter(|from| **from <= length_ms - STRETCH_MS).map(|from| within(*from)).fold(0.0, f64::max);
    let what = format!("of the requests that a shop allows ({PER_MINUTE} a minute) are used by {NODES} processes that always have some");
    report.figures.push(Figure::at_least("T17", what, mean, 0.90, 0.97));
    report.figures.push(Figure::at_most(
        "T17",
        format!("the most in any half minute, of what is allowed in one that begins with {AT_ONCE} saved up"),
        most,
        1.02,
        1.00,
    ));
}

fn answered(shops: &[WooShop]) -> usize {
    shops.iter().map(|shop| shop.requests().len()).sum()
}

async fn prod(app: App, polls: Vec<LaneKey>) {
    loop {
        let (ctx, polls) = (app.ctx.clone(), polls.clone());
        let due = app.store.write(move |tx| Box::pin(async move { lanes::make_due_many(tx, &ctx, &polls, ctx.now_ms()).await }));
        due.await.unwrap();
        tokio::time::sleep(PROD).await;
    }
}
