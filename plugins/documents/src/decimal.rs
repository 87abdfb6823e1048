//! Exact decimals as the shop writes them: `"29.35"`, `3`, `"0.225"`. No floats, no rounding.

use std::str::FromStr;

pub use rust_decimal::Decimal;

/// Reads a plain or exponent-form decimal. `None` for anything that is not exactly one number.
pub fn parse(text: &str) -> Option<Decimal> {
    let text = text.trim();
    Decimal::from_str_exact(text).ok().or_else(|| exponent_form(text))
}

/// Exponents appear where the shop's language prints a float (`1.0E-5`, `1e2`).
fn exponent_form(text: &str) -> Option<Decimal> {
    if !text.contains(['e', 'E']) {
        return None;
    }
    Decimal::from_scientific(text).ok()
}

/// The largest whole number that is not above `value`; `None` beyond 32 bits.
pub fn floor(value: Decimal) -> Option<i32> {
    i32::from_str(&value.floor().normalize().to_string()).ok()
}

/// Whether nothing follows the decimal point but zeros.
pub fn is_whole(value: Decimal) -> bool {
    value.normalize().scale() == 0
}
