//! Reading documents that others write: every refusal names the field and the value found there.
//!
//! Channels and their extensions are loose with types: numbers come as strings, flags as `"yes"`, empty objects as `[]`,
//! nothing as `""`, `null`, `0` or a missing key. What has one meaning is accepted; what has none is refused.

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use crate::{decimal, instant};
use entrepot_sdk::types::{Extra, Failure};

/// Why a document cannot become a canonical record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    path: String,
    why: String,
}

impl Refusal {
    pub fn new(path: &str, why: impl Into<String>) -> Self {
        Self { path: path.to_owned(), why: why.into() }
    }

    /// The same refusal seen from the document that contains this one.
    pub fn within(self, outer: &str) -> Self {
        let path = if self.path.is_empty() { outer.to_owned() } else { format!("{outer}.{}", self.path) };
        Self { path, why: self.why }
    }

    pub fn into_failure(self, document: &str) -> Failure {
        let place = if self.path.is_empty() { document.to_owned() } else { format!("{document}: {}", self.path) };
        Failure::invalid(format!("{place}: {}", self.why)).with_code("unreadable-document")
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path, self.why)
    }
}

/// One JSON object.
#[derive(Clone, Copy)]
pub struct Doc<'a> {
    members: &'a Map<String, Value>,
}

impl<'a> Doc<'a> {
    pub fn new(value: &'a Value) -> Result<Self, Refusal> {
        match value {
            Value::Object(members) => Ok(Self { members }),
            other => Err(Refusal::new("", format!("expected an object, found {}", shown(other)))),
        }
    }

    /// The member, unless it is missing or `null`.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.members.get(key).filter(|value| !value.is_null())
    }

    /// Text with blanks trimmed; empty counts as absent. Numbers are given as written.
    pub fn text(&self, key: &str) -> Result<Option<String>, Refusal> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(other) => Err(wrong(key, "text", other)),
        }
    }

    /// As [`Doc::text`], for fields whose odd content must not cost the whole document.
    pub fn loose_text(&self, key: &str) -> Option<String> {
        self.text(key).ok().flatten()
    }

    /// An id: digits, where `0`, `"0"` and `""` mean that there is none.
    pub fn id(&self, key: &str) -> Result<Option<String>, Refusal> {
        match self.text(key)? {
            Some(text) if text.bytes().all(|b| b.is_ascii_digit()) => Ok(Some(text).filter(|text| text.bytes().any(|b| b != b'0'))),
            Some(text) => Err(Refusal::new(key, format!("expected an id (digits), found \"{text}\""))),
            None => Ok(None),
        }
    }

    pub fn required_id(&self, key: &str) -> Result<String, Refusal> {
        self.id(key)?.ok_or_else(|| Refusal::new(key, "expected an id, found none"))
    }

    pub fn decimal(&self, key: &str) -> Result<Option<Decimal>, Refusal> {
        match self.text(key)? {
            None => Ok(None),
            Some(text) => decimal::parse(&text).map(Some).ok_or_else(|| Refusal::new(key, format!("expected an amount, found \"{text}\""))),
        }
    }

    pub fn required_decimal(&self, key: &str) -> Result<Decimal, Refusal> {
        self.decimal(key)?.ok_or_else(|| Refusal::new(key, "expected an amount, found none"))
    }

    /// A flag in any of the forms in use; absent and `""` are `None`.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, Refusal> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(value) => match self.text(key)?.as_deref() {
                None => Ok(None),
                Some("1" | "yes" | "true" | "on") => Ok(Some(true)),
                Some("0" | "no" | "false" | "off") => Ok(Some(false)),
                Some(_) => Err(wrong(key, "true or false", value)),
            },
        }
    }

    /// The items of an array; missing and `null` are an empty one.
    pub fn list(&self, key: &str) -> Result<&'a [Value], Refusal> {
        match self.get(key) {
            None => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            Some(Value::Object(members)) if members.is_empty() => Ok(&[]),
            Some(Value::String(text)) if text.is_empty() => Ok(&[]),
            Some(other) => Err(wrong(key, "a list", other)),
        }
    }

    /// Each object of an array through `read`, refusals carrying their place.
    pub fn each<T>(&self, key: &str, read: impl Fn(Doc<'a>) -> Result<T, Refusal>) -> Result<Vec<T>, Refusal> {
        let place = |at: usize| format!("{key}[{at}]");
        (self.list(key)?.iter().enumerate())
            .map(|(at, item)| Doc::new(item).and_then(&read).map_err(|refusal| refusal.within(&place(at))))
            .collect()
    }

    /// An object; missing, `null` and the empty array PHP writes for it are `None`.
    pub fn object(&self, key: &str) -> Result<Option<Doc<'a>>, Refusal> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(Doc { members })),
            Some(Value::Array(items)) if items.is_empty() => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(other) => Err(wrong(key, "an object", other)),
        }
    }

    /// An instant the shop gives in UTC without a zone.
    pub fn instant(&self, key: &str) -> Result<Option<String>, Refusal> {
        match self.text(key)? {
            None => Ok(None),
            Some(text) if text.starts_with("0000-00-00") => Ok(None),
            Some(text) => instant::canonical(&text)
                .map(Some)
                .ok_or_else(|| Refusal::new(key, format!("expected a date and time in UTC, found \"{text}\""))),
        }
    }

    /// Everything that `skip` does not name and that says something, word for word: what has no field in the contract.
    pub fn rest(&self, skip: &[&str]) -> Vec<Extra> {
        (self.members.iter())
            .filter(|(key, value)| !skip.contains(&key.as_str()) && !says_nothing(value))
            .map(|(key, value)| Extra { key: key.clone(), json: value.to_string() })
            .collect()
    }
}

/// `null`, `""`, `[]`, `{}`.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn wrong(key: &str, wanted: &str, found: &Value) -> Refusal {
    Refusal::new(key, format!("expected {wanted}, found {}", shown(found)))
}

/// The value as people should see it in a message, cut to a line.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{}...", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

/// An extra whose value is a text.
pub fn text_extra(key: &str, text: &str) -> Extra {
    Extra { key: key.to_owned(), json: Value::from(text).to_string() }
}
