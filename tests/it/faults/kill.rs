//! `kill -9` of the hub's process, and crashes of its database, under load: what was acknowledged is there, once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use entrepot::app::App;
use entrepot::clock::Clock;
use entrepot::lanes::{self, Filter};
use entrepot::stock;
use entrepot::store::{Sql as _, Store};
use entrepot_simulators::WooShop;
use entrepot_test_postgres::{Cluster, Durability};
use entrepot_tests::chance::{Dice, Seed, count, seeds};
use entrepot_tests::child::Process;
use entrepot_tests::figures::channels::shop;
use entrepot_tests::load::{self, Load};
use entrepot_tests::sale;
use entrepot_tests::site::{self, OPENING, Site};

pub const ARTICLES: usize = 12;
/// A lease, until the last process takes up what the dead ones held, and then the work that is left: after two hundred kills nearly all
/// of it, in the unoptimised program.
const PATIENCE: Duration = Duration::from_secs(180);
/// The longest a restarted hub may take, in the unoptimised program, until it answers.
const RESTART: Duration = Duration::from_secs(5);
/// The shortest lease there is: what a dead process held is taken over soon.
const SHORT_LEASE: [&str; 2] = ["--set", "lanes.lease_ms=5000"];
/// A lease, and what a server waits for a transaction that stands still. Those of the stopped node that wait for the same rows get
/// them one after the other, and each stands still as long: sixteen connections at most.
const TAKEN_OVER: Duration = Duration::from_secs(170);
/// The longest a sender may wait to be asked to come back: the hub's own patience, and a busy machine.
const REFUSAL: Duration = Duration::from_secs(4);

/// A hub process between two simulated shops, and what it acknowledged.
pub struct Scene {
    site: Arc<Site>,
    address: SocketAddr,
    shops: Vec<WooShop>,
    path: String,
    next: u64,
    acknowledged: Vec<u64>,
}

impl Scene {
    pub async fn set(site: Site) -> Self {
        let app = site.open().await;
        let variants = site::stocked(&app, ARTICLES).await;
        let (mut shops, mut path) = (Vec::new(), String::new());
        for n in 0..2 {
            let shop = shop(n, ARTICLES).await;
            let connection = site::trading(&app, &format!("Shop {n}"), &shop.origin(), &variants).await;
            if n == 0 {
                path = format!("/webhooks/{}", connection.webhook_path);
            }
            shops.push(shop);
        }
        app.store.close().await;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        Self { site: Arc::new(site), address, shops, path, next: 1, acknowledged: Vec::new() }
    }

    pub fn start(&self) -> Process {
        self.start_on(self.address)
    }

    /// Another node on the same database, on a port of its own.
    pub fn start_elsewhere(&self) -> Process {
        self.start_on("127.0.0.1:0".parse().unwrap())
    }

    fn start_on(&self, address: SocketAddr) -> Process {
        let began = Instant::now();
        let hub = Process::hub_with(&self.site, address, &SHORT_LEASE);
        assert!(began.elapsed() < RESTART, "the hub took {:?} to start", began.elapsed());
        hub
    }

    pub fn site(&self) -> &Site {
        &self.site
    }

    /// Whether the hub at the scene's address answers an order with this status.
    pub async fn answers(&self, order: u64, status: u16) -> bool {
        let request = self.request(order);
        let load = Load { status, ..Load::full(1, 1) };
        load::run(self.address, &load, Arc::new(move |_| request.clone())).await.failed == 0
    }

    fn request(&self, order: u64) -> Vec<u8> {
        sale::post(&self.path, "order.created", &sale::order(order, sale::articles(order, ARTICLES)))
    }

    /// Sells four at a time for so long, as fast as the hub answers. Without an answer an order is sent again, as a shop does.
    pub async fn sell(&mut self, span: Duration) {
        self.sell_at(self.address, span).await;
    }

    pub async fn sell_at(&mut self, address: SocketAddr, span: Duration) {
        let end = Instant::now() + span;
        while Instant::now() < end {
            let orders: Vec<u64> = (self.next..self.next + 4).collect();
            let sent = orders.iter().map(|order| {
                let request = self.request(*order);
                tokio::spawn(async move { load::run(address, &Load::full(1, 1), Arc::new(move |_| request.clone())).await.failed == 0 })
            });
            let sent: Vec<_> = sent.collect();
            let mut all = true;
            for (order, sent) in orders.iter().zip(sent) {
                match sent.await.unwrap() {
                    true => self.acknowledged.push(*order),
                    false => all = false,
                }
            }
            match all {
                true => self.next += 4,
                false => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    /// Who holds lanes at this moment.
    pub async fn holders(&self) -> BTreeSet<String> {
        let store = Store::open(self.site.location(), &Clock::system()).await.unwrap();
        let rows = store.read().await.unwrap().fetch_all("SELECT owner FROM lane WHERE owner <> ''", &[]).await.unwrap();
        store.close().await;
        rows.iter().map(|row| row.get(0).unwrap()).collect()
    }

    /// Waits until others have taken over whatever these held.
    pub async fn taken_over(&self, held: &BTreeSet<String>) {
        let deadline = Instant::now() + TAKEN_OVER;
        while self.holders().await.iter().any(|holder| held.contains(holder)) {
            assert!(Instant::now() < deadline, "nobody took over the lanes of a node that was stopped");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Ends the hub's processes, opens it here until everything is done, then compares what it has with what it said.
    pub async fn settle_and_check(mut self, hubs: impl IntoIterator<Item = Process>) {
        self.acknowledged.sort_unstable();
        self.acknowledged.dedup();
        hubs.into_iter().for_each(drop);
        let app = self.site.open().await;
        let (running, router) = (app.clone(), entrepot::api::router(&app));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let task = tokio::spawn(async move { running.run(listener, router, async move { drop(stopped.await) }).await });
        eprintln!("{} orders acknowledged, {} of them worked off", self.acknowledged.len(), orders(&app).await.len());
        let sold = self.sold(&app).await;
        let right = |shop: &WooShop| sold.iter().all(|(sku, units)| shop.stock_of(sku) == Some(OPENING - units));
        let deadline = Instant::now() + PATIENCE;
        // The first shop sold these itself; it shows what it is told as well.
        while busy(&app).await || !right(&self.shops[1]) {
            assert!(Instant::now() < deadline, "it did not come to rest: {:#?}", failing(&app).await);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        check(&app, &self.acknowledged).await;
        assert!(!self.acknowledged.is_empty(), "nothing was acknowledged, so nothing was tested");
        let _ = stop.send(());
        let _ = task.await;
    }

    /// Units of each SKU in the orders that were sent at all.
    async fn sold(&self, app: &App) -> BTreeMap<String, i64> {
        let deadline = Instant::now() + PATIENCE;
        while busy(app).await {
            assert!(Instant::now() < deadline, "deliveries are not worked off: {:#?} {:#?}", failing(app).await, waiting(app).await);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        sold(app).await
    }
}

/// Units of each SKU in the orders that are stored.
pub async fn sold(app: &App) -> BTreeMap<String, i64> {
    let mut sold = BTreeMap::new();
    for order in orders(app).await {
        for (article, units) in sale::articles(order, ARTICLES).into_iter().zip(sale::UNITS) {
            *sold.entry(site::sku(article)).or_default() += units;
        }
    }
    sold
}

/// What a hub at rest must have: every order it acknowledged, once; books that add up.
pub async fn check(app: &App, acknowledged: &[u64]) {
    let here = orders(app).await;
    let mut once = here.clone();
    once.dedup();
    assert_eq!(here, once, "an order is there twice");
    let lost: Vec<&u64> = acknowledged.iter().filter(|order| !here.contains(order)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}; what stands still: {:#?}", failing(app).await);
    let mut conn = app.store.read().await.unwrap();
    let problems = stock::audit(&mut conn, &app.ctx.tenant).await.unwrap();
    assert!(problems.is_empty(), "the books do not add up: {problems:#?}");
    let reserved =
        conn.fetch_one("SELECT COUNT(*), COUNT(DISTINCT ref || '/' || line) FROM movement WHERE kind = 'reserve'", &[]).await.unwrap();
    let (movements, lines): (i64, i64) = (reserved.get(0).unwrap(), reserved.get(1).unwrap());
    assert_eq!((movements, lines), (here.len() as i64 * 3, here.len() as i64 * 3), "a line was reserved twice or not at all");
    drop(conn);
    assert!(failing(app).await.is_empty(), "{:#?}", failing(app).await);
}

/// The shop's numbers of the orders that are stored, sorted.
pub async fn orders(app: &App) -> Vec<u64> {
    let mut conn = app.store.read().await.unwrap();
    let rows = conn.fetch_all("SELECT external_id FROM orders", &[]).await.unwrap();
    let mut numbers: Vec<u64> = rows.iter().map(|row| row.get::<String>(0).unwrap().parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

pub async fn busy(app: &App) -> bool {
    !waiting(app).await.is_empty()
}

/// Where something is left to do.
async fn waiting(app: &App) -> Vec<lanes::Flow> {
    let mut conn = app.store.read().await.unwrap();
    let flows = lanes::overview(&mut conn, &app.ctx).await.unwrap();
    flows.into_iter().filter(|flow| flow.due > 0 || flow.running > 0 || flow.failing > 0).collect()
}

pub async fn failing(app: &App) -> Vec<lanes::Lane> {
    lanes::list(&mut app.store.read().await.unwrap(), &app.ctx, Filter::Failing, None, 100).await.unwrap()
}

/// When the blow falls, and how long the shop goes on trying.
fn moments(dice: &Dice) -> (Duration, Duration) {
    let blow = Duration::from_millis(dice.between(20, 500));
    (blow, blow + Duration::from_millis(100))
}

async fn killed_again_and_again(site: Site, seed: u64, kills: u64) {
    let (_seed, dice) = (Seed(seed), Dice::new(seed));
    let mut scene = Scene::set(site).await;
    for _ in 0..kills {
        let mut hub = scene.start();
        let (blow, span) = moments(&dice);
        tokio::join!(scene.sell(span), async {
            tokio::time::sleep(blow).await;
            hub.kill();
        });
    }
    let hub = scene.start();
    scene.sell(Duration::from_millis(500)).await;
    scene.settle_and_check([hub]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_killed_under_load_loses_and_doubles_nothing_on_a_file() {
    for seed in seeds(1, 1) {
        killed_again_and_again(Site::file(), seed, count(10, 200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_killed_under_load_loses_and_doubles_nothing_on_a_server() {
    for seed in seeds(1, 1) {
        let Some(site) = Site::server().await else { return };
        killed_again_and_again(site, seed, count(10, 200)).await;
    }
}

/// The hub goes on; its database dies in the middle of transactions and comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_server_that_crashes_under_load_loses_and_doubles_nothing() {
    for seed in seeds(1, 1) {
        let (_seed, dice) = (Seed(seed), Dice::new(seed));
        let Some(cluster) = entrepot_test_postgres::private_cluster(Durability::SurvivesProcessCrash).await else { return };
        let cluster: Arc<Cluster> = Arc::new(cluster);
        let mut scene = Scene::set(Site::on(cluster.fresh_database().await)).await;
        let hub = scene.start();
        for _ in 0..count(5, 100) {
            let (blow, span) = moments(&dice);
            let server = cluster.clone();
            tokio::join!(scene.sell(span), async {
                tokio::time::sleep(blow).await;
                tokio::task::spawn_blocking(move || server.stop_immediate()).await.unwrap();
            });
            let request = scene.request(scene.next);
            let refused = Load { status: 503, ..Load::full(1, 1) };
            let began = Instant::now();
            let answer = load::run(scene.address, &refused, Arc::new(move |_| request.clone())).await;
            assert_eq!(answer.failed, 0, "without a database the sender is asked to come back");
            assert!(began.elapsed() < REFUSAL, "it waited {:?} to be asked", began.elapsed());
            cluster.start();
        }
        scene.sell(Duration::from_millis(1_500)).await;
        scene.settle_and_check([hub]).await;
    }
}
