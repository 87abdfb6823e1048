//! The connection's settings, as the host hands them over (it has checked them against the manifest's schema).

use serde_json::{Map, Value};

use crate::contract::{Failure, Fault, failure};
use crate::instant;

#[derive(Debug, Clone)]
pub struct Settings {
    /// `scheme://host[:port]`, no slash at the end.
    pub origin: String,
    /// Path under which WordPress lives, `/wp-json` without permalinks changed.
    pub rest_root: String,
    /// ISO 4217; needed where a product document arrives without its shop (webhooks).
    pub currency: Option<String>,
    pub weight_unit: WeightUnit,
    /// The shop's own order states and what they mean.
    pub states: Vec<(String, State)>,
    /// Whether the shop's shipment-tracking extension takes parcels.
    pub tracking_extension: bool,
    /// First instant of orders to read, seconds since 1970.
    pub since: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightUnit {
    Kilogram,
    Gram,
    Pound,
    Ounce,
}

/// Meaning of a state the shop has added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Draft,
    Placed,
    Completed,
    Cancelled,
}

impl Settings {
    pub fn parse(config_json: &str) -> Result<Self, Failure> {
        let config: Value = serde_json::from_str(config_json).map_err(|error| wrong(format!("the settings are not JSON: {error}")))?;
        let Value::Object(config) = config else {
            return Err(wrong("the settings are not a JSON object".to_owned()));
        };
        Ok(Self {
            origin: text(&config, "origin").unwrap_or_default().trim_end_matches('/').to_owned(),
            rest_root: "/wp-json".to_owned(),
            currency: text(&config, "currency").map(str::to_ascii_uppercase),
            weight_unit: weight_unit(&config)?,
            states: states(&config)?,
            tracking_extension: text(&config, "tracking") == Some("shipment-tracking"),
            since: since(&config)?,
        })
    }

    /// The absolute address of a path under the REST root; refused without an origin.
    pub fn url(&self, path: &str) -> Result<String, Failure> {
        if self.origin.is_empty() {
            return Err(wrong("the setting \"origin\" is missing; write the shop's address, such as https://shop.example".to_owned()));
        }
        Ok(format!("{}{}{path}", self.origin, self.rest_root))
    }
}

fn weight_unit(config: &Map<String, Value>) -> Result<WeightUnit, Failure> {
    match text(config, "weight-unit") {
        None | Some("kg") => Ok(WeightUnit::Kilogram),
        Some("g") => Ok(WeightUnit::Gram),
        Some("lbs") => Ok(WeightUnit::Pound),
        Some("oz") => Ok(WeightUnit::Ounce),
        Some(other) => Err(wrong(format!("the setting \"weight-unit\" is \"{other}\"; allowed are kg, g, lbs, oz"))),
    }
}

fn states(config: &Map<String, Value>) -> Result<Vec<(String, State)>, Failure> {
    let Some(Value::Object(states)) = config.get("states") else {
        return Ok(Vec::new());
    };
    (states.iter())
        .map(|(name, meaning)| {
            let state = match meaning.as_str() {
                Some("draft") => State::Draft,
                Some("placed") => State::Placed,
                Some("completed") => State::Completed,
                Some("cancelled") => State::Cancelled,
                _ => {
                    return Err(wrong(format!(
                        "the setting \"states\" gives {name} the meaning {meaning}; allowed are draft, placed, completed, cancelled"
                    )));
                }
            };
            Ok((name.trim_start_matches("wc-").to_owned(), state))
        })
        .collect()
}

fn since(config: &Map<String, Value>) -> Result<Option<i64>, Failure> {
    let Some(text) = text(config, "since") else {
        return Ok(None);
    };
    let whole_day = || instant::parse(&format!("{text}T00:00:00Z"));
    (instant::parse(text).or_else(whole_day).map(Some))
        .ok_or_else(|| wrong(format!("the setting \"since\" is \"{text}\"; write an instant such as 2026-11-01T00:00:00Z")))
}

fn text<'a>(config: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    config.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
}

fn wrong(message: String) -> Failure {
    failure(Fault::Config, Some("settings"), message)
}
