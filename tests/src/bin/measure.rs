//! Prints the hub's figures as ratios against the baseline programs, all measured in this run on this machine.
//!
//! `measure [--json] [T1 …]`: without names, everything that can be measured. Exit code 1 if a figure misses its gate.
//! Hub and baselines run as processes of their own (`measure baseline B3 FOLDER`, `measure serve …`), so that both share the
//! cores with the load in the same way.

#![allow(clippy::unwrap_used)]

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use entrepot::api::listen;
use entrepot_tests::baselines::{accept, bare, signed};
use entrepot_tests::figures::{self, Asked, KNOWN, sandbox};
use entrepot_tests::report::Report;
use entrepot_tests::site::Site;

/// Words with which this program is started as the product's own.
const PRODUCT: [&str; 2] = ["serve", entrepot::plugins::compile::CHILD];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [word, ..] if PRODUCT.contains(word) => entrepot::cli::main(),
        ["baseline", which, folder] => baseline(which, Path::new(folder)),
        ["weigh", what] => {
            println!("{}", runtime().block_on(sandbox::weigh(what)));
            ExitCode::SUCCESS
        }
        _ => measure(arguments),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}

fn measure(mut arguments: Vec<String>) -> ExitCode {
    let as_json = arguments.iter().any(|argument| argument == "--json");
    arguments.retain(|argument| argument != "--json");
    let asked = Asked::new(arguments);
    if let Some(unknown) = asked.unknown().next() {
        eprintln!("`{unknown}` is not an option or a figure\nusage: measure [--json] [{}]", KNOWN.join("|"));
        return ExitCode::from(2);
    }
    let mut report = Report::default();
    runtime().block_on(figures::measure(&asked, &mut report));
    if as_json {
        println!("{}", serde_json::to_string(&report).unwrap());
    } else {
        print!("{}", report.table());
    }
    if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Serves until it is killed; the first line says where.
fn baseline(which: &str, folder: &Path) -> ExitCode {
    runtime().block_on(async {
        let file = folder.join("inbox.db");
        let router = match which {
            "B0" => bare::router(),
            "B1" => signed::router(),
            "B2" => accept::router(&file, accept::Commit::Each),
            "B3" => accept::router(&file, accept::Commit::Groups),
            // The real hub whose lanes stand still: it accepts, as the baselines do.
            "HUB" => entrepot::api::router(&Site::at(folder).open().await),
            other => panic!("`{other}` is not a server baseline; B0, B1, B2, B3 and HUB are"),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        std::io::stdout().flush().unwrap();
        match which {
            // Through its own door, with the bounds that it puts on senders.
            "HUB" => listen::serve(listener, router, listen::Pace::default(), std::future::pending()).await,
            _ => axum::serve(listener, router.into_make_service_with_connect_info::<std::net::SocketAddr>()).await.unwrap(),
        }
    });
    ExitCode::SUCCESS
}
