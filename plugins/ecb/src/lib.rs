//! Connector for the euro reference rates of the European Central Bank.
//!
//! Here are only the exports. What the bank publishes becomes publications in [`translate`], which files to ask for is in
//! [`requests`] (both pure); [`calls`] says which file answers which question.

pub mod calls;
pub mod requests;
pub mod settings;
pub mod translate;

use calls::Hub;
use entrepot_sdk::http::{Request, Response};
use entrepot_sdk::rates_in::{self, RatePage};
use entrepot_sdk::types::{Account, Context, Document, Failure};
use entrepot_sdk::{connection, log};
use settings::Settings;

/// Implements the capabilities.
pub struct Ecb;

// The exported names are a component's; no linker of another platform takes them.
#[cfg(target_family = "wasm")]
entrepot_sdk::export_connector!(Ecb: connection, rates_in);

/// The hub this component runs in.
struct Sandbox;

impl Hub for Sandbox {
    fn send(&self, request: Request) -> Result<Response, Failure> {
        request.send()
    }

    fn warn(&self, message: &str) {
        log::warn(message, &[]);
    }
}

impl connection::Guest for Ecb {
    fn check(ctx: Context) -> Result<Account, Failure> {
        calls::check(&Sandbox, &Settings::parse(&ctx.config_json)?)
    }

    fn describe(_: Context, what: String) -> Result<Vec<Document>, Failure> {
        Err(Failure::unsupported(format!("The ECB has no list of \"{what}\".")))
    }
}

impl rates_in::Guest for Ecb {
    fn pull(ctx: Context, cursor: Option<String>, limit: u32) -> Result<RatePage, Failure> {
        calls::pull(&Sandbox, &Settings::parse(&ctx.config_json)?, cursor.as_deref(), limit)
    }
}
