//! What every row carries: when it holds, when we knew it, where it comes from and how sure it is.

use std::fmt;
use std::sync::Arc;

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize};

/// How sure a row is. Everything below [`Verification::Secondary`] is shown as unverified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verification {
    /// The wording of the rule was seen.
    LawText,
    /// The authority's own page or worked example.
    Official,
    /// An adviser, vendor or the press.
    Secondary,
    /// Arithmetic only.
    Computed,
    /// Entered by the merchant, who answers for it.
    Merchant,
    /// General knowledge, found in no material read.
    Recalled,
    /// Sources disagree.
    Conflict,
    Unverified,
}

impl Verification {
    pub fn is_verified(self) -> bool {
        !matches!(self, Self::Recalled | Self::Conflict | Self::Unverified)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::LawText => "law_text",
            Self::Official => "official",
            Self::Secondary => "secondary",
            Self::Computed => "computed",
            Self::Merchant => "merchant",
            Self::Recalled => "recalled",
            Self::Conflict => "conflict",
            Self::Unverified => "unverified",
        }
    }

    /// Whether a row with this mark may stand without a source.
    pub(super) fn may_lack_source(self) -> bool {
        !matches!(self, Self::LawText | Self::Official | Self::Secondary)
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// When a row holds: from inclusive, to exclusive, absent = open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Period {
    #[serde(default, deserialize_with = "date_or_empty")]
    pub valid_from: Option<Date>,
    #[serde(default, deserialize_with = "date_or_empty")]
    pub valid_to: Option<Date>,
}

impl Period {
    pub fn holds_on(&self, date: Date) -> bool {
        self.valid_from.is_none_or(|from| from <= date) && self.valid_to.is_none_or(|to| date < to)
    }

    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let before = |end: Option<Date>, start: Option<Date>| match (end, start) {
            (Some(end), Some(start)) => end <= start,
            _ => false,
        };
        !before(self.valid_to, other.valid_from) && !before(other.valid_to, self.valid_from)
    }
}

/// When we knew a row: from inclusive, to exclusive, absent = always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Known {
    #[serde(default, deserialize_with = "date_or_empty")]
    pub recorded_on: Option<Date>,
    #[serde(default, deserialize_with = "date_or_empty")]
    pub retracted_on: Option<Date>,
}

impl Known {
    pub fn known_on(&self, date: Date) -> bool {
        self.recorded_on.is_none_or(|from| from <= date) && self.retracted_on.is_none_or(|to| date < to)
    }

    /// Known to whoever asks without naming a day.
    pub fn is_current(&self) -> bool {
        self.retracted_on.is_none()
    }
}

/// What an answer shows about a row it used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Citation {
    /// Rule id, or file and key of a table row.
    pub rule: String,
    #[serde(flatten)]
    pub period: Period,
    pub verification: Verification,
    pub sources: Vec<String>,
    /// The legal text or article, where known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub legal: String,
}

pub(super) fn cite(rule: String, period: Period, verification: Verification, sources: &str, legal: &str) -> Arc<Citation> {
    let sources = sources.split(';').map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect();
    Arc::new(Citation { rule, period, verification, sources, legal: legal.to_owned() })
}

/// Where a fact comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    pub id: String,
    pub kind: String,
    pub title: String,
    pub url: String,
}

pub(super) fn date_or_empty<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Date>, D::Error> {
    let text = Option::<String>::deserialize(d)?;
    match text.as_deref() {
        None | Some("") => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| serde::de::Error::custom(format!("\"{text}\" is not a date YYYY-MM-DD"))),
    }
}
