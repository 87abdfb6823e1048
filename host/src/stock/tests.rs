#![allow(clippy::unwrap_used)]

mod books;
pub mod dice;
mod model;
mod published;
mod shelves;

use super::*;
use crate::args;
use crate::id::{OrderId, VariantId};
use crate::on_both;
use crate::store::tests::TestDb;

struct Shop {
    db: TestDb,
    ctx: Ctx,
    place: LocationId,
}

impl Shop {
    async fn open(db: TestDb) -> Self {
        let ctx = db.ctx();
        let place = LocationId::new(&ctx.ids);
        let (tenant, id) = (ctx.tenant.clone(), place.clone());
        db.store
            .write(move |tx| {
                Box::pin(async move {
                    tx.execute(
                        "INSERT INTO location (tenant, id, name, priority, created_at) VALUES ($1, $2, 'Main', 0, 0)",
                        args![&tenant, &id],
                    )
                    .await?;
                    Ok::<_, crate::store::Error>(())
                })
            })
            .await
            .unwrap();
        Self { db, ctx, place }
    }

    async fn with(&self, units: i64) -> VariantId {
        let variant = VariantId::new(&self.ctx.ids);
        let (ctx, v, place) = (self.ctx.clone(), variant.clone(), self.place.clone());
        self.db.store.write(move |tx| Box::pin(async move { receive(tx, &ctx, &v, &place, units, "opening").await })).await.unwrap();
        variant
    }

    async fn settle(&self, order: &OrderId, revision: i64, targets: Vec<Target>) -> Settled {
        let (ctx, order) = (self.ctx.clone(), order.clone());
        let settled = self.db.store.write(move |tx| {
            Box::pin(async move {
                let sale = Sale { order: &order, revision, connection: None, country: None, again: None, only: None };
                settle(tx, &ctx, sale, &targets).await
            })
        });
        settled.await.unwrap()
    }

    async fn stock(&self, variant: &VariantId) -> (i64, i64) {
        let mut conn = self.db.store.read().await.unwrap();
        assert_eq!(audit(&mut conn, &self.ctx.tenant).await.unwrap(), Vec::<String>::new());
        let found = availability(&mut conn, &self.ctx.tenant, std::slice::from_ref(variant)).await.unwrap();
        (found[variant].on_hand, found[variant].reserved)
    }
}

fn want(line: &str, variant: &VariantId, open: i64, shipped: i64) -> Target {
    Target { line: line.into(), variant: variant.clone(), open, shipped: Some(shipped), returned: 0 }
}

on_both! {
    async fn an_order_reserves_ships_and_gives_back_exactly_what_it_took(db: TestDb) {
        let shop = Shop::open(db).await;
        let v = shop.with(10).await;
        let order = OrderId::new(&shop.ctx.ids);
        assert_eq!(shop.settle(&order, 1, vec![want("1", &v, 4, 0)]).await.short.len(), 0);
        assert_eq!(shop.stock(&v).await, (10, 4));
        shop.settle(&order, 2, vec![want("1", &v, 3, 1)]).await;
        assert_eq!(shop.stock(&v).await, (9, 3));
        shop.settle(&order, 3, vec![want("1", &v, 0, 1)]).await;
        assert_eq!(shop.stock(&v).await, (9, 0));
        shop.settle(&order, 4, vec![Target { returned: 1, ..want("1", &v, 0, 1) }]).await;
        assert_eq!(shop.stock(&v).await, (10, 0));
    }

    async fn a_shipment_taken_back_puts_the_goods_on_the_shelf_and_promises_them_again(db: TestDb) {
        let shop = Shop::open(db).await;
        let v = shop.with(5).await;
        let order = OrderId::new(&shop.ctx.ids);
        shop.settle(&order, 1, vec![want("1", &v, 0, 3)]).await;
        assert_eq!(shop.stock(&v).await, (2, 0));
        shop.settle(&order, 2, vec![want("1", &v, 1, 2)]).await;
        assert_eq!(shop.stock(&v).await, (3, 1));
        shop.settle(&order, 3, vec![want("1", &v, 0, 3)]).await;
        assert_eq!(shop.stock(&v).await, (2, 0));
    }

    async fn settling_twice_books_once(db: TestDb) {
        let shop = Shop::open(db).await;
        let v = shop.with(5).await;
        let order = OrderId::new(&shop.ctx.ids);
        shop.settle(&order, 1, vec![want("1", &v, 2, 0)]).await;
        let again = shop.settle(&order, 2, vec![want("1", &v, 2, 0)]).await;
        assert_eq!(again.change, Change::default());
        assert_eq!(shop.stock(&v).await, (5, 2));
    }

    async fn two_lines_of_one_cart_cannot_take_the_same_unit(db: TestDb) {
        let shop = Shop::open(db).await;
        let v = shop.with(3).await;
        let order = OrderId::new(&shop.ctx.ids);
        let settled = shop.settle(&order, 1, vec![want("1", &v, 2, 0), want("2", &v, 2, 0)]).await;
        assert_eq!(settled.short, [(("2".to_owned(), v.clone()), 1)].into());
        assert_eq!(shop.stock(&v).await, (3, 3));
    }

    async fn a_shipment_the_hub_had_no_stock_for_is_booked_as_found(db: TestDb) {
        let shop = Shop::open(db).await;
        let v = shop.with(1).await;
        let order = OrderId::new(&shop.ctx.ids);
        shop.settle(&order, 1, vec![want("1", &v, 0, 3)]).await;
        assert_eq!(shop.stock(&v).await, (0, 0));
    }

    async fn a_line_that_vanishes_gives_back_everything(db: TestDb) {
        let shop = Shop::open(db).await;
        let v = shop.with(5).await;
        let order = OrderId::new(&shop.ctx.ids);
        shop.settle(&order, 1, vec![want("1", &v, 5, 0)]).await;
        shop.settle(&order, 2, vec![]).await;
        assert_eq!(shop.stock(&v).await, (5, 0));
    }

    async fn one_receipt_books_once_and_a_count_below_what_is_promised_is_refused(db: TestDb) {
        let shop = Shop::open(db).await;
        let v = shop.with(5).await;
        let (ctx, variant, place) = (shop.ctx.clone(), v.clone(), shop.place.clone());
        let again = shop.db.store.write(move |tx| Box::pin(async move { receive(tx, &ctx, &variant, &place, 5, "opening").await })).await;
        assert!(!again.unwrap());
        shop.settle(&OrderId::new(&shop.ctx.ids), 1, vec![want("1", &v, 3, 0)]).await;
        let (ctx, variant, place) = (shop.ctx.clone(), v.clone(), shop.place.clone());
        let refused = shop.db.store.write(move |tx| Box::pin(async move { count(tx, &ctx, &variant, &place, 2, "count-1").await })).await;
        assert!(matches!(refused, Err(Error::BelowReserved { left: 2, reserved: 3, .. })));
        assert_eq!(shop.stock(&v).await, (5, 3));
    }

    async fn forty_orders_for_ten_units_reserve_ten(db: TestDb) {
        let shop = std::sync::Arc::new(Shop::open(db).await);
        let (a, b) = (shop.with(10).await, shop.with(10).await);
        let orders = (0..40).map(|i| {
            let (shop, a, b) = (shop.clone(), a.clone(), b.clone());
            tokio::spawn(async move {
                let order = OrderId::new(&shop.ctx.ids);
                // Half of them name the variants the other way round.
                let (first, second) = if i % 2 == 0 { (&a, &b) } else { (&b, &a) };
                shop.settle(&order, 1, vec![want("1", first, 1, 0), want("2", second, 1, 0)]).await.short.len()
            })
        });
        let short: usize = futures::future::join_all(orders).await.into_iter().map(Result::unwrap).sum();
        assert_eq!(short, 60);
        assert_eq!((shop.stock(&a).await, shop.stock(&b).await), ((10, 10), (10, 10)));
    }
}
