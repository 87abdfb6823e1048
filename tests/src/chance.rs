//! How often a fault is tried, and with what luck. CI tries a few times; `ENTREPOT_FAULTS=full` as often as the plan says;
//! `ENTREPOT_FAULT_SEED=N` plays one round again, exactly.

use entrepot::id::Entropy;

pub const HOW_OFTEN: &str = "ENTREPOT_FAULTS";
pub const ONE_SEED: &str = "ENTREPOT_FAULT_SEED";

/// The seeds to play: `ci` of them, or `full`, or the one that is named.
pub fn seeds(ci: u64, full: u64) -> Vec<u64> {
    match std::env::var(ONE_SEED).ok().map(|text| text.parse()) {
        Some(Ok(seed)) => vec![seed],
        Some(Err(_)) => panic!("{ONE_SEED} takes a number"),
        None => (1..=count(ci, full)).collect(),
    }
}

pub fn count(ci: u64, full: u64) -> u64 {
    if std::env::var(HOW_OFTEN).is_ok_and(|how| how == "full") { full } else { ci }
}

/// Repeatable dice.
#[derive(Clone)]
pub struct Dice(Entropy);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(Entropy::seeded(seed))
    }

    /// 0 to `end - 1`.
    pub fn below(&self, end: u64) -> u64 {
        let mut bytes = [0u8; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes) % end.max(1)
    }

    pub fn between(&self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }

    pub fn shuffle<T>(&self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at as u64 + 1) as usize);
        }
    }
}

/// Says which seed to play again when a test fails.
pub struct Seed(pub u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("play it again with {ONE_SEED}={}", self.0);
        }
    }
}
