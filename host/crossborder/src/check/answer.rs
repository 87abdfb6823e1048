//! Comparing an answer with what was expected.

use serde_json::Value;

use super::input::decimal_of;
use crate::money::Decimal;

/// Keys whose text is a name or a number written in one form only.
const LITERAL: [&str; 2] = ["normalized", "text"];

pub(super) fn same(answer: &Value, expected: &Value, tolerance: Option<Decimal>) -> bool {
    match (answer, expected) {
        (Value::Object(a), Value::Object(e)) => {
            a.len() == e.len()
                && e.iter().all(|(key, expected)| match a.get(key) {
                    None => false,
                    Some(answer) if LITERAL.contains(&key.as_str()) => answer == expected,
                    Some(answer) => same(answer, expected, tolerance),
                })
        }
        (Value::Array(a), Value::Array(e)) => a.len() == e.len() && a.iter().zip(e).all(|(a, e)| same(a, e, tolerance)),
        (Value::Number(_), Value::Number(_)) | (Value::String(_), Value::String(_)) => {
            answer == expected
                || match (decimal_of(answer), decimal_of(expected)) {
                    (Some(a), Some(e)) => (a - e).abs() <= tolerance.unwrap_or(Decimal::ZERO),
                    _ => false,
                }
        }
        _ => answer == expected,
    }
}
