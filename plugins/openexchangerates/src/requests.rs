//! Which document to ask for (docs.openexchangerates.org, API v0.7, read 2026-11).

use entrepot_documents::instant;
use entrepot_sdk::http::Request;

use crate::settings::Settings;

/// The rates of this moment.
pub fn latest(settings: &Settings) -> Request {
    document(settings, "latest.json")
}

/// The last rates of a day.
pub fn historical(settings: &Settings, day: i64) -> Request {
    document(settings, &format!("historical/{}.json", instant::format_day(day)))
}

fn document(settings: &Settings, name: &str) -> Request {
    let base = settings.base.as_ref().map_or_else(String::new, |base| format!("?base={base}"));
    Request::get(format!("{}/api/{name}{base}", settings.origin)).credential("app-id")
}
