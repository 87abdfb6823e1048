//! What the shop answered: a document, or the typed failure it means. Pure.
//!
//! A WordPress site answers with more than its API: maintenance pages, login redirects, warnings of extensions printed
//! before the JSON, errors with status 200.

use serde_json::Value;

use crate::contract::{Failure, Fault, Response, Sent};
use crate::{instant, json};

/// A good answer.
#[derive(Debug)]
pub struct Answer {
    pub document: Value,
    /// Rows of the whole list, where the answer is a page of one.
    pub total: Option<u32>,
    /// The shop's clock, seconds since 1970.
    pub shop_time: Option<i64>,
}

/// `mutating`: whether the request may have changed something, had it been carried out.
pub fn read(response: &Response, mutating: bool, now: i64) -> Result<Answer, Failure> {
    let status = response.status();
    if (300..400).contains(&status) {
        let target = response.header("location").unwrap_or("an unnamed address");
        return Err(Failure::config(format!("The shop redirects its API to {target}; write that address into the setting \"origin\"."))
            .with_code(status.to_string()));
    }
    let document = document(response.text());
    if let Some(failure) = document.as_ref().and_then(|document| refused(document, status)) {
        return Err(sent(with_pause(failure, response, now), status, mutating));
    }
    if !(200..300).contains(&status) {
        let failure = Failure::from_status(status, mutating, format!("The shop answered {status}: {}", excerpt(response.text())));
        return Err(with_pause(failure, response, now));
    }
    let document = document.ok_or_else(|| {
        let failure = Failure::remote(format!("The shop answered {status} with something that is not JSON: {}", excerpt(response.text())));
        failure.with_code("not-json").with_sent(if mutating { Sent::Maybe } else { Sent::No })
    })?;
    Ok(Answer {
        document,
        total: response.header("x-wp-total").and_then(|text| text.trim().parse().ok()),
        shop_time: response.header("date").and_then(instant::parse_http),
    })
}

/// The document, also behind warnings that the site printed first.
fn document(text: &str) -> Option<Value> {
    let text = text.trim_start_matches('\u{feff}').trim();
    if let Ok(value) = json::parse(text) {
        return Some(value);
    }
    let starts = text.match_indices(['{', '[']).map(|(at, _)| at).take(20);
    starts.filter_map(|at| json::parse(text.get(at..)?).ok()).find(|value: &Value| value.is_object() || value.is_array())
}

/// `{"code": "...", "message": "...", "data": {"status": 404}}`, with whatever status it came.
fn refused(document: &Value, status: u16) -> Option<Failure> {
    let code = document.get("code")?.as_str()?;
    let message = document.get("message")?.as_str()?;
    let told = document.get("data").and_then(|data| data.get("status")).and_then(Value::as_u64).and_then(|s| u16::try_from(s).ok());
    let status = if status >= 400 { status } else { told.filter(|told| *told >= 400)? };
    Some(item_failure(code, message, status))
}

/// An error of the shop with its own code. `status` is 400 or more.
pub fn item_failure(code: &str, message: &str, status: u16) -> Failure {
    let message = crate::translate::plain(message);
    let failure = Failure::from_status(status, false, format!("The shop refuses: {message}")).with_code(code);
    match code {
        "rest_no_route" => Failure {
            fault: Fault::Config,
            message: format!(
                "The shop has no such API route ({message}); is WooCommerce active there and the extension the settings name installed?"
            ),
            ..failure
        },
        "woocommerce_rest_cannot_view"
        | "woocommerce_rest_cannot_edit"
        | "woocommerce_rest_cannot_create"
        | "woocommerce_rest_cannot_delete"
        | "woocommerce_rest_cannot_batch" => {
            // With a wrong key the shop treats the caller as a stranger and says 401; with a weak key 403.
            failure
        }
        _ if code.ends_with("_invalid_id") => Failure { fault: Fault::Missing, ..failure },
        _ => failure,
    }
}

/// A fault of the shop's own leaves open whether a change took effect, whatever status it came with.
fn sent(failure: Failure, status: u16, mutating: bool) -> Failure {
    let doubtful = failure.fault == Fault::Remote || status == 408;
    if mutating && doubtful { failure.with_sent(Sent::Maybe) } else { failure }
}

/// `Retry-After` in seconds or as a date; at most a day.
fn with_pause(failure: Failure, response: &Response, now: i64) -> Failure {
    let Some(text) = response.header("retry-after").map(str::trim) else {
        return failure;
    };
    let seconds = text.parse::<i64>().ok().or_else(|| Some(instant::parse_http(text)? - now));
    match seconds.map(|seconds| seconds.clamp(0, 86_400)).and_then(|seconds| u32::try_from(seconds).ok()) {
        Some(seconds) => failure.with_retry_after_ms(seconds * 1000),
        None => failure,
    }
}

/// The beginning of a page, for a message.
fn excerpt(text: &str) -> String {
    let plain = crate::translate::plain(text);
    let words: Vec<&str> = plain.split_whitespace().collect();
    words.join(" ").chars().take(160).collect()
}
