//! T13: two processes on one server against one, when the work is to wait for channels.
//!
//! The shops take a tenth of a second for every answer, and a process makes only a few calls at once: what it can do is bound
//! by that and not by the cores, which both processes, the shops and the database share here.

use std::time::Duration;

use entrepot::app::App;
use entrepot::lanes::{self, LaneKey};
use entrepot::sync;
use entrepot_simulators::WooShop;
use entrepot_test_postgres::Durability;

use super::channels::shop;
use super::median;
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

pub async fn measure(report: &mut Report) {
    let Some(cluster) = entrepot_test_postgres::private_cluster(Durability::Full).await else {
        return report.skip("T13", "there is no PostgreSQL server here");
    };
    let site = Site::on(cluster.fresh_database().await);
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
    let _hubs: Vec<Process> = (0..processes).map(|_| Process::hub_with(site, anywhere, &CALLS)).collect();
    let prodding = tokio::spawn(prod(app.clone(), polls.to_vec()));
    tokio::time::sleep(START).await;
    let before = answered(shops);
    tokio::time::sleep(WINDOW).await;
    let rate = (answered(shops) - before) as f64 / WINDOW.as_secs_f64();
    prodding.abort();
    rate
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
