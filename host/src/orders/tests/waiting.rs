//! Orders that lack something, that are not paid, and goods that come back.

use super::*;
use crate::stock::{Allocation, Rule, Serving, Split};

impl Workshop {
    async fn attic(&self) -> LocationId {
        self.write(|tx, ctx| Box::pin(async move { Ok(locations::add(tx, &ctx, "Attic").await.map_err(stock::Error::from)?.id) }))
            .await
            .unwrap()
    }

    async fn rule(&self, rule: Rule) {
        let connection = self.connection.clone();
        self.write(move |tx, ctx| Box::pin(async move { Ok(stock::set_rule(tx, &ctx, Some(&connection), &rule).await?) })).await.unwrap();
    }

    async fn let_go(&self, until: i64) -> usize {
        let connection = self.connection.clone();
        self.write(move |tx, ctx| Box::pin(async move { let_unpaid_go(tx, &ctx, &connection, until, 10).await })).await.unwrap().0
    }

    async fn back(&self, order: &OrderId, units: i64, to_shelf: bool) -> Result<stock::Change, Error> {
        let order = order.clone();
        self.write(move |tx, ctx| Box::pin(async move { note_returned_here(tx, &ctx, &order, &[("0".into(), units)], to_shelf).await }))
            .await
    }
}

fn acts(shortages: &[Shortage]) -> Vec<(&str, i64)> {
    let word = |remedy: &Remedy| match remedy.act {
        remedies::Act::OtherPlace => "other-place",
        remedies::Act::Restock => "restock",
        remedies::Act::Backorder => "backorder",
        remedies::Act::CancelLine => "cancel-line",
    };
    shortages.iter().flat_map(|shortage| &shortage.remedies).map(|remedy| (word(remedy), remedy.units)).collect()
}

on_both! {
    async fn an_order_that_finds_no_stock_is_kept_names_its_remedies_and_heals_in_the_order_of_placing(db: TestDb) {
        let shop = Workshop::open(db).await;
        let cup = shop.good("CUP", 1).await;
        let at = |name: &str, placed_at: i64, units: i64| ChannelOrder { placed_at, ..picture(name, 0, &[sold("CUP", units)]) };
        shop.take(&at("late", 3_000, 2)).await.unwrap();
        shop.take(&at("early", 1_000, 2)).await.unwrap();
        shop.take(&at("middle", 2_000, 2)).await.unwrap();
        let short = async |name: &str| {
            let mut conn = shop.db.store.read().await.unwrap();
            let id = find_external(&mut conn, &shop.ctx.tenant, &shop.connection, name).await.unwrap().unwrap();
            (find(&mut conn, &shop.ctx.tenant, &id).await.unwrap().unwrap().short, id)
        };
        assert_eq!((short("early").await.0, short("middle").await.0, short("late").await.0), (2, 2, 1));
        let id = short("early").await.1;
        let told = remedies(&mut shop.db.store.read().await.unwrap(), &shop.ctx.tenant, &id).await.unwrap();
        assert_eq!(acts(&told), [("restock", 2), ("backorder", 2), ("cancel-line", 2)]);
        assert!(told[0].remedies[0].how.contains("stock receive CUP 2"), "{told:?}");

        shop.receive(&cup, 3).await;
        assert_eq!((short("early").await.0, short("middle").await.0, short("late").await.0), (0, 1, 1));
        // What another order gives back heals as well.
        shop.take(&ChannelOrder { status: Status::Cancelled, ..picture("early", 9, &[sold("CUP", 2)]) }).await.unwrap();
        assert_eq!((short("middle").await.0, short("late").await.0), (0, 0));
        assert_eq!(shop.books(&cup).await, (4, 4));
    }

    async fn goods_that_lie_elsewhere_are_a_remedy_and_serving_again_takes_them(db: TestDb) {
        let shop = Workshop::open(db).await;
        let cup = shop.good("CUP", 2).await;
        let attic = shop.attic().await;
        let (v, p) = (cup.clone(), attic.clone());
        shop.write(move |tx, ctx| Box::pin(async move { Ok(stock::receive(tx, &ctx, &v, &p, 2, "attic").await?) })).await.unwrap();
        shop.rule(Rule { serving: Serving { allocation: Allocation::Priority, split: Split::Never }, unpaid_ms: None }).await;
        let order = shop.placed("1", &[sold("CUP", 3)]).await;
        let told = remedies(&mut shop.db.store.read().await.unwrap(), &shop.ctx.tenant, &order).await.unwrap();
        assert_eq!(acts(&told)[0], ("other-place", 1));
        assert_eq!(told[0].remedies[0].location.as_ref(), Some(&attic));
        let id = order.clone();
        shop.write(move |tx, ctx| Box::pin(async move { serve_again(tx, &ctx, &id, &stock::Again { first: Some(attic) }).await })).await.unwrap();
        assert_eq!((shop.view(&order).await.short, shop.books(&cup).await), (0, (4, 3)));
        // A later picture does not bring the shortage back.
        shop.take(&picture("1", 1, &[sold("CUP", 3)])).await.unwrap();
        assert_eq!((shop.view(&order).await.short, shop.books(&cup).await), (0, (4, 3)));
    }

    async fn an_order_that_is_not_paid_in_time_lets_go_and_holds_again_when_it_is(db: TestDb) {
        let shop = Workshop::open(db).await;
        let cup = shop.good("CUP", 5).await;
        shop.rule(Rule { serving: Serving::default(), unpaid_ms: Some(3_600_000) }).await;
        let unpaid = |updated_at: i64, lines: &[Said]| ChannelOrder { payment: Payment::Pending, ..picture("1", updated_at, lines) };
        let Ingested::Stored { order, .. } = shop.take(&unpaid(0, &[sold("CUP", 3)])).await.unwrap() else { panic!() };
        let paid = shop.placed("2", &[sold("CUP", 1)]).await;
        let placed_at = shop.view(&order).await.placed_at;
        assert_eq!(oldest_unpaid(&mut shop.db.store.read().await.unwrap(), &shop.ctx.tenant, &shop.connection).await.unwrap(), Some(placed_at));
        assert_eq!(shop.let_go(placed_at - 1).await, 0, "not before its time");
        assert_eq!(shop.books(&cup).await, (5, 4));
        assert_eq!(shop.let_go(placed_at).await, 1);
        assert_eq!((shop.books(&cup).await, shop.view(&order).await.holds), ((5, 1), "nothing:unpaid".into()));
        assert_eq!(shop.view(&paid).await.holds, "stock");
        assert_eq!(shop.let_go(i64::MAX).await, 0);

        // Another picture of the order that is still not paid must not bring the hold back.
        shop.db.clock.advance(3_600_000);
        shop.take(&unpaid(1, &[sold("CUP", 2)])).await.unwrap();
        assert_eq!(shop.books(&cup).await, (5, 1));
        shop.take(&picture("1", 2, &[sold("CUP", 2)])).await.unwrap();
        assert_eq!((shop.books(&cup).await, shop.view(&order).await.holds), ((5, 3), "stock".into()));
    }

    async fn goods_of_an_unpaid_order_that_left_stay_gone_and_such_an_order_is_not_let_go(db: TestDb) {
        let shop = Workshop::open(db).await;
        let cup = shop.good("CUP", 5).await;
        let unpaid = |updated_at: i64, payment: Payment| {
            ChannelOrder { payment, ..picture("1", updated_at, &[Said { fulfilled: 1, ..sold("CUP", 3) }]) }
        };
        shop.take(&unpaid(0, Payment::Pending)).await.unwrap();
        assert_eq!(shop.let_go(i64::MAX).await, 0, "somebody trusts this buyer");
        assert_eq!(shop.books(&cup).await, (4, 2));
        shop.take(&unpaid(1, Payment::Failed)).await.unwrap();
        assert_eq!(shop.books(&cup).await, (4, 0), "a payment that fails afterwards brings nothing back to the shelf");
    }

    async fn goods_that_come_back_go_to_the_shelf_or_not_and_never_more_than_left(db: TestDb) {
        let shop = Workshop::open(db).await;
        let cup = shop.good("CUP", 5).await;
        let lines = [Said { fulfilled: 3, ..sold("CUP", 3) }];
        let order = shop.placed("1", &lines).await;
        assert_eq!(shop.books(&cup).await, (2, 0));
        shop.back(&order, 1, false).await.unwrap();
        assert_eq!(shop.books(&cup).await, (2, 0), "broken: noted, not for sale");
        shop.back(&order, 2, true).await.unwrap();
        assert_eq!(shop.books(&cup).await, (4, 0));
        assert!(matches!(shop.back(&order, 2, true).await, Err(Error::NotOut { out: 1, .. })));
        assert!(matches!(shop.back(&order, 0, true).await, Err(Error::NotOut { .. })));
        // The channel learns of one of them later; that is not a third.
        shop.take(&picture("1", 1, &[Said { restocked: 1, ..lines[0].clone() }])).await.unwrap();
        assert_eq!(shop.books(&cup).await, (4, 0));
        assert_eq!(shop.view(&order).await.lines[0].returned, 2);
        assert_eq!(shop.view(&order).await.events.iter().filter(|event| event.what == "returned").count(), 2);
    }

    async fn a_line_made_smaller_after_it_left_brings_nothing_back(db: TestDb) {
        let shop = Workshop::open(db).await;
        let cup = shop.good("CUP", 5).await;
        let order = shop.placed("1", &[sold("CUP", 3)]).await;
        let id = order.clone();
        shop.write(move |tx, ctx| Box::pin(async move { note_shipped_here(tx, &ctx, &id, &[("0".into(), 3)]).await })).await.unwrap();
        assert_eq!(shop.books(&cup).await, (2, 0));
        shop.take(&picture("1", 1, &[sold("CUP", 1)])).await.unwrap();
        assert_eq!(shop.books(&cup).await, (2, 0), "three are with the buyer, whatever the channel bills");
    }
}
