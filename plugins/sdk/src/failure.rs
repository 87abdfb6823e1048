//! Building typed failures.

use crate::types::{Failure, Fault, Outcome, OutcomeState, Sent};

impl Failure {
    /// A failure that is known to have changed nothing.
    pub fn new(fault: Fault, message: impl Into<String>) -> Self {
        Self { fault, code: None, message: message.into(), retry_after_ms: None, sent: Sent::No, extras: Vec::new() }
    }

    pub fn config(message: impl Into<String>) -> Self {
        Self::new(Fault::Config, message)
    }

    pub fn auth(message: impl Into<String>) -> Self {
        Self::new(Fault::Auth, message)
    }

    pub fn missing(message: impl Into<String>) -> Self {
        Self::new(Fault::Missing, message)
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Fault::Invalid, message)
    }

    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(Fault::Conflict, message)
    }

    pub fn throttled(message: impl Into<String>, retry_after_ms: Option<u32>) -> Self {
        Self { retry_after_ms, ..Self::new(Fault::Throttled, message) }
    }

    pub fn remote(message: impl Into<String>) -> Self {
        Self::new(Fault::Remote, message)
    }

    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(Fault::Unsupported, message)
    }

    /// What an HTTP status means where the channel's documents say nothing better. `mutating` is the request's: after a 5xx
    /// nobody knows whether a change took effect.
    pub fn from_status(status: u16, mutating: bool, message: impl Into<String>) -> Self {
        let fault = match status {
            401 => Fault::Auth,
            402 | 403 => Fault::Permission,
            404 | 410 => Fault::Missing,
            405 | 501 => Fault::Unsupported,
            409 | 412 => Fault::Conflict,
            408 | 425 | 429 => Fault::Throttled,
            400..=499 => Fault::Invalid,
            _ => Fault::Remote,
        };
        let sent = if mutating && (status >= 500 || status == 408) { Sent::Maybe } else { Sent::No };
        Self { sent, ..Self::new(fault, message) }.with_code(status.to_string())
    }

    /// The channel's own code, word for word.
    pub fn with_code(self, code: impl Into<String>) -> Self {
        Self { code: Some(code.into()), ..self }
    }

    pub fn with_retry_after_ms(self, ms: u32) -> Self {
        Self { retry_after_ms: Some(ms), ..self }
    }

    pub fn with_sent(self, sent: Sent) -> Self {
        Self { sent, ..self }
    }

    /// Whether the hub may simply try again later.
    pub fn is_transient(&self) -> bool {
        matches!(self.fault, Fault::Throttled | Fault::Remote | Fault::Network)
    }
}

impl Outcome {
    pub fn new(key: impl Into<String>, state: OutcomeState) -> Self {
        Self { key: key.into(), state, extras: Vec::new() }
    }

    /// Done; `id` is the channel's id or revision, or empty.
    pub fn done(key: impl Into<String>, id: impl Into<String>) -> Self {
        Self::new(key, OutcomeState::Done(id.into()))
    }

    pub fn unchanged(key: impl Into<String>) -> Self {
        Self::new(key, OutcomeState::Unchanged)
    }

    /// Accepted for later; `token` is handed to `poll`.
    pub fn pending(key: impl Into<String>, token: impl Into<String>) -> Self {
        Self::new(key, OutcomeState::Pending(token.into()))
    }

    /// `retry` for what may work later, `rejected` for what will not.
    pub fn failed(key: impl Into<String>, failure: Failure) -> Self {
        let state = if failure.is_transient() { OutcomeState::Retry(failure) } else { OutcomeState::Rejected(failure) };
        Self::new(key, state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_fault_leaves_open_whether_a_change_took_effect() {
        assert_eq!(Failure::from_status(503, true, "down").sent, Sent::Maybe);
        assert_eq!(Failure::from_status(503, false, "down").sent, Sent::No);
        assert_eq!(Failure::from_status(422, true, "bad").sent, Sent::No);
    }

    #[test]
    fn statuses_become_the_fault_that_decides_what_the_hub_does() {
        for (status, fault) in [
            (401, Fault::Auth),
            (403, Fault::Permission),
            (404, Fault::Missing),
            (409, Fault::Conflict),
            (422, Fault::Invalid),
            (429, Fault::Throttled),
            (502, Fault::Remote),
        ] {
            assert_eq!(Failure::from_status(status, true, "").fault, fault, "{status}");
        }
    }

    #[test]
    fn a_transient_failure_of_one_item_is_retried_and_others_are_not() {
        assert!(matches!(Outcome::failed("k", Failure::remote("down")).state, OutcomeState::Retry(_)));
        assert!(matches!(Outcome::failed("k", Failure::invalid("bad")).state, OutcomeState::Rejected(_)));
    }
}
