//! What a client asks first: which API is this, which version, which currency.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use axum::response::IntoResponse;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::woo::routes::{ApiError, Ok200};
use crate::woo::shop::Inner;

const VERSION: &str = "11.0.1";

pub(super) async fn root(State(inner): State<Arc<Inner>>) -> Ok200 {
    let face = &inner.face;
    Ok200(json!({
        "name": "Simulated shop", "description": "", "url": face.origin, "home": face.origin,
        "gmt_offset": hours(face.zone_offset_minutes), "timezone_string": "",
        "namespaces": ["oembed/1.0", "wc/v1", "wc/v2", "wc/v3", "wp/v2"],
        "authentication": [], "routes": {},
    }))
}

pub(super) async fn namespace(State(inner): State<Arc<Inner>>) -> Ok200 {
    let routes = ["products", "orders", "webhooks", "settings", "system_status"];
    let routes: serde_json::Map<String, Value> = routes
        .into_iter()
        .map(|name| {
            let href = format!("{}/wp-json/wc/v3/{name}", inner.face.origin);
            (
                format!("/wc/v3/{name}"),
                json!({ "namespace": "wc/v3", "methods": ["GET", "POST"],
                "_links": { "self": [{ "href": href }] } }),
            )
        })
        .collect();
    Ok200(json!({ "namespace": "wc/v3", "routes": routes }))
}

pub(super) async fn system_status(State(inner): State<Arc<Inner>>) -> Ok200 {
    let origin = &inner.face.origin;
    Ok200(json!({
        "environment": {
            "home_url": origin, "site_url": origin, "version": VERSION, "wp_version": "7.0", "wp_multisite": false,
            "wp_memory_limit": 268_435_456, "wp_debug_mode": false, "wp_cron": true, "language": "en_US",
            "server_info": "nginx", "php_version": "8.4.1", "default_timezone": "UTC",
        },
        "active_plugins": [],
        "settings": {
            "api_enabled": true, "force_ssl": false, "currency": inner.config.currency,
            "currency_position": "left", "thousand_separator": ",", "decimal_separator": ".",
            "number_of_decimals": inner.config.decimals, "geolocation_enabled": false,
        },
    }))
}

/// Hours east of UTC as WordPress writes them: `1`, `5.5`.
fn hours(minutes: i32) -> Value {
    let hours = Decimal::from(minutes).checked_div(Decimal::from(60)).unwrap_or_default();
    serde_json::from_str(&hours.normalize().to_string()).unwrap_or(Value::Null)
}

fn options(inner: &Inner, group: &str) -> Vec<Value> {
    let base = format!("{}/wp-json/wc/v3/settings/{group}", inner.face.origin);
    let option = |id: &str, label: &str, kind: &str, value: Value| {
        json!({
            "id": id, "label": label, "description": "", "type": kind, "default": "", "tip": "", "value": value, "group_id": group,
            "_links": { "self": [{ "href": format!("{base}/{id}") }], "collection": [{ "href": base }] },
        })
    };
    match group {
        "general" => vec![
            option("woocommerce_default_country", "Country / State", "select", json!("DE")),
            option("woocommerce_calc_taxes", "Enable taxes", "checkbox", json!("yes")),
            option("woocommerce_currency", "Currency", "select", json!(inner.config.currency)),
            option("woocommerce_currency_pos", "Currency position", "select", json!("left")),
            option("woocommerce_price_num_decimals", "Number of decimals", "number", json!(inner.config.decimals.to_string())),
        ],
        "products" => vec![
            option("woocommerce_weight_unit", "Weight unit", "select", json!("kg")),
            option("woocommerce_dimension_unit", "Dimensions unit", "select", json!("cm")),
            option("woocommerce_manage_stock", "Manage stock", "checkbox", json!("yes")),
        ],
        _ => Vec::new(),
    }
}

pub(super) async fn settings(State(inner): State<Arc<Inner>>) -> Ok200 {
    let group = |id: &str, label: &str| {
        let link = format!("{}/wp-json/wc/v3/settings/{id}", inner.face.origin);
        json!({ "id": id, "label": label, "description": "", "parent_id": "", "sub_groups": [],
            "_links": { "options": [{ "href": link }] } })
    };
    Ok200(json!([group("general", "General"), group("products", "Products")]))
}

pub(super) async fn setting_group(State(inner): State<Arc<Inner>>, Path(group): Path<String>) -> Response<Body> {
    let found = options(&inner, &group);
    if found.is_empty() {
        return ApiError::new(404, "rest_setting_setting_group_invalid", "Invalid setting group.").into_response();
    }
    Ok200(Value::Array(found)).into_response()
}

pub(super) async fn setting(State(inner): State<Arc<Inner>>, Path((group, id)): Path<(String, String)>) -> Response<Body> {
    match options(&inner, &group).into_iter().find(|option| option["id"] == id.as_str()) {
        Some(option) => Ok200(option).into_response(),
        None => ApiError::new(404, "rest_setting_setting_invalid", "Invalid setting.").into_response(),
    }
}

pub(super) async fn shipping_methods(State(inner): State<Arc<Inner>>) -> Ok200 {
    let method = |id: &str, title: &str| {
        let base = format!("{}/wp-json/wc/v3/shipping_methods", inner.face.origin);
        json!({ "id": id, "title": title, "description": "",
            "_links": { "self": [{ "href": format!("{base}/{id}") }], "collection": [{ "href": base }] } })
    };
    Ok200(json!([method("flat_rate", "Flat rate"), method("free_shipping", "Free shipping"), method("local_pickup", "Local pickup")]))
}

pub(super) async fn currency(State(inner): State<Arc<Inner>>) -> Ok200 {
    let code = &inner.config.currency;
    let base = format!("{}/wp-json/wc/v3/data/currencies", inner.face.origin);
    Ok200(json!({ "code": code, "name": code, "symbol": code,
        "_links": { "self": [{ "href": format!("{base}/{code}") }], "collection": [{ "href": base }] } }))
}
