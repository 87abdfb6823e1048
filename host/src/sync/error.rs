use crate::lanes::HandlerError;
use crate::plugins::CallError;
use crate::plugins::wire::{Failure, Fault};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Call(#[from] CallError),
    /// Another run holds the lane now.
    #[error(transparent)]
    Lane(#[from] crate::lanes::Error),
    #[error("{what}; hint: {hint}")]
    Refused { what: String, hint: String },
    #[error(transparent)]
    Connection(#[from] crate::connections::Error),
    #[error(transparent)]
    Catalog(#[from] crate::catalog::Error),
    #[error(transparent)]
    Listing(#[from] crate::listings::Error),
    #[error(transparent)]
    Identity(#[from] crate::identity::Error),
    #[error(transparent)]
    Stock(#[from] crate::stock::Error),
    #[error(transparent)]
    Order(#[from] crate::orders::Error),
    #[error(transparent)]
    Fulfilment(#[from] crate::fulfilment::Error),
    #[error(transparent)]
    Location(#[from] crate::locations::Error),
    #[error(transparent)]
    Crossborder(#[from] crate::crossborder::Error),
    #[error(transparent)]
    Money(#[from] crate::money::Error),
    #[error(transparent)]
    Rates(#[from] crate::rates::Error),
    #[error(transparent)]
    Pricing(#[from] crate::pricing::Error),
    #[error(transparent)]
    Inbox(#[from] crate::inbox::Error),
    #[error(transparent)]
    Secrets(#[from] crate::secrets::Error),
    #[error(transparent)]
    Schedule(#[from] crate::lanes::schedule::Error),
    #[error(transparent)]
    Plugin(#[from] crate::plugins::registry::Error),
    #[error("a stored document cannot be read")]
    Document(#[from] serde_json::Error),
    #[error(
        "the buyers are erased here, but it could not be noted in {path}: {source}; hint: `entrepot person erased` names them, a copy of the database that is restored must be told"
    )]
    NotNoted { path: std::path::PathBuf, source: std::io::Error },
    #[error(transparent)]
    Store(#[from] crate::store::Error),
}

impl Error {
    pub fn refused(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused { what: what.into(), hint: hint.into() }
    }

    /// The connector's own words, if it is a failure it reported.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Call(CallError::Failed(failure)) => Some(failure),
            _ => None,
        }
    }
}

/// How a lane ends for each error. What is the channel's or the network's passes by itself; what needs a person waits for one.
pub fn ending(error: Error, now_ms: i64) -> HandlerError {
    match error {
        Error::Lane(error) => error.into(),
        Error::Call(CallError::Failed(failure)) => {
            let retry_after_ms = failure.retry_after_ms.map(i64::from);
            match failure.fault {
                Fault::Throttled => HandlerError::Throttled { at_ms: now_ms + retry_after_ms.unwrap_or(THROTTLE_PAUSE_MS) },
                Fault::Remote | Fault::Network => HandlerError::Away { reason: failure.message, retry_after_ms },
                _ => HandlerError::Failed { reason: failure.message, retry_after_ms },
            }
        }
        error => HandlerError::caused_by(&error),
    }
}

/// When a channel throttles without saying for how long.
const THROTTLE_PAUSE_MS: i64 = 2_000;
