use crate::id::PriceLineId;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no line `{id}` in the price lists; hint: `entrepot price list` shows them")]
    UnknownLine { id: PriceLineId },
    /// Something that a person gave.
    #[error("`{value}` cannot be `{field}`; hint: {remedy}")]
    Invalid { field: &'static str, value: String, remedy: &'static str },
    #[error("there is no column `{column}`; hint: the columns are {}", super::COLUMNS.join(", "))]
    UnknownColumn { column: String },
    #[error("the file has no column `sku`; hint: name it in the first line")]
    NoSkuColumn,
    #[error("{0}")]
    Sheet(#[from] crate::sheet::Error),
    #[error("{0}")]
    Catalog(#[from] crate::catalog::Error),
    #[error("{0}")]
    Connection(#[from] crate::connections::Error),
    #[error("{0}")]
    Rates(#[from] crate::rates::Error),
    #[error("{0}")]
    Arithmetic(#[from] entrepot_crossborder::pricing::Error),
    #[error("{0}")]
    Cursor(#[from] crate::page::BadCursor),
    #[error("a stored document cannot be read")]
    Document(#[from] serde_json::Error),
    #[error("{0}")]
    Store(#[from] crate::store::Error),
}

impl Error {
    pub(super) fn invalid(field: &'static str, value: impl std::fmt::Display, remedy: &'static str) -> Self {
        Self::Invalid { field, value: value.to_string().chars().take(80).collect(), remedy }
    }
}
