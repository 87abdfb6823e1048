//! Parcels. WooCommerce's core knows none; they are kept as marks on the order: ours, one per shipment, and those of the
//! shipment-tracking extension.

use serde_json::Value;

use super::meta::{Meta, OUR_SHIPMENT};
use crate::contract::{Shipment, ShipmentLine, Tracking};
use crate::instant;
use crate::json::{Doc, Refusal, text_extra};

const EXTENSION_MARK: &str = "_wc_shipment_tracking_items";

/// Every parcel the order tells of.
pub fn from_order(order: &Value) -> Result<Vec<Shipment>, Refusal> {
    let meta = Meta::of(Doc::new(order)?)?;
    let mut shipments: Vec<Shipment> = meta.with_prefix(OUR_SHIPMENT).filter_map(|(reference, mark)| ours(reference, mark)).collect();
    let written: Vec<String> = shipments.iter().flat_map(|s| &s.tracking).map(|t| t.number.clone()).collect();
    if let Some(Value::Array(items)) = meta.get(EXTENSION_MARK) {
        shipments.extend(items.iter().filter_map(plugin_tracking).filter(|shipment| {
            // Those we have written to the extension ourselves are already in the list, with their lines.
            !shipment.tracking.iter().any(|tracking| written.contains(&tracking.number))
        }));
    }
    Ok(shipments)
}

/// Our own mark: a JSON text, as an extension or an editor may have left it. An unreadable one is not a shipment.
fn ours(reference: &str, mark: &Value) -> Option<Shipment> {
    let parsed;
    let mark = match mark {
        Value::String(text) => {
            parsed = serde_json::from_str(text).ok()?;
            &parsed
        }
        other => other,
    };
    let doc = Doc::new(mark).ok()?;
    let lines = doc.each("lines", |line| {
        let quantity = line.loose_text("quantity").and_then(|text| text.parse().ok());
        Ok((line.loose_text("line"), quantity))
    });
    let lines = lines.ok()?.into_iter().filter_map(|(line, quantity)| Some(ShipmentLine { line: line?, quantity: quantity? }));
    let tracking = doc.each("tracking", |item| {
        Ok(item.loose_text("number").map(|number| Tracking { number, carrier: item.loose_text("carrier"), url: item.loose_text("url") }))
    });
    Some(Shipment {
        external_id: reference.to_owned(),
        shipped_at: doc.loose_text("shipped_at").and_then(|text| instant::canonical(&text)),
        tracking: tracking.ok()?.into_iter().flatten().collect(),
        lines: lines.collect(),
        location: None,
        status: None,
        extras: vec![text_extra("reference", reference)],
    })
}

/// One entry of the shipment-tracking extension, from its own route or from the order's mark. `date_shipped` is a day
/// from the route and seconds since 1970 in the mark.
pub fn plugin_tracking(item: &Value) -> Option<Shipment> {
    let doc = Doc::new(item).ok()?;
    let number = doc.loose_text("tracking_number")?;
    let carrier = doc.loose_text("tracking_provider").or_else(|| doc.loose_text("custom_tracking_provider"));
    let url = doc.loose_text("tracking_link").or_else(|| doc.loose_text("custom_tracking_link"));
    let shipped_at = doc.loose_text("date_shipped").and_then(|text| match text.parse::<i64>() {
        Ok(seconds) => Some(instant::format(seconds)),
        Err(_) => instant::canonical(&format!("{text}T00:00:00Z")),
    });
    Some(Shipment {
        external_id: doc.loose_text("tracking_id").unwrap_or_else(|| number.clone()),
        shipped_at,
        tracking: vec![Tracking { number, carrier, url }],
        lines: Vec::new(),
        location: None,
        status: None,
        extras: Vec::new(),
    })
}
