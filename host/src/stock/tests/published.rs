//! Faults that well-known shop systems have published, each played against this one. What must not happen here is what
//! happened there; sources: the issue trackers of the systems, by number.

use std::sync::Arc;

use super::*;

/// Sixteen at a time, as often as asked. A unit of work that lost against another is done again, and counted.
async fn at_once<T: Send + 'static>(
    shop: &Arc<Shop>,
    times: usize,
    work: impl Fn(usize) -> futures::future::BoxFuture<'static, Result<T, Error>> + Send + Sync + 'static,
) -> (Vec<T>, usize) {
    let work = Arc::new(work);
    let next = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let workers = (0..16).map(|_| {
        let (work, next, _shop) = (work.clone(), next.clone(), shop.clone());
        tokio::spawn(async move {
            let (mut done, mut lost) = (Vec::new(), 0);
            loop {
                let n = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if n >= times {
                    return (done, lost);
                }
                loop {
                    match work(n).await {
                        Ok(value) => break done.push(value),
                        Err(Error::Store(crate::store::Error::Contended(_) | crate::store::Error::Duplicate(_))) => lost += 1,
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        })
    });
    let parts = futures::future::join_all(workers).await.into_iter().map(Result::unwrap);
    parts.fold((Vec::new(), 0), |(mut all, lost), (done, more)| {
        all.extend(done);
        (all, lost + more)
    })
}

type Settling = futures::future::BoxFuture<'static, Result<Settled, Error>>;

/// A new order each time, with the targets of its number.
fn selling<F>(shop: &Arc<Shop>, targets: F) -> impl Fn(usize) -> Settling + Send + Sync + use<F>
where
    F: Fn(usize) -> Vec<Target> + Send + Sync + 'static,
{
    let (shop, targets) = (shop.clone(), Arc::new(targets));
    move |n| {
        let (shop, targets) = (shop.clone(), targets(n));
        Box::pin(async move {
            let (ctx, order) = (shop.ctx.clone(), OrderId::new(&shop.ctx.ids));
            let settled = shop.db.store.write(move |tx| {
                Box::pin(async move {
                    let sale = Sale { order: &order, revision: 1, connection: None, country: None, again: None, only: None };
                    settle(tx, &ctx, sale, &targets).await
                })
            });
            settled.await
        })
    }
}

fn short(settled: &[Settled]) -> i64 {
    settled.iter().flat_map(|settled| settled.short.values()).sum()
}

on_both! {
    async fn medusa_16569_concurrent_reservations_do_not_oversubscribe_and_the_counter_is_what_orders_hold(db: TestDb) {
        let shop = Arc::new(Shop::open(db).await);
        let v = shop.with(1).await;
        let wanted = v.clone();
        let (settled, _) = at_once(&shop, 32, selling(&shop, move |_| vec![want("1", &wanted, 1, 0)])).await;
        assert_eq!(short(&settled), 31);
        assert_eq!(shop.stock(&v).await, (1, 1), "and the audit in there compares it with the reservations");
    }

    async fn medusa_16502_two_lines_of_one_cart_that_share_an_item_are_counted_together(db: TestDb) {
        let shop = Arc::new(Shop::open(db).await);
        let v = shop.with(3).await;
        // A single piece and a bundle of two of the same.
        let wanted = v.clone();
        let (settled, _) = at_once(&shop, 1, selling(&shop, move |_| vec![want("single", &wanted, 2, 0), want("bundle", &wanted, 2, 0)])).await;
        assert_eq!(short(&settled), 1);
        assert_eq!(shop.stock(&v).await, (3, 3));
    }

    async fn medusa_12401_cancelling_again_and_again_never_takes_reserved_below_zero(db: TestDb) {
        let shop = Arc::new(Shop::open(db).await);
        let v = shop.with(5).await;
        let order = OrderId::new(&shop.ctx.ids);
        for revision in 0..6 {
            shop.settle(&order, 3 * revision + 1, vec![want("1", &v, 2, 0)]).await;
            shop.settle(&order, 3 * revision + 2, vec![want("1", &v, 0, 0)]).await;
            shop.settle(&order, 3 * revision + 3, vec![]).await;
            assert_eq!(shop.stock(&v).await, (5, 0));
        }
    }

    async fn vendure_4930_and_nopcommerce_8085_concurrent_changes_of_one_item_lose_no_update(db: TestDb) {
        let shop = Arc::new(Shop::open(db).await);
        let v = shop.with(100).await;
        let (ctx, variant, place) = (shop.ctx.clone(), v.clone(), shop.place.clone());
        let store = shop.db.store.clone();
        let (booked, _) = at_once(&shop, 200, move |n| {
            let (ctx, variant, place, store) = (ctx.clone(), variant.clone(), place.clone(), store.clone());
            Box::pin(async move {
                store.write(move |tx| Box::pin(async move {
                    // One more, three more, one less, in turn: plus one each.
                    let units = [1, 3, -1][n % 3];
                    adjust(tx, &ctx, &variant, &place, units, &format!("change-{n}")).await.map(|booked| (booked, units))
                })).await
            })
        }).await;
        assert!(booked.iter().all(|(booked, _)| *booked));
        let sum: i64 = booked.iter().map(|(_, units)| units).sum();
        assert_eq!(shop.stock(&v).await, (100 + sum, 0));
    }

    async fn vendure_1738_and_3508_the_check_and_the_promise_are_one_so_the_last_item_is_promised_once(db: TestDb) {
        let shop = Arc::new(Shop::open(db).await);
        let v = shop.with(20).await;
        let wanted = v.clone();
        let (settled, _) = at_once(&shop, 10, selling(&shop, move |n| vec![want("1", &wanted, if n == 0 { 20 } else { 5 }, 0)])).await;
        assert_eq!(short(&settled), 20 + 9 * 5 - 20);
        assert_eq!(shop.stock(&v).await, (20, 20));
    }

    async fn saleor_543_and_odoo_32857_twenty_at_once_for_ten_get_ten(db: TestDb) {
        let shop = Arc::new(Shop::open(db).await);
        let v = shop.with(10).await;
        let wanted = v.clone();
        let (settled, _) = at_once(&shop, 20, selling(&shop, move |_| vec![want("1", &wanted, 1, 0)])).await;
        assert_eq!(settled.iter().filter(|settled| settled.short.is_empty()).count(), 10);
        assert_eq!(shop.stock(&v).await, (10, 10));
    }

    async fn odoo_268942_and_272560_a_row_that_is_locked_is_waited_for_and_never_doubled(db: TestDb) {
        let shop = Arc::new(Shop::open(db).await);
        let v = VariantId::new(&shop.ctx.ids);
        let wanted = v.clone();
        // Nobody has counted it: the row itself is made by whoever comes first.
        let (settled, _) = at_once(&shop, 48, selling(&shop, move |_| vec![want("1", &wanted, 1, 0)])).await;
        assert_eq!(short(&settled), 48);
        let mut conn = shop.db.store.read().await.unwrap();
        let levels = levels(&mut conn, &shop.ctx.tenant, &v).await.unwrap();
        assert_eq!(levels.iter().map(|level| (level.on_hand, level.reserved)).collect::<Vec<_>>(), [(0, 0)], "one row");
    }

    async fn odoo_62131_orders_for_the_same_goods_in_any_order_wait_for_each_other_and_never_collide(db: TestDb) {
        let shop = Arc::new(Shop::open(db).await);
        let mut goods = Vec::new();
        for _ in 0..5 {
            goods.push(shop.with(40).await);
        }
        let of = goods.clone();
        let (settled, lost) = at_once(&shop, 80, selling(&shop, move |n| {
            let mut turned = of.clone();
            turned.rotate_left(n % 5);
            if n % 2 == 0 { turned.reverse(); }
            turned.iter().enumerate().map(|(i, v)| want(&i.to_string(), v, 1, 0)).collect()
        })).await;
        assert_eq!(lost, 0, "no unit of work had to be done again");
        assert_eq!(short(&settled), 5 * 40);
        for v in &goods {
            assert_eq!(shop.stock(v).await, (40, 40));
        }
    }

    async fn magento_2722_a_shipped_and_then_cancelled_order_is_compensated_once(db: TestDb) {
        let shop = Arc::new(Shop::open(db).await);
        let v = shop.with(100).await;
        let order = OrderId::new(&shop.ctx.ids);
        // A bundle of five, shipped in part, cancelled for the rest, said three times.
        shop.settle(&order, 1, vec![want("bundle", &v, 50, 0)]).await;
        shop.settle(&order, 2, vec![want("bundle", &v, 15, 35)]).await;
        for revision in 3..6 {
            shop.settle(&order, revision, vec![want("bundle", &v, 0, 35)]).await;
            assert_eq!(shop.stock(&v).await, (65, 0));
        }
    }
}
