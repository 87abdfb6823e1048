use crate::id::OrderId;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no order {0}; hint: `entrepot order list` shows them")]
    Missing(OrderId),
    #[error("there is no order `{what}`; hint: `entrepot order list` shows ids and numbers")]
    Unknown { what: String },
    #[error("{} orders have the number {number}; hint: name one by its id: {}", .orders.len(), .orders.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Ambiguous { number: String, orders: Vec<OrderId> },
    #[error("order {order} has no line `{line}`; hint: `entrepot order show {order}` lists its lines")]
    NoSuchLine { order: OrderId, line: String },
    #[error("{asked} units of line `{line}` cannot leave, {left} are left to ship")]
    TooMany { line: String, asked: i64, left: i64 },
    #[error("{asked} units of line `{line}` cannot come back, {out} are with the buyer; hint: give 1 to that many")]
    NotOut { line: String, asked: i64, out: i64 },
    #[error("the order's document cannot be read")]
    Document(#[from] serde_json::Error),
    #[error("{0}")]
    Catalog(#[from] crate::catalog::Error),
    #[error("{0}")]
    Stock(#[from] crate::stock::Error),
    #[error("{0}")]
    Secrets(#[from] crate::secrets::Error),
    #[error("{0}")]
    Store(#[from] crate::store::Error),
}
