//! What a caller of this room, and the runner that calls a handler, branch on.

use crate::store;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another claim took the lane over, or the run is already finished: nothing of this unit of work may stand.
    #[error("the lane is no longer held by this run")]
    Stale,
    #[error("the lane's row could not be used")]
    Store(#[from] store::Error),
}

/// Why a handler could not do its work. Each variant ends the run in another way.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// Counts as one of the failures in a row; tried again after a back-off, or after `retry_after_ms` if that is longer.
    #[error("{reason}")]
    Failed { reason: String, retry_after_ms: Option<i64> },
    /// The other side does not answer: tried again after a back-off for as long as it takes.
    #[error("{reason}")]
    Away { reason: String, retry_after_ms: Option<i64> },
    /// Waiting for a rate slot: no failure, no attempt burnt.
    #[error("throttled")]
    Throttled { at_ms: i64 },
    /// Another unit of work stood in the way: no failure, tried again at once.
    #[error("another unit of work stood in the way")]
    Contended,
    /// Our own database went away: no failure of the lane's, tried again soon after it is back.
    #[error("{reason}")]
    NoDatabase { reason: String },
    /// Trying again cannot help until a person has looked.
    #[error("{reason}")]
    Quarantine { reason: String },
    /// The run lost its lane; whoever holds it now goes on.
    #[error("the lane is no longer held by this run")]
    Stale,
}

impl HandlerError {
    pub fn failed(reason: impl Into<String>) -> Self {
        Self::Failed { reason: reason.into(), retry_after_ms: None }
    }

    /// By what the database had to do with it, however deep that lies.
    pub fn caused_by(error: &(dyn std::error::Error + 'static)) -> Self {
        match store::chain(error) {
            _ if store::is_contended(error) => Self::Contended,
            reason if store::is_away(error) => Self::NoDatabase { reason },
            reason => Self::failed(reason),
        }
    }
}

impl From<Error> for HandlerError {
    fn from(error: Error) -> Self {
        match error {
            Error::Stale => Self::Stale,
            Error::Store(error) => error.into(),
        }
    }
}

impl From<store::Error> for HandlerError {
    fn from(error: store::Error) -> Self {
        Self::caused_by(&error)
    }
}
