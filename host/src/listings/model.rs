//! The words of listings, and how much of our stock one shows. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use super::error::Error;
use crate::hex::hex;
use crate::id::{ConnectionId, ListingId, VariantId};

/// One sellable thing as the channel offers it: the contract's `listing`, strictly.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ChannelListing {
    pub external_id: String,
    /// The channel's id of the product it belongs to, shared by its siblings.
    pub parent: Option<String>,
    pub sku: Option<String>,
    pub gtin: Option<String>,
    pub title: String,
    /// What tells it from its siblings: (`Colour`, `Red`).
    pub options: Vec<(String, String)>,
    pub status: Status,
    /// Exact decimal and ISO 4217 code.
    pub price: Option<(String, String)>,
    pub tracking: Tracking,
    /// (location, quantity); no location at channels without any, negative where they oversell.
    pub levels: Vec<(Option<String>, i64)>,
    pub weight_g: Option<u32>,
    pub hs_code: Option<String>,
    pub origin: Option<String>,
    pub url: Option<String>,
    pub updated_at: Option<i64>,
    /// What the connector wants back with every push.
    pub handles: Json,
    pub extras: Json,
}

impl ChannelListing {
    /// Equal for equal content.
    pub(super) fn digest(&self) -> String {
        let content = serde_json::json!(self).to_string();
        hex(&Sha256::digest(content.as_bytes())[..16])
    }

    /// Why it cannot be kept at all.
    pub(super) fn problem(&self) -> Option<&'static str> {
        if self.external_id.is_empty() || self.external_id.contains('\0') {
            return Some("its id is empty or holds a NUL character; hint: report this to the connector's author");
        }
        None
    }
}

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $text:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum $name { $($variant),* }

        impl $name {
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }

        impl crate::store::FromCell for $name {
            fn from_cell(cell: &crate::store::Value) -> Option<Self> {
                Self::parse(&String::from_cell(cell)?)
            }
        }
    };
}

words!(Status { Active = "active", Draft = "draft", Archived = "archived", Other = "other" });
words!(
    /// Who counts: the shop this listing, nobody (never push), or the shop its parent (push there).
    Tracking { Tracked = "tracked", Untracked = "untracked", Parent = "parent" }
);
words!(Link { Linked = "linked", Unmatched = "unmatched", Ambiguous = "ambiguous", Ignored = "ignored" });

/// The rest of what the channel said; nothing in the hub decides by it.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Details {
    pub options: Vec<(String, String)>,
    pub weight_g: Option<u32>,
    pub hs_code: Option<String>,
    pub origin: Option<String>,
    pub url: Option<String>,
    pub updated_at: Option<i64>,
    pub extras: Json,
}

/// Of a listing only whose it is and what it shows: what every order asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Brief {
    pub id: ListingId,
    pub connection: ConnectionId,
    pub external_id: String,
    pub tracking: Tracking,
    pub variant: Option<VariantId>,
}

#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Listing {
    pub id: ListingId,
    pub connection: ConnectionId,
    pub external_id: String,
    pub parent: Option<String>,
    pub sku: Option<String>,
    pub gtin: Option<String>,
    pub title: String,
    pub status: Status,
    pub tracking: Tracking,
    pub price: Option<(String, String)>,
    pub handles: Json,
    pub details: Details,
    pub variant: Option<VariantId>,
    pub link: Link,
    pub link_reason: Option<String>,
    pub publication: Publication,
    pub seen_at: i64,
    pub created_at: i64,
}

/// How much of our stock a listing may show.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publication {
    /// Units held back, beside the connection's own.
    pub buffer: i64,
    /// Part of what is available, in 1/10000.
    pub share_bps: i64,
    /// Never more than this.
    pub cap: Option<i64>,
}

impl Default for Publication {
    fn default() -> Self {
        Self { buffer: 0, share_bps: WHOLE_BPS, cap: None }
    }
}

pub const WHOLE_BPS: i64 = 10_000;

impl Publication {
    pub(super) fn check(&self) -> Result<(), Error> {
        let refuse = |field, value, remedy| Err(Error::Publication { field, value, remedy });
        match self {
            Self { buffer, .. } if *buffer < 0 => refuse("the buffer", *buffer, "give zero or more units"),
            Self { share_bps, .. } if !(0..=WHOLE_BPS).contains(share_bps) => {
                refuse("the share", *share_bps, "give 0 to 10000, in 1/10000")
            }
            Self { cap: Some(cap), .. } if *cap < 0 => refuse("the cap", *cap, "give zero or more units, or none"),
            _ => Ok(()),
        }
    }

    /// What the listing should show. `connection_buffer` is held back besides its own.
    pub fn quantity(&self, available: i64, safety: i64, connection_buffer: i64) -> i64 {
        published(available, safety, self.share_bps, self.buffer.saturating_add(connection_buffer), self.cap)
    }
}

/// `max(0, min(floor(share x max(0, available - safety)) - buffer, cap))`.
pub fn published(available: i64, safety: i64, share_bps: i64, buffer: i64, cap: Option<i64>) -> i64 {
    let sellable = i128::from(available).saturating_sub(i128::from(safety)).max(0);
    let share = sellable * i128::from(share_bps.clamp(0, WHOLE_BPS)) / i128::from(WHOLE_BPS);
    let shown = (share - i128::from(buffer)).min(cap.map_or(i128::MAX, i128::from)).max(0);
    i64::try_from(shown).unwrap_or(i64::MAX)
}

/// A quantity at one of the channel's locations, and when it was read.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct SeenLevel {
    pub location: Option<String>,
    pub quantity: i64,
    pub read_at: i64,
}

/// What [`super::upsert_seen`] did.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Of every record that was kept, by the channel's id.
    pub ids: BTreeMap<String, ListingId>,
    pub created: Vec<ListingId>,
    /// New or changed since they were stored last; the others were only compared.
    pub stored: BTreeSet<ListingId>,
    pub refused: Vec<Refused>,
}

#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Refused {
    pub external_id: String,
    pub why: String,
}

/// Which listings a list shows; nothing set: all.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    pub connection: Option<ConnectionId>,
    pub link: Option<Link>,
    pub variant: Option<VariantId>,
}
