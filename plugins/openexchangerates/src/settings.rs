//! The connection's settings, as the host hands them over (it has checked them against the manifest's schema).

use entrepot_documents::instant;
use entrepot_sdk::types::Failure;
use serde_json::Value;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `scheme://host[:port]`, no slash at the end.
    pub origin: String,
    /// Absent: the plan's own, which is US dollars.
    pub base: Option<String>,
    /// Days since 1970.
    pub history_from: Option<i64>,
}

impl Settings {
    pub fn parse(config_json: &str) -> Result<Self, Failure> {
        let config: Value = serde_json::from_str(config_json).map_err(|error| wrong(&format!("the settings are not JSON: {error}")))?;
        let text = |name: &str| config.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
        let origin = text("origin").ok_or_else(|| wrong("the setting \"origin\" is missing; write https://openexchangerates.org"))?;
        let day = |text: &str| {
            instant::parse_day(text)
                .ok_or_else(|| wrong(&format!("the setting \"history-from\" is \"{text}\"; write a day such as 2026-01-01")))
        };
        Ok(Self {
            origin: origin.trim_end_matches('/').to_owned(),
            base: text("base").map(str::to_owned),
            history_from: text("history-from").map(day).transpose()?,
        })
    }
}

fn wrong(message: &str) -> Failure {
    Failure::config(message).with_code("settings")
}
