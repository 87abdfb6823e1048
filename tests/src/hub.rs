//! A hub for one story: the real thing between simulated shops, with time in the story's hand.
//!
//! Database, router, sandbox, connectors and wire are the product's own. Only the clock is not: it stands still until the
//! story moves it ([`TestHub::pass`]), or until something inside waits for a channel's rate limit, which [`pumped`] grants.
//! [`TestHub::finish`] ends every story: books that do not add up, lanes that fail and shops that do not show what they
//! should fail it there, unless the story said that it wanted that.

mod merchant;

use std::net::SocketAddr;
use std::time::Duration;

use entrepot::api::listen;
use entrepot::app::{App, Options, Tuning};
use entrepot::catalog::{self, Facts, Gtin, Sku};
use entrepot::clock::Clock;
use entrepot::connections::{Connection, NewConnection, Origin};
use entrepot::egress;
use entrepot::id::{Entropy, VariantId};
use entrepot::lanes::{self, Runner};
use entrepot::listings;
use entrepot::page::PageRequest;
use entrepot::plugins::grant::Grant;
use entrepot::plugins::registry::Registry;
use entrepot::secrets::Secret;
use entrepot::stock;
use entrepot::store::Location;
use entrepot::sync::{self, golive, setup};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::connectors;
use crate::shop::{Article, Kind, LAMP, MUG, Shop};

/// 2026-11-20T12:00:00Z, on a full minute so that schedules fire at round offsets.
pub const NOON: i64 = 1_795_176_000_000;
/// The longest a schedule of the connectors waits between two polls.
pub const POLL_MS: i64 = 2 * 60_000;
/// Rounds in which work makes more work, before a story counts as restless.
const ROUNDS: usize = 200;
/// Time granted to something that waits for it.
const GRANT_MS: i64 = 100;

/// Where a story's rows are. Outlives the hubs opened on it.
pub enum Place {
    File(tempfile::TempDir),
    Server(entrepot_test_postgres::Database),
}

impl Place {
    pub fn file() -> Self {
        Self::File(tempfile::tempdir().unwrap())
    }

    /// None, loudly, where there is no server.
    pub async fn server() -> Option<Self> {
        entrepot_test_postgres::fresh_database().await.map(Self::Server)
    }

    /// Of a story on SQLite.
    pub fn database_file(&self) -> std::path::PathBuf {
        match self.location() {
            Location::File(path) => path,
            Location::Postgres(_) => panic!("this story is on a server"),
        }
    }

    pub fn location(&self) -> Location {
        match self {
            Self::File(folder) => Location::File(folder.path().join("story.db")),
            Self::Server(database) => Location::Postgres(database.url().to_owned()),
        }
    }
}

/// Makes one test per database of a story, which begins with a fresh [`Place`].
#[macro_export]
macro_rules! on_both {
    ($(async fn $name:ident($place:ident: Place) $story:block)+) => {$(
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn story($place: $crate::hub::Place) $story

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                story($crate::hub::Place::file()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                if let Some(place) = $crate::hub::Place::server().await {
                    story(place).await;
                }
            }
        }
    )+};
}

pub struct TestHub {
    pub app: App,
    pub clock: Clock,
    place: Place,
    runner: Runner,
    address: SocketAddr,
    door: Door,
    seats: Vec<(Shop, Connection)>,
    lanes_may_fail: bool,
    shops_may_differ: bool,
    finished: bool,
}

/// The listening server of one hub.
struct Door {
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Drop for TestHub {
    fn drop(&mut self) {
        self.door.task.abort();
        if !std::thread::panicking() {
            assert!(self.finished, "a story ends with `hub.finish().await`");
        }
    }
}

/// Grants time to whoever waits for it inside `work`, and to nobody else.
pub async fn pumped<T>(clock: &Clock, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(Duration::from_millis(1)) => {
                if clock.sleepers() > 0 {
                    clock.advance(GRANT_MS);
                }
            }
        }
    }
}

impl TestHub {
    /// An empty hub with both connectors installed.
    pub async fn empty(place: Place) -> Self {
        Self::open(place, Clock::manual(NOON), "127.0.0.1:0".parse().unwrap(), Vec::new()).await
    }

    /// An empty hub with habits of its own.
    pub async fn tuned(place: Place, tuning: Tuning) -> Self {
        Self::open_tuned(place, Clock::manual(NOON), "127.0.0.1:0".parse().unwrap(), Vec::new(), tuning).await
    }

    /// A hub whose catalogue has the mug and the lamp.
    pub async fn stocked(place: Place) -> Self {
        let hub = Self::empty(place).await;
        for article in [MUG, LAMP] {
            hub.add_variant(&article).await;
        }
        hub
    }

    /// Both shops sell mug and lamp, the WooCommerce shop's count was taken as the opening, and both are live.
    pub async fn trading(place: Place) -> Self {
        let mut hub = Self::stocked(place).await;
        hub.join(Kind::Woo, &[MUG, LAMP]).await;
        hub.join(Kind::Shopify, &[MUG, LAMP]).await;
        hub.go_live().await;
        hub
    }

    async fn open(place: Place, clock: Clock, address: SocketAddr, seats: Vec<(Shop, Connection)>) -> Self {
        Self::open_tuned(place, clock, address, seats, Tuning::default()).await
    }

    async fn open_tuned(place: Place, clock: Clock, address: SocketAddr, seats: Vec<(Shop, Connection)>, tuning: Tuning) -> Self {
        let built = tokio::task::spawn_blocking(connectors::ready).await.unwrap();
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = App::open(Options {
            database: place.location(),
            data_folder: built.data_folder.clone(),
            master: connectors::master(),
            former: Vec::new(),
            public_url: Some(format!("http://{address}")),
            clock: clock.clone(),
            entropy: Entropy::seeded(clock.now_ms().unsigned_abs()),
            egress: egress::Limits::default(),
            extra_ca: None,
            compiler: connectors::program(),
            zone: "UTC".into(),
            name: "Story".into(),
            tuning,
        })
        .await
        .unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let router = entrepot::api::router(&app);
        let task = tokio::spawn(listen::serve(listener, router, listen::Pace::default(), async move { drop(stopped.await) }));
        let hub = Self {
            runner: app.runner(),
            app,
            clock,
            place,
            address,
            door: Door { stop: Some(stop), task },
            seats,
            lanes_may_fail: false,
            shops_may_differ: false,
            finished: false,
        };
        hub.install(built).await;
        hub
    }

    /// Of a story on SQLite.
    pub fn database_file(&self) -> std::path::PathBuf {
        self.place.database_file()
    }

    async fn install(&self, built: &connectors::Connectors) {
        for (name, wasm) in &built.packed {
            self.install_one(name, wasm).await;
        }
    }

    /// Installs a packed connector with all that it asks for, unless it is there.
    pub async fn install_one(&self, name: &str, wasm: &[u8]) {
        let registry = &self.app.sync.connectors.registry;
        if registry.get(&self.app.ctx.tenant, name).is_err() {
            let prepared = std::sync::Arc::new(registry.prepare(wasm.to_vec()).await.unwrap());
            let grant = Grant::all(&prepared.inspected.manifest);
            let (ctx, written, given) = (self.app.ctx.clone(), prepared.clone(), grant.clone());
            let installed = self.app.store.write(move |tx| Box::pin(async move { Registry::install(tx, &ctx, &written, &given).await }));
            installed.await.unwrap();
            registry.enable(&self.app.ctx.tenant, &prepared, grant);
        }
    }

    /// The process dies: nothing is shut down, nothing is said. What comes back is the same database at the same address.
    pub async fn crash(mut self) -> Self {
        let place = std::mem::replace(&mut self.place, Place::file());
        self.crash_into(place).await
    }

    /// [`TestHub::crash`], and what comes back has another database: one that was restored or moved.
    pub async fn crash_into(mut self, place: Place) -> Self {
        self.finished = true;
        self.door.task.abort();
        let _ = (&mut self.door.task).await;
        let (clock, address, seats) = (self.clock.clone(), self.address, self.seats.clone());
        drop(self);
        Self::open(place, clock, address, seats).await
    }

    // Setting up

    pub async fn add_variant(&self, article: &Article) -> VariantId {
        let (ctx, article) = (self.app.ctx.clone(), *article);
        let added = self.app.store.write(move |tx| {
            Box::pin(async move {
                let product = catalog::create_product(tx, &ctx, article.title).await?;
                let facts = Facts { gtin: Some(Gtin::parse(article.gtin).unwrap()), ..Facts::of(Sku::parse(article.sku).unwrap()) };
                Ok::<_, catalog::Error>(catalog::create_variant(tx, &ctx, &product.id, facts).await?.id)
            })
        });
        added.await.unwrap()
    }

    /// Opens a shop and connects it; it observes, and nothing has been read yet.
    pub async fn connect(&mut self, kind: Kind, articles: &[Article]) -> Shop {
        let shop = Shop::open(kind, 7 + self.seats.len() as u64, &self.clock, articles).await;
        self.connect_to(shop.clone()).await;
        shop
    }

    pub async fn connect_to(&mut self, shop: Shop) {
        self.connect_with(shop, serde_json::json!({})).await;
    }

    /// With more settings than the shop's address.
    pub async fn connect_with(&mut self, shop: Shop, mut settings: serde_json::Value) {
        settings["origin"] = shop.origin().into();
        let new = NewConnection {
            plugin: shop.kind().connector().into(),
            name: format!("{:?} {}", shop.kind(), self.seats.len()),
            settings,
            since_at: None,
        };
        let secrets = shop.secrets().into_iter().map(|(name, value)| (name.to_owned(), Secret::from_text(&value))).collect();
        let grants = vec![Origin::parse(&shop.origin()).unwrap()];
        let (sync, ctx) = (&self.app.sync, &self.app.ctx);
        let connection = setup::add(sync, ctx, setup::Setup { new, secrets, grants }).await.unwrap();
        pumped(&self.clock, setup::check(sync, ctx, &connection)).await.unwrap();
        self.seats.push((shop, connection));
    }

    /// Connects, reads everything once and links what matches.
    pub async fn join(&mut self, kind: Kind, articles: &[Article]) -> Shop {
        let shop = self.connect(kind, articles).await;
        self.run().await;
        self.link(kind).await;
        shop
    }

    /// Returns (links made, lines of waiting orders completed).
    pub async fn link(&mut self, kind: Kind) -> (usize, usize) {
        setup::link_all(&self.app.sync, &self.app.ctx, &self.connection(kind).await).await.unwrap()
    }

    /// Takes the first shop's count as the opening and accepts every connection's plan.
    pub async fn go_live(&mut self) {
        self.run().await;
        let first = self.seats[0].0.kind();
        golive::opening_from(&self.app.sync, &self.app.ctx, &self.connection(first).await).await.unwrap();
        for kind in self.kinds() {
            self.accept_plan(kind).await;
        }
        // Channels write whole seconds: what is sold from here on is plainly younger than the connection and its first push.
        self.pass(60_000).await;
    }

    pub async fn accept_plan(&mut self, kind: Kind) {
        let plan = golive::plan(&self.app.sync, &self.app.ctx, &self.connection(kind).await).await.unwrap();
        golive::accept(&self.app.sync, &self.app.ctx, &plan.id).await.unwrap();
    }

    // Time and work

    /// Works until neither the hub nor a shop has anything to do at this moment.
    pub async fn run(&mut self) {
        for _ in 0..ROUNDS {
            self.shops_settled().await;
            pumped(&self.clock, self.runner.run_until_idle()).await.unwrap();
            self.shops_settled().await;
            if !self.is_busy().await {
                return;
            }
        }
        panic!("the hub did not come to rest: {:#?}", lanes::overview(&mut self.read().await, &self.app.ctx).await.unwrap());
    }

    /// Shops deliver; the hub takes in and does not work.
    pub async fn shops_settled(&self) {
        for (shop, _) in &self.seats {
            pumped(&self.clock, shop.settled()).await;
        }
    }

    async fn is_busy(&self) -> bool {
        let flows = lanes::overview(&mut self.read().await, &self.app.ctx).await.unwrap();
        flows.iter().any(|flow| flow.due > 0 || flow.running > 0)
    }

    /// Lets time go by, stopping wherever something becomes due.
    pub async fn pass(&mut self, ms: i64) {
        let end = self.clock.now_ms() + ms;
        self.run().await;
        while self.clock.now_ms() < end {
            let now = self.clock.now_ms();
            // Schedules are not lanes yet; they fire on full minutes.
            let minute = (now / 60_000 + 1) * 60_000;
            let due = self.lanes(lanes::Filter::All).await.into_iter().map(|lane| lane.next_due).filter(|at| *at > now);
            let next = due.chain([minute, end]).min().unwrap_or(end);
            self.clock.advance(next - now);
            self.run().await;
        }
    }

    /// Passes until `held` holds, at most for `bound_ms`.
    pub async fn eventually(&mut self, bound_ms: i64, mut held: impl AsyncFnMut(&Self) -> bool) {
        let end = self.clock.now_ms() + bound_ms;
        self.run().await;
        while !held(self).await {
            assert!(self.clock.now_ms() < end, "it did not come true within {bound_ms} ms");
            self.pass(1_000.min(end - self.clock.now_ms())).await;
        }
    }

    // Ending

    /// The story wants lanes that still fail at its end.
    pub fn lanes_may_fail(&mut self) {
        self.lanes_may_fail = true;
    }

    /// The story wants shops that do not show what the hub says at its end.
    pub fn shops_may_differ(&mut self) {
        self.shops_may_differ = true;
    }

    pub async fn finish(mut self) {
        self.run().await;
        if !self.shops_may_differ && !self.differing().await.is_empty() {
            // What would be raised waits a moment for sales that are still on their way to us.
            self.pass(16_000).await;
        }
        self.finished = true;
        let problems = stock::audit(&mut self.read().await, &self.app.ctx.tenant).await.unwrap();
        assert!(problems.is_empty(), "the books do not add up: {problems:#?}");
        if !self.lanes_may_fail {
            let failing = self.lanes(lanes::Filter::Failing).await;
            assert!(failing.is_empty(), "lanes still fail: {failing:#?}");
        }
        if !self.shops_may_differ {
            let differing = self.differing().await;
            assert!(differing.is_empty(), "shops do not show what they should: {differing:#?}");
        }
        if let Some(stop) = self.door.stop.take() {
            let _ = stop.send(());
        }
        for (shop, _) in std::mem::take(&mut self.seats) {
            shop.stop().await;
        }
    }

    /// Linked listings of live connections that show something else than they should: (shop, SKU, shows, should show).
    pub async fn differing(&self) -> Vec<(Kind, String, Option<i64>, Option<i64>)> {
        let mut conn = self.read().await;
        let mut differing = Vec::new();
        for (shop, connection) in &self.seats {
            let connection = entrepot::connections::get(&mut conn, &self.app.ctx.tenant, &connection.id).await.unwrap();
            if !connection.may_push() {
                continue;
            }
            let filter = listings::Filter { connection: Some(connection.id.clone()), ..Default::default() };
            let page = listings::list(&mut conn, &self.app.ctx.tenant, &filter, &PageRequest::first(500)).await.unwrap();
            for wanted in sync::push::wanted_of(&mut conn, &self.app.ctx, &connection, page.items).await.unwrap().into_values() {
                let sku = wanted.listing.sku.unwrap_or_default();
                let (shows, should) = (shop.shows(&sku), wanted.value.0.values().next().copied());
                if shows != should {
                    differing.push((shop.kind(), sku, shows, should));
                }
            }
        }
        differing
    }
}
