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
    /// Why nothing more may be put on sale.
    pub closed: Option<String>,
}

/// Price by the channel's price list, `""` for its own prices.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Prices(pub BTreeMap<String, Money>);

/// The value of any field, as it is kept and as it is sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Shows {
    Quantities(Told),
    Prices(Prices),
}

impl Shows {
    /// Nothing could be bought any more.
    pub fn is_sold_out(&self) -> bool {
        matches!(self, Self::Quantities(told) if told.0.values().all(|quantity| *quantity <= 0))
    }

    /// The channel's own price, without those of its lists.
    pub fn of_price(price: Money) -> Self {
        Self::Prices(Prices(BTreeMap::from([(String::new(), price)])))
    }

    pub fn prices(&self) -> Option<&Prices> {
        match self {
            Self::Prices(prices) => Some(prices),
            Self::Quantities(_) => None,
        }
    }

    pub fn quantities(&self) -> Option<&Told> {
        match self {
            Self::Quantities(told) => Some(told),
            Self::Prices(_) => None,
        }
    }
}

/// Whether more would be on sale than is shown. What is not known to be shown counts as nothing; a price raises nothing.
pub fn raises(value: &Shows, shown: Option<&Shows>) -> bool {
    let at = |place: &String| shown.and_then(Shows::quantities).and_then(|told| told.0.get(place)).copied().unwrap_or(0);
    value.quantities().is_some_and(|told| told.0.iter().any(|(place, quantity)| *quantity > at(place)))
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

impl fmt::Display for Prices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = |(list, price): (&String, &Money)| match list.as_str() {
            "" => price.to_string(),
            list => format!("{price} in {list}"),
        };
        f.write_str(&self.0.iter().map(one).collect::<Vec<_>>().join(", "))
    }
}

impl fmt::Display for Shows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quantities(told) => told.fmt(f),
            Self::Prices(prices) => prices.fmt(f),
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
        let price = Shows::of_price(Money::new(1299, eur));
        let listed = Shows::Prices(Prices(BTreeMap::from([("gid://list/1".to_owned(), Money::new(1499, eur))])));
        for value in [places(&[]), places(&[("", 3)]), places(&[("currency", 1), ("amount_minor", 2)]), price.clone(), listed] {
            let text = serde_json::to_string(&value).unwrap();
            assert_eq!(serde_json::from_str::<Shows>(&text).unwrap(), value, "{text}");
        }
        assert!(places(&[("a", 0), ("b", 0)]).is_sold_out() && !places(&[("a", 0), ("b", 1)]).is_sold_out());
        assert!(!Shows::of_price(Money::new(0, eur)).is_sold_out());
    }

    #[test]
    fn more_at_one_place_is_more_and_what_nobody_knows_counts_as_nothing() {
        let told = |pairs: &[(&str, i64)]| Shows::Quantities(Told(pairs.iter().map(|(place, n)| ((*place).to_owned(), *n)).collect()));
        for (value, shown, more) in [
            (told(&[("", 3)]), Some(told(&[("", 3)])), false),
            (told(&[("", 2)]), Some(told(&[("", 3)])), false),
            (told(&[("a", 1), ("b", 4)]), Some(told(&[("a", 9), ("b", 3)])), true),
            (told(&[("", 1)]), None, true),
            (told(&[("", 0)]), None, false),
        ] {
            assert_eq!(raises(&value, shown.as_ref()), more, "{value} over {shown:?}");
        }
    }
}
