//! Instants with milliseconds, as the shop writes them: `2026-11-29T01:00:09.454Z`.

use crate::instant;

/// Milliseconds since 1970.
pub fn parse(text: &str) -> Option<i64> {
    let seconds = instant::parse(text)?;
    let fraction = text.split_once('.').map(|(_, rest)| rest).unwrap_or_default();
    let digits: Vec<i64> = fraction.chars().map_while(|c| c.to_digit(10)).map(i64::from).collect();
    let ms: i64 = digits.iter().zip([100, 10, 1]).map(|(digit, unit)| digit * unit).sum();
    seconds.checked_mul(1_000)?.checked_add(ms)
}

pub fn format(ms: i64) -> String {
    let seconds = instant::format(ms.div_euclid(1_000));
    format!("{}.{:03}Z", seconds.trim_end_matches('Z'), ms.rem_euclid(1_000))
}

#[cfg(test)]
mod tests {
    use super::{format, parse};

    #[test]
    fn milliseconds_survive_and_a_text_without_them_has_none() {
        for text in ["2026-11-29T01:00:09.454Z", "1969-12-31T23:59:59.999Z", "2026-11-29T01:00:09.000Z"] {
            assert_eq!(parse(text).map(format).as_deref(), Some(text));
        }
        assert_eq!(parse("1970-01-01T00:00:01Z"), Some(1_000));
        assert_eq!(parse("1970-01-01T00:00:01.5+00:00"), Some(1_500));
        assert_eq!(parse("yesterday"), None);
    }
}
