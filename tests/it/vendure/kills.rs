//! Programs and databases die while both shops sell. In the end every order is there once, and everybody shows what is left.

use std::io::Write as _;

use entrepot::id::Entropy;

use super::market::Market;
use entrepot_tests::real::Vendure;

/// Rounds of sales, in each of which one thing dies.
const ROUNDS: usize = 5;
const SALES: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Victim {
    Hub,
    Shop,
    ShopsDatabase,
    HubsDatabase,
}

const VICTIMS: [Victim; 4] = [Victim::Hub, Victim::Shop, Victim::ShopsDatabase, Victim::HubsDatabase];

pub async fn nothing_is_lost_doubled_or_oversold(market: &mut Market) {
    let seed = std::env::var("ENTREPOT_TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| {
        let mut bytes = [0; 4];
        Entropy::system().fill(&mut bytes);
        u64::from(u32::from_le_bytes(bytes))
    });
    let dice = Entropy::seeded(seed);
    let mut died = Vec::new();
    let mut refused = 0;
    for round in 0..ROUNDS {
        let victim = VICTIMS[throw(&dice, VICTIMS.len())];
        let at = throw(&dice, SALES);
        died.push(victim);
        for sale in 0..SALES {
            if sale == at {
                kill(market, victim).await;
            }
            market.woo.sell(&Vendure::sku(1 + throw(&dice, 3)), 1).unwrap();
            // A shop that is down sells nothing; what it took before it went is in its books.
            refused += usize::from(market.vendure.sell(1 + throw(&dice, 2), 1).await.is_err());
        }
        revive(market, victim).await;
        let _ = writeln!(std::io::stderr(), "round {round}: {victim:?} died (ENTREPOT_TEST_SEED={seed})");
    }
    // What was not told while somebody was away, the polls and the look at the listings find.
    market.look_at_listings().await;
    market.poll().await;
    let mut last = String::new();
    market
        .eventually(&format!("nobody lost anything after {died:?}, ENTREPOT_TEST_SEED={seed}"), async || match market.differs().await {
            None => true,
            Some(difference) => {
                if last != difference {
                    let _ = writeln!(std::io::stderr(), "not yet: {difference}");
                    last = difference;
                }
                false
            }
        })
        .await;
    let (orders, shown) = (market.vendure.orders().await.len(), market.vendure.available().await);
    assert!(shown.values().all(|left| *left >= 0), "oversold: {shown:?}");
    let _ = writeln!(
        std::io::stderr(),
        "seed {seed}: {died:?}; {} orders in the simulated shop, {orders} in the real one ({refused} purchases failed while it was down); \
         nothing lost, doubled or oversold, all show {shown:?}",
        market.woo.woo().orders().len(),
    );
}

fn throw(dice: &Entropy, sides: usize) -> usize {
    let mut bytes = [0; 4];
    dice.fill(&mut bytes);
    u32::from_le_bytes(bytes) as usize % sides
}

async fn kill(market: &mut Market, victim: Victim) {
    match victim {
        Victim::Hub => market.hub.kill(),
        Victim::Shop => market.vendure.kill_server(),
        Victim::ShopsDatabase => market.vendure.kill_database().await,
        Victim::HubsDatabase => market.server.stop_immediate(),
    }
}

/// Whatever a death took along is started again, as whoever watches over the programs would.
async fn revive(market: &mut Market, victim: Victim) {
    match victim {
        Victim::Hub => market.restart_hub(),
        Victim::Shop | Victim::ShopsDatabase => market.vendure.up().await,
        Victim::HubsDatabase => {
            market.server.start();
            if market.hub.ended().is_some() {
                market.restart_hub();
            }
        }
    }
}
