use super::model::Problem;
use crate::id::VariantId;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Refused(#[from] Problem),
    #[error("the SKU `{sku}` already names {by}; hint: change that variant, or choose another SKU")]
    SkuTaken { sku: String, by: VariantId },
    #[error("there is no product `{what}`; hint: `entrepot product list` shows them")]
    UnknownProduct { what: String },
    #[error("there is no variant `{what}`; hint: give its id or its exact SKU, `entrepot product list` shows them")]
    UnknownVariant { what: String },
    #[error("a kit cannot contain itself: {path}; hint: take one of these out of the kit before it")]
    Circle { path: String },
    #[error("there is no column `{column}`; known are {}; hint: rename or remove it", super::COLUMNS.join(", "))]
    UnknownColumn { column: String },
    #[error("the column `sku` is missing in the first line; hint: every row is found by its SKU")]
    NoSkuColumn,
    #[error("{0}")]
    Sheet(#[from] crate::sheet::Error),
    #[error("{0}")]
    Cursor(#[from] crate::page::BadCursor),
    #[error("{0}")]
    Store(#[from] crate::store::Error),
}
