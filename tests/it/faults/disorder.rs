//! Deliveries that come again, in another order, hours and days late: the state is the one that order would have given.

use std::collections::BTreeMap;

use entrepot_tests::chance::{Dice, Seed, count, seeds};
use entrepot_tests::sale;
use entrepot_tests::site::Site;
use serde_json::json;

use super::desk::{ARTICLES, Desk, NOON};

const HOUR: i64 = 3_600_000;
/// How late the late ones are.
const LATER: [i64; 3] = [4 * HOUR, 3 * 24 * HOUR, 9 * 24 * HOUR];

/// What happened to an order, as the shop tells it each time: the whole picture.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Shipped,
    Cancelled,
    Edited,
}

/// The pictures of one order, oldest first.
fn pictures(order: u64) -> Vec<Vec<u8>> {
    let fate = [Fate::Shipped, Fate::Cancelled, Fate::Edited][order as usize % 3];
    let last = match fate {
        Fate::Shipped => "completed",
        Fate::Cancelled => "cancelled",
        Fate::Edited => "processing",
    };
    ["pending", "processing", "processing", last]
        .iter()
        .enumerate()
        .map(|(version, status)| picture(order, version, status, fate))
        .collect()
}

fn picture(order: u64, version: usize, status: &str, fate: Fate) -> Vec<u8> {
    let mut body: serde_json::Value = serde_json::from_slice(&sale::order(order, sale::articles(order, ARTICLES))).unwrap();
    body["status"] = json!(status);
    let at = format!("2026-10-03T09:{:02}:{:02}", 22 + version, order % 60);
    (body["date_modified"], body["date_modified_gmt"]) = (json!(at), json!(at));
    body["customer_note"] = json!(format!("picture {version}"));
    if version == 3 && matches!(fate, Fate::Edited) {
        body["line_items"][0]["quantity"] = json!(5);
    }
    serde_json::to_vec(&body).unwrap()
}

/// Each picture once, in order.
async fn in_order(orders: u64) -> BTreeMap<String, String> {
    let desk = Desk::open(Site::file()).await;
    for version in 0..4 {
        desk.deliver((1..=orders).map(|order| pictures(order)[version].clone()).collect(), 1).await;
        desk.work().await;
    }
    desk.state().await
}

/// Each picture one to five times, shuffled, some of them hours and days later.
async fn in_disorder(site: Site, orders: u64, dice: &Dice) -> BTreeMap<String, String> {
    let desk = Desk::open(site).await;
    let mut waves: [Vec<Vec<u8>>; 4] = Default::default();
    for picture in (1..=orders).flat_map(pictures) {
        for _ in 0..dice.between(1, 5) {
            waves[dice.below(4) as usize].push(picture.clone());
        }
    }
    for (wave, later) in waves.into_iter().zip([0].into_iter().chain(LATER)) {
        desk.clock.advance(NOON + later - desk.clock.now_ms());
        let mut wave = wave;
        dice.shuffle(&mut wave);
        desk.deliver(wave, 8).await;
        desk.work().await;
    }
    desk.state().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_repeated_shuffled_and_late_lead_to_the_same_state() {
    // Four pictures each: ten thousand deliveries when counted once.
    let orders = count(100, 2_500);
    let expected = in_order(orders).await;
    for seed in seeds(1, 50) {
        let (_seed, dice) = (Seed(seed), Dice::new(seed));
        let mut sites = vec![Site::file()];
        sites.extend(Site::server().await);
        for site in sites {
            let state = in_disorder(site, orders, &dice).await;
            for (what, should) in &expected {
                assert_eq!(state.get(what), Some(should), "{what}");
            }
            assert_eq!(state.len(), expected.len(), "there is more than there should be");
        }
    }
}
