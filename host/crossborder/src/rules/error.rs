//! Why a rule set cannot be loaded: always the file, the row and what to do.

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    #[error("{file}: {what}")]
    BadFile { file: String, what: String },
    #[error("\"{file}\" is not a file of the rule set; known are: {known}")]
    UnknownFile { file: String, known: String },
    #[error("{row}: two rows hold on {from}: end the earlier one there or correct the dates")]
    Overlap { row: String, from: String },
    #[error("{row}: no row holds from {from} to {to}: close the gap inside the series")]
    Gap { row: String, from: String, to: String },
    #[error("{row}: source \"{source_id}\" is not in sources.json: add it there or correct the id")]
    UnknownSource { row: String, source_id: String },
    #[error("{row}: marked {verification} but names no source: name one, or mark it recalled or merchant")]
    NoSource { row: String, verification: String },
}
