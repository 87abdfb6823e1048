//! The words of stock. Pure.

use std::collections::BTreeMap;

use super::allocate::Serving;
use crate::id::{LocationId, VariantId};

/// Why stock moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Receive,
    Count,
    Adjust,
    /// From one of our places to another.
    Transfer,
    /// Goods left that the hub did not know it had; keeps on hand true to the shelf.
    Found,
    Reserve,
    Release,
    Ship,
    Return,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Count => "count",
            Self::Adjust => "adjust",
            Self::Transfer => "transfer",
            Self::Found => "found",
            Self::Reserve => "reserve",
            Self::Release => "release",
            Self::Ship => "ship",
            Self::Return => "return",
        }
    }
}

/// One line of the ledger about to be booked. Signs: positive adds to the shelf or to what is promised.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Movement {
    pub variant: VariantId,
    pub location: LocationId,
    pub kind: Kind,
    pub on_hand: i64,
    pub reserved: i64,
    pub reference: String,
    pub line: String,
}

/// One line of the ledger as it was booked.
#[derive(Clone, Debug, serde::Serialize)]
pub struct MovementRow {
    pub at: i64,
    pub location: LocationId,
    pub kind: String,
    pub on_hand: i64,
    pub reserved: i64,
    pub reference: String,
    pub line: String,
    pub actor: String,
}

/// One variant at one place.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Level {
    pub location: LocationId,
    pub on_hand: i64,
    pub reserved: i64,
    pub backorder_limit: i64,
    /// Units of it that are never published from here.
    pub safety: i64,
}

impl Level {
    /// What channels may be shown of it: what is available, less what is kept safe here. Below zero where more is promised
    /// than there is.
    pub fn showable(&self) -> i64 {
        let available = self.on_hand - self.reserved;
        if available > 0 { (available - self.safety).max(0) } else { available }
    }

    /// Units that can still be promised here.
    pub fn reservable(&self) -> i64 {
        (self.on_hand - self.reserved + self.backorder_limit).max(0)
    }
}

/// One variant over all places.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct Availability {
    pub on_hand: i64,
    pub reserved: i64,
}

impl Availability {
    pub fn available(self) -> i64 {
        self.on_hand - self.reserved
    }
}

/// The part of a settlement that a caller passes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// These can be promised differently now.
    pub variants: Vec<VariantId>,
    /// Of these more can be promised than before: orders that wait for some may have them.
    pub freed: Vec<VariantId>,
}

impl Change {
    pub(super) fn of(movements: &[Movement]) -> Self {
        let mut net: BTreeMap<&VariantId, i64> = BTreeMap::new();
        for movement in movements {
            *net.entry(&movement.variant).or_default() += movement.on_hand - movement.reserved;
        }
        let freed = net.iter().filter(|(_, more)| **more > 0).map(|(variant, _)| (*variant).clone()).collect();
        Self { variants: net.into_keys().cloned().collect(), freed }
    }
}

/// How orders of a connection are served.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct Rule {
    #[serde(flatten)]
    pub serving: Serving,
    /// How long an order holds stock without being paid; for ever, if not given.
    pub unpaid_ms: Option<i64>,
}

/// Units that a line of an order should hold and does not.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Lack {
    pub line: String,
    pub variant: VariantId,
    pub units: i64,
}

/// Where the sums are not what the ledger adds up to.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Difference {
    pub variant: VariantId,
    pub location: LocationId,
    pub on_hand: i64,
    pub reserved: i64,
    pub ledger_on_hand: i64,
    pub ledger_reserved: i64,
}
