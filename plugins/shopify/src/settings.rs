//! The connection's settings, as the host hands them over (it has checked them against the manifest's schema).

use serde_json::{Map, Value};

use crate::contract::Failure;
use crate::graphql;
use crate::instant;

#[derive(Debug, Clone)]
pub struct Settings {
    /// `scheme://host[:port]`, no slash at the end.
    pub origin: String,
    pub api_version: String,
    /// First instant of orders to read, seconds since 1970.
    pub since: Option<i64>,
    /// Variants from which the shop's own export is read; never, if `None`.
    pub export_from: Option<u64>,
}

/// Below this, pages are faster than waiting for a file.
const EXPORT_FROM: u64 = 2_000;

impl Settings {
    pub fn parse(config_json: &str) -> Result<Self, Failure> {
        let config: Value = serde_json::from_str(config_json).map_err(|error| wrong(format!("The settings are not JSON: {error}.")))?;
        let Value::Object(config) = config else {
            return Err(wrong("The settings are not a JSON object.".to_owned()));
        };
        Ok(Self {
            origin: text(&config, "origin").unwrap_or_default().trim_end_matches('/').to_owned(),
            api_version: text(&config, "api-version").unwrap_or(graphql::VERSION).to_owned(),
            since: since(&config)?,
            export_from: Some(config.get("export-from").and_then(Value::as_u64).unwrap_or(EXPORT_FROM)).filter(|from| *from > 0),
        })
    }

    /// The address of the API; refused without an origin.
    pub fn url(&self) -> Result<String, Failure> {
        if self.origin.is_empty() {
            return Err(wrong(
                "The setting \"origin\" is missing; write the shop's address, such as https://name.myshopify.com.".to_owned(),
            ));
        }
        Ok(format!("{}/admin/api/{}/graphql.json", self.origin, self.api_version))
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
