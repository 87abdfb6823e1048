//! The words of stock. Pure.

use crate::id::{LocationId, VariantId};

/// Why stock moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Receive,
    Count,
    Adjust,
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
}

impl Level {
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

/// The part of a settlement that a caller passes on: these variants can be promised differently now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub variants: Vec<VariantId>,
}
