//! T4, T11, T14: orders from the webhook to the desired rows of four shops, against the same rows written bare (B4).
//!
//! The hub verifies, stores, translates in the sandbox, ingests, settles stock and asks for the pushes; only the pushes
//! themselves are left out, as in the baseline.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use entrepot::api::listen;
use entrepot::app::App;
use entrepot::connections::Connection;
use entrepot::inbox;
use entrepot::lanes::{self, Handlers, LaneKind, Runner};
use entrepot::store::Sql as _;
use entrepot::sync::inbound::Inbound;
use entrepot_test_postgres::{Cluster, Durability};
use tokio::sync::oneshot;

use super::{Asked, median};
use crate::baselines::orders;
use crate::load::{self, Load};
use crate::report::{Figure, Report};
use crate::sale;
use crate::site::{self, Site};

const SHOPS: usize = 4;
const VARIANTS: usize = 2_000;
const ORDERS: u64 = 3_000;
const ROUNDS: u64 = 3;
const CONNECTIONS: u64 = 64;
const SMALL: u64 = 1_000;
const LARGE: u64 = 100_000;
/// How much of the large backlog is watched.
const WATCHED: u64 = 3_000;

pub async fn measure(asked: &Asked, report: &mut Report) {
    if asked.any(&["T4", "T14"]) {
        let embedded = throughput(asked, report).await;
        if asked.wants("T14") {
            server(embedded, report).await;
        }
    }
    if asked.wants("T11") {
        backlog(report).await;
    }
}

/// A hub in this process that works on what comes in and pushes nothing.
pub struct Office {
    pub app: App,
    pub shops: Vec<Connection>,
    pub address: SocketAddr,
    next: u64,
    _site: Site,
}

impl Office {
    pub async fn open(site: Site) -> Self {
        let app = site.open().await;
        let variants = site::stocked(&app, VARIANTS).await;
        let mut shops = Vec::new();
        for n in 0..SHOPS {
            shops.push(site::trading(&app, &format!("Shop {n}"), site::NOWHERE, &variants).await);
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(listen::serve(listener, entrepot::api::router(&app), listen::Pace::default(), std::future::pending()));
        Self { app, shops, address, next: 1, _site: site }
    }

    /// The next orders as requests, spread over the shops.
    fn sales(&mut self, count: u64) -> Vec<Vec<u8>> {
        self.requests(count, |n| (n % SHOPS as u64) as usize).1
    }

    /// The next orders of one shop as requests, and the number of the first.
    pub fn sales_of(&mut self, shop: usize, count: u64) -> (u64, Vec<Vec<u8>>) {
        self.requests(count, |_| shop)
    }

    fn requests(&mut self, count: u64, shop: impl Fn(u64) -> usize) -> (u64, Vec<Vec<u8>>) {
        let first = self.next;
        self.next += count;
        let one = |n: u64| {
            let path = format!("/webhooks/{}", self.shops[shop(n)].webhook_path);
            sale::post(&path, "order.created", &sale::order(n, sale::articles(n, VARIANTS)))
        };
        (first, (first..first + count).map(one).collect())
    }

    /// Posts them as fast as they are acknowledged.
    async fn receive(&mut self, count: u64) {
        let sales = Arc::new(self.sales(count));
        let requests: load::Requests = Arc::new(move |n| sales[usize::try_from(n).unwrap()].clone());
        let outcome = load::run(self.address, &Load::full(CONNECTIONS, count), requests).await;
        assert_eq!(outcome.failed, 0, "orders were refused");
    }

    pub async fn start(&self) -> oneshot::Sender<()> {
        let handlers = Handlers::new().with(LaneKind::Inbound, Inbound(self.app.sync.clone()));
        let runner = Runner::new(self.app.store.clone(), self.app.ctx.clone(), handlers, lanes::Limits::default());
        let wake = lanes::wake::connect(&self.app.store, &self.app.ctx).await.unwrap();
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(runner.run(wake, async move { drop(stopped.await) }));
        stop
    }

    async fn waiting(&self) -> bool {
        let filter = inbox::Filter { state: Some("new".into()), ..Default::default() };
        let mut conn = self.app.store.read().await.unwrap();
        !inbox::list(&mut conn, &self.app.ctx.tenant, &filter, None, 1).await.unwrap().is_empty()
    }

    /// Returns when everything that came in is worked off.
    pub async fn rest(&self) {
        while self.waiting().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Orders that are stored and hold stock.
    pub async fn taken(&self) -> u64 {
        let mut conn = self.app.store.read().await.unwrap();
        let row = conn.fetch_one("SELECT COUNT(*) FROM orders WHERE holds = 'stock' AND short = 0 AND unmapped = 0", &[]).await.unwrap();
        row.get::<i64>(0).unwrap().unsigned_abs()
    }

    /// From the first request to the last order in, a second.
    async fn rate(&mut self, count: u64) -> f64 {
        let before = self.taken().await;
        let _stop = self.start().await;
        let began = Instant::now();
        self.receive(count).await;
        self.rest().await;
        let rate = count as f64 / began.elapsed().as_secs_f64();
        assert_eq!(self.taken().await - before, count, "not every order came in as it should");
        rate
    }

    /// How fast the first `watched` orders of what waits are worked off.
    async fn drain(&self, watched: u64) -> f64 {
        let before = self.taken().await;
        let _stop = self.start().await;
        let began = Instant::now();
        let mut done = 0;
        while done < watched {
            tokio::time::sleep(Duration::from_millis(20)).await;
            done = self.taken().await - before;
        }
        done as f64 / began.elapsed().as_secs_f64()
    }
}

fn bare() -> f64 {
    let folder = tempfile::tempdir().unwrap();
    orders::run(folder.path(), 10_000, SHOPS as i64)
}

/// Returns the hub's orders a second.
async fn throughput(asked: &Asked, report: &mut Report) -> f64 {
    let mut office = Office::open(Site::file()).await;
    let (mut hub, mut base) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        base.push(tokio::task::spawn_blocking(bare).await.unwrap());
        hub.push(office.rate(ORDERS).await);
    }
    if asked.wants("T4") {
        let ratio = median(hub.iter().zip(&base).map(|(hub, base)| hub / base).collect());
        let what = format!(
            "{:.0} orders a second, from the webhook to the desired rows of {SHOPS} shops, against bare rows in groups of 16 (B4)",
            median(hub.clone())
        );
        report.figures.push(Figure::at_least("T4", what, ratio, 0.30, 0.50));
        report.baseline("B4", "orders into bare SQLite in groups of 16, 4 channels", median(base), "orders/s");
    }
    median(hub)
}

/// The same load on a server that syncs every commit, as the file does.
async fn server(embedded: f64, report: &mut Report) {
    let Some(cluster) = entrepot_test_postgres::private_cluster(Durability::Full).await else {
        return report.skip("T14", "there is no PostgreSQL server here");
    };
    let cluster: Cluster = cluster;
    let mut office = Office::open(Site::on(cluster.fresh_database().await)).await;
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        rates.push(office.rate(ORDERS).await);
    }
    let rate = median(rates);
    let what = format!("{rate:.0} orders a second by one process on PostgreSQL, against the embedded database");
    report.figures.push(Figure::at_least("T14", what, rate / embedded, 0.5, 0.8));
}

/// The same work with little and with much waiting behind it.
async fn backlog(report: &mut Report) {
    let (mut small, mut large) = (Vec::new(), Vec::new());
    let mut office = Office::open(Site::file()).await;
    for _ in 0..ROUNDS {
        office.receive(SMALL).await;
        small.push(office.drain(SMALL).await);
    }
    office.receive(LARGE).await;
    for _ in 0..ROUNDS {
        large.push(office.drain(WATCHED).await);
    }
    let ratio = median(large.clone()) / median(small.clone());
    let what = format!("drain rate with {LARGE} waiting ({:.0} a second), against {SMALL} waiting", median(large));
    report.figures.push(Figure::at_least("T11", what, ratio, 0.80, 0.95));
    report.baseline("T11", format!("drain rate with {SMALL} waiting"), median(small), "orders/s");
}
