#![allow(clippy::unwrap_used)]

use super::*;
use crate::on_both;
use crate::store::tests::TestDb;

async fn put(db: &TestDb, connection: &ConnectionId, external: &'static str, internal: &'static str) -> Result<bool, Error> {
    let (ctx, connection) = (db.ctx(), connection.clone());
    db.store.write(move |tx| Box::pin(async move { map(tx, &ctx, Kind::Order, &connection, external, internal).await })).await
}

on_both! {
    async fn a_foreign_id_keeps_its_meaning(db: TestDb) {
        let ctx = db.ctx();
        let (a, b) = (ConnectionId::new(&ctx.ids), ConnectionId::new(&ctx.ids));
        assert!(put(&db, &a, "1001", "ord_1").await.unwrap());
        assert!(!put(&db, &a, "1001", "ord_1").await.unwrap());
        let refused = put(&db, &a, "1001", "ord_2").await.unwrap_err();
        assert!(refused.to_string().contains("1001") && refused.to_string().contains("ord_1"), "{refused}");
        // Another shop counts its orders too.
        assert!(put(&db, &b, "1001", "ord_2").await.unwrap());

        let mut conn = db.store.read().await.unwrap();
        assert_eq!(find(&mut conn, &ctx.tenant, Kind::Order, &a, "1001").await.unwrap().as_deref(), Some("ord_1"));
        assert_eq!(find(&mut conn, &ctx.tenant, Kind::Order, &b, "1001").await.unwrap().as_deref(), Some("ord_2"));
        assert_eq!(find(&mut conn, &ctx.tenant, Kind::Shipment, &a, "1001").await.unwrap(), None);
        assert_eq!(find(&mut conn, &Tenant::named("other"), Kind::Order, &a, "1001").await.unwrap(), None);
    }

    async fn many_are_found_at_once_and_listed_for_one_of_ours(db: TestDb) {
        let ctx = db.ctx();
        let a = ConnectionId::new(&ctx.ids);
        put(&db, &a, "1", "ord_1").await.unwrap();
        put(&db, &a, "2", "ord_2").await.unwrap();
        put(&db, &a, "one", "ord_1").await.unwrap();
        let mut conn = db.store.read().await.unwrap();
        let found = find_many(&mut conn, &ctx.tenant, Kind::Order, &a, &["1", "2", "3"]).await.unwrap();
        assert_eq!(found, BTreeMap::from([("1".to_owned(), "ord_1".to_owned()), ("2".to_owned(), "ord_2".to_owned())]));
        assert!(find_many(&mut conn, &ctx.tenant, Kind::Order, &a, &[]).await.unwrap().is_empty());
        let foreign = list_for(&mut conn, &ctx.tenant, "ord_1").await.unwrap();
        assert_eq!(foreign.iter().map(|f| f.external_id.as_str()).collect::<Vec<_>>(), ["1", "one"]);
    }
}
