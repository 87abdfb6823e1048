//! Prints the hub's figures as ratios against the baseline programs, all measured in this run on this machine.
//!
//! `measure [--json] [T1 …]`: without names, everything that can be measured. Exit code 1 if a figure misses its gate.
//! Server baselines run as processes of their own (`measure serve B3 FOLDER`), as the hub does, so that both share the cores
//! with the load in the same way.

#![allow(clippy::unwrap_used, clippy::float_arithmetic)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Instant;

use entrepot_tests::baselines::{accept, bare, map, orders, signed};
use entrepot_tests::load::{self, Load, Outcome, Requests};
use entrepot_tests::report::{Figure, Report};
use entrepot_tests::sandbox;

const CONNECTIONS: u64 = 64;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["serve", which, folder] => serve(which, Path::new(folder)),
        _ => measure(&arguments),
    }
}

fn measure(arguments: &[String]) -> ExitCode {
    if let Some(unknown) = arguments.iter().find(|a| *a != "--json" && !a.starts_with(['T', 'B'])) {
        eprintln!("`{unknown}` is not an option or a figure\nusage: measure [--json] [T1 …]");
        return ExitCode::from(2);
    }
    let asked: Vec<&str> = arguments.iter().map(String::as_str).filter(|a| *a != "--json").collect();
    let wanted = |id: &str| asked.is_empty() || asked.contains(&id);
    let mut report = Report::default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(servers(&mut report, &wanted));
    if wanted("B4") {
        let folder = tempfile::tempdir().unwrap();
        report.baseline("B4", "orders into bare SQLite in groups of 16, 4 channels", orders::run(folder.path(), 10_000, 4), "orders/s");
    }
    let native_us = native_map_us();
    if wanted("B5") || wanted("T6") {
        report.baseline("B5", format!("native mapping of an order of {} bytes", map::SAMPLE.len()), native_us, "us");
    }
    if wanted("T6") || wanted("T7") {
        let folder = tempfile::tempdir().unwrap();
        let component = sandbox::connector(folder.path());
        if wanted("T6") {
            let fresh_us = runtime.block_on(sandbox::fresh_call_us(&component, 2_000));
            let what = format!("connector call in a fresh instance, {fresh_us:.1} us, against native mapping");
            report.figures.push(Figure::at_most("T6", what, fresh_us / native_us, 12.0, 9.0));
        }
        if wanted("T7") {
            let us = runtime.block_on(sandbox::instantiate_us(&component, 5_000));
            report.figures.push(Figure::at_most("T7", "microseconds to make and drop an instance, median", us, 20.0, 10.0));
        }
    }
    for id in asked.iter().filter(|id| id.starts_with('T') && !report.figures.iter().any(|f| f.id == **id)) {
        report.skipped.push(entrepot_tests::report::Skipped { id: (*id).into(), why: "this program does not measure it yet".into() });
    }
    if arguments.iter().any(|a| a == "--json") {
        println!("{}", serde_json::to_string(&report).unwrap());
    } else {
        print!("{}", report.table());
    }
    if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn servers(report: &mut Report, wanted: &dyn Fn(&str) -> bool) {
    let rounds = [
        ("B0", 200_000, "bare HTTP 200"),
        ("B1", 200_000, "HTTP 200 after an HMAC of the body"),
        ("B2", 5_000, "one full-sync commit per request"),
        ("B3", 100_000, "group commit with full sync"),
    ];
    for (id, requests, what) in rounds.into_iter().filter(|(id, ..)| wanted(id)) {
        let server = Server::start(id);
        let outcome = drive(server.address, requests, None).await;
        assert_eq!(outcome.failed, 0, "{id} refused requests");
        report.baseline(id, format!("{what}, {CONNECTIONS} connections"), outcome.per_second, "req/s");
        report.baseline(id, format!("{what}: p99 at full speed"), outcome.percentile_us(990) as f64, "us");
    }
}

/// Signed, distinct deliveries of 1 KiB, as a shop's webhooks would be.
fn deliveries() -> Requests {
    Arc::new(|n| {
        let body = format!(r#"{{"id":{n},"note":"{}"}}"#, "x".repeat(1_000)).into_bytes();
        load::post("/webhooks/x", &[(signed::HEADER, &signed::sign(&body)), (accept::HEADER, &n.to_string())], &body)
    })
}

async fn drive(address: SocketAddr, requests: u64, rate: Option<u64>) -> Outcome {
    load::run(address, &Load { connections: CONNECTIONS, requests, rate }, deliveries()).await
}

fn native_map_us() -> f64 {
    const ROUNDS: u32 = 50_000;
    let began = Instant::now();
    for _ in 0..ROUNDS {
        std::hint::black_box(map::order(std::hint::black_box(map::SAMPLE)).unwrap());
    }
    began.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS)
}

/// A baseline in a process of its own; ended when dropped.
struct Server {
    address: SocketAddr,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start(id: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut child = command.args(["serve", id]).arg(folder.path()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { address: line.trim().parse().unwrap(), child, _folder: folder }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(which: &str, folder: &Path) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let file = folder.join("inbox.db");
        let router = match which {
            "B0" => bare::router(),
            "B1" => signed::router(),
            "B2" => accept::router(&file, accept::Commit::Each),
            "B3" => accept::router(&file, accept::Commit::Groups),
            other => panic!("`{other}` is not a server baseline; B0, B1, B2 and B3 are"),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        std::io::stdout().flush().unwrap();
        axum::serve(listener, router).await.unwrap();
    });
    ExitCode::SUCCESS
}
