//! The capabilities: which queries to make of the shop, and what to make of the answers.

mod cancellations;
mod connection;
mod cursor;
mod fulfilment;
mod listings;
mod orders;
mod prices;
mod stock;

pub use cancellations::cancel;
pub use connection::{check, describe};
pub use cursor::{Cursor, Watched};
pub use fulfilment::{dispatch, shipped};
pub use listings::{listings_by_ids, pull_listings};
pub use orders::{orders_by_ids, pull_orders};
pub use prices::{push_prices, read_prices};
pub use stock::{push_stock, read_stock};

use serde_json::Value;

use crate::answer::{self, Answer};
use crate::contract::{Failure, Fault, Request, Response};
use crate::requests::{MANY, Query};
use crate::settings::Settings;
use crate::translate::Facts;

/// What the connector needs of the hub.
pub trait Hub {
    fn send(&self, request: Request) -> Result<Response, Failure>;
    /// Seconds since 1970.
    fn now(&self) -> i64;
    /// A line in the merchant's activity log.
    fn warn(&self, message: &str);
}

/// The shop behind one connection.
pub struct Shop<'a> {
    pub hub: &'a dyn Hub,
    pub settings: &'a Settings,
}

impl Shop<'_> {
    pub fn ask(&self, query: &Query) -> Result<Answer, Failure> {
        let response = self.hub.send(query.request(self.settings)?)?;
        answer::read(&response, query.mutating)
    }

    /// The rows of a list with these ids, in as many queries as it takes; what the shop does not have is left out.
    fn rows(&self, list: &str, ids: &[&str], query: impl Fn(&[&str]) -> Query) -> Result<Vec<Value>, Failure> {
        let mut found = Vec::new();
        for chunk in ids.chunks(MANY) {
            found.extend(rows(&self.ask(&query(chunk))?.data, list).iter().cloned());
        }
        Ok(found)
    }

    /// The same with what the shop is like, which comes with each answer; without ids it is asked for alone.
    fn rows_and_facts(&self, list: &str, ids: &[&str], query: impl Fn(&[&str]) -> Query) -> Result<(Vec<Value>, Facts), Failure> {
        let (mut found, mut known) = (Vec::new(), None);
        for chunk in ids.chunks(MANY) {
            let answer = self.ask(&query(chunk))?;
            found.extend(rows(&answer.data, list).iter().cloned());
            known = Some(facts(&answer.data)?);
        }
        match known {
            Some(known) => Ok((found, known)),
            None => Ok((found, facts(&self.ask(&crate::requests::shop())?.data)?)),
        }
    }
}

fn facts(data: &Value) -> Result<Facts, Failure> {
    Facts::read(data).map_err(|refusal| refusal.into_failure("the shop"))
}

/// Whether a failure concerns the whole connection, so that the call as a whole fails.
fn concerns_connection(failure: &Failure) -> bool {
    matches!(failure.fault, Fault::Auth | Fault::Permission | Fault::Config | Fault::Denied)
}

/// The items of a list in an answer; empty where there is none.
fn rows<'a>(data: &'a Value, list: &str) -> &'a [Value] {
    let items = data.get(list).and_then(|list| list.get("items")).and_then(Value::as_array);
    items.map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The row with this id.
fn row<'a>(rows: &'a [Value], id: &str) -> Option<&'a Value> {
    rows.iter().find(|row| text(row, "id") == id)
}
