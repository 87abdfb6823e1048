//! Why a request did not bring a response, and whether it may have taken effect.

use std::time::Duration;

/// What is known about a side effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// Nothing was written to the channel.
    No,
    /// The request began to leave this machine; the channel may have acted on it.
    Maybe,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The hub does not want this request: outside the grant, a dry run, a limit.
    #[error("{0}")]
    Denied(String),
    /// A credential or setting that the merchant has to give first.
    #[error("{0}")]
    Config(String),
    /// The channel refused the credential itself.
    #[error("{0}")]
    Auth(String),
    /// No complete answer.
    #[error("{message}")]
    Network { message: String, sent: Sent },
    /// No slot within the time of the call.
    #[error("{message}")]
    Throttled { message: String, retry_after: Duration },
    /// An answer that cannot be used: too large, a decompression bomb, not what its headers say.
    #[error("{0}")]
    Remote(String),
}

impl Error {
    /// An unusable answer is an answer: the request did arrive, so it may have taken effect.
    pub fn sent(&self) -> Sent {
        match self {
            Self::Network { sent, .. } => *sent,
            Self::Remote(_) => Sent::Maybe,
            Self::Denied(_) | Self::Config(_) | Self::Auth(_) | Self::Throttled { .. } => Sent::No,
        }
    }
}
