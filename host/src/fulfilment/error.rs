use crate::id::OrderId;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("nothing of order {order} is left to ship; hint: `entrepot order show {order}` lists its lines")]
    NothingToShip { order: OrderId },
    #[error("{0}")]
    Order(#[from] crate::orders::Error),
    #[error("a stored shipment cannot be read")]
    Document(#[from] serde_json::Error),
    #[error("{0}")]
    Store(#[from] crate::store::Error),
}
