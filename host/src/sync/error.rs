use crate::lanes::HandlerError;
use crate::plugins::CallError;
use crate::plugins::wire::{Failure, Fault};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Call(#[from] CallError),
    /// Another run holds the lane now.
    #[error("{0}")]
    Lane(#[from] crate::lanes::Error),
    #[error("{what}; hint: {hint}")]
    Refused { what: String, hint: String },
    #[error("{0}")]
    Connection(#[from] crate::connections::Error),
    #[error("{0}")]
    Catalog(#[from] crate::catalog::Error),
    #[error("{0}")]
    Listing(#[from] crate::listings::Error),
    #[error("{0}")]
    Identity(#[from] crate::identity::Error),
    #[error("{0}")]
    Stock(#[from] crate::stock::Error),
    #[error("{0}")]
    Order(#[from] crate::orders::Error),
    #[error("{0}")]
    Fulfilment(#[from] crate::fulfilment::Error),
    #[error("{0}")]
    Location(#[from] crate::locations::Error),
    #[error("{0}")]
    Crossborder(#[from] crate::crossborder::Error),
    #[error("{0}")]
    Money(#[from] crate::money::Error),
    #[error("{0}")]
    Rates(#[from] crate::rates::Error),
    #[error("{0}")]
    Pricing(#[from] crate::pricing::Error),
    #[error("{0}")]
    Inbox(#[from] crate::inbox::Error),
    #[error("{0}")]
    Secrets(#[from] crate::secrets::Error),
    #[error("{0}")]
    Schedule(#[from] crate::lanes::schedule::Error),
    #[error("{0}")]
    Plugin(#[from] crate::plugins::registry::Error),
    #[error("a stored document cannot be read")]
    Document(#[from] serde_json::Error),
    #[error(
        "the buyers are erased here, but it could not be noted in {path}: {source}; hint: `entrepot person erased` names them, a copy of the database that is restored must be told"
    )]
    NotNoted { path: std::path::PathBuf, source: std::io::Error },
    #[error("{0}")]
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

#[test]
fn what_the_database_had_to_do_with_it_is_found_however_deep_it_lies() {
    use crate::store::Error as Database;
    let deep = |error: Database| ending(Error::Order(crate::stock::Error::from(crate::catalog::Error::from(error)).into()), 0);
    assert!(matches!(deep(Database::Closed), HandlerError::NoDatabase { reason } if reason == "the database is closed"));
    assert!(matches!(deep(Database::Shape { column: 0, found: "NULL".into() }), HandlerError::Failed { .. }));
    let lane = crate::lanes::Error::from(Database::Closed);
    assert!(matches!(ending(lane.into(), 0), HandlerError::NoDatabase { .. }));
}
