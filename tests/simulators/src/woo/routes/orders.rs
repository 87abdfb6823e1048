//! Orders: lists with date windows, single reads, the few writes a hub makes (status, custom fields, notes).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, Path, RawQuery, State as Shop};
use axum::http::Response;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::server::Played;
use crate::woo::model::{Note, Order};
use crate::woo::routes::items::{merge_meta, meta_data};
use crate::woo::routes::params::Params;
use crate::woo::routes::products::run_batch;
use crate::woo::routes::{ApiError, Created, Ok200, object, only_fields};
use crate::woo::shop::Inner;
use crate::woo::state::State;

const STATUSES: [&str; 7] = ["pending", "processing", "on-hold", "completed", "cancelled", "refunded", "failed"];

pub(super) fn invalid_id(status: u16) -> ApiError {
    ApiError::new(status, "woocommerce_rest_shop_order_invalid_id", "Invalid ID.")
}

pub(super) fn find<'a>(state: &'a State, id: &str) -> Result<&'a Order, ApiError> {
    id.parse().ok().and_then(|id: i64| state.orders.get(&id)).ok_or_else(|| invalid_id(404))
}

pub(super) async fn list(
    Shop(inner): Shop<Arc<Inner>>,
    Extension(played): Extension<Played>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, ApiError> {
    let params = Params::parse(&query.unwrap_or_default());
    let window = params.window(&inner)?;
    let include = params.ids("include")?;
    let exclude = params.ids("exclude")?;
    let product = params.ids("product")?;
    let statuses = params.list("status");
    for (index, status) in statuses.iter().enumerate() {
        if !STATUSES.contains(&status.as_str()) && !["any", "trash"].contains(&status.as_str()) {
            let why = format!("status[{index}] is not one of any, trash, {}.", STATUSES.join(", "));
            return Err(ApiError::invalid_param("status", &why));
        }
    }
    let any = statuses.is_empty() || statuses.iter().any(|status| status == "any");
    inner.read(|state| {
        let wanted = |order: &&Order| {
            (if any { order.status != "trash" } else { statuses.contains(&order.status) })
                && (include.is_empty() || include.contains(&order.id))
                && !exclude.contains(&order.id)
                && (product.is_empty() || order.lines.iter().any(|line| product.contains(&line.product)))
                && window(order.created_at, order.modified_at)
        };
        let mut rows: Vec<&Order> = state.orders.values().filter(wanted).collect();
        params.sort(&mut rows, &include, |order| (order.id, order.created_at, order.modified_at, order.key.clone()))?;
        params.page(&inner, "orders", &rows, played, |order| inner.face.order(state, order))
    })
}

pub(super) async fn show(Shop(inner): Shop<Arc<Inner>>, Path(id): Path<String>, RawQuery(query): RawQuery) -> Result<Ok200, ApiError> {
    let params = Params::parse(&query.unwrap_or_default());
    inner.read(|state| Ok(Ok200(only_fields(inner.face.order(state, find(state, &id)?), &params))))
}

fn update_one(inner: &Inner, state: &mut State, id: Option<i64>, body: &Map<String, Value>, now: i64) -> Result<Value, ApiError> {
    let id = id.filter(|id| state.orders.contains_key(id)).ok_or_else(|| invalid_id(400))?;
    let text = |name: &str| match body.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(ApiError::invalid_param(name, &format!("{name} is not of type string."))),
    };
    let status = text("status")?;
    if let Some(status) = &status
        && !STATUSES.contains(&status.as_str())
    {
        return Err(ApiError::invalid_param("status", &format!("status is not one of {}.", STATUSES.join(", "))));
    }
    let (note, transaction) = (text("customer_note")?, text("transaction_id")?);
    let metas = meta_data(body)?;
    let fresh_ids: Vec<i64> = metas.iter().map(|_| state.next_id()).collect();
    for name in body.keys() {
        if !["id", "status", "customer_note", "transaction_id", "meta_data", "set_paid"].contains(&name.as_str()) {
            state.oddities.push(format!("order field {name} is not simulated for writing: ignored"));
        }
    }
    let paid = body.get("set_paid") == Some(&json!(true));
    let Some(order) = state.orders.get_mut(&id) else {
        return Err(invalid_id(400));
    };
    order.note = note.unwrap_or_else(|| order.note.clone());
    order.transaction_id = transaction.unwrap_or_else(|| order.transaction_id.clone());
    merge_meta(&mut order.meta, metas, fresh_ids);
    let unpaid = order.paid_at.is_none();
    let status = status.or_else(|| (paid && unpaid).then(|| "processing".to_owned()));
    let status = status.unwrap_or_else(|| order.status.clone());
    state.set_status(id, &status, now);
    state.orders.get(&id).map(|order| inner.face.order(state, order)).ok_or_else(|| invalid_id(400))
}

pub(super) async fn update(Shop(inner): Shop<Arc<Inner>>, Path(id): Path<String>, body: Bytes) -> Result<Ok200, ApiError> {
    let body = object(&body)?;
    inner.change(|state, now| update_one(&inner, state, id.parse().ok(), &body, now).map(Ok200))
}

pub(super) async fn batch(Shop(inner): Shop<Arc<Inner>>, Extension(played): Extension<Played>, body: Bytes) -> Result<Ok200, ApiError> {
    let body = object(&body)?;
    inner.change(|state, now| {
        run_batch(&body, played, |part, id, item| match part {
            "create" => Err(ApiError::new(400, "woocommerce_rest_not_simulated", "Creating orders is not simulated.")),
            _ => update_one(&inner, state, id, item, now),
        })
    })
}

pub(super) async fn notes(Shop(inner): Shop<Arc<Inner>>, Path(id): Path<String>) -> Result<Ok200, ApiError> {
    inner.read(|state| {
        let order = find(state, &id)?;
        Ok(Ok200(order.notes.iter().rev().map(|note| inner.face.note(order.id, note)).collect()))
    })
}

pub(super) async fn add_note(Shop(inner): Shop<Arc<Inner>>, Path(id): Path<String>, body: Bytes) -> Result<Created, ApiError> {
    let body = object(&body)?;
    let missing = || ApiError::new(400, "rest_missing_callback_param", "Missing parameter(s): note");
    let text = body.get("note").and_then(Value::as_str).ok_or_else(missing)?.to_owned();
    let to_customer = body.get("customer_note") == Some(&json!(true));
    let author = if body.get("added_by_user") == Some(&json!(true)) { "admin" } else { "WooCommerce" };
    inner.change(|state, now| {
        let note = Note { id: state.next_id(), at: now, author: author.to_owned(), text, to_customer };
        let order = find(state, &id)?.id;
        let answer = inner.face.note(order, &note);
        if let Some(order) = state.orders.get_mut(&order) {
            order.notes.push(note);
        }
        Ok(Created(answer))
    })
}
