//! Several nodes on one server: a schedule fires once, and a node that was stopped and wakes again changes nothing it no
//! longer holds.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use entrepot::clock::Clock;
use entrepot::ctx::{Ctx, Tenant};
use entrepot::id::{ConnectionId, Entropy, Ids};
use entrepot::lanes::{self, Claim, Handler, HandlerError, Handlers, LaneKind, Runner, schedule};
use entrepot::store::{Location, Store};
use entrepot_tests::chance::count;
use entrepot_tests::site::Site;

use super::kill::Scene;

const NODES: u64 = 3;
const START_MS: i64 = 1_795_176_000_000;
const MINUTE_MS: i64 = 60_000;

type Running<'a> = Pin<Box<dyn Future<Output = Result<(), HandlerError>> + Send + 'a>>;

/// Counts its runs by the minute in which they were due.
#[derive(Clone, Default)]
struct Counter(Arc<Mutex<HashMap<i64, u64>>>);

impl Handler for Counter {
    fn run<'a>(&'a self, ctx: &'a Ctx, _: &'a Claim) -> Running<'a> {
        *self.0.lock().unwrap().entry(ctx.now_ms() / MINUTE_MS).or_default() += 1;
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_fires_once_on_three_nodes() {
    let Some(database) = entrepot_test_postgres::fresh_database().await else { return };
    let clock = Clock::manual(START_MS);
    let counter = Counter::default();
    let mut runners = Vec::new();
    for node in 0..NODES {
        let store = Store::open(&Location::Postgres(database.url().into()), &clock).await.unwrap();
        let ctx =
            Ctx { tenant: Tenant::main(), clock: clock.clone(), ids: Ids::new(clock.clone(), Entropy::seeded(node)), actor: "test".into() };
        if node == 0 {
            let (ctx, connection) = (ctx.clone(), ConnectionId::new(&ctx.ids));
            let set = store.write(move |tx| {
                Box::pin(async move {
                    schedule::introduce_tenant(tx, &ctx, "Test", "Europe/Berlin").await?;
                    schedule::set(tx, &ctx, &connection, schedule::Run::OrdersIn, "* * * * *", true).await
                })
            });
            set.await.unwrap();
        }
        runners.push(Runner::new(store, ctx, Handlers::new().with(LaneKind::Poll, counter.clone()), lanes::Limits::default()));
    }
    let fires = count(150, 1_000);
    for _ in 0..fires {
        clock.advance(MINUTE_MS);
        let [one, two, three] = &mut runners[..] else { unreachable!() };
        let (one, two, three) = tokio::join!(one.run_until_idle(), two.run_until_idle(), three.run_until_idle());
        assert!(one.is_ok() && two.is_ok() && three.is_ok(), "{one:?} {two:?} {three:?}");
    }
    let runs = counter.0.lock().unwrap();
    let wrong: Vec<_> = runs.iter().filter(|(_, runs)| **runs != 1).collect();
    assert!(wrong.is_empty(), "minutes that did not fire once: {wrong:?}");
    assert_eq!(runs.len() as u64, fires, "a minute was left out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_stopped_wakes_and_commits_nothing_stale() {
    for _ in 0..count(1, 100) {
        let Some(site) = Site::server().await else { return };
        let mut scene = Scene::set(site).await;
        let first = scene.start();
        // Stopped in the middle of its work: it holds lanes.
        let held = loop {
            scene.sell(Duration::from_millis(200)).await;
            first.signal("STOP");
            let held = scene.holders().await;
            if !held.is_empty() {
                break held;
            }
            first.signal("CONT");
        };
        let others = [scene.start_elsewhere(), scene.start_elsewhere()];
        scene.sell_at(others[0].address, Duration::from_millis(500)).await;
        scene.taken_over(&held).await;
        first.signal("CONT");
        scene.sell(Duration::from_millis(500)).await;
        let [second, third] = others;
        scene.settle_and_check([first, second, third]).await;
    }
}
