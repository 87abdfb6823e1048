//! One outcome per input key.

use std::collections::{BTreeMap, BTreeSet};

use super::wire::{Outcome, OutcomeState};

/// What a push said, sorted by what it was asked.
#[derive(Debug, Default)]
pub struct Matched {
    pub by_key: BTreeMap<String, OutcomeState>,
    /// Keys without an outcome: nobody knows what became of them. They are read back, never re-sent blindly.
    pub unknown: BTreeSet<String>,
    /// Keys answered more than once: contradictory, so unknown as well.
    pub doubled: BTreeSet<String>,
    /// Keys nobody asked about: a fault of the connector worth a log line.
    pub foreign: BTreeSet<String>,
}

/// Matches outcomes with the keys that were sent.
pub fn match_outcomes<'a>(keys: impl IntoIterator<Item = &'a str>, outcomes: Vec<Outcome>) -> Matched {
    let mut matched = Matched { unknown: keys.into_iter().map(str::to_owned).collect(), ..Matched::default() };
    for outcome in outcomes {
        if matched.unknown.remove(&outcome.key) {
            matched.by_key.insert(outcome.key, outcome.state);
        } else if matched.by_key.contains_key(&outcome.key) || matched.doubled.contains(&outcome.key) {
            matched.doubled.insert(outcome.key);
        } else {
            matched.foreign.insert(outcome.key);
        }
    }
    for key in &matched.doubled {
        matched.by_key.remove(key);
        matched.unknown.insert(key.clone());
    }
    matched
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(key: &str) -> Outcome {
        Outcome { key: key.into(), state: OutcomeState::Unchanged, extras: Vec::new() }
    }

    #[test]
    fn a_key_without_exactly_one_outcome_is_unknown() {
        let said = ["a", "b", "b", "b", "x"].into_iter().map(outcome).collect();
        let matched = match_outcomes(["a", "b", "c"], said);
        assert_eq!(matched.by_key.keys().collect::<Vec<_>>(), ["a"]);
        assert_eq!(matched.unknown.iter().collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!(matched.doubled.iter().collect::<Vec<_>>(), ["b"]);
        assert_eq!(matched.foreign.iter().collect::<Vec<_>>(), ["x"]);
    }
}
