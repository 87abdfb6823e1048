//! The stage: the real shop, a simulated one, and the hub's own program between them on the machine's clock.
//!
//! The test looks at the hub's database, and acts on it, through an [`App`] of its own, as a second process of the hub would.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use entrepot::app::App;
use entrepot::catalog::{self, Facts, Sku};
use entrepot::clock::Clock;
use entrepot::connections::{self, Connection, NewConnection, Origin};
use entrepot::fulfilment::{self, Dispatch, Shipment};
use entrepot::id::VariantId;
use entrepot::lanes::{self, LaneKey};
use entrepot::money::{Currency, Money};
use entrepot::orders::{self, OrderView};
use entrepot::page::PageRequest;
use entrepot::plugins::wire::{OutcomeState, cancellations_out};
use entrepot::pricing;
use entrepot::secrets::Secret;
use entrepot::store::ReadConn;
use entrepot::sync::{self, fanout, golive, plan, setup};
use entrepot::{listings, stock};
use entrepot_test_postgres::{Cluster, Durability};
use entrepot_tests::child::Process;
use entrepot_tests::connectors;
use entrepot_tests::real::{PRODUCTS, RELAY_SECRET, Relay, STOCK, Vendure, free_address};
use entrepot_tests::shop::{Article, Kind, Shop};
use entrepot_tests::site::{self, Site};

/// How long anything may take to come true, with programs of two shops on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);
const PAUSE: Duration = Duration::from_millis(150);

const ARTICLES: [Article; PRODUCTS] = [
    Article { sku: "REAL-0001", gtin: "4006381333931", title: "First", cents: 1_050, stock: STOCK },
    Article { sku: "REAL-0002", gtin: "4012345678901", title: "Second", cents: 1_100, stock: STOCK },
    Article { sku: "REAL-0003", gtin: "5901234123457", title: "Third", cents: 1_150, stock: STOCK },
];

pub struct Market {
    /// Dropped first: it works with all that follows.
    pub hub: Process,
    pub address: SocketAddr,
    pub app: App,
    pub relay: Relay,
    pub vendure: Vendure,
    pub woo: Shop,
    /// Of the first product, which most of the story sells.
    pub sku: String,
    real: Connection,
    simulated: Connection,
    site: Site,
    /// The hub's database server.
    pub server: Cluster,
}

impl Market {
    /// Both shops have the same products and are live; the real shop's count was the opening.
    pub async fn open() -> Option<Self> {
        let relay = Relay::open().await;
        let vendure = Vendure::start(&relay.url()).await?;
        let server = entrepot_test_postgres::private_cluster(Durability::SurvivesProcessCrash).await?;
        let site = Site::on(server.fresh_database().await);
        let address = free_address();
        let app = site.open_as(Some(format!("http://{address}"))).await;
        let packed = tokio::task::spawn_blocking(|| connectors::extra("vendure")).await.unwrap();
        site::install(&app, "vendure", &packed).await;
        let woo = Shop::open(Kind::Woo, 7, &Clock::system(), &ARTICLES).await;
        let secrets = [("api-key", vendure.api_key()), ("relay-secret", RELAY_SECRET.to_owned())];
        let real = connect(&app, "vendure", &vendure.origin(), &secrets).await;
        let simulated = connect(&app, "woocommerce", &woo.origin(), &woo.secrets()).await;
        relay.lead_to(address, &format!("/webhooks/{}", real.webhook_path));
        let market =
            Self { hub: start(&site, address), address, app, relay, vendure, woo, sku: Vendure::sku(1), real, simulated, site, server };
        market.go_live().await;
        Some(market)
    }

    async fn go_live(&self) {
        for article in ARTICLES {
            let ctx = self.app.ctx.clone();
            let added = self.app.store.write(move |tx| {
                Box::pin(async move {
                    let product = catalog::create_product(tx, &ctx, article.title).await?;
                    catalog::create_variant(tx, &ctx, &product.id, Facts::of(Sku::parse(article.sku).unwrap())).await
                })
            });
            added.await.unwrap();
        }
        let both = [&self.real, &self.simulated];
        self.eventually("both shops' listings are read", async || {
            let mut read = 0;
            for connection in both {
                let filter = listings::Filter { connection: Some(connection.id.clone()), ..Default::default() };
                read += listings::list(&mut self.read().await, &self.app.ctx.tenant, &filter, &PageRequest::first(10))
                    .await
                    .unwrap()
                    .items
                    .len();
            }
            read == 2 * PRODUCTS
        })
        .await;
        self.quiet().await;
        for connection in both {
            setup::link_all(&self.app.sync, &self.app.ctx, connection).await.unwrap();
        }
        golive::opening_from(&self.app.sync, &self.app.ctx, &self.now(&self.real).await).await.unwrap();
        for connection in both {
            let plan = golive::plan(&self.app.sync, &self.app.ctx, &self.now(connection).await).await.unwrap();
            golive::accept(&self.app.sync, &self.app.ctx, &plan.id).await.unwrap();
        }
        self.quiet().await;
    }

    pub async fn close(self) {
        self.app.store.close().await;
        self.woo.stop().await;
    }

    pub async fn read(&self) -> ReadConn {
        self.app.store.read().await.unwrap()
    }

    async fn now(&self, connection: &Connection) -> Connection {
        connections::get(&mut self.read().await, &self.app.ctx.tenant, &connection.id).await.unwrap()
    }

    // Waiting

    pub async fn eventually(&self, what: &str, mut held: impl AsyncFnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !held().await {
            assert!(Instant::now() < deadline, "it did not come true: {what}\n{}", self.troubles().await);
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Until nothing is due or running in the hub.
    pub async fn quiet(&self) {
        site::at_rest(&self.app, PATIENCE).await;
    }

    /// What people would look at to see why something does not happen.
    async fn troubles(&self) -> String {
        let mut conn = self.read().await;
        let tenant = &self.app.ctx.tenant;
        let unsent = sync::unsent(&mut conn, tenant, None, 10).await.unwrap();
        let refusals = sync::refusals(&mut conn, tenant, 10).await.unwrap();
        let failing = lanes::list(&mut conn, &self.app.ctx, lanes::Filter::Failing, None, 10).await.unwrap();
        let json = |value: serde_json::Value| value.to_string();
        format!(
            "not told: {}\nrefused: {}\nfailing: {failing:#?}",
            json(serde_json::to_value(unsent).unwrap()),
            json(serde_json::to_value(refusals).unwrap())
        )
    }

    // What is true

    async fn variant(&self, sku: &str) -> VariantId {
        catalog::resolve(&mut self.read().await, &self.app.ctx.tenant, sku).await.unwrap().id
    }

    /// (on hand, reserved) of the first product.
    pub async fn books(&self) -> (i64, i64) {
        self.books_of(&self.sku).await
    }

    async fn books_of(&self, sku: &str) -> (i64, i64) {
        let variant = self.variant(sku).await;
        let found = stock::availability(&mut self.read().await, &self.app.ctx.tenant, std::slice::from_ref(&variant)).await.unwrap();
        let known = found.get(&variant).copied().unwrap_or_default();
        (known.on_hand, known.reserved)
    }

    /// Numbers of a connection's orders, as often as the hub has them.
    async fn numbers(&self, connection: &Connection) -> Vec<(String, orders::Summary)> {
        let filter = orders::Filter { connection: Some(connection.id.clone()), ..Default::default() };
        let list = orders::list(&mut self.read().await, &self.app.ctx.tenant, &filter, None, 500).await.unwrap();
        list.into_iter().map(|order| (order.number.clone(), order)).collect()
    }

    /// The real shop's order with this code, as the hub has it.
    pub async fn vendure_order(&self, code: &str) -> Option<OrderView> {
        let id = self.numbers(&self.real).await.into_iter().find(|(number, _)| number == code)?.1.id;
        orders::find(&mut self.read().await, &self.app.ctx.tenant, &id).await.unwrap()
    }

    pub async fn shipments(&self, order: &OrderView) -> Vec<Shipment> {
        fulfilment::of_order(&mut self.read().await, &self.app.ctx.tenant, &order.id).await.unwrap()
    }

    /// Waits until the hub and both shops say the same, counted from what the shops say was sold.
    pub async fn agrees(&self) {
        self.eventually("hub and shops agree", async || self.differs().await.is_none()).await;
    }

    /// The first difference found, as a sentence.
    pub async fn differs(&self) -> Option<String> {
        let (theirs, ours) = (self.vendure.orders().await, self.numbers(&self.real).await);
        let codes: BTreeSet<&str> = theirs.iter().filter_map(|order| order["code"].as_str()).collect();
        let known: BTreeSet<&str> = ours.iter().map(|(number, _)| number.as_str()).collect();
        if codes != known || ours.len() != known.len() {
            return Some(format!("the real shop has {} orders, the hub {} of them ({} different)", codes.len(), ours.len(), known.len()));
        }
        let (sold_here, ours) = (self.woo.woo().orders(), self.numbers(&self.simulated).await);
        if sold_here.len() != ours.len() {
            return Some(format!("the simulated shop has {} orders, the hub {}", sold_here.len(), ours.len()));
        }
        let mut left: BTreeMap<String, i64> = ARTICLES.iter().map(|article| (article.sku.to_owned(), STOCK)).collect();
        for line in theirs.iter().flat_map(|order| order["lines"].as_array().unwrap()) {
            *left.get_mut(line["productVariant"]["sku"].as_str().unwrap()).unwrap() -= line["quantity"].as_i64().unwrap();
        }
        for order in sold_here.iter().filter(|order| order.status != "cancelled") {
            for (sku, units) in &order.lines {
                *left.get_mut(sku).unwrap() -= units;
            }
        }
        let shown = self.vendure.available().await;
        for (sku, left) in left {
            let (on_hand, reserved) = self.books_of(&sku).await;
            let (there, here) = (shown[&sku], self.woo.shows(&sku));
            if (on_hand - reserved, there, here) != (left, left, Some(left)) {
                return Some(format!(
                    "{left} of {sku} are left; the hub has {on_hand} less {reserved}, the shops show {there} and {here:?}"
                ));
            }
        }
        let problems = stock::audit(&mut self.read().await, &self.app.ctx.tenant).await.unwrap();
        (!problems.is_empty()).then(|| format!("the books do not add up: {problems:?}"))
    }

    // Acting as the merchant

    async fn make_due(&self, lane: LaneKey) {
        let ctx = self.app.ctx.clone();
        self.app.store.write(move |tx| Box::pin(async move { lanes::make_due(tx, &ctx, &lane, ctx.now_ms()).await })).await.unwrap();
    }

    /// Asks both shops what changed, as the schedule does every few minutes.
    pub async fn poll(&self) {
        for connection in [&self.real, &self.simulated] {
            self.make_due(sync::poll_lane(&connection.id)).await;
        }
    }

    /// Reads both shops' listings, as the schedule does at night.
    pub async fn look_at_listings(&self) {
        for connection in [&self.real, &self.simulated] {
            self.make_due(sync::listings_lane(&connection.id)).await;
        }
    }

    pub async fn ship(&self, code: &str, number: &str) {
        let order = self.vendure_order(code).await.unwrap();
        let tracking = vec![orders::model::Tracking { number: number.into(), carrier: Some("DHL".into()), url: None }];
        sync::writeback::ship(&self.app.sync, &self.app.ctx, &order.id, Dispatch { lines: Vec::new(), tracking }).await.unwrap();
    }

    /// Through the connector, as the hub would.
    pub async fn cancel_there(&self, code: &str) {
        let order = self.vendure_order(code).await.unwrap();
        let connection = self.now(&self.real).await;
        let session = self.app.sync.connectors.session(&self.app.sync, &self.app.ctx, &connection).await.unwrap();
        let wish = cancellations_out::Cancellation {
            key: "one".into(),
            order: order.external_id,
            reason: Some("out of stock".into()),
            restock: true,
            notify_buyer: false,
        };
        let outcomes = session.caller.cancellations_push(session.context(1, "one"), vec![wish]).await.unwrap();
        assert!(matches!(outcomes[0].state, OutcomeState::Done(_)), "{outcomes:?}");
    }

    /// Sets the first product's base price and lets the real shop be told prices.
    pub async fn price(&self, cents: i64) {
        let (ctx, variant) = (self.app.ctx.clone(), self.variant(&self.sku).await);
        let price = Money::new(cents, Currency::from_code("EUR").unwrap());
        let set = self.app.store.write(move |tx| {
            Box::pin(async move {
                fanout::prices_changed(tx, &ctx, Some(std::slice::from_ref(&variant))).await?;
                pricing::set_base(tx, &ctx, &variant, &pricing::Base { price: Some(price), ..Default::default() }).await?;
                Ok::<_, sync::Error>(())
            })
        });
        set.await.unwrap();
        let plan = plan::plan_prices(&self.app.sync, &self.app.ctx, &self.now(&self.real).await).await.unwrap();
        assert_eq!(plan.prices.iter().map(|one| one.would_show).collect::<Vec<_>>(), [price], "it shows another one");
        plan::accept(&self.app.sync, &self.app.ctx, &plan.id).await.unwrap();
    }

    /// Starts the hub again where it was.
    pub fn restart_hub(&mut self) {
        self.hub.kill();
        self.hub = start(&self.site, self.address);
    }
}

fn start(site: &Site, address: SocketAddr) -> Process {
    Process::hub_with(site, address, &["--public-url", &format!("http://{address}")])
}

async fn connect(app: &App, plugin: &str, origin: &str, secrets: &[(&'static str, String)]) -> Connection {
    let new =
        NewConnection { plugin: plugin.into(), name: plugin.into(), settings: serde_json::json!({ "origin": origin }), since_at: None };
    let secrets = secrets.iter().map(|(name, value)| ((*name).to_owned(), Secret::from_text(value))).collect();
    let grants = vec![Origin::parse(origin).unwrap()];
    let connection = setup::add(&app.sync, &app.ctx, setup::Setup { new, secrets, grants }).await.unwrap();
    setup::check(&app.sync, &app.ctx, &connection).await.unwrap();
    connection
}
