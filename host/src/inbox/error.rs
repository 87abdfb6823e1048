use crate::id::DeliveryId;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing was recorded; the sender should come back.
    #[error("too many deliveries are waiting to be recorded")]
    Busy,
    #[error("the delivery could not be recorded")]
    NotRecorded,
    /// The disk's reserve is reached; nothing was recorded.
    #[error("the disk of the database has less room left than data.reserve_bytes; hint: free some, or lower the reserve")]
    NoRoom,
    #[error(
        "there is no delivery {0}, or its content was dropped by retention.delivery_body_days; hint: `entrepot sync status` lists recent ones"
    )]
    Missing(DeliveryId),
    #[error("the content of a delivery cannot be read")]
    Content(#[from] serde_json::Error),
    #[error("the content of a delivery cannot be packed or unpacked")]
    Packing(#[from] std::io::Error),
    #[error("{0}")]
    Secrets(#[from] crate::secrets::Error),
    #[error("{0}")]
    Store(#[from] crate::store::Error),
}
