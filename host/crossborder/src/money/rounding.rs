//! Rounding modes and the one integer division that applies them.

use serde::{Deserialize, Serialize};

/// How a value between two units becomes one of them. "Half" modes differ only at the exact half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundingMode {
    /// Nearest; a half goes away from zero.
    #[default]
    HalfUp,
    /// Nearest; a half goes toward zero.
    HalfDown,
    /// Nearest; a half goes to the even neighbour.
    HalfEven,
    /// Away from zero.
    Up,
    /// Toward zero.
    Down,
    /// Toward positive infinity.
    Ceil,
    /// Toward negative infinity.
    Floor,
}

impl RoundingMode {
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "half_up" => Self::HalfUp,
            "half_down" => Self::HalfDown,
            "half_even" => Self::HalfEven,
            "up" => Self::Up,
            "down" => Self::Down,
            "ceil" => Self::Ceil,
            "floor" => Self::Floor,
            _ => return None,
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::HalfUp => "half_up",
            Self::HalfDown => "half_down",
            Self::HalfEven => "half_even",
            Self::Up => "up",
            Self::Down => "down",
            Self::Ceil => "ceil",
            Self::Floor => "floor",
        }
    }
}

/// `numerator / denominator` as an integer by `mode`. The denominator must be positive.
pub(super) fn divide(numerator: i128, denominator: i128, mode: RoundingMode) -> i128 {
    let quotient = numerator / denominator;
    let remainder = numerator % denominator;
    if remainder == 0 {
        return quotient;
    }
    let negative = numerator < 0;
    // Compared as a distance to the half without doubling, which could overflow.
    let rest = remainder.unsigned_abs();
    let other = denominator.unsigned_abs() - rest;
    let away = match mode {
        RoundingMode::HalfUp => rest >= other,
        RoundingMode::HalfDown => rest > other,
        RoundingMode::HalfEven => rest > other || (rest == other && quotient % 2 != 0),
        RoundingMode::Up => true,
        RoundingMode::Down => false,
        RoundingMode::Ceil => !negative,
        RoundingMode::Floor => negative,
    };
    match (away, negative) {
        (false, _) => quotient,
        (true, false) => quotient + 1,
        (true, true) => quotient - 1,
    }
}
