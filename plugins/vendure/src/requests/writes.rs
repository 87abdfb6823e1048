//! Mutations.

use serde_json::{Value, json};

use super::Query;
use crate::contract::{Cancellation, Dispatch};
use crate::graphql;

/// What one variant is to have on the shelf of one location.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    pub variant: String,
    pub location: String,
    pub on_hand: i64,
}

/// The shop does all of them or none. Levels of one variant must be together.
pub fn set_stock(levels: &[Level]) -> Query {
    let input: Vec<Value> = (levels.chunk_by(|a, b| a.variant == b.variant))
        .filter_map(|of_one| {
            let levels: Vec<Value> =
                of_one.iter().map(|level| json!({ "stockLocationId": level.location, "stockOnHand": level.on_hand })).collect();
            Some(json!({ "id": of_one.first()?.variant, "stockLevels": levels }))
        })
        .collect();
    Query::write(graphql::SET_STOCK, json!({ "input": input }))
}

/// Prices in the shop's smallest unit, with or without tax as its channel says.
pub fn set_prices(prices: &[(&str, i64)]) -> Query {
    let input: Vec<Value> = prices.iter().map(|(variant, price)| json!({ "id": variant, "price": price })).collect();
    Query::write(graphql::SET_PRICES, json!({ "input": input }))
}

/// The shop keeps one carrier and one text for the number of a parcel; several numbers stand in it one after the other.
pub fn fulfil(dispatch: &Dispatch, handler: &str) -> Query {
    let lines: Vec<Value> = dispatch.lines.iter().map(|line| json!({ "orderLineId": line.line, "quantity": line.quantity })).collect();
    let carrier = dispatch.tracking.iter().find_map(|tracking| tracking.carrier.as_deref()).unwrap_or_default();
    let numbers: Vec<&str> = dispatch.tracking.iter().map(|tracking| tracking.number.as_str()).collect();
    let arguments = json!([
        { "name": "method", "value": carrier },
        { "name": "trackingCode", "value": numbers.join(NUMBERS_APART) },
    ]);
    let input = json!({ "lines": lines, "handler": { "code": handler, "arguments": arguments } });
    Query::write(graphql::FULFIL, json!({ "input": input }))
}

/// What stands between two numbers of one parcel.
pub const NUMBERS_APART: &str = ", ";

pub fn ship(fulfillment: &str) -> Query {
    Query::write(graphql::SHIP, json!({ "id": fulfillment }))
}

/// The whole order with its shipping fee, without paying back: money is moved by a refund only.
pub fn cancel_order(cancellation: &Cancellation) -> Query {
    let input = json!({ "orderId": cancellation.order, "cancelShipping": true, "reason": cancellation.reason });
    Query::write(graphql::CANCEL_ORDER, json!({ "input": input }))
}
