//! Chance for property tests: one seed makes one run, and a failing one is printed and can be played again.
//!
//! `ENTREPOT_STOCK_TIMES=N` plays N times as many seeds, `ENTREPOT_STOCK_SEED=S` only that one.

use crate::id::Entropy;

pub struct Dice(Entropy);

impl Dice {
    pub fn of(seed: u64) -> Self {
        Self(Entropy::seeded(seed))
    }

    /// 0 up to, but not, `sides`.
    pub fn roll(&self, sides: usize) -> usize {
        let mut bytes = [0u8; 8];
        self.0.fill(&mut bytes);
        (u64::from_le_bytes(bytes) % sides.max(1) as u64) as usize
    }

    pub fn units(&self, from: i64, to: i64) -> i64 {
        from + self.roll((to - from + 1) as usize) as i64
    }

    pub fn pick<'a, T>(&self, of: &'a [T]) -> &'a T {
        &of[self.roll(of.len())]
    }
}

#[allow(clippy::disallowed_methods)] // settings of a test come from the environment
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The seeds of one property, `cases` of them unless the environment says otherwise.
pub fn seeds(cases: u64) -> Vec<u64> {
    match number("ENTREPOT_STOCK_SEED") {
        Some(seed) => vec![seed],
        None => (1..=cases * number("ENTREPOT_STOCK_TIMES").unwrap_or(1)).collect(),
    }
}

/// Says which seed failed when dropped by a panic.
pub struct Played(pub &'static str, pub u64);

impl Drop for Played {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{} failed; ENTREPOT_STOCK_SEED={} plays it again", self.0, self.1);
        }
    }
}
