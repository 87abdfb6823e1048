//! Values bound to statements and read from rows: the small set that both databases share.

use super::Error;

/// A typed value. `None` is NULL; its type is known because PostgreSQL asks for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

macro_rules! from_int {
    ($($t:ty),*) => {$(
        impl From<$t> for Value {
            fn from(v: $t) -> Self { Value::Int(Some(i64::from(v))) }
        }
        impl From<Option<$t>> for Value {
            fn from(v: Option<$t>) -> Self { Value::Int(v.map(i64::from)) }
        }
    )*};
}
from_int!(i64, i32, u32, u16, u8, bool);

impl From<&str> for Value {
    fn from(v: &str) -> Self {
        Value::Text(Some(v.to_owned()))
    }
}
impl From<String> for Value {
    fn from(v: String) -> Self {
        Value::Text(Some(v))
    }
}
impl From<&String> for Value {
    fn from(v: &String) -> Self {
        Value::Text(Some(v.clone()))
    }
}
impl From<Option<&str>> for Value {
    fn from(v: Option<&str>) -> Self {
        Value::Text(v.map(str::to_owned))
    }
}
impl From<Option<String>> for Value {
    fn from(v: Option<String>) -> Self {
        Value::Text(v)
    }
}
impl From<&Option<String>> for Value {
    fn from(v: &Option<String>) -> Self {
        Value::Text(v.clone())
    }
}
impl From<Vec<u8>> for Value {
    fn from(v: Vec<u8>) -> Self {
        Value::Bytes(Some(v))
    }
}
impl From<&[u8]> for Value {
    fn from(v: &[u8]) -> Self {
        Value::Bytes(Some(v.to_vec()))
    }
}
impl From<Option<Vec<u8>>> for Value {
    fn from(v: Option<Vec<u8>>) -> Self {
        Value::Bytes(v)
    }
}

/// One row, columns by position.
#[derive(Debug, Clone)]
pub struct Row(pub(super) Vec<Value>);

impl Row {
    pub fn get<T: FromCell>(&self, column: usize) -> Result<T, Error> {
        let cell = self.0.get(column);
        cell.and_then(T::from_cell).ok_or_else(|| Error::Shape { column, found: cell.map_or("no such column", kind).to_owned() })
    }
}

/// The kind of a cell, never its content: it may be private.
fn kind(cell: &Value) -> &'static str {
    match cell {
        Value::Int(Some(_)) => "an integer",
        Value::Text(Some(_)) => "a text",
        Value::Bytes(Some(_)) => "bytes",
        _ => "NULL",
    }
}

pub trait FromCell: Sized {
    fn from_cell(cell: &Value) -> Option<Self>;
}

impl FromCell for i64 {
    fn from_cell(cell: &Value) -> Option<Self> {
        match cell {
            Value::Int(v) => *v,
            _ => None,
        }
    }
}

macro_rules! small_int {
    ($($t:ty),*) => {$(
        impl FromCell for $t {
            fn from_cell(cell: &Value) -> Option<Self> {
                i64::from_cell(cell).and_then(|v| Self::try_from(v).ok())
            }
        }
    )*};
}
small_int!(i32, u32, u16, u8, usize);

impl FromCell for bool {
    fn from_cell(cell: &Value) -> Option<Self> {
        i64::from_cell(cell).map(|v| v != 0)
    }
}

impl FromCell for String {
    fn from_cell(cell: &Value) -> Option<Self> {
        match cell {
            Value::Text(v) => v.clone(),
            _ => None,
        }
    }
}

impl FromCell for Vec<u8> {
    fn from_cell(cell: &Value) -> Option<Self> {
        match cell {
            Value::Bytes(v) => v.clone(),
            _ => None,
        }
    }
}

impl<T: FromCell> FromCell for Option<T> {
    fn from_cell(cell: &Value) -> Option<Self> {
        match cell {
            Value::Int(None) | Value::Text(None) | Value::Bytes(None) => Some(None),
            present => T::from_cell(present).map(Some),
        }
    }
}
