//! Work that kills the process that tries it: it is set aside after three claims, and what ran beside it is not blamed.

use std::path::Path;
use std::pin::Pin;
use std::process::Command;

use entrepot::clock::Clock;
use entrepot::ctx::{Ctx, Tenant};
use entrepot::id::{ConnectionId, Entropy, Ids};
use entrepot::lanes::model::LEASE_MS;
use entrepot::lanes::{self, Claim, Filter, Handler, HandlerError, Handlers, Lane, LaneKey, LaneKind, Runner};
use entrepot::store::{Location, Store};

const FOLDER: &str = "ENTREPOT_TEST_POISON_FOLDER";
const NOW: &str = "ENTREPOT_TEST_POISON_NOW";
const DATABASE: &str = "ENTREPOT_TEST_POISON_DATABASE";
/// A little more than a process stands here and the lease of what it held: the next process finds that.
const LATER_MS: i64 = 2 * LEASE_MS + 1_000;
const START_MS: i64 = 1_795_176_000_000;
const NEIGHBOURS: usize = 20;
const POISONS: usize = 10;

/// Ends the process when the subject says so; otherwise leaves a mark for each run.
struct Fragile(std::path::PathBuf);

impl Handler for Fragile {
    fn run<'a>(&'a self, _: &'a Ctx, claim: &'a Claim) -> Running<'a> {
        Box::pin(async move {
            if claim.subject().starts_with("poison") {
                std::process::abort();
            }
            let mut marks = std::fs::File::options().create(true).append(true).open(self.0.join(claim.subject())).unwrap();
            std::io::Write::write_all(&mut marks, b"x").unwrap();
            Ok(())
        })
    }
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<(), HandlerError>> + Send + 'a>>;

async fn open(database: &str, now_ms: i64) -> (Store, Ctx) {
    let clock = Clock::manual(now_ms);
    let location = if database.starts_with("postgres://") { Location::Postgres(database.into()) } else { Location::File(database.into()) };
    let store = Store::open(&location, &clock).await.unwrap();
    let ids = Ids::new(clock.clone(), Entropy::seeded(now_ms.unsigned_abs()));
    (store, Ctx { tenant: Tenant::main(), clock, ids, actor: "test".into() })
}

/// What the test starts again and again; on its own it does nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_may_die() {
    let (Ok(folder), Ok(now), Ok(database)) = (std::env::var(FOLDER), std::env::var(NOW), std::env::var(DATABASE)) else { return };
    let (store, ctx) = open(&database, now.parse().unwrap()).await;
    let handlers = Handlers::new().with(LaneKind::Reconcile, Fragile(folder.into()));
    let limits = lanes::Limits::default().with(LaneKind::Reconcile, lanes::model::Cap { total: 16, per_connection: 16 });
    let mut runner = Runner::new(store.clone(), ctx.clone(), handlers, limits);
    runner.run_until_idle().await.unwrap();
    // What a dead process held is taken up by one that has stood for a lease.
    ctx.clock.advance(LEASE_MS);
    runner.run_until_idle().await.unwrap();
    store.close().await;
}

fn run_once(folder: &Path, database: &str, now_ms: i64) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "faults::poison::a_process_that_may_die"]);
    command.env(FOLDER, folder).env(NOW, now_ms.to_string()).env(DATABASE, database);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    command.status().unwrap().success()
}

async fn lanes_of(database: &str, now_ms: i64) -> Vec<Lane> {
    let (store, ctx) = open(database, now_ms).await;
    let lanes = lanes::list(&mut store.read().await.unwrap(), &ctx, Filter::All, None, 1_000).await.unwrap();
    store.close().await;
    lanes
}

async fn poisoned(database: &str, poisons: usize) {
    let folder = tempfile::tempdir().unwrap();
    let (store, ctx) = open(database, START_MS).await;
    let connection = ConnectionId::new(&ctx.ids);
    let subjects = (0..poisons).map(|n| format!("poison-{n}")).chain((0..NEIGHBOURS).map(|n| format!("neighbour-{n}")));
    let keys: Vec<LaneKey> = subjects.map(|subject| LaneKey::new(LaneKind::Reconcile, &connection, subject)).collect();
    store.write(move |tx| Box::pin(async move { lanes::make_due_many(tx, &ctx, &keys, START_MS).await })).await.unwrap();
    store.close().await;

    let (mut now_ms, mut deaths) = (START_MS, 0);
    while !run_once(folder.path(), database, now_ms) {
        deaths += 1;
        assert!(deaths <= 3 * poisons, "the process died {deaths} times of {poisons} pieces of work");
        now_ms += LATER_MS;
    }
    for lane in lanes_of(database, now_ms).await {
        if lane.key.subject.starts_with("poison") {
            assert!(lane.quarantined_at.is_some(), "{lane:?}");
            assert_eq!((lane.claims, lane.failures), (3, 0), "{lane:?}");
        } else {
            assert_eq!((lane.claims, lane.failures, lane.quarantined_at), (0, 0, None), "{lane:?}");
            let runs = std::fs::read(folder.path().join(&lane.key.subject)).unwrap_or_default();
            assert!((1..=3).contains(&runs.len()), "{} ran {} times", lane.key.subject, runs.len());
        }
    }
    if poisons == 1 {
        assert_eq!(deaths, 3, "three tries, no more and no fewer");
    }
}

async fn on_a_file(poisons: usize) {
    let folder = tempfile::tempdir().unwrap();
    poisoned(folder.path().join("poison.db").to_str().unwrap(), poisons).await;
}

async fn on_a_server(poisons: usize) {
    if let Some(database) = entrepot_test_postgres::fresh_database().await {
        poisoned(database.url(), poisons).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_poison_is_tried_three_times_and_its_neighbours_keep_their_counters() {
    on_a_file(1).await;
    on_a_server(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_poisons_are_set_aside_without_taking_anything_with_them() {
    on_a_file(POISONS).await;
    on_a_server(POISONS).await;
}
