//! The route of the shipment-tracking extension; only there when the shop has it installed.

use std::sync::Arc;

use axum::extract::{Path, State as Shop};
use bytes::Bytes;
use serde_json::Value;

use crate::server::lock;
use crate::woo::model::Tracking;
use crate::woo::routes::orders::{find, invalid_id};
use crate::woo::routes::{ApiError, Created, Ok200, object};
use crate::woo::shop::Inner;
use crate::woo::tracking;

pub(super) async fn list(Shop(inner): Shop<Arc<Inner>>, Path(id): Path<String>) -> Result<Ok200, ApiError> {
    inner.read(|state| {
        let order = find(state, &id)?;
        Ok(Ok200(tracking::of(order).iter().map(|parcel| inner.face.tracking(parcel, order.modified_at)).collect()))
    })
}

pub(super) async fn create(Shop(inner): Shop<Arc<Inner>>, Path(id): Path<String>, body: Bytes) -> Result<Created, ApiError> {
    let body = object(&body)?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    let missing = || ApiError::new(400, "rest_missing_callback_param", "Missing parameter(s): tracking_number");
    let parcel = Tracking {
        id: lock(&inner.front.dice).hex(32),
        provider: text("tracking_provider").or_else(|| text("custom_tracking_provider")).unwrap_or_default(),
        number: text("tracking_number").ok_or_else(missing)?,
        link: text("custom_tracking_link").unwrap_or_default(),
    };
    inner.change(|state, now| {
        let order_id = find(state, &id)?.id;
        let meta_id = state.next_id();
        let order = state.orders.get_mut(&order_id).ok_or_else(|| invalid_id(404))?;
        tracking::add(order, &parcel, now, meta_id);
        order.modified_at = now;
        state.announce("order.updated", order_id);
        Ok(Created(inner.face.tracking(&parcel, now)))
    })
}

pub(super) async fn remove(Shop(inner): Shop<Arc<Inner>>, Path((id, tracking_id)): Path<(String, String)>) -> Result<Ok200, ApiError> {
    inner.change(|state, now| {
        let order = find(state, &id)?;
        let found = tracking::of(order).into_iter().find(|parcel| parcel.id == tracking_id);
        let missing = || ApiError::new(404, "woocommerce_rest_order_shipment_tracking_invalid_id", "Invalid ID.");
        let answer = inner.face.tracking(&found.ok_or_else(missing)?, now);
        let order_id = order.id;
        if let Some(order) = state.orders.get_mut(&order_id) {
            tracking::remove(order, &tracking_id);
        }
        Ok(Ok200(answer))
    })
}
