//! A Vendure shop that nobody here wrote, on loopback, and what a person does in it.
//!
//! The programs that install, start and use it are in the folder `real` beside the checkout (or `ENTREPOT_REAL`); they need
//! node 20, npm with its registry, and PostgreSQL. What was installed is kept in the temporary folder of the machine and used again; its
//! database is new each time. One process at a time has it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::post::Post;

/// What the relay in the shop signs with.
pub const RELAY_SECRET: &str = "a-secret-of-the-relay";
/// How many products it is started with, and how many of each there are.
pub const PRODUCTS: usize = 3;
pub const STOCK: i64 = 100;

pub struct Vendure {
    scripts: PathBuf,
    work: PathBuf,
    port: u16,
    database_port: u16,
    hooks: String,
    _only_one: File,
}

impl Drop for Vendure {
    fn drop(&mut self) {
        let _ = self.script("start.sh", &["down"]).output();
    }
}

/// Says why past the test harness, which keeps what a passing test prints.
fn skip<T>(why: &str) -> Option<T> {
    let required = std::env::var_os("ENTREPOT_TEST_REQUIRE_REAL").is_some_and(|value| value == "1");
    assert!(!required, "ENTREPOT_TEST_REQUIRE_REAL=1, but {why}");
    let _ = writeln!(std::io::stderr(), "\nSKIPPED the real shop: {why}\n");
    None
}

impl Vendure {
    /// A shop with [`PRODUCTS`] products, whose events go to `hooks`. `None`, loudly, where something is missing.
    pub async fn start(hooks: &str) -> Option<Self> {
        let hooks = hooks.to_owned();
        match tokio::task::spawn_blocking(move || Self::begin(hooks)).await.unwrap() {
            Ok(shop) => Some(shop),
            Err(why) => skip(&why),
        }
    }

    fn begin(hooks: String) -> Result<Self, String> {
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/real");
        let scripts = std::env::var_os("ENTREPOT_REAL").map_or(beside, PathBuf::from).join("vendure");
        if !scripts.join("start.sh").is_file() {
            return Err(format!("no start.sh in {}; set ENTREPOT_REAL", scripts.display()));
        }
        let node = Command::new("node").arg("--version").output().map_err(|_| "node is not installed".to_owned())?;
        let version = String::from_utf8_lossy(&node.stdout).trim().trim_start_matches('v').to_owned();
        let major: u32 = version.split('.').next().and_then(|text| text.parse().ok()).unwrap_or(0);
        if major < 20 {
            return Err(format!("node 20 or newer is needed, this is {version}"));
        }
        let work = std::env::temp_dir().join("entrepot-real-vendure");
        std::fs::create_dir_all(&work).map_err(|error| format!("{}: {error}", work.display()))?;
        let only_one = File::create(work.join("lock")).map_err(|error| format!("{}: {error}", work.display()))?;
        only_one.lock().map_err(|error| error.to_string())?;
        let shop = Self { scripts, work, port: free_port(), database_port: free_port(), hooks, _only_one: only_one };
        // A process that was killed leaves its shop behind.
        let _ = shop.script("start.sh", &["down"]).output();
        let _ = std::fs::remove_dir_all(shop.work.join("pg"));
        let began = shop.script("start.sh", &["up"]).output().map_err(|error| error.to_string())?;
        if !began.status.success() {
            return Err(format!("it does not start: {}", String::from_utf8_lossy(&began.stderr).trim()));
        }
        Ok(shop)
    }

    fn script(&self, name: &str, args: &[&str]) -> Command {
        let mut command = Command::new(self.scripts.join(name));
        command.args(args).stdin(Stdio::null()).env("WORK", &self.work).env("PORT", self.port.to_string());
        command.env("PG_PORT", self.database_port.to_string()).env("PRODUCTS", PRODUCTS.to_string());
        command.env("WEBHOOK_URLS", &self.hooks).env("WEBHOOK_SECRET", RELAY_SECRET);
        command
    }

    /// What a program of the shop's folder prints, one JSON document a line; what failed, as it said it.
    async fn ask(&self, program: &str, args: &[&str], more: &[(&str, String)]) -> Result<Vec<Value>, String> {
        let mut command = Command::new("node");
        command.arg(self.work.join("app").join(program)).args(args).env("BASE", self.origin()).env("STATE", self.work.join("seed.json"));
        command.envs(more.iter().map(|(name, value)| (*name, value.as_str()))).stdin(Stdio::null());
        let Output { stdout, stderr, .. } = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let lines = String::from_utf8_lossy(&stdout).lines().filter_map(|line| serde_json::from_str(line).ok()).collect::<Vec<_>>();
        if lines.is_empty() { Err(String::from_utf8_lossy(&stderr).trim().to_owned()) } else { Ok(lines) }
    }

    async fn op(&self, args: &[&str]) -> Value {
        self.ask("ops.mjs", args, &[]).await.unwrap_or_else(|why| panic!("{args:?}: {why}")).remove(0)
    }

    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What its Admin API answers to a document without variables, as text.
    pub async fn query(&self, document: &str) -> String {
        let post = Post::to("/admin-api").header("content-type", "application/json").header("vendure-api-key", &self.api_key());
        let body = serde_json::json!({ "query": document }).to_string();
        let answer = post.body(body).exchange(SocketAddr::from(([127, 0, 0, 1], self.port))).await.unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    async fn variants(&self) -> Vec<Value> {
        let answer = self.query("{ productVariants { items { sku price stockLevels { stockOnHand stockAllocated } } } }").await;
        let answer: Value = serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{answer}"));
        answer["data"]["productVariants"]["items"].as_array().unwrap_or_else(|| panic!("{answer}")).clone()
    }

    /// What `start.sh` wrote: the API key among it.
    pub fn api_key(&self) -> String {
        let text = std::fs::read_to_string(self.work.join("seed.json")).unwrap();
        let seed: Value = serde_json::from_str(&text).unwrap();
        seed["apiKey"].as_str().unwrap().to_owned()
    }

    /// The SKU of product `n` from 1.
    pub fn sku(n: usize) -> String {
        format!("REAL-{n:04}")
    }

    // What people do there

    /// Guests buy `units` of the first products, one order each; the codes of the orders. Fails while the shop is down.
    pub async fn sell(&self, orders: usize, units: i64) -> Result<Vec<String>, String> {
        let wanted = [("ORDERS", orders.to_string()), ("QTY", units.to_string())];
        let placed = self.ask("order.mjs", &[], &wanted).await?;
        Ok(placed.iter().filter_map(|order| order["code"].as_str()).map(str::to_owned).collect())
    }

    pub async fn ship(&self, code: &str, number: &str) {
        let shipped = self.op(&["ship", code, number]).await;
        assert_eq!(shipped["state"], "Shipped", "{shipped}");
    }

    pub async fn cancel(&self, code: &str) {
        let cancelled = self.op(&["cancel", code]).await;
        assert_eq!(cancelled["state"], "Cancelled", "{cancelled}");
    }

    // What is true there

    /// What can still be sold, by SKU.
    pub async fn available(&self) -> BTreeMap<String, i64> {
        let count = |level: &Value, key: &str| level[key].as_i64().unwrap();
        let of = |row: &Value| -> i64 {
            let levels = row["stockLevels"].as_array().unwrap().iter();
            levels.map(|level| count(level, "stockOnHand") - count(level, "stockAllocated")).sum()
        };
        self.variants().await.iter().map(|row| (row["sku"].as_str().unwrap().to_owned(), of(row))).collect()
    }

    /// Net price in the smallest unit, by SKU.
    pub async fn net_prices(&self) -> BTreeMap<String, i64> {
        self.variants().await.iter().map(|row| (row["sku"].as_str().unwrap().to_owned(), row["price"].as_i64().unwrap())).collect()
    }

    pub async fn orders(&self) -> Vec<Value> {
        let list = self.op(&["orders"]).await;
        let items = list["items"].as_array().unwrap().clone();
        assert_eq!(list["totalItems"], items.len(), "more orders than one page");
        items
    }

    pub async fn order(&self, code: &str) -> Value {
        self.orders().await.into_iter().find(|order| order["code"] == code).unwrap()
    }

    // Misfortune

    /// The process dies as the kernel does it.
    pub fn kill_server(&self) {
        let id = self.server_id().unwrap();
        assert!(Command::new("kill").args(["-KILL", &id]).status().unwrap().success());
    }

    fn server_id(&self) -> Option<String> {
        Some(std::fs::read_to_string(self.work.join("server.pid")).ok()?.trim().to_owned())
    }

    /// A dead process that nobody has asked after still answers to its number, and `start.sh` would take it for a running one.
    fn bury_the_dead(&self) {
        let Some(id) = self.server_id() else { return };
        let state = Command::new("ps").args(["-o", "stat=", "-p", &id]).output().unwrap().stdout;
        if state.is_empty() || state.starts_with(b"Z") {
            let _ = std::fs::remove_file(self.work.join("server.pid"));
        }
    }

    /// The shop's database crashes; nothing that was committed is lost.
    pub async fn kill_database(&self) {
        let pid = std::fs::read_to_string(self.work.join("pg/data/postmaster.pid")).unwrap();
        // SIGQUIT is PostgreSQL's immediate stop: no checkpoint, recovery at the next start.
        assert!(Command::new("kill").args(["-QUIT", pid.lines().next().unwrap()]).status().unwrap().success());
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.work.join("pg/data/postmaster.pid").exists() {
            assert!(Instant::now() < deadline, "the shop's database did not stop");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Starts what does not run.
    pub async fn up(&self) {
        self.bury_the_dead();
        let mut command = self.script("start.sh", &["up"]);
        let began = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        assert!(began.status.success(), "{}", String::from_utf8_lossy(&began.stderr));
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A free address, for a server that keeps it over restarts.
pub fn free_address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], free_port()))
}

/// Stands between the shop, which learns where to post when it starts, and the hub, whose webhook address is not known then.
/// It passes everything on, byte for byte.
#[derive(Clone)]
pub struct Relay {
    address: SocketAddr,
    to: Arc<std::sync::Mutex<Option<(SocketAddr, String)>>>,
    loses: Arc<AtomicBool>,
    passed: Arc<AtomicU64>,
}

impl Relay {
    pub async fn open() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let relay = Self { address, to: Arc::default(), loses: Arc::default(), passed: Arc::default() };
        let router = axum::Router::new().fallback(pass).with_state(relay.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        relay
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub fn lead_to(&self, hub: SocketAddr, path: &str) {
        *self.to.lock().unwrap() = Some((hub, path.to_owned()));
    }

    /// From now on events are lost on the way, or not any more.
    pub fn loses(&self, loses: bool) {
        self.loses.store(loses, Ordering::Relaxed);
    }

    /// Events that the hub acknowledged.
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }
}

async fn pass(State(relay): State<Relay>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if relay.loses.load(Ordering::Relaxed) {
        return StatusCode::OK;
    }
    let Some((hub, path)) = relay.to.lock().unwrap().clone() else { return StatusCode::SERVICE_UNAVAILABLE };
    let headers = headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap().to_owned())).collect::<Vec<_>>();
    let status = Post::to(&path).headers(headers).body(body.to_vec()).try_send(hub).await;
    let status = status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::BAD_GATEWAY);
    if status.is_success() {
        relay.passed.fetch_add(1, Ordering::Relaxed);
    }
    status
}
