//! The outermost layer: every answer gets the request's id, every refusal its body, every fault of ours one line in the log.
//!
//! [`Told`] is how a handler answers. Rooms keep instants as Unix milliseconds in fields named `at` or `…_at`; outside they are
//! RFC 3339, and instants that never come or never were are null.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

use super::error::{Code, Error};
use crate::app::App;
use crate::clock::to_rfc3339;
use crate::page::Page;

/// A successful answer, in the outside's form.
pub struct Told(StatusCode, Value);

pub type Answer = Result<Told, Error>;

pub fn told(value: impl Serialize) -> Answer {
    let mut value = serde_json::to_value(value)?;
    outside(&mut value);
    Ok(Told(StatusCode::OK, value))
}

pub fn created(value: impl Serialize) -> Answer {
    told(value).map(|Told(_, value)| Told(StatusCode::CREATED, value))
}

pub fn page<T: Serialize>(page: Page<T>) -> Answer {
    told(page)
}

/// A list that is always whole.
pub fn all<T: Serialize>(items: Vec<T>) -> Answer {
    page(Page { items, next_cursor: None })
}

impl IntoResponse for Told {
    fn into_response(self) -> Response {
        (self.0, Json(self.1)).into_response()
    }
}

/// Parts whose names are not ours.
const FOREIGN: &[&str] = &["extras", "settings", "handles", "detail", "manifest"];

fn outside(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(outside),
        Value::Object(fields) => {
            for (name, value) in fields {
                let instant = (name == "at" || name.ends_with("_at")).then(|| value.as_i64()).flatten();
                match instant {
                    Some(0 | i64::MAX) => *value = Value::Null,
                    Some(at) => *value = Value::String(to_rfc3339(at)),
                    None if FOREIGN.contains(&name.as_str()) => {}
                    None => outside(value),
                }
            }
        }
        _ => {}
    }
}

/// Wraps everything below `/api`.
pub async fn finish(State(app): State<App>, request: Request, next: Next) -> Response {
    let id = format!("req_{}", app.ctx.ids.body());
    let what = format!("{} {}", request.method(), request.uri().path());
    let mut response = next.run(request).await;
    let error = response.extensions_mut().remove::<Error>().or_else(|| plain(response.status()));
    if let Some(error) = error {
        if let Some(cause) = &error.cause {
            tracing::error!(request = id, what, error = cause, "a request failed");
        }
        let body = json!({ "code": error.code.word(), "message": error.message, "field": error.field, "request_id": id });
        response = (error.code.status(), Json(body)).into_response();
        if error.code == Code::Busy {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A request that takes longer than `server.request_ms` is given up; a unit of work already handed over ends all the same.
pub async fn in_time(State(app): State<App>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(app.tuning.request, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let message =
                "this took longer than server.request_ms; hint: ask for less at once, or look whether it was done before repeating it";
            Error::new(Code::Busy, message).into_response()
        }
    }
}

/// Refusals that no handler made.
fn plain(status: StatusCode) -> Option<Error> {
    match status {
        StatusCode::NOT_FOUND => {
            Some(Error::new(Code::NotFound, "there is nothing at this address; hint: /api/v1/openapi.json lists what there is"))
        }
        StatusCode::METHOD_NOT_ALLOWED => Some(Error::new(
            Code::MethodNotAllowed,
            "this address does not take that method; hint: /api/v1/openapi.json lists those it does",
        )),
        StatusCode::PAYLOAD_TOO_LARGE => {
            Some(Error::new(Code::TooLarge, "the body is larger than the hub takes; hint: split it, or raise server.api_body_bytes"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_leave_as_text_and_foreign_parts_as_they_came() {
        let mut value = json!({ "created_at": 1_700_000_000_000i64, "retry_at": 0, "next_at": i64::MAX, "items": [{ "at": 1 }], "extras": { "seen_at": 7 }, "latitude": 3 });
        outside(&mut value);
        assert_eq!(value["created_at"], "2023-11-14T22:13:20Z");
        assert_eq!((&value["retry_at"], &value["next_at"]), (&Value::Null, &Value::Null));
        assert!(value["items"][0]["at"].is_string());
        assert_eq!((&value["extras"]["seen_at"], &value["latitude"]), (&json!(7), &json!(3)));
    }
}
