//! Which place serves an order. Pure: one function over a small closed set of rules.
//!
//! Whatever the rule, no more is taken from a place than is free there, and a line never gets more than it needs.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{LocationId, VariantId};

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$doc])* $variant),* }

        impl $name {
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }

        impl crate::store::FromCell for $name {
            fn from_cell(cell: &crate::store::Value) -> Option<Self> {
                match String::from_cell(cell)?.as_str() {
                    $($text => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

words! {
    /// Which place is asked first.
    Allocation {
        /// The one with the lowest priority number.
        #[default]
        Priority = "priority",
        /// In the country the goods go to, else in its customs area, else by priority.
        Nearest = "nearest",
        /// The one with most of what is wanted.
        MostStock = "most-stock",
    }
}

words! {
    /// Whether one order may be served from several places.
    Split {
        /// As the rule says, line by line and unit by unit.
        #[default]
        Free = "free",
        /// Only where no single place has it all.
        Avoid = "avoid",
        /// Never: what the one place lacks is short, wherever else it lies.
        Never = "never",
    }
}

/// How orders are served.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Serving {
    pub allocation: Allocation,
    pub split: Split,
}

/// One of our places, as the rules see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    pub id: LocationId,
    /// Lower is asked first.
    pub priority: i64,
    /// From where the goods go; lower is nearer.
    pub distance: u8,
}

/// Units that one line wants of one variant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Need {
    pub line: String,
    pub variant: VariantId,
    pub units: i64,
}

/// Units that a need gets from a place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Take {
    /// Index into the needs.
    pub need: usize,
    pub place: LocationId,
    pub units: i64,
}

/// What is free, by variant and place.
pub type Free = BTreeMap<(VariantId, LocationId), i64>;

/// Serves `needs` from what is `free`. Places in `used` serve the order already; with a rule against splitting they come first.
pub fn allocate(serving: Serving, places: &[Place], used: &BTreeSet<LocationId>, free: Free, needs: &[Need]) -> Vec<Take> {
    let mut desk =
        Desk { serving, places, used, free, needs, left: needs.iter().map(|need| need.units.max(0)).collect(), takes: Vec::new() };
    let all: Vec<usize> = (0..needs.len()).collect();
    match serving.split {
        Split::Free => desk.freely(&all),
        Split::Avoid => desk.serve_from_few(&all),
        Split::Never => desk.serve_from_one(&all),
    }
    desk.takes
}

struct Desk<'a> {
    serving: Serving,
    places: &'a [Place],
    used: &'a BTreeSet<LocationId>,
    free: Free,
    needs: &'a [Need],
    left: Vec<i64>,
    takes: Vec<Take>,
}

impl Desk<'_> {
    fn freely(&mut self, needs: &[usize]) {
        for &need in needs {
            for place in self.ranked(&[need], false) {
                self.take(need, &place);
            }
        }
    }

    /// All from one place, else each line from one place, else freely.
    fn serve_from_few(&mut self, needs: &[usize]) {
        if self.whole_from_one(needs) {
            return;
        }
        let mut lines: Vec<Vec<usize>> = Vec::new();
        for &need in needs {
            match lines.iter_mut().find(|line| self.needs[line[0]].line == self.needs[need].line) {
                Some(line) => line.push(need),
                None => lines.push(vec![need]),
            }
        }
        for line in lines {
            if !self.whole_from_one(&line) {
                for &need in &line {
                    for place in self.ranked(&[need], true) {
                        self.take(need, &place);
                    }
                }
            }
        }
    }

    fn whole_from_one(&mut self, needs: &[usize]) -> bool {
        let wanted: i64 = needs.iter().map(|&need| self.left[need]).sum();
        let found = self.ranked(needs, true).into_iter().find(|place| self.serves(needs, place) >= wanted);
        if let Some(place) = &found {
            needs.iter().for_each(|&need| self.take(need, place));
        }
        found.is_some()
    }

    /// From the places the order uses, or from the one that serves most of it.
    fn serve_from_one(&mut self, needs: &[usize]) {
        let ranked = self.ranked(needs, true);
        let chosen: Vec<LocationId> = if self.used.is_empty() {
            // The first of those that serve most.
            let best = ranked.into_iter().rev().max_by_key(|place| self.serves(needs, place));
            best.into_iter().collect()
        } else {
            ranked.into_iter().filter(|place| self.used.contains(place)).collect()
        };
        for place in chosen {
            needs.iter().for_each(|&need| self.take(need, &place));
        }
    }

    /// Units of these needs that a place could serve; lines share what is free.
    fn serves(&self, needs: &[usize], place: &LocationId) -> i64 {
        let mut wanted: BTreeMap<&VariantId, i64> = BTreeMap::new();
        for &need in needs {
            *wanted.entry(&self.needs[need].variant).or_default() += self.left[need];
        }
        wanted.into_iter().map(|(variant, units)| units.min(self.free_at(variant, place))).sum()
    }

    fn free_at(&self, variant: &VariantId, place: &LocationId) -> i64 {
        self.free.get(&(variant.clone(), place.clone())).copied().unwrap_or(0).max(0)
    }

    /// The places in the order in which these needs ask them.
    fn ranked(&self, needs: &[usize], used_first: bool) -> Vec<LocationId> {
        let variants: BTreeSet<&VariantId> = needs.iter().map(|&need| &self.needs[need].variant).collect();
        let rank = |place: &Place| {
            let rule = match self.serving.allocation {
                Allocation::Priority => 0,
                Allocation::Nearest => i64::from(place.distance),
                Allocation::MostStock => -variants.iter().map(|variant| self.free_at(variant, &place.id)).sum::<i64>(),
            };
            (used_first && !self.used.contains(&place.id), rule, place.priority, place.id.clone())
        };
        let mut ranked: Vec<_> = self.places.iter().map(rank).collect();
        ranked.sort();
        ranked.into_iter().map(|(_, _, _, id)| id).collect()
    }

    fn take(&mut self, need: usize, place: &LocationId) {
        let key = (self.needs[need].variant.clone(), place.clone());
        let free = self.free.entry(key).or_default();
        let units = self.left[need].min(*free);
        if units > 0 {
            *free -= units;
            self.left[need] -= units;
            self.takes.push(Take { need, place: place.clone(), units });
        }
    }
}

#[cfg(test)]
mod tests;
