//! Which file to ask for. The paths are those of the ECB's page "Euro foreign exchange reference rates", read 2026-11.

use entrepot_sdk::http::{BodyForm, Request};

use crate::settings::Settings;

/// The newest table, XML.
pub fn daily(settings: &Settings) -> Request {
    file(settings, "eurofxref-daily.xml")
}

/// The tables of the last 90 days, XML.
pub fn ninety_days(settings: &Settings) -> Request {
    file(settings, "eurofxref-hist-90d.xml")
}

/// Every table since 1999: an archive of one CSV file, a tenth of the same as XML.
pub fn history(settings: &Settings) -> Request {
    file(settings, "eurofxref-hist.zip").want(BodyForm::Bytes)
}

fn file(settings: &Settings, name: &str) -> Request {
    Request::get(format!("{}/stats/eurofxref/{name}", settings.origin))
}
