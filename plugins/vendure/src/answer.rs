//! What the shop answered: data, or the typed failure it means. Pure.
//!
//! The shop answers with status 200 to nearly everything. What went wrong is in `errors` (the whole request), or the result of
//! a mutation is of another type than the one hoped for: an `ErrorResult` with a code of its own.

use serde_json::Value;

use crate::contract::{Failure, Fault, Response, Sent};
use crate::{instant, json};

/// A good answer.
#[derive(Debug)]
pub struct Answer {
    pub data: Value,
    /// The shop's clock, seconds since 1970.
    pub shop_time: Option<i64>,
}

/// `mutating`: whether the request may have changed something, had it been carried out.
pub fn read(response: &Response, mutating: bool) -> Result<Answer, Failure> {
    let status = response.status();
    let body: Option<Value> = json::parse(response.text().trim()).ok();
    let doubt = if mutating { Sent::Maybe } else { Sent::No };
    // A document that the server's schema does not know comes with status 400 and a body that says so.
    if let Some(failure) = body.as_ref().and_then(|body| failed(body, doubt)) {
        return Err(failure);
    }
    if !(200..300).contains(&status) {
        return Err(refused(response, status, mutating));
    }
    let Some(body) = body else {
        let start: String = response.text().chars().take(160).collect();
        return Err(Failure::remote(format!("The shop answered with something that is not JSON: {start}"))
            .with_code("not-json")
            .with_sent(doubt));
    };
    match body.get("data") {
        Some(data @ Value::Object(_)) => {
            Ok(Answer { data: data.clone(), shop_time: response.header("date").and_then(instant::parse_http) })
        }
        _ => Err(Failure::remote("The shop's answer has no data.").with_code("no-data").with_sent(doubt)),
    }
}

fn refused(response: &Response, status: u16, mutating: bool) -> Failure {
    let failure = match status {
        300..=399 => Failure::config(format!(
            "The shop redirects its API to {}; write that address into the setting \"origin\".",
            response.header("location").unwrap_or("an unnamed address")
        )),
        404 => Failure::config("There is no Admin API at the shop's address under /admin-api; check the setting \"origin\"."),
        _ => Failure::from_status(status, mutating, format!("The shop answered {status}.")),
    };
    let failure = failure.with_code(status.to_string());
    match response.retry_after_ms() {
        Some(ms) => failure.with_retry_after_ms(ms),
        None => failure,
    }
}

/// The failure that `errors` tells of. A mutation that ends in one was rolled back by the shop, but only a code it gives
/// itself proves that it got as far as refusing.
fn failed(body: &Value, doubt: Sent) -> Option<Failure> {
    let error = body.get("errors")?.as_array()?.first()?;
    let message = error.get("message").and_then(Value::as_str).unwrap_or("no reason given");
    let code = error.get("extensions").and_then(|extensions| extensions.get("code")).and_then(Value::as_str);
    let failure = match code {
        // An unknown key and a key without the right are the same to the shop.
        Some("FORBIDDEN" | "UNAUTHENTICATED") => Failure::new(
            Fault::Permission,
            format!("The shop refuses the API key or what it was used for: {message}. Check that the key exists and what its role may do."),
        ),
        Some("ENTITY_NOT_FOUND") => Failure::missing(format!("The shop does not have it: {message}")),
        Some("CHANNEL_NOT_FOUND") => Failure::config(format!("The setting \"channel-token\" names no channel of the shop: {message}")),
        Some("GRAPHQL_VALIDATION_FAILED" | "GRAPHQL_PARSE_FAILED") => {
            Failure::unsupported(format!("The shop's API has another form than this connector knows: {message}"))
        }
        Some("BAD_USER_INPUT" | "USER_INPUT_ERROR" | "BAD_REQUEST" | "ILLEGAL_OPERATION") => {
            Failure::invalid(format!("The shop refuses the request: {message}"))
        }
        Some(_) | None => Failure::remote(format!("The shop had a fault of its own: {message}")).with_sent(doubt),
    };
    Some(failure.with_code(code.unwrap_or("graphql")))
}

/// The result of a mutation that is what was hoped for, or what the shop says instead.
pub fn result<'a>(data: &'a Value, mutation: &str, hoped: &str) -> Result<&'a Value, Failure> {
    let result = data.get(mutation).filter(|result| result.is_object());
    let result = result.ok_or_else(|| Failure::remote(format!("The shop's answer to {mutation} is empty.")).with_sent(Sent::Maybe))?;
    let text = |key: &str| result.get(key).and_then(Value::as_str);
    if text("__typename") == Some(hoped) {
        return Ok(result);
    }
    let code = text("errorCode").or(text("__typename")).unwrap_or("error-result").to_owned();
    let message = format!("The shop refuses: {}", text("message").unwrap_or(&code));
    let failure = match code.as_str() {
        "INVALID_FULFILLMENT_HANDLER_ERROR" => {
            Failure::config(format!("{message}. Write a handler the shop has into the setting \"fulfilment-handler\"."))
        }
        "ITEMS_ALREADY_FULFILLED_ERROR"
        | "INSUFFICIENT_STOCK_ON_HAND_ERROR"
        | "ORDER_STATE_TRANSITION_ERROR"
        | "FULFILLMENT_STATE_TRANSITION_ERROR"
        | "CANCEL_ACTIVE_ORDER_ERROR"
        | "QUANTITY_TOO_GREAT_ERROR" => Failure::conflict(message),
        _ => Failure::invalid(message),
    };
    Err(failure.with_code(code))
}
