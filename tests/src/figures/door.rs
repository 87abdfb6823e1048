//! T1, T2, T3, T16: the webhook door of the real hub, over HTTP, against the baseline servers.
//!
//! Hub and baselines are processes of their own that share the cores with the load in the same way. The hub's lanes do not run:
//! the baselines only accept, too. What is accepted is verified, deduplicated, sealed and durable when it is answered.

use std::sync::Arc;

use super::{Asked, median};
use crate::baselines::{accept, signed};
use crate::child::Process;
use crate::load::{self, Load, Outcome, Requests};
use crate::report::{Figure, Report};
use crate::site::{self, Site};

const CONNECTIONS: u64 = 64;
const ROUNDS: u64 = 3;
const REQUESTS: u64 = 40_000;
/// A commit per request is slow; more would only take longer.
const REQUESTS_EACH: u64 = 4_000;
/// Callers that do not wait for one another, so that there really is more than the door takes.
const CROWD: u64 = 1_024;
const OVERLOAD_S: u64 = 10;

/// A hub without lanes, or a baseline, on a fresh file.
struct Door {
    process: Process,
    path: String,
    site: Option<Site>,
    _folder: Option<tempfile::TempDir>,
}

impl Door {
    fn baseline(id: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { process: Process::baseline(id, folder.path()), path: "/webhooks/x".into(), site: None, _folder: Some(folder) }
    }

    async fn hub() -> Self {
        let site = Site::file();
        let app = site.open().await;
        let connection = site::connected(&app, "Door", site::NOWHERE).await;
        app.store.close().await;
        let process = Process::baseline("HUB", site.folder());
        Self { process, path: format!("/webhooks/{}", connection.webhook_path), site: Some(site), _folder: None }
    }

    async fn open(id: &str) -> Self {
        if id == "HUB" { Self::hub().await } else { Self::baseline(id) }
    }

    async fn drive(&self, load: Load, signature: Signature) -> Outcome {
        load::run(self.process.address, &load, deliveries(&self.path, signature)).await
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Signature {
    Right,
    Wrong,
}

/// Distinct deliveries of 1 KiB, as a shop's webhooks would be.
fn deliveries(path: &str, signature: Signature) -> Requests {
    let path = path.to_owned();
    Arc::new(move |n| {
        let body = format!(r#"{{"id":{n},"note":"{}"}}"#, "x".repeat(1_000)).into_bytes();
        let mut signed = signed::sign(&body);
        if signature == Signature::Wrong {
            signed = signed::sign(signed.as_bytes());
        }
        let headers = [(signed::HEADER, signed.as_str()), (accept::HEADER, &n.to_string()), ("x-wc-webhook-topic", "order.created")];
        load::post(&path, &headers, &body)
    })
}

pub async fn measure(asked: &Asked, report: &mut Report) {
    let mut rate = 0.0;
    if asked.any(&["T1", "T2", "T16"]) {
        rate = accepts(asked, report).await;
    }
    if asked.wants("T2") {
        latency(report, rate).await;
    }
    if asked.wants("T3") {
        overhead(report).await;
    }
    if asked.wants("T16") {
        overload(report, rate).await;
    }
}

async fn full_speed(id: &str, requests: u64) -> Outcome {
    let outcome = Door::open(id).await.drive(Load::full(CONNECTIONS, requests), Signature::Right).await;
    assert_eq!(outcome.failed, 0, "{id} refused requests");
    outcome
}

/// Returns the hub's accepts a second.
async fn accepts(asked: &Asked, report: &mut Report) -> f64 {
    let (mut hub, mut groups, mut each) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        groups.push(full_speed("B3", REQUESTS).await.per_second);
        hub.push(full_speed("HUB", REQUESTS).await.per_second);
        if asked.wants("T1") {
            each.push(full_speed("B2", REQUESTS_EACH).await.per_second);
        }
    }
    let ratio = |baseline: &[f64]| median(hub.iter().zip(baseline).map(|(hub, base)| hub / base).collect());
    if asked.wants("T1") {
        let what =
            format!("durable webhook accepts a second, {CONNECTIONS} connections, verified and deduplicated, against group commit (B3)");
        report.figures.push(Figure::at_least("T1", what, ratio(&groups), 0.60, 0.80));
        report.figures.push(Figure::at_least("T1", "the same against one commit per request (B2)", ratio(&each), 5.0, 5.0));
        report.baseline("B2", "one full-sync commit per request", median(each), "req/s");
    }
    report.baseline("B3", "group commit with full sync", median(groups), "req/s");
    report.baseline("T1", "the hub", median(hub.clone()), "req/s");
    median(hub)
}

/// At half of what the hub takes, both at the same rate.
async fn latency(report: &mut Report, rate: f64) {
    let rate = (rate / 2.0) as u64;
    let load = Load { rate: Some(rate), ..Load::full(CONNECTIONS, rate * 4) };
    let (mut hub, mut base) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        base.push(Door::open("B3").await.drive(load.clone(), Signature::Right).await.percentile_us(990) as f64);
        hub.push(Door::open("HUB").await.drive(load.clone(), Signature::Right).await.percentile_us(990) as f64);
    }
    let ratio = median(hub.iter().zip(&base).map(|(hub, base)| hub / base).collect());
    report.baseline("B3", format!("p99 of an acknowledgement at {rate} a second"), median(base), "us");
    report.figures.push(Figure::at_most(
        "T2",
        format!("p99 of an acknowledgement at {rate} a second (half of T1), against B3's"),
        ratio,
        3.0,
        2.0,
    ));
    report.figures.push(Figure::at_most("T2", "the same in milliseconds", median(hub) / 1_000.0, 250.0, 250.0));
}

/// A wrong signature goes the same way up to the row: routing, headers, the code over the body.
async fn overhead(report: &mut Report) {
    let (mut hub, mut base) = (Vec::new(), Vec::new());
    let refused = Load { status: 401, ..Load::full(CONNECTIONS, REQUESTS * 2) };
    for _ in 0..ROUNDS {
        base.push(Door::open("B0").await.drive(Load::full(CONNECTIONS, REQUESTS * 2), Signature::Right).await.per_second);
        hub.push(Door::open("HUB").await.drive(refused.clone(), Signature::Wrong).await.per_second);
    }
    let ratio = median(hub.iter().zip(&base).map(|(hub, base)| hub / base).collect());
    report.baseline("B0", "bare HTTP 200", median(base), "req/s");
    report.figures.push(Figure::at_least(
        "T3",
        "HMAC, routing and headers without the disk (refused signatures), against bare HTTP (B0)",
        ratio,
        0.60,
        0.75,
    ));
}

/// Three times as much as it takes: how much it still takes, what that costs in memory, and whether it keeps its word.
async fn overload(report: &mut Report, rate: f64) {
    let door = Door::hub().await;
    let offered = (rate * 3.0) as u64;
    let load = Load { rate: Some(offered), ..Load::full(CROWD, offered * OVERLOAD_S) };
    let outcome = door.drive(load, Signature::Right).await;
    let peak_mib = door.process.peak_bytes() as f64 / f64::from(1 << 20);
    let Door { mut process, site, .. } = door;
    process.kill();
    let file = site.as_ref().unwrap().data().join("entrepot.db");
    let rows: i64 = rusqlite::Connection::open(file).unwrap().query_row("SELECT COUNT(*) FROM inbox", [], |row| row.get(0)).unwrap();
    let lost = outcome.answered().saturating_sub(rows as u64);
    report.figures.push(Figure::at_least(
        "T16",
        format!("accepts at 3 x T1 ({CROWD} connections), against T1; {} refused", outcome.failed),
        outcome.per_second / rate,
        0.9,
        1.0,
    ));
    report.figures.push(Figure::at_most("T16", "acknowledged and not stored after a kill", lost as f64, 0.0, 0.0));
    report.figures.push(Figure::at_most("T16", "peak memory meanwhile, MiB", peak_mib, 256.0, 160.0));
}
