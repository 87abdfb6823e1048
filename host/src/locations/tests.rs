#![allow(clippy::unwrap_used)]

use super::*;
use crate::on_both;
use crate::store::tests::TestDb;

async fn write<T: Send + 'static>(
    db: &TestDb,
    work: impl for<'t> FnOnce(&'t mut WriteTx) -> futures::future::BoxFuture<'t, Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    db.store.write(work).await
}

on_both! {
    async fn the_first_location_is_made_once_even_by_many_at_a_time(db: TestDb) {
        let made = (0..8).map(|_| {
            let (store, ctx) = (db.store.clone(), db.ctx());
            tokio::spawn(async move { store.write(move |tx| Box::pin(async move { ensure_default(tx, &ctx).await })).await })
        });
        let mut ids: Vec<LocationId> = futures::future::join_all(made).await.into_iter().map(|id| id.unwrap().unwrap()).collect();
        ids.dedup();
        assert_eq!(ids.len(), 1);
        let mut conn = db.store.read().await.unwrap();
        let all = list(&mut conn, &db.ctx().tenant).await.unwrap();
        assert_eq!(all.iter().map(|l| l.name.as_str()).collect::<Vec<_>>(), ["Main"]);
    }

    async fn locations_are_asked_in_the_order_they_were_added(db: TestDb) {
        let ctx = db.ctx();
        write(&db, move |tx| Box::pin(async move {
            add(tx, &ctx, "Cellar").await?;
            add(tx, &ctx, "Attic").await?;
            assert!(matches!(add(tx, &ctx, " Attic ").await, Err(Error::NameTaken { .. })));
            assert!(matches!(add(tx, &ctx, "").await, Err(Error::BadName { .. })));
            assert_eq!(ensure_default(tx, &ctx).await?, resolve(tx, &ctx.tenant, "Cellar").await?.id);
            assert!(resolve(tx, &ctx.tenant, "Roof").await.unwrap_err().to_string().contains("Roof"));
            Ok(())
        })).await.unwrap();
        let mut conn = db.store.read().await.unwrap();
        let all = list(&mut conn, &db.ctx().tenant).await.unwrap();
        assert_eq!(all.iter().map(|l| l.name.as_str()).collect::<Vec<_>>(), ["Cellar", "Attic"]);
    }

    async fn a_channels_location_is_one_of_ours_per_connection(db: TestDb) {
        let ctx = db.ctx();
        let (a, b) = (ConnectionId::new(&ctx.ids), ConnectionId::new(&ctx.ids));
        let (c, shop, nowhere) = (ctx.clone(), a.clone(), LocationId::new(&ctx.ids));
        let attic = write(&db, move |tx| Box::pin(async move {
            let (cellar, attic) = (add(tx, &c, "Cellar").await?.id, add(tx, &c, "Attic").await?.id);
            map(tx, &c, &shop, "11", &cellar).await?;
            map(tx, &c, &shop, "11", &attic).await?;
            map(tx, &c, &shop, "12", &cellar).await?;
            assert!(matches!(map(tx, &c, &shop, "13", &nowhere).await, Err(Error::Unknown { .. })));
            assert!(unmap(tx, &c, &shop, "12").await?);
            assert!(!unmap(tx, &c, &shop, "12").await?);
            Ok(attic)
        })).await.unwrap();
        let mut conn = db.store.read().await.unwrap();
        assert_eq!(mapped(&mut conn, &ctx.tenant, &a).await.unwrap(), BTreeMap::from([("11".to_owned(), attic)]));
        assert!(mapped(&mut conn, &ctx.tenant, &b).await.unwrap().is_empty());
        drop(conn);
        let (c, shop) = (ctx.clone(), a.clone());
        write(&db, move |tx| Box::pin(async move { forget_connection(tx, &c, &shop).await })).await.unwrap();
        let mut conn = db.store.read().await.unwrap();
        assert!(mapped(&mut conn, &ctx.tenant, &a).await.unwrap().is_empty());
    }
}
