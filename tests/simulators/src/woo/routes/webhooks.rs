//! Webhook subscriptions. Creating one greets its address with an unsigned form-encoded ping before the answer goes out.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, Path, RawQuery, State as Shop};
use axum::http::Response;
use bytes::Bytes;
use serde_json::{Map, Value};

use crate::server::{Played, lock};
use crate::woo::hooks::ping;
use crate::woo::model::Webhook;
use crate::woo::routes::params::Params;
use crate::woo::routes::{ApiError, Created, Ok200, object};
use crate::woo::shop::Inner;
use crate::woo::state::State;

fn invalid_id() -> ApiError {
    ApiError::new(404, "woocommerce_rest_shop_webhook_invalid_id", "Invalid ID.")
}

fn find<'a>(state: &'a mut State, id: &str) -> Result<&'a mut Webhook, ApiError> {
    id.parse().ok().and_then(|id: i64| state.webhooks.get_mut(&id)).ok_or_else(invalid_id)
}

/// `resource.event` of the shop's own resources, or any `action.name`.
fn checked_topic(topic: &str) -> Result<&str, ApiError> {
    let known = match topic.split_once('.') {
        Some(("action", name)) => !name.is_empty(),
        Some(("order" | "product" | "coupon", event)) => ["created", "updated", "deleted", "restored"].contains(&event),
        Some(("customer", event)) => ["created", "updated", "deleted"].contains(&event),
        _ => false,
    };
    if known {
        return Ok(topic);
    }
    let message = "Webhook topic is required and must be valid.";
    Err(ApiError::new(400, "woocommerce_rest_shop_webhook_invalid_topic", message))
}

fn checked_url(url: &str) -> Result<&str, ApiError> {
    if url.starts_with("http://") || url.starts_with("https://") {
        return Ok(url);
    }
    let message = "Webhook delivery URL must be a valid URL starting with http:// or https://.";
    Err(ApiError::new(400, "woocommerce_rest_shop_webhook_invalid_delivery_url", message))
}

fn checked_status(status: &str) -> Result<&str, ApiError> {
    if ["active", "paused", "disabled"].contains(&status) {
        return Ok(status);
    }
    Err(ApiError::invalid_param("status", "status is not one of active, paused, disabled."))
}

fn text<'a>(body: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    body.get(name).and_then(Value::as_str)
}

pub(super) async fn list(
    Shop(inner): Shop<Arc<Inner>>,
    Extension(played): Extension<Played>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, ApiError> {
    let params = Params::parse(&query.unwrap_or_default());
    let status = params.one_of("status", &["all", "active", "paused", "disabled"])?;
    inner.read(|state| {
        let wanted = |hook: &&Webhook| status.is_none_or(|status| status == "all" || hook.status == status);
        let mut rows: Vec<&Webhook> = state.webhooks.values().filter(wanted).collect();
        params.sort(&mut rows, &[], |hook| (hook.id, hook.created_at, hook.modified_at, hook.name.clone()))?;
        params.page(&inner, "webhooks", &rows, played, |hook| inner.face.webhook(hook))
    })
}

pub(super) async fn show(Shop(inner): Shop<Arc<Inner>>, Path(id): Path<String>) -> Result<Ok200, ApiError> {
    inner.change(|state, _| Ok(Ok200(inner.face.webhook(find(state, &id)?))))
}

pub(super) async fn create(Shop(inner): Shop<Arc<Inner>>, body: Bytes) -> Result<Created, ApiError> {
    let body = object(&body)?;
    let topic = checked_topic(text(&body, "topic").unwrap_or_default())?.to_owned();
    let url = checked_url(text(&body, "delivery_url").unwrap_or_default())?.to_owned();
    let status = checked_status(text(&body, "status").unwrap_or("active"))?.to_owned();
    let spare_secret = lock(&inner.front.dice).hex(50);
    let id = inner.change(|state, now| {
        let id = state.next_id();
        let webhook = Webhook {
            id,
            name: text(&body, "name").map_or_else(|| format!("Webhook for {topic}"), str::to_owned),
            status: status.clone(),
            topic,
            delivery_url: url.clone(),
            secret: text(&body, "secret").map_or(spare_secret, str::to_owned),
            failures: 0,
            created_at: now,
            modified_at: now,
            ping: None,
        };
        state.webhooks.insert(id, webhook);
        id
    });
    let reception = if status == "active" { Some(inner.pinger.send(&ping(&url, id)).await) } else { None };
    inner.change(|state, _| {
        let webhook = state.webhooks.get_mut(&id).ok_or_else(invalid_id)?;
        webhook.ping = reception;
        Ok(Created(inner.face.webhook(webhook)))
    })
}

pub(super) async fn update(Shop(inner): Shop<Arc<Inner>>, Path(id): Path<String>, body: Bytes) -> Result<Ok200, ApiError> {
    let body = object(&body)?;
    let topic = text(&body, "topic").map(checked_topic).transpose()?;
    let url = text(&body, "delivery_url").map(checked_url).transpose()?;
    let status = text(&body, "status").map(checked_status).transpose()?;
    inner.change(|state, now| {
        let webhook = find(state, &id)?;
        let set = |slot: &mut String, value: Option<&str>| {
            if let Some(value) = value {
                value.clone_into(slot);
            }
        };
        set(&mut webhook.topic, topic);
        set(&mut webhook.delivery_url, url);
        set(&mut webhook.name, text(&body, "name"));
        set(&mut webhook.secret, text(&body, "secret"));
        if status == Some("active") && webhook.status != "active" {
            webhook.failures = 0;
        }
        set(&mut webhook.status, status);
        webhook.modified_at = now;
        Ok(Ok200(inner.face.webhook(webhook)))
    })
}

pub(super) async fn remove(Shop(inner): Shop<Arc<Inner>>, Path(id): Path<String>, RawQuery(query): RawQuery) -> Result<Ok200, ApiError> {
    let params = Params::parse(&query.unwrap_or_default());
    inner.change(|state, _| {
        let hook = find(state, &id)?.id;
        if !params.truthy("force") {
            return Err(ApiError::new(501, "woocommerce_rest_trash_not_supported", "Webhooks do not support trashing."));
        }
        let webhook = state.webhooks.remove(&hook).ok_or_else(invalid_id)?;
        Ok(Ok200(inner.face.webhook(&webhook)))
    })
}
