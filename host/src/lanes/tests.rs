//! Lanes on both databases.

#![allow(clippy::unwrap_used)]

mod running;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;

use super::model::{Cap, LEASE_MS, MAX_CLAIMS, MAX_FAILURES, NEVER, backoff_ms, end_of_run, share_slots};
use super::wake::Wake;
use super::*;
use crate::clock::Clock;
use crate::ctx::Tenant;
use crate::id::{Entropy, Ids};
use crate::store::Dialect;
use crate::store::tests::TestDb;

const RENEW_MS: i64 = LEASE_MS / 6;

fn connection(n: u64) -> ConnectionId {
    ConnectionId::new(&Ids::new(Clock::manual(1), Entropy::seeded(n)))
}

fn push_lane(n: u64) -> LaneKey {
    LaneKey::new(LaneKind::Push, &connection(n), "stock")
}

fn order_lane(subject: impl Into<String>) -> LaneKey {
    LaneKey::new(LaneKind::Inbound, &connection(1), subject)
}

async fn wish(db: &TestDb, lane: &LaneKey, at_ms: i64) {
    let (ctx, lane) = (db.ctx(), lane.clone());
    db.store.write(move |tx| Box::pin(async move { make_due(tx, &ctx, &lane, at_ms).await })).await.unwrap();
}

/// One claim round as a runner makes it, over every flow and with suspects.
async fn claim(db: &TestDb, process: &str, slots: usize) -> Vec<Claim> {
    let (now, claim) = (db.clock.now_ms(), db.ctx().ids.body());
    let suspects =
        store::Suspects { process: format!("{process}/"), kinds: LaneKind::ALL.to_vec(), of_others: true, more: 4, last_try: true };
    let due = store::due(&mut db.store.read().await.unwrap(), &suspects).await.unwrap();
    let flows: Vec<(String, usize)> = due.flows.into_iter().map(|(_, flow, _)| (flow, slots)).collect();
    db.store
        .write(move |tx| {
            Box::pin(async move {
                store::quarantine_crashed(tx, &suspects.process, now).await?;
                store::claim(tx, &claim, now, LEASE_MS, &flows, &suspects).await
            })
        })
        .await
        .unwrap()
}

async fn end(db: &TestDb, claim: &Claim, outcome: Outcome) -> Result<(), Error> {
    let (ctx, claim) = (db.ctx(), claim.clone());
    db.store.write(move |tx| Box::pin(async move { finish(tx, &ctx, &claim, outcome).await })).await
}

async fn lanes(db: &TestDb) -> Vec<Lane> {
    list(&mut db.store.read().await.unwrap(), &db.ctx(), Filter::All, None, 10_000).await.unwrap()
}

async fn lane(db: &TestDb, key: &LaneKey) -> Option<Lane> {
    lanes(db).await.into_iter().find(|lane| lane.key == *key)
}

fn runner(db: &TestDb, handlers: Handlers) -> Runner {
    Runner::new(db.store.clone(), db.ctx(), handlers, Limits::default())
}

type Ending = Result<(), HandlerError>;

/// A handler made of a function.
struct By<F>(F);

impl<F: Fn(&Ctx, &Claim) -> BoxFuture<'static, Ending> + Send + Sync> Handler for By<F> {
    fn run<'a>(&'a self, ctx: &'a Ctx, claim: &'a Claim) -> BoxFuture<'a, Ending> {
        (self.0)(ctx, claim)
    }
}

/// A handler that counts its runs and ends each as told.
fn ending(runs: &Arc<AtomicUsize>, end: fn() -> Ending) -> impl Handler + use<> {
    let runs = runs.clone();
    By(move |_: &Ctx, _: &Claim| -> BoxFuture<'static, Ending> {
        runs.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move { end() })
    })
}

/// A handler that ends when the gate has a place for it.
fn waiting(gate: &Arc<tokio::sync::Semaphore>) -> impl Handler + use<> {
    let gate = gate.clone();
    By(move |_: &Ctx, _: &Claim| -> BoxFuture<'static, Ending> {
        let gate = gate.clone();
        Box::pin(async move { gate.acquire_owned().await.map(|place| place.forget()).map_err(|_| HandlerError::failed("closed")) })
    })
}

/// Waits in real time for something a background task does; the hub's own clock is moved by hand.
async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..500 {
        if holds().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("never happened: {what}");
}

struct Deaf;

impl Wake for Deaf {
    fn wait(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}

/// Wakes without a reason, again and again.
struct Nervous;

impl Wake for Nervous {
    fn wait(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(std::time::Duration::from_millis(1)))
    }
}

#[test]
fn a_lane_key_comes_back_from_its_text_with_slashes_in_the_subject() {
    let keys = [order_lane("orders/12/a"), LaneKey::of_hub(LaneKind::Housekeeping, "purge"), order_lane("")];
    for key in keys {
        assert_eq!(LaneKey::parse(&key.id()), Some(key));
    }
    for wrong in ["", "inbound", "inbound/con_x/1", "sprint//x", "inbound/"] {
        assert_eq!(LaneKey::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn a_reason_of_any_length_is_kept_short() {
    let end = end_of_run(Outcome::Quarantine { reason: "ä".repeat(5_000) }, (0, 0), 5, 0);
    assert_eq!(end.reason.unwrap().chars().count(), 1_001);
}

#[test]
fn busy_flows_are_topped_up_by_several_lanes_at_once_and_an_idle_one_never_waits() {
    let flows = |names: &[&str]| names.iter().map(|name| (LaneKind::Inbound, format!("inbound/{name}"))).collect::<Vec<_>>();
    let running = |loads: &[(&str, usize)]| loads.iter().map(|(name, n)| (format!("inbound/{name}"), *n)).collect::<HashMap<_, _>>();
    let cap = |_| Cap { total: 64, per_connection: 32 };
    let given =
        |names: &[&str], loads: &[(&str, usize)]| share_slots(&flows(names), &running(loads), cap, 0).iter().map(|(_, n)| n).sum::<usize>();
    assert_eq!(given(&["a"], &[("a", 29)]), 0);
    assert_eq!(given(&["a"], &[("a", 28)]), 4);
    assert_eq!(given(&["a", "b"], &[("a", 29), ("b", 31)]), 4, "together they are enough");
    assert_eq!(given(&["a", "b"], &[("a", 32), ("c", 31)]), 1, "the last place, for a connection that has none");
    assert_eq!(given(&["a"], &[("a", 32)]), 0);
}

proptest::proptest! {
    #[test]
    fn a_back_off_grows_is_never_shorter_than_asked_and_only_ever_longer_by_jitter(failures in 1i64..100, asked in proptest::option::of(0i64..3_600_000), jitter: u64) {
        let wait = backoff_ms(failures, asked, jitter);
        let bare = backoff_ms(failures, asked, 0);
        proptest::prop_assert!(bare >= asked.unwrap_or(0));
        proptest::prop_assert!(bare >= 1_000 && bare <= 900_000.max(asked.unwrap_or(0)));
        proptest::prop_assert!(wait >= bare && wait <= bare + bare / 10);
        proptest::prop_assert!(backoff_ms(failures + 1, asked, 0) >= bare);
    }

    #[test]
    fn shared_slots_respect_both_caps_and_leave_none_unused(
        flows in proptest::collection::vec((0usize..3, 0usize..6), 0..12),
        total in 0usize..20, each in 1usize..6, turn: usize,
    ) {
        let kinds = [LaneKind::Inbound, LaneKind::Push, LaneKind::Poll];
        let mut due: Vec<(LaneKind, String)> = Vec::new();
        let mut running = HashMap::new();
        for (n, (kind, busy)) in flows.iter().enumerate() {
            let flow = format!("{}/c{n}", kinds[*kind]);
            if *busy > 0 {
                running.insert(flow.clone(), (*busy).min(each));
            }
            due.push((kinds[*kind], flow));
        }
        let given: HashMap<String, usize> = share_slots(&due, &running, |_| Cap { total, per_connection: each }, turn).into_iter().collect();
        for kind in kinds {
            let of_kind: Vec<&String> = due.iter().filter(|(k, _)| *k == kind).map(|(_, f)| f).collect();
            let busy = |flow: &String| running.get(flow).copied().unwrap_or(0);
            let load = |flow: &String| busy(flow) + given.get(flow).copied().unwrap_or(0);
            let before: usize = of_kind.iter().map(|flow| busy(flow)).sum();
            let after: usize = of_kind.iter().map(|flow| load(flow)).sum();
            proptest::prop_assert!(after <= total.max(before));
            proptest::prop_assert!(of_kind.iter().all(|flow| load(flow) <= each));
            proptest::prop_assert!(after >= total || of_kind.iter().all(|flow| load(flow) == each));
        }
    }
}

crate::on_both! {
    async fn a_lane_that_is_asked_for_twice_runs_once_and_is_gone_when_it_was_for_one_record(db: TestDb) {
        let runs = Arc::new(AtomicUsize::new(0));
        for _ in 0..2 {
            wish(&db, &order_lane("7"), db.clock.now_ms()).await;
        }
        wish(&db, &push_lane(1), db.clock.now_ms()).await;
        let done = || ending(&runs, || Ok(()));
        runner(&db, Handlers::new().with(LaneKind::Inbound, done()).with(LaneKind::Push, done())).run_until_idle().await.unwrap();
        assert_eq!(runs.load(Ordering::SeqCst), 2);
        let left = lanes(&db).await;
        assert_eq!(left.iter().map(|lane| (&lane.key, lane.next_due)).collect::<Vec<_>>(), [(&push_lane(1), NEVER)]);
    }

    async fn the_earliest_wish_counts_and_nothing_runs_before_it(db: TestDb) {
        let now = db.clock.now_ms();
        for at in [now + 500, now + 100, now + 900] {
            wish(&db, &push_lane(1), at).await;
        }
        assert!(claim(&db, "a", 9).await.is_empty());
        db.clock.advance(99);
        assert!(claim(&db, "a", 9).await.is_empty());
        db.clock.advance(1);
        assert_eq!(claim(&db, "a", 9).await.len(), 1);
    }

    async fn sixteen_claimants_never_share_a_lane(db: TestDb) {
        let keys: Vec<LaneKey> = (0..200).map(|n| order_lane(format!("{n}"))).collect();
        let (ctx, all, now) = (db.ctx(), keys.clone(), db.clock.now_ms());
        db.store.write(move |tx| Box::pin(async move { make_due_many(tx, &ctx, &all, now).await })).await.unwrap();
        let db = Arc::new(db);
        let claimants = (0..16).map(|n| {
            let db = db.clone();
            tokio::spawn(async move {
                let mut mine = Vec::new();
                for round in 0..20 {
                    mine.extend(claim(&db, &format!("{n}.{round}"), 3).await);
                }
                mine
            })
        });
        let mut taken: Vec<String> = Vec::new();
        for claims in futures::future::join_all(claimants).await {
            taken.extend(claims.unwrap().iter().map(|claim| claim.key().id()));
        }
        taken.sort();
        let mut expected: Vec<String> = keys.iter().map(LaneKey::id).collect();
        expected.sort();
        assert_eq!(taken, expected);
    }

    async fn a_claim_takes_no_more_than_it_asked_for(db: TestDb) {
        for n in 0..20 {
            wish(&db, &order_lane(format!("{n}")), db.clock.now_ms()).await;
        }
        assert_eq!(claim(&db, "a", 3).await.len(), 3);
    }

    async fn a_holder_that_was_replaced_can_neither_pass_the_fence_nor_finish(db: TestDb) {
        wish(&db, &push_lane(1), db.clock.now_ms()).await;
        let old = claim(&db, "old", 1).await.remove(0);
        db.clock.advance(LEASE_MS);
        let new = claim(&db, "new", 1).await.remove(0);
        assert_eq!(new.epoch(), old.epoch() + 1);
        let check = old.clone();
        let ctx = db.ctx();
        let passed: Result<(), Error> = db.store.write(move |tx| Box::pin(async move {
            make_due(tx, &ctx, &push_lane(9), 0).await?;
            fence(tx, &check).await
        })).await;
        assert!(matches!(passed, Err(Error::Stale)));
        assert!(lane(&db, &push_lane(9)).await.is_none(), "what the stale holder wrote is undone");
        assert!(matches!(end(&db, &old, Outcome::Done).await, Err(Error::Stale)));
        end(&db, &new, Outcome::Done).await.unwrap();
        assert!(matches!(end(&db, &new, Outcome::Done).await, Err(Error::Stale)), "a run ends once");
    }

    async fn a_stale_holder_cannot_finish_a_lane_that_was_removed_and_made_again(db: TestDb) {
        wish(&db, &order_lane("7"), db.clock.now_ms()).await;
        let old = claim(&db, "old", 1).await.remove(0);
        db.clock.advance(LEASE_MS);
        end(&db, &claim(&db, "new", 1).await.remove(0), Outcome::Done).await.unwrap();
        wish(&db, &order_lane("7"), db.clock.now_ms()).await;
        let newest = claim(&db, "newest", 1).await.remove(0);
        assert_eq!(newest.epoch(), old.epoch(), "the epoch alone would not tell them apart");
        assert!(matches!(end(&db, &old, Outcome::Done).await, Err(Error::Stale)));
        end(&db, &newest, Outcome::Done).await.unwrap();
    }

    async fn units_of_work_wish_for_a_due_lane_at_once_and_nobody_claims_it_before_they_are_through(db: TestDb) {
        if db.store.dialect() == Dialect::Sqlite {
            return; // Its one writer takes one unit of work after the other.
        }
        wish(&db, &push_lane(1), db.clock.now_ms()).await;
        let (began, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(tokio::sync::Semaphore::new(0)));
        for _ in 0..2 {
            let (store, ctx, began, gate) = (db.store.clone(), db.ctx(), began.clone(), gate.clone());
            tokio::spawn(async move {
                store.write(move |tx| Box::pin(async move {
                    make_due(tx, &ctx, &push_lane(1), ctx.now_ms()).await?;
                    began.fetch_add(1, Ordering::SeqCst);
                    gate.acquire().await.unwrap().forget();
                    Ok::<_, crate::store::Error>(())
                })).await
            });
        }
        eventually("both are at work", async || began.load(Ordering::SeqCst) == 2).await;
        for _ in 0..2 {
            assert!(claim(&db, "a", 1).await.is_empty(), "its work is not to be seen yet");
            gate.add_permits(1);
            eventually("one is through", async || gate.available_permits() == 0).await;
        }
        eventually("all is to be seen", async || claim(&db, "a", 1).await.len() == 1).await;
    }

    async fn a_wish_during_a_run_is_not_lost(db: TestDb) {
        for key in [push_lane(1), order_lane("7")] {
            wish(&db, &key, db.clock.now_ms()).await;
            let first = claim(&db, "a", 1).await.remove(0);
            wish(&db, &key, db.clock.now_ms() + 40).await;
            wish(&db, &key, db.clock.now_ms() + 90).await;
            assert!(claim(&db, "b", 1).await.is_empty(), "it is still held");
            end(&db, &first, Outcome::Done).await.unwrap();
            assert_eq!(lane(&db, &key).await.unwrap().next_due, db.clock.now_ms() + 40);
            db.clock.advance(40);
            let second = claim(&db, "c", 1).await.remove(0);
            end(&db, &second, Outcome::Done).await.unwrap();
            assert!(claim(&db, "d", 1).await.is_empty());
        }
    }

    async fn a_handler_that_kills_the_process_is_quarantined_after_three_claims_and_its_neighbours_are_not(db: TestDb) {
        let neighbours: Vec<LaneKey> = (0..10).map(|n| order_lane(format!("good {n}"))).collect();
        for key in neighbours.iter().chain([&order_lane("0 poison")]) {
            wish(&db, key, db.clock.now_ms()).await;
        }
        // A process takes everything there is and dies: nothing is finished, and the leases run out.
        let mut deaths = 0;
        let mut good = 0;
        for process in 0.. {
            let claims = claim(&db, &format!("process {process}"), 100).await;
            if process > 0 {
                assert!(claims.len() <= 5, "suspects come a few at once");
                assert!(!claims.iter().any(Claim::is_last_try) || claims.iter().filter(|claim| claim.is_suspect()).count() == 1, "a last try comes alone");
            }
            if claims.iter().any(|claim| claim.subject() == "0 poison") {
                deaths += 1;
                db.clock.advance(LEASE_MS);
                continue;
            }
            if claims.is_empty() {
                break;
            }
            for survivor in &claims {
                end(&db, survivor, Outcome::Done).await.unwrap();
                good += 1;
            }
        }
        assert_eq!((deaths, good), (3, 10));
        let left = lanes(&db).await;
        assert_eq!(left.len(), 1);
        assert_eq!((left[0].claims, left[0].failures, left[0].quarantined_at), (MAX_CLAIMS, 0, Some(db.clock.now_ms())));
        assert!(left[0].reason.as_deref().unwrap().contains("process ended 3 times"), "{:?}", left[0].reason);

        wish(&db, &order_lane("0 poison"), db.clock.now_ms()).await;
        assert!(claim(&db, "again", 9).await.is_empty(), "a wish does not end a quarantine");
        let (ctx, key) = (db.ctx(), order_lane("0 poison"));
        assert!(db.store.write(move |tx| Box::pin(async move { release(tx, &ctx, &key).await })).await.unwrap());
        let released = claim(&db, "released", 9).await.remove(0);
        end(&db, &released, Outcome::Done).await.unwrap();
        assert!(lanes(&db).await.is_empty());
    }

    async fn typed_failures_back_off_and_the_eighth_in_a_row_quarantines(db: TestDb) {
        let runs = Arc::new(AtomicUsize::new(0));
        wish(&db, &push_lane(1), db.clock.now_ms()).await;
        let mut runner = runner(&db, Handlers::new().with(LaneKind::Push, ending(&runs, || Err(HandlerError::failed("no answer")))));
        for failure in 1..=MAX_FAILURES {
            runner.run_until_idle().await.unwrap();
            let seen = lane(&db, &push_lane(1)).await.unwrap();
            assert_eq!((seen.failures, seen.reason.as_deref()), (failure, Some("no answer")));
            assert_eq!(seen.quarantined_at.is_some(), failure == MAX_FAILURES);
            let bare = backoff_ms(failure, None, 0);
            let wait = seen.next_due - db.clock.now_ms();
            assert!((bare..=bare + bare / 10).contains(&wait), "{wait}");
            wish(&db, &push_lane(1), db.clock.now_ms()).await;
            assert_eq!(lane(&db, &push_lane(1)).await.unwrap().next_due, seen.next_due, "a wish does not cut a back-off short");
            db.clock.advance(wait);
        }
        runner.run_until_idle().await.unwrap();
        assert_eq!(runs.load(Ordering::SeqCst), 8);
    }

    async fn an_outage_is_waited_out_however_long_it_takes(db: TestDb) {
        wish(&db, &push_lane(1), db.clock.now_ms()).await;
        let away = || Outcome::Away { reason: "no answer".into(), retry_after_ms: None };
        for _ in 0..3 * MAX_FAILURES {
            let claimed = claim(&db, "a", 1).await.remove(0);
            end(&db, &claimed, away()).await.unwrap();
            let seen = lane(&db, &push_lane(1)).await.unwrap();
            assert_eq!((seen.quarantined_at, seen.reason.as_deref()), (None, Some("no answer")));
            let wait = seen.next_due - db.clock.now_ms();
            assert!((1_000..=990_000).contains(&wait), "{wait}");
            db.clock.advance(wait);
        }
        let claimed = claim(&db, "a", 1).await.remove(0);
        end(&db, &claimed, Outcome::Failed { reason: "odd".into(), retry_after_ms: None }).await.unwrap();
        assert!(lane(&db, &push_lane(1)).await.unwrap().quarantined_at.is_none(), "one failure after an outage is one failure");
    }

    async fn a_success_forgets_the_failures_before_it(db: TestDb) {
        wish(&db, &push_lane(1), db.clock.now_ms()).await;
        for outcome in [Outcome::Failed { reason: "x".into(), retry_after_ms: Some(60_000) }, Outcome::Again { at_ms: 0 }] {
            let claimed = claim(&db, "a", 1).await.remove(0);
            let start = db.clock.now_ms();
            end(&db, &claimed, outcome).await.unwrap();
            db.clock.advance((lane(&db, &push_lane(1)).await.unwrap().next_due - start).max(0));
        }
        assert!(db.clock.now_ms() >= 1_700_000_060_000, "the channel's own pause was kept");
        let after = lane(&db, &push_lane(1)).await.unwrap();
        assert_eq!((after.failures, after.claims, after.reason), (0, 0, None));
    }

    async fn waiting_for_a_rate_slot_burns_no_attempt_and_is_not_cut_short(db: TestDb) {
        wish(&db, &push_lane(1), db.clock.now_ms()).await;
        for n in 0..20i64 {
            let claimed = claim(&db, &format!("{n}"), 1).await.remove(0);
            end(&db, &claimed, Outcome::Throttled { at_ms: db.clock.now_ms() + 100 }).await.unwrap();
            wish(&db, &push_lane(1), db.clock.now_ms()).await;
            assert!(claim(&db, "early", 1).await.is_empty());
            db.clock.advance(100);
        }
        let after = lane(&db, &push_lane(1)).await.unwrap();
        assert_eq!((after.failures, after.claims, after.quarantined_at), (0, 0, None));
    }

    async fn the_overview_counts_each_state_once(db: TestDb) {
        let now = db.clock.now_ms();
        for n in 0..6 {
            wish(&db, &order_lane(format!("{n}")), now - 10 + n).await;
        }
        wish(&db, &order_lane("later"), now + 1_000).await;
        let claims = claim(&db, "a", 3).await;
        end(&db, &claims[0], Outcome::Quarantine { reason: "looks odd".into() }).await.unwrap();
        end(&db, &claims[1], Outcome::Failed { reason: "x".into(), retry_after_ms: None }).await.unwrap();
        let flows = overview(&mut db.store.read().await.unwrap(), &db.ctx()).await.unwrap();
        let expected = Flow {
            kind: LaneKind::Inbound, connection: Some(connection(1)),
            due: 3, waiting: 2, running: 1, failing: 1, quarantined: 1, oldest_due_at: Some(now - 7),
        };
        assert_eq!(flows, [expected]);
        let (mut conn, ctx) = (db.store.read().await.unwrap(), db.ctx());
        assert_eq!(list(&mut conn, &ctx, Filter::Quarantined, None, 10).await.unwrap().len(), 1);
        assert_eq!(list(&mut conn, &ctx, Filter::Failing, None, 10).await.unwrap().len(), 2);
        let first = list(&mut conn, &ctx, Filter::All, None, 4).await.unwrap();
        let rest = list(&mut conn, &ctx, Filter::All, Some(&first[3].key.id()), 10).await.unwrap();
        assert_eq!((first.len(), rest.len()), (4, 3));
    }

    async fn failures_are_grouped_by_cause_and_released_together(db: TestDb) {
        let start = db.clock.now_ms();
        for (n, reason) in [(1, "gone"), (2, "gone"), (3, "odd")] {
            wish(&db, &order_lane(format!("{n}")), start).await;
            let claimed = claim(&db, &format!("{n}"), 1).await.remove(0);
            end(&db, &claimed, Outcome::Quarantine { reason: reason.into() }).await.unwrap();
            db.clock.advance(1_000);
        }
        wish(&db, &push_lane(2), start).await;
        let claimed = claim(&db, "p", 1).await.remove(0);
        end(&db, &claimed, Outcome::Failed { reason: "odd".into(), retry_after_ms: Some(60_000) }).await.unwrap();
        let groups: Vec<_> = causes(&mut db.store.read().await.unwrap(), &db.ctx()).await.unwrap().into_iter()
            .map(|cause| (cause.kind, cause.reason, cause.lanes, cause.quarantined)).collect();
        assert_eq!(groups, [(LaneKind::Inbound, "gone".into(), 2, 2), (LaneKind::Inbound, "odd".into(), 1, 1), (LaneKind::Push, "odd".into(), 1, 0)]);

        let released = async |which: Quarantined| {
            let ctx = db.ctx();
            db.store.write(move |tx| Box::pin(async move { release_quarantined(tx, &ctx, &which).await })).await.unwrap()
        };
        assert_eq!(released(Quarantined { connection: Some(connection(2)), ..Quarantined::default() }).await, 0);
        let standing = async |which: Quarantined| list_quarantined(&mut db.store.read().await.unwrap(), &db.ctx(), &which, "", 10).await.unwrap().len();
        assert_eq!(standing(Quarantined { reason: Some("on".into()), ..Quarantined::default() }).await, 2, "part of a reason");
        assert_eq!(standing(Quarantined { reason: Some("On".into()), ..Quarantined::default() }).await, 0, "word for word");
        assert_eq!(standing(Quarantined { until_ms: Some(start + 1_000), ..Quarantined::default() }).await, 1);
        assert_eq!(released(Quarantined { reason: Some("other".into()), ..Quarantined::default() }).await, 0);
        assert_eq!(released(Quarantined { kind: Some(LaneKind::Inbound), since_ms: Some(start + 1_000), ..Quarantined::default() }).await, 2);
        assert_eq!(claim(&db, "again", 9).await.len(), 2);
        assert_eq!(released(Quarantined { reason: Some("gone".into()), ..Quarantined::default() }).await, 1);

        let drop_it = async |key: LaneKey| {
            let ctx = db.ctx();
            db.store.write(move |tx| Box::pin(async move { forget(tx, &ctx, &key).await })).await.unwrap()
        };
        assert!(drop_it(order_lane("1")).await);
        assert!(!drop_it(order_lane("1")).await, "it is gone");
        assert!(!drop_it(order_lane("2")).await, "it is running");
    }

    async fn another_merchants_lanes_run_in_their_own_context_and_stay_out_of_ours(db: TestDb) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let handler = {
            let seen = seen.clone();
            By(move |ctx: &Ctx, claim: &Claim| -> BoxFuture<'static, Ending> {
                seen.lock().unwrap().push((ctx.tenant.clone(), claim.tenant().clone()));
                Box::pin(async { Ok(()) })
            })
        };
        let other = Ctx { tenant: Tenant::named("other"), ..db.ctx() };
        let asks = other.clone();
        db.store.write(move |tx| Box::pin(async move { make_due(tx, &asks, &push_lane(1), 0).await })).await.unwrap();
        assert!(lanes(&db).await.is_empty());
        runner(&db, Handlers::new().with(LaneKind::Push, handler)).run_until_idle().await.unwrap();
        assert_eq!(*seen.lock().unwrap(), [(other.tenant.clone(), other.tenant.clone())]);
    }

    async fn a_removed_connection_leaves_no_lane_and_its_running_handler_stores_nothing(db: TestDb) {
        wish(&db, &push_lane(1), db.clock.now_ms()).await;
        wish(&db, &push_lane(2), db.clock.now_ms()).await;
        let running = claim(&db, "a", 1).await.into_iter().find(|claim| claim.key() == &push_lane(1)).unwrap();
        let ctx = db.ctx();
        db.store.write(move |tx| Box::pin(async move { remove_connection(tx, &ctx, &connection(1)).await })).await.unwrap();
        assert!(matches!(end(&db, &running, Outcome::Done).await, Err(Error::Stale)));
        assert_eq!(lanes(&db).await.len(), 1);
    }
}
