#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::BoxFuture;

use super::cron::next_fire;
use super::*;
use crate::args;
use crate::clock::{Clock, from_rfc3339, to_rfc3339};
use crate::id::{Entropy, Ids};
use crate::lanes::{Claim, Handler, HandlerError, Handlers, Limits, Runner};
use crate::store::tests::TestDb;

/// The next `n` fires after an instant, as `LOCAL = UTC`.
fn fires(expression: &str, zone: &str, after: &str, n: usize) -> Vec<String> {
    let mut after = from_rfc3339(after).unwrap();
    let mut seen = Vec::new();
    while let Some(fire) = (seen.len() < n).then(|| next_fire(expression, zone, after).unwrap()).flatten() {
        after = fire.at_ms;
        seen.push(format!("{} = {}", fire.local, to_rfc3339(fire.at_ms)));
    }
    seen
}

fn days(expression: &str) -> Vec<String> {
    // 2026-11-01 is a Sunday.
    fires(expression, "UTC", "2026-10-31T23:59:59Z", 7).into_iter().map(|fire| fire[5..10].to_owned()).collect()
}

#[test]
fn sunday_is_0_7_or_its_name_and_never_1() {
    let sundays = ["11-01", "11-08", "11-15", "11-22", "11-29", "12-06", "12-13"];
    for field in ["0", "7", "SUN", "sun", "Sunday", "0,7"] {
        assert_eq!(days(&format!("0 12 * * {field}")), sundays, "{field}");
    }
    assert_eq!(days("0 12 * * 1")[..2], ["11-02", "11-09"]);
    assert_eq!(days("0 12 * * MON")[..2], ["11-02", "11-09"]);
    assert_eq!(days("0 12 * * 1-5"), ["11-02", "11-03", "11-04", "11-05", "11-06", "11-09", "11-10"]);
    assert_eq!(days("0 12 * * MON-FRI"), days("0 12 * * 1-5"));
    assert_eq!(days("0 12 * * 5-7")[..4], ["11-01", "11-06", "11-07", "11-08"]);
    assert_eq!(days("0 12 * * SAT-SUN"), days("0 12 * * 6,0"));
    assert_eq!(days("0 12 * * */2")[..4], ["11-01", "11-03", "11-05", "11-07"]);
    assert_eq!(days("0 12 * * 1/3")[..3], ["11-02", "11-05", "11-09"]);
}

#[test]
fn five_six_and_seven_fields_and_shorthands_are_understood() {
    assert_eq!(
        fires("*/15 6 * * *", "UTC", "2026-11-01T06:20:00Z", 3),
        [
            "2026-11-01T06:30:00 = 2026-11-01T06:30:00Z",
            "2026-11-01T06:45:00 = 2026-11-01T06:45:00Z",
            "2026-11-02T06:00:00 = 2026-11-02T06:00:00Z"
        ]
    );
    assert_eq!(fires("30 0 6 * * *", "UTC", "2026-11-01T00:00:00Z", 1), ["2026-11-01T06:00:30 = 2026-11-01T06:00:30Z"]);
    assert_eq!(fires("0 0 6 1 1 * 2028", "UTC", "2026-11-01T00:00:00Z", 3), ["2028-01-01T06:00:00 = 2028-01-01T06:00:00Z"]);
    assert_eq!(
        fires("0 6 1 JAN-MAR/2 ?", "UTC", "2026-11-01T00:00:00Z", 2),
        ["2027-01-01T06:00:00 = 2027-01-01T06:00:00Z", "2027-03-01T06:00:00 = 2027-03-01T06:00:00Z"]
    );
    assert_eq!(fires("@daily", "Asia/Tokyo", "2026-11-01T00:00:00Z", 1), ["2026-11-02T00:00:00 = 2026-11-01T15:00:00Z"]);
    assert_eq!(
        fires("0 0 29 2 *", "UTC", "2026-11-01T00:00:00Z", 2),
        ["2028-02-29T00:00:00 = 2028-02-29T00:00:00Z", "2032-02-29T00:00:00 = 2032-02-29T00:00:00Z"]
    );
}

#[test]
fn a_day_of_month_and_a_day_of_week_together_mean_either() {
    // The 13th, and every Friday.
    assert_eq!(days("0 12 13 * FRI"), ["11-06", "11-13", "11-20", "11-27", "12-04", "12-11", "12-13"]);
    assert_eq!(days("0 12 15 * *")[..2], ["11-15", "12-15"]);
}

#[test]
fn what_a_spring_change_skips_runs_once_at_the_first_minute_after_it() {
    // Berlin, 2026-03-29: 02:00 becomes 03:00, which is 01:00 UTC.
    assert_eq!(
        fires("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3),
        [
            "2026-03-28T02:30:00 = 2026-03-28T01:30:00Z",
            "2026-03-29T02:30:00 = 2026-03-29T01:00:00Z",
            "2026-03-30T02:30:00 = 2026-03-30T00:30:00Z"
        ]
    );
    let quarter_hours = fires("*/15 * * * *", "Europe/Berlin", "2026-03-29T00:40:00Z", 3);
    assert_eq!(
        quarter_hours,
        [
            "2026-03-29T01:45:00 = 2026-03-29T00:45:00Z",
            "2026-03-29T02:00:00 = 2026-03-29T01:00:00Z",
            "2026-03-29T03:15:00 = 2026-03-29T01:15:00Z"
        ]
    );
    // Samoa left out the whole of 2011-12-30.
    assert_eq!(fires("0 12 30 12 *", "Pacific/Apia", "2011-12-01T00:00:00Z", 1), ["2011-12-30T12:00:00 = 2011-12-30T10:00:00Z"]);
}

#[test]
fn what_an_autumn_change_repeats_runs_the_first_time_only() {
    // Berlin, 2026-10-25: 03:00 becomes 02:00 again, which is 01:00 UTC.
    assert_eq!(
        fires("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
        ["2026-10-25T02:30:00 = 2026-10-25T00:30:00Z", "2026-10-26T02:30:00 = 2026-10-26T01:30:00Z"]
    );
    assert_eq!(
        fires("30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", 1),
        ["2026-10-26T02:30:00 = 2026-10-26T01:30:00Z"],
        "also when asked during the repeat"
    );
    // Lord Howe Island moves by half an hour.
    assert_eq!(
        fires("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00:00Z", 2),
        ["2026-04-05T01:45:00 = 2026-04-04T14:45:00Z", "2026-04-06T01:45:00 = 2026-04-05T15:15:00Z"]
    );
}

#[test]
fn a_wrong_expression_or_zone_is_refused_by_name_with_a_remedy() {
    for wrong in [
        "",
        "* * * *",
        "61 * * * *",
        "* * * * 8",
        "* * * * FRI-MON",
        "* * * * MOON",
        "*/0 * * * *",
        "* * * * */0",
        "0 0 30 2 *",
        "a b c d e",
        "* * * * * * * *",
    ] {
        let error = next_fire(wrong, "UTC", 0).unwrap_err().to_string();
        assert!(error.starts_with(&format!("`{wrong}` is not a cron expression: ")) && error.contains("write five fields"), "{error}");
    }
    assert_eq!(next_fire("* * * * *", "Mars/Olympus", 0).unwrap_err(), super::cron::Error::Zone("Mars/Olympus".into()));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]
    #[test]
    fn fires_come_in_order_each_local_time_once_and_asking_in_between_changes_nothing(
        minute in 0u8..60, hour in 0u8..24, step in 1u8..60, zone in 0usize..6, start in 1_600_000_000_000i64..1_900_000_000_000, every: bool,
    ) {
        let zone = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca"][zone];
        let expression = if every { format!("*/{step} * * * *") } else { format!("{minute} {hour} * * *") };
        let (mut after, mut locals) = (start, BTreeSet::new());
        for _ in 0..60 {
            let fire = next_fire(&expression, zone, after).unwrap().unwrap();
            proptest::prop_assert!(fire.at_ms > after);
            proptest::prop_assert!(locals.insert(fire.local.clone()));
            proptest::prop_assert_eq!(locals.last(), Some(&fire.local));
            let between = after + (fire.at_ms - after) / 2;
            proptest::prop_assert_eq!(&next_fire(&expression, zone, between).unwrap().unwrap(), &fire);
            proptest::prop_assert_eq!(&next_fire(&expression, zone, fire.at_ms - 1).unwrap().unwrap(), &fire);
            after = fire.at_ms;
        }
    }
}

struct Counting(Arc<std::sync::Mutex<Vec<String>>>);

impl Handler for Counting {
    fn run<'a>(&'a self, _: &'a Ctx, claim: &'a Claim) -> BoxFuture<'a, Result<(), HandlerError>> {
        self.0.lock().unwrap().push(claim.key().id());
        Box::pin(async { Ok(()) })
    }
}

fn connection(n: u64) -> ConnectionId {
    ConnectionId::new(&Ids::new(Clock::manual(1), Entropy::seeded(n)))
}

async fn plan_run(db: &TestDb, connection: ConnectionId, run: Run, expression: &'static str) {
    let ctx = db.ctx();
    db.store.write(move |tx| Box::pin(async move { set(tx, &ctx, &connection, run, expression, true).await })).await.unwrap();
}

async fn live_in(db: &TestDb, zone: &'static str) {
    let write = db.store.write(move |tx| {
        Box::pin(async move {
            tx.execute("INSERT INTO tenant (tenant, name, zone, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (tenant) DO UPDATE SET zone = excluded.zone", args!["main", "Shop", zone, 0i64]).await?;
            Ok::<_, crate::store::Error>(())
        })
    });
    write.await.unwrap();
}

fn runner(db: &TestDb, runs: &Arc<std::sync::Mutex<Vec<String>>>) -> Runner {
    runner_on(db.store.clone(), db, runs)
}

fn runner_on(store: crate::store::Store, db: &TestDb, runs: &Arc<std::sync::Mutex<Vec<String>>>) -> Runner {
    let handlers = Handlers::new().with(LaneKind::Poll, Counting(runs.clone())).with(LaneKind::Reconcile, Counting(runs.clone()));
    Runner::new(store, db.ctx(), handlers, Limits::default())
}

async fn fired(db: &TestDb) -> Vec<String> {
    let mut conn = db.store.read().await.unwrap();
    conn.fetch_all("SELECT fire FROM schedule_fire ORDER BY fire", &[]).await.unwrap().iter().map(|row| row.get(0).unwrap()).collect()
}

crate::on_both! {
    async fn a_thousand_fires_on_three_nodes_happen_once_each(db: TestDb) {
        for n in 0..10 {
            plan_run(&db, connection(n), Run::OrdersIn, "*/5 * * * *").await;
        }
        let runs = Arc::new(std::sync::Mutex::new(Vec::new()));
        let mut nodes = Vec::new();
        for _ in 0..3 {
            let store = db.another_process().await.unwrap_or_else(|| db.store.clone());
            nodes.push(runner_on(store, &db, &runs));
        }
        for _ in 0..100 {
            db.clock.advance(300_000);
            let [a, b, c] = nodes.as_mut_slice() else { unreachable!() };
            let (a, b, c) = tokio::join!(a.run_until_idle(), b.run_until_idle(), c.run_until_idle());
            a.and(b).and(c).unwrap();
        }
        // A node that another's locks turned away may leave the last work to the next look.
        nodes[0].run_until_idle().await.unwrap();
        assert_eq!(fired(&db).await.len(), 1_000);
        assert_eq!(runs.lock().unwrap().len(), 1_000);
    }

    async fn fires_missed_while_nothing_ran_happen_once(db: TestDb) {
        plan_run(&db, connection(1), Run::OrdersIn, "0 * * * *").await;
        plan_run(&db, connection(1), Run::Reconcile, "0 3 * * *").await;
        let runs = Arc::new(std::sync::Mutex::new(Vec::new()));
        db.clock.advance(3 * 86_400_000 + 1);
        runner(&db, &runs).run_until_idle().await.unwrap();
        assert_eq!(runs.lock().unwrap().len(), 2);
        db.clock.advance(3_600_000);
        runner(&db, &runs).run_until_idle().await.unwrap();
        assert_eq!(runs.lock().unwrap().len(), 3);
    }

    async fn a_year_of_nights_in_berlin_has_one_fire_each(db: TestDb) {
        live_in(&db, "Europe/Berlin").await;
        plan_run(&db, connection(1), Run::Reconcile, "30 2 * * *").await;
        let start = jiff::Timestamp::from_millisecond(db.clock.now_ms()).unwrap();
        for _ in 0..365 * 4 {
            db.clock.advance(6 * 3_600_000);
            let ctx = db.ctx();
            db.store.write(move |tx| Box::pin(async move { tick(tx, &ctx).await })).await.unwrap();
        }
        let nights: Vec<String> = start.to_zoned(jiff::tz::TimeZone::get("Europe/Berlin").unwrap()).date().tomorrow().unwrap()
            .series(jiff::ToSpan::days(1)).take(365).map(|date| format!("{date}T02:30:00")).collect();
        assert_eq!(fired(&db).await, nights);
    }

    async fn a_clock_that_was_a_day_ahead_for_a_while_stops_no_schedule(db: TestDb) {
        plan_run(&db, connection(1), Run::OrdersIn, "0 0 * * *").await;
        let ctx = db.ctx();
        let ahead = Ctx { clock: Clock::manual(ctx.now_ms() + 30 * 86_400_000), ..ctx.clone() };
        db.store.write(move |tx| Box::pin(async move { tick(tx, &ahead).await })).await.unwrap();
        let next = async || list(&mut db.store.read().await.unwrap(), &db.ctx(), None).await.unwrap()[0].next_at;
        assert!(next().await > ctx.now_ms() + 29 * 86_400_000);
        let right = ctx.clone();
        db.store.write(move |tx| Box::pin(async move { rearm(tx, &right).await })).await.unwrap();
        assert!(next().await <= ctx.now_ms() + 86_400_000);
    }

    async fn a_schedule_that_is_off_or_removed_fires_nothing(db: TestDb) {
        plan_run(&db, connection(1), Run::OrdersIn, "* * * * *").await;
        plan_run(&db, connection(2), Run::OrdersIn, "* * * * *").await;
        let ctx = db.ctx();
        db.store.write(move |tx| Box::pin(async move {
            set(tx, &ctx, &connection(1), Run::OrdersIn, "* * * * *", false).await?;
            remove_connection(tx, &ctx, &connection(2)).await?;
            Ok::<_, Error>(())
        })).await.unwrap();
        db.clock.advance(600_000);
        let runs = Arc::new(std::sync::Mutex::new(Vec::new()));
        runner(&db, &runs).run_until_idle().await.unwrap();
        assert!(runs.lock().unwrap().is_empty() && fired(&db).await.is_empty());
    }

    async fn a_schedule_that_cannot_be_read_is_refused_and_nothing_is_stored(db: TestDb) {
        let ctx = db.ctx();
        let refused = db.store.write(move |tx| Box::pin(async move { set(tx, &ctx, &connection(1), Run::OrdersIn, "every day", true).await })).await;
        assert!(matches!(refused, Err(Error::Cron(_))));
        assert!(list(&mut db.store.read().await.unwrap(), &db.ctx(), None).await.unwrap().is_empty());
    }
}
