//! Shipped goods and cancelled orders.

use serde_json::{Map, Value, json};

use super::Query;
use crate::contract::{Cancellation, Dispatch};
use crate::graphql;

pub fn fulfillment_orders(order: &str, after: Option<&str>, first: u32, lines: u32) -> Query {
    Query::read(graphql::FULFILLMENT_ORDERS, 100, json!({ "id": order, "after": after, "first": first, "lines": lines }))
}

pub fn fulfillment_order_lines(id: &str, after: &str, lines: u32) -> Query {
    Query::read(graphql::FULFILLMENT_ORDER_LINES, 50, json!({ "id": id, "after": after, "lines": lines }))
}

/// Parts of fulfilment orders that leave one location: (fulfilment order, [(its line, units)]).
pub fn create_fulfillment(dispatch: &Dispatch, parts: &[(String, Vec<(String, u32)>)]) -> Query {
    let orders: Vec<Value> = (parts.iter())
        .map(|(order, lines)| {
            let lines: Vec<Value> = lines.iter().map(|(line, quantity)| json!({ "id": line, "quantity": quantity })).collect();
            json!({ "fulfillmentOrderId": order, "fulfillmentOrderLineItems": lines })
        })
        .collect();
    let mut fulfillment = json!({ "lineItemsByFulfillmentOrder": orders, "notifyCustomer": dispatch.notify_buyer });
    if let (Some(tracking), Value::Object(members)) = (tracking(dispatch), &mut fulfillment) {
        members.insert("trackingInfo".to_owned(), tracking);
    }
    Query::write(graphql::CREATE_FULFILLMENT, json!({ "fulfillment": fulfillment }))
}

/// One carrier for all numbers: that is all the shop takes. Addresses match numbers by place, so they go only together.
fn tracking(dispatch: &Dispatch) -> Option<Value> {
    let first = dispatch.tracking.first()?;
    let mut info = Map::new();
    if let Some(carrier) = &first.carrier {
        info.insert("company".to_owned(), Value::from(carrier.as_str()));
    }
    info.insert("numbers".to_owned(), dispatch.tracking.iter().map(|tracking| tracking.number.as_str()).collect());
    let urls: Option<Vec<&str>> = dispatch.tracking.iter().map(|tracking| tracking.url.as_deref()).collect();
    if let Some(urls) = urls {
        info.insert("urls".to_owned(), urls.into());
    }
    Some(Value::Object(info))
}

pub fn order_state(orders: &[&str]) -> Query {
    let cost = u32::try_from(orders.len()).unwrap_or(u32::MAX);
    Query::read(graphql::ORDER_STATE, cost, json!({ "ids": orders }))
}

/// Cancels without paying back: money is moved by a refund only.
pub fn cancel_order(cancellation: &Cancellation) -> Query {
    let reason = cancellation.reason.as_deref().unwrap_or_default();
    Query::write(
        graphql::CANCEL_ORDER,
        json!({
            "orderId": cancellation.order,
            "reason": reason_code(reason),
            "restock": cancellation.restock,
            "notify": cancellation.notify_buyer,
            "note": Some(reason).filter(|reason| !reason.is_empty()),
        }),
    )
}

/// The shop has six reasons; a text that names one of them by its word becomes that one.
fn reason_code(reason: &str) -> &'static str {
    let reason = reason.to_lowercase();
    let codes = [
        ("customer", "CUSTOMER"),
        ("buyer", "CUSTOMER"),
        ("fraud", "FRAUD"),
        ("stock", "INVENTORY"),
        ("inventory", "INVENTORY"),
        ("declined", "DECLINED"),
        ("staff", "STAFF"),
    ];
    codes.iter().find(|(word, _)| reason.contains(word)).map_or("OTHER", |(_, code)| code)
}
