//! Orders by polling.
//!
//! One sweep reads everything changed after a bound, by id, page after page; its own bound for the next sweep is taken
//! before the first read. A second, short pass reads the trash, which the shop leaves out of "any" state.

use serde_json::{Value, json};

use super::{REQUESTS_PER_CALL, Shop};
use crate::answer::Answer;
use crate::contract::{Failure, Fault, Found, Order, OrderPage, Refused, failure};
use crate::instant;
use crate::requests;
use crate::translate;

/// A change that the shop's database shows late is seen by the next sweep, if it is not later than this.
const OVERLAP_SECONDS: i64 = 300;

/// Rows read again at each page: deletions during a sweep move later rows forward by as many places.
const OVERLAP_ROWS: u32 = 5;

/// Orders in one page: each may need a further request for its refunds.
const PAGE: u32 = 90;

/// Where a sweep is.
#[derive(Debug, Clone, PartialEq)]
struct Cursor {
    /// Lower bound of this sweep, seconds since 1970, exclusive.
    since: i64,
    /// Rows of the pass that are behind us.
    offset: u32,
    /// When the sweep began; bound of the next one. `None` between sweeps.
    mark: Option<i64>,
    pass: Pass,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Pass {
    Live,
    Trash,
}

impl Cursor {
    fn parse(text: &str) -> Result<Self, Failure> {
        let wrong = || failure(Fault::Invalid, Some("cursor"), format!("\"{text}\" is not a cursor of this connector; start without one."));
        let value: Value = serde_json::from_str(text).map_err(|_| wrong())?;
        let time = |key: &str| value.get(key).and_then(Value::as_str).and_then(instant::parse);
        if value.get("v").and_then(Value::as_u64) != Some(1) {
            return Err(wrong());
        }
        Ok(Self {
            since: time("since").ok_or_else(wrong)?,
            offset: value.get("offset").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
            mark: time("mark"),
            pass: if value.get("pass").and_then(Value::as_str) == Some("trash") { Pass::Trash } else { Pass::Live },
        })
    }

    fn text(&self) -> String {
        let pass = match self.pass {
            Pass::Live => "live",
            Pass::Trash => "trash",
        };
        json!({ "v": 1, "since": instant::format(self.since), "offset": self.offset, "mark": self.mark.map(instant::format), "pass": pass })
            .to_string()
    }
}

pub fn pull_orders(shop: &Shop<'_>, cursor: Option<&str>, limit: u32) -> Result<OrderPage, Failure> {
    let now = shop.hub.now();
    let cursor = match cursor {
        Some(text) => Cursor::parse(text)?,
        None => Cursor { since: shop.settings.since.unwrap_or(now) - 1, offset: 0, mark: None, pass: Pass::Live },
    };
    let per_page = limit.clamp(1, PAGE);
    let status = match cursor.pass {
        Pass::Live => "any",
        Pass::Trash => "trash",
    };
    let answer = shop.ask(&requests::orders_page(cursor.since, status, cursor.offset, per_page))?;
    let documents = rows(&answer)?;
    let next = next(&cursor, documents.len(), per_page, now, &answer);
    let (mut orders, refused) = translated(shop, documents)?;
    orders.sort_by(|a, b| a.updated_at.cmp(&b.updated_at));
    // Of the pass that matters; the trash is short and comes after it.
    let total = answer.total.filter(|_| cursor.pass == Pass::Live).map(u64::from);
    Ok(OrderPage { orders, refused, more: next.mark.is_some(), cursor: next.text(), total, again_after_ms: None })
}

/// The place after this page. The bound of the next sweep is the earlier of both clocks at the sweep's start, less the overlap:
/// the shop compares by its own clock, and that one may be behind.
fn next(cursor: &Cursor, rows: usize, per_page: u32, now: i64, answer: &Answer) -> Cursor {
    let mark = cursor.mark.unwrap_or_else(|| answer.shop_time.map_or(now, |shop| shop.min(now)));
    let rows = u32::try_from(rows).unwrap_or(u32::MAX);
    let seen = cursor.offset.saturating_add(rows);
    let page_was_full = rows >= per_page;
    let last = !page_was_full || answer.total.is_some_and(|total| seen >= total);
    match (last, cursor.pass) {
        (false, pass) => {
            Cursor { since: cursor.since, offset: seen.saturating_sub(OVERLAP_ROWS.min(per_page / 2)), mark: Some(mark), pass }
        }
        (true, Pass::Live) => Cursor { since: cursor.since, offset: 0, mark: Some(mark), pass: Pass::Trash },
        (true, Pass::Trash) => Cursor { since: (mark - OVERLAP_SECONDS).max(cursor.since), offset: 0, mark: None, pass: Pass::Live },
    }
}

/// These orders as they are now. The trash is not in the list, so what is missing there is asked for one by one.
pub fn orders_by_ids(shop: &Shop<'_>, ids: &[String]) -> Result<Vec<(String, Found)>, Failure> {
    let valid: Vec<&str> = ids.iter().map(String::as_str).filter(|id| is_id(id)).collect();
    let mut documents = Vec::new();
    if !valid.is_empty() {
        documents.extend(rows(&shop.ask(&requests::orders_by_ids(&valid))?)?.iter().cloned());
    }
    let listed = |id: &str, documents: &[Value]| documents.iter().any(|document| id_of(document) == id);
    let missing: Vec<&str> = valid.iter().copied().filter(|id| !listed(id, &documents)).collect();
    let singles: Vec<_> = missing.iter().map(|id| requests::retrieve_order(id)).collect();
    let mut failed: Vec<(&str, Failure)> = Vec::new();
    for (id, answer) in missing.iter().zip(shop.ask_all(&singles)) {
        match answer {
            Ok(answer) => documents.push(answer.document),
            Err(failure) if failure.fault == Fault::Missing => {}
            Err(failure) => failed.push((id, failure)),
        }
    }
    let budget = REQUESTS_PER_CALL.saturating_sub(singles.len());
    let (orders, refused) = translated_within(shop, &documents, budget)?;
    let find = |id: &String| {
        if let Some(order) = orders.iter().find(|order| order.external_id == *id) {
            return Found::Order(order.clone());
        }
        if let Some(refused) = refused.iter().find(|refused| refused.external_id == *id) {
            return Found::Refused(refused.failure.clone());
        }
        match failed.iter().find(|(failed, _)| *failed == id.as_str()) {
            Some((_, failure)) => Found::Refused(failure.clone()),
            None => Found::Absent,
        }
    };
    Ok(ids.iter().map(|id| (id.clone(), find(id))).collect())
}

fn translated(shop: &Shop<'_>, documents: &[Value]) -> Result<(Vec<Order>, Vec<Refused>), Failure> {
    translated_within(shop, documents, REQUESTS_PER_CALL)
}

/// Each document with its refunds. One that cannot be read stops none of the others.
fn translated_within(shop: &Shop<'_>, documents: &[Value], budget: usize) -> Result<(Vec<Order>, Vec<Refused>), Failure> {
    let refunded: Vec<&Value> = documents.iter().filter(|document| has_refunds(document)).collect();
    let calls: Vec<_> = refunded.iter().take(budget).map(|document| requests::list_refunds(&id_of(document))).collect();
    let mut answers = shop.ask_all(&calls).into_iter();
    let (mut orders, mut refused) = (Vec::new(), Vec::new());
    for document in documents {
        let translated = if has_refunds(document) {
            let Some(answer) = answers.next() else {
                let failure = Failure::throttled("More refunded orders than fit into one run; ask for this one again.", None);
                refused.push(Refused { external_id: id_of(document), failure });
                continue;
            };
            answer.and_then(|answer| with_refunds(shop, document, &answer))
        } else {
            translate::order(document, None, shop.settings).map_err(|refusal| refusal.into_failure(&format!("order {}", id_of(document))))
        };
        match translated {
            Ok(order) => orders.push(order),
            // The shop or the network failed, not the document: the page is read again as a whole.
            Err(failure) if failure.is_transient() || super::concerns_connection(&failure) => {
                return Err(failure);
            }
            Err(failure) => refused.push(Refused { external_id: id_of(document), failure }),
        }
    }
    Ok((orders, refused))
}

fn with_refunds(shop: &Shop<'_>, document: &Value, answer: &Answer) -> Result<Order, Failure> {
    let refunds = rows(answer)?;
    translate::order(document, Some(refunds), shop.settings).map_err(|refusal| refusal.into_failure(&format!("order {}", id_of(document))))
}

/// The rows of a list.
pub(super) fn rows(answer: &Answer) -> Result<&[Value], Failure> {
    answer.document.as_array().map(Vec::as_slice).ok_or_else(|| {
        Failure::remote(format!(
            "The shop answered with something that is not a list: {}",
            answer.document.to_string().chars().take(160).collect::<String>()
        ))
    })
}

pub(super) fn id_of(document: &Value) -> String {
    match document.get("id") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

pub(super) fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 20 && id.bytes().all(|b| b.is_ascii_digit())
}

fn has_refunds(document: &Value) -> bool {
    document.get("refunds").and_then(Value::as_array).is_some_and(|refunds| !refunds.is_empty())
}
