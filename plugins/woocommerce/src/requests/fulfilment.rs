//! Shipped goods. The core has no field for a parcel: it becomes a mark on the order that only we read, and, for people, an
//! entry of the shipment-tracking extension where the shop has it, else an order note.

use serde_json::{Value, json};

use super::{Call, number};
use crate::contract::{Dispatch, Tracking};
use crate::translate::OUR_SHIPMENT;

/// The change of the order. The mark's key carries our reference, so writing it twice writes it once.
pub fn mark_shipped(dispatch: &Dispatch) -> Value {
    let mut update = json!({
        "id": number(&dispatch.order),
        "meta_data": [{ "key": format!("{OUR_SHIPMENT}{}", dispatch.reference), "value": shipment_mark(dispatch) }],
    });
    if let (true, Value::Object(members)) = (dispatch.completes_order, &mut update) {
        members.insert("status".to_owned(), Value::from("completed"));
    }
    update
}

/// A JSON text: the field is documented as text, and every version of the shop keeps one as it is.
pub fn shipment_mark(dispatch: &Dispatch) -> String {
    let lines: Vec<Value> = dispatch.lines.iter().map(|l| json!({ "line": l.line, "quantity": l.quantity })).collect();
    let tracking: Vec<Value> =
        (dispatch.tracking.iter()).map(|t| json!({ "number": t.number, "carrier": t.carrier, "url": t.url })).collect();
    json!({ "shipped_at": dispatch.shipped_at, "lines": lines, "tracking": tracking }).to_string()
}

pub fn list_notes(order: &str) -> Call {
    Call::get(format!("/wc/v3/orders/{order}/notes"))
}

/// A note the buyer is mailed, or one for the merchant only. Our reference at its end tells a repeat that it is there.
pub fn create_note(dispatch: &Dispatch) -> Call {
    let parcels: Vec<String> = dispatch.tracking.iter().map(parcel).collect();
    let what = if parcels.is_empty() { "Shipped.".to_owned() } else { format!("Shipped: {}.", parcels.join("; ")) };
    Call::send(
        "POST",
        format!("/wc/v3/orders/{}/notes", dispatch.order),
        json!({
            "note": format!("{what} ({})", dispatch.reference),
            "customer_note": dispatch.notify_buyer,
        }),
    )
}

fn parcel(tracking: &Tracking) -> String {
    let carrier = tracking.carrier.as_deref().map(|carrier| format!("{carrier} ")).unwrap_or_default();
    let url = tracking.url.as_deref().map(|url| format!(" {url}")).unwrap_or_default();
    format!("{carrier}{}{url}", tracking.number)
}

pub fn list_tracking(order: &str) -> Call {
    Call::get(format!("/wc-shipment-tracking/v3/orders/{order}/shipment-trackings"))
}

/// The extension knows carriers by its own names and takes any other as a custom one, which needs an address to look at.
pub fn create_tracking(dispatch: &Dispatch, tracking: &Tracking) -> Call {
    let day = dispatch.shipped_at.get(..10).unwrap_or_default();
    Call::send(
        "POST",
        format!("/wc-shipment-tracking/v3/orders/{}/shipment-trackings", dispatch.order),
        json!({
            "custom_tracking_provider": tracking.carrier.as_deref().unwrap_or("Carrier"),
            "custom_tracking_link": tracking.url.as_deref().unwrap_or_default(),
            "tracking_number": tracking.number,
            "date_shipped": day,
        }),
    )
}
