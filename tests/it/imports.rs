//! The first import of a large shop: how far it is and when it ends, stopped and gone on with, across a crash, each page once.

use std::collections::BTreeSet;

use entrepot::connections::Connection;
use entrepot::listings::{self, Filter};
use entrepot::page::PageRequest;
use entrepot::sync::drift;
use entrepot::sync::guards::Scope;
use entrepot::sync::imports::State;
use entrepot_simulators::shopify::NewVariant;
use entrepot_simulators::woo::NewProduct;
use entrepot_simulators::{Fault, When};
use entrepot_tests::hub::{Place, TestHub};
use entrepot_tests::on_both;
use entrepot_tests::shop::{Kind, LAMP, MUG, Shop};
use rust_decimal::Decimal;
use serde_json::json;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
const LISTINGS: &str = "listings-in";
const ORDERS: &str = "orders-in";
const FILE: &str = "bulk-operation-outputs";

async fn count(hub: &TestHub, connection: &Connection) -> i64 {
    listings::count_links(&mut hub.read().await, &hub.app.ctx.tenant, &connection.id).await.unwrap().values().sum()
}

/// (state, read, in all, per cent)
async fn standing(hub: &TestHub, kind: Kind, stream: &str) -> (State, i64, Option<i64>, Option<i64>) {
    let seen = hub.import(kind, stream).await.unwrap();
    (seen.state, seen.import.done, seen.import.total, seen.import.per_cent())
}

/// Pages of products that were answered, by where they began.
fn pages(shop: &Shop) -> Vec<String> {
    let of_products = |target: &str| target.contains("/products?") && target.contains("offset=");
    let answered = shop.requests().into_iter().filter(|seen| of_products(&seen.target) && seen.status == Some(200));
    let offset = |target: String| target.split("offset=").nth(1).and_then(|rest| rest.split('&').next()).unwrap_or_default().to_owned();
    answered.map(|seen| offset(seen.target)).collect()
}

fn asked(shop: &Shop, word: &str) -> usize {
    shop.requests().iter().filter(|seen| seen.target.contains(word) || seen.body.contains(word)).count()
}

/// A Shopify shop with so many variants, four to a product, that exports from 500 on.
async fn large_shopify(hub: &mut TestHub, variants: usize) -> Shop {
    let shop = Shop::open(Kind::Shopify, 11, &hub.clock, &[]).await;
    for product in 0..variants / 4 {
        let variant = |n: usize| {
            let sku = format!("SKU-{:05}", product * 4 + n);
            NewVariant::new(sku, Decimal::new(999, 2)).stock(n as i64 + 1).option("Size", ["S", "M", "L", "XL"][n])
        };
        shop.shopify().add_product(&format!("Thing {product}"), (0..4).map(variant).collect());
    }
    hub.connect_with(shop.clone(), json!({ "export-from": 500 })).await;
    shop
}

/// Every variant came once more or less often, and in the end each is there with its quantity.
async fn assert_complete(hub: &TestHub, variants: usize) {
    let connection = hub.connection(Kind::Shopify).await;
    assert_eq!(count(hub, &connection).await, variants as i64);
    let filter = Filter { connection: Some(connection.id), ..Filter::default() };
    let mut conn = hub.read().await;
    let page = listings::list(&mut conn, &hub.app.ctx.tenant, &filter, &PageRequest::first(500)).await.unwrap();
    let ids: Vec<_> = page.items.iter().map(|listing| listing.id.clone()).collect();
    let levels = listings::levels(&mut conn, &hub.app.ctx.tenant, &ids).await.unwrap();
    for listing in &page.items {
        let sku = listing.sku.as_deref().unwrap();
        let shown = hub.shop(Kind::Shopify).shows(sku);
        assert_eq!(levels[&listing.id].iter().map(|level| level.quantity).sum::<i64>(), shown.unwrap(), "{sku}");
    }
}

on_both! {
    async fn thousands_of_listings_come_in_across_a_pause_and_a_crash_and_no_page_is_read_twice(place: Place) {
        let mut hub = TestHub::empty(place).await;
        let shop = hub.connect(Kind::Woo, &[]).await;
        for n in 0..2_000 {
            shop.woo().add_product(NewProduct::new(format!("SKU-{n:05}"), format!("Thing {n}"), Decimal::new(999, 2)).stock(3));
        }
        shop.faults(|faults| {
            faults.on_next(1, When::Contains("products?status=any&orderby=id&order=asc&offset=250".into()), Fault::ServerError);
            faults.on_next(9, When::Contains("products?status=any&orderby=id&order=asc&offset=750".into()), Fault::ServerError);
        });
        assert_eq!(standing(&hub, Kind::Woo, LISTINGS).await, (State::Running, 0, None, None), "nothing was read yet");
        hub.run().await;
        assert_eq!(standing(&hub, Kind::Woo, LISTINGS).await, (State::Waiting, 250, Some(2_000), Some(12)));
        assert!(hub.import(Kind::Woo, LISTINGS).await.unwrap().problem.is_some(), "and why");
        hub.pass(5_000).await;
        assert_eq!(standing(&hub, Kind::Woo, LISTINGS).await.1, 750);
        let import = hub.import(Kind::Woo, LISTINGS).await.unwrap().import;
        let now = hub.clock.now_ms();
        assert!(import.ends_at(now).is_some_and(|end| end > now) && import.per_minute().is_some(), "{import:?}");

        hub.pause(Scope::Import, "Woo 0").await;
        assert_eq!(standing(&hub, Kind::Woo, LISTINGS).await.0, State::Paused);
        let mut hub = hub.crash().await;
        let (read, polls) = (pages(&shop).len(), asked(&shop, "/orders?"));
        hub.pass(10 * MINUTE).await;
        assert_eq!(standing(&hub, Kind::Woo, LISTINGS).await, (State::Paused, 750, Some(2_000), Some(37)));
        assert_eq!(pages(&shop).len(), read, "nothing is read meanwhile");
        assert!(asked(&shop, "/orders?") > polls, "orders are: their import is through");

        shop.faults(|faults| faults.clear());
        hub.resume(Scope::Import, "Woo 0").await;
        hub.run().await;
        assert_eq!(standing(&hub, Kind::Woo, LISTINGS).await, (State::Done, 2_000, Some(2_000), Some(100)));
        let after = hub.import(Kind::Woo, LISTINGS).await.unwrap().import;
        assert!(after.spent_ms < 5 * MINUTE, "the pause is no part of the rate: {after:?}");
        assert_eq!(count(&hub, &hub.connection(Kind::Woo).await).await, 2_000);
        let read = pages(&shop);
        assert_eq!((read.len(), read.iter().collect::<BTreeSet<_>>().len()), (40, 40), "each page once");
        // A resumed connection that has read everything does not begin again.
        hub.pause(Scope::Import, "Woo 0").await;
        hub.resume(Scope::Import, "Woo 0").await;
        hub.run().await;
        assert_eq!(pages(&shop).len(), 40);
        hub.finish().await;
    }

    async fn a_year_of_orders_comes_in_page_by_page_and_holds_no_stock(place: Place) {
        let mut hub = TestHub::stocked(place).await;
        hub.receive("MUG", 5, "opening").await;
        let shop = Shop::open(Kind::Woo, 7, &hub.clock, &[MUG]).await;
        let year = 365 * DAY;
        hub.clock.advance(-year);
        for n in 0..260 {
            if n % 9 == 0 {
                shop.restock("MUG", 10);
            }
            shop.sell("MUG", 1).unwrap();
            hub.clock.advance(DAY);
        }
        hub.clock.advance(year - 260 * DAY);
        shop.restock("MUG", 10);
        let since = entrepot::clock::to_rfc3339(hub.clock.now_ms() - year - DAY);
        hub.connect_with(shop.clone(), json!({ "since": since })).await;
        shop.faults(|faults| faults.on_later(2, When::Contains("/orders?".into()), Fault::ServerError));
        hub.run().await;
        let (state, done, total, _) = standing(&hub, Kind::Woo, ORDERS).await;
        assert_eq!((state, total), (State::Waiting, Some(260)));
        assert!((1..260).contains(&done), "{done}");
        hub.pause(Scope::Import, "Woo 0").await;
        let mut hub = hub.crash().await;
        let before = asked(&shop, "/orders?");
        hub.pass(10 * MINUTE).await;
        assert_eq!((standing(&hub, Kind::Woo, ORDERS).await.0, asked(&shop, "/orders?")), (State::Paused, before));
        hub.resume(Scope::Import, "Woo 0").await;
        hub.run().await;
        assert_eq!(standing(&hub, Kind::Woo, ORDERS).await.0, State::Done);
        assert_eq!((hub.count_orders().await, hub.stock("MUG").await.reserved), (260, 0), "all of them, and none holds anything");

        // The polls after it are no imports; a sale of today holds stock.
        let finished = hub.import(Kind::Woo, ORDERS).await.unwrap().import;
        hub.link(Kind::Woo).await;
        hub.clock.advance(1_000);
        shop.sell("MUG", 1).unwrap();
        hub.pass(5 * MINUTE).await;
        assert_eq!((hub.count_orders().await, hub.stock("MUG").await.reserved), (261, 1));
        assert_eq!(hub.import(Kind::Woo, ORDERS).await.unwrap().import, finished);
        hub.finish().await;
    }

    async fn a_large_shopify_shop_is_read_from_its_own_export(place: Place) {
        let mut hub = TestHub::empty(place).await;
        let shop = large_shopify(&mut hub, 800).await;
        hub.run().await;
        assert_eq!(standing(&hub, Kind::Shopify, LISTINGS).await, (State::Waiting, 0, Some(800), Some(0)));
        assert_eq!(hub.import(Kind::Shopify, LISTINGS).await.unwrap().problem, None, "an export in the making is no problem");
        // Half way a store that stumbles: what was read stays read.
        shop.faults(|faults| faults.on_later(4, When::Contains(FILE.into()), Fault::ServerError));
        hub.eventually(MINUTE, async |hub| standing(hub, Kind::Shopify, LISTINGS).await.1 > 0).await;
        assert_eq!(standing(&hub, Kind::Shopify, LISTINGS).await, (State::Waiting, 400, Some(800), Some(50)));
        let mut hub = hub.crash().await;
        hub.pass(MINUTE).await;
        assert_eq!(standing(&hub, Kind::Shopify, LISTINGS).await, (State::Done, 800, Some(800), Some(100)));
        assert_eq!((asked(&shop, "query VariantsPage"), asked(&shop, "mutation RunExport"), asked(&shop, FILE)), (0, 1, 9));
        assert_complete(&hub, 800).await;
        hub.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_that_fails_twice_is_replaced_by_pages() {
    let mut hub = TestHub::empty(Place::file()).await;
    let shop = large_shopify(&mut hub, 600).await;
    shop.shopify().fail_exports(2, "INTERNAL_SERVER_ERROR");
    hub.pass(5 * MINUTE).await;
    assert_eq!(standing(&hub, Kind::Shopify, LISTINGS).await, (State::Done, 600, Some(600), Some(100)));
    assert_eq!((asked(&shop, "mutation RunExport"), asked(&shop, FILE)), (2, 0));
    assert!(asked(&shop, "query VariantsPage") > 5);
    assert_complete(&hub, 600).await;
    hub.finish().await;
}

/// A person stops the import half way and forgets it until the file is no longer kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_expires_during_a_pause_is_made_anew() {
    let mut hub = TestHub::empty(Place::file()).await;
    let shop = large_shopify(&mut hub, 600).await;
    shop.faults(|faults| faults.on_later(3, When::Contains(FILE.into()), Fault::ServerError));
    hub.eventually(MINUTE, async |hub| hub.import(Kind::Shopify, LISTINGS).await.is_some_and(|seen| seen.import.done > 0)).await;
    hub.pause(Scope::Import, "Shopify 0").await;
    shop.shopify().expire_exports();
    hub.pass(10 * MINUTE).await;
    assert_eq!(standing(&hub, Kind::Shopify, LISTINGS).await, (State::Paused, 300, Some(600), Some(50)));
    hub.resume(Scope::Import, "Shopify 0").await;
    hub.pass(2 * MINUTE).await;
    assert_eq!(standing(&hub, Kind::Shopify, LISTINGS).await, (State::Done, 900, Some(900), Some(100)), "300 of them came twice");
    assert_eq!(asked(&shop, "mutation RunExport"), 2);
    assert_complete(&hub, 600).await;
    hub.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_the_store_has_lost_never_keeps_an_import_waiting() {
    let mut hub = TestHub::empty(Place::file()).await;
    let shop = large_shopify(&mut hub, 600).await;
    hub.eventually(2 * MINUTE, async |hub| {
        // Whatever is made is lost at once.
        hub.shop(Kind::Shopify).shopify().lose_exports();
        hub.import(Kind::Shopify, LISTINGS).await.is_some_and(|seen| seen.state == State::Done)
    })
    .await;
    assert_eq!(standing(&hub, Kind::Shopify, LISTINGS).await.1, 600);
    assert_eq!((asked(&shop, "mutation RunExport"), asked(&shop, FILE)), (2, 2));
    assert_complete(&hub, 600).await;
    hub.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_export_shows_undoes_nothing_that_was_told_while_it_was_made() {
    let mut hub = TestHub::stocked(Place::file()).await;
    let shop = Shop::open(Kind::Shopify, 7, &hub.clock, &[MUG, LAMP]).await;
    hub.connect_with(shop.clone(), json!({ "export-from": 1 })).await;
    hub.pass(MINUTE).await;
    hub.link(Kind::Shopify).await;
    hub.go_live().await;
    // No webhook makes good what the export gets wrong.
    shop.faults(|faults| faults.webhook_drop_per_mille = 1000);
    let (connection, exports) = (hub.connection(Kind::Shopify).await.id, asked(&shop, FILE));
    hub.make_due(entrepot::sync::listings_lane(&connection)).await;
    hub.pass(5_000).await;
    hub.count("MUG", 4, "count").await;
    hub.run().await;
    let pushes = shop.pushes().len();
    hub.pass(2 * MINUTE).await;
    assert_eq!(asked(&shop, FILE), exports + 1, "read, with ten mugs in it");
    assert_eq!((shop.shows("MUG"), shop.pushes().len()), (Some(4), pushes), "told once");
    let drifts = drift::list(&mut hub.read().await, &hub.app.ctx.tenant, Some(&connection), 0, 10).await.unwrap();
    assert!(drifts.is_empty(), "{drifts:?}");
    hub.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_while_an_export_was_made_is_newer_even_when_it_is_what_was_known_before() {
    let mut hub = TestHub::stocked(Place::file()).await;
    let shop = Shop::open(Kind::Shopify, 7, &hub.clock, &[MUG, LAMP]).await;
    hub.connect_with(shop.clone(), json!({ "export-from": 1 })).await;
    hub.pass(MINUTE).await;
    let known = levels(&hub).await;
    let exports = asked(&shop, FILE);
    // For just the moment of the export the shop holds fewer, and tells of the end of it alone. A count leaves no new date.
    shop.faults(|faults| faults.webhook_drop_per_mille = 1000);
    shop.restock("MUG", 3);
    hub.make_due(entrepot::sync::listings_lane(&hub.connection(Kind::Shopify).await.id)).await;
    hub.pass(1_000).await;
    shop.faults(|faults| faults.webhook_drop_per_mille = 0);
    shop.restock("MUG", MUG.stock);
    hub.pass(10_000).await;
    assert_eq!(asked(&shop, FILE), exports, "the export is still being made");
    hub.pass(2 * MINUTE).await;
    assert_eq!(asked(&shop, FILE), exports + 1, "read, with three mugs in it");
    assert_eq!(levels(&hub).await, known);
    hub.finish().await;
}

/// What the shop held of each listing when it was last read.
async fn levels(hub: &TestHub) -> Vec<i64> {
    let mut conn = hub.read().await;
    let all = listings::list(&mut conn, &hub.app.ctx.tenant, &Filter::default(), &PageRequest::first(500)).await.unwrap();
    let ids: Vec<_> = all.items.into_iter().map(|listing| listing.id).collect();
    let held = listings::levels(&mut conn, &hub.app.ctx.tenant, &ids).await.unwrap();
    ids.iter().map(|id| held[id].iter().map(|level| level.quantity).sum()).collect()
}
