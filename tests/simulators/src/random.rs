//! Seeded chance: the same seed and the same order of questions give the same faults and the same keys.

/// SplitMix64: tiny, well distributed, and good enough to decide which request fails. Never used for real secrets.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed ^ 0x9E37_79B9_7F4A_7C15)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// True in `per_mille` of a thousand cases. Asks for chance only when the answer is open, so that switching one
    /// fault off does not move the others.
    pub(crate) fn per_mille(&mut self, per_mille: u16) -> bool {
        per_mille > 0 && (per_mille >= 1000 || self.next() % 1000 < u64::from(per_mille))
    }

    /// A number from 1 to `most` (1 when `most` is 0).
    pub(crate) fn up_to(&mut self, most: u64) -> u64 {
        1 + self.next() % most.max(1)
    }

    /// `digits` lower-case hexadecimal digits.
    pub(crate) fn hex(&mut self, digits: usize) -> String {
        let mut text = String::with_capacity(digits + 16);
        while text.len() < digits {
            text.push_str(&format!("{:016x}", self.next()));
        }
        text.truncate(digits);
        text
    }
}
