//! Reading JSON without losing a digit.
//!
//! The usual reader turns `6.3333333333333339` into a float. Here every number with a decimal point or an exponent, and every
//! integer too long for 64 bits, is read as the text it was written as; [`crate::json::Doc`] takes both forms.

use serde_json::{Error, Value};

/// A document, its odd numbers as texts.
pub fn parse(text: &str) -> Result<Value, Error> {
    serde_json::from_str(&quoted(text))
}

/// The same document with those numbers in quotes.
fn quoted(text: &str) -> String {
    let mut result = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        let (before, token) = rest.split_at(at);
        result.push_str(before);
        let length = if token.starts_with('"') { string_length(token) } else { number_length(token) };
        let (token, after) = token.split_at(length);
        if is_odd_number(token) {
            result.push('"');
            result.push_str(token);
            result.push('"');
        } else {
            result.push_str(token);
        }
        rest = after;
    }
    result.push_str(rest);
    result
}

/// Of the string that `text` begins with, quotes included; the whole text where it does not end.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn number_length(text: &str) -> usize {
    let part = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
    text.bytes().position(|byte| !part(byte)).unwrap_or(text.len())
}

/// Whatever is no number by JSON's rules is left for the reader to refuse.
fn is_odd_number(token: &str) -> bool {
    let odd = token.contains(['.', 'e', 'E']) || token.len() > 18;
    odd && !token.starts_with('"') && serde_json::from_str::<serde_json::Number>(token).is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::parse;

    #[test]
    fn every_digit_survives_and_texts_are_left_alone() {
        let text = r#"{"a": 6.3333333333333339, "b": [-0.10, 1e-7, 5, -3], "c": "say \"1.5\", \\", "1.5": 123456789012345678901234567890, "d": null}"#;
        let value = parse(text).unwrap();
        assert_eq!(value["a"], json!("6.3333333333333339"));
        assert_eq!(value["b"], json!(["-0.10", "1e-7", 5, -3]));
        assert_eq!(value["c"], json!("say \"1.5\", \\"));
        assert_eq!(value["1.5"], json!("123456789012345678901234567890"));
    }

    #[test]
    fn what_is_no_json_is_still_refused() {
        for text in ["", "{", "[1.2.3]", "[01.5]", "\"open", "{\"a\": -}", "[1.]", "<html>1.5</html>"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_document_without_odd_numbers_is_read_as_ever(text in r#"[ \[\]{}":,a-z0-9\\é-]{0,40}"#) {
            proptest::prop_assume!(!text.contains(['.', 'e', 'E']));
            let usual: Result<serde_json::Value, _> = serde_json::from_str(&text);
            proptest::prop_assert_eq!(parse(&text).ok(), usual.ok());
        }
    }
}
