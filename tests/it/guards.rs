//! Limits on what is pushed without a person looking, and pauses. What is held is held alone.

use entrepot::money::{Currency, Money};
use entrepot::sync::guards::{Limits, Scope};
use entrepot::sync::push::Shows;
use entrepot_tests::hub::{Place, TestHub};
use entrepot_tests::on_both;
use entrepot_tests::shop::{Article, Kind, LAMP, MUG};

const BOTH: [Kind; 2] = [Kind::Woo, Kind::Shopify];
const BOWL: Article = Article { sku: "BOWL", gtin: "4007817327098", title: "Bowl", cents: 900, stock: 7 };
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::from_code("EUR").unwrap())
}

/// Both shops sell mug, lamp and bowl; one listing of each may go to zero within an hour.
async fn strict(place: Place) -> TestHub {
    let mut hub = TestHub::stocked(place).await;
    hub.add_variant(&BOWL).await;
    for kind in BOTH {
        hub.join(kind, &[MUG, LAMP, BOWL]).await;
    }
    hub.go_live().await;
    for kind in BOTH {
        hub.set_limits(kind, Limits { zero_share_bps: 3_400, zero_free: 1, ..Limits::default() }).await;
    }
    hub
}

on_both! {
    async fn a_mass_zeroing_is_held_while_others_go_on_and_goes_out_on_command(place: Place) {
        let mut hub = strict(place).await;
        hub.count("MUG", 0, "broken import 1").await;
        hub.run().await;
        hub.count("LAMP", 0, "broken import 2").await;
        hub.count("BOWL", 3, "honest count").await;
        hub.pass(MINUTE).await;
        for kind in BOTH {
            let shop = hub.shop(kind);
            assert_eq!((shop.shows("MUG"), shop.shows("LAMP"), shop.shows("BOWL")), (Some(0), Some(5), Some(3)), "{kind:?}");
            let held = hub.unsent(kind).await;
            assert_eq!(held.len(), 1, "{kind:?}: {held:?}");
            assert!(held[0].held.as_ref().is_some_and(Shows::is_sold_out), "{kind:?}: with its value: {held:?}");
            let why = held[0].problem.as_deref().unwrap_or_default();
            assert!(why.contains("to zero within an hour") && why.contains("sync plan") && why.contains("sync apply"), "{kind:?}: {why}");
        }
        // Time lets nothing through.
        hub.pass(3 * HOUR).await;
        assert!(BOTH.iter().all(|kind| hub.shop(*kind).shows("LAMP") == Some(5)));
        for kind in BOTH {
            let plan = hub.let_through(kind).await;
            let planned: Vec<_> = plan.changes.iter().map(|one| (one.sku.as_deref(), one.shows.to_string(), one.held.is_some())).collect();
            assert_eq!(planned.iter().map(|(sku, _, held)| (*sku, *held)).collect::<Vec<_>>(), [(Some("LAMP"), true)], "{kind:?}: {planned:?}");
        }
        hub.pass(MINUTE).await;
        for kind in BOTH {
            assert_eq!(hub.shop(kind).shows("LAMP"), Some(0), "{kind:?}");
            assert!(hub.unsent(kind).await.is_empty(), "{kind:?}");
        }
        hub.finish().await;
    }

    async fn a_held_zero_that_becomes_harmless_goes_out_by_itself(place: Place) {
        let mut hub = strict(place).await;
        hub.count("MUG", 0, "count 1").await;
        hub.run().await;
        hub.count("LAMP", 0, "count 2").await;
        hub.pass(MINUTE).await;
        hub.receive("LAMP", 4, "delivery").await;
        hub.pass(MINUTE).await;
        for kind in BOTH {
            assert_eq!(hub.shop(kind).shows("LAMP"), Some(4), "{kind:?}");
            assert!(hub.unsent(kind).await.is_empty(), "{kind:?}");
        }
        hub.finish().await;
    }

    async fn other_limits_judge_anew_and_an_hour_later_more_may_go(place: Place) {
        let mut hub = strict(place).await;
        hub.count("MUG", 0, "count 1").await;
        hub.pass(61 * MINUTE).await;
        hub.count("LAMP", 0, "count 2").await;
        hub.run().await;
        assert!(BOTH.iter().all(|kind| hub.shop(*kind).shows("LAMP") == Some(0)), "the first one was more than an hour ago");
        hub.count("BOWL", 0, "count 3").await;
        hub.run().await;
        assert!(BOTH.iter().all(|kind| hub.shop(*kind).shows("BOWL") == Some(7)));
        for kind in BOTH {
            hub.set_limits(kind, Limits::default()).await;
        }
        hub.pass(MINUTE).await;
        assert!(BOTH.iter().all(|kind| hub.shop(*kind).shows("BOWL") == Some(0)), "small shops may sell out");
        hub.finish().await;
    }

    async fn a_price_that_moves_too_far_is_held_until_this_very_price_is_let_through(place: Place) {
        let mut hub = TestHub::trading(place).await;
        for (sku, cents) in [("MUG", 1300), ("LAMP", 5000)] {
            hub.set_price(sku, eur(cents)).await;
        }
        for kind in BOTH {
            hub.apply_prices(kind).await;
        }
        hub.pass(MINUTE).await;
        hub.set_price("MUG", eur(130)).await;
        hub.set_price("LAMP", eur(5500)).await;
        hub.pass(MINUTE).await;
        for kind in BOTH {
            assert_eq!((hub.shop(kind).cents("MUG"), hub.shop(kind).cents("LAMP")), (Some(1300), Some(5500)), "{kind:?}");
            let held = hub.unsent(kind).await;
            assert_eq!(held.iter().map(|one| one.held.clone()).collect::<Vec<_>>(), [Some(Shows::of_price(eur(130)))], "{kind:?}");
            assert!(held[0].problem.as_ref().is_some_and(|why| why.contains("50 %") && why.contains("sync apply")), "{kind:?}: {held:?}");
        }
        let connection = hub.connection(Kind::Woo).await;
        let plan = entrepot::sync::plan::plan(&hub.app.sync, &hub.app.ctx, &connection).await.unwrap();
        assert_eq!(plan.prices.iter().map(|one| (one.would_show, one.held.is_some())).collect::<Vec<_>>(), [(eur(130), true)]);
        // Another price than the one that was looked at is not let through with it.
        hub.set_price("MUG", eur(120)).await;
        entrepot::sync::plan::accept(&hub.app.sync, &hub.app.ctx, &plan.id).await.unwrap();
        hub.pass(MINUTE).await;
        assert_eq!(hub.shop(Kind::Woo).cents("MUG"), Some(1300));
        hub.let_through(Kind::Woo).await;
        hub.pass(MINUTE).await;
        assert_eq!((hub.shop(Kind::Woo).cents("MUG"), hub.shop(Kind::Shopify).cents("MUG")), (Some(120), Some(1300)));
        hub.finish().await;
    }

    async fn a_paused_listing_or_channel_is_told_nothing_and_catches_up(place: Place) {
        let mut hub = TestHub::trading(place).await;
        let lamp = hub.listing(Kind::Woo, "LAMP").await.id;
        hub.pause(Scope::Listing, lamp.as_str()).await;
        hub.pause(Scope::Channel, "shopify").await;
        hub.receive("LAMP", 5, "delivery 1").await;
        hub.receive("MUG", 5, "delivery 2").await;
        hub.pass(MINUTE).await;
        assert_eq!((hub.shop(Kind::Woo).shows("LAMP"), hub.shop(Kind::Woo).shows("MUG")), (Some(5), Some(15)));
        assert_eq!((hub.shop(Kind::Shopify).shows("LAMP"), hub.shop(Kind::Shopify).shows("MUG")), (Some(5), Some(10)));
        assert!(hub.unsent(Kind::Woo).await[0].problem.as_ref().is_some_and(|why| why.contains("paused")));
        // Orders are taken in all the same.
        let order = hub.shop(Kind::Shopify).sell("MUG", 1).unwrap();
        hub.pass(MINUTE).await;
        assert_eq!(hub.order(Kind::Shopify, order).await.holds, "stock");
        // Not even a person lets a paused listing through.
        hub.let_through(Kind::Woo).await;
        hub.pass(MINUTE).await;
        assert_eq!(hub.shop(Kind::Woo).shows("LAMP"), Some(5));
        hub.count("LAMP", 0, "gone").await;
        hub.pass(MINUTE).await;
        hub.resume(Scope::Listing, lamp.as_str()).await;
        hub.resume(Scope::Channel, "shopify").await;
        hub.pass(MINUTE).await;
        for kind in BOTH {
            assert_eq!((hub.shop(kind).shows("LAMP"), hub.shop(kind).shows("MUG")), (Some(0), Some(14)), "{kind:?}");
        }
        hub.finish().await;
    }
}
