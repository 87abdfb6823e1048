//! Whatever buyers and merchants do in whatever order, the shops' books add up.

use std::collections::BTreeMap;

use entrepot_simulators::shopify::{Basket, NewVariant};
use entrepot_simulators::woo::{NewProduct, Purchase};
use entrepot_simulators::{HandClock, ShopifyConfig, ShopifyShop, WooConfig, WooShop};
use rust_decimal::Decimal;

const SKUS: [&str; 3] = ["A", "B", "C"];
const STEPS: usize = 250;

/// A walk that is the same for the same seed.
struct Walk(u64);

impl Walk {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }

    fn sku(&mut self) -> &'static str {
        SKUS[self.below(SKUS.len())]
    }

    fn units(&mut self) -> i64 {
        1 + self.below(3) as i64
    }
}

#[tokio::test]
async fn woocommerce_stock_is_the_first_count_less_what_orders_hold() {
    for seed in 0..6 {
        let shop = WooShop::start(WooConfig { clock: HandClock::at(0).clock(), ..WooConfig::seeded(seed) }).await.unwrap();
        for sku in SKUS {
            shop.add_product(NewProduct::new(sku, sku, Decimal::TEN).stock(60));
        }
        let mut walk = Walk(seed);
        // Units that a refund put back, or kept, per SKU, are on the lines; what the orders hold is told by the writes.
        for _ in 0..STEPS {
            let orders = shop.orders();
            let pick = (!orders.is_empty()).then(|| orders[walk.below(orders.len().max(1))].id);
            let (sku, units) = (walk.sku(), walk.units());
            // Refusals are part of life; what counts is that they change nothing.
            match (walk.below(8), pick) {
                (0..=2, _) | (_, None) => drop(shop.place_order(Purchase::of(sku, units))),
                (3, Some(order)) => drop(shop.cancel_order(order)),
                (4, Some(order)) => drop(shop.edit_order(order, sku, units - 1)),
                (5, Some(order)) => drop(shop.refund_order(order, &[(sku, 1)], units > 1)),
                (6, Some(order)) => drop(shop.set_order_status(order, ["pending", "processing", "failed"][units as usize - 1])),
                (_, Some(order)) => drop(shop.complete_order(order)),
            }
        }
        let mut held: BTreeMap<String, i64> = BTreeMap::new();
        let client = crate::woo::Client::of(&shop);
        for page in 1.. {
            let orders = client.get(&format!("/orders?per_page=100&page={page}")).await.body;
            let orders = orders.as_array().unwrap();
            if orders.is_empty() {
                break;
            }
            for line in orders.iter().flat_map(|order| order["line_items"].as_array().unwrap()) {
                let metas = line["meta_data"].as_array().unwrap().iter();
                let reduced = metas
                    .filter(|meta| meta["key"] == "_reduced_stock")
                    .map(|meta| meta["value"].as_str().unwrap().parse::<i64>().unwrap());
                *held.entry(line["sku"].as_str().unwrap().to_owned()).or_default() += reduced.sum::<i64>();
            }
        }
        for sku in SKUS {
            let held = held.get(sku).copied().unwrap_or_default();
            assert_eq!(shop.stock_of(sku), Some(60 - held), "seed {seed}, {sku}");
            let moved: i64 = shop.stock_writes().iter().filter(|write| write.sku == sku).map(|write| write.after - write.before).sum();
            assert_eq!(moved, -held, "seed {seed}, {sku}: every change is written down");
        }
    }
}

#[tokio::test]
async fn shopify_commits_exactly_what_is_still_to_be_shipped() {
    for seed in 0..6 {
        let shop = ShopifyShop::start(ShopifyConfig { clock: HandClock::at(0).clock(), ..ShopifyConfig::seeded(seed) }).await.unwrap();
        for sku in SKUS {
            shop.add_product(sku, vec![NewVariant::new(sku, Decimal::TEN).stock(60)]);
        }
        let mut walk = Walk(seed);
        for _ in 0..STEPS {
            let orders = shop.orders();
            let pick = (!orders.is_empty()).then(|| orders[walk.below(orders.len().max(1))].id);
            let (sku, units) = (walk.sku(), walk.units());
            match (walk.below(8), pick) {
                (0..=2, _) | (_, None) => drop(shop.place_order(Basket::of(sku, units))),
                (3, Some(order)) => drop(shop.cancel_order(order)),
                (4, Some(order)) => drop(shop.edit_order(order, sku, units - 1)),
                (5 | 6, Some(order)) => drop(shop.refund_order(order, &[(sku, 1)], units > 1)),
                (_, Some(order)) => drop(shop.ship_order(order, "DHL", "1")),
            }
        }
        let app = crate::shopify::App::of(&shop).await;
        let mut open: BTreeMap<String, i64> = BTreeMap::new();
        for order in shop.orders() {
            let query = "query($id: ID!) { order(id: $id) { displayFulfillmentStatus lineItems(first: 20) { nodes { sku unfulfilledQuantity currentQuantity } }
                fulfillmentOrders(first: 5) { nodes { status lineItems(first: 20) { nodes { sku remainingQuantity } } } } } }";
            let seen = app.run(query, serde_json::json!({ "id": format!("gid://shopify/Order/{}", order.id) })).await["order"].clone();
            shop.drain_bucket(2000);
            let sum = |rows: &serde_json::Value, field: &str| -> i64 {
                rows.as_array().unwrap().iter().map(|row| row[field].as_i64().unwrap()).sum()
            };
            let lines = &seen["lineItems"]["nodes"];
            let parts = &seen["fulfillmentOrders"]["nodes"][0];
            let waiting = sum(&parts["lineItems"]["nodes"], "remainingQuantity");
            assert_eq!(sum(lines, "unfulfilledQuantity"), waiting, "seed {seed}, {seen}");
            let status = parts["status"].as_str().unwrap();
            assert_eq!(waiting > 0, matches!(status, "OPEN" | "IN_PROGRESS"), "seed {seed}, {seen}");
            for line in lines.as_array().unwrap() {
                assert!(line["currentQuantity"].as_i64().unwrap() >= 0, "seed {seed}, {seen}");
                *open.entry(line["sku"].as_str().unwrap().to_owned()).or_default() += line["unfulfilledQuantity"].as_i64().unwrap();
            }
        }
        for sku in SKUS {
            let (available, committed, on_hand) = shop.level_of(sku, shop.locations()[0]).unwrap();
            assert_eq!(committed, open.get(sku).copied().unwrap_or_default(), "seed {seed}, {sku}");
            assert_eq!(available + committed, on_hand);
            let moved: i64 = shop.stock_writes().iter().filter(|write| write.sku == sku).map(|write| write.after - write.before).sum();
            assert_eq!(available, 60 + moved, "seed {seed}, {sku}: every change is written down");
        }
    }
}
