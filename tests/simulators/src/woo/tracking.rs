//! Parcels of an order. WooCommerce itself has no field for them; the widespread shipment-tracking extension keeps a list
//! in the order's custom field `_wc_shipment_tracking_items`, and so does everybody who wants to be read by it.

use serde_json::{Value, json};

use crate::woo::model::{Meta, Order, Tracking};

pub(crate) const META_KEY: &str = "_wc_shipment_tracking_items";

pub(crate) fn of(order: &Order) -> Vec<Tracking> {
    let Some(meta) = order.meta.iter().find(|meta| meta.key == META_KEY) else {
        return Vec::new();
    };
    let Some(parcels) = meta.value.as_array() else {
        return Vec::new();
    };
    let text = |parcel: &Value, names: [&str; 2]| {
        let found = names.iter().filter_map(|name| parcel.get(*name).and_then(Value::as_str)).find(|text| !text.is_empty());
        found.unwrap_or_default().to_owned()
    };
    parcels
        .iter()
        .map(|parcel| Tracking {
            id: text(parcel, ["tracking_id", "tracking_id"]),
            provider: text(parcel, ["tracking_provider", "custom_tracking_provider"]),
            number: text(parcel, ["tracking_number", "tracking_number"]),
            link: text(parcel, ["custom_tracking_link", "tracking_link"]),
        })
        .collect()
}

/// Adds one parcel; `meta_id` is used when the order has none yet.
pub(crate) fn add(order: &mut Order, tracking: &Tracking, shipped_at_ms: i64, meta_id: i64) {
    let parcel = json!({
        "tracking_provider": tracking.provider,
        "custom_tracking_provider": "",
        "custom_tracking_link": tracking.link,
        "tracking_number": tracking.number,
        "date_shipped": (shipped_at_ms / 1000).to_string(),
        "tracking_id": tracking.id,
    });
    match order.meta.iter_mut().find(|meta| meta.key == META_KEY) {
        Some(Meta { value: Value::Array(parcels), .. }) => parcels.push(parcel),
        Some(meta) => meta.value = json!([parcel]),
        None => order.meta.push(Meta { id: meta_id, key: META_KEY.to_owned(), value: json!([parcel]) }),
    }
}

pub(crate) fn remove(order: &mut Order, tracking_id: &str) {
    if let Some(Meta { value: Value::Array(parcels), .. }) = order.meta.iter_mut().find(|meta| meta.key == META_KEY) {
        parcels.retain(|parcel| parcel.get("tracking_id").and_then(Value::as_str) != Some(tracking_id));
    }
}
