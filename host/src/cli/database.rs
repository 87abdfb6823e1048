//! `database move`: a hub on a file moves to a server.

use clap::Subcommand;
use serde_json::json;

use super::hub::lock;
use super::place::Place;
use super::{Stop, print};
use crate::clock::Clock;
use crate::config::Database;
use crate::store::{Location, Store, chain, transfer};

#[derive(Subcommand)]
pub enum Command {
    /// Copy everything from the database file into an empty PostgreSQL database; the file stays as it is. The hub must not run.
    Move {
        /// `postgres://user:password@host/database`, which holds nothing yet.
        #[arg(long, value_name = "URL")]
        to: String,
    },
}

pub async fn run(place: Place, command: Command) -> Result<(), Stop> {
    let Command::Move { to } = command;
    let config = place.load(&[])?.config;
    let Database::File(file) = &config.database else {
        return Err(Stop::usage("the database is on PostgreSQL already; hint: between servers, pg_dump and pg_restore move it"));
    };
    if !["postgres://", "postgresql://"].iter().any(|scheme| to.starts_with(scheme)) {
        return Err(Stop::usage("--to does not name a PostgreSQL database; hint: write postgres://user:password@host/database"));
    }
    let _lock = lock(&config)?;
    if !file.exists() {
        return Err(Stop::failed(format!("there is no database {}; hint: check data.folder and database.url", file.display())));
    }
    let failed = |error: &dyn std::error::Error| Stop::failed(chain(error));
    let from = Store::connect(&Location::File(file.clone())).await.map_err(|error| failed(&error))?;
    let target = Store::connect(&Location::Postgres(to)).await.map_err(|error| failed(&error))?;
    let moved = transfer::run(&from, &target, &Clock::system()).await;
    from.close().await;
    target.close().await;
    let moved = moved.map_err(|error| failed(&error))?;
    let rows: u64 = moved.iter().map(|table| table.rows).sum();
    let answer = json!({ "items": moved, "next_cursor": null, "rows": rows });
    print::answer(place.json, &answer, &[("TABLE", "table"), ("ROWS", "rows"), ("CHECKSUM", "checksum")]);
    if !place.json {
        say!("\n{rows} rows arrived as they left; {} is as it was", file.display());
        say!(
            "next: set database.url to the new database, keep the master key where it is, and start the hub; do not start it on the file again"
        );
    }
    Ok(())
}
