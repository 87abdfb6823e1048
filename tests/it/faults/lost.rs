//! Webhooks that never come: within one period the polls bring what they would have told.

use entrepot_tests::hub::{POLL_MS, Place, TestHub};
use entrepot_tests::shop::Kind;

const MINUTE_MS: i64 = 60_000;
const BOTH: [Kind; 2] = [Kind::Woo, Kind::Shopify];

/// Both shops sell for an hour, one order a minute.
async fn an_hour_of_losses(per_mille: u16) {
    let mut hub = TestHub::trading(Place::file()).await;
    hub.receive("MUG", 500, "enough for the hour").await;
    hub.pass(MINUTE_MS).await;
    for kind in BOTH {
        hub.shop(kind).faults(|faults| faults.webhook_drop_per_mille = per_mille);
    }
    let mut open = Vec::new();
    for minute in 0..60 {
        let kind = BOTH[minute % 2];
        open.push((kind, hub.shop(kind).sell("MUG", 1).unwrap(), hub.clock.now_ms()));
        hub.pass(MINUTE_MS).await;
        let mut waiting = Vec::new();
        for (kind, order, at) in open {
            if hub.find_order(kind, order).await.is_none() {
                assert!(hub.clock.now_ms() < at + POLL_MS, "{kind:?}: order {order} is not here after a whole period");
                waiting.push((kind, order, at));
            }
        }
        open = waiting;
    }
    hub.pass(POLL_MS).await;
    for (kind, order, _) in open {
        assert!(hub.find_order(kind, order).await.is_some(), "{kind:?}: order {order} never came");
    }
    assert_eq!((hub.count_orders().await, hub.books("MUG").await), (60, (510, 60)));
    let dropped: u64 = BOTH.iter().map(|kind| hub.shop(*kind).webhook_counts().dropped).sum();
    assert!(dropped > 0 || per_mille < 100, "nothing was dropped, so nothing was tested");
    // Ends with both shops showing what is left.
    hub.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_webhook_in_a_hundred_is_lost() {
    an_hour_of_losses(10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_webhook_in_ten_is_lost() {
    an_hour_of_losses(100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_webhook_is_lost() {
    an_hour_of_losses(1_000).await;
}
