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
        dedupe: dedupe.into(),
        headers: vec![("x-topic".into(), "order.created".into())],
        body: body.to_vec(),
    }
}

on_both! {
    async fn the_second_delivery_of_the_same_event_changes_nothing(db: TestDb) {
        let ctx = db.ctx();
        let vault = vault(&ctx);
        let inbox = Inbox::open(db.store.clone(), ctx.clone(), vault.clone());
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

    async fn an_ended_delivery_waits_no_more_until_it_is_replayed(db: TestDb) {
        let ctx = db.ctx();
        let vault = vault(&ctx);
        let inbox = Inbox::open(db.store.clone(), ctx.clone(), vault.clone());
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
}
