//! T9, T10, T18: the hub as a process: memory at rest and under load, how soon a started one acknowledges, bytes on disk.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use entrepot::app::App;

use super::{Asked, median};
use crate::child::Process;
use crate::connectors;
use crate::load::{self, Load, Requests};
use crate::report::{Figure, Report};
use crate::sale;
use crate::site::{self, Site};

const CONNECTORS: usize = 10;
const REQUESTS: u64 = 60_000;
const STARTS: usize = 5;
const ROWS: u64 = 1_000_000;
const PATIENCE: Duration = Duration::from_secs(120);
const MIB: f64 = 1_048_576.0;

pub async fn measure(asked: &Asked, report: &mut Report) {
    if asked.any(&["T9", "T10"]) {
        let site = Site::file();
        let path = furnish(&site).await;
        if asked.wants("T9") {
            memory(&site, &path, report).await;
        }
        if asked.wants("T10") {
            cold_start(&site, &path, report).await;
        }
    }
    if asked.wants("T18") {
        disk(report).await;
    }
}

/// A hub with ten different connectors and one shop; returns the shop's webhook path.
async fn furnish(site: &Site) -> String {
    let app = site.open().await;
    install_many(&app).await;
    let connection = site::connected(&app, "Shop", site::NOWHERE).await;
    app.store.close().await;
    format!("/webhooks/{}", connection.webhook_path)
}

/// The same connector under other names: to the hub they have nothing in common.
async fn install_many(app: &App) {
    let built = tokio::task::spawn_blocking(connectors::ready).await.unwrap();
    let (name, wasm) = &built.packed[0];
    for n in 0..CONNECTORS - built.packed.len() {
        let other = format!("{}{n}", &name[..name.len() - 1]);
        site::install(app, &other, &renamed(wasm, name, &other)).await;
    }
}

/// Names of the same length in the manifest, so that no section changes its size.
fn renamed(wasm: &[u8], name: &str, other: &str) -> Vec<u8> {
    let quoted = |name: &str| format!("\"name\":\"{name}\"").into_bytes();
    let spaced = |name: &str| format!("\"name\": \"{name}\"").into_bytes();
    let mut wasm = wasm.to_vec();
    let mut found = false;
    for (from, to) in [(quoted(name), quoted(other)), (spaced(name), spaced(other))] {
        let at = wasm.windows(from.len()).position(|window| window == from);
        if let Some(at) = at {
            wasm[at..at + to.len()].copy_from_slice(&to);
            found = true;
        }
    }
    assert!(found, "the manifest of {name} names it otherwise");
    wasm
}

fn anywhere() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// Distinct deliveries of 1 KiB that concern nobody.
fn deliveries(path: &str) -> Requests {
    let path = path.to_owned();
    Arc::new(move |n| sale::post(&path, "coupon.updated", &kibibyte(n)))
}

fn kibibyte(n: u64) -> Vec<u8> {
    let mut body = format!(r#"{{"id":{n},"note":""#);
    // Not the same letter all over: what a shop sends does not shrink to nothing.
    let mut state = n;
    while body.len() < 1_022 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        body.push(char::from(b'a' + (state >> 33) as u8 % 26));
    }
    body.push_str("\"}");
    body.into_bytes()
}

async fn memory(site: &Site, path: &str, report: &mut Report) {
    let hub = Process::hub(site, anywhere());
    tokio::time::sleep(Duration::from_secs(2)).await;
    let idle = hub.resident_bytes() as f64 / MIB;
    let outcome = load::run(hub.address, &Load::full(64, REQUESTS), deliveries(path)).await;
    assert_eq!(outcome.failed, 0, "deliveries were refused");
    let busy = hub.peak_bytes() as f64 / MIB;
    report.figures.push(Figure::at_most("T9", format!("MiB in memory at rest with {CONNECTORS} connectors"), idle, 96.0, 64.0));
    report.figures.push(Figure::at_most("T9", "MiB in memory at most while it takes what it can, lanes at work", busy, 256.0, 160.0));
}

/// The million is written past the hub: what counts is what a start has to read.
fn fill(site: &Site) {
    let mut connection = rusqlite::Connection::open(site.data().join("entrepot.db")).unwrap();
    let rows = format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})");
    let transaction = connection.transaction().unwrap();
    for insert in [
        "INSERT INTO inbox (tenant, id, connection, topic, lane, received_at, state, done_at) SELECT 'main', printf('dlv_%026d', i), 'con_x', \
         'order.updated', 'inbound/con_x/order:' || i, 1700000000000 + i, 'done', 1700000000000 + i FROM n",
        "INSERT INTO inbox_key (tenant, connection, dedupe, received_at) SELECT 'main', 'con_x', printf('%064d', i), 1700000000000 + i FROM n",
    ] {
        transaction.execute(&insert.replacen("INSERT", &format!("{rows} INSERT"), 1), []).unwrap();
    }
    transaction.commit().unwrap();
}

async fn cold_start(site: &Site, path: &str, report: &mut Report) {
    fill(site);
    let mut times = Vec::new();
    for n in 0..STARTS {
        let request = sale::post(path, "coupon.updated", &kibibyte(u64::MAX - n as u64));
        let began = Instant::now();
        let hub = Process::hub(site, anywhere());
        let answer = load::run(hub.address, &Load::full(1, 1), Arc::new(move |_| request.clone())).await;
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
        assert_eq!(answer.failed, 0, "the first delivery was refused");
    }
    let what =
        format!("milliseconds from the start of the process to the first acknowledgement, {CONNECTORS} connectors, {ROWS} deliveries");
    report.figures.push(Figure::at_most("T10", what, median(times), 500.0, 200.0));
}

async fn disk(report: &mut Report) {
    const KEPT: u64 = 20_000;
    let site = Site::file();
    let app = site.open().await;
    let connection = site::connected(&app, "Shop", site::NOWHERE).await;
    app.store.close().await;
    let before = bytes_at_rest(&site);
    let mut hub = Process::hub(&site, anywhere());
    let path = format!("/webhooks/{}", connection.webhook_path);
    let outcome = load::run(hub.address, &Load::full(64, KEPT), deliveries(&path)).await;
    assert_eq!(outcome.failed, 0, "deliveries were refused");
    let deadline = Instant::now() + PATIENCE;
    while open_deliveries(&site) > 0 {
        assert!(Instant::now() < deadline, "the deliveries were not worked off");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    hub.signal("TERM");
    hub.wait_for_end();
    let per = (bytes_at_rest(&site) - before) as f64 / KEPT as f64 / 1_024.0;
    report.figures.push(Figure::at_most("T18", "bytes on disk of a delivery of 1 KiB at rest, against its own", per, 2.0, 1.2));
}

fn open_deliveries(site: &Site) -> i64 {
    let connection = rusqlite::Connection::open(site.data().join("entrepot.db")).unwrap();
    connection.query_row("SELECT COUNT(*) FROM inbox WHERE state = 'new'", [], |row| row.get(0)).unwrap()
}

fn bytes_at_rest(site: &Site) -> u64 {
    let folder = std::fs::read_dir(site.data()).unwrap();
    let files = folder.map(|entry| entry.unwrap()).filter(|entry| entry.file_name().to_string_lossy().starts_with("entrepot.db"));
    files.map(|file| file.metadata().unwrap().len()).sum()
}
