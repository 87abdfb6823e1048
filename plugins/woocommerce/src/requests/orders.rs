//! Orders.

use serde_json::{Value, json};

use super::{Call, number};
use crate::instant;

/// Orders changed after `since`, in the order of their ids.
///
/// Pages over a list ordered by change would lose rows: an order that changes meanwhile leaves its place and the next
/// page begins one row too late; rows of one second have no fixed order at all. By id each order keeps its place, and one
/// that changes meanwhile is met again by the next poll.
pub fn orders_page(since: i64, status: &'static str, offset: u32, per_page: u32) -> Call {
    // The bound is given without a zone; `dates_are_gmt` says that it is UTC and compares the UTC column.
    Call::get("/wc/v3/orders")
        .query("modified_after", instant::format(since).trim_end_matches('Z'))
        .query("dates_are_gmt", "true")
        .query("status", status)
        .query("orderby", "id")
        .query("order", "asc")
        .query("offset", offset.to_string())
        .query("per_page", per_page.to_string())
}

pub fn orders_by_ids(ids: &[&str]) -> Call {
    Call::get("/wc/v3/orders").query("include", ids.join(",")).query("status", "any").query("per_page", ids.len().max(1).to_string())
}

/// One order in whatever state, the trash included.
pub fn retrieve_order(id: &str) -> Call {
    Call::get(format!("/wc/v3/orders/{id}"))
}

/// At most 100 changes of orders, as [`super::mark_shipped`] makes them.
pub fn batch_orders(updates: Vec<Value>) -> Call {
    Call::send("POST", "/wc/v3/orders/batch", json!({ "update": updates }))
}

/// The shop puts the goods back on its shelf by itself, if it had taken them off.
pub fn cancel_order(id: &str) -> Value {
    json!({ "id": number(id), "status": "cancelled" })
}
