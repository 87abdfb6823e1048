//! What the shop answered: data, or the typed failure it means. Pure.
//!
//! GraphQL answers with status 200 to nearly everything; what went wrong is in `errors` (the whole request) or in a
//! mutation's `userErrors` (single inputs).

use rust_decimal::Decimal;
use serde_json::Value;

use crate::contract::{Failure, Fault, Response, Sent};
use crate::{decimal, instant, json};

/// A good answer.
#[derive(Debug)]
pub struct Answer {
    pub data: Value,
    /// The shop's clock, seconds since 1970.
    pub shop_time: Option<i64>,
}

/// What the shop told about its rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    pub available: u32,
    pub maximum: u32,
    pub restore_per_second: u32,
    pub requested: Option<u32>,
}

/// The code of a query the shop finds too costly at once; smaller pages help.
pub const TOO_COSTLY: &str = "MAX_COST_EXCEEDED";

pub fn throttle(response: &Response) -> Option<Throttle> {
    let body: Value = json::parse(response.text()).ok()?;
    throttle_of(&body)
}

fn throttle_of(body: &Value) -> Option<Throttle> {
    let cost = body.get("extensions")?.get("cost")?;
    let status = cost.get("throttleStatus")?;
    Some(Throttle {
        available: number(status.get("currentlyAvailable")?)?,
        maximum: number(status.get("maximumAvailable")?)?,
        restore_per_second: number(status.get("restoreRate")?)?,
        requested: cost.get("requestedQueryCost").and_then(number),
    })
}

/// Points come as `1000.0`, which is read as a text.
fn number(value: &Value) -> Option<u32> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let floor = decimal::floor(decimal::parse(&text)?.max(Decimal::ZERO))?;
    u32::try_from(floor).ok()
}

/// `mutating`: whether the request may have changed something, had it been carried out.
pub fn read(response: &Response, mutating: bool, now: i64) -> Result<Answer, Failure> {
    let status = response.status();
    let body: Option<Value> = json::parse(response.text().trim()).ok();
    if !(200..300).contains(&status) {
        return Err(refused(response, status, body.as_ref(), mutating, now));
    }
    let doubt = if mutating { Sent::Maybe } else { Sent::No };
    let Some(body) = body else {
        let start: String = response.text().chars().take(160).collect();
        return Err(Failure::remote(format!("The shop answered with something that is not JSON: {start}"))
            .with_code("not-json")
            .with_sent(doubt));
    };
    if let Some(failure) = failed(&body, doubt) {
        return Err(failure);
    }
    match body.get("data") {
        Some(data @ Value::Object(_)) => {
            Ok(Answer { data: data.clone(), shop_time: response.header("date").and_then(instant::parse_http) })
        }
        _ => Err(Failure::remote("The shop's answer has no data.").with_code("no-data").with_sent(doubt)),
    }
}

fn refused(response: &Response, status: u16, body: Option<&Value>, mutating: bool, now: i64) -> Failure {
    let told = body.and_then(|body| body.get("errors")).map(|errors| match errors {
        Value::String(text) => text.clone(),
        other => other.to_string().chars().take(200).collect(),
    });
    let what = told.map(|told| format!(": {told}")).unwrap_or_default();
    let failure = match status {
        300..=399 => Failure::config(format!(
            "The shop redirects its API to {}; write that address into the setting \"origin\".",
            response.header("location").unwrap_or("an unnamed address")
        )),
        402 | 423 => Failure::new(Fault::Permission, format!("The shop is frozen or locked{what}.")),
        404 => Failure::config(format!(
            "There is no Admin API of this version at the shop's address{what}; check the settings \"origin\" and \"api-version\"."
        )),
        _ => Failure::from_status(status, mutating, format!("The shop answered {status}{what}")),
    };
    let failure = failure.with_code(status.to_string());
    let pause = response.header("retry-after").map(str::trim).and_then(|text| {
        let seconds = decimal::parse(text).and_then(|seconds| decimal::floor(seconds.ceil())).map(i64::from);
        seconds.or_else(|| Some(instant::parse_http(text)? - now))
    });
    match pause.map(|seconds| seconds.clamp(0, 86_400)).and_then(|seconds| u32::try_from(seconds).ok()) {
        Some(seconds) => failure.with_retry_after_ms(seconds * 1000),
        None => failure,
    }
}

/// The failure that `errors` tells of.
fn failed(body: &Value, doubt: Sent) -> Option<Failure> {
    let errors = body.get("errors")?;
    if let Value::String(text) = errors {
        return Some(Failure::remote(format!("The shop refuses: {text}")).with_sent(doubt));
    }
    let error = errors.as_array()?.first()?;
    let message = error.get("message").and_then(Value::as_str).unwrap_or("no reason given");
    let code = error.get("extensions").and_then(|extensions| extensions.get("code")).and_then(Value::as_str);
    let failure = match code {
        Some("THROTTLED") => {
            Failure { retry_after_ms: Some(pause_ms(body)), ..Failure::throttled("The shop's rate limit is used up.", None) }
        }
        Some("ACCESS_DENIED") => Failure::new(Fault::Permission, format!("The app may not do this: {message}")),
        Some("SHOP_INACTIVE") => Failure::new(Fault::Permission, format!("The shop is not active: {message}")),
        Some(TOO_COSTLY) => Failure::invalid(format!("The query is too costly: {message}")),
        Some("INTERNAL_SERVER_ERROR" | "TIMEOUT" | "SERVICE_UNAVAILABLE") => {
            Failure::remote(format!("The shop had a fault of its own: {message}")).with_sent(doubt)
        }
        // A document the shop does not understand: the version in the settings has other fields.
        Some(_) | None => Failure::invalid(format!("The shop refuses the query: {message}")),
    };
    Some(match code {
        Some(code) => failure.with_code(code),
        None => failure.with_code("graphql"),
    })
}

/// Until the bucket holds what the query asked for.
fn pause_ms(body: &Value) -> u32 {
    let Some(throttle) = throttle_of(body) else { return 1000 };
    let missing = throttle.requested.unwrap_or(throttle.maximum).min(throttle.maximum).saturating_sub(throttle.available);
    let rate = throttle.restore_per_second.max(1);
    missing.saturating_mul(1000).div_ceil(rate).max(100)
}

/// One of a mutation's `userErrors`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserError {
    pub code: Option<String>,
    /// The input it concerns: `["input", "quantities", "1", "quantity"]`.
    pub field: Vec<String>,
    pub message: String,
}

impl UserError {
    /// The first number in the field's path: the place in the list that was sent.
    pub fn index(&self) -> Option<usize> {
        self.field.iter().find_map(|part| part.parse().ok())
    }
}

/// The errors of a mutation's payload, and the payload.
pub fn payload<'a>(data: &'a Value, mutation: &str, errors: &str) -> Result<(&'a Value, Vec<UserError>), Failure> {
    let payload = data.get(mutation).filter(|payload| payload.is_object());
    let payload = payload.ok_or_else(|| Failure::remote(format!("The shop's answer to {mutation} is empty.")).with_sent(Sent::Maybe))?;
    let errors = payload.get(errors).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text = |error: &Value, key: &str| error.get(key).and_then(Value::as_str).map(str::to_owned);
    let errors = errors.iter().map(|error| UserError {
        code: text(error, "code"),
        field: error
            .get("field")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|part| match part {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            })
            .collect(),
        message: text(error, "message").unwrap_or_else(|| "no reason given".to_owned()),
    });
    Ok((payload, errors.collect()))
}
