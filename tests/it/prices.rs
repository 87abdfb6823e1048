//! Prices: from a base price to what both shops show, planned before and remembered after.

use entrepot::money::{Currency, Decimal, Money};
use entrepot::pricing::{self, ChannelList, Policy};
use entrepot::rates::{self, Observation, Recorded, SeriesKey};
use entrepot::sync::{self, plan};
use entrepot_simulators::{Fault, When};
use entrepot_tests::hub::{Place, TestHub};
use entrepot_tests::on_both;
use entrepot_tests::shop::{Kind, LAMP, MUG};
use serde_json::{Value, json};

const BOTH: [Kind; 2] = [Kind::Woo, Kind::Shopify];
const MINUTE: i64 = 60_000;

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::from_code("EUR").unwrap())
}

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::from_code("USD").unwrap())
}

async fn ask(hub: &TestHub, method: &str, target: &str, body: Value) -> (u16, Value) {
    let (router, target) = (entrepot::api::router(&hub.app), format!("/api/v1{target}"));
    let (status, bytes) = entrepot::api::ask(&router, method, &target, "application/json", body.to_string().into_bytes()).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

async fn api(hub: &TestHub, target: &str, body: Value) -> u16 {
    ask(hub, "POST", target, body).await.0
}

/// Both shops are told prices, the mug's is 14.00.
async fn pricing_hub(place: Place) -> TestHub {
    let mut hub = TestHub::trading(place).await;
    hub.set_price("MUG", eur(1400)).await;
    for kind in BOTH {
        hub.apply_prices(kind).await;
    }
    hub.pass(MINUTE).await;
    hub
}

/// Today's rate of the dollar, in tenths.
async fn fixing(hub: &TestHub, tenths: i64) -> Recorded {
    let ctx = hub.app.ctx.clone();
    let fixing = Observation { quote: "USD".into(), value: Decimal::new(tenths, 1), published_on: pricing::today(&ctx) };
    let recorded = hub.app.store.write(move |tx| {
        Box::pin(async move {
            let recorded = rates::record(tx, &ctx, &SeriesKey::parse("ecb/mid/EUR")?, "ECB", &[fixing]).await?;
            rates::ready(tx, &ctx, "ecb").await?;
            Ok::<_, rates::Error>(recorded)
        })
    });
    recorded.await.unwrap()
}

on_both! {
    async fn a_planned_price_reaches_both_shops_and_is_remembered(place: Place) {
        let mut hub = TestHub::trading(place).await;
        hub.set_price("MUG", eur(1400)).await;
        hub.pass(2 * 3_600_000).await;
        for kind in BOTH {
            assert_eq!(hub.shop(kind).price_writes(), 0, "{kind:?}: nobody asked for prices to be pushed");
            let plan = plan::plan_prices(&hub.app.sync, &hub.app.ctx, &hub.connection(kind).await).await.unwrap();
            let planned: Vec<_> = plan.prices.iter().map(|one| (one.sku.as_deref(), one.shows, one.would_show)).collect();
            assert_eq!(planned, [(Some("MUG"), Some(eur(1250)), eur(1400))], "{kind:?}: the lamp has no price here");
            assert!(plan.changes.is_empty(), "{kind:?}: a plan of prices is about nothing else");
            plan::accept(&hub.app.sync, &hub.app.ctx, &plan.id).await.unwrap();
        }
        hub.pass(MINUTE).await;
        for kind in BOTH {
            let shop = hub.shop(kind);
            assert_eq!((shop.cents("MUG"), shop.cents("LAMP")), (Some(1400), Some(4900)), "{kind:?}");
            assert!(hub.unsent(kind).await.is_empty(), "{kind:?}: acknowledged");
        }
        // From now on a change needs no plan, and the same price again is no change.
        hub.set_price("MUG", eur(1450)).await;
        hub.pass(MINUTE).await;
        hub.set_price("MUG", eur(1450)).await;
        hub.pass(MINUTE).await;
        let variant = hub.variant("MUG").await;
        for kind in BOTH {
            assert_eq!((hub.shop(kind).cents("MUG"), hub.shop(kind).price_writes()), (Some(1450), 2), "{kind:?}");
            let connection = hub.connection(kind).await;
            let mut conn = hub.read().await;
            let history = pricing::history(&mut conn, &hub.app.ctx.tenant, &variant, Some(&connection.id), 10).await.unwrap();
            assert_eq!(history.iter().map(|one| one.price).collect::<Vec<_>>(), [eur(1450), eur(1400), eur(1250)], "{kind:?}: newest first");
            let asked = pricing::standard(&mut conn, &hub.app.ctx, &connection).await.unwrap();
            let tomorrow = asked.on.tomorrow().unwrap();
            let lowest = pricing::lowest(&mut conn, &hub.app.ctx.tenant, &connection.id, &asked.of(&variant), tomorrow).await.unwrap();
            assert_eq!(lowest, Some(eur(1250)), "{kind:?}: what the shop showed before counts");
        }
        hub.finish().await;
    }

    async fn a_price_whose_answer_was_lost_is_read_back_and_not_repeated(place: Place) {
        let mut hub = pricing_hub(place).await;
        let before: Vec<usize> = BOTH.iter().map(|kind| hub.shop(*kind).price_writes()).collect();
        for kind in BOTH {
            hub.shop(kind).faults(|faults| faults.on_next(1, When::Write, Fault::LoseAnswer));
        }
        hub.set_price("MUG", eur(1500)).await;
        hub.pass(MINUTE).await;
        for (kind, before) in BOTH.into_iter().zip(before) {
            let shop = hub.shop(kind);
            shop.faults(|faults| assert_eq!(faults.still_planned(), 0, "the answer was lost"));
            assert_eq!((shop.cents("MUG"), shop.price_writes()), (Some(1500), before + 1), "{kind:?}: it took effect once");
            assert!(hub.unsent(kind).await.is_empty(), "{kind:?}");
        }
        hub.finish().await;
    }

    async fn an_older_price_cannot_win_over_a_newer_one(place: Place) {
        let mut hub = pricing_hub(place).await;
        for kind in BOTH {
            hub.shop(kind).faults(|faults| faults.on_next(1, When::Write, Fault::LoseAnswer));
        }
        hub.set_price("MUG", eur(1500)).await;
        hub.run().await;
        // The first is on its way, its outcome unknown, when the second is asked for.
        hub.set_price("MUG", eur(1600)).await;
        hub.pass(MINUTE).await;
        for kind in BOTH {
            assert_eq!(hub.shop(kind).cents("MUG"), Some(1600), "{kind:?}");
            assert!(hub.unsent(kind).await.is_empty(), "{kind:?}");
        }
        hub.finish().await;
    }

    async fn a_list_for_another_market_is_told_its_own_prices(place: Place) {
        let mut hub = pricing_hub(place).await;
        let shop = hub.shop(Kind::Shopify);
        let france = shop.shopify().add_price_list("France", "EUR");
        let list = |id: &str| ChannelList { id: id.into(), currency: eur(0).currency(), country: Some("FR".into()), group: None };
        let dear = |minor| json!({ "variant": "MUG", "country": "FR", "fixed": eur(minor) });
        assert_eq!(api(&hub, "/prices", dear(1_600)).await, 201);
        hub.set_policy(Kind::Shopify, Policy { lists: vec![list(&france)], ..Policy::default() }).await;
        let plan = plan::plan_prices(&hub.app.sync, &hub.app.ctx, &hub.connection(Kind::Shopify).await).await.unwrap();
        let planned: Vec<_> = plan.prices.iter().map(|one| (one.list.as_ref(), one.shows, one.would_show)).collect();
        assert_eq!(planned, [(Some(&france), None, eur(1_600))]);
        hub.pass(MINUTE).await;
        assert_eq!((shop.cents("MUG"), shop.list_cents(&france, "MUG")), (Some(1_400), Some(1_600)));
        assert!(hub.unsent(Kind::Shopify).await.is_empty(), "acknowledged");

        // The answer to both writes gets lost: what the list shows decides, and nothing is repeated.
        let writes = shop.list_price_writes();
        shop.faults(|faults| faults.on_next(1, When::Contains("priceListFixedPricesAdd".into()), Fault::LoseAnswer));
        assert_eq!(api(&hub, "/prices", dear(1_700)).await, 201);
        hub.pass(MINUTE).await;
        shop.faults(|faults| assert_eq!(faults.still_planned(), 0));
        assert_eq!((shop.list_cents(&france, "MUG"), shop.list_price_writes()), (Some(1_700), writes + 1), "it took effect once");
        // A leap is held, and says in which list.
        assert_eq!(api(&hub, "/prices", dear(3_900)).await, 201);
        hub.pass(MINUTE).await;
        let held = hub.unsent(Kind::Shopify).await;
        assert!(held[0].problem.as_ref().unwrap().contains(&format!("from 17.00 EUR to 39.00 EUR in {france}")), "{held:?}");
        hub.let_through(Kind::Shopify).await;
        hub.pass(MINUTE).await;
        assert_eq!(shop.list_cents(&france, "MUG"), Some(3_900));
        let variant = hub.variant("MUG").await;
        let history = pricing::history(&mut hub.read().await, &hub.app.ctx.tenant, &variant, None, 20).await.unwrap();
        let french: Vec<Money> = history.iter().filter(|one| one.country == "FR").map(|one| one.price).collect();
        assert_eq!(french, [eur(3_900), eur(1_700), eur(1_600)]);

        // A channel without lists says so, and is told its own prices all the same.
        hub.set_policy(Kind::Woo, Policy { lists: vec![list("trade")], ..Policy::default() }).await;
        hub.set_price("MUG", eur(1_450)).await;
        hub.pass(MINUTE).await;
        assert_eq!(hub.shop(Kind::Woo).cents("MUG"), Some(1_450));
        let unsent = hub.unsent(Kind::Woo).await;
        assert!(unsent[0].problem.as_ref().unwrap().contains("no price list \"trade\""), "{unsent:?}");
        hub.finish().await;
    }

    async fn what_somebody_changed_in_the_shops_admin_is_put_right_and_reported(place: Place) {
        let mut hub = pricing_hub(place).await;
        for kind in BOTH {
            let shop = hub.shop(kind);
            // Beyond the band: a smaller move would be left alone.
            shop.reprice("MUG", Decimal::new(1200, 2));
            shop.restock("LAMP", 3);
            hub.make_due(sync::listings_lane(&hub.connection(kind).await.id)).await;
            hub.pass(MINUTE).await;
            assert_eq!((shop.cents("MUG"), shop.shows("LAMP")), (Some(1400), Some(5)), "{kind:?}");
            let name = hub.connection(kind).await.name;
            let (status, found) = ask(&hub, "GET", &format!("/sync/drift?connection={}", name.replace(' ', "%20")), Value::Null).await;
            assert_eq!(status, 200, "{found}");
            let items = found["items"].as_array().unwrap();
            let of = |field: &str| items.iter().rev().find(|one| one["field"] == field).unwrap_or_else(|| panic!("{kind:?}: {found}"));
            assert_eq!((of("price")["told"].as_str(), of("price")["found"].as_str()), (Some("14.00 EUR"), Some("12.00 EUR")), "{kind:?}");
            assert_eq!((of("stock")["sku"].as_str(), of("stock")["found"].as_str().map(|text| &text[..1])), (Some("LAMP"), Some("3")), "{kind:?}");
        }
        hub.finish().await;
    }

    async fn a_throttled_price_waits_and_arrives(place: Place) {
        let mut hub = pricing_hub(place).await;
        for kind in BOTH {
            hub.shop(kind).faults(|faults| {
                faults.throttle_per_mille = 1000;
                faults.throttle_retry_after_s = Some(2);
            });
        }
        hub.set_price("MUG", eur(1500)).await;
        hub.pass(30_000).await;
        for kind in BOTH {
            let shop = hub.shop(kind);
            assert!(shop.requests().iter().any(|seen| seen.fault == Some(Fault::Throttle)), "{kind:?}: it was throttled");
            assert_eq!(shop.cents("MUG"), Some(1400), "{kind:?}");
            shop.faults(|faults| faults.clear());
        }
        assert!(hub.lanes(entrepot::lanes::Filter::Failing).await.is_empty(), "waiting for a slot is no failure");
        hub.pass(MINUTE).await;
        for kind in BOTH {
            assert_eq!(hub.shop(kind).cents("MUG"), Some(1500), "{kind:?}");
        }
        hub.finish().await;
    }

    async fn a_rate_that_moves_a_price_within_the_band_publishes_nothing(place: Place) {
        let mut hub = TestHub::trading(place).await;
        hub.set_price("MUG", usd(1500)).await;
        let policy = |rate: i64| Policy { locked_rate: Some(Decimal::new(rate, 4)), ..Policy::default() };
        for kind in BOTH {
            hub.set_policy(kind, policy(9_000)).await;
            hub.apply_prices(kind).await;
        }
        hub.pass(MINUTE).await;
        for (rate, shows, writes) in [(9_100, 1350, 1), (9_135, 1350, 1), (9_140, 1371, 2), (9_300, 1395, 3)] {
            for kind in BOTH {
                hub.set_policy(kind, policy(rate)).await;
            }
            hub.pass(MINUTE).await;
            for kind in BOTH {
                assert_eq!((hub.shop(kind).cents("MUG"), hub.shop(kind).price_writes()), (Some(shows), writes), "{kind:?} at {rate}");
            }
        }
        hub.finish().await;
    }

    async fn rates_that_are_too_old_price_nothing_and_say_so(place: Place) {
        let mut hub = TestHub::trading(place).await;
        hub.set_price("MUG", usd(1500)).await;
        let plan = plan::plan_prices(&hub.app.sync, &hub.app.ctx, &hub.connection(Kind::Woo).await).await.unwrap();
        assert!(plan.prices.is_empty());
        let why = &plan.no_price[0].reason;
        assert!(why.contains("USD") && why.contains("at most 7"), "{why}");
        hub.apply_prices(Kind::Woo).await;
        hub.pass(MINUTE).await;
        assert_eq!((hub.shop(Kind::Woo).cents("MUG"), hub.shop(Kind::Woo).price_writes()), (Some(1250), 0));
        assert!(hub.unsent(Kind::Woo).await.iter().any(|one| one.field == "price" && one.problem.as_ref().is_some_and(|why| why.contains("USD"))));
        // Newer ones are found within the hour, and nobody has to ask: 15.00 / 1.2 is what the shop shows, 15.00 / 1.1 is not.
        assert_eq!(fixing(&hub, 12).await.new, 1);
        hub.pass(61 * MINUTE).await;
        let unsent = hub.unsent(Kind::Woo).await;
        assert!(unsent.is_empty(), "{unsent:#?}");
        assert_eq!(hub.shop(Kind::Woo).price_writes(), 0);
        assert_eq!(fixing(&hub, 11).await.corrected, 1);
        hub.pass(61 * MINUTE).await;
        assert_eq!((hub.shop(Kind::Woo).cents("MUG"), hub.shop(Kind::Woo).price_writes()), (Some(1364), 1));
        hub.finish().await;
    }

    async fn a_floor_raises_a_price_and_where_none_works_says_why(place: Place) {
        let mut hub = pricing_hub(place).await;
        hub.set_cost("MUG", eur(900)).await;
        let fees = |percent: i64| Policy {
            fee_rate: Decimal::new(percent, 2),
            tax_rate: Decimal::new(19, 2),
            min_margin_rate: Some(Decimal::new(20, 2)),
            ..Policy::default()
        };
        for kind in BOTH {
            hub.set_policy(kind, fees(15)).await;
        }
        hub.pass(MINUTE).await;
        // 9.00 / ((1 - 0.20) / 1.19 - 0.15) = 17.233…
        for kind in BOTH {
            assert_eq!(hub.shop(kind).cents("MUG"), Some(1724), "{kind:?}");
            hub.set_policy(kind, fees(70)).await;
        }
        hub.pass(MINUTE).await;
        for kind in BOTH {
            assert_eq!(hub.shop(kind).cents("MUG"), Some(1724), "{kind:?}: what is shown stays");
            let unsent = hub.unsent(kind).await;
            assert!(unsent.iter().any(|one| one.problem.as_ref().is_some_and(|why| why.contains("no price pays"))), "{kind:?}: {unsent:?}");
        }
        hub.finish().await;
    }

    async fn a_price_that_begins_on_a_later_day_is_told_on_that_day(place: Place) {
        let mut hub = pricing_hub(place).await;
        let (ctx, variant, today) = (hub.app.ctx.clone(), hub.variant("MUG").await, pricing::today(&hub.app.ctx));
        let line = pricing::NewLine {
            variant: Some(variant),
            valid_from: Some(today.tomorrow().unwrap()),
            valid_to: Some(today.tomorrow().unwrap().tomorrow().unwrap()),
            fixed: Some(eur(1111)),
            ..Default::default()
        };
        hub.app.store.write(move |tx| Box::pin(async move { pricing::set_line(tx, &ctx, &line).await })).await.unwrap();
        hub.pass(11 * 3_600_000).await;
        assert!(BOTH.iter().all(|kind| hub.shop(*kind).cents("MUG") == Some(1400)), "still today");
        hub.pass(3 * 3_600_000).await;
        assert!(BOTH.iter().all(|kind| hub.shop(*kind).cents("MUG") == Some(1111)), "the day has come");
        hub.pass(24 * 3_600_000).await;
        assert!(BOTH.iter().all(|kind| hub.shop(*kind).cents("MUG") == Some(1400)), "and gone");
        hub.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_observes_or_is_paused_never_gets_a_price() {
    let mut hub = TestHub::stocked(Place::file()).await;
    for kind in BOTH {
        hub.join(kind, &[MUG, LAMP]).await;
    }
    hub.set_price("MUG", eur(1400)).await;
    let plan = plan::plan_prices(&hub.app.sync, &hub.app.ctx, &hub.connection(Kind::Woo).await).await.unwrap();
    let refused = plan::accept(&hub.app.sync, &hub.app.ctx, &plan.id).await.unwrap_err().to_string();
    assert!(refused.contains("is observing") && refused.contains("sync plan"), "{refused}");
    hub.go_live().await;
    for kind in BOTH {
        hub.apply_prices(kind).await;
    }
    hub.pass(MINUTE).await;
    let (ctx, id) = (hub.app.ctx.clone(), hub.connection(Kind::Woo).await.id);
    hub.app.store.write(move |tx| Box::pin(async move { entrepot::connections::pause(tx, &ctx, &id).await })).await.unwrap();
    hub.set_price("MUG", eur(1500)).await;
    hub.pass(2 * 3_600_000).await;
    assert_eq!((hub.shop(Kind::Woo).cents("MUG"), hub.shop(Kind::Shopify).cents("MUG")), (Some(1400), Some(1500)));
    hub.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_of_prices_that_no_longer_holds_is_refused_and_pushes_nothing() {
    let mut hub = TestHub::trading(Place::file()).await;
    hub.set_price("MUG", eur(1400)).await;
    let plan = plan::plan_prices(&hub.app.sync, &hub.app.ctx, &hub.connection(Kind::Woo).await).await.unwrap();
    hub.set_price("MUG", eur(1500)).await;
    let refused = plan::accept(&hub.app.sync, &hub.app.ctx, &plan.id).await.unwrap_err().to_string();
    assert!(refused.contains("changed since") && refused.contains("price plan"), "{refused}");
    hub.pass(2 * 3_600_000).await;
    assert_eq!(hub.shop(Kind::Woo).price_writes(), 0);
    hub.finish().await;
}
