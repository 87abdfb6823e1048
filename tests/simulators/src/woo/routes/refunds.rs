//! Refunds of an order. `api_refund` (true unless said otherwise) would move money through the payment gateway, which the
//! simulated payment method cannot do, exactly as a bank transfer cannot.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, Path, RawQuery, State as Shop};
use axum::http::Response;
use bytes::Bytes;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::server::Played;
use crate::woo::model::Refund;
use crate::woo::orders::NewRefund;
use crate::woo::routes::orders::{find, invalid_id};
use crate::woo::routes::params::Params;
use crate::woo::routes::{ApiError, Created, Ok200, object};
use crate::woo::shop::Inner;

pub(super) async fn list(
    Shop(inner): Shop<Arc<Inner>>,
    Extension(played): Extension<Played>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, ApiError> {
    let params = Params::parse(&query.unwrap_or_default());
    inner.read(|state| {
        let order = find(state, &id)?;
        let mut rows: Vec<&Refund> = order.refunds.iter().collect();
        params.sort(&mut rows, &[], |refund| (refund.id, refund.at, refund.at, String::new()))?;
        params.page(&inner, &format!("orders/{}/refunds", order.id), &rows, played, |refund| inner.face.refund(order, refund))
    })
}

pub(super) async fn show(Shop(inner): Shop<Arc<Inner>>, Path((id, refund)): Path<(String, String)>) -> Result<Ok200, ApiError> {
    inner.read(|state| {
        let order = find(state, &id)?;
        let found = order.refunds.iter().find(|known| known.id.to_string() == refund);
        let missing = || ApiError::new(404, "woocommerce_rest_shop_order_refund_invalid_id", "Invalid ID.");
        Ok(Ok200(inner.face.refund(order, found.ok_or_else(missing)?)))
    })
}

pub(super) async fn create(Shop(inner): Shop<Arc<Inner>>, Path(id): Path<String>, body: Bytes) -> Result<Created, ApiError> {
    let body = object(&body)?;
    let money = |value: &Value| -> Option<Decimal> {
        match value {
            Value::String(text) => text.parse().ok(),
            Value::Number(number) => number.to_string().parse().ok(),
            _ => None,
        }
    };
    let amount = body.get("amount").and_then(money);
    if body.get("api_refund") != Some(&json!(false)) {
        return Err(ApiError::new(
            500,
            "woocommerce_rest_cannot_create_order_refund",
            "The payment gateway for this order does not support automatic refunds.",
        ));
    }
    let restock = body.get("api_restock") != Some(&json!(false));
    let reason = body.get("reason").and_then(Value::as_str).unwrap_or_default().to_owned();
    inner.change(|state, now| {
        let order = find(state, &id)?;
        let order_id = order.id;
        let mut lines = Vec::new();
        for line in body.get("line_items").and_then(Value::as_array).unwrap_or(&Vec::new()) {
            let line_id = line.get("id").and_then(Value::as_i64).unwrap_or_default();
            let units = line.get("quantity").and_then(Value::as_i64).unwrap_or_default();
            let known = order.lines.iter().find(|known| known.id == line_id);
            if known.is_none_or(|known| units < 0 || units > known.quantity - known.refunded) {
                return Err(ApiError::invalid_param("line_items", "The refunded quantity is more than what is left of the line."));
            }
            lines.push((line_id, units, line.get("refund_total").and_then(money).unwrap_or_default()));
        }
        let amount = amount.unwrap_or_else(|| lines.iter().map(|(_, _, net)| *net).sum());
        let left = order.total() - order.refunds.iter().map(|refund| refund.amount).sum::<Decimal>();
        if amount <= Decimal::ZERO || amount > left {
            return Err(ApiError::new(400, "woocommerce_rest_invalid_order_refund_amount", "Invalid refund amount."));
        }
        let refund = NewRefund { amount, reason, lines, restock, paid_back: false };
        let refund_id = state.refund(order_id, refund, now).map_err(|_| invalid_id(404))?;
        let order = state.orders.get(&order_id).ok_or_else(|| invalid_id(404))?;
        let refund = order.refunds.iter().find(|refund| refund.id == refund_id).ok_or_else(|| invalid_id(404))?;
        Ok(Created(inner.face.refund(order, refund)))
    })
}
