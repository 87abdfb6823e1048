//! From observing to live: nothing is pushed before the merchant has seen and accepted what would change.

use entrepot::connections::State;
use entrepot::sync::golive;
use entrepot_tests::hub::{Place, TestHub};
use entrepot_tests::on_both;
use entrepot_tests::shop::{Article, Kind, LAMP, MUG};

const BOTH: [Kind; 2] = [Kind::Woo, Kind::Shopify];

on_both! {
    async fn a_connection_that_only_observes_never_pushes_and_an_empty_hub_never_pushes_zeros(place: Place) {
        let mut hub = TestHub::stocked(place).await;
        for kind in BOTH {
            hub.join(kind, &[MUG, LAMP]).await;
        }
        hub.shop(Kind::Woo).sell("MUG", 1).unwrap();
        hub.pass(10 * 60_000).await;
        for kind in BOTH {
            assert!(hub.shop(kind).pushes().is_empty(), "{kind:?}: {:?}", hub.shop(kind).pushes());
            let plan = golive::plan(&hub.app.sync, &hub.app.ctx, &hub.connection(kind).await).await.unwrap();
            assert_eq!(plan.to_zero, 2, "the plan says plainly that an uncounted hub would empty the shop");
        }
        assert_eq!(hub.shop(Kind::Shopify).shows("MUG"), Some(10));
        assert_eq!(hub.count_orders().await, 1, "observing means reading");
        hub.finish().await;
    }

    async fn the_plan_shows_what_would_change_and_only_that_very_plan_can_be_accepted(place: Place) {
        let mut hub = TestHub::stocked(place).await;
        hub.join(Kind::Woo, &[MUG, LAMP]).await;
        let shopify = hub.join(Kind::Shopify, &[Article { stock: 3, ..MUG }, LAMP]).await;
        hub.run().await;
        let woo = hub.connection(Kind::Woo).await;
        golive::opening_from(&hub.app.sync, &hub.app.ctx, &woo).await.unwrap();
        let plan = golive::plan(&hub.app.sync, &hub.app.ctx, &hub.connection(Kind::Shopify).await).await.unwrap();
        let changes: Vec<_> = plan.changes.iter().map(|change| (change.sku.as_deref(), change.shows.0.values().next().copied(), change.would_show.0.values().next().copied())).collect();
        assert_eq!(changes, [(Some("MUG"), Some(3), Some(10))]);
        assert_eq!((plan.unchanged, plan.parked, plan.to_zero), (1, 0, 0));

        hub.receive("LAMP", 4, "delivery note 2").await;
        let refused = golive::accept(&hub.app.sync, &hub.app.ctx, &plan.id).await.unwrap_err().to_string();
        assert!(refused.contains("changed since") && refused.contains("sync plan"), "{refused}");
        assert_eq!(hub.connection(Kind::Shopify).await.state, State::Observing);
        hub.pass(60_000).await;
        assert!(shopify.pushes().is_empty());

        let fresh = golive::plan(&hub.app.sync, &hub.app.ctx, &hub.connection(Kind::Shopify).await).await.unwrap();
        golive::accept(&hub.app.sync, &hub.app.ctx, &fresh.id).await.unwrap();
        let again = golive::accept(&hub.app.sync, &hub.app.ctx, &fresh.id).await.unwrap_err().to_string();
        assert!(again.contains("accepted before"), "{again}");
        hub.run().await;
        assert_eq!((shopify.shows("MUG"), shopify.shows("LAMP")), (Some(10), Some(9)));
        assert!(hub.shop(Kind::Woo).pushes().is_empty(), "the other connection still observes");
        hub.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_opening_counts_what_open_orders_have_already_taken_off() {
    let mut hub = TestHub::stocked(Place::file()).await;
    hub.join(Kind::Woo, &[MUG, LAMP]).await;
    hub.join(Kind::Shopify, &[MUG, LAMP]).await;
    hub.pass(60_000).await;
    let order = hub.shop(Kind::Woo).sell("MUG", 4).unwrap();
    hub.make_due(entrepot::sync::listings_lane(&hub.connection(Kind::Woo).await.id)).await;
    hub.go_live().await;
    assert_eq!(hub.order(Kind::Woo, order).await.short, 0);
    assert_eq!(hub.books("MUG").await, (10, 4), "six on show and four promised are ten on the shelf");
    assert_eq!(hub.shop(Kind::Shopify).shows("MUG"), Some(6));
    hub.finish().await;
}
