//! Connector for Open Exchange Rates (JSON API v0.7).
//!
//! Here are only the exports. What the service writes becomes publications in [`translate`], which documents to ask for is in
//! [`requests`] (both pure); [`calls`] says which of them make up a page.

pub mod calls;
pub mod requests;
pub mod settings;
pub mod translate;

use calls::Hub;
use entrepot_documents::instant;
use entrepot_sdk::http::{Request, Response};
use entrepot_sdk::rates_in::{self, RatePage};
use entrepot_sdk::types::{Account, Context, Document, Failure};
use entrepot_sdk::{clock, connection};
use settings::Settings;

/// Implements the capabilities.
pub struct OpenExchangeRates;

// The exported names are a component's; no linker of another platform takes them.
#[cfg(target_family = "wasm")]
entrepot_sdk::export_connector!(OpenExchangeRates: connection, rates_in);

/// The hub this component runs in.
struct Sandbox;

/// Requests at a time.
const PARALLEL: u32 = 4;

impl Hub for Sandbox {
    fn send_many(&self, requests: Vec<Request>) -> Vec<Result<Response, Failure>> {
        Request::send_many(requests, PARALLEL)
    }

    fn now(&self) -> i64 {
        instant::parse(&clock::now()).unwrap_or_default()
    }
}

impl connection::Guest for OpenExchangeRates {
    fn check(ctx: Context) -> Result<Account, Failure> {
        calls::check(&Sandbox, &Settings::parse(&ctx.config_json)?)
    }

    fn describe(_: Context, what: String) -> Result<Vec<Document>, Failure> {
        Err(Failure::unsupported(format!("Open Exchange Rates has no list of \"{what}\".")))
    }
}

impl rates_in::Guest for OpenExchangeRates {
    fn pull(ctx: Context, cursor: Option<String>, limit: u32) -> Result<RatePage, Failure> {
        calls::pull(&Sandbox, &Settings::parse(&ctx.config_json)?, cursor.as_deref(), limit)
    }
}
