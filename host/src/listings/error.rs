use crate::id::{ListingId, VariantId};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no listing {id}; hint: `entrepot listing list` shows them")]
    Unknown { id: ListingId },
    #[error("there is no variant {variant}; hint: `entrepot product list` shows them")]
    UnknownVariant { variant: VariantId },
    #[error("{field} cannot be {value}; hint: {remedy}")]
    Publication { field: &'static str, value: i64, remedy: &'static str },
    #[error("{0}")]
    Cursor(#[from] crate::page::BadCursor),
    #[error("{0}")]
    Catalog(#[from] crate::catalog::Error),
    #[error("{0}")]
    Store(#[from] crate::store::Error),
}
