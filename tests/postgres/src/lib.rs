//! PostgreSQL for tests: one private server per test process, one fresh database per test.
//!
//! [`fresh_database`] starts the server the first time it is asked. It needs PostgreSQL's server programs (15 or newer,
//! from `PATH` or where distributions keep them) and no rights: as root it runs them as `postgres` or `nobody`. The server
//! listens on a random loopback port, keeps its files in a temporary folder, and is gone when the test process is, however
//! that ended. [`private_cluster`] gives a test a server of its own that it may crash and start again.
//!
//! - `ENTREPOT_TEST_POSTGRES=postgres://…` uses that server instead; its user must be allowed to create databases.
//! - Without a server, tests skip and one line on standard error says so.
//! - `ENTREPOT_TEST_REQUIRE_POSTGRES=1` turns the skip into a failure, so that CI cannot pass by skipping.

// A test harness: what it cannot do must stop the test, and its settings come from the environment.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod database;
mod programs;
#[cfg(unix)]
mod server;

use std::io::Write as _;
use std::sync::OnceLock;

pub use database::Database;
#[cfg(unix)]
pub use server::{Cluster, Durability};

const HINT: &str = "hint: install PostgreSQL 15 or newer (Debian: apt-get install postgresql), or set \
                    ENTREPOT_TEST_POSTGRES=postgres://user@host/postgres to a server whose user may create databases";

/// A database of its own for one test. `None`, loudly, where there is no server.
pub async fn fresh_database() -> Option<Database> {
    let shared = tokio::task::spawn_blocking(shared_server).await.unwrap();
    match shared {
        Ok(url) => Some(Database::create(url).await),
        Err(why) => skip(why),
    }
}

/// A server that belongs to the caller alone, for tests that crash it.
#[cfg(unix)]
pub async fn private_cluster(durability: Durability) -> Option<Cluster> {
    match tokio::task::spawn_blocking(move || Cluster::start_new(durability)).await.unwrap() {
        Ok(cluster) => Some(cluster),
        Err(why) => skip(&why),
    }
}

/// The address of the one server this process's tests share, or why there is none.
fn shared_server() -> Result<&'static str, &'static str> {
    static SHARED: OnceLock<Result<String, String>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| match std::env::var("ENTREPOT_TEST_POSTGRES") {
        Ok(url) if !url.is_empty() => Ok(url),
        _ => private_for_this_process(),
    });
    shared.as_deref().map_err(String::as_str)
}

#[cfg(unix)]
fn private_for_this_process() -> Result<String, String> {
    let cluster = Cluster::start_new(Durability::SurvivesProcessCrash)?;
    let url = cluster.url();
    // Statics are never dropped: the watchdog stops the server when this process ends.
    static KEEP: OnceLock<Cluster> = OnceLock::new();
    let _ = KEEP.set(cluster);
    Ok(url)
}

#[cfg(not(unix))]
fn private_for_this_process() -> Result<String, String> {
    Err("this platform needs a PostgreSQL server that already runs".into())
}

fn skip<T>(why: &str) -> Option<T> {
    let required = std::env::var_os("ENTREPOT_TEST_REQUIRE_POSTGRES").is_some_and(|value| value == "1");
    assert!(!required, "ENTREPOT_TEST_REQUIRE_POSTGRES=1, but {why}; {HINT}");
    static SAID: OnceLock<()> = OnceLock::new();
    SAID.get_or_init(|| {
        // Not `eprintln!`: the test harness would keep it to itself when the test passes.
        let _ = writeln!(std::io::stderr(), "\nSKIPPED on PostgreSQL: {why}; {HINT}\n");
    });
    None
}
