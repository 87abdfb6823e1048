//! The connection's settings, as the host hands them over (it has checked them against the manifest's schema).

use serde_json::{Map, Value};

use crate::contract::Failure;
use crate::instant;

#[derive(Debug, Clone)]
pub struct Settings {
    /// `scheme://host[:port]`, no slash at the end.
    pub origin: String,
    /// Which of the server's channels; `None` is the default one.
    pub channel_token: Option<String>,
    /// Code of the handler that shipments are told through.
    pub fulfilment_handler: String,
    /// First instant of orders to read, seconds since 1970.
    pub since: Option<i64>,
}

/// The handler that every Vendure server has.
const MANUAL: &str = "manual-fulfillment";

impl Settings {
    pub fn parse(config_json: &str) -> Result<Self, Failure> {
        let config: Value = serde_json::from_str(config_json).map_err(|error| wrong(format!("The settings are not JSON: {error}.")))?;
        let Value::Object(config) = config else {
            return Err(wrong("The settings are not a JSON object.".to_owned()));
        };
        Ok(Self {
            origin: text(&config, "origin").unwrap_or_default().trim_end_matches('/').to_owned(),
            channel_token: text(&config, "channel-token").map(str::to_owned),
            fulfilment_handler: text(&config, "fulfilment-handler").unwrap_or(MANUAL).to_owned(),
            since: since(&config)?,
        })
    }

    /// The address of the API; refused without an origin.
    pub fn url(&self) -> Result<String, Failure> {
        if self.origin.is_empty() {
            return Err(wrong("The setting \"origin\" is missing; write the server's address, such as https://shop.example.".to_owned()));
        }
        Ok(format!("{}/admin-api", self.origin))
    }
}

fn since(config: &Map<String, Value>) -> Result<Option<i64>, Failure> {
    let Some(text) = text(config, "since") else { return Ok(None) };
    let whole_day = || instant::parse(&format!("{text}T00:00:00Z"));
    (instant::parse(text).or_else(whole_day).map(Some))
        .ok_or_else(|| wrong(format!("The setting \"since\" is \"{text}\"; write an instant such as 2026-11-01T00:00:00Z.")))
}

fn text<'a>(config: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    config.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
}

fn wrong(message: String) -> Failure {
    Failure::config(message).with_code("settings")
}
