//! Who sells, through what, and what of: the facts a merchant gives, checked. Pure.

use std::collections::BTreeMap;

use entrepot_crossborder::landed::Incoterm;
use entrepot_crossborder::money::{Currency, Decimal};
use entrepot_crossborder::quote::{Channel, Seller};
use serde::{Deserialize, Serialize};

use super::Error;
use crate::id::{ConnectionId, EntityId};

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Entity {
    pub id: EntityId,
    pub name: String,
    #[serde(flatten)]
    pub facts: EntityFacts,
    pub created_at: i64,
    pub updated_at: i64,
}

/// What is not given is unknown: an answer that needs it says so.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EntityFacts {
    /// Where it is established, ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// Tax registrations such as `eu.oss`, `eu.ioss`, `gb.vat`, `no.voec`, `au.gst`, `us.TX`, `fr.vat`. Null = unknown, empty = none.
    pub registrations: Option<Vec<String>>,
    /// Country the goods leave from, where a connection does not say otherwise.
    pub ships_from: Option<String>,
    /// Established in, or shipping from, more than one EU member state.
    pub several_states: Option<bool>,
    /// `courier`, `post` or `freight`.
    pub mode: Option<String>,
    /// Who pays what falls due at the border: `DAP` the buyer, `DDP` the seller.
    pub incoterm: Option<Incoterm>,
    /// In which its books are kept: orders in others are locked at a rate.
    pub currency: Option<Currency>,
    /// EU distance sales that the hub has not seen, by year, net, in euro cents.
    pub eu_sales_elsewhere: BTreeMap<i16, i64>,
}

/// What a connection is for the tax.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ChannelProfile {
    pub connection: ConnectionId,
    pub entity: EntityId,
    #[serde(flatten)]
    pub facts: ChannelFacts,
    pub updated_at: i64,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChannelFacts {
    /// `own_store` or `marketplace`.
    pub kind: Option<Channel>,
    pub collects: Collects,
    pub ships_from: Option<String>,
    /// Countries it offers goods to: what one of them does not allow is not put on sale. Empty: nothing is held back.
    pub sells_to: Vec<String>,
}

/// Whether the channel itself pays the tax to the authority.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Collects {
    Always,
    /// Where the law makes a marketplace the taxpayer.
    #[default]
    ByLaw,
    Never,
}

/// What tax, customs and safety ask of a variant beyond the catalogue.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GoodsFacts {
    /// Tax category such as `books`, `food_basic`; null = standard rate, said as an assumption.
    pub category: Option<String>,
    /// `ordinary`, `excise`, `food` or `restricted`.
    pub kind: Option<String>,
    /// What customs are told the goods are.
    pub description: Option<String>,
    pub manufacturer_country: Option<String>,
    /// What an offer must show, by the names of the rule set's documents: `manufacturer_name`, `product_picture`, …
    pub fields: BTreeMap<String, String>,
    /// Not sold to consumers: the safety fields are not asked for.
    pub professional: bool,
    pub battery: Option<BatteryFacts>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatteryFacts {
    /// `UN3480`, `UN3481`, …
    pub un: String,
    /// Packing instruction: `PI965` …
    pub packing: String,
    #[serde(default)]
    pub watt_hours: Option<Decimal>,
    #[serde(default)]
    pub charge_percent: Option<Decimal>,
}

const MODES: [&str; 3] = ["courier", "post", "freight"];
const KINDS: [&str; 4] = ["ordinary", "excise", "food", "restricted"];

fn bad<T>(field: &'static str, value: &str, remedy: impl Into<String>) -> Result<T, Error> {
    Err(Error::BadFact { field, value: value.chars().take(80).collect(), remedy: remedy.into() })
}

/// Upper case, two letters.
fn country(field: &'static str, text: &mut Option<String>) -> Result<(), Error> {
    let Some(given) = text else { return Ok(()) };
    let clean = given.trim().to_ascii_uppercase();
    if clean.len() != 2 || !clean.bytes().all(|b| b.is_ascii_uppercase()) {
        return bad(field, given, "give the country's two-letter ISO code, such as DE");
    }
    // People write these two; the tables know the ISO code.
    *given = match clean.as_str() {
        "UK" => "GB".into(),
        "EL" => "GR".into(),
        _ => clean,
    };
    Ok(())
}

/// `eu.oss`: zone or country in small letters, a dot, the scheme; a state of the US in capitals.
fn registration(text: &str) -> Result<String, Error> {
    let remedy = "write ZONE.SCHEME, such as eu.oss, eu.ioss, gb.vat, no.voec, au.gst, de.lucid or us.TX";
    let clean = text.trim();
    let Some((zone, scheme)) = clean.split_once('.') else { return bad("registrations", text, remedy) };
    let zone = zone.to_ascii_lowercase();
    let plain = |part: &str| !part.is_empty() && part.len() <= 40 && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if zone.len() != 2 || !plain(&zone) || !plain(scheme) {
        return bad("registrations", text, remedy);
    }
    let state = zone == "us" && scheme.len() == 2;
    Ok(format!("{zone}.{}", if state { scheme.to_ascii_uppercase() } else { scheme.to_ascii_lowercase() }))
}

impl EntityFacts {
    pub(super) fn checked(mut self) -> Result<Self, Error> {
        country("country", &mut self.country)?;
        country("ships_from", &mut self.ships_from)?;
        if let Some(list) = &mut self.registrations {
            *list = list.iter().map(|text| registration(text)).collect::<Result<_, _>>()?;
            list.sort();
            list.dedup();
        }
        if let Some(mode) = self.mode.as_deref().filter(|mode| !MODES.contains(mode)) {
            return bad("mode", mode, format!("give one of {}", MODES.join(", ")));
        }
        for (year, minor) in &self.eu_sales_elsewhere {
            if *minor < 0 || !(2000..=2100).contains(year) {
                return bad("eu_sales_elsewhere", &format!("{year}: {minor}"), "give a year and an amount of zero or more in euro cents");
            }
        }
        Ok(self)
    }

    pub fn is_registered(&self, registration: &str) -> bool {
        self.registrations.as_ref().is_some_and(|list| list.iter().any(|r| r == registration))
    }

    /// As the engine asks for it. Whoever is registered for the one-stop shop taxes at destination whatever its total is.
    pub fn seller(&self) -> Seller {
        Seller {
            country: self.country.clone(),
            registrations: self.registrations.clone(),
            several_states: self.several_states,
            opted_destination: self.registrations.is_some().then(|| self.is_registered("eu.oss")),
            year_to_date_eur_minor: None,
            previous_year_eur_minor: None,
        }
    }
}

impl ChannelFacts {
    pub(super) fn checked(mut self) -> Result<Self, Error> {
        country("ships_from", &mut self.ships_from)?;
        for code in &mut self.sells_to {
            let mut given = Some(std::mem::take(code));
            country("sells_to", &mut given)?;
            *code = given.unwrap_or_default();
        }
        self.sells_to.sort();
        self.sells_to.dedup();
        Ok(self)
    }

    /// As the engine asks for it: what the channel does counts more than what it calls itself.
    pub fn channel(&self) -> Option<Channel> {
        match self.collects {
            Collects::Always => Some(Channel::Marketplace),
            Collects::Never => Some(Channel::OwnStore),
            Collects::ByLaw => self.kind,
        }
    }
}

impl GoodsFacts {
    pub(super) fn checked(mut self) -> Result<Self, Error> {
        country("manufacturer_country", &mut self.manufacturer_country)?;
        if let Some(kind) = self.kind.as_deref().filter(|kind| !KINDS.contains(kind)) {
            return bad("kind", kind, format!("give one of {}", KINDS.join(", ")));
        }
        let plain = |text: &str| {
            !text.is_empty() && text.len() <= 60 && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        if let Some(category) = self.category.as_deref().filter(|category| !plain(category)) {
            return bad("category", category, "use small letters, digits and underscores, such as books or food_basic");
        }
        if let Some((name, _)) = self.fields.iter().find(|(name, text)| !plain(name) || text.chars().count() > 2_000) {
            return bad(
                "fields",
                name,
                "name a field as in the rule set's documents, such as manufacturer_name, with at most 2000 characters",
            );
        }
        Ok(self)
    }
}

pub(super) fn clean_name(name: &str) -> Result<String, Error> {
    let clean = name.trim();
    let bad = clean.is_empty() || clean.chars().count() > 60 || clean.chars().any(char::is_control) || EntityId::parse(clean).is_ok();
    if bad { Err(Error::BadName { name: name.chars().take(80).collect() }) } else { Ok(clean.to_owned()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn facts_are_kept_in_one_spelling_and_wrong_ones_are_named() {
        let given = EntityFacts {
            country: Some(" de".into()),
            registrations: Some(vec!["EU.OSS".into(), "us.tx".into(), "eu.oss".into()]),
            ships_from: Some("uk".into()),
            ..EntityFacts::default()
        };
        let kept = given.checked().unwrap();
        assert_eq!((kept.country.as_deref(), kept.ships_from.as_deref()), (Some("DE"), Some("GB")));
        assert_eq!(kept.registrations.unwrap(), ["eu.oss", "us.TX"]);
        let wrong = EntityFacts { registrations: Some(vec!["oss".into()]), ..EntityFacts::default() };
        assert!(wrong.checked().unwrap_err().to_string().contains("`oss`"));
        let wrong = GoodsFacts { kind: Some("toy".into()), ..GoodsFacts::default() };
        assert!(wrong.checked().unwrap_err().to_string().contains("`toy`"));
    }

    #[test]
    fn a_registration_for_the_one_stop_shop_is_a_choice_of_the_destination() {
        let seller = |list: Option<&[&str]>| {
            let registrations = list.map(|l| l.iter().map(|r| (*r).to_owned()).collect());
            EntityFacts { registrations, ..EntityFacts::default() }.seller().opted_destination
        };
        assert_eq!((seller(None), seller(Some(&[])), seller(Some(&["eu.oss"]))), (None, Some(false), Some(true)));
    }

    #[test]
    fn what_a_channel_does_counts_more_than_its_name() {
        let facts = |kind, collects| ChannelFacts { kind, collects, ..ChannelFacts::default() }.channel();
        assert_eq!(facts(None, Collects::ByLaw), None);
        assert_eq!(facts(Some(Channel::OwnStore), Collects::Always), Some(Channel::Marketplace));
        assert_eq!(facts(Some(Channel::Marketplace), Collects::Never), Some(Channel::OwnStore));
    }
}
