//! Channels that stumble: answers that get lost, limits, refusals of single items, outages. Nothing is done twice.

use entrepot::fulfilment::State;
use entrepot::lanes::Filter;
use entrepot::sync;
use entrepot_simulators::{Fault, When};
use entrepot_tests::hub::{Place, TestHub};
use entrepot_tests::on_both;
use entrepot_tests::shop::Kind;

const BOTH: [Kind; 2] = [Kind::Woo, Kind::Shopify];

async fn shipment_with_a_lost_answer(kind: Kind) {
    let mut hub = TestHub::trading(Place::file()).await;
    let shop = hub.shop(kind);
    let order = shop.sell("LAMP", 1).unwrap();
    hub.run().await;
    shop.faults(|faults| faults.on_next(1, When::Write, Fault::LoseAnswer));
    let shipment = hub.ship(kind, order, "JJD0009").await;
    hub.pass(60_000).await;
    shop.faults(|faults| assert_eq!(faults.still_planned(), 0, "the answer was lost"));
    assert!(shop.is_shipped(order));
    assert_eq!(shop.times_told(order, "JJD0009"), 1, "one parcel, one notice");
    let shipments = hub.shipments(&shipment.order).await;
    assert_eq!(shipments.len(), 1);
    assert_eq!(shipments[0].state, State::Written);
    hub.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shipment_to_shopify_whose_answer_was_lost_is_looked_up_and_not_repeated() {
    shipment_with_a_lost_answer(Kind::Shopify).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shipment_to_woocommerce_whose_answer_was_lost_is_looked_up_and_finished() {
    shipment_with_a_lost_answer(Kind::Woo).await;
}

on_both! {
    async fn a_push_whose_answer_was_lost_is_read_back_and_not_repeated(place: Place) {
        let mut hub = TestHub::trading(place).await;
        for (n, kind) in BOTH.into_iter().enumerate() {
            let (shop, told) = (hub.shop(kind), hub.shop(kind.other()));
            hub.pass(10_000).await;
            let before = told.effects().len();
            told.faults(|faults| faults.on_next(1, When::Write, Fault::LoseAnswer));
            shop.sell("MUG", 2).unwrap();
            hub.pass(60_000).await;
            told.faults(|faults| assert_eq!(faults.still_planned(), 0, "the answer was lost"));
            assert_eq!(told.shows("MUG"), Some(8 - 2 * n as i64));
            assert_eq!(told.effects().len(), before + 1, "{kind:?}: it took effect once");
            let seen = told.requests();
            let lost = seen.iter().position(|seen| seen.fault == Some(Fault::LoseAnswer) && seen.at_ms > hub.clock.now_ms() - 70_000);
            let next = &seen[lost.unwrap() + 1];
            let reads = next.method == "GET" || next.body.contains("query");
            assert!(reads && !next.body.contains("mutation"), "{kind:?}: what came next only asked: {next:?}");
            assert!(sync::unsent(&mut hub.read().await, &hub.app.ctx.tenant, None, 10).await.unwrap().is_empty());
        }
        hub.finish().await;
    }

    async fn being_throttled_burns_no_attempts_and_ends_right(place: Place) {
        let mut hub = TestHub::trading(place).await;
        for (n, kind) in BOTH.into_iter().enumerate() {
            let told = hub.shop(kind.other());
            told.faults(|faults| {
                faults.throttle_per_mille = 1000;
                faults.throttle_retry_after_s = Some(2);
            });
            hub.shop(kind).sell("MUG", 1).unwrap();
            hub.pass(30_000).await;
            assert!(told.requests().iter().filter(|seen| seen.fault == Some(Fault::Throttle)).count() >= 3, "{kind:?}: it was throttled for long");
            assert!(hub.lanes(Filter::Failing).await.is_empty(), "{kind:?}: waiting for a slot is no failure");
            told.faults(|faults| faults.clear());
            hub.pass(60_000).await;
            assert_eq!(told.shows("MUG"), Some(9 - n as i64));
        }
        hub.finish().await;
    }

    async fn two_changes_of_one_listing_in_one_breath_are_one(place: Place) {
        let mut hub = TestHub::trading(place).await;
        for kind in BOTH {
            let shop = hub.shop(kind);
            shop.restock("LAMP", 3);
            shop.restock("LAMP", 2);
            hub.pass(60_000).await;
            assert_eq!(shop.shows("LAMP"), Some(5), "{kind:?}");
            assert!(hub.lanes(Filter::Failing).await.is_empty(), "{kind:?}");
        }
        hub.finish().await;
    }

    async fn the_outage_of_one_shop_leaves_the_other_alone_and_heals(place: Place) {
        let mut hub = TestHub::trading(place).await;
        for kind in BOTH {
            let (well, ill) = (hub.shop(kind), hub.shop(kind.other()));
            let (on_hand, _) = hub.books("LAMP").await;
            ill.faults(|faults| faults.maintenance = true);
            let order = well.sell("LAMP", 1).unwrap();
            hub.receive("LAMP", 3, &format!("delivery while {kind:?} stands alone")).await;
            hub.pass(60_000).await;
            assert_eq!(hub.order(kind, order).await.holds, "stock");
            assert_eq!(well.shows("LAMP"), Some(on_hand + 2), "{kind:?}: told at once");
            assert_eq!(ill.shows("LAMP"), Some(on_hand), "{kind:?}: not reachable");
            // Hours are no different: nobody has to release anything, and once one call gets through, all that waited goes on.
            hub.pass(3 * 3_600_000).await;
            assert!(hub.lanes(Filter::Quarantined).await.is_empty(), "{kind:?}");
            ill.faults(|faults| faults.clear());
            hub.pass(16 * 60_000).await;
            assert_eq!(ill.shows("LAMP"), Some(on_hand + 2), "{kind:?}: healed by itself");
            hub.ship(kind, order, "JJD0010").await;
            hub.run().await;
        }
        hub.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_refused_within_a_batch_touches_only_itself() {
    for kind in BOTH {
        let mut hub = TestHub::trading(Place::file()).await;
        let shop = hub.shop(kind);
        shop.faults(|faults| faults.on_next(1, When::Write, Fault::PartialBatch));
        hub.receive("MUG", 5, "note 1").await;
        hub.receive("LAMP", 5, "note 2").await;
        hub.run().await;
        shop.faults(|faults| assert_eq!(faults.still_planned(), 0));
        let told = [("MUG", 15), ("LAMP", 10)].into_iter().filter(|(sku, units)| shop.shows(sku) == Some(*units)).count();
        let unsent = sync::unsent(&mut hub.read().await, &hub.app.ctx.tenant, None, 10).await.unwrap();
        assert_eq!(told + unsent.len(), 2, "{kind:?}: every item is told or shown as not told");
        assert!(unsent.iter().all(|unsent| unsent.problem.as_ref().is_some_and(|why| !why.is_empty())), "{kind:?}: with the reason");
        assert_eq!(hub.shop(kind.other()).shows("MUG"), Some(15), "the other shop has nothing to do with it");
        // A later change of the refused item is told like any other.
        hub.receive("MUG", 1, "note 3").await;
        hub.receive("LAMP", 1, "note 4").await;
        hub.pass(30_000).await;
        assert_eq!((shop.shows("MUG"), shop.shows("LAMP")), (Some(16), Some(11)), "{kind:?}");
        hub.finish().await;
    }
}
