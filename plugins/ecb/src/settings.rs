//! The connection's settings, as the host hands them over (it has checked them against the manifest's schema).

use entrepot_sdk::types::Failure;
use serde_json::Value;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `scheme://host[:port]`, no slash at the end.
    pub origin: String,
    pub history: History,
}

/// Where reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    All,
    NinetyDays,
    None,
}

impl Settings {
    pub fn parse(config_json: &str) -> Result<Self, Failure> {
        let config: Value = serde_json::from_str(config_json).map_err(|error| wrong(&format!("the settings are not JSON: {error}")))?;
        let text = |name: &str| config.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
        let origin = text("origin").ok_or_else(|| wrong("the setting \"origin\" is missing; write https://www.ecb.europa.eu"))?;
        let history = match text("history") {
            None | Some("all") => History::All,
            Some("90-days") => History::NinetyDays,
            Some("none") => History::None,
            Some(other) => return Err(wrong(&format!("the setting \"history\" is \"{other}\"; allowed are all, 90-days, none"))),
        };
        Ok(Self { origin: origin.trim_end_matches('/').to_owned(), history })
    }
}

fn wrong(message: &str) -> Failure {
    Failure::config(message).with_code("settings")
}
