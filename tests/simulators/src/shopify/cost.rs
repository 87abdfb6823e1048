//! What a query costs and the bucket it is paid from. An object costs one point, a mutation ten, a list two and what its rows
//! cost; what was asked but not found is paid back.
//!
//! Rows do not count one by one: a list of 250 weighs as much as eleven rows. The channel does not publish the rule; the
//! logarithm used here gives the 25 points it was seen (in 2025) to ask for `product { variants(first: 250) { nodes {
//! inventoryItem { id } } } }`.

use apollo_compiler::ExecutableDocument;
use apollo_compiler::ast::Value as Literal;
use apollo_compiler::executable::{Field, Selection, SelectionSet};
use serde_json::{Value, json};

use crate::shopify::facts::float;

/// Most points one query may ask for.
pub(crate) const SINGLE_QUERY_LIMIT: i64 = 1000;

const MUTATION: i64 = 10;

/// Points of a selection. With `data`, lists count the rows they returned instead of the rows asked for.
pub(crate) fn points(document: &ExecutableDocument, selection: &SelectionSet, variables: &Value, data: Option<&Value>) -> i64 {
    let mut sum = 0;
    for choice in &selection.selections {
        sum += match choice {
            Selection::Field(field) => {
                let below = data.map(|data| data.get(field.response_key().as_str()).unwrap_or(&Value::Null));
                field_points(document, field, variables, below, selection.ty.as_str())
            }
            Selection::FragmentSpread(spread) => document
                .fragments
                .get(&spread.fragment_name)
                .map_or(0, |fragment| points(document, &fragment.selection_set, variables, data)),
            Selection::InlineFragment(inline) => points(document, &inline.selection_set, variables, data),
        };
    }
    sum
}

fn field_points(document: &ExecutableDocument, field: &Field, variables: &Value, data: Option<&Value>, parent: &str) -> i64 {
    let named = field.ty().inner_named_type().as_str();
    if field.selection_set.selections.is_empty() {
        return if parent == "Mutation" { MUTATION } else { 0 };
    }
    match data {
        Some(Value::Null) => return 1,
        Some(Value::Array(rows)) => {
            let row = |row: &Value| points(document, &field.selection_set, variables, Some(row));
            let wrapper = i64::from(!named.ends_with("Edge"));
            let sum: i64 = rows.iter().map(|value| wrapper + row(value)).sum();
            let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
            return if parent.ends_with("Connection") && count > 0 { (sum * weight(count) + count - 1) / count } else { sum };
        }
        _ => {}
    }
    let below = points(document, &field.selection_set, variables, data);
    if parent == "Mutation" {
        return MUTATION + below;
    }
    if named.ends_with("Connection") {
        let size = asked(field, variables);
        return if data.is_some() { 2 + below } else { 2 + weight(size) * below.max(1) };
    }
    match named {
        "PageInfo" => 0,
        edge if edge.ends_with("Edge") => below,
        _ => 1 + below,
    }
}

/// As how many rows a list of `size` counts: twice the natural logarithm, but at least one.
fn weight(size: i64) -> i64 {
    const LEAST: [i64; 10] = [3, 5, 8, 13, 21, 34, 55, 91, 149, 245];
    LEAST.iter().zip(2..).filter(|(least, _)| size >= **least).map(|(_, weight)| weight).last().unwrap_or(1)
}

/// The page size a list was asked for.
fn asked(field: &Field, variables: &Value) -> i64 {
    ["first", "last"]
        .into_iter()
        .find_map(|name| match field.specified_argument_by_name(name)?.as_ref() {
            Literal::Variable(variable) => variables.get(variable.as_str())?.as_i64(),
            literal => literal.to_i32().map(i64::from),
        })
        .unwrap_or(1)
}

/// The points a shop lends an app, in thousandths.
pub(crate) struct Bucket {
    maximum: i64,
    restore_rate: i64,
    left: i64,
    at: i64,
}

impl Bucket {
    pub(crate) fn new(maximum: i64, restore_rate: i64, now: i64) -> Self {
        Self { maximum, restore_rate, left: maximum * 1000, at: now }
    }

    fn restore(&mut self, now: i64) {
        // Points per second are thousandths of a point per millisecond.
        let gained = (now - self.at).max(0).saturating_mul(self.restore_rate);
        self.left = self.left.saturating_add(gained).min(self.maximum * 1000);
        self.at = self.at.max(now);
    }

    /// Takes the points; false when they are not there.
    pub(crate) fn take(&mut self, points: i64, now: i64) -> bool {
        self.restore(now);
        let enough = self.left >= points * 1000;
        if enough {
            self.left -= points * 1000;
        }
        enough
    }

    pub(crate) fn give_back(&mut self, points: i64) {
        self.left = (self.left + points * 1000).min(self.maximum * 1000);
    }

    pub(crate) fn set(&mut self, points: i64, now: i64) {
        self.restore(now);
        self.left = points.min(self.maximum) * 1000;
    }

    /// `extensions.cost`
    pub(crate) fn status(&mut self, requested: i64, actual: Option<i64>, now: i64) -> Value {
        self.restore(now);
        json!({
            "requestedQueryCost": requested, "actualQueryCost": actual,
            "throttleStatus": {
                "maximumAvailable": float(self.maximum.into()), "currentlyAvailable": self.left.div_euclid(1000),
                "restoreRate": float(self.restore_rate.into()),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_restores_with_the_clock_and_never_beyond_its_size() {
        let mut bucket = Bucket::new(1000, 50, 0);
        assert!(bucket.take(1000, 0));
        assert!(!bucket.take(1, 0));
        assert!(bucket.take(50, 1000));
        assert!(!bucket.take(1, 1000));
        bucket.restore(10_000_000);
        assert_eq!(bucket.left, 1_000_000);
    }
}
