//! The capabilities: which calls to make of the shop, and what to make of the answers.

mod batch;
mod cancellations;
mod connection;
mod fulfilment;
mod listings;
mod orders;
mod prices;
mod refunds;
mod stock;
mod webhooks;

pub use cancellations::cancel;
pub use connection::{check, describe};
pub use fulfilment::{dispatch, shipped};
pub use listings::{listings_by_ids, pull_listings};
pub use orders::{orders_by_ids, pull_orders};
pub use prices::{push_prices, read_prices};
pub use refunds::{push_refunds, read_refunds};
pub use stock::{push_stock, read_stock};
pub use webhooks::{ensure, remove};

use crate::answer::{self, Answer};
use crate::contract::{Failure, Fault, Request, Response};
use crate::requests::Call;
use crate::settings::Settings;

/// What the connector needs of the hub.
pub trait Hub {
    fn send(&self, request: Request) -> Result<Response, Failure>;
    fn send_many(&self, requests: Vec<Request>) -> Vec<Result<Response, Failure>>;
    /// Seconds since 1970.
    fn now(&self) -> i64;
    /// A line in the merchant's activity log.
    fn warn(&self, message: &str);
}

/// Requests the hub lets one call make, less a few for what every call needs.
const REQUESTS_PER_CALL: usize = 95;

/// The shop behind one connection.
pub struct Shop<'a> {
    pub hub: &'a dyn Hub,
    pub settings: &'a Settings,
}

impl Shop<'_> {
    /// One call and its answer.
    pub fn ask(&self, call: &Call) -> Result<Answer, Failure> {
        let response = self.hub.send(call.request(self.settings)?)?;
        answer::read(&response, call.method != "GET", self.hub.now())
    }

    /// Several independent calls; what is beyond the hub's limit is not sent and may be asked for again.
    pub fn ask_all(&self, calls: &[Call]) -> Vec<Result<Answer, Failure>> {
        let (now, later) = calls.split_at(calls.len().min(REQUESTS_PER_CALL));
        let requests: Result<Vec<Request>, Failure> = now.iter().map(|call| call.request(self.settings)).collect();
        let mut answers: Vec<Result<Answer, Failure>> = match requests {
            Err(failure) => now.iter().map(|_| Err(failure.clone())).collect(),
            Ok(requests) => (self.hub.send_many(requests).into_iter().zip(now))
                .map(|(response, call)| answer::read(&response?, call.method != "GET", self.hub.now()))
                .collect(),
        };
        answers.extend(later.iter().map(|_| {
            Err(Failure::throttled("More calls of the shop than fit into one run; the rest follows in the next one.", None)
                .with_code("call-budget"))
        }));
        answers
    }
}

/// Whether a failure concerns the whole connection, so that the call as a whole fails.
fn concerns_connection(failure: &Failure) -> bool {
    matches!(failure.fault, Fault::Auth | Fault::Permission | Fault::Config | Fault::Denied)
}
