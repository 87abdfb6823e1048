//! Orders by polling: one sweep reads everything changed since a bound, oldest change first, by the shop's own cursor.

use serde_json::{Value, json};

use super::{Shop, concerns_connection, list, next_page, order_parts, text};
use crate::contract::{Failure, Found, Order, OrderPage, Refused};
use crate::gid;
use crate::instant;
use crate::requests;

/// The shop's search index runs behind its data; a change it shows late is seen by the next sweep, if not later than this.
const OVERLAP_SECONDS: i64 = 300;

/// (orders, lines of each), from the usual to the smallest. Each order may need some queries of its own.
const SIZES: [(u32, u32); 7] = [(20, 20), (10, 20), (5, 20), (3, 20), (2, 10), (1, 10), (1, 5)];

#[derive(Debug, Clone, PartialEq)]
struct Cursor {
    /// Lower bound of this sweep, seconds since 1970.
    since: i64,
    /// The shop's cursor inside the sweep.
    after: Option<String>,
    /// When the sweep began; bound of the next one. `None` between sweeps.
    mark: Option<i64>,
    /// Place in [`SIZES`] that the shop took last time.
    size: usize,
}

impl Cursor {
    fn parse(text: &str) -> Result<Self, Failure> {
        let wrong = || Failure::invalid(format!("\"{text}\" is not a cursor of this connector; start without one.")).with_code("cursor");
        let value: Value = serde_json::from_str(text).map_err(|_| wrong())?;
        let word = |key: &str| value.get(key).and_then(Value::as_str);
        if value.get("v").and_then(Value::as_u64) != Some(1) {
            return Err(wrong());
        }
        Ok(Self {
            since: word("since").and_then(instant::parse).ok_or_else(wrong)?,
            after: word("after").map(str::to_owned),
            mark: word("mark").and_then(instant::parse),
            size: value.get("size").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(0),
        })
    }

    fn text(&self) -> String {
        json!({ "v": 1, "since": instant::format(self.since), "after": self.after, "mark": self.mark.map(instant::format), "size": self.size }).to_string()
    }
}

pub fn pull_orders(shop: &Shop<'_>, cursor: Option<&str>, limit: u32) -> Result<OrderPage, Failure> {
    let now = shop.hub.now();
    let cursor = match cursor {
        Some(text) => Cursor::parse(text)?,
        None => Cursor { since: shop.settings.since.unwrap_or(now), after: None, mark: None, size: 0 },
    };
    let (answer, size) = shop.ask_sized(&SIZES, cursor.size, |(first, lines)| {
        requests::orders_page(cursor.since, cursor.after.as_deref(), first.min(limit.max(1)), lines)
    })?;
    // The earlier of both clocks: the shop compares by its own.
    let mark = cursor.mark.unwrap_or_else(|| answer.shop_time.map_or(now, |shop| shop.min(now)));
    let (mut orders, mut refused) = (Vec::new(), Vec::new());
    for document in list(&answer.data, &["orders", "nodes"]) {
        let external_id = text(document, &["id"]).unwrap_or_default().to_owned();
        if shop.is_nearly_spent() {
            // The page is behind us afterwards; the host asks for what was refused by its id.
            let failure = Failure::throttled("More queries than fit into one run; ask for this order again.", None);
            refused.push(Refused { external_id, failure });
            continue;
        }
        match translated(shop, document)? {
            Ok(order) => orders.push(order),
            Err(failure) => refused.push(Refused { external_id, failure }),
        }
    }
    let next = match answer.data.get("orders").and_then(next_page) {
        Some(after) => Cursor { since: cursor.since, after: Some(after), mark: Some(mark), size },
        None => Cursor { since: (mark - OVERLAP_SECONDS).max(cursor.since), after: None, mark: None, size },
    };
    let more = next.after.is_some();
    let total = (more && cursor.mark.is_none()).then(|| count(shop, cursor.since)).flatten();
    Ok(OrderPage { orders, refused, more, cursor: next.text(), total, again_after_ms: None })
}

/// How many orders the sweep has: worth a question at the beginning of a long one, and no failure if it is not answered.
fn count(shop: &Shop<'_>, since: i64) -> Option<u64> {
    let answer = shop.ask(&requests::orders_count(since)).ok()?;
    answer.data.get("ordersCount")?.get("count")?.as_u64()
}

/// The inner failure is the order's own; the outer one the shop's or the network's, which stops the page.
fn translated(shop: &Shop<'_>, document: &Value) -> Result<Result<Order, Failure>, Failure> {
    match order_parts::whole(shop, document.clone()) {
        Ok(order) => Ok(Ok(order)),
        Err(failure) if failure.is_transient() || concerns_connection(&failure) => Err(failure),
        Err(failure) => Ok(Err(failure)),
    }
}

/// These orders as they are now.
pub fn orders_by_ids(shop: &Shop<'_>, ids: &[String]) -> Result<Vec<(String, Found)>, Failure> {
    let valid: Vec<&str> = ids.iter().map(String::as_str).filter(|id| gid::is("Order", id)).collect();
    let mut found: Vec<(String, Found)> = Vec::new();
    let (mut rest, mut size) = (valid.as_slice(), 0);
    while !rest.is_empty() {
        let take = |at: usize| rest.len().min(SIZES.get(at).map_or(1, |(first, _)| *first as usize));
        let (answer, at) = shop.ask_sized(&SIZES, size, |(first, lines)| {
            requests::orders_by_ids(rest.get(..rest.len().min(first as usize)).unwrap_or(rest), lines)
        })?;
        size = at;
        let (asked, later) = rest.split_at(take(at));
        let documents = list(&answer.data, &["nodes"]);
        for id in asked {
            let document = documents.iter().find(|document| text(document, &["id"]) == Some(id));
            found.push((
                (*id).to_owned(),
                match document {
                    None => Found::Absent,
                    Some(_) if shop.is_nearly_spent() => {
                        Found::Refused(Failure::throttled("More orders than fit into one run; ask for this one again.", None))
                    }
                    Some(document) => match translated(shop, document)? {
                        Ok(order) => Found::Order(order),
                        Err(failure) => Found::Refused(failure),
                    },
                },
            ));
        }
        rest = later;
    }
    let answer = |id: &String| found.iter().find(|(other, _)| other == id).map_or(Found::Absent, |(_, found)| found.clone());
    Ok(ids.iter().map(|id| (id.clone(), answer(id))).collect())
}
