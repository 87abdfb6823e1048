//! The REST v3 routes. Each file is one resource; this one holds what they share: who may come in, how refusals are worded,
//! how a list is cut into pages.

mod index;
mod items;
mod orders;
mod params;
mod products;
mod refunds;
mod shipments;
mod webhooks;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, Response, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::{delete, get, post};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::faults::Fault;
use crate::server::{Manners, answer, json, set_header};
use crate::sign::basic;
use crate::woo::routes::params::Params;
use crate::woo::shop::Inner;

pub(crate) const BASE: &str = "/wp-json/wc/v3";

pub(crate) fn router(inner: Arc<Inner>) -> Router {
    let mut routes = Router::new()
        .route("/", get(index::namespace))
        .route("/system_status", get(index::system_status))
        .route("/settings", get(index::settings))
        .route("/settings/{group}", get(index::setting_group))
        .route("/settings/{group}/{id}", get(index::setting))
        .route("/shipping_methods", get(index::shipping_methods))
        .route("/data/currencies/current", get(index::currency))
        .route("/products", get(products::list).post(products::create))
        .route("/products/batch", post(products::batch))
        .route("/products/{id}", get(products::show).put(products::update).post(products::update))
        .route("/products/{id}/variations", get(products::variations))
        .route("/products/{id}/variations/batch", post(products::batch_variations))
        .route(
            "/products/{id}/variations/{variation}",
            get(products::show_variation).put(products::update_variation).post(products::update_variation),
        )
        .route("/orders", get(orders::list))
        .route("/orders/batch", post(orders::batch))
        .route("/orders/{id}", get(orders::show).put(orders::update).post(orders::update))
        .route("/orders/{id}/notes", get(orders::notes).post(orders::add_note))
        .route("/orders/{id}/refunds", get(refunds::list).post(refunds::create))
        .route("/orders/{id}/refunds/{refund}", get(refunds::show))
        .route("/webhooks", get(webhooks::list).post(webhooks::create))
        .route("/webhooks/{id}", get(webhooks::show).put(webhooks::update).post(webhooks::update).delete(webhooks::remove));
    let mut outside = Router::new().route(&format!("{BASE}/"), get(index::namespace)).route("/wp-json/", get(index::root));
    if inner.config.shipment_tracking {
        for version in ["v1", "v3"] {
            let path = format!("/wp-json/wc-shipment-tracking/{version}/orders/{{id}}/shipment-trackings");
            outside = outside
                .route(&path, get(shipments::list).post(shipments::create))
                .route(&format!("{path}/{{tracking}}"), delete(shipments::remove));
        }
    }
    routes = routes.method_not_allowed_fallback(no_route);
    outside
        .nest(BASE, routes)
        .fallback(no_route)
        .method_not_allowed_fallback(no_route)
        .layer(from_fn_with_state(Arc::clone(&inner), authorize))
        .with_state(inner)
}

pub(crate) struct WooManners;

impl Manners for WooManners {
    fn is_write(&self, method: &Method, _: &str, _: &[u8]) -> bool {
        method != Method::GET && method != Method::HEAD
    }

    fn refusal(&self, fault: Fault, retry_after_s: Option<u32>) -> Response<Body> {
        match fault {
            // WooCommerce knows no limits; the web server in front of it does, and it does not speak JSON.
            Fault::Throttle => {
                let page = b"<html><head><title>429 Too Many Requests</title></head></html>".to_vec();
                let mut response = answer(StatusCode::TOO_MANY_REQUESTS, "text/html", page);
                if let Some(seconds) = retry_after_s {
                    set_header(response.headers_mut(), "retry-after", &seconds.to_string());
                }
                response
            }
            Fault::RefuseCredentials => {
                ApiError::new(401, "woocommerce_rest_authentication_error", "Consumer key is invalid.").into_response()
            }
            // A caching or security plug-in that answers with its own page and status 200.
            _ => json(
                StatusCode::OK,
                &json!({ "code": "internal_server_error",
                    "message": "<p>There has been a critical error on this website.</p>", "data": { "status": 500 } }),
            ),
        }
    }
}

/// A refusal in WordPress' words: `{code, message, data: {status}}`.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: u16,
    code: String,
    message: String,
    params: Option<Value>,
}

impl ApiError {
    pub(crate) fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into(), params: None }
    }

    pub(crate) fn invalid_param(name: &str, why: &str) -> Self {
        Self {
            status: 400,
            code: "rest_invalid_param".to_owned(),
            message: format!("Invalid parameter(s): {name}"),
            params: Some(json!({ name: why })),
        }
    }

    pub(crate) fn body(&self) -> Value {
        let mut body = json!({ "code": self.code, "message": self.message, "data": { "status": self.status } });
        if let Some(params) = &self.params {
            body["data"]["params"] = params.clone();
            body["data"]["details"] = json!({});
        }
        body
    }

    /// The shape of a refused item inside a batch answer.
    pub(crate) fn in_batch(&self, id: i64) -> Value {
        json!({ "id": id, "error": self.body() })
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response<Body> {
        json(StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &self.body())
    }
}

/// An answer body with 200, or the status named.
pub(crate) struct Ok200(pub(crate) Value);
pub(crate) struct Created(pub(crate) Value);

impl IntoResponse for Ok200 {
    fn into_response(self) -> Response<Body> {
        json(StatusCode::OK, &self.0)
    }
}

impl IntoResponse for Created {
    fn into_response(self) -> Response<Body> {
        json(StatusCode::CREATED, &self.0)
    }
}

async fn no_route() -> ApiError {
    ApiError::new(404, "rest_no_route", "No route was found matching the URL and request method.")
}

/// Key and secret by HTTP Basic or in the query string, as over TLS.
async fn authorize(State(inner): State<Arc<Inner>>, request: Request, next: Next) -> Response<Body> {
    if request.uri().path() == "/wp-json/" {
        return next.run(request).await;
    }
    let query = Params::parse(request.uri().query().unwrap_or_default());
    let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = header
        .and_then(basic)
        .or_else(|| Some((query.text("consumer_key")?.to_owned(), query.text("consumer_secret").unwrap_or_default().to_owned())));
    let write = !matches!(*request.method(), Method::GET | Method::HEAD);
    let refused = match given {
        None if write => Some(("woocommerce_rest_cannot_create", "Sorry, you are not allowed to create resources.")),
        None => Some(("woocommerce_rest_cannot_view", "Sorry, you cannot list resources.")),
        Some((key, _)) if key != inner.config.consumer_key => Some(("woocommerce_rest_authentication_error", "Consumer key is invalid.")),
        Some((_, secret)) if secret != inner.config.consumer_secret => {
            Some(("woocommerce_rest_authentication_error", "Consumer secret is invalid."))
        }
        Some(_) if write && !inner.config.may_write => {
            Some(("woocommerce_rest_authentication_error", "The API key provided does not have write permissions."))
        }
        Some(_) => None,
    };
    match refused {
        Some((code, message)) => ApiError::new(401, code, message).into_response(),
        None => next.run(request).await,
    }
}

/// Reads a JSON object body; WordPress calls anything else `rest_invalid_json`.
pub(crate) fn object(body: &Bytes) -> Result<Map<String, Value>, ApiError> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(ApiError::new(400, "rest_invalid_json", "Invalid JSON body passed.")),
    }
}

/// Keeps the top-level fields named in `_fields`, as every WordPress route does.
pub(crate) fn only_fields(value: Value, params: &Params) -> Value {
    let wanted = params.list("_fields");
    match value {
        Value::Object(object) if !wanted.is_empty() => {
            Value::Object(object.into_iter().filter(|(name, _)| wanted.contains(name)).collect())
        }
        other => other,
    }
}
