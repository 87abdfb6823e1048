//! Puts the hub together: every service once. The only module that may use all others.

pub mod backup;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::api::listen;
use crate::api::webhooks::Doors;
use crate::clock::Clock;
use crate::config::{Config, Database, Network};
use crate::ctx::{Ctx, Tenant};
use crate::egress::{self, BucketStore, Egress, MemoryBuckets, SystemResolver};
use crate::id::{Entropy, Ids};
use crate::inbox::{self, Inbox};
use crate::lanes::buckets::SharedBuckets;
use crate::lanes::{self, Runner};
use crate::orders::persons::{self, Erased, Kept, Whom};
use crate::plugins::compile::Compiler;
use crate::plugins::registry::Registry;
use crate::plugins::{self, Engine};
use crate::secrets::{MasterKey, Vault};
use crate::store::{Dialect, Location, Store};
use crate::sync::{Connectors, Parts, Sync, erasure, upkeep};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Store(#[from] crate::store::Error),
    #[error("{0}")]
    MasterKey(#[from] crate::secrets::MasterKeyError),
    #[error("{0}")]
    Secrets(#[from] crate::secrets::Error),
    #[error("{0}")]
    Sandbox(#[from] crate::plugins::CallError),
    #[error("{0}")]
    Compiler(#[from] crate::plugins::compile::Error),
    #[error("{0}")]
    Plugin(#[from] crate::plugins::registry::Error),
    #[error("{0}")]
    Sync(#[from] crate::sync::Error),
    #[error("{0}")]
    Tls(#[from] egress::TlsError),
    #[error("cannot listen on {address}: {source}; hint: choose another with --set server.listen=ADDRESS:PORT")]
    Listen { address: std::net::SocketAddr, source: std::io::Error },
    #[error("the folder {path} cannot be used: {source}")]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("this program cannot find itself: {0}")]
    Program(std::io::Error),
}

/// What differs between the product, a test and the demo.
pub struct Options {
    pub database: Location,
    /// Caches of this machine.
    pub data_folder: PathBuf,
    pub master: MasterKey,
    pub former: Vec<MasterKey>,
    pub public_url: Option<String>,
    pub clock: Clock,
    pub entropy: Entropy,
    pub egress: egress::Limits,
    pub extra_ca: Option<PathBuf>,
    /// The program that compiles connectors when it is started as a child: this one.
    pub compiler: PathBuf,
    pub zone: String,
    pub name: String,
    pub tuning: Tuning,
}

/// Beside the master key, and so outside of what a restore replaces.
const ERASURE_LOG: &str = "erasures.log";

/// Bounds and habits that the configuration sets; the defaults are its defaults.
#[derive(Clone, Debug)]
pub struct Tuning {
    pub cpu: Duration,
    pub wall: Duration,
    /// Connectors' calls at once; 0 means eight a core.
    pub concurrency: usize,
    /// Pieces of work at once.
    pub workers: usize,
    pub pace: lanes::Pace,
    pub patience: inbox::Patience,
    pub keep: upkeep::Keep,
    /// One request to the API may take this long.
    pub request: Duration,
    pub webhook_body_bytes: usize,
    pub api_body_bytes: usize,
    pub trusted_proxies: Vec<Network>,
    /// Where erasures of buyers are noted outside of the database, for copies that do not know of them.
    pub erasure_log: Option<PathBuf>,
}

impl Default for Tuning {
    fn default() -> Self {
        let limits = plugins::Limits::default();
        Self {
            cpu: limits.cpu,
            wall: limits.wall,
            concurrency: 0,
            workers: usize::MAX,
            pace: lanes::Pace::default(),
            patience: inbox::Patience::default(),
            keep: upkeep::Keep::default(),
            request: Duration::from_secs(120),
            webhook_body_bytes: 1 << 20,
            api_body_bytes: 64 << 20,
            trusted_proxies: Vec::new(),
            erasure_log: None,
        }
    }
}

impl Tuning {
    fn of(config: &Config) -> Self {
        let ms = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self {
            cpu: config.plugins.cpu,
            wall: config.plugins.wall,
            concurrency: config.plugins.concurrency,
            workers: config.lanes.workers,
            pace: lanes::Pace { lease_ms: ms(config.lanes.lease), sweep_ms: ms(config.lanes.sweep) },
            patience: inbox::Patience { accept: config.server.accept, reserve_bytes: config.reserve_bytes },
            keep: upkeep::Keep {
                delivery_body_days: config.retention.delivery_body_days,
                dedupe_days: config.retention.dedupe_days,
                effect_days: config.retention.effect_days,
            },
            request: config.server.request,
            webhook_body_bytes: config.server.webhook_body_bytes,
            api_body_bytes: config.server.api_body_bytes,
            trusted_proxies: config.server.trusted_proxies.clone(),
            erasure_log: Some(config.secrets.master_key_file.with_file_name(ERASURE_LOG)),
        }
    }
}

impl Options {
    /// What the configuration says, with the machine's clock and randomness.
    pub fn of(config: &Config) -> Result<Self, Error> {
        let entropy = Entropy::system();
        let folder = |source| Error::Folder { path: config.data_folder.clone(), source };
        std::fs::create_dir_all(&config.data_folder).map_err(folder)?;
        let master = match &config.secrets.master_key {
            Some(text) => MasterKey::from_text(text.expose(), "the environment")?,
            None => MasterKey::load_or_create(&config.secrets.master_key_file, &entropy)?.0,
        };
        let former = config.secrets.former_master_key_files.iter().map(|path| MasterKey::load(path)).collect::<Result<_, _>>()?;
        let (database, clock) = match &config.database {
            Database::File(path) => (Location::File(path.clone()), Clock::system()),
            // Several processes share this database, so they share its time.
            Database::Postgres(url) => (Location::Postgres(url.clone()), Clock::following()),
        };
        Ok(Self {
            database,
            data_folder: config.data_folder.clone(),
            master,
            former,
            public_url: config.server.public_url.as_ref().map(|url| url.as_str().to_owned()),
            clock,
            entropy,
            egress: egress::Limits {
                connect: config.egress.connect,
                first_byte: config.egress.first_byte,
                between_bytes: config.egress.between_bytes,
                total: config.egress.total,
                request_bytes: config.egress.request_bytes,
                response_bytes: config.egress.response_bytes,
                ..egress::Limits::default()
            },
            extra_ca: config.egress.extra_ca_file.clone(),
            compiler: std::env::current_exe().map_err(Error::Program)?,
            zone: config.tenant.zone.clone(),
            name: config.tenant.name.clone(),
            tuning: Tuning::of(config),
        })
    }
}

/// The hub, opened. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub store: Store,
    pub ctx: Ctx,
    pub vault: Vault,
    pub inbox: Inbox,
    pub sync: Sync,
    pub doors: Arc<Doors>,
    pub tuning: Arc<Tuning>,
    pub backup: backup::Desk,
}

impl App {
    pub async fn open(options: Options) -> Result<Self, Error> {
        let store = Store::open(&options.database, &options.clock).await?;
        let ids = Ids::new(options.clock.clone(), options.entropy.clone());
        let ctx = Ctx { tenant: Tenant::main(), clock: options.clock.clone(), ids, actor: "hub".into() };
        let vault = Vault::new(options.master, options.former, options.entropy.clone());
        vault.check(&store).await?;
        introduce(&store, &ctx, &options.name, &options.zone).await?;
        let tuning = Arc::new(options.tuning);
        let engine = Engine::with_concurrency(tuning.concurrency)?;
        let cache = options.data_folder.join("compiled");
        let compiler = Compiler::new(&engine, &cache, vault.master(), options.compiler, options.entropy)?;
        let limits = plugins::Limits { cpu: tuning.cpu, wall: tuning.wall, ..plugins::Limits::default() };
        let registry = Arc::new(Registry::new(engine, compiler).limited(limits));
        let mut conn = store.read().await?;
        for (name, loaded) in registry.load_all(&mut conn, &ctx.tenant).await? {
            if let Err(error) = loaded {
                tracing::error!(connector = name, error = %crate::store::chain(&error), "a connector could not be loaded");
            }
        }
        drop(conn);
        let tls = egress::tls_config(options.extra_ca.as_deref())?;
        let buckets: Arc<dyn BucketStore> = match store.dialect() {
            // One process owns a file; several may share a server.
            Dialect::Sqlite => Arc::new(MemoryBuckets::default()),
            Dialect::Postgres => Arc::new(SharedBuckets::new(store.clone())),
        };
        let egress = Egress::new(options.clock, Arc::new(SystemResolver), buckets, tls, options.egress);
        let connectors = Connectors { registry, egress };
        let (public_url, erasure_log) = (options.public_url, tuning.erasure_log.clone());
        let sync = Sync::new(Parts { store: store.clone(), vault: vault.clone(), connectors, public_url, erasure_log });
        let inbox = Inbox::open(store.clone(), ctx.clone(), vault.clone(), tuning.patience);
        let (proxies, body_bytes) = (tuning.trusted_proxies.clone(), tuning.webhook_body_bytes);
        let doors = Arc::new(Doors::new(sync.clone(), inbox.clone(), ctx.clone(), proxies, body_bytes));
        Ok(Self { store, ctx, vault, inbox, sync, doors, tuning, backup: backup::Desk::default() })
    }

    /// Erases a buyer here and notes it for copies that do not know of it yet.
    pub async fn erase(&self, ctx: &Ctx, whom: Whom) -> Result<Vec<Erased>, Error> {
        Ok(self.sync.erase(ctx, whom, None).await?)
    }

    /// What is kept of a buyer, for that buyer to read.
    pub async fn export(&self, ctx: &Ctx, whom: &Whom) -> Result<Vec<Kept>, Error> {
        let mut conn = self.store.read().await?;
        Ok(persons::export(&mut conn, ctx, &self.vault, whom).await.map_err(crate::sync::Error::from)?)
    }

    /// Erases again everybody whom the log beside the master key names; returns how many this database still knew.
    pub async fn erase_again(&self) -> Result<usize, Error> {
        let Some(log) = &self.tuning.erasure_log else { return Ok(0) };
        let text = match std::fs::read_to_string(log) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
            read => read.map_err(|source| Error::Folder { path: log.clone(), source })?,
        };
        let mut again = 0;
        for person in erasure::named(&text)? {
            let erased = erasure::erase(&self.store, &self.vault, &self.ctx, Whom::Person(person), None).await?;
            again += erased.iter().filter(|erased| erased.new).count();
        }
        Ok(again)
    }

    /// Works off what is due; see [`Runner`].
    pub fn runner(&self) -> Runner {
        let limits = lanes::Limits::default().at_most(self.tuning.workers);
        let limits = match self.tuning.concurrency {
            0 => limits,
            calls => limits.calling(calls),
        };
        let upkeep = upkeep::Upkeep { sync: self.sync.clone(), keep: self.tuning.keep };
        let handlers = self.sync.handlers().with(lanes::LaneKind::Housekeeping, upkeep);
        Runner::new(self.store.clone(), self.ctx.clone(), handlers, limits).paced(self.tuning.pace)
    }

    /// Serves and works until `stop` resolves.
    pub async fn run(
        &self,
        listener: tokio::net::TcpListener,
        router: axum::Router,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), Error> {
        let (ended, mut end) = tokio::sync::watch::channel(false);
        let mut end2 = end.clone();
        let store = self.store.clone();
        tokio::spawn(async move {
            // After a sync that failed nothing may be acknowledged any more: whoever watches over this process starts it again.
            tokio::select! {
                () = stop => {}
                () = store.poisoned() => tracing::error!("the hub stops: a write could not be made durable"),
            }
            let _ = ended.send(true);
        });
        let wake = lanes::wake::connect(&self.store, &self.ctx).await?;
        let runner = self.runner();
        let work = tokio::spawn(async move { runner.run(wake, async move { drop(end.wait_for(|done| *done).await) }).await });
        listen::serve(listener, router, listen::Pace::default(), async move { drop(end2.wait_for(|done| *done).await) }).await;
        let _ = work.await;
        let poisoned = self.store.is_poisoned();
        self.store.close().await;
        if poisoned { Err(crate::store::Error::Poisoned.into()) } else { Ok(()) }
    }
}

/// The merchant's row, kept in step with the configuration.
async fn introduce(store: &Store, ctx: &Ctx, name: &str, zone: &str) -> Result<(), crate::store::Error> {
    let (ctx, name, zone) = (ctx.clone(), name.to_owned(), zone.to_owned());
    store
        .write(move |tx| {
            Box::pin(async move {
                lanes::schedule::introduce_tenant(tx, &ctx, &name, &zone).await?;
                upkeep::arrange(tx, &ctx).await
            })
        })
        .await
}
