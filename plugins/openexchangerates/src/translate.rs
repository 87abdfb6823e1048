//! The service's documents: `{"timestamp": …, "base": "USD", "rates": {"EUR": 0.92, …}}`, or an error. Pure.
//!
//! Numbers are read as the text they were written as; small ones come with an exponent (`6.7e-05`).

use entrepot_documents::json::{self, Doc, Refusal};
use entrepot_documents::{decimal, instant};
use entrepot_sdk::http::Response;
use entrepot_sdk::rates_in::{Publication, RateKind, Refused};
use entrepot_sdk::types::{Failure, Fault};
use serde_json::Value;

/// How the service is cited.
pub const SOURCE: &str = "Open Exchange Rates";

/// One document.
#[derive(Debug, PartialEq)]
pub struct Rates {
    /// Days since 1970, of the document's own time.
    pub day: i64,
    pub base: String,
    pub values: Vec<(String, String)>,
    /// Currency and why.
    pub refused: Vec<(String, String)>,
}

/// `of`: the day that was asked for, whatever time the document names.
pub fn rates(text: &str, of: Option<i64>) -> Result<Rates, Failure> {
    let unreadable = |refusal: Refusal| {
        Failure::remote(format!("The answer of Open Exchange Rates cannot be read: {refusal}.")).with_code("unreadable-document")
    };
    let value = json::parse(text)
        .map_err(|error| Failure::remote(format!("The answer of Open Exchange Rates is not JSON: {error}.")).with_code("not-json"))?;
    let document = Doc::new(&value).map_err(unreadable)?;
    let stamp = document.text("timestamp").map_err(unreadable)?.and_then(|text| text.parse::<i64>().ok());
    let stamp = stamp.ok_or_else(|| unreadable(Refusal::new("timestamp", "expected seconds since 1970")))?;
    let base = document.text("base").map_err(unreadable)?.ok_or_else(|| unreadable(Refusal::new("base", "expected a currency code")))?;
    let Some(Value::Object(listed)) = document.get("rates") else {
        return Err(unreadable(Refusal::new("rates", "expected rates by currency")));
    };
    let mut found = Rates { day: of.unwrap_or(stamp.div_euclid(86_400)), base, values: Vec::new(), refused: Vec::new() };
    for (currency, value) in listed {
        if *currency == found.base {
            continue;
        }
        match checked(currency, value) {
            Ok(value) => found.values.push((currency.clone(), value)),
            Err(why) => found.refused.push((currency.chars().take(20).collect(), why)),
        }
    }
    Ok(found)
}

/// The value as plain decimal text.
fn checked(currency: &str, value: &Value) -> Result<String, String> {
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err("this is not a currency code of three capital letters".to_owned());
    }
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        other => other.to_string(),
    };
    match decimal::parse(&text) {
        Some(parsed) if parsed > decimal::Decimal::ZERO => Ok(parsed.normalize().to_string()),
        _ => Err(format!("the rate {} is not a decimal above zero", text.chars().take(30).collect::<String>())),
    }
}

pub fn publication(rates: &Rates) -> Publication {
    Publication {
        published_on: instant::format_day(rates.day),
        kind: RateKind::Mid,
        base: rates.base.clone(),
        values: rates.values.clone(),
        extras: Vec::new(),
    }
}

pub fn refusals(rates: &Rates) -> impl Iterator<Item = Refused> + '_ {
    rates.refused.iter().map(|(currency, why)| Refused {
        key: format!("{} {currency}", instant::format_day(rates.day)),
        failure: Failure::invalid(why.clone()).with_code("unreadable-rate"),
    })
}

/// `{"error": true, "status": 401, "message": "invalid_app_id", "description": "…"}` says more than the status.
pub fn refused(response: Response) -> Result<Response, Failure> {
    if response.is_success() {
        return Ok(response);
    }
    let Ok(document) = json::parse(response.text()) else { return response.success() };
    let word = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
    let (Some(code), description) = (word("message"), word("description").unwrap_or_default()) else { return response.success() };
    let short: String = description.chars().take(200).collect();
    let failure = |fault: Fault, hint: &str| {
        Err(Failure::new(fault, format!("Open Exchange Rates refuses: {short} ({code}){hint}")).with_code(code.clone()))
    };
    match code.as_str() {
        "missing_app_id" | "invalid_app_id" => failure(Fault::Auth, "; store the App ID of the account's dashboard as the secret app-id."),
        "not_allowed" => failure(Fault::Permission, "; the account's plan does not include this, leave the setting \"base\" empty."),
        "invalid_base" => failure(Fault::Config, "; write another code into the setting \"base\", or leave it empty."),
        // The month's requests are used up: an hour changes nothing, but the next day may.
        "access_restricted" => {
            let pause = response.retry_after_ms().unwrap_or(6 * 3_600_000);
            failure(Fault::Throttled, ".").map_err(|failure: Failure| failure.with_retry_after_ms(pause))
        }
        _ => response.success(),
    }
}
