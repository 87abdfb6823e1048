//! Setting the stage: connectors, hub, shops, catalogue, opening stock, plans.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use entrepot_crossborder::quote::Channel;
use tokio::sync::oneshot;

use super::shops::{Article, Shop};
use super::{Error, Wish};
use crate::app::{App, Options};
use crate::catalog::{self, Facts, Gtin, Sku};
use crate::clock::Clock;
use crate::connections::{Connection, NewConnection, Origin};
use crate::crossborder::{self, ChannelFacts, EntityFacts};
use crate::ctx::Ctx;
use crate::egress;
use crate::id::{ConnectionId, Entropy};
use crate::lanes::{self, Flow, LaneKind};
use crate::plugins::grant::Grant;
use crate::plugins::package::Build;
use crate::plugins::registry::Registry;
use crate::secrets::{MasterKey, Secret};
use crate::store::{Location, Store, WriteTx};
use crate::sync::{self, golive, setup};

/// How many products the shops share, and how many of each there are at first.
const ARTICLES: usize = 12;
const OPENING: i64 = 400;
/// Units each connection holds back: no sync closes the window between two shops.
const BUFFER: i64 = 3;

pub struct Stage {
    pub app: App,
    pub address: std::net::SocketAddr,
    pub shops: Vec<(Shop, Connection)>,
    pub articles: Vec<Article>,
    stop: oneshot::Sender<()>,
    ended: tokio::task::JoinHandle<()>,
}

type Say = Arc<dyn Fn(&str) + Send + Sync>;

impl Stage {
    pub async fn set(wish: &Wish, router: impl FnOnce(&App) -> axum::Router, say: &Say) -> Result<Self, Error> {
        let packed = connectors(say).await?;
        let listener = tokio::net::TcpListener::bind(wish.listen)
            .await
            .map_err(|source| crate::app::Error::Listen { address: wish.listen, source })?;
        let address = listener.local_addr().map_err(Error::Shop)?;
        let app = App::open(options(wish, address)?).await?;
        for path in &packed {
            install(&app, path).await?;
        }
        let (stop, stopped) = oneshot::channel::<()>();
        let (running, routes) = (app.clone(), router(&app));
        let ended = tokio::spawn(async move {
            let stopped = async move { drop(stopped.await) };
            if let Err(error) = running.run(listener, routes, stopped).await {
                tracing::error!(%error, "the hub stopped");
            }
        });
        say(&format!("hub listening on http://{address}"));
        let articles = articles();
        let mut stage = Self { app, address, shops: Vec::new(), articles, stop, ended };
        stage.stock_catalogue().await?;
        for shop in [Shop::woo(wish.seed, &stage.articles).await, Shop::shopify(wish.seed, &stage.articles).await] {
            let shop = shop.map_err(Error::Shop)?;
            let connection = stage.connect(&shop).await?;
            say(&format!("{} connected at {}", shop.name(), shop.origin()));
            stage.shops.push((shop, connection));
        }
        stage.go_live(say).await?;
        Ok(stage)
    }

    /// Our own catalogue, as a merchant's CSV would bring it.
    async fn stock_catalogue(&self) -> Result<(), Error> {
        let (ctx, articles) = (self.app.ctx.clone(), self.articles.clone());
        self.app
            .store
            .write(move |tx| {
                Box::pin(async move {
                    for article in &articles {
                        let product = catalog::create_product(tx, &ctx, &article.title).await?;
                        let bad = |problem: catalog::Problem| Error::Setting(problem.to_string());
                        let facts = Facts {
                            sku: Sku::parse(&article.sku).map_err(bad)?,
                            gtin: Some(Gtin::parse(&article.gtin).map_err(bad)?),
                            ..Facts::of(Sku::parse(&article.sku).map_err(bad)?)
                        };
                        catalog::create_variant(tx, &ctx, &product.id, facts).await?;
                    }
                    Ok::<_, Error>(())
                })
            })
            .await
    }

    async fn connect(&self, shop: &Shop) -> Result<Connection, Error> {
        let (sync, ctx) = (&self.app.sync, &self.app.ctx);
        let new = NewConnection { plugin: shop.connector().into(), name: shop.name().into(), settings: shop.settings(), since_at: None };
        let secrets = shop.secrets().into_iter().map(|(name, value)| (name.to_owned(), Secret::from_text(&value))).collect();
        // The shops are on this machine: without this grant by hand the hub refuses to call them.
        let grants = vec![Origin::parse(&shop.origin())?];
        let connection = setup::add(sync, ctx, setup::Setup { new, secrets, grants }).await?;
        setup::check(sync, ctx, &connection).await?;
        let (ctx, id) = (ctx.clone(), connection.id.clone());
        let set = self.app.store.write(move |tx| {
            Box::pin(async move {
                sell_for(tx, &ctx, &id).await?;
                Ok::<_, Error>(crate::connections::set_buffer(tx, &ctx, &id, BUFFER).await?)
            })
        });
        set.await
    }

    /// Import, link, count one shop's stock as the opening, accept each plan.
    async fn go_live(&mut self, say: &Say) -> Result<(), Error> {
        self.quiet(60).await?;
        for (_, connection) in &self.shops {
            let (linked, _) = setup::link_all(&self.app.sync, &self.app.ctx, connection).await?;
            say(&format!("{}: {linked} listings linked by their codes", connection.name));
        }
        golive::opening_from(&self.app.sync, &self.app.ctx, &self.shops[0].1).await?;
        for at in 0..self.shops.len() {
            let plan = golive::plan(&self.app.sync, &self.app.ctx, &self.shops[at].1).await?;
            say(&format!("{}: the first push would change {} listings; accepted", self.shops[at].1.name, plan.changes.len()));
            self.shops[at].1 = golive::accept(&self.app.sync, &self.app.ctx, &plan.id).await?;
        }
        self.quiet(60).await
    }

    /// Returns when nothing is due any more.
    pub async fn quiet(&self, seconds: u64) -> Result<(), Error> {
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(seconds);
        let mut calm = 0;
        while calm < 3 {
            for (shop, _) in &self.shops {
                shop.settled().await;
            }
            match undone(&self.app.store, &self.app.ctx).await? {
                None => calm += 1,
                Some(undone) if tokio::time::Instant::now() > deadline => return Err(Error::Restless { seconds, undone }),
                Some(_) => calm = 0,
            }
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        }
        Ok(())
    }

    /// Asks every shop for what changed, as the schedule does every few minutes.
    pub async fn poll(&self) -> Result<(), Error> {
        let lanes: Vec<_> = self.shops.iter().map(|(_, connection)| sync::poll_lane(&connection.id)).collect();
        let ctx = self.app.ctx.clone();
        self.app
            .store
            .write(move |tx| Box::pin(async move { Ok::<_, Error>(lanes::make_due_many(tx, &ctx, &lanes, ctx.now_ms()).await?) }))
            .await
    }

    pub async fn strike(self) {
        let _ = self.stop.send(());
        for (shop, _) in &self.shops {
            shop.close().await;
        }
        let _ = self.ended.await;
    }
}

/// Both shops sell for one German company that is registered for the one-stop shop.
async fn sell_for(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId) -> Result<(), Error> {
    let facts = EntityFacts {
        country: Some("DE".into()),
        ships_from: Some("DE".into()),
        registrations: Some(vec!["eu.oss".into()]),
        ..EntityFacts::default()
    };
    let seller = crossborder::set_entity(tx, ctx, "Demo GmbH", facts).await?;
    let shop = ChannelFacts { kind: Some(Channel::OwnStore), ..ChannelFacts::default() };
    crossborder::set_channel(tx, ctx, connection, seller.id.as_str(), shop).await?;
    Ok(())
}

/// What is still to be done, if anything is. What waits, for a slot or for a sale on its way, is not done.
async fn undone(store: &Store, ctx: &Ctx) -> Result<Option<String>, Error> {
    let mut conn = store.read().await?;
    let flows = lanes::overview(&mut conn, ctx).await?;
    let moves = |kind| matches!(kind, LaneKind::Inbound | LaneKind::Poll | LaneKind::Push);
    let waits = |flow: &&Flow| flow.due > 0 || flow.running > 0 || flow.failing > 0 || moves(flow.kind) && flow.waiting > 0;
    if let Some(flow) = flows.iter().find(waits) {
        let Flow { kind, due, running, failing, waiting, .. } = flow;
        return Ok(Some(format!("{kind} lanes: {due} due, {waiting} waiting, {running} running, {failing} failing")));
    }
    let unsent = sync::unsent(&mut conn, &ctx.tenant, None, 1).await?;
    Ok(unsent.into_iter().find_map(|unsent| unsent.problem))
}

fn options(wish: &Wish, address: std::net::SocketAddr) -> Result<Options, Error> {
    let entropy = Entropy::system();
    std::fs::create_dir_all(&wish.folder).map_err(|source| crate::app::Error::Folder { path: wish.folder.clone(), source })?;
    let master = MasterKey::load_or_create(&wish.folder.join("master.key"), &entropy).map_err(crate::app::Error::from)?.0;
    let (database, clock) = match &wish.database {
        Some(url) => (Location::Postgres(url.clone()), Clock::following()),
        None => (Location::File(wish.folder.join("demo.db")), Clock::system()),
    };
    Ok(Options {
        database,
        data_folder: wish.folder.clone(),
        master,
        former: Vec::new(),
        public_url: Some(format!("http://{address}")),
        clock,
        entropy,
        egress: egress::Limits::default(),
        extra_ca: None,
        compiler: std::env::current_exe().map_err(crate::app::Error::Program)?,
        zone: "UTC".into(),
        name: "Demo".into(),
        tuning: Default::default(),
    })
}

/// Packed connectors: built from the checkout this program came from, or the ones that lie beside it.
async fn connectors(say: &Say) -> Result<Vec<PathBuf>, Error> {
    let program = std::env::current_exe().map_err(crate::app::Error::Program)?;
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join("plugins");
    let names = ["woocommerce", "shopify"];
    if !checkout.join(names[0]).join("Cargo.toml").exists() {
        let folder = program.with_file_name("plugins");
        return Ok(names.iter().map(|name| folder.join(format!("{name}.wasm"))).collect());
    }
    // TARGET/release/entrepot: the connectors get a place of their own in the same target directory.
    let target = program.ancestors().nth(2).map(|target| target.join("plugins"));
    let mut packed = Vec::new();
    for name in names {
        say(&format!("building the {name} connector for the sandbox"));
        let (dir, target) = (checkout.join(name), target.clone());
        let build = tokio::task::spawn_blocking(move || Build { dir: &dir, out: None, target_dir: target.as_deref() }.run());
        packed.push(build.await.map_err(|error| Error::Setting(error.to_string()))??.path);
    }
    Ok(packed)
}

async fn install(app: &App, path: &Path) -> Result<(), Error> {
    let bytes = std::fs::read(path).map_err(|source| crate::plugins::package::Error::File { path: path.to_owned(), source })?;
    let registry = &app.sync.connectors.registry;
    let prepared = Arc::new(registry.prepare(bytes).await?);
    let grant = Grant::all(&prepared.inspected.manifest);
    let (ctx, written, given) = (app.ctx.clone(), prepared.clone(), grant.clone());
    app.store.write(move |tx| Box::pin(async move { Ok::<_, Error>(Registry::install(tx, &ctx, &written, &given).await?) })).await?;
    registry.enable(&app.ctx.tenant, &prepared, grant);
    Ok(())
}

fn articles() -> Vec<Article> {
    let names = ["Mug", "Kettle", "Teapot", "Lamp", "Blanket", "Notebook", "Candle", "Scarf", "Basket", "Apron", "Tray", "Vase"];
    let article = |n: usize| {
        let body = format!("40{:010}", 1_234_500 + n);
        Article {
            sku: format!("DEMO-{:02}", n + 1),
            title: names[n % names.len()].to_owned(),
            gtin: format!("{body}{}", check_digit(&body)),
            cents: 990 + 250 * n as i64,
            stock: OPENING,
        }
    };
    (0..ARTICLES).map(article).collect()
}

/// GS1: weights 3 and 1 from the right.
fn check_digit(body: &str) -> u32 {
    let sum: u32 = body.bytes().rev().enumerate().map(|(i, byte)| u32::from(byte - b'0') * if i % 2 == 0 { 3 } else { 1 }).sum();
    (10 - sum % 10) % 10
}
