//! Products and variations: lists, single reads and writes, batches of at most 100 with an error per item.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, Path, RawQuery, State as Shop};
use axum::http::Response;
use bytes::Bytes;
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use crate::faults::Fault;
use crate::server::Played;
use crate::woo::catalogue::NewProduct;
use crate::woo::model::{Item, Kind};
use crate::woo::routes::params::Params;
use crate::woo::routes::{ApiError, Created, Ok200, items, object, only_fields};
use crate::woo::shop::Inner;
use crate::woo::state::State;

const BATCH_LIMIT: usize = 100;

fn invalid_id(status: u16) -> ApiError {
    ApiError::new(status, "woocommerce_rest_product_invalid_id", "Invalid ID.")
}

fn invalid_variation(status: u16) -> ApiError {
    ApiError::new(status, "woocommerce_rest_product_variation_invalid_id", "Invalid ID.")
}

/// A variation found through the products routes: the product's shape with the variation's facts.
fn product(inner: &Inner, state: &State, item: &Item) -> Value {
    let mut value = inner.face.product(state, item);
    if item.kind == Kind::Variation {
        value["type"] = json!("variation");
        value["parent_id"] = json!(item.parent);
    }
    value
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
    let skus = params.list("sku");
    let status = params.one_of("status", &["any", "draft", "pending", "private", "publish", "future", "trash"])?;
    let kind = params.one_of("type", &["simple", "grouped", "external", "variable", "variation"])?;
    let stock_status = params.one_of("stock_status", &["instock", "outofstock", "onbackorder"])?;
    let search = params.text("search").map(str::to_lowercase);
    inner.read(|state| {
        let wanted = |item: &&Item| {
            let listed = item.kind != Kind::Variation || !skus.is_empty();
            listed
                && (skus.is_empty() || skus.contains(&item.sku))
                && (include.is_empty() || include.contains(&item.id))
                && !exclude.contains(&item.id)
                && status.is_none_or(|status| status == "any" || item.status == status)
                && kind.is_none_or(|kind| kind == kind_name(item.kind))
                && search.as_ref().is_none_or(|text| item.name.to_lowercase().contains(text) || item.sku.to_lowercase().contains(text))
                && window(item.created_at, item.modified_at)
        };
        let mut rows: Vec<&Item> = state.items.values().filter(wanted).collect();
        if let Some(stock_status) = stock_status {
            rows.retain(|item| inner.face.item(state, item)["stock_status"] == stock_status);
        }
        params.sort(&mut rows, &include, |item| (item.id, item.created_at, item.modified_at, item.name.clone()))?;
        params.page(&inner, "products", &rows, played, |item| product(&inner, state, item))
    })
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Simple => "simple",
        Kind::Variable => "variable",
        Kind::Variation => "variation",
    }
}

pub(super) async fn show(Shop(inner): Shop<Arc<Inner>>, Path(id): Path<String>, RawQuery(query): RawQuery) -> Result<Ok200, ApiError> {
    let params = Params::parse(&query.unwrap_or_default());
    inner.read(|state| {
        let item = number(&id).and_then(|id| state.items.get(&id)).ok_or_else(|| invalid_id(404))?;
        Ok(Ok200(only_fields(product(&inner, state, item), &params)))
    })
}

fn number(id: &str) -> Option<i64> {
    id.parse().ok()
}

pub(super) async fn create(Shop(inner): Shop<Arc<Inner>>, body: Bytes) -> Result<Created, ApiError> {
    let body = object(&body)?;
    inner.change(|state, now| create_one(&inner, state, &body, now).map(Created))
}

fn create_one(inner: &Inner, state: &mut State, body: &Map<String, Value>, now: i64) -> Result<Value, ApiError> {
    let name = body.get("name").and_then(Value::as_str).unwrap_or("Product");
    let id = state.add_item(NewProduct::new("", name, Decimal::ZERO), Kind::Simple, 0, now);
    let counted = body.get("manage_stock") == Some(&Value::Bool(true));
    if let Some(item) = state.items.get_mut(&id) {
        item.regular_price = None;
        item.manage_stock = if counted { item.manage_stock } else { crate::woo::model::ManageStock::No };
    }
    if let Err(refused) = items::apply(state, id, body, now) {
        state.items.remove(&id);
        return Err(refused);
    }
    state.events.retain(|event| event.resource != id);
    state.announce("product.created", id);
    state.items.get(&id).map(|item| product(inner, state, item)).ok_or_else(|| invalid_id(400))
}

fn update_one(inner: &Inner, state: &mut State, id: Option<i64>, body: &Map<String, Value>, now: i64) -> Result<Value, ApiError> {
    let id = id.ok_or_else(|| invalid_id(400))?;
    let item = state.items.get(&id).ok_or_else(|| invalid_id(400))?;
    if item.kind == Kind::Variation {
        return Err(ApiError::new(
            404,
            "woocommerce_rest_invalid_product_id",
            "To manipulate product variations you should use the /products/<product_id>/variations/<id> endpoint.",
        ));
    }
    items::apply(state, id, body, now)?;
    state.items.get(&id).map(|item| product(inner, state, item)).ok_or_else(|| invalid_id(400))
}

pub(super) async fn update(Shop(inner): Shop<Arc<Inner>>, Path(id): Path<String>, body: Bytes) -> Result<Ok200, ApiError> {
    let body = object(&body)?;
    inner.change(|state, now| update_one(&inner, state, number(&id), &body, now).map(Ok200))
}

// Variations

pub(super) async fn variations(
    Shop(inner): Shop<Arc<Inner>>,
    Extension(played): Extension<Played>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, ApiError> {
    let params = Params::parse(&query.unwrap_or_default());
    let window = params.window(&inner)?;
    let include = params.ids("include")?;
    let skus = params.list("sku");
    let path = format!("products/{id}/variations");
    inner.read(|state| {
        let parent = number(&id).filter(|id| state.items.contains_key(id)).ok_or_else(|| invalid_id(404))?;
        let wanted = |item: &&Item| {
            item.parent == parent
                && (include.is_empty() || include.contains(&item.id))
                && (skus.is_empty() || skus.contains(&item.sku))
                && window(item.created_at, item.modified_at)
        };
        let mut rows: Vec<&Item> = state.items.values().filter(wanted).collect();
        params.sort(&mut rows, &include, |item| (item.id, item.created_at, item.modified_at, item.name.clone()))?;
        params.page(&inner, &path, &rows, played, |item| inner.face.variation(state, item))
    })
}

pub(super) async fn show_variation(
    Shop(inner): Shop<Arc<Inner>>,
    Path((id, variation)): Path<(String, String)>,
) -> Result<Ok200, ApiError> {
    inner.read(|state| {
        let item = number(&variation).and_then(|id| state.items.get(&id)).ok_or_else(|| invalid_variation(404))?;
        if Some(item.parent) != number(&id) {
            return Err(invalid_variation(404));
        }
        Ok(Ok200(inner.face.variation(state, item)))
    })
}

fn update_variation_of(
    inner: &Inner,
    state: &mut State,
    parent: Option<i64>,
    id: Option<i64>,
    body: &Map<String, Value>,
    now: i64,
) -> Result<Value, ApiError> {
    let found = id.and_then(|id| state.items.get(&id)).filter(|item| item.kind == Kind::Variation);
    let id = found.filter(|item| Some(item.parent) == parent).map(|item| item.id).ok_or_else(|| invalid_variation(400))?;
    items::apply(state, id, body, now)?;
    state.items.get(&id).map(|item| inner.face.variation(state, item)).ok_or_else(|| invalid_variation(400))
}

pub(super) async fn update_variation(
    Shop(inner): Shop<Arc<Inner>>,
    Path((id, variation)): Path<(String, String)>,
    body: Bytes,
) -> Result<Ok200, ApiError> {
    let body = object(&body)?;
    inner.change(|state, now| update_variation_of(&inner, state, number(&id), number(&variation), &body, now).map(Ok200))
}

// Batches

pub(super) async fn batch(Shop(inner): Shop<Arc<Inner>>, Extension(played): Extension<Played>, body: Bytes) -> Result<Ok200, ApiError> {
    let body = object(&body)?;
    inner.change(|state, now| {
        run_batch(&body, played, |part, id, item| match part {
            "create" => create_one(&inner, state, item, now),
            _ => update_one(&inner, state, id, item, now),
        })
    })
}

pub(super) async fn batch_variations(
    Shop(inner): Shop<Arc<Inner>>,
    Extension(played): Extension<Played>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Ok200, ApiError> {
    let body = object(&body)?;
    inner.change(|state, now| {
        run_batch(&body, played, |part, variation, item| match part {
            "create" => Err(ApiError::new(400, "woocommerce_rest_not_simulated", "Creating variations is not simulated.")),
            _ => update_variation_of(&inner, state, number(&id), variation, item, now),
        })
    })
}

/// Runs each item on its own; an item that fails becomes `{id, error}` and the batch itself still answers 200.
pub(super) fn run_batch(
    body: &Map<String, Value>,
    played: Played,
    mut one: impl FnMut(&str, Option<i64>, &Map<String, Value>) -> Result<Value, ApiError>,
) -> Result<Ok200, ApiError> {
    let list = |part: &str| body.get(part).and_then(Value::as_array).cloned().unwrap_or_default();
    let size = list("create").len() + list("update").len() + list("delete").len();
    if size > BATCH_LIMIT {
        return Err(ApiError::new(
            413,
            "woocommerce_rest_request_entity_too_large",
            format!("Unable to accept more than {BATCH_LIMIT} items for this request."),
        ));
    }
    let mut answer = Map::new();
    for part in ["create", "update"] {
        let mut rows = Vec::new();
        for (index, item) in list(part).iter().enumerate() {
            let empty = Map::new();
            let item = item.as_object().unwrap_or(&empty);
            let id = item.get("id").and_then(|id| id.as_i64().or_else(|| id.as_str()?.parse().ok()));
            let result = if played.0 == Some(Fault::PartialBatch) && index % 2 == 1 {
                Err(ApiError::new(500, "woocommerce_rest_database_error", "Database error, please try again."))
            } else {
                one(part, id, item)
            };
            rows.push(result.unwrap_or_else(|refused| refused.in_batch(id.unwrap_or_default())));
        }
        if !rows.is_empty() {
            answer.insert(part.to_owned(), Value::Array(rows));
        }
    }
    let deletes: Vec<Value> = list("delete")
        .iter()
        .map(|id| {
            ApiError::new(501, "woocommerce_rest_not_simulated", "Deleting is not simulated.").in_batch(id.as_i64().unwrap_or_default())
        })
        .collect();
    if !deletes.is_empty() {
        answer.insert("delete".to_owned(), Value::Array(deletes));
    }
    Ok(Ok200(Value::Object(answer)))
}
