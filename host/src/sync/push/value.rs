//! What a listing shows, by field. Pure.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::listings::Listing;
use crate::money::Money;

/// Quantity by the channel's location, `""` where it has none.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Told(pub BTreeMap<String, i64>);

/// What one listing should show of our stock now, and why.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub listing: Listing,
    pub value: Told,
    pub reason: String,
}

/// The value of any field, as it is kept and as it is sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Shows {
    Quantities(Told),
    Price(Money),
}

impl Shows {
    /// Nothing could be bought any more.
    pub fn is_sold_out(&self) -> bool {
        matches!(self, Self::Quantities(told) if told.0.values().all(|quantity| *quantity <= 0))
    }

    pub fn price(&self) -> Option<Money> {
        match self {
            Self::Price(price) => Some(*price),
            Self::Quantities(_) => None,
        }
    }

    pub fn quantities(&self) -> Option<&Told> {
        match self {
            Self::Quantities(told) => Some(told),
            Self::Price(_) => None,
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = |(place, quantity): (&String, &i64)| match place.as_str() {
            "" => quantity.to_string(),
            place => format!("{quantity} at {place}"),
        };
        f.write_str(&self.0.iter().map(one).collect::<Vec<_>>().join(", "))
    }
}

impl fmt::Display for Shows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quantities(told) => told.fmt(f),
            Self::Price(price) => price.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::money::Currency;

    #[test]
    fn both_kinds_of_value_come_back_from_their_text() {
        let eur = Currency::from_code("EUR").unwrap();
        let places = |pairs: &[(&str, i64)]| Shows::Quantities(Told(pairs.iter().map(|(place, n)| ((*place).to_owned(), *n)).collect()));
        for value in [places(&[]), places(&[("", 3)]), places(&[("currency", 1), ("amount_minor", 2)]), Shows::Price(Money::new(1299, eur))]
        {
            let text = serde_json::to_string(&value).unwrap();
            assert_eq!(serde_json::from_str::<Shows>(&text).unwrap(), value, "{text}");
        }
        assert!(places(&[("a", 0), ("b", 0)]).is_sold_out() && !places(&[("a", 0), ("b", 1)]).is_sold_out());
        assert!(!Shows::Price(Money::new(0, eur)).is_sold_out());
    }
}
