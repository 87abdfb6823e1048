//! How orders arrive: twice, late, never, in the wrong order, incomplete; each becomes one order in its newest state.

use std::collections::BTreeSet;

use entrepot::orders::LineKind;
use entrepot_simulators::woo::Purchase;
use entrepot_tests::hub::{POLL_MS, Place, TestHub};
use entrepot_tests::on_both;
use entrepot_tests::post::{self, Post};
use entrepot_tests::shop::{Article, Kind, LAMP, MUG};

const BOTH: [Kind; 2] = [Kind::Woo, Kind::Shopify];

on_both! {
    async fn the_second_delivery_of_the_same_event_changes_nothing(place: Place) {
        let mut hub = TestHub::trading(place).await;
        for kind in BOTH {
            let shop = hub.shop(kind);
            shop.faults(|faults| faults.webhook_duplicate_per_mille = 1000);
            let orders = hub.count_orders().await;
            let order = shop.sell("MUG", 1).unwrap();
            hub.run().await;
            let sent = shop.deliveries();
            let different: BTreeSet<_> = sent.iter().map(|delivery| (delivery.topic.clone(), delivery.body.clone())).collect();
            assert!(sent.iter().all(|delivery| delivery.reception.accepted()), "{kind:?}: a repeat is acknowledged");
            assert!(sent.len() > different.len(), "{kind:?}: something was sent twice");
            let connection = hub.connection(kind).await.id;
            let recorded = hub.deliveries().await.iter().filter(|row| row.connection == connection).count();
            assert_eq!(recorded, different.len(), "{kind:?}: and recorded once");
            assert_eq!(hub.count_orders().await, orders + 1);

            // The same bytes once more, long after.
            hub.pass(3_600_000).await;
            let (view, after) = (hub.order(kind, order).await, hub.deliveries().await.len());
            let again = shop.deliveries().into_iter().rev().find(|delivery| delivery.topic.contains("order")).unwrap();
            let again = Post::to(&hub.webhook_path(kind).await).headers(again.headers).body(again.body);
            assert_eq!(again.send(hub.address()).await, 200);
            assert_eq!(hub.deliveries().await.len(), after);
            hub.run().await;
            assert_eq!(hub.order(kind, order).await.revision, view.revision);
            shop.faults(|faults| faults.clear());
            shop.cancel(order);
            hub.pass(10_000).await;
        }
        hub.finish().await;
    }

    async fn the_same_order_by_webhook_and_by_poll_at_once_is_one_order(place: Place) {
        let mut hub = TestHub::trading(place).await;
        for (n, kind) in BOTH.into_iter().enumerate() {
            let order = hub.shop(kind).sell("MUG", 2).unwrap();
            hub.shops_settled().await;
            hub.poll(kind).await;
            // On a server both may store it at the same moment; the one that came second tries again and finds it.
            hub.pass(10_000).await;
            assert_eq!(hub.count_orders().await, n + 1);
            assert_eq!(hub.books("MUG").await, (10, 2 * (n as i64 + 1)));
            let lines = hub.order(kind, order).await.lines;
            assert_eq!(lines.iter().filter(|line| line.kind == LineKind::Physical).count(), 1);
        }
        hub.finish().await;
    }

    async fn a_webhook_that_never_came_is_healed_by_the_next_poll(place: Place) {
        let mut hub = TestHub::trading(place).await;
        for (n, kind) in BOTH.into_iter().enumerate() {
            let shop = hub.shop(kind);
            shop.faults(|faults| faults.webhook_drop_per_mille = 1000);
            let order = shop.sell("MUG", 1).unwrap();
            hub.run().await;
            assert!(hub.find_order(kind, order).await.is_none());
            hub.pass(POLL_MS).await;
            assert_eq!(hub.books("MUG").await, (10, 1 + n as i64), "{kind:?}: within one period");
            assert_eq!(hub.shop(kind.other()).shows("MUG"), Some(9 - n as i64));
        }
        hub.finish().await;
    }

    async fn an_order_for_an_unknown_sku_waits_and_is_completed_when_it_is_linked(place: Place) {
        let plate = Article { sku: "PLATE", gtin: "5901234123457", title: "Plate", cents: 900, stock: 6 };
        let mut hub = TestHub::trading(place).await;
        for kind in BOTH {
            hub.shop(kind).offer(&plate);
        }
        hub.pass(1_000).await;
        let order = hub.shop(Kind::Woo).sell("PLATE", 2).unwrap();
        hub.run().await;
        let view = hub.order(Kind::Woo, order).await;
        assert_eq!((view.unmapped, view.lines[0].variant.clone()), (1, None), "kept, parked, visible");

        hub.add_variant(&plate).await;
        hub.receive("PLATE", 6, "opening").await;
        for kind in BOTH {
            hub.make_due(entrepot::sync::listings_lane(&hub.connection(kind).await.id)).await;
        }
        hub.run().await;
        let mut completed = 0;
        for kind in BOTH {
            completed += hub.link(kind).await.1;
        }
        assert_eq!(completed, 1);
        hub.pass(10_000).await;
        assert_eq!(hub.order(Kind::Woo, order).await.unmapped, 0);
        assert_eq!(hub.books("PLATE").await, (6, 2), "completed and reserved");
        assert_eq!(hub.shop(Kind::Shopify).shows("PLATE"), Some(4), "and told");
        hub.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_in_the_wrong_order_end_in_the_newest_state() {
    let mut hub = TestHub::trading(Place::file()).await;
    for kind in BOTH {
        let shop = hub.shop(kind);
        let order = shop.sell("MUG", 3).unwrap();
        hub.run().await;
        hub.clock.advance(2_000);
        shop.edit(order, "MUG", 1);
        hub.shops_settled().await;
        let told: Vec<_> = shop.deliveries().into_iter().filter(|delivery| delivery.topic.contains("order")).collect();
        hub.run().await;
        assert_eq!(hub.books("MUG").await, (10, 1), "{kind:?}");
        // What was said first arrives again last, in another body so that no door takes it for a repeat.
        let first = &told[0];
        let body = format!("{} ", first.body);
        let signed = Post::to(&hub.webhook_path(kind).await).headers(first.headers.clone()).signed(kind, &post::secret(&shop), &body);
        assert_eq!(signed.send(hub.address()).await, 200);
        hub.pass(10_000).await;
        assert_eq!(hub.books("MUG").await, (10, 1), "{kind:?}: the older picture changes nothing");
        shop.cancel(order);
        hub.pass(10_000).await;
    }
    hub.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delayed_and_reordered_webhooks_end_like_punctual_ones() {
    let mut hub = TestHub::trading(Place::file()).await;
    for kind in BOTH {
        let shop = hub.shop(kind);
        shop.faults(|faults| {
            faults.webhook_reorder_per_mille = 700;
            faults.webhook_reorder_window_ms = 8_000;
            faults.webhook_duplicate_per_mille = 300;
        });
        let first = shop.sell("MUG", 2).unwrap();
        let second = shop.sell("MUG", 1).unwrap();
        hub.clock.advance(1_000);
        shop.edit(first, "MUG", 1);
        hub.clock.advance(1_000);
        shop.cancel(second);
        hub.clock.advance(1_000);
        shop.edit(first, "MUG", 4);
        hub.pass(20_000).await;
        assert_eq!(hub.books("MUG").await, (10, 4), "{kind:?}");
        shop.faults(|faults| faults.clear());
        shop.cancel(first);
        hub.pass(POLL_MS).await;
        assert_eq!(hub.books("MUG").await, (10, 0), "{kind:?}");
    }
    hub.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn test_orders_drafts_and_orders_before_the_start_hold_nothing() {
    let mut hub = TestHub::stocked(Place::file()).await;
    let woo = hub.connect(Kind::Woo, &[MUG, LAMP]).await;
    // Placed before anybody connected, changed afterwards: seen by the poll, never reserved.
    hub.clock.advance(-86_400_000);
    let old = woo.sell("MUG", 1).unwrap();
    hub.clock.advance(86_400_000);
    hub.join(Kind::Shopify, &[MUG, LAMP]).await;
    hub.link(Kind::Woo).await;
    hub.go_live().await;
    hub.clock.advance(1_000);
    woo.woo().set_order_status(old, "on-hold").unwrap();
    hub.run().await;
    assert_eq!(hub.order(Kind::Woo, old).await.holds, "nothing:before-since");

    let draft = woo.woo().place_order(Purchase::of("MUG", 1).status("checkout-draft")).unwrap();
    let test = hub.shop(Kind::Shopify).shopify().place_order(entrepot_simulators::shopify::Basket::of("LAMP", 1).test()).unwrap();
    hub.pass(POLL_MS).await;
    if hub.find_order(Kind::Woo, draft).await.is_some() {
        assert_eq!(hub.order(Kind::Woo, draft).await.holds, "nothing:draft");
    }
    assert_eq!(hub.order(Kind::Shopify, test).await.holds, "nothing:test");
    assert_eq!((hub.stock("MUG").await.reserved, hub.stock("LAMP").await.reserved), (0, 0));
    hub.shops_may_differ();
    hub.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_decimals_than_the_currency_has_are_refused_by_name_and_visible() {
    let mut hub = TestHub::trading(Place::file()).await;
    let shop = hub.shop(Kind::Woo);
    let order = shop.sell("MUG", 1).unwrap();
    hub.shops_settled().await;
    let told = shop.deliveries().into_iter().rev().find(|delivery| delivery.topic == "order.created").unwrap();
    hub.run().await;
    let mut document: serde_json::Value = serde_json::from_str(&told.body).unwrap();
    document["id"] = 99_001.into();
    document["number"] = "99001".into();
    document["total"] = "12.5001".into();
    let body = document.to_string();
    let post = Post::to(&hub.webhook_path(Kind::Woo).await).headers(told.headers).signed(Kind::Woo, &post::secret(&shop), &body);
    assert_eq!(post.send(hub.address()).await, 200);
    hub.run().await;
    let refusals = hub.refusals().await;
    let refused = refusals.iter().find(|refused| refused.external_id == "99001");
    let row = hub.deliveries().await.into_iter().find(|row| row.state == "refused");
    let reason = refused.map(|refused| refused.reason.clone()).or(row.and_then(|row| row.reason)).expect("visible");
    assert!(reason.contains("12.5001"), "{reason}");
    assert_eq!(hub.count_orders().await, 1, "order {order} alone");
    hub.finish().await;
}

/// The process dies between the acknowledgement and the work.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_before_a_crash_is_not_lost() {
    let hub = TestHub::trading(Place::file()).await;
    let mut sold = Vec::new();
    for kind in BOTH {
        sold.push((kind, hub.shop(kind).sell("MUG", 1).unwrap()));
    }
    hub.shops_settled().await;
    for kind in BOTH {
        assert!(hub.shop(kind).deliveries().iter().all(|delivery| delivery.reception.accepted()));
        hub.shop(kind).faults(|faults| faults.webhook_drop_per_mille = 1000);
    }
    let mut hub = hub.crash().await;
    for (kind, order) in &sold {
        assert!(hub.find_order(*kind, *order).await.is_none(), "not yet worked off");
    }
    hub.run().await;
    for (kind, order) in sold {
        assert_eq!(hub.order(kind, order).await.holds, "stock");
    }
    assert_eq!(hub.books("MUG").await, (10, 2));
    hub.finish().await;
}
