//! Shops that misbehave in forty ways: in the end each shows what it should, and meanwhile says why it does not.

use entrepot::lanes::Filter;
use entrepot_simulators::{Fault, When};
use entrepot_tests::chance::seeds;
use entrepot_tests::hub::{Place, TestHub};
use entrepot_tests::shop::{Kind, Shop};

const FAULTS: [Fault; 9] = [
    Fault::DropRequest,
    Fault::LoseAnswer,
    Fault::ServerError,
    Fault::Throttle,
    Fault::ErrorIn200,
    Fault::TruncateBody,
    Fault::RepeatPage,
    Fault::PartialBatch,
    Fault::RefuseCredentials,
];

/// What goes wrong at the shop that is told.
#[derive(Clone, Debug)]
enum Scenario {
    /// The next requests of this sort, some of them in a row.
    Planned(Fault, When),
    Maintenance,
    /// Every answer takes this long, webhooks come late, twice and in another order.
    Slow(u64),
    /// A little of everything.
    Weather,
}

/// Forty: each fault on reading and on writing, and four that last, at both kinds of shop.
fn scenarios() -> Vec<(Kind, Scenario)> {
    let mut all = Vec::new();
    for kind in [Kind::Woo, Kind::Shopify] {
        for fault in FAULTS {
            all.push((kind, Scenario::Planned(fault, When::Read)));
            all.push((kind, Scenario::Planned(fault, When::Write)));
        }
        all.push((kind, Scenario::Maintenance));
        all.push((kind, if kind == Kind::Woo { Scenario::Slow(120) } else { Scenario::Weather }));
    }
    all
}

fn strike(shop: &Shop, scenario: &Scenario, times: usize) {
    shop.faults(|faults| match scenario {
        Scenario::Planned(fault, when) => faults.on_next(times, when.clone(), *fault),
        Scenario::Maintenance => faults.maintenance = true,
        Scenario::Slow(ms) => {
            faults.api_delay_ms = *ms;
            faults.webhook_delay_per_mille = 300;
            faults.webhook_delay_ms = 5_000;
            faults.webhook_duplicate_per_mille = 500;
            faults.webhook_reorder_per_mille = 300;
        }
        Scenario::Weather => {
            faults.drop_request_per_mille = 80;
            faults.lose_answer_per_mille = 80;
            faults.server_error_per_mille = 80;
            faults.throttle_per_mille = 80;
            faults.throttle_retry_after_s = Some(1);
            faults.truncate_body_per_mille = 80;
            faults.webhook_drop_per_mille = 200;
        }
    });
}

/// The shop `told` stumbles while the other sells and goods arrive.
async fn play(hub: &mut TestHub, told: Kind, scenario: &Scenario, note: &str, seed: u64) {
    let (shop, seller) = (hub.shop(told), hub.shop(told.other()));
    strike(&shop, scenario, 1 + seed as usize % 3);
    let order = seller.sell("MUG", 2).unwrap();
    hub.receive("LAMP", 3, &format!("{note}, while it stumbles")).await;
    hub.poll(told).await;
    hub.pass(40_000).await;
    seller.sell("LAMP", 1).unwrap();
    hub.pass(20_000).await;
    let silent: Vec<_> = hub.lanes(Filter::Failing).await.into_iter().filter(|lane| lane.reason.is_none()).collect();
    assert!(silent.is_empty(), "lanes that fail without a reason: {silent:#?}");
    shop.faults(|faults| {
        assert_eq!(faults.still_planned(), 0, "it stumbled less often than planned");
        faults.clear();
    });
    // Refusals of single records are shown, and tried again when something changes.
    hub.receive("MUG", 3, &format!("{note}, after it")).await;
    hub.receive("LAMP", 1, &format!("{note}, after it, too")).await;
    hub.pass(5 * 60_000).await;
    assert_eq!(hub.order(told.other(), order).await.holds, "stock");
    for sku in ["MUG", "LAMP"] {
        let (on_hand, reserved) = hub.books(sku).await;
        assert_eq!(shop.shows(sku), Some(on_hand - reserved), "{sku}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_that_misbehaves_shows_in_the_end_what_it_should() {
    let scenarios = scenarios();
    assert_eq!(scenarios.len(), 40);
    for seed in seeds(1, 25) {
        let mut hub = TestHub::trading(Place::file()).await;
        for (told, scenario) in &scenarios {
            let note = format!("{told:?} {scenario:?} with seed {seed}");
            let _named = Named(note.clone());
            play(&mut hub, *told, scenario, &note, seed).await;
        }
        hub.finish().await;
    }
}

/// Says which scenario was being played when a test fails.
struct Named(String);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("it happened in {}", self.0);
        }
    }
}
