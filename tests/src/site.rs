//! A hub as a merchant runs it, on the machine's clock: for measuring, and for faults that need real processes.
//!
//! A [`Site`] is a database with the folder and master key beside it. It is furnished through the product's own operations by
//! an [`App`] of this process, then opened here or by processes of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use entrepot::app::{App, Options};
use entrepot::catalog::{self, Facts, Sku};
use entrepot::clock::Clock;
use entrepot::connections::{Connection, NewConnection, Origin};
use entrepot::egress;
use entrepot::id::{Entropy, VariantId};
use entrepot::lanes;
use entrepot::listings::{self, ChannelListing, Status, Tracking};
use entrepot::locations;
use entrepot::plugins::grant::Grant;
use entrepot::plugins::registry::Registry;
use entrepot::secrets::{MasterKey, Secret};
use entrepot::stock;
use entrepot::store::Location;
use entrepot::sync::{golive, setup};

use crate::baselines::signed;
use crate::connectors;
use crate::powercut::Disk;

/// Rows that one unit of work writes while a site is furnished.
const CHUNK: usize = 200;
/// On the shelf of every variant: enough for any run.
pub const OPENING: i64 = 1_000_000_000;
const FIRST_ID: usize = 101;
/// What a shop without a server is said to have; nothing listens there.
pub const NOWHERE: &str = "http://127.0.0.1:9";

pub struct Site {
    folder: PathBuf,
    database: Location,
    _folder: Option<tempfile::TempDir>,
    _database: Option<entrepot_test_postgres::Database>,
}

impl Site {
    /// A SQLite file.
    pub fn file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut site = Self::at(folder.path());
        site._folder = Some(folder);
        site
    }

    /// A site that another process made, with its file.
    pub fn at(folder: &Path) -> Self {
        let database = Location::File(folder.join("data").join("entrepot.db"));
        Self { folder: folder.to_owned(), database, _folder: None, _database: None }
    }

    /// On PostgreSQL; none, loudly, where there is no server.
    pub async fn server() -> Option<Self> {
        Some(Self::on(entrepot_test_postgres::fresh_database().await?))
    }

    pub fn on(database: entrepot_test_postgres::Database) -> Self {
        let mut site = Self::file();
        (site.database, site._database) = (Location::Postgres(database.url().to_owned()), Some(database));
        site
    }

    /// The same site with its file on a disk whose power can be cut ([`crate::powercut`]).
    #[must_use]
    pub fn on_disk(mut self) -> Self {
        let Location::File(path) = &self.database else { panic!("only a file lies on a disk of ours") };
        self.database = Location::File(Disk::address(path));
        self
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub fn key_file(&self) -> PathBuf {
        self.folder.join("master.key")
    }

    /// As `--database` takes it.
    pub fn database(&self) -> String {
        match &self.database {
            Location::File(path) => path.display().to_string(),
            Location::Postgres(url) => url.clone(),
        }
    }

    pub fn location(&self) -> &Location {
        &self.database
    }

    /// Opens the hub in this process, with the connectors installed.
    pub async fn open(&self) -> App {
        self.open_as(None).await
    }

    /// `public_url`: where shops reach it. Without one they are polled, and are not asked to send webhooks.
    pub async fn open_as(&self, public_url: Option<String>) -> App {
        let clock = match &self.database {
            Location::File(_) => Clock::system(),
            Location::Postgres(_) => Clock::following(),
        };
        self.open_at(clock, public_url).await
    }

    pub async fn open_at(&self, clock: Clock, public_url: Option<String>) -> App {
        let app = self.try_open_at(clock, public_url).await.unwrap();
        for (name, wasm) in &connectors::ready().packed {
            install(&app, name, wasm).await;
        }
        app
    }

    /// Of a site that was open before, and whose database may not be up to it.
    pub async fn try_open_at(&self, clock: Clock, public_url: Option<String>) -> Result<App, entrepot::app::Error> {
        let built = tokio::task::spawn_blocking(connectors::ready).await.unwrap();
        self.prepare_folder(built);
        App::open(Options {
            database: self.database.clone(),
            data_folder: self.data(),
            master: connectors::master(),
            former: Vec::new(),
            public_url,
            clock,
            entropy: Entropy::system(),
            egress: egress::Limits::default(),
            extra_ca: None,
            compiler: connectors::program(),
            zone: "UTC".into(),
            name: "Site".into(),
            tuning: Default::default(),
        })
        .await
    }

    /// The key that the machine code was kept under, and that machine code.
    pub fn prepare_folder(&self, built: &connectors::Connectors) {
        std::fs::create_dir_all(self.data()).unwrap();
        if !self.key_file().exists() {
            MasterKey::create(&self.key_file(), &Entropy::seeded(connectors::MASTER_SEED)).unwrap();
        }
        let compiled = self.data().join("compiled");
        if !compiled.exists() {
            std::os::unix::fs::symlink(built.data_folder.join("compiled"), compiled).unwrap();
        }
    }
}

/// Installs a packed connector unless it is there.
pub async fn install(app: &App, name: &str, wasm: &[u8]) {
    let registry = &app.sync.connectors.registry;
    if registry.get(&app.ctx.tenant, name).is_ok() {
        return;
    }
    let prepared = Arc::new(registry.prepare(wasm.to_vec()).await.unwrap());
    let grant = Grant::all(&prepared.inspected.manifest);
    let (ctx, written, given) = (app.ctx.clone(), prepared.clone(), grant.clone());
    app.store.write(move |tx| Box::pin(async move { Registry::install(tx, &ctx, &written, &given).await })).await.unwrap();
    registry.enable(&app.ctx.tenant, &prepared, grant);
}

/// The SKU of article `n`.
pub fn sku(n: usize) -> String {
    format!("ART-{n:06}")
}

/// What every shop calls article `n`; a simulated shop that is given them in their order does.
pub fn external_id(n: usize) -> String {
    (FIRST_ID + n).to_string()
}

/// `count` variants, each with [`OPENING`] on the shelf.
pub async fn stocked(app: &App, count: usize) -> Vec<VariantId> {
    let mut variants = Vec::with_capacity(count);
    for from in (0..count).step_by(CHUNK) {
        let ctx = app.ctx.clone();
        let made = app.store.write(move |tx| {
            Box::pin(async move {
                let place = locations::ensure_default(tx, &ctx).await.unwrap();
                let mut made = Vec::new();
                for n in from..count.min(from + CHUNK) {
                    let product = catalog::create_product(tx, &ctx, &format!("Article {n}")).await?;
                    let variant = catalog::create_variant(tx, &ctx, &product.id, Facts::of(Sku::parse(&sku(n)).unwrap())).await?;
                    stock::receive(tx, &ctx, &variant.id, &place, OPENING, "opening").await.unwrap();
                    made.push(variant.id);
                }
                Ok::<_, catalog::Error>(made)
            })
        });
        variants.extend(made.await.unwrap());
    }
    variants
}

/// A WooCommerce shop at `origin` that observes; its webhooks are signed with [`signed::SECRET`].
pub async fn connected(app: &App, name: &str, origin: &str) -> Connection {
    let new = NewConnection {
        plugin: "woocommerce".into(),
        name: name.into(),
        settings: serde_json::json!({ "origin": origin, "currency": "EUR" }),
        since_at: Some(0),
    };
    let text = |bytes: &[u8]| Secret::from_text(std::str::from_utf8(bytes).unwrap());
    let secrets = BTreeMap::from([
        ("consumer-key".into(), text(b"ck")),
        ("consumer-secret".into(), text(b"cs")),
        ("webhook-secret".into(), text(signed::SECRET)),
    ]);
    let grants = vec![Origin::parse(origin).unwrap()];
    setup::add(&app.sync, &app.ctx, setup::Setup { new, secrets, grants }).await.unwrap()
}

/// The shop offers every variant, shows what there is, and may be pushed to.
pub async fn trading(app: &App, name: &str, origin: &str, variants: &[VariantId]) -> Connection {
    let offers: Vec<_> = variants.iter().enumerate().map(|(n, variant)| (offer(n), variant.clone())).collect();
    let connection = connected(app, name, origin).await;
    for chunk in offers.chunks(CHUNK) {
        let (ctx, id, chunk) = (app.ctx.clone(), connection.id.clone(), chunk.to_vec());
        let linked = app.store.write(move |tx| {
            Box::pin(async move {
                let offers: Vec<_> = chunk.iter().map(|(offer, _)| offer.clone()).collect();
                let seen = listings::upsert_seen(tx, &ctx, &id, &offers, 0).await?;
                for (offer, variant) in &chunk {
                    listings::link(tx, &ctx, &seen.ids[&offer.external_id], variant).await?;
                }
                Ok::<_, listings::Error>(())
            })
        });
        linked.await.unwrap();
    }
    let plan = golive::plan(&app.sync, &app.ctx, &connection).await.unwrap();
    golive::accept(&app.sync, &app.ctx, &plan.id).await.unwrap()
}

/// What a shop shows of article `n` before anything was sold.
pub fn offer(n: usize) -> ChannelListing {
    ChannelListing {
        external_id: external_id(n),
        parent: None,
        sku: Some(sku(n)),
        gtin: None,
        title: format!("Article {n}"),
        options: Vec::new(),
        status: Status::Active,
        price: None,
        tracking: Tracking::Tracked,
        levels: vec![(None, OPENING)],
        weight_g: None,
        hs_code: None,
        origin: None,
        url: None,
        updated_at: None,
        handles: serde_json::json!({}),
        extras: serde_json::json!({}),
    }
}

/// Returns when nothing is due or running any more.
pub async fn at_rest(app: &App, patience: std::time::Duration) {
    let deadline = std::time::Instant::now() + patience;
    loop {
        let flows = lanes::overview(&mut app.store.read().await.unwrap(), &app.ctx).await.unwrap();
        if !flows.iter().any(|flow| flow.due > 0 || flow.running > 0) {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "the hub did not come to rest: {flows:#?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
