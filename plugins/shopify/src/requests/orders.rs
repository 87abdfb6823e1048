//! Orders.

use serde_json::json;

use super::Query;
use crate::graphql;
use crate::instant;

/// Orders changed at or after `since`, oldest change first. The place in the list is the shop's own cursor, which names
/// the last row and not a number of rows: an order that changes meanwhile moves to the end and shifts nobody.
pub fn orders_page(since: i64, after: Option<&str>, first: u32, lines: u32) -> Query {
    let query = changed_since(since);
    Query::read(graphql::ORDERS_PAGE, 100, json!({ "first": first, "after": after, "query": query, "lines": lines }))
}

/// How many that are.
pub fn orders_count(since: i64) -> Query {
    Query::read(graphql::ORDERS_COUNT, 1, json!({ "query": changed_since(since) }))
}

fn changed_since(since: i64) -> String {
    format!("updated_at:>='{}'", instant::format(since))
}

pub fn orders_by_ids(ids: &[&str], lines: u32) -> Query {
    Query::read(graphql::ORDERS_BY_IDS, 100, json!({ "ids": ids, "lines": lines }))
}

pub fn order_lines(id: &str, after: &str, lines: u32) -> Query {
    Query::read(graphql::ORDER_LINES, 50, json!({ "id": id, "after": after, "lines": lines }))
}

pub fn order_fulfillments(id: &str, first: u32, lines: u32) -> Query {
    Query::read(graphql::ORDER_FULFILLMENTS, 50, json!({ "id": id, "first": first, "lines": lines }))
}

pub fn fulfillment_lines(id: &str, after: &str, lines: u32) -> Query {
    Query::read(graphql::FULFILLMENT_LINES, 30, json!({ "id": id, "after": after, "lines": lines }))
}

pub fn order_refunds(id: &str, first: u32, lines: u32) -> Query {
    Query::read(graphql::ORDER_REFUNDS, 50, json!({ "id": id, "first": first, "lines": lines }))
}

pub fn refund_lines(id: &str, after: &str, lines: u32) -> Query {
    Query::read(graphql::REFUND_LINES, 30, json!({ "id": id, "after": after, "lines": lines }))
}
