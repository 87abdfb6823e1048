//! Reading the question of a case. A wrong or missing field names itself.

use jiff::civil::Date;
use serde_json::{Map, Value, json};

use crate::money::{Currency, Decimal, Error as MoneyError, Exact, Money, RoundingMode, decimal_from_text};

/// Why there is no ordinary answer.
pub(super) enum Refusal {
    /// No suite knows the operation.
    UnknownOp,
    /// The question cannot be read.
    Malformed(String),
    /// The right answer is a refusal; the text is for people.
    Error(Value, #[allow(dead_code)] String),
}

pub(super) fn refuse(code: &str, why: impl std::fmt::Display) -> Refusal {
    Refusal::Error(json!({"error": code}), why.to_string())
}

impl From<MoneyError> for Refusal {
    fn from(error: MoneyError) -> Self {
        let code = match &error {
            MoneyError::UnknownCurrency { .. } | MoneyError::NoMinorUnit { .. } => "unknown_currency",
            MoneyError::Withdrawn { replaced_by, .. } => {
                let mut answer = json!({"error": "withdrawn_currency"});
                if let Some(successor) = replaced_by {
                    answer["replaced_by"] = json!(successor);
                }
                return Self::Error(answer, error.to_string());
            }
            MoneyError::BadNumber { .. } => "bad_number",
            MoneyError::TooManyDecimals { .. } => "too_many_decimals",
            MoneyError::CurrencyMismatch { .. } => "currency_mismatch",
            MoneyError::OutOfRange => "out_of_range",
            MoneyError::DivisionByZero => "division_by_zero",
            MoneyError::ZeroWeights => "zero_weights",
            MoneyError::NegativeWeight => "negative_weight",
        };
        refuse(code, error)
    }
}

/// A JSON number or decimal text, exactly as written.
pub(super) fn decimal_of(value: &Value) -> Option<Decimal> {
    match value {
        Value::String(text) => decimal_from_text(text).ok(),
        Value::Number(number) => {
            let text = number.to_string();
            decimal_from_text(&text).or_else(|_| Decimal::from_scientific(&text)).ok()
        }
        _ => None,
    }
}

#[derive(Clone, Copy)]
pub(super) struct Input<'a>(pub &'a Map<String, Value>);

impl<'a> Input<'a> {
    pub fn get(self, key: &str) -> Option<&'a Value> {
        self.0.get(key).filter(|v| !v.is_null())
    }

    fn need<T>(self, key: &str, found: Option<T>, what: &str) -> Result<T, Refusal> {
        found.ok_or_else(|| {
            Refusal::Malformed(match self.get(key) {
                None => format!("input.{key} is missing"),
                Some(value) => format!("input.{key}: {value} is not {what}"),
            })
        })
    }

    /// `None` when absent; an error when present and wrong.
    fn maybe<T>(self, key: &str, read: impl Fn(&'a Value) -> Option<T>, what: &str) -> Result<Option<T>, Refusal> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => self.need(key, read(value), what).map(Some),
        }
    }

    pub fn text(self, key: &str) -> Result<&'a str, Refusal> {
        self.need(key, self.get(key).and_then(Value::as_str), "text")
    }

    pub fn text_or(self, key: &str, default: &'static str) -> Result<&'a str, Refusal> {
        Ok(self.maybe(key, Value::as_str, "text")?.unwrap_or(default))
    }

    pub fn optional_text(self, key: &str) -> Result<Option<&'a str>, Refusal> {
        self.maybe(key, Value::as_str, "text")
    }

    pub fn int(self, key: &str) -> Result<i64, Refusal> {
        self.need(key, self.get(key).and_then(whole), "a whole number")
    }

    pub fn int_or(self, key: &str, default: i64) -> Result<i64, Refusal> {
        Ok(self.maybe(key, whole, "a whole number")?.unwrap_or(default))
    }

    pub fn decimal(self, key: &str) -> Result<Decimal, Refusal> {
        self.need(key, self.get(key).and_then(decimal_of), "a plain decimal")
    }

    pub fn optional_decimal(self, key: &str) -> Result<Option<Decimal>, Refusal> {
        self.maybe(key, decimal_of, "a plain decimal")
    }

    pub fn exact(self, key: &str) -> Result<Exact, Refusal> {
        self.decimal(key).map(Exact::from_decimal)
    }

    pub fn date(self, key: &str) -> Result<Date, Refusal> {
        self.need(key, self.get(key).and_then(date_of), "a date YYYY-MM-DD")
    }

    pub fn flag(self, key: &str) -> Result<bool, Refusal> {
        Ok(self.maybe(key, Value::as_bool, "true or false")?.unwrap_or(false))
    }

    pub fn list(self, key: &str) -> Result<&'a [Value], Refusal> {
        let found = self.get(key).and_then(Value::as_array);
        self.need(key, found.map(Vec::as_slice), "a list")
    }

    pub fn objects(self, key: &str) -> Result<Vec<Input<'a>>, Refusal> {
        self.list(key)?.iter().map(|v| self.need(key, v.as_object().map(Input), "a list of objects")).collect()
    }

    pub fn object(self, key: &str) -> Result<Input<'a>, Refusal> {
        self.need(key, self.get(key).and_then(Value::as_object).map(Input), "an object")
    }

    pub fn currency(self, key: &str) -> Result<Currency, Refusal> {
        Ok(Currency::from_code(self.text(key)?)?)
    }

    /// `{key}` minor units of `currency`.
    pub fn money(self, key: &str, currency: Currency) -> Result<Money, Refusal> {
        Ok(Money::new(self.int(key)?, currency))
    }

    pub fn money_or_zero(self, key: &str, currency: Currency) -> Result<Money, Refusal> {
        Ok(Money::new(self.int_or(key, 0)?, currency))
    }

    pub fn mode(self, key: &str) -> Result<RoundingMode, Refusal> {
        Ok(self.optional_mode(key)?.unwrap_or_default())
    }

    pub fn optional_mode(self, key: &str) -> Result<Option<RoundingMode>, Refusal> {
        let read = |v: &'a Value| v.as_str().and_then(RoundingMode::from_name);
        self.maybe(key, read, "a rounding mode")
    }

    /// A value of a closed set, by its written name.
    pub fn named<T: serde::de::DeserializeOwned>(self, key: &str) -> Result<Option<T>, Refusal> {
        self.maybe(key, |v| serde_json::from_value(v.clone()).ok(), "one of the allowed words")
    }
}

fn whole(value: &Value) -> Option<i64> {
    let decimal = decimal_of(value)?.normalize();
    if decimal.scale() != 0 {
        return None;
    }
    i64::try_from(decimal.mantissa()).ok()
}

fn date_of(value: &Value) -> Option<Date> {
    let text = value.as_str()?;
    // Only the plain form: jiff alone would also read other ISO 8601 spellings.
    if text.len() != 10 {
        return None;
    }
    text.parse().ok()
}
