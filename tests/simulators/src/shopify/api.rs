//! The two addresses of the shop: the token endpoint and the GraphQL endpoint, with the channel's own ways of refusing.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use apollo_compiler::resolvers::Execution;
use apollo_compiler::response::{GraphQLError, JsonMap};
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};
use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, Method, Response, StatusCode};
use axum::routing::{get, post};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::faults::Fault;
use crate::server::{Manners, Played, json as answer, lock, set_header};
use crate::shopify::bulk_files;
use crate::shopify::cost::{SINGLE_QUERY_LIMIT, points};
use crate::shopify::facts::API_VERSION;
use crate::shopify::graph::{Ctx, Node};
use crate::shopify::keyed::keys_of;
use crate::shopify::shop::Inner;
use crate::shopify::thing::Thing;

/// The part of the API this shop answers, as GraphQL SDL.
pub const SCHEMA: &str = include_str!("schema.graphql");

static PARSED: LazyLock<Option<Valid<Schema>>> = LazyLock::new(|| Schema::parse_and_validate(SCHEMA, "schema.graphql").ok());

/// Parsed once.
pub(crate) fn schema() -> Option<&'static Valid<Schema>> {
    PARSED.as_ref()
}

pub(crate) fn router(inner: Arc<Inner>) -> Router {
    Router::new()
        .route("/admin/oauth/access_token", post(token))
        .route("/admin/api/{version}/graphql.json", post(graphql))
        .route("/admin/bulk-operation-outputs/{file}", get(bulk_files::file))
        .fallback(|| async { answer(StatusCode::NOT_FOUND, &json!({ "errors": "Not Found" })) })
        .with_state(inner)
}

pub(crate) struct ShopifyManners;

fn refused_token() -> Response<Body> {
    let words = "[API] Invalid API key or access token (unrecognized login or wrong password)";
    answer(StatusCode::UNAUTHORIZED, &json!({ "errors": words }))
}

fn throttled(cost: &Value) -> Response<Body> {
    answer(
        StatusCode::OK,
        &json!({
            "errors": [{ "message": "Throttled", "extensions": { "code": "THROTTLED",
                "documentation": "https://shopify.dev/api/usage/rate-limits" } }],
            "extensions": { "cost": cost },
        }),
    )
}

impl Manners for ShopifyManners {
    fn is_write(&self, _: &Method, target: &str, body: &[u8]) -> bool {
        let query = serde_json::from_slice::<Value>(body).ok();
        let query = query.as_ref().and_then(|body| body.get("query")).and_then(Value::as_str).unwrap_or_default();
        target.contains("graphql") && query.split(['{', '(', ' ', '\n']).any(|word| word == "mutation")
    }

    fn refusal(&self, fault: Fault, retry_after_s: Option<u32>) -> Response<Body> {
        match fault {
            Fault::Throttle => {
                let mut response = throttled(&json!({
                    "requestedQueryCost": 100, "actualQueryCost": null,
                    "throttleStatus": { "maximumAvailable": 2000.0, "currentlyAvailable": 10, "restoreRate": 100.0 },
                }));
                if let Some(seconds) = retry_after_s {
                    set_header(response.headers_mut(), "retry-after", &seconds.to_string());
                }
                response
            }
            Fault::RefuseCredentials => refused_token(),
            _ => answer(
                StatusCode::OK,
                &json!({ "errors": [{
                    "message": "Internal error. Looks like something went wrong on our end.\nRequest ID: simulated",
                    "extensions": { "code": "INTERNAL_SERVER_ERROR", "requestId": "simulated" },
                }] }),
            ),
        }
    }
}

/// The client-credentials grant: a token for the shop the app is installed in, good for a day.
async fn token(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let as_json = headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let field = |name: &str| -> String {
        if as_json {
            let value: Value = serde_json::from_slice(&body).unwrap_or_default();
            return value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        }
        url::form_urlencoded::parse(&body).find(|(known, _)| known == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let refuse = |error: &str, words: &str| answer(StatusCode::BAD_REQUEST, &json!({ "error": error, "error_description": words }));
    if field("grant_type") != "client_credentials" {
        return refuse("unsupported_grant_type", "The grant_type must be client_credentials.");
    }
    if field("client_id") != inner.config.client_id {
        return refuse("application_cannot_be_found", "The application cannot be found.");
    }
    if field("client_secret") != inner.config.client_secret {
        return refuse("invalid_client", "The client secret is wrong.");
    }
    let token = format!("shpca_{}", lock(&inner.front.dice).hex(32));
    let lifetime_s = inner.config.token_lifetime_s;
    lock(&inner.tokens).insert(token.clone(), inner.front.now() + lifetime_s * 1000);
    answer(StatusCode::OK, &json!({ "access_token": token, "scope": inner.config.scopes.join(","), "expires_in": lifetime_s }))
}

async fn graphql(
    State(inner): State<Arc<Inner>>,
    Path(version): Path<String>,
    Extension(played): Extension<Played>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let given = headers.get("x-shopify-access-token").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let now = inner.front.now();
    if lock(&inner.tokens).get(given).is_none_or(|until| *until <= now) {
        return refused_token();
    }
    if version != API_VERSION {
        return answer(StatusCode::NOT_FOUND, &json!({ "errors": "Not Found" }));
    }
    let Ok(request) = serde_json::from_slice::<Value>(&body) else {
        return answer(StatusCode::BAD_REQUEST, &json!({ "errors": "Bad Request: the body is not JSON" }));
    };
    let mut response = execute(&inner, &request, played.0, now).await;
    set_header(response.headers_mut(), "x-shopify-api-version", API_VERSION);
    response
}

/// Top-level errors in GraphQL's shape. A resolver puts a code of the API before its words.
fn errors(found: impl IntoIterator<Item = GraphQLError>, default_code: Option<&str>) -> Value {
    let shown = found.into_iter().map(|error| {
        let mut error = serde_json::to_value(error).unwrap_or_default();
        let message = error["message"].as_str().unwrap_or_default();
        let message = message.strip_prefix("resolver error: ").unwrap_or(message).to_owned();
        let (code, message) = match message.split_once('|') {
            Some((code, words)) => (Some(code.to_owned()), words.to_owned()),
            None => (default_code.map(str::to_owned), message),
        };
        error["message"] = json!(message);
        if let Some(code) = code {
            error["extensions"]["code"] = json!(code);
        }
        error
    });
    Value::Array(shown.collect())
}

/// Marks keys as worked on for as long as it lives, so that a request that ends early leaves none behind.
struct Begun<'a> {
    inner: &'a Inner,
    keys: BTreeSet<String>,
}

impl<'a> Begun<'a> {
    fn new<'k>(inner: &'a Inner, keys: impl Iterator<Item = &'k String>) -> Self {
        let mut state = lock(&inner.state);
        let keys = keys.filter(|key| state.memory.begin(key)).cloned().collect();
        Self { inner, keys }
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.inner.state);
        for key in &self.keys {
            state.memory.end(key);
        }
    }
}

async fn execute(inner: &Inner, request: &Value, fault: Option<Fault>, now: i64) -> Response<Body> {
    let ok = |body: Value| answer(StatusCode::OK, &body);
    let Some(schema) = schema() else {
        return answer(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "errors": "the simulator's schema does not parse" }));
    };
    let query = request.get("query").and_then(Value::as_str).unwrap_or_default();
    let document = match ExecutableDocument::parse_and_validate(schema, query, "query") {
        Ok(document) => document,
        Err(wrong) => {
            let found = wrong.errors.iter().map(|diagnostic| diagnostic.to_json());
            return ok(json!({ "errors": errors(found, Some("GRAPHQL_VALIDATION_FAILED")) }));
        }
    };
    let name = request.get("operationName").and_then(Value::as_str);
    let operation = match document.operations.get(name) {
        Ok(operation) => operation,
        Err(wrong) => {
            return ok(json!({ "errors": errors([wrong.to_graphql_error(&document.sources)], None) }));
        }
    };
    let given: JsonMap = serde_json::from_value(request.get("variables").filter(|given| given.is_object()).cloned().unwrap_or(json!({})))
        .unwrap_or_default();
    let variables = match apollo_compiler::request::coerce_variable_values(schema, operation, &given) {
        Ok(variables) => variables,
        Err(wrong) => {
            let found = [wrong.to_graphql_error(&document.sources)];
            return ok(json!({ "errors": errors(found, Some("INVALID_VARIABLE")) }));
        }
    };
    let plain_variables = serde_json::to_value(&*variables).unwrap_or_default();
    let requested = points(&document, &operation.selection_set, &plain_variables, None);
    if requested > SINGLE_QUERY_LIMIT {
        let message = format!("Query cost is {requested}, which exceeds the single query max cost limit ({SINGLE_QUERY_LIMIT}).");
        return ok(json!({ "errors": [{ "message": message, "extensions": { "code": "MAX_COST_EXCEEDED",
            "cost": requested, "maxCost": SINGLE_QUERY_LIMIT } }] }));
    }
    if !lock(&inner.bucket).take(requested, now) {
        return throttled(&lock(&inner.bucket).status(requested, None, now));
    }
    let keys = keys_of(operation, &document, &plain_variables);
    let begun = Begun::new(inner, keys.values());
    let hold_ms = lock(&inner.front.faults).write_hold_ms;
    if operation.is_mutation() && hold_ms > 0 {
        tokio::time::sleep(Duration::from_millis(hold_ms)).await;
    }
    let (body, mut shown, warnings) = {
        let ctx = Ctx { inner, now, keys: &keys, begun: &begun.keys, fault, warnings: RefCell::default(), whole_lists: false };
        let root = Node::root(&ctx, if operation.is_mutation() { Thing::Mutation } else { Thing::Query });
        let executed = Execution::new(schema, &document).operation(operation).coerced_variable_values(&variables).execute_sync(&root);
        match executed {
            Ok(executed) => {
                let data = serde_json::to_value(&executed.data).unwrap_or_default();
                (data, errors(executed.errors, None), ctx.warnings.take())
            }
            Err(wrong) => {
                let found = errors([wrong.to_graphql_error(&document.sources)], None);
                return ok(json!({ "errors": found }));
            }
        }
    };
    drop(begun);
    inner.change(|_, _| ());
    let actual = points(&document, &operation.selection_set, &plain_variables, Some(&body)).min(requested);
    lock(&inner.bucket).give_back(requested - actual);
    let mut response = json!({
        "data": body, "extensions": { "cost": lock(&inner.bucket).status(requested, Some(actual), now) },
    });
    if shown.as_array().is_some_and(|found| !found.is_empty()) {
        response["errors"] = shown.take();
    }
    if !warnings.is_empty() {
        response["extensions"]["search"] = Value::Array(warnings);
    }
    ok(response)
}
