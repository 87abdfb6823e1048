//! The question. Amounts are integer minor units of `currency`; what is not given is unknown, not zero.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::facts::{Buyer, Channel};
use crate::landed::Incoterm;
use crate::money::{Currency, Decimal};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuoteInput {
    /// The day payment is accepted: decides rates, schemes and threshold rates.
    pub date: Date,
    /// ISO 3166-1 alpha-2 of dispatch (not of origin).
    #[serde(default)]
    pub ship_from: Option<String>,
    pub ship_to: String,
    /// State, province or special territory: `PT-30` or `30`.
    #[serde(default)]
    pub region: Option<String>,
    /// Tells special territories that an address names no region for. Not kept in the answer.
    #[serde(default)]
    pub postal_code: Option<String>,
    #[serde(default)]
    pub seller: Seller,
    #[serde(default)]
    pub buyer: Option<Buyer>,
    #[serde(default)]
    pub channel: Option<Channel>,
    /// `courier`, `post` or `freight`.
    #[serde(default)]
    pub mode: Option<String>,
    #[serde(default)]
    pub incoterm: Option<Incoterm>,
    pub currency: Currency,
    /// Whether unit prices and shipping contain the tax of the destination.
    #[serde(default)]
    pub prices_include_tax: bool,
    pub lines: Vec<Line>,
    #[serde(default)]
    pub shipping_minor: i64,
    #[serde(default)]
    pub insurance_minor: i64,
    /// Transport inside the destination, if charged apart.
    #[serde(default)]
    pub onward_minor: i64,
    #[serde(default)]
    pub fees: Vec<Fee>,
    /// Refuse exchange rates older than this.
    #[serde(default)]
    pub max_rate_age_days: Option<u32>,
    /// The seller leaves the tax to the border where the law lets it (AU).
    #[serde(default)]
    pub elect_border: bool,
    #[serde(default)]
    pub national: National,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seller {
    /// Country of establishment.
    #[serde(default)]
    pub country: Option<String>,
    /// Such as `eu.ioss`, `no.voec`, `au.gst`, `us.TX`. Absent = not known; empty = none.
    #[serde(default)]
    pub registrations: Option<Vec<String>>,
    #[serde(default)]
    pub several_states: Option<bool>,
    #[serde(default)]
    pub opted_destination: Option<bool>,
    /// Cross-border EU consumer sales of the calendar year before this one, over all channels, EUR cents, net.
    #[serde(default)]
    pub year_to_date_eur_minor: Option<i64>,
    /// The same for the previous year.
    #[serde(default)]
    pub previous_year_eur_minor: Option<i64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    #[serde(default)]
    pub sku: Option<String>,
    pub unit_minor: i64,
    pub qty: u32,
    /// `excise`, `food`, `restricted`; absent = ordinary, which the answer names as an assumption.
    #[serde(default)]
    pub kind: Option<String>,
    /// Tax category such as `books`; absent = standard.
    #[serde(default)]
    pub category: Option<String>,
    /// Tariff code, as many digits as are known.
    #[serde(default)]
    pub hs: Option<String>,
    /// Country the goods were made in.
    #[serde(default)]
    pub origin: Option<String>,
    /// Duty rate into the destination as a fraction, if known.
    #[serde(default)]
    pub duty_rate: Option<Decimal>,
    /// With only part of the code known: the other end of the range.
    #[serde(default)]
    pub duty_rate_max: Option<Decimal>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fee {
    pub code: String,
    pub minor: i64,
}

/// Facts only one country asks for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct National {
    #[serde(default)]
    pub personal_use: Option<bool>,
    #[serde(default)]
    pub cn_cbec_channel: Option<bool>,
    #[serde(default)]
    pub cn_consumption_rate: Option<Decimal>,
    /// What the buyer has used of the year's limit, CNY minor units.
    #[serde(default)]
    pub cn_year_to_date_minor: Option<i64>,
    #[serde(default)]
    pub cn_postal_rate: Option<Decimal>,
    #[serde(default)]
    pub kr_list_clearance: Option<bool>,
    #[serde(default)]
    pub tr_list_iv: Option<bool>,
    #[serde(default)]
    pub us_ieepa_rate: Option<Decimal>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    #[error("a quote needs at least one line")]
    NoLines,
    #[error("line {line}: {what}")]
    BadLine { line: usize, what: &'static str },
    #[error("{field} is negative: give zero or more")]
    Negative { field: &'static str },
    #[error("{field} \"{value}\" is not an ISO 3166-1 alpha-2 country code")]
    BadCountry { field: &'static str, value: String },
}

fn country(field: &'static str, value: &str) -> Result<(), InputError> {
    if value.len() == 2 && value.bytes().all(|b| b.is_ascii_uppercase()) {
        return Ok(());
    }
    Err(InputError::BadCountry { field, value: value.chars().take(20).collect() })
}

impl QuoteInput {
    pub(super) fn check(&self) -> Result<(), InputError> {
        if self.lines.is_empty() {
            return Err(InputError::NoLines);
        }
        country("ship_to", &self.ship_to)?;
        if let Some(from) = &self.ship_from {
            country("ship_from", from)?;
        }
        if let Some(seller) = &self.seller.country {
            country("seller.country", seller)?;
        }
        for (field, value) in
            [("shipping_minor", self.shipping_minor), ("insurance_minor", self.insurance_minor), ("onward_minor", self.onward_minor)]
        {
            if value < 0 {
                return Err(InputError::Negative { field });
            }
        }
        if self.fees.iter().any(|fee| fee.minor < 0) {
            return Err(InputError::Negative { field: "fees" });
        }
        for (line, number) in self.lines.iter().zip(1..) {
            let bad = |what| InputError::BadLine { line: number, what };
            if line.unit_minor < 0 {
                return Err(bad("unit_minor is negative"));
            }
            if line.qty == 0 {
                return Err(bad("qty is zero"));
            }
            let negative = |rate: Option<Decimal>| rate.is_some_and(|r| r < Decimal::ZERO);
            if negative(line.duty_rate) || negative(line.duty_rate_max) {
                return Err(bad("a duty rate is negative"));
            }
        }
        Ok(())
    }
}
