//! What a shop of version 3.7.3 answered to the connector's own queries, word for word.

use entrepot_documents::json;
use entrepot_vendure::translate::Facts;
use serde_json::Value;

pub const ORDERS: [(&str, &str); 3] = [
    ("full", include_str!("../recorded/order_full.json")),
    ("cancelled", include_str!("../recorded/order_cancelled.json")),
    ("partly cancelled", include_str!("../recorded/order_partly_cancelled.json")),
];

/// The whole answer, as the connector reads it.
pub fn answer(name: &str) -> Value {
    json::parse(ORDERS.iter().find(|(known, _)| *known == name).unwrap().1).unwrap()
}

pub fn order(name: &str) -> Value {
    answer(name)["orders"]["items"][0].clone()
}

pub fn variants() -> Value {
    json::parse(include_str!("../recorded/variants.json")).unwrap()
}

pub fn facts() -> Facts {
    Facts::read(&variants()).unwrap()
}
