//! The runner: wake-ups, leases, stopping, and how many run at once.

use tokio::sync::Semaphore;

use super::*;
use crate::lanes::model::SWEEP_MS;
use crate::on_both;

on_both! {
    async fn a_panic_in_a_handler_is_a_failure_with_its_name_and_stops_nobody_else(db: TestDb) {
        let runs = Arc::new(AtomicUsize::new(0));
        wish(&db, &push_lane(1), db.clock.now_ms()).await;
        wish(&db, &order_lane("7"), db.clock.now_ms()).await;
        let handlers = Handlers::new()
            .with(LaneKind::Push, ending(&runs, || panic!("on purpose")))
            .with(LaneKind::Inbound, ending(&runs, || Ok(())));
        runner(&db, handlers).run_until_idle().await.unwrap();
        let left = lanes(&db).await;
        assert_eq!(left.len(), 1);
        assert_eq!((left[0].failures, left[0].claims, left[0].reason.as_deref()), (1, 0, Some("the handler panicked")));
    }

    async fn effects_and_the_end_of_the_run_are_one_commit(db: TestDb) {
        struct PushesAfterwards(crate::store::Store);
        impl Handler for PushesAfterwards {
            fn run<'a>(&'a self, ctx: &'a Ctx, claim: &'a Claim) -> BoxFuture<'a, Result<(), HandlerError>> {
                Box::pin(async move {
                    let (ctx, claim) = (ctx.clone(), claim.clone());
                    self.0.write(move |tx| Box::pin(async move {
                        fence(tx, &claim).await?;
                        make_due(tx, &ctx, &push_lane(1), ctx.now_ms()).await?;
                        finish(tx, &ctx, &claim, Outcome::Again { at_ms: ctx.now_ms() + 10 }).await
                    })).await?;
                    Ok(())
                })
            }
        }
        let runs = Arc::new(AtomicUsize::new(0));
        wish(&db, &order_lane("7"), db.clock.now_ms()).await;
        let handlers = Handlers::new().with(LaneKind::Inbound, PushesAfterwards(db.store.clone())).with(LaneKind::Push, ending(&runs, || Ok(())));
        runner(&db, handlers).run_until_idle().await.unwrap();
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        assert_eq!(lane(&db, &order_lane("7")).await.unwrap().next_due, db.clock.now_ms() + 10, "the runner did not end it a second time");
    }

    async fn a_lost_wake_costs_one_sweep(db: TestDb) {
        let runs = Arc::new(AtomicUsize::new(0));
        let runner = runner(&db, Handlers::new().with(LaneKind::Push, ending(&runs, || Ok(()))));
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let task = tokio::spawn(runner.run(Box::new(Deaf), async move { let _ = stopped.await; }));
        // Only once the runner sleeps is the wake lost; a wish that it sees while starting up proves nothing.
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        wish(&db, &push_lane(1), db.clock.now_ms()).await;
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        assert_eq!(runs.load(Ordering::SeqCst), 0);
        db.clock.advance(SWEEP_MS);
        eventually("the sweep finds the lane", async || runs.load(Ordering::SeqCst) == 1).await;
        stop.send(()).unwrap();
        task.await.unwrap();
    }

    async fn doubled_wakes_run_nothing_twice(db: TestDb) {
        let runs = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..3).map(|_| {
            let runner = runner(&db, Handlers::new().with(LaneKind::Inbound, ending(&runs, || Ok(()))));
            let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
            (stop, tokio::spawn(runner.run(Box::new(Nervous), async move { let _ = stopped.await; })))
        }).collect();
        for n in 0..50 {
            wish(&db, &order_lane(format!("{n}")), db.clock.now_ms()).await;
        }
        eventually("all lanes are gone", async || lanes(&db).await.is_empty()).await;
        assert_eq!(runs.load(Ordering::SeqCst), 50);
        for (stop, task) in tasks {
            stop.send(()).unwrap();
            task.await.unwrap();
        }
    }

    async fn a_commit_wakes_the_runner_and_a_time_to_come_does_too(db: TestDb) {
        let runs = Arc::new(AtomicUsize::new(0));
        let runner = runner(&db, Handlers::new().with(LaneKind::Push, ending(&runs, || Ok(()))));
        let wake = wake::connect(&db.store, &db.ctx()).await.unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let task = tokio::spawn(runner.run(wake, async move { let _ = stopped.await; }));
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        wish(&db, &push_lane(1), db.clock.now_ms()).await;
        eventually("the commit wakes the runner", async || runs.load(Ordering::SeqCst) == 1).await;
        wish(&db, &push_lane(2), db.clock.now_ms() + 1_000).await;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        db.clock.advance(1_000);
        eventually("the time comes", async || runs.load(Ordering::SeqCst) == 2).await;
        stop.send(()).unwrap();
        task.await.unwrap();
    }

    async fn a_commit_of_one_process_wakes_another_on_the_same_database(db: TestDb) {
        let Some(elsewhere) = db.another_process().await else { return };
        let runs = Arc::new(AtomicUsize::new(0));
        let handlers = Handlers::new().with(LaneKind::Push, ending(&runs, || Ok(())));
        let wake = wake::connect(&elsewhere, &db.ctx()).await.unwrap();
        let runner = Runner::new(elsewhere, db.ctx(), handlers, Limits::default());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let task = tokio::spawn(runner.run(wake, async move { let _ = stopped.await; }));
        let _teller = wake::connect(&db.store, &db.ctx()).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        for n in 1..=3 {
            wish(&db, &push_lane(n as u64), db.clock.now_ms()).await;
            eventually("the other process hears of it", async || runs.load(Ordering::SeqCst) == n).await;
        }
        stop.send(()).unwrap();
        task.await.unwrap();
    }

    async fn a_process_that_slept_through_its_lease_stores_nothing_when_it_wakes(db: TestDb) {
        struct Sleeper(crate::store::Store, Arc<Semaphore>, Arc<AtomicUsize>);
        impl Handler for Sleeper {
            fn run<'a>(&'a self, ctx: &'a Ctx, claim: &'a Claim) -> BoxFuture<'a, Ending> {
                Box::pin(async move {
                    self.2.fetch_add(1, Ordering::SeqCst);
                    self.1.acquire().await.map(drop).map_err(|_| HandlerError::failed("closed"))?;
                    let (ctx, claim) = (ctx.clone(), claim.clone());
                    let stored: Result<(), Error> = self.0.write(move |tx| Box::pin(async move {
                        fence(tx, &claim).await?;
                        make_due(tx, &ctx, &push_lane(9), ctx.now_ms()).await?;
                        finish(tx, &ctx, &claim, Outcome::Done).await
                    })).await;
                    Ok(stored?)
                })
            }
        }
        let (gate, started) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
        wish(&db, &order_lane("7"), db.clock.now_ms()).await;
        // `run_until_idle` renews nothing, as a stopped process would not.
        let mut asleep = runner(&db, Handlers::new().with(LaneKind::Inbound, Sleeper(db.store.clone(), gate.clone(), started.clone())));
        let task = tokio::spawn(async move { asleep.run_until_idle().await });
        eventually("it holds the lane", async || started.load(Ordering::SeqCst) == 1).await;
        let runs = Arc::new(AtomicUsize::new(0));
        let mut other = runner(&db, Handlers::new().with(LaneKind::Inbound, ending(&runs, || Ok(()))));
        db.clock.advance(LEASE_MS);
        other.run_until_idle().await.unwrap();
        assert_eq!(runs.load(Ordering::SeqCst), 1, "the other process did the work");
        gate.add_permits(10);
        task.await.unwrap().unwrap();
        assert!(lanes(&db).await.is_empty(), "the sleeper's writes were refused");
    }

    async fn work_that_is_there_whenever_a_young_process_is_killed_is_not_blamed(db: TestDb) {
        wish(&db, &order_lane("7"), db.clock.now_ms()).await;
        for _ in 0..2 * MAX_CLAIMS {
            let gate = Arc::new(Semaphore::new(0));
            let handlers = Handlers::new().with(LaneKind::Inbound, waiting(&gate));
            let task = tokio::spawn(runner(&db, handlers).run(Box::new(Deaf), std::future::pending()));
            let is_held = async || lane(&db, &order_lane("7")).await.unwrap().claims == 1;
            eventually("the process has looked for work", async || is_held().await && db.clock.sleepers() > 0).await;
            task.abort();
            let _ = task.await;
            db.clock.advance(LEASE_MS);
        }
        let runs = Arc::new(AtomicUsize::new(0));
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let stands = runner(&db, Handlers::new().with(LaneKind::Inbound, ending(&runs, || Ok(()))));
        let task = tokio::spawn(stands.run(Box::new(Deaf), async move { let _ = stopped.await; }));
        eventually("it waits", async || db.clock.sleepers() > 0).await;
        assert_eq!(runs.load(Ordering::SeqCst), 0, "it is left to a process that stands");
        db.clock.advance(LEASE_MS);
        eventually("the work is done", async || lanes(&db).await.is_empty()).await;
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        stop.send(()).unwrap();
        task.await.unwrap();
    }

    async fn a_run_whose_end_could_not_be_stored_is_no_crash_of_a_process_that_lives(db: TestDb) {
        let runs = Arc::new(AtomicUsize::new(0));
        let handler = {
            let runs = runs.clone();
            By(move |_: &Ctx, _: &Claim| -> BoxFuture<'static, Ending> {
                let left_behind = runs.fetch_add(1, Ordering::SeqCst) < 2 * MAX_CLAIMS as usize;
                // The runner stores nothing of such a run, as it could not if the database were away.
                Box::pin(async move { if left_behind { Err(HandlerError::Stale) } else { Ok(()) } })
            })
        };
        wish(&db, &order_lane("7"), db.clock.now_ms()).await;
        let mut runner = runner(&db, Handlers::new().with(LaneKind::Inbound, handler));
        for run in 1..=2 * MAX_CLAIMS {
            runner.run_until_idle().await.unwrap();
            assert_eq!(runs.load(Ordering::SeqCst), run as usize);
            let left = lane(&db, &order_lane("7")).await.unwrap();
            assert_eq!((left.claims, left.quarantined_at), (1, None));
            db.clock.advance(LEASE_MS);
        }
        runner.run_until_idle().await.unwrap();
        assert!(lanes(&db).await.is_empty(), "the work is done");
    }

    async fn a_database_that_goes_away_is_no_failure_of_what_was_running(db: TestDb) {
        let runs = Arc::new(AtomicUsize::new(0));
        wish(&db, &push_lane(1), db.clock.now_ms()).await;
        let mut runner = runner(&db, Handlers::new().with(LaneKind::Push, ending(&runs, || Err(crate::store::Error::Closed.into()))));
        for run in 1..=2 * MAX_FAILURES {
            runner.run_until_idle().await.unwrap();
            assert_eq!(runs.load(Ordering::SeqCst), run as usize);
            let seen = lane(&db, &push_lane(1)).await.unwrap();
            assert_eq!((seen.quarantined_at, seen.reason.as_deref()), (None, Some("the database is closed")));
            let wait = seen.next_due - db.clock.now_ms();
            assert!((1_000..=30_000).contains(&wait), "{wait}");
            db.clock.advance(wait);
        }
    }

    async fn a_panic_inside_a_unit_of_work_is_a_failure_of_the_handler(db: TestDb) {
        struct Panics(crate::store::Store);
        impl Handler for Panics {
            fn run<'a>(&'a self, _: &'a Ctx, _: &'a Claim) -> BoxFuture<'a, Ending> {
                Box::pin(async move { Ok(self.0.write::<(), crate::store::Error, _>(|_| Box::pin(async { panic!("on purpose") })).await?) })
            }
        }
        wish(&db, &push_lane(1), db.clock.now_ms()).await;
        let mut runner = runner(&db, Handlers::new().with(LaneKind::Push, Panics(db.store.clone())));
        for failure in 1..=MAX_FAILURES {
            runner.run_until_idle().await.unwrap();
            let seen = lane(&db, &push_lane(1)).await.unwrap();
            assert_eq!((seen.failures, seen.reason.as_deref()), (failure, Some("a unit of work panicked")));
            assert_eq!(seen.quarantined_at.is_some(), failure == MAX_FAILURES);
            db.clock.advance(seen.next_due - db.clock.now_ms());
        }
    }

    async fn a_process_that_lives_goes_on_with_its_last_try_and_others_with_their_count(db: TestDb) {
        wish(&db, &order_lane("7"), db.clock.now_ms()).await;
        for process in ["a", "b", "c", "c", "c"] {
            let claimed = claim(&db, process, 1).await;
            assert_eq!(claimed.len(), 1, "{process}");
            assert_eq!(claimed[0].is_last_try(), process == "c");
            db.clock.advance(LEASE_MS);
        }
        assert!(claim(&db, "d", 1).await.is_empty());
        assert!(lane(&db, &order_lane("7")).await.unwrap().quarantined_at.is_some());
    }

    async fn a_long_run_keeps_its_lease_and_a_stopping_runner_gives_its_lanes_back(db: TestDb) {
        let (gate, started) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
        let handler = {
            let (gate, started) = (gate.clone(), started.clone());
            By(move |_: &Ctx, _: &Claim| -> BoxFuture<'static, Ending> {
                let gate = gate.clone();
                started.fetch_add(1, Ordering::SeqCst);
                Box::pin(async move { gate.acquire().await.map(drop).map_err(|_| HandlerError::failed("closed")) })
            })
        };
        wish(&db, &push_lane(1), db.clock.now_ms()).await;
        let runner = runner(&db, Handlers::new().with(LaneKind::Push, handler));
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let task = tokio::spawn(runner.run(Box::new(Deaf), async move { let _ = stopped.await; }));
        eventually("the handler starts", async || started.load(Ordering::SeqCst) == 1).await;
        for _ in 0..10 {
            let before = db.clock.now_ms();
            db.clock.advance(RENEW_MS);
            eventually("the lease is renewed", async || lane(&db, &push_lane(1)).await.unwrap().next_due > before + LEASE_MS).await;
        }
        assert!(claim(&db, "other", 9).await.is_empty());
        stop.send(()).unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        eventually("the grace ends", async || { db.clock.advance(1_000); task.is_finished() }).await;
        let back = lane(&db, &push_lane(1)).await.unwrap();
        assert_eq!((back.running, back.claims, back.failures), (false, 0, 0));
        assert!(back.next_due <= db.clock.now_ms());
    }

    async fn lanes_that_could_not_call_yet_are_left_to_other_processes(db: TestDb) {
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let handler = {
            let (running, most) = (running.clone(), most.clone());
            By(move |_: &Ctx, _: &Claim| -> BoxFuture<'static, Ending> {
                let (running, most) = (running.clone(), most.clone());
                Box::pin(async move {
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    for _ in 0..20 {
                        tokio::task::yield_now().await;
                    }
                    running.fetch_sub(1, Ordering::SeqCst);
                    Ok(())
                })
            })
        };
        for n in 0..16 {
            wish(&db, &LaneKey::new(LaneKind::Poll, &connection(n), "orders-in"), db.clock.now_ms()).await;
        }
        let handlers = Handlers::new().with(LaneKind::Poll, handler);
        let mut runner = Runner::new(db.store.clone(), db.ctx(), handlers, Limits::default().calling(4));
        runner.run_until_idle().await.unwrap();
        let most = most.load(Ordering::SeqCst);
        assert!((1..=4).contains(&most), "{most} at once");
        assert_eq!(list(&mut db.store.read().await.unwrap(), &db.ctx(), Filter::All, None, 20).await.unwrap().iter().filter(|lane| lane.next_due == NEVER).count(), 16);
    }

    async fn a_busy_connection_leaves_room_for_the_others(db: TestDb) {
        let order = Arc::new(Mutex::new(Vec::new()));
        let handler = {
            let order = order.clone();
            By(move |_: &Ctx, claim: &Claim| -> BoxFuture<'static, Ending> {
                order.lock().unwrap().push(claim.connection().cloned().unwrap());
                Box::pin(async { tokio::task::yield_now().await; Ok(()) })
            })
        };
        let backlog: Vec<LaneKey> = (0..300).map(|n| order_lane(format!("{n}"))).collect();
        let (ctx, now) = (db.ctx(), db.clock.now_ms());
        db.store.write(move |tx| Box::pin(async move { make_due_many(tx, &ctx, &backlog, now - 1_000).await })).await.unwrap();
        wish(&db, &LaneKey::new(LaneKind::Inbound, &connection(2), "late"), now).await;
        let limits = Limits::default().with(LaneKind::Inbound, Cap { total: 8, per_connection: 4 });
        Runner::new(db.store.clone(), db.ctx(), Handlers::new().with(LaneKind::Inbound, handler), limits).run_until_idle().await.unwrap();
        let order = order.lock().unwrap();
        assert_eq!(order.len(), 301);
        let late = order.iter().position(|connection_id| *connection_id == connection(2)).unwrap();
        assert!(late < 8, "it waited behind {late} lanes of another connection");
    }

    async fn no_more_lanes_run_at_once_than_the_whole_runner_may(db: TestDb) {
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let handler = {
            let (running, most) = (running.clone(), most.clone());
            By(move |_: &Ctx, _: &Claim| -> BoxFuture<'static, Ending> {
                let (running, most) = (running.clone(), most.clone());
                Box::pin(async move {
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    running.fetch_sub(1, Ordering::SeqCst);
                    Ok(())
                })
            })
        };
        let backlog: Vec<LaneKey> = (0..40).map(|n| order_lane(format!("{n}"))).collect();
        let (ctx, now) = (db.ctx(), db.clock.now_ms());
        db.store.write(move |tx| Box::pin(async move { make_due_many(tx, &ctx, &backlog, now - 1_000).await })).await.unwrap();
        let handlers = Handlers::new().with(LaneKind::Inbound, handler);
        Runner::new(db.store.clone(), db.ctx(), handlers, Limits::default().at_most(3)).run_until_idle().await.unwrap();
        assert!((1..=3).contains(&most.load(Ordering::SeqCst)), "{most:?}");
        assert!(list(&mut db.store.read().await.unwrap(), &db.ctx(), Filter::All, None, 50).await.unwrap().is_empty(), "all were done");
    }

    async fn a_lease_is_as_long_as_the_runner_is_told(db: TestDb) {
        let gate = Arc::new(Semaphore::new(0));
        wish(&db, &push_lane(1), db.clock.now_ms()).await;
        let handlers = Handlers::new().with(LaneKind::Push, waiting(&gate));
        let mut runner = Runner::new(db.store.clone(), db.ctx(), handlers, Limits::default())
            .paced(Pace { lease_ms: 120_000, sweep_ms: 1_000 });
        let task = tokio::spawn(async move { runner.run_until_idle().await });
        eventually("it runs", async || lane(&db, &push_lane(1)).await.unwrap().running).await;
        assert_eq!(lane(&db, &push_lane(1)).await.unwrap().next_due, db.clock.now_ms() + 120_000);
        gate.add_permits(1);
        task.await.unwrap().unwrap();
    }
}
