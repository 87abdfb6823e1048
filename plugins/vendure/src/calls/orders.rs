//! Orders by polling, and by id.

use serde_json::Value;

use super::cursor::{Cursor, Stage};
use super::{Shop, facts, row, rows, text};
use crate::contract::{Failure, Found, Order, OrderPage, Refused};
use crate::moment;
use crate::requests::{self, MANY};
use crate::translate::{self, Facts};

/// An order is placed in a transaction of the shop and seen when that ends; what is later than this is not seen.
const OVERLAP_MS: i64 = 300_000;

/// The instants that the first two stages read by.
const PLACED: &str = "orderPlacedAt";
const CHANGED: &str = "updatedAt";

pub fn pull_orders(shop: &Shop<'_>, cursor: Option<&str>, limit: u32) -> Result<OrderPage, Failure> {
    let now = shop.hub.now();
    let mut cursor = match cursor {
        Some(text) => Cursor::parse(text)?,
        None => Cursor::start(shop.settings.since.unwrap_or(now).saturating_mul(1_000), Default::default()),
    };
    let mut page = Page::default();
    let take = usize::try_from(limit).unwrap_or(MANY).clamp(1, MANY);
    loop {
        let ended = match cursor.stage {
            Stage::Placed => page_of(shop, PLACED, &mut cursor, take, &mut page)?.then_some(Stage::Changed),
            Stage::Changed => page_of(shop, CHANGED, &mut cursor, take, &mut page)?.then_some(Stage::Watched),
            Stage::Watched => {
                watched(shop, &mut cursor, &mut page)?;
                let mark = cursor.mark_ms.unwrap_or(cursor.since_ms);
                let next = Cursor::start((mark - OVERLAP_MS).max(cursor.since_ms), cursor.watched);
                return Ok(page.ready(&next, false));
            }
        };
        match ended {
            Some(stage) => (cursor.stage, cursor.place) = (stage, crate::place::Place::start(cursor.since_ms)),
            None => return Ok(page.ready(&cursor, true)),
        }
    }
}

/// What a pull has so far.
#[derive(Default)]
struct Page {
    orders: Vec<Order>,
    refused: Vec<Refused>,
}

impl Page {
    /// The newest picture of an order counts; the stages overlap.
    fn add(&mut self, document: &Value, facts: &Facts) {
        let id = text(document, "id");
        self.orders.retain(|order| order.external_id != id);
        self.refused.retain(|refused| refused.external_id != id);
        match translated(document, facts) {
            Ok(order) => self.orders.push(order),
            Err(failure) => self.refused.push(Refused { external_id: id.to_owned(), failure }),
        }
    }

    /// How many there are in all is not told: the stages overlap, so the shop's own count is of something else.
    fn ready(self, cursor: &Cursor, more: bool) -> OrderPage {
        OrderPage { orders: self.orders, refused: self.refused, cursor: cursor.text(), more, total: None, again_after_ms: None }
    }
}

fn translated(document: &Value, facts: &Facts) -> Result<Order, Failure> {
    translate::order(document, facts).map_err(|refusal| refusal.into_failure(&format!("order {}", text(document, "code"))))
}

/// Reads on in the stage's list; whether it has ended.
fn page_of(shop: &Shop<'_>, column: &str, cursor: &mut Cursor, take: usize, page: &mut Page) -> Result<bool, Failure> {
    let answer = shop.ask(&requests::orders_page(column, &cursor.place, take))?;
    // The earlier of both clocks: the shop compares by its own.
    let now = shop.hub.now();
    cursor.mark_ms.get_or_insert(answer.shop_time.map_or(now, |shop| shop.min(now)).saturating_mul(1_000));
    let documents = rows(&answer.data, "orders");
    let facts = facts(&answer.data)?;
    for document in documents {
        page.add(document, &facts);
        cursor.watched.note(text(document, "id"), text(document, "state"));
    }
    let last = documents.last().and_then(|document| moment::parse(text(document, column)));
    match cursor.place.next(documents.len(), take, last) {
        Some(place) => {
            cursor.place = place;
            Ok(false)
        }
        None => Ok(true),
    }
}

/// Looks at the parts of every watched order and reads those of which one changed since the sweep's bound.
fn watched(shop: &Shop<'_>, cursor: &mut Cursor, page: &mut Page) -> Result<(), Failure> {
    let stamps = shop.rows("orders", &cursor.watched.ids(), requests::order_stamps)?;
    let unread = |id: &str| !page.orders.iter().any(|order| order.external_id == id);
    let moved = |stamp: &&Value| {
        let (id, state) = (text(stamp, "id"), text(stamp, "state"));
        unread(id) && (latest(stamp) >= Some(cursor.since_ms) || cursor.watched.knows_otherwise(id, state))
    };
    let ids: Vec<&str> = stamps.iter().filter(moved).map(|stamp| text(stamp, "id")).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let (documents, facts) = shop.rows_and_facts("orders", &ids, requests::orders_by_ids)?;
    for document in &documents {
        page.add(document, &facts);
        cursor.watched.note(text(document, "id"), text(document, "state"));
    }
    Ok(())
}

/// The last change of any part, milliseconds since 1970.
fn latest(stamp: &Value) -> Option<i64> {
    let own = moment::parse(text(stamp, CHANGED));
    let members = stamp.as_object().into_iter().flatten().filter_map(|(_, member)| member.as_array());
    members.flatten().map(latest).chain([own]).flatten().max()
}

/// These orders as they are now.
pub fn orders_by_ids(shop: &Shop<'_>, ids: &[String]) -> Result<Vec<(String, Found)>, Failure> {
    let asked: Vec<&str> = ids.iter().map(String::as_str).collect();
    let (documents, facts) = shop.rows_and_facts("orders", &asked, requests::orders_by_ids)?;
    let found = |id: &String| match row(&documents, id) {
        None => Found::Absent,
        Some(document) => translated(document, &facts).map_or_else(Found::Refused, Found::Order),
    };
    Ok(ids.iter().map(|id| (id.clone(), found(id))).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::latest;

    #[test]
    fn the_youngest_stamp_is_found_however_deep_it_lies() {
        let at = |text: &str| crate::moment::parse(text);
        let stamp = json!({
            "updatedAt": "2026-11-29T01:00:00.000Z",
            "payments": [{ "updatedAt": "2026-11-29T01:01:00.000Z", "refunds": [{ "updatedAt": "2026-11-29T01:03:00.000Z" }] }],
            "fulfillments": [{ "updatedAt": "2026-11-29T01:02:00.000Z" }],
        });
        assert_eq!(latest(&stamp), at("2026-11-29T01:03:00.000Z"));
        assert_eq!(latest(&json!({ "payments": null })), None);
    }
}
