#![allow(clippy::unwrap_used)]

use super::*;
use crate::lanes::LaneKind;
use crate::on_both;
use crate::secrets::MasterKey;

fn vault(ctx: &Ctx) -> Vault {
    Vault::new(MasterKey::random(ctx.ids.entropy()), Vec::new(), ctx.ids.entropy().clone())
}

fn delivery(connection: &ConnectionId, dedupe: &str, body: &[u8]) -> Delivery {
    Delivery {
        connection: connection.clone(),
        topic: "order.created".into(),
        lane: LaneKey::new(LaneKind::Inbound, connection, "order:7"),
        gather_ms: 0,
        dedupe: dedupe.into(),
        content: Content::of(&[("x-topic".into(), "order.created".into())], body).unwrap(),
    }
}

on_both! {
    async fn the_second_delivery_of_the_same_event_changes_nothing(db: TestDb) {
        let ctx = db.ctx();
        let vault = vault(&ctx);
        let inbox = Inbox::open(db.store.clone(), ctx.clone(), vault.clone(), Patience::default());
        let connection = ConnectionId::new(&ctx.ids);
        let same = (0..20).map(|_| inbox.accept(delivery(&connection, "event-1", b"\xff raw")));
        let answers = futures::future::join_all(same).await;
        assert_eq!(answers.iter().filter(|answer| matches!(answer, Ok(Accepted::New))).count(), 1);
        assert!(answers.iter().all(Result::is_ok));
        let mut conn = db.store.read().await.unwrap();
        let lane = LaneKey::new(LaneKind::Inbound, &connection, "order:7");
        let waiting = waiting(&mut conn, &ctx, &vault, &lane).await.unwrap();
        assert_eq!(waiting.len(), 1);
        assert_eq!(waiting[0].body, b"\xff raw");
        assert_eq!(waiting[0].headers, [("x-topic".to_owned(), "order.created".to_owned())]);
    }

    async fn what_is_gathered_is_due_together_and_no_later_than_its_first(db: TestDb) {
        let ctx = db.ctx();
        let inbox = Inbox::open(db.store.clone(), ctx.clone(), vault(&ctx), Patience::default());
        let connection = ConnectionId::new(&ctx.ids);
        let began = ctx.now_ms();
        for key in ["event-1", "event-2"] {
            let unhurried = Delivery { gather_ms: 5_000, ..delivery(&connection, key, b"{}") };
            inbox.accept(unhurried).await.unwrap();
            db.clock.advance(3_000);
        }
        let lanes = lanes::list(&mut db.store.read().await.unwrap(), &ctx, lanes::Filter::All, None, 10).await.unwrap();
        assert_eq!(lanes.iter().map(|lane| lane.next_due - began).collect::<Vec<_>>(), [5_000]);
    }

    async fn an_ended_delivery_waits_no_more_until_it_is_replayed(db: TestDb) {
        let ctx = db.ctx();
        let vault = vault(&ctx);
        let inbox = Inbox::open(db.store.clone(), ctx.clone(), vault.clone(), Patience::default());
        let connection = ConnectionId::new(&ctx.ids);
        inbox.accept(delivery(&connection, "event-1", b"{}")).await.unwrap();
        let lane = LaneKey::new(LaneKind::Inbound, &connection, "order:7");
        let mut conn = db.store.read().await.unwrap();
        let id = waiting(&mut conn, &ctx, &vault, &lane).await.unwrap().remove(0).id;
        let (c, i) = (ctx.clone(), id.clone());
        db.store.write(move |tx| Box::pin(async move { end(tx, &c, &i, &Ending::Refused("no total".into())).await })).await.unwrap();
        let mut conn = db.store.read().await.unwrap();
        assert!(waiting(&mut conn, &ctx, &vault, &lane).await.unwrap().is_empty());
        assert_eq!(list(&mut conn, &ctx.tenant, &Filter::default(), None, 10).await.unwrap()[0].reason.as_deref(), Some("no total"));
        let c = ctx.clone();
        db.store.write(move |tx| Box::pin(async move { replay(tx, &c, &id).await })).await.unwrap();
        let mut conn = db.store.read().await.unwrap();
        assert_eq!(waiting(&mut conn, &ctx, &vault, &lane).await.unwrap().len(), 1);
    }

    async fn content_is_dropped_by_day_and_keys_later(db: TestDb) {
        let ctx = db.ctx();
        let vault = vault(&ctx);
        let inbox = Inbox::open(db.store.clone(), ctx.clone(), vault.clone(), Patience::default());
        let connection = ConnectionId::new(&ctx.ids);
        let day = store::DAY_MS;
        inbox.accept(delivery(&connection, "old", b"canary of the old day")).await.unwrap();
        db.clock.advance(3 * day);
        inbox.accept(delivery(&connection, "new", b"of today")).await.unwrap();
        let listed = list(&mut db.store.read().await.unwrap(), &ctx.tenant, &Filter::default(), None, 10).await.unwrap();
        let (new, old) = (listed[0].id.clone(), listed[1].id.clone());

        let before = ctx.now_ms() - 2 * day;
        assert_eq!(drop_bodies(&db.store, &ctx, &vault, before).await.unwrap(), 1);
        assert_eq!(drop_bodies(&db.store, &ctx, &vault, before).await.unwrap(), 0, "twice changes nothing");
        let listed = list(&mut db.store.read().await.unwrap(), &ctx.tenant, &Filter::default(), None, 10).await.unwrap();
        assert_eq!((listed[0].state.as_str(), listed[1].state.as_str()), ("new", "refused"), "what was never translated says so");
        let again = |id: DeliveryId| {
            let ctx = ctx.clone();
            db.store.write(move |tx| Box::pin(async move { replay(tx, &ctx, &id).await }))
        };
        assert!(matches!(again(old).await, Err(Error::Missing(_))), "without content there is nothing to translate");
        again(new).await.unwrap();
        let mut conn = db.store.read().await.unwrap();
        let kept = conn.fetch_all("SELECT wrapped FROM data_key WHERE purpose LIKE 'inbox:%' ORDER BY purpose", &[]).await.unwrap();
        assert_eq!(kept.iter().filter(|row| row.get::<Option<Vec<u8>>>(0).unwrap().is_some()).count(), 1, "the old day's key is destroyed");
        drop(conn);

        // Still known by its key, until the keys go too.
        assert_eq!(inbox.accept(delivery(&connection, "old", b"again")).await.unwrap(), Accepted::Duplicate);
        assert_eq!(forget_keys(&db.store, &ctx, before).await.unwrap(), 1);
        assert_eq!(inbox.accept(delivery(&connection, "new", b"of today")).await.unwrap(), Accepted::Duplicate);
        assert_eq!(inbox.accept(delivery(&connection, "old", b"again")).await.unwrap(), Accepted::New);
    }

    async fn a_span_of_deliveries_is_replayed_and_the_rest_stays(db: TestDb) {
        let ctx = db.ctx();
        let vault = vault(&ctx);
        let inbox = Inbox::open(db.store.clone(), ctx.clone(), vault.clone(), Patience::default());
        let (here, there) = (ConnectionId::new(&ctx.ids), ConnectionId::new(&ctx.ids));
        let begin = ctx.now_ms();
        for at in 0..6 {
            inbox.accept(delivery(if at % 2 == 0 { &here } else { &there }, &format!("event-{at}"), b"{}")).await.unwrap();
            db.clock.advance(1_000);
        }
        let all = list(&mut db.store.read().await.unwrap(), &ctx.tenant, &Filter::default(), None, 10).await.unwrap();
        for row in all {
            let ctx = ctx.clone();
            db.store.write(move |tx| Box::pin(async move { end(tx, &ctx, &row.id, &Ending::Refused("no total".into())).await })).await.unwrap();
        }
        let refused = |reason: &str| Filter {
            connection: Some(here.clone()),
            state: Some("refused".into()),
            since_ms: Some(begin + 1_000),
            until_ms: Some(begin + 4_000),
            reason: Some(reason.into()),
        };
        assert_eq!(replay_all(&db.store, &ctx, &refused("No total")).await.unwrap(), 0, "word for word");
        assert_eq!(replay_all(&db.store, &ctx, &refused("total")).await.unwrap(), 1);
        let new = Filter { state: Some("new".into()), ..Filter::default() };
        let new = list(&mut db.store.read().await.unwrap(), &ctx.tenant, &new, None, 10).await.unwrap();
        assert_eq!(new.iter().map(|row| (row.connection.clone(), row.received_at)).collect::<Vec<_>>(), [(here.clone(), begin + 2_000)]);

        let causes = causes(&mut db.store.read().await.unwrap(), &ctx.tenant, 100).await.unwrap();
        let told = causes.iter().map(|cause| (cause.connection.clone(), cause.deliveries, cause.orders.iter().cloned().collect::<Vec<_>>()));
        let mut expected = [(here.clone(), 2, vec!["7".to_owned()]), (there, 3, vec!["7".to_owned()])];
        expected.sort_by_key(|(connection, ..)| connection.to_string());
        assert_eq!(told.collect::<Vec<_>>(), expected);
        let skipped = async |id: DeliveryId| {
            let ctx = ctx.clone();
            db.store.write(move |tx| Box::pin(async move { skip(tx, &ctx, &id).await })).await
        };
        let here_all = list(&mut db.store.read().await.unwrap(), &ctx.tenant, &Filter { connection: Some(here.clone()), ..Filter::default() }, None, 10).await.unwrap();
        let first = here_all.iter().find(|row| row.state == "refused").unwrap().id.clone();
        assert!(skipped(first.clone()).await.unwrap() && !skipped(first).await.unwrap(), "once");
        assert!(matches!(skipped(DeliveryId::new(&ctx.ids)).await, Err(Error::Missing(_))));
        let lane = order_lane(&here, "7");
        let waiting = db.store.write(move |tx| Box::pin(async move { skip_waiting(tx, &ctx, &lane).await })).await.unwrap();
        assert_eq!(waiting, 1, "what was replayed waits no more");
    }
}

#[tokio::test]
async fn below_the_reserve_of_the_disk_nothing_is_recorded_and_nothing_acknowledged() {
    let Some(db) = crate::store::tests::TestDb::sqlite().await else { return };
    let ctx = db.ctx();
    let patience = Patience { reserve_bytes: u64::MAX, ..Patience::default() };
    let full = Inbox::open(db.store.clone(), ctx.clone(), vault(&ctx), patience);
    let connection = ConnectionId::new(&ctx.ids);
    assert!(matches!(full.accept(delivery(&connection, "event-1", b"{}")).await, Err(Error::NoRoom)));
    assert!(list(&mut db.store.read().await.unwrap(), &ctx.tenant, &Filter::default(), None, 10).await.unwrap().is_empty());
    let roomy = Inbox::open(db.store.clone(), ctx.clone(), vault(&ctx), Patience { reserve_bytes: 1, ..Patience::default() });
    assert_eq!(roomy.accept(delivery(&connection, "event-1", b"{}")).await.unwrap(), Accepted::New);
}

#[tokio::test]
async fn a_commit_that_takes_too_long_is_not_waited_for_and_its_repeat_is_a_duplicate() {
    let Some(db) = crate::store::tests::TestDb::sqlite().await else { return };
    let ctx = db.ctx();
    let inbox =
        Inbox::open(db.store.clone(), ctx.clone(), vault(&ctx), Patience { accept: Duration::from_millis(50), ..Patience::default() });
    let (go_on, held) = oneshot::channel::<()>();
    let (holds, begun) = oneshot::channel::<()>();
    let store = db.store.clone();
    let slow = tokio::spawn(async move {
        let held = store.write(move |_| {
            Box::pin(async move {
                let _ = holds.send(());
                Ok::<_, crate::store::Error>(held.await.is_ok())
            })
        });
        held.await
    });
    begun.await.unwrap();
    let connection = ConnectionId::new(&ctx.ids);
    assert!(matches!(inbox.accept(delivery(&connection, "event-1", b"{}")).await, Err(Error::Busy)));
    go_on.send(()).unwrap();
    slow.await.unwrap().unwrap();
    while inbox.accept(delivery(&connection, "event-2", b"{}")).await.is_err() {}
    assert_eq!(inbox.accept(delivery(&connection, "event-1", b"{}")).await.unwrap(), Accepted::Duplicate);
}
