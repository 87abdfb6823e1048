//! Three-state changes: a field that is left out keeps its value, `null` clears it, anything else sets it.

use serde::{Deserialize, Deserializer};

/// Use with `#[serde(default)]`, so that a field that is left out means [`Patch::Keep`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Patch<T> {
    #[default]
    Keep,
    Clear,
    Set(T),
}

impl<T> Patch<T> {
    pub fn apply(self, field: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Clear => *field = None,
            Self::Set(value) => *field = Some(value),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Clear, Self::Set))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[derive(Deserialize)]
    struct Change {
        #[serde(default)]
        weight: Patch<i64>,
    }

    #[test]
    fn left_out_null_and_a_value_are_three_different_wishes() {
        let after = |json: &str| {
            let mut weight = Some(1);
            serde_json::from_str::<Change>(json).unwrap().weight.apply(&mut weight);
            weight
        };
        assert_eq!((after("{}"), after(r#"{"weight":null}"#), after(r#"{"weight":2}"#)), (Some(1), None, Some(2)));
    }
}
