//! The words of prices. Pure.

use entrepot_crossborder::pricing::{Charm, Entry};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::Error;
use crate::catalog::Country;
use crate::ctx::Ctx;
use crate::id::{ConnectionId, PriceLineId, VariantId};
use crate::money::{Currency, Decimal, Money};

/// Before any list. Absent facts are not known, never zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    #[serde(default)]
    pub price: Option<Money>,
    /// What one piece costs us.
    #[serde(default)]
    pub cost: Option<Money>,
}

impl Base {
    pub(super) fn check(&self) -> Result<(), Error> {
        if let Some(price) = self.price.filter(|price| price.minor() <= 0) {
            return Err(Error::invalid("price", price, "give an amount above zero, or none"));
        }
        if let Some(cost) = self.cost.filter(Money::is_negative) {
            return Err(Error::invalid("cost", cost, "give zero or more, or none"));
        }
        Ok(())
    }
}

/// A line of a price list as a person gives it; what is left out means any.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewLine {
    #[serde(default)]
    pub variant: Option<VariantId>,
    #[serde(default)]
    pub connection: Option<ConnectionId>,
    /// ISO 3166-1 alpha-2.
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
    /// 0.05 adds 5 % to the base price.
    #[serde(default)]
    pub adjustment: Decimal,
    #[serde(default)]
    pub charm: Option<Charm>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Line {
    pub id: PriceLineId,
    #[serde(flatten)]
    pub line: NewLine,
    pub created_at: i64,
}

impl NewLine {
    pub(super) fn checked(mut self) -> Result<Self, Error> {
        self.country = self.country.as_deref().map(country).transpose()?;
        self.group = self.group.map(|group| group.trim().to_owned()).filter(|group| !group.is_empty());
        if let Some(group) = self.group.as_ref().filter(|group| group.chars().count() > 60 || group.chars().any(char::is_control)) {
            return Err(Error::invalid("group", group, "use 1 to 60 characters"));
        }
        if let Some(fixed) = self.fixed.filter(|fixed| fixed.minor() <= 0) {
            return Err(Error::invalid("fixed", fixed, "give an amount above zero"));
        }
        if self.fixed.is_some() && self.variant.is_none() {
            return Err(Error::invalid("fixed", "a price for every variant", "name the variant, or give an adjustment"));
        }
        if self.adjustment <= -Decimal::ONE || self.adjustment > Decimal::ONE_HUNDRED {
            return Err(Error::invalid("adjustment", self.adjustment, "give a fraction above -1, such as 0.05 for 5 % more"));
        }
        if let Some(charm) = &self.charm
            && (charm.step <= Decimal::ZERO || charm.ending < Decimal::ZERO)
        {
            return Err(Error::invalid(
                "charm",
                format!("{} + k × {}", charm.ending, charm.step),
                "give a step above zero and an ending of zero or more",
            ));
        }
        match (self.valid_from, self.valid_to) {
            (Some(from), Some(to)) if to <= from => {
                Err(Error::invalid("valid_to", to, "give a day after valid_from: it is the first day after"))
            }
            _ => Ok(self),
        }
    }

    pub(super) fn entry(&self) -> Entry {
        Entry {
            variant: self.variant.as_ref().map(ToString::to_string),
            channel: self.connection.as_ref().map(ToString::to_string),
            country: self.country.clone(),
            group: self.group.clone(),
            valid_from: self.valid_from,
            valid_to: self.valid_to,
            fixed: self.fixed,
            adjustment: self.adjustment,
            charm: self.charm,
        }
    }
}

pub fn country(text: &str) -> Result<String, Error> {
    let known = Country::parse(text).map_err(|_| Error::invalid("country", text, "give the two-letter ISO code, such as DE"))?;
    Ok(known.as_str().to_owned())
}

/// How one connection prices. Amounts are in its currency, rates are fractions: 0.15 is 15 %.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// The shop's own, as its last check found it, if absent.
    pub currency: Option<Currency>,
    /// Whose prices the shop shows; its own country if absent.
    pub country: Option<String>,
    /// Which customer group's prices it shows.
    pub group: Option<String>,
    /// Of the price with tax.
    pub fee_rate: Decimal,
    pub fixed_fee: Decimal,
    pub shipping: Decimal,
    /// Tax inside the price.
    pub tax_rate: Decimal,
    /// Of net sales; without one there is no floor.
    pub min_margin_rate: Option<Decimal>,
    /// A smaller move of a price is not told.
    pub band: Decimal,
    /// Units of the shop's currency per unit of the base price's; the rate of the day if absent.
    pub locked_rate: Option<Decimal>,
    /// Added to every rate, in 1/10000: what the conversion costs.
    pub markup_bps: Decimal,
    /// Rates older than this price nothing anew; what was said of all prices (`rate use`) if absent.
    pub max_age_days: Option<u32>,
    /// Price lists of the channel beside its own prices: for other markets or groups of customers.
    pub lists: Vec<ChannelList>,
}

/// One price list of a channel.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelList {
    /// The channel's id of it, such as Shopify's `gid://shopify/PriceList/1`.
    pub id: String,
    pub currency: Currency,
    /// Whose prices it shows; any country's or group's if absent.
    #[serde(default)]
    pub country: Option<String>,
    #[serde(default)]
    pub group: Option<String>,
}

impl ChannelList {
    fn check(&self) -> Result<(), Error> {
        if self.id.trim().is_empty() || self.id.chars().count() > 200 || self.id.chars().any(char::is_control) {
            return Err(Error::invalid("lists", &self.id, "give the channel's id of the price list"));
        }
        self.country.as_deref().map_or(Ok(()), |code| country(code).map(drop))
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            currency: None,
            country: None,
            group: None,
            fee_rate: Decimal::ZERO,
            fixed_fee: Decimal::ZERO,
            shipping: Decimal::ZERO,
            tax_rate: Decimal::ZERO,
            min_margin_rate: None,
            band: Decimal::new(15, 3),
            locked_rate: None,
            markup_bps: Decimal::ZERO,
            max_age_days: None,
            lists: Vec::new(),
        }
    }
}

impl Policy {
    pub(super) fn check(&self) -> Result<(), Error> {
        let fraction = |field, value: Decimal| {
            if value < Decimal::ZERO || value >= Decimal::ONE {
                return Err(Error::invalid(field, value, "give a fraction from 0 to below 1, such as 0.15 for 15 %"));
            }
            Ok(())
        };
        fraction("fee_rate", self.fee_rate)?;
        fraction("band", self.band)?;
        fraction("tax_rate", self.tax_rate)?;
        self.min_margin_rate.map_or(Ok(()), |rate| fraction("min_margin_rate", rate))?;
        for (field, amount) in [("fixed_fee", self.fixed_fee), ("shipping", self.shipping)] {
            if amount < Decimal::ZERO {
                return Err(Error::invalid(field, amount, "give zero or more"));
            }
            if let Some(currency) = self.currency {
                Money::from_decimal_exact(amount, currency)
                    .map_err(|_| Error::invalid(field, amount, "give no more decimals than the currency has"))?;
            }
        }
        if let Some(rate) = self.locked_rate.filter(|rate| *rate <= Decimal::ZERO) {
            return Err(Error::invalid("locked_rate", rate, "give units of the shop's currency per unit of the base price's, above zero"));
        }
        for (at, list) in self.lists.iter().enumerate() {
            list.check()?;
            if self.lists[..at].iter().any(|other| other.id == list.id) {
                return Err(Error::invalid("lists", &list.id, "name each price list once"));
            }
        }
        if self.markup_bps < Decimal::ZERO || self.markup_bps > Decimal::from(10_000) {
            return Err(Error::invalid("markup_bps", self.markup_bps, "give 0 to 10000, such as 150 for 1.5 %"));
        }
        self.country.as_deref().map_or(Ok(()), |code| country(code).map(drop))
    }
}

/// Whom a pushed price is for, as the history keeps it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PricedFor {
    pub variant: VariantId,
    /// `""` where it is not known.
    pub country: String,
}

/// A price that a channel took.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Remembered {
    pub connection: ConnectionId,
    pub country: String,
    pub at: i64,
    pub price: Money,
    pub actor: String,
}

pub fn day_of(at_ms: i64) -> Date {
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap_or_default();
    at.to_zoned(jiff::tz::TimeZone::UTC).date()
}

pub fn today(ctx: &Ctx) -> Date {
    day_of(ctx.now_ms())
}
