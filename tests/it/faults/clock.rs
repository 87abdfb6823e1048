//! Clocks that are set, turned back, changed for summer, or differ from node to node: nothing fires twice, no lease ends early.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use entrepot::clock::Clock;
use entrepot::ctx::{Ctx, Tenant};
use entrepot::id::{ConnectionId, Entropy, Ids};
use entrepot::lanes::{self, Claim, Handler, HandlerError, Handlers, LaneKey, LaneKind, Runner, schedule};
use entrepot::store::{Location, Store};
use entrepot_tests::hub::Place;
use entrepot_tests::on_both;
use tokio::sync::Semaphore;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// 2026-11-20T12:00:30Z: half a minute past, so that no step lands on a fire.
const START: i64 = 1_795_176_030_000;
/// 2026-03-29T00:30:30Z and 2026-10-25T00:00:30Z: half an hour before Berlin's clocks go forward, an hour before they go back.
const SPRING: i64 = 1_774_744_230_000;
const AUTUMN: i64 = 1_792_886_430_000;

type Running<'a> = Pin<Box<dyn Future<Output = Result<(), HandlerError>> + Send + 'a>>;

async fn open(location: &Location, clock: &Clock, node: u64) -> (Store, Ctx) {
    let store = Store::open(location, clock).await.unwrap();
    let ids = Ids::new(clock.clone(), Entropy::seeded(node));
    (store, Ctx { tenant: Tenant::main(), clock: clock.clone(), ids, actor: "test".into() })
}

/// Notes when it ran.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<i64>>>);

impl Handler for Diary {
    fn run<'a>(&'a self, ctx: &'a Ctx, _: &'a Claim) -> Running<'a> {
        self.0.lock().unwrap().push(ctx.now_ms());
        Box::pin(async { Ok(()) })
    }
}

/// Runs a schedule of every five minutes through `steps` of the clock, and returns when it fired.
async fn fires(place: &Place, start: i64, steps: impl IntoIterator<Item = i64>) -> Vec<i64> {
    let clock = Clock::manual(start);
    let (store, ctx) = open(&place.location(), &clock, 1).await;
    let (c, connection) = (ctx.clone(), ConnectionId::new(&ctx.ids));
    let set = store.write(move |tx| {
        Box::pin(async move {
            schedule::introduce_tenant(tx, &c, "Test", "Europe/Berlin").await?;
            schedule::set(tx, &c, &connection, schedule::Run::OrdersIn, "*/5 * * * *", true).await
        })
    });
    set.await.unwrap();
    let diary = Diary::default();
    let mut runner = Runner::new(store.clone(), ctx, Handlers::new().with(LaneKind::Poll, diary.clone()), lanes::Limits::default());
    for step in steps {
        clock.advance(step);
        runner.run_until_idle().await.unwrap();
    }
    store.close().await;
    diary.0.lock().unwrap().clone()
}

fn minutes(count: usize) -> impl Iterator<Item = i64> {
    std::iter::repeat_n(MINUTE, count)
}

/// Nobody may see the same local five minutes fire twice.
fn assert_once(fired: &[i64]) {
    let mut marks: HashMap<i64, usize> = HashMap::new();
    for at in fired {
        *marks.entry(at / (5 * MINUTE)).or_default() += 1;
    }
    let twice: Vec<_> = marks.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "fired more than once: {twice:?}");
}

on_both! {
    async fn a_clock_that_jumps_forward_fires_what_it_missed_once(place: Place) {
        // One database each: a schedule remembers what it has fired.
        let fired = fires(&place, START, minutes(10).chain([5 * MINUTE]).chain(minutes(10)).chain([DAY]).chain(minutes(10))).await;
        assert_once(&fired);
        // Ten minutes, the jump, ten minutes, the day, ten minutes: one fire for each gap, not one for each time missed.
        assert!((7..=9).contains(&fired.len()), "{} fires: {fired:?}", fired.len());
    }

    async fn a_clock_that_is_turned_back_does_not_fire_again(place: Place) {
        let fired = fires(&place, START, minutes(20).chain([-5 * MINUTE]).chain(minutes(15)).chain([-HOUR]).chain(minutes(70))).await;
        assert_once(&fired);
        // Ten minutes of new time after the first step back, ten after the second.
        assert_eq!(fired.len(), 4 + 2 + 2, "{fired:?}");
    }

    async fn a_clock_a_day_ahead_that_is_set_right_fires_again_when_its_time_comes(place: Place) {
        let fired = fires(&place, START, minutes(10).chain([DAY]).chain(minutes(10)).chain([-DAY]).chain(minutes(10))).await;
        assert_once(&fired);
    }

    async fn when_summer_begins_no_fire_is_lost_or_doubled(place: Place) {
        let fired = fires(&place, SPRING, minutes(120)).await;
        assert_once(&fired);
        assert_eq!(fired.len(), 24, "two hours of time, although the wall clock shows three: {fired:?}");
    }

    async fn when_summer_ends_the_repeated_hour_fires_once(place: Place) {
        let fired = fires(&place, AUTUMN, minutes(240)).await;
        assert_once(&fired);
        // Four hours of time; the local hour that comes twice fires the first time only.
        assert_eq!(fired.len(), 36, "{fired:?}");
    }
}

/// Holds its lane until it is let go.
#[derive(Clone)]
struct Holder {
    hold: Arc<Semaphore>,
    entered: Arc<Semaphore>,
}

impl Handler for Holder {
    fn run<'a>(&'a self, _: &'a Ctx, _: &'a Claim) -> Running<'a> {
        Box::pin(async move {
            self.entered.add_permits(1);
            let _ = self.hold.acquire().await.unwrap();
            Ok(())
        })
    }
}

/// One node holds a lane, its clock moves by `jump`, another looks for work. Returns whether the other got the lane.
async fn taken_over(place: &Place, jump: i64) -> bool {
    let clock = Clock::manual(START);
    let (store, ctx) = open(&place.location(), &clock, 1).await;
    let lane = LaneKey::new(LaneKind::Reconcile, &ConnectionId::new(&ctx.ids), format!("jump {jump}"));
    let (c, wished) = (ctx.clone(), lane.clone());
    store.write(move |tx| Box::pin(async move { lanes::make_due(tx, &c, &wished, c.now_ms()).await })).await.unwrap();
    let holder = Holder { hold: Arc::new(Semaphore::new(0)), entered: Arc::new(Semaphore::new(0)) };
    let mut first =
        Runner::new(store.clone(), ctx.clone(), Handlers::new().with(LaneKind::Reconcile, holder.clone()), lanes::Limits::default());
    let first = tokio::spawn(async move { first.run_until_idle().await });
    let _ = holder.entered.acquire().await.unwrap();
    let diary = Diary::default();
    let mut second = Runner::new(store.clone(), ctx, Handlers::new().with(LaneKind::Reconcile, diary.clone()), lanes::Limits::default());
    clock.advance(jump);
    second.run_until_idle().await.unwrap();
    holder.hold.add_permits(1);
    first.await.unwrap().unwrap();
    let taken = !diary.0.lock().unwrap().is_empty();
    store.close().await;
    taken
}

on_both! {
    async fn a_lease_ends_when_its_time_is_over_and_not_before(place: Place) {
        for (jump, taken) in [(29_000, false), (31_000, true), (-5 * MINUTE, false), (-DAY, false), (DAY, true), (0, false)] {
            assert_eq!(taken_over(&place, jump).await, taken, "a jump of {jump} ms");
        }
    }
}

/// What a node's own clock shows does not matter: all ask the database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_agree_on_the_time_of_their_server() {
    let Some(place) = Place::server().await else { return };
    let (one, two) = (Clock::following(), Clock::following());
    let (store, _) = open(&place.location(), &one, 1).await;
    // The second node's clock was half a minute slow before it asked.
    two.anchor(one.now_ms() - 30_000);
    assert!(one.now_ms() - two.now_ms() > 29_000);
    store.steer(&two).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    let apart = (one.now_ms() - two.now_ms()).abs();
    assert!(apart < 1_000, "two nodes are {apart} ms apart");
}
