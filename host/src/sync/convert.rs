//! What crosses the boundary becomes the hub's own strict form, or a refusal that names the field and the value.

mod listing;
mod order;

pub use listing::listing;
pub use order::order;

use crate::clock::from_rfc3339;
use crate::money::{Currency, Money};
use crate::orders::model::Extras;
use crate::plugins::wire::Extra;

/// A record that cannot be taken as it is. The text is for the merchant and the connector's author.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{field}: {problem}")]
pub struct Refusal {
    pub field: String,
    pub problem: String,
}

pub fn refuse<T>(field: impl Into<String>, problem: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { field: field.into(), problem: problem.into() })
}

/// A text from outside, as it may stand in a message.
pub fn shortened(text: &str) -> String {
    text.chars().take(60).collect()
}

/// The longest foreign id we keep.
const EXTERNAL_ID_BYTES: usize = 255;

pub fn external_id(field: &str, text: String) -> Result<String, Refusal> {
    match text.len() {
        0 => refuse(field, "an id is missing"),
        n if n > EXTERNAL_ID_BYTES => refuse(field, format!("an id of {n} bytes is longer than {EXTERNAL_ID_BYTES}")),
        _ => Ok(text),
    }
}

pub fn instant(field: &str, text: &str) -> Result<i64, Refusal> {
    from_rfc3339(text).map_or_else(|| refuse(field, format!("`{text}` is not an RFC 3339 instant such as 2026-11-21T10:15:00Z")), Ok)
}

pub fn money(field: &str, amount: &str, currency: &str) -> Result<Money, Refusal> {
    let currency = Currency::from_code(currency).or_else(|error| refuse(field, error.to_string()))?;
    Money::parse(amount, currency).or_else(|error| refuse(field, error.to_string()))
}

/// Exact decimal text of any scale: digits, one point, a sign.
pub fn decimal(field: &str, text: &str) -> Result<String, Refusal> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let good = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match good(whole) && good(fraction) && text.len() <= 40 {
        true => Ok(text.to_owned()),
        false => refuse(field, format!("`{text}` is not a plain decimal such as 19.90")),
    }
}

pub fn extras(field: &str, extras: Vec<Extra>) -> Result<Extras, Refusal> {
    let parse = |extra: Extra| match serde_json::from_str(&extra.json) {
        Ok(value) => Ok((extra.key, value)),
        Err(_) => refuse(format!("{field}.extras.{}", extra.key), "this is not JSON"),
    };
    extras.into_iter().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_decimals_than_the_currency_has_are_refused_by_name() {
        let refused = money("total", "19.999", "EUR").map_err(|e| e.to_string());
        let text = refused.expect_err("three decimals of euro");
        assert!(text.contains("19.999") && text.contains("EUR"), "{text}");
    }

    #[test]
    fn exact_decimals_may_have_any_scale_but_must_be_plain() {
        assert_eq!(decimal("price", "0.225"), Ok("0.225".into()));
        for bad in ["", "1e3", "1,5", ".5", "5.", "--1", "NaN", "１"] {
            assert!(decimal("price", bad).is_err(), "{bad}");
        }
    }
}
