//! The sums are what the ledger says, and are written anew from it.

use super::*;

async fn tamper(shop: &Shop, sql: &'static str, variant: &VariantId) {
    let variant = variant.clone();
    shop.db.store.write(move |tx| Box::pin(async move { tx.execute(sql, args![&variant]).await })).await.unwrap();
}

async fn rebuilt(shop: &Shop) -> Result<Vec<Difference>, Error> {
    let ctx = shop.ctx.clone();
    shop.db.store.write(move |tx| Box::pin(async move { rebuild(tx, &ctx).await })).await
}

on_both! {
    async fn sums_rebuilt_from_the_ledger_are_the_sums(db: TestDb) {
        let shop = Shop::open(db).await;
        let (a, b) = (shop.with(10).await, shop.with(7).await);
        let order = OrderId::new(&shop.ctx.ids);
        shop.settle(&order, 1, vec![want("1", &a, 2, 1), want("2", &b, 3, 0)]).await;
        assert_eq!(rebuilt(&shop).await.unwrap(), [], "nothing to correct where nothing went wrong");

        tamper(&shop, "UPDATE stock SET on_hand = on_hand + 5 WHERE variant = $1", &a).await;
        tamper(&shop, "DELETE FROM stock WHERE variant = $1", &b).await;
        let mut conn = shop.db.store.read().await.unwrap();
        assert_eq!(audit(&mut conn, &shop.ctx.tenant).await.unwrap().len(), 3, "two sums, and a promise without a sum");
        assert_eq!(differences(&mut conn, &shop.ctx.tenant).await.unwrap().len(), 2);
        drop(conn);
        let corrected = rebuilt(&shop).await.unwrap();
        assert_eq!(corrected.iter().map(|d| (d.on_hand, d.ledger_on_hand, d.ledger_reserved)).collect::<Vec<_>>(), [(14, 9, 2), (0, 7, 3)]);
        assert_eq!((shop.stock(&a).await, shop.stock(&b).await), ((9, 2), (7, 3)));
        assert_eq!(rebuilt(&shop).await.unwrap(), []);
    }

    async fn a_ledger_that_no_shelf_can_hold_is_not_written_into_the_sums(db: TestDb) {
        let shop = Shop::open(db).await;
        let a = shop.with(4).await;
        tamper(&shop, "UPDATE movement SET on_hand = -4 WHERE variant = $1", &a).await;
        assert!(matches!(rebuilt(&shop).await, Err(Error::ImpossibleLedger { on_hand: -4, .. })));
        let found = availability(&mut shop.db.store.read().await.unwrap(), &shop.ctx.tenant, std::slice::from_ref(&a)).await.unwrap();
        assert_eq!(found[&a].on_hand, 4, "and nothing was changed");
    }

    async fn a_count_that_found_what_was_expected_is_booked_so_that_a_repeat_says_nothing(db: TestDb) {
        let shop = Shop::open(db).await;
        let a = shop.with(5).await;
        let counted = async |units: i64| {
            let (ctx, variant, place) = (shop.ctx.clone(), a.clone(), shop.place.clone());
            shop.db.store.write(move |tx| Box::pin(async move { count(tx, &ctx, &variant, &place, units, "count-9").await })).await.unwrap()
        };
        assert!(counted(5).await);
        shop.settle(&OrderId::new(&shop.ctx.ids), 1, vec![want("1", &a, 0, 2)]).await;
        assert!(!counted(5).await, "the same count again, after two were sent");
        assert_eq!(shop.stock(&a).await, (3, 0));
    }
}
