//! The capabilities: which queries to make of the shop, and what to make of the answers.

mod cancellations;
mod connection;
mod export;
mod fulfilment;
mod listings;
mod order_parts;
mod orders;
mod prices;
mod stock;
mod webhooks;

pub use cancellations::cancel;
pub use connection::{check, describe};
pub use fulfilment::{dispatch, shipped};
pub use listings::{listings_by_ids, pull_listings};
pub use orders::{orders_by_ids, pull_orders};
pub use prices::{push_prices, read_prices};
pub use stock::{push_stock, read_stock};
pub use webhooks::{ensure, remove};

use std::cell::Cell;

use serde_json::Value;

use crate::answer::{self, Answer, TOO_COSTLY, Throttle};
use crate::contract::{Failure, Fault, Request, Response};
use crate::requests::Query;
use crate::settings::Settings;

/// What the connector needs of the hub.
pub trait Hub {
    fn send(&self, request: Request) -> Result<Response, Failure>;
    /// Seconds since 1970.
    fn now(&self) -> i64;
    /// What the shop told about its rate limit.
    fn observed(&self, throttle: Throttle);
    /// A line in the merchant's activity log.
    fn warn(&self, message: &str);
}

/// The shop behind one connection.
pub struct Shop<'a> {
    pub hub: &'a dyn Hub,
    pub settings: &'a Settings,
    /// Requests this call has made.
    pub sent: Cell<usize>,
}

/// Requests after which a call takes up nothing new: the hub allows 100, and one piece of work may need a few.
const NEARLY_SPENT: usize = 80;

impl Shop<'_> {
    pub fn ask(&self, query: &Query) -> Result<Answer, Failure> {
        self.sent.set(self.sent.get() + 1);
        let response = self.hub.send(query.request(self.settings)?)?;
        if let Some(throttle) = answer::throttle(&response) {
            self.hub.observed(throttle);
        }
        answer::read(&response, query.mutating, self.hub.now())
    }

    /// A request outside of the API.
    fn fetch(&self, request: Request) -> Result<Response, Failure> {
        self.sent.set(self.sent.get() + 1);
        self.hub.send(request)
    }

    pub fn is_nearly_spent(&self) -> bool {
        self.sent.get() >= NEARLY_SPENT
    }

    /// Asks with smaller and smaller sizes until the shop finds the query cheap enough; says which size it was. What a query
    /// costs is the shop's own arithmetic and changes, so it is not guessed.
    pub fn ask_sized<T: Copy>(&self, sizes: &[T], start: usize, query: impl Fn(T) -> Query) -> Result<(Answer, usize), Failure> {
        let mut last = Failure::invalid("The shop finds even the smallest query too costly.").with_code(TOO_COSTLY);
        for (at, size) in sizes.iter().enumerate().skip(start.min(sizes.len().saturating_sub(1))) {
            match self.ask(&query(*size)) {
                Ok(answer) => return Ok((answer, at)),
                Err(failure) if failure.code.as_deref() == Some(TOO_COSTLY) => last = failure,
                Err(failure) => return Err(failure),
            }
        }
        Err(last)
    }
}

/// Whether a failure concerns the whole connection, so that the call as a whole fails.
fn concerns_connection(failure: &Failure) -> bool {
    matches!(failure.fault, Fault::Auth | Fault::Permission | Fault::Config | Fault::Denied)
}

/// The array at a path of members; empty where there is none.
fn list<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    let found = path.iter().try_fold(value, |value, key| value.get(key));
    found.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    path.iter().try_fold(value, |value, key| value.get(key))?.as_str()
}

/// Where the next page of a connection begins, if there is one.
fn next_page(connection: &Value) -> Option<String> {
    let info = connection.get("pageInfo")?;
    let more = info.get("hasNextPage").and_then(Value::as_bool).unwrap_or(false);
    more.then(|| text(info, &["endCursor"]).map(str::to_owned)).flatten()
}

/// Reads the rest of a connection inside `document` and puts it there.
fn complete(document: &mut Value, key: &str, more: impl Fn(&str) -> Result<Value, Failure>) -> Result<(), Failure> {
    for _ in 0..MORE_PAGES {
        let Some(after) = document.get(key).and_then(next_page) else { return Ok(()) };
        let page = more(&after)?;
        let rest = list(&page, &["nodes"]).to_vec();
        let info = page.get("pageInfo").cloned().unwrap_or(Value::Null);
        if let Some(Value::Object(connection)) = document.get_mut(key) {
            if let Some(Value::Array(nodes)) = connection.get_mut("nodes") {
                nodes.extend(rest);
            }
            connection.insert("pageInfo".to_owned(), info);
        }
    }
    Err(Failure::remote(format!("The shop's list of {key} does not end.")))
}

/// Pages of one connection read at most: 40 of them are thousands of rows.
const MORE_PAGES: usize = 40;
