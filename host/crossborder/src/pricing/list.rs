//! Entries of price lists and which of them answers: the most specific one that holds on the day.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::Charm;
use crate::money::{Decimal, Money};

/// One entry. An absent field means "any"; a price is fixed or adjusted from the base, fixed winning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    #[serde(default)]
    pub variant: Option<String>,
    #[serde(default)]
    pub channel: Option<String>,
    #[serde(default)]
    pub country: Option<String>,
    #[serde(default)]
    pub group: Option<String>,
    /// First day.
    #[serde(default)]
    pub valid_from: Option<Date>,
    /// First day after.
    #[serde(default)]
    pub valid_to: Option<Date>,
    #[serde(default)]
    pub fixed: Option<Money>,
    /// 0.05 adds 5 %.
    #[serde(default)]
    pub adjustment: Decimal,
    #[serde(default)]
    pub charm: Option<Charm>,
}

/// Whom a price is for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    pub variant: &'a str,
    pub channel: &'a str,
    pub country: Option<&'a str>,
    pub group: Option<&'a str>,
}

impl Entry {
    fn fits(&self, asked: &Asked<'_>, on: Date) -> bool {
        let is = |wanted: &Option<String>, have: Option<&str>| wanted.as_deref().is_none_or(|w| have == Some(w));
        is(&self.variant, Some(asked.variant))
            && is(&self.channel, Some(asked.channel))
            && is(&self.country, asked.country)
            && is(&self.group, asked.group)
            && self.valid_from.is_none_or(|from| from <= on)
            && self.valid_to.is_none_or(|to| on < to)
    }

    /// Variant before group before country before channel; then the later start.
    fn rank(&self) -> (bool, bool, bool, bool, Option<Date>) {
        (self.variant.is_some(), self.group.is_some(), self.country.is_some(), self.channel.is_some(), self.valid_from)
    }
}

/// The entry that answers on a day; of equally specific ones the one that began last, then the later in the list.
pub fn pick<'e>(entries: &'e [Entry], asked: &Asked<'_>, on: Date) -> Option<&'e Entry> {
    entries.iter().filter(|e| e.fits(asked, on)).max_by_key(|e| e.rank())
}
