//! What the shop remembers under an `@idempotent` key: the same key with the same input gets the first answer and has no
//! second effect; with another input it is refused; after a failed first attempt it is used up.

use std::collections::{BTreeMap, BTreeSet};

/// How long a key is remembered.
const KEPT_MS: i64 = 24 * 60 * 60 * 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Took effect; the number of what it made, if it made anything.
    Done(Option<i64>),
    Failed,
}

struct Remembered {
    fingerprint: String,
    at: i64,
    outcome: Outcome,
}

#[derive(Default)]
pub(crate) struct Memory {
    settled: BTreeMap<String, Remembered>,
    in_flight: BTreeSet<String>,
}

/// What to do with a keyed request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Run,
    Replay(Option<i64>),
    /// A code of the API's own (`IDEMPOTENCY_…`) and its words.
    Refuse(&'static str, &'static str),
}

impl Memory {
    /// Marks a key as being worked on; false when another request already works on it.
    pub(crate) fn begin(&mut self, key: &str) -> bool {
        self.in_flight.insert(key.to_owned())
    }

    pub(crate) fn end(&mut self, key: &str) {
        self.in_flight.remove(key);
    }

    pub(crate) fn judge(&mut self, key: &str, fingerprint: &str, begun: bool, now: i64) -> Verdict {
        self.settled.retain(|_, known| known.at + KEPT_MS > now);
        if !begun {
            return Verdict::Refuse("IDEMPOTENCY_CONCURRENT_REQUEST", "This request is currently in progress, please try again.");
        }
        match self.settled.get(key) {
            None => Verdict::Run,
            Some(known) if known.fingerprint != fingerprint => Verdict::Refuse(
                "IDEMPOTENCY_KEY_PARAMETER_MISMATCH",
                "The same idempotency key cannot be used with different operation parameters.",
            ),
            Some(Remembered { outcome: Outcome::Done(made), .. }) => Verdict::Replay(*made),
            Some(Remembered { outcome: Outcome::Failed, .. }) => Verdict::Refuse(
                "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED",
                "A previous request with this idempotency key failed. Retry with a new idempotency key.",
            ),
        }
    }

    pub(crate) fn settle(&mut self, key: &str, fingerprint: String, outcome: Outcome, now: i64) {
        self.settled.insert(key.to_owned(), Remembered { fingerprint, at: now, outcome });
    }
}
