//! Cursor paging. A cursor holds the sort value and id of its row, so a page goes on at the right place even when rows were
//! added or changed in between.

use apollo_compiler::resolvers::FieldError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::shopify::graph::{Slot, error};

/// Most rows of one page.
const MOST: u64 = 250;
/// Stands among the arguments where a list is to be answered whole; no query can write it.
pub(crate) const WHOLE: &str = "*";

#[derive(Clone, Debug)]
pub(crate) struct Row {
    sort: String,
    id: i64,
    pub(crate) slot: Slot,
}

impl Row {
    /// Sorted by its id.
    pub(crate) fn of(id: i64, slot: Slot) -> Self {
        Self { sort: String::new(), id, slot }
    }

    pub(crate) fn sorted(sort: String, id: i64, slot: Slot) -> Self {
        Self { sort, id, slot }
    }

    fn key(&self) -> (&str, i64) {
        (&self.sort, self.id)
    }

    pub(crate) fn cursor(&self) -> String {
        STANDARD.encode(json!({ "last_id": self.id, "last_value": self.sort }).to_string())
    }
}

fn read_cursor(text: &str) -> Result<(String, i64), FieldError> {
    let invalid = || error("Invalid cursor for current pagination sort.");
    let bytes = STANDARD.decode(text).map_err(|_| invalid())?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| invalid())?;
    let sort = value["last_value"].as_str().ok_or_else(invalid)?;
    Ok((sort.to_owned(), value["last_id"].as_i64().ok_or_else(invalid)?))
}

#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) rows: Vec<Row>,
    has_next: bool,
    has_previous: bool,
}

impl Connection {
    pub(crate) fn info(&self) -> Value {
        json!({
            "startCursor": self.rows.first().map(Row::cursor), "endCursor": self.rows.last().map(Row::cursor),
            "hasNextPage": self.has_next, "hasPreviousPage": self.has_previous,
        })
    }
}

fn count(args: &Value, name: &str) -> Result<Option<usize>, FieldError> {
    match args.get(name).and_then(Value::as_i64) {
        None => Ok(None),
        Some(count) if (0..=MOST as i64).contains(&count) => Ok(Some(usize::try_from(count).unwrap_or_default())),
        Some(_) => Err(error(format!("{name} must be between 0 and {MOST}."))),
    }
}

/// Cuts one page out of all matching rows. `stuck` answers as if no cursor had been given.
pub(crate) fn page(mut rows: Vec<Row>, args: &Value, stuck: bool) -> Result<Connection, FieldError> {
    rows.sort_by(|left, right| left.key().cmp(&right.key()));
    let reverse = args.get("reverse").and_then(Value::as_bool).unwrap_or_default();
    if reverse {
        rows.reverse();
    }
    if args.get(WHOLE).is_some() {
        return Ok(Connection { rows, has_next: false, has_previous: false });
    }
    let cursor = |name: &str| {
        let text = args.get(name).and_then(Value::as_str).filter(|_| !stuck);
        text.map(read_cursor).transpose()
    };
    let later = |row: &Row, (sort, id): &(String, i64)| {
        let order = row.key().cmp(&(sort.as_str(), *id));
        if reverse { order.is_lt() } else { order.is_gt() }
    };
    let (after, before) = (cursor("after")?, cursor("before")?);
    let all = rows.len();
    let mut start = after.as_ref().map_or(0, |cursor| rows.iter().filter(|row| !later(row, cursor)).count());
    let mut end = before.as_ref().map_or(all, |(sort, id)| {
        rows.iter().position(|row| row.key() == (sort.as_str(), *id) || later(row, &(sort.clone(), *id))).unwrap_or(all)
    });
    end = end.max(start);
    match (count(args, "first")?, count(args, "last")?) {
        (Some(first), _) => end = end.min(start + first),
        (None, Some(last)) => start = start.max(end.saturating_sub(last)),
        (None, None) => return Err(error("you must provide one of first or last")),
    }
    Ok(Connection { has_next: end < all, has_previous: start > 0, rows: rows.drain(start..end).collect() })
}
