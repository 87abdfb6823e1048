//! A cluster in one thread: nodes crash, freeze and wake with claims they lost, clocks disagree, wake-ups are lost or doubled,
//! and the dice say who does the next step. Whatever happens, every order is there once, the books add up, schedules fire
//! once, nothing stale is committed, and in the end everything is done.
//!
//! Nodes are the product's runners on the product's stores, with the product's inbox, orders and stock under their hands; what
//! connectors do, and the channels, is played ([`node`]). A step runs until its node can do nothing more by itself, and only
//! then the next is chosen, so that a seed plays the same again; on a server, whose backends have a mind of their own, nearly so.

mod node;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use entrepot::args;
use entrepot::catalog::{self, Facts, Sku};
use entrepot::clock::Clock;
use entrepot::ctx::{Ctx, Tenant};
use entrepot::id::{ConnectionId, Entropy, Ids, VariantId};
use entrepot::inbox::{self, Content, Delivery, Inbox, Patience};
use entrepot::lanes::{self, Quarantined, schedule};
use entrepot::locations;
use entrepot::secrets::Vault;
use entrepot::stock;
use entrepot::store::{Location, Sql as _, Store};
use entrepot_tests::chance::{Dice, Seed, seeds};
use entrepot_tests::connectors;
use entrepot_tests::hub::NOON;
use serde_json::json;

use node::{Node, World};

const ARTICLES: usize = 4;
const OPENING: i64 = 1_000;
/// Nodes at a time.
const NODES: usize = 3;
const STEPS: usize = 120;
/// Steps in which everything must be done once nothing goes wrong any more.
const CALM_STEPS: usize = 2_000;
/// Of so many seeds one is played on a server.
const ON_SERVER: u64 = 10;

/// A furnished database; every seed gets a copy.
enum Ground {
    File(tempfile::TempDir),
    Server(entrepot_test_postgres::Database),
}

/// What a seed is played on; gone with it.
enum Place {
    File(tempfile::TempDir),
    Server(entrepot_test_postgres::Database),
}

struct Furniture {
    connections: Vec<ConnectionId>,
    variants: BTreeMap<String, VariantId>,
}

fn ctx(clock: Clock, seed: u64) -> Ctx {
    Ctx { tenant: Tenant::main(), ids: Ids::new(clock.clone(), Entropy::seeded(seed)), clock, actor: "test".into() }
}

fn vault(seed: u64) -> Vault {
    Vault::new(connectors::master(), Vec::new(), Entropy::seeded(seed))
}

impl Ground {
    fn location(&self) -> Location {
        match self {
            Self::File(folder) => Location::File(folder.path().join("cluster.db")),
            Self::Server(database) => Location::Postgres(database.url().into()),
        }
    }

    async fn furnish(&self) -> Furniture {
        let clock = Clock::manual(NOON);
        let store = Store::open(&self.location(), &clock).await.unwrap();
        vault(0).check(&store).await.unwrap();
        let ctx = ctx(clock, 0);
        let furnished = store.write(move |tx| {
            Box::pin(async move {
                let connections = vec![ConnectionId::new(&ctx.ids), ConnectionId::new(&ctx.ids)];
                schedule::introduce_tenant(tx, &ctx, "Test", "Europe/Berlin").await?;
                schedule::set(tx, &ctx, &connections[0], schedule::Run::OrdersIn, "* * * * *", true).await.unwrap();
                let place = locations::ensure_default(tx, &ctx).await.unwrap();
                let product = catalog::create_product(tx, &ctx, "Article").await?;
                let mut variants = BTreeMap::new();
                for n in 0..ARTICLES {
                    let sku = format!("SKU-{n}");
                    let variant = catalog::create_variant(tx, &ctx, &product.id, Facts::of(Sku::parse(&sku).unwrap())).await?.id;
                    stock::receive(tx, &ctx, &variant, &place, OPENING, "opening").await.unwrap();
                    variants.insert(sku, variant);
                }
                Ok::<_, catalog::Error>(Furniture { connections, variants })
            })
        });
        let furniture = furnished.await.unwrap();
        store.close().await;
        furniture
    }

    async fn copy(&self) -> Place {
        match self {
            Self::Server(database) => Place::Server(database.copy().await),
            Self::File(_) => {
                let folder = tempfile::tempdir().unwrap();
                let Location::File(from) = self.location() else { unreachable!() };
                std::fs::copy(from, folder.path().join("cluster.db")).unwrap();
                Place::File(folder)
            }
        }
    }
}

/// One play of one seed.
struct Simulation {
    seed: u64,
    dice: Dice,
    world: Arc<World>,
    /// What everybody else calls the time.
    now_ms: i64,
    nodes: Vec<Node>,
    place: Place,
    /// On a file all nodes share it; on a server each has connections of its own.
    store: Store,
    inbox: Inbox,
    ctx: Ctx,
    /// What each order sells, of those that were acknowledged.
    orders: Vec<Vec<(String, i64)>>,
}

impl Simulation {
    async fn set(seed: u64, place: Place, furniture: &Furniture, fenced: bool) -> Self {
        let dice = Dice::new(seed);
        let clock = Clock::manual(NOON);
        let location = match &place {
            Place::File(folder) => Location::File(folder.path().join("cluster.db")),
            Place::Server(database) => Location::Postgres(database.url().into()),
        };
        let store = Store::connect(&location).await.unwrap();
        let (connections, variants) = (furniture.connections.clone(), furniture.variants.clone());
        let world = Arc::new(World::new(dice.clone(), vault(seed), connections, variants, fenced));
        let ctx = ctx(clock, seed * 1_000 + 999);
        let inbox = Inbox::open(store.clone(), ctx.clone(), vault(seed + 1), Patience { reserve_bytes: 0, ..Patience::default() });
        let mut simulation = Self { seed, dice, world, now_ms: NOON, nodes: Vec::new(), place, store, inbox, ctx, orders: Vec::new() };
        for _ in 0..NODES {
            simulation.add_node().await;
        }
        simulation
    }

    async fn add_node(&mut self) {
        let store = match &self.place {
            Place::File(_) => self.store.clone(),
            Place::Server(database) => Store::connect(&Location::Postgres(database.url().into())).await.unwrap(),
        };
        // Half a minute between two of them at most.
        let skew = self.dice.below(30_000) as i64 - 15_000;
        let node = Node::start(&self.world, store, self.seed, self.now_ms + skew);
        node.rest().await;
        self.world.note(format!("node {} joins", node.number));
        self.nodes.push(node);
    }

    fn any(&self) -> usize {
        self.dice.below(self.nodes.len() as u64) as usize
    }

    fn awake(&self) -> BTreeSet<usize> {
        self.nodes.iter().filter(|node| !node.frozen).map(|node| node.number).collect()
    }

    fn numbered(&self, number: usize) -> &Node {
        self.nodes.iter().find(|node| node.number == number).unwrap()
    }

    /// One thing happens.
    async fn step(&mut self) {
        match self.dice.below(100) {
            0..44 => self.work().await,
            44..62 => {
                let ms = [100, 1_000, 4_000, 16_000, 31_000][self.dice.below(5) as usize];
                self.pass(ms).await;
            }
            62..76 => self.deliver().await,
            76..82 => self.nudge().await,
            82..88 => {
                let at = self.any();
                self.world.note(format!("node {} freezes", self.nodes[at].number));
                self.nodes[at].frozen = true;
            }
            88..93 => self.thaw().await,
            93..98 => self.crash().await,
            _ => {
                let at = self.any();
                let node = self.nodes.swap_remove(at);
                self.world.note(format!("node {} leaves", node.number));
                node.leave().await;
                self.add_node().await;
            }
        }
    }

    async fn work(&self) {
        let awake = self.awake();
        if let Some(number) = self.world.release(|node| awake.contains(&node)) {
            self.world.note(format!("node {number} works"));
            self.numbered(number).rest().await;
        }
    }

    async fn pass(&mut self, ms: i64) {
        self.world.note(format!("{ms} ms pass"));
        self.now_ms += ms;
        self.ctx.clock.advance(ms);
        let mut order: Vec<usize> = (0..self.nodes.len()).filter(|at| !self.nodes[*at].frozen).collect();
        self.dice.shuffle(&mut order);
        for at in order {
            self.nodes[at].advance(ms).await;
        }
    }

    /// A new order at the door, or one that was delivered before; who hears of it is chance.
    async fn deliver(&mut self) {
        let again = !self.orders.is_empty() && self.dice.below(4) == 0;
        let number = if again { self.dice.below(self.orders.len() as u64) as usize } else { self.orders.len() };
        let lines = match self.orders.get(number) {
            Some(lines) => lines.clone(),
            None => {
                let mut articles: Vec<usize> = (0..ARTICLES).collect();
                self.dice.shuffle(&mut articles);
                articles.truncate(self.dice.between(1, 3) as usize);
                articles.into_iter().map(|n| (format!("SKU-{n}"), self.dice.between(1, 5) as i64)).collect()
            }
        };
        let connection = self.world.connections[0].clone();
        let body = serde_json::to_vec(&picture(number, &lines)).unwrap();
        let delivery = Delivery {
            lane: inbox::order_lane(&connection, &number.to_string()),
            connection,
            gather_ms: 0,
            topic: "order.created".into(),
            // Half of the repeats are told apart by nothing but what they say.
            dedupe: format!("{number}/{}", if again { self.dice.below(2) } else { 0 }),
            content: Content::of(&[], &body).unwrap(),
        };
        self.inbox.accept(delivery).await.unwrap();
        self.world.note(format!("order {number} is acknowledged"));
        if !again {
            self.orders.push(lines);
        }
        if self.dice.below(3) == 0 {
            self.nudge().await;
        }
    }

    async fn nudge(&self) {
        let node = &self.nodes[self.any()];
        if !node.frozen {
            self.world.note(format!("node {} is nudged", node.number));
            for _ in 0..self.dice.between(1, 2) {
                node.nudge();
                node.rest().await;
            }
        }
    }

    /// A node that stood still goes on: with what it was about to do, or with a look at the clock.
    async fn thaw(&mut self) {
        let Some(at) = self.nodes.iter().position(|node| node.frozen) else { return };
        self.nodes[at].frozen = false;
        let node = &self.nodes[at];
        self.world.note(format!("node {} thaws", node.number));
        for _ in 0..self.dice.below(3) {
            if self.world.release(|number| number == node.number).is_some() {
                node.rest().await;
            }
        }
        let behind = self.now_ms - node.clock.now_ms();
        if behind > 0 {
            node.advance(behind).await;
        }
    }

    /// Dies at rest, or in the middle of a step.
    async fn crash(&mut self) {
        let at = self.any();
        let node = self.nodes.swap_remove(at);
        self.world.note(format!("node {} crashes", node.number));
        if self.dice.below(2) == 0 && self.world.release(|number| number == node.number).is_some() {
            for _ in 0..self.dice.below(4) {
                tokio::task::yield_now().await;
            }
        }
        node.die().await;
        self.add_node().await;
    }

    /// Nothing goes wrong any more.
    async fn calm_down(&mut self) {
        self.world.calm_down();
        while self.nodes.iter().any(|node| node.frozen) {
            self.thaw().await;
        }
        for _ in 0..CALM_STEPS {
            if self.world.parked(|_| true) > 0 {
                self.work().await;
                continue;
            }
            let flows = lanes::overview(&mut self.store.read().await.unwrap(), &self.ctx).await.unwrap();
            if flows.iter().any(|flow| flow.quarantined > 0) {
                // Somebody looks after what stands still.
                self.world.note("what was set aside is let go");
                let ctx = self.ctx.clone();
                let released = self
                    .store
                    .write(move |tx| Box::pin(async move { lanes::release_quarantined(tx, &ctx, &Quarantined::default()).await }));
                released.await.unwrap();
            } else if !flows.iter().any(|flow| flow.due + flow.waiting + flow.running + flow.failing > 0) {
                return;
            }
            self.pass(4_000).await;
        }
        panic!("it is not done: {:#?}", lanes::list(&mut self.store.read().await.unwrap(), &self.ctx, lanes::Filter::All, None, 100).await);
    }

    async fn check(&self) {
        assert_eq!(self.world.wrong(), [""; 0]);
        let mut conn = self.store.read().await.unwrap();
        let rows = conn.fetch_all("SELECT external_id FROM orders", &[]).await.unwrap();
        let mut stored: Vec<usize> = rows.iter().map(|row| row.get::<String>(0).unwrap().parse().unwrap()).collect();
        stored.sort_unstable();
        assert_eq!(stored, (0..self.orders.len()).collect::<Vec<_>>(), "each order once");
        assert_eq!(stock::audit(&mut conn, &self.ctx.tenant).await.unwrap(), [""; 0]);
        let mut sold: BTreeMap<&str, i64> = BTreeMap::new();
        self.orders.iter().flatten().for_each(|(sku, units)| *sold.entry(sku).or_default() += units);
        for (sku, variant) in &self.world.variants {
            let row = conn.fetch_one("SELECT on_hand, reserved FROM stock WHERE variant = $1", args![variant]).await.unwrap();
            let reserved = sold.get(sku.as_str()).copied().unwrap_or(0);
            assert_eq!((row.get(0).unwrap(), row.get(1).unwrap()), (OPENING, reserved), "{sku}: what every order took, once");
            for connection in &self.world.connections {
                let shown = self.world.shown(connection, variant).unwrap_or(OPENING);
                assert_eq!(shown, OPENING - reserved, "{sku}: what a channel shows in the end");
            }
        }
        let row = conn.fetch_one("SELECT COUNT(*) FROM schedule_fire", &[]).await.unwrap();
        let (fires, minutes) = (row.get::<i64>(0).unwrap(), (self.now_ms - NOON) / 60_000);
        // A clock that is behind may see the minute before the first, one that is ahead the minute after the last.
        assert!(fires <= minutes + 2, "{fires} fires in {minutes} minutes");
        assert!(self.world.polls() <= fires as u64, "{} runs of {fires} fires", self.world.polls());
        assert!(self.world.polls() > 0 || minutes < 2, "the schedule never ran");
    }

    async fn end(mut self) {
        for node in std::mem::take(&mut self.nodes) {
            node.die().await;
        }
        self.store.close().await;
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let trace = self.world.trace();
            eprintln!("what happened last: {:#?}", &trace[trace.len().saturating_sub(40)..]);
        }
    }
}

/// An order as a connector would have translated it.
fn picture(number: usize, lines: &[(String, i64)]) -> serde_json::Value {
    let eur = |minor: i64| json!({ "shop": { "amount_minor": minor, "currency": "EUR" } });
    let line = |(n, (sku, units)): (usize, &(String, i64))| {
        json!({
            "external_id": n.to_string(), "kind": "physical", "listing": null, "sku": sku, "gtin": null, "title": sku, "quantity": units,
            "fulfilled": 0, "released": 0, "unit_price": { "shop": "1.00" }, "total": eur(100 * units), "discount": eur(0), "taxes": [],
            "location": null, "extras": {},
        })
    };
    let total: i64 = lines.iter().map(|(_, units)| 100 * units).sum();
    json!({
        "external_id": number.to_string(), "number": number.to_string(), "status": "placed", "channel_status": "open", "payment": "paid",
        "test": false, "placed_at": NOON, "updated_at": NOON, "cancelled_at": null, "prices_include_tax": true,
        "lines": lines.iter().enumerate().map(line).collect::<Vec<_>>(), "subtotal": null, "shipping_total": null, "discount_total": null,
        "tax_total": null, "total": eur(total), "refunded_total": null, "shipments": [], "refunds": [], "tags": [], "extras": {},
    })
}

/// Plays a seed through; returns what happened, step by step.
async fn play(seed: u64, place: Place, furniture: &Furniture) -> Vec<String> {
    let mut simulation = Simulation::set(seed, place, furniture, true).await;
    for _ in 0..STEPS {
        simulation.step().await;
    }
    simulation.calm_down().await;
    simulation.check().await;
    let trace = simulation.world.trace();
    simulation.end().await;
    trace
}

#[tokio::test]
async fn whatever_befalls_the_nodes_every_order_is_there_once_and_everything_is_done() {
    let file = Ground::File(tempfile::tempdir().unwrap());
    let on_file = file.furnish().await;
    let server = entrepot_test_postgres::fresh_database().await.map(Ground::Server);
    let mut on_server = None;
    for seed in seeds(200, 10_000) {
        let _seed = Seed(seed);
        match &server {
            Some(server) if seed % ON_SERVER == 0 => {
                if on_server.is_none() {
                    on_server = Some(server.furnish().await);
                }
                play(seed, server.copy().await, on_server.as_ref().unwrap()).await;
            }
            _ => {
                play(seed, file.copy().await, &on_file).await;
            }
        }
    }
}

#[tokio::test]
async fn a_seed_plays_the_same_twice() {
    let file = Ground::File(tempfile::tempdir().unwrap());
    let furniture = file.furnish().await;
    for seed in 1..=3 {
        let _seed = Seed(seed);
        let (first, second) = (play(seed, file.copy().await, &furniture).await, play(seed, file.copy().await, &furniture).await);
        let differs = first.iter().zip(&second).position(|(one, other)| one != other).unwrap_or(0);
        let around = |trace: &[String]| trace[differs.saturating_sub(5)..trace.len().min(differs + 3)].to_vec();
        assert!(first == second, "it goes another way at step {differs}: {:#?} or {:#?}", around(&first), around(&second));
    }
}

/// The simulation sees what it is there to see: hands that commit without asking whether they still hold their lane.
#[tokio::test]
async fn a_stale_commit_is_found_out() {
    let file = Ground::File(tempfile::tempdir().unwrap());
    let furniture = file.furnish().await;
    for seed in 1..=50 {
        let mut simulation = Simulation::set(seed, file.copy().await, &furniture, false).await;
        for _ in 0..STEPS {
            simulation.step().await;
        }
        let wrong = simulation.world.wrong();
        simulation.end().await;
        if !wrong.is_empty() {
            return;
        }
    }
    panic!("no stale commit in fifty plays without fences");
}
