//! What the tests share: the packed connector, an engine, and callers with the limits a test wants.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use entrepot::clock::Clock;
use entrepot::ctx::Tenant;
use entrepot::id::{ConnectionId, Entropy, Ids};
use entrepot::plugins::compile::Compiler;
use entrepot::plugins::package::{Build, Package};
use entrepot::plugins::services::{Nothing, Outbound, Services};
use entrepot::plugins::wire::{Context, Failure, http};
use entrepot::plugins::{CallScope, Caller, Engine, Limits, Loaded};
use futures::future::BoxFuture;

pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

pub fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_entrepot"))
}

fn built(cell: &'static OnceLock<Package>, folder: &str) -> &'static Package {
    cell.get_or_init(|| Build { dir: &workspace().join(folder), out: None, target_dir: None }.run().unwrap())
}

pub fn hostile() -> &'static Package {
    static BUILT: OnceLock<Package> = OnceLock::new();
    built(&BUILT, "tests/plugins/hostile")
}

pub fn hello() -> &'static Package {
    static BUILT: OnceLock<Package> = OnceLock::new();
    built(&BUILT, "examples/hello-connector")
}

pub fn carrier() -> &'static Package {
    static BUILT: OnceLock<Package> = OnceLock::new();
    built(&BUILT, "tests/plugins/carrier")
}

pub fn bytes(package: &Package) -> Vec<u8> {
    std::fs::read(&package.path).unwrap()
}

/// The module that cargo made of the hostile crate, before packing.
pub fn hostile_module() -> Vec<u8> {
    let folder = hostile().path.parent().unwrap();
    std::fs::read(folder.join("wasm32-unknown-unknown/release/hostile_connector.wasm")).unwrap()
}

pub fn engine() -> Engine {
    Engine::new().unwrap()
}

pub fn uncached(engine: &Engine) -> Compiler {
    Compiler::uncached(engine, program(), Entropy::seeded(1))
}

pub async fn load(engine: &Engine, wasm: &[u8], limits: Limits) -> Loaded {
    let component = uncached(engine).component(wasm).await.unwrap();
    engine.load(&component, limits).unwrap()
}

pub fn connection(seed: u64) -> ConnectionId {
    ConnectionId::new(&Ids::new(Clock::manual(0), Entropy::seeded(seed)))
}

/// A caller of the hostile connector that reaches nothing.
pub async fn caller(limits: Limits) -> Caller {
    caller_with(limits, Nothing::services(Clock::manual(0))).await
}

pub async fn caller_with(limits: Limits, services: Services) -> Caller {
    let engine = engine();
    let loaded = load(&engine, &bytes(hostile()), limits).await;
    Caller { loaded, services, tenant: Tenant::main(), connection: Some(connection(1)), plugin: "hostile".into(), dry_run: false }
}

pub fn context() -> Context {
    Context {
        connection: "con_test".into(),
        config_json: "{}".into(),
        trace: "test".into(),
        attempt: 1,
        idempotency_key: "key".into(),
        dry_run: false,
        extras: Vec::new(),
    }
}

/// Answers 204 to everything and counts what was sent and what was sent at once.
#[derive(Default)]
pub struct Counting {
    pub sent: AtomicU32,
    at_once: AtomicU32,
    pub most_at_once: AtomicU32,
}

impl Counting {
    pub fn services(self: &Arc<Self>) -> Services {
        Services { outbound: self.clone(), ..Nothing::services(Clock::manual(0)) }
    }
}

impl Outbound for Counting {
    fn send<'a>(&'a self, _: &'a CallScope, _: http::Request) -> BoxFuture<'a, Result<http::Response, Failure>> {
        Box::pin(async {
            self.sent.fetch_add(1, Ordering::SeqCst);
            let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_at_once.fetch_max(now, Ordering::SeqCst);
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            self.at_once.fetch_sub(1, Ordering::SeqCst);
            Ok(http::Response { status: 204, headers: Vec::new(), body: http::Payload::Empty })
        })
    }

    fn observed<'a>(&'a self, _: &'a CallScope, _: String, _: u32, _: u32, _: u32) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
}
