//! What people do in a shop's own admin closes or changes reservations here.

use entrepot::orders::Status;
use entrepot_tests::hub::{Place, TestHub};
use entrepot_tests::on_both;
use entrepot_tests::shop::Kind;

const BOTH: [Kind; 2] = [Kind::Woo, Kind::Shopify];

async fn on_sqlite() -> TestHub {
    TestHub::trading(Place::file()).await
}

on_both! {
    async fn an_order_shipped_in_the_shops_own_admin_leaves_the_shelf_here(place: Place) {
        let mut hub = TestHub::trading(place).await;
        for (n, kind) in BOTH.into_iter().enumerate() {
            let shop = hub.shop(kind);
            let order = shop.sell("MUG", 2).unwrap();
            hub.run().await;
            let before = 10 - 2 * n as i64;
            assert_eq!(hub.books("MUG").await, (before, 2));
            shop.ship(order, "JJD0001");
            hub.run().await;
            assert_eq!(hub.books("MUG").await, (before - 2, 0), "{kind:?}");
        }
        hub.finish().await;
    }

    async fn an_order_cancelled_in_the_shops_own_admin_gives_its_units_back_everywhere(place: Place) {
        let mut hub = TestHub::trading(place).await;
        for kind in BOTH {
            let (shop, other) = (hub.shop(kind), hub.shop(kind.other()));
            let order = shop.sell("MUG", 3).unwrap();
            hub.run().await;
            assert_eq!(other.shows("MUG"), Some(7));
            hub.clock.advance(1_000);
            shop.cancel(order);
            hub.pass(10_000).await;
            assert_eq!(hub.books("MUG").await, (10, 0), "{kind:?}");
            assert_eq!(hub.order(kind, order).await.status, Status::Cancelled);
            assert_eq!((shop.shows("MUG"), other.shows("MUG")), (Some(10), Some(10)), "{kind:?}");
        }
        hub.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_edited_in_the_shops_own_admin_changes_what_it_holds() {
    let mut hub = on_sqlite().await;
    for kind in BOTH {
        let shop = hub.shop(kind);
        let order = shop.sell("MUG", 1).unwrap();
        hub.run().await;
        hub.clock.advance(1_000);
        shop.edit(order, "MUG", 4);
        shop.edit(order, "LAMP", 1);
        hub.pass(10_000).await;
        assert_eq!((hub.books("MUG").await, hub.books("LAMP").await), ((10, 4), (5, 1)), "{kind:?} more");
        shop.edit(order, "MUG", 0);
        hub.pass(10_000).await;
        assert_eq!((hub.books("MUG").await, hub.books("LAMP").await), ((10, 0), (5, 1)), "{kind:?} less");
        shop.cancel(order);
        hub.pass(10_000).await;
        assert_eq!((hub.books("MUG").await, hub.books("LAMP").await), ((10, 0), (5, 0)), "{kind:?} none");
    }
    hub.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn units_refunded_before_they_left_are_no_longer_held() {
    let mut hub = on_sqlite().await;
    for kind in BOTH {
        let shop = hub.shop(kind);
        let order = shop.sell("MUG", 3).unwrap();
        hub.run().await;
        hub.clock.advance(1_000);
        shop.refund(order, &[("MUG", 1)], true);
        hub.pass(10_000).await;
        assert_eq!(hub.books("MUG").await, (10, 2), "{kind:?}");
        shop.cancel(order);
        hub.pass(10_000).await;
        assert_eq!(hub.books("MUG").await, (10, 0), "{kind:?}");
    }
    hub.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn units_refunded_after_they_left_come_back_only_if_the_shop_says_they_were_restocked() {
    let mut hub = on_sqlite().await;
    // WooCommerce's documents do not say whether refunded goods are on the shelf again, so there nothing comes back by itself.
    for (kind, back) in [(Kind::Woo, 0), (Kind::Shopify, 1)] {
        let shop = hub.shop(kind);
        let (before, _) = hub.books("MUG").await;
        let order = shop.sell("MUG", 2).unwrap();
        hub.run().await;
        hub.clock.advance(1_000);
        shop.ship(order, "JJD0002");
        hub.pass(5_000).await;
        assert_eq!(hub.books("MUG").await, (before - 2, 0), "{kind:?}: two left");
        shop.refund(order, &[("MUG", 1)], true);
        hub.pass(10_000).await;
        assert_eq!(hub.books("MUG").await, (before - 2 + back, 0), "{kind:?}: one of two was put back");
        shop.refund(order, &[("MUG", 1)], false);
        hub.pass(10_000).await;
        assert_eq!(hub.books("MUG").await, (before - 2 + back, 0), "{kind:?}: the other is gone for good");
    }
    hub.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_with_more_units_than_there_are_is_shown_as_short_and_filled_when_goods_arrive() {
    for kind in BOTH {
        let mut hub = on_sqlite().await;
        let shop = hub.shop(kind);
        let order = shop.oversell("LAMP", 7);
        hub.run().await;
        let view = hub.order(kind, order).await;
        assert_eq!((view.short, hub.books("LAMP").await), (2, (5, 5)), "{kind:?}: held what there is");
        assert_eq!(hub.shop(kind.other()).shows("LAMP"), Some(0));
        hub.receive("LAMP", 10, "delivery note 1").await;
        hub.pass(20_000).await;
        assert_eq!((hub.order(kind, order).await.short, hub.books("LAMP").await), (0, (15, 7)), "{kind:?}: filled");
        assert_eq!((shop.shows("LAMP"), hub.shop(kind.other()).shows("LAMP")), (Some(8), Some(8)), "{kind:?}");
        hub.finish().await;
    }
}
