//! What keeps an offer off a channel, and what a customs paper still lacks: the catalogue's facts before the engine's rules.

use std::collections::{BTreeMap, BTreeSet};

use entrepot_crossborder::documents::{DescriptionProblem, Form, customs_form, lint_description, missing_fields};
use entrepot_crossborder::gates::{Battery, Closed, Offer, publication_gates};
use entrepot_crossborder::money::Decimal;
use entrepot_crossborder::rules::{NOT_ADVICE, RuleSet};
use jiff::civil::Date;
use serde::Serialize;

use super::Error;
use super::model::{EntityFacts, GoodsFacts};
use crate::money::Money;

/// One variant before the gates of one destination.
#[derive(Clone, Debug, Serialize)]
pub struct Gates {
    pub sku: String,
    pub destination: String,
    pub open: bool,
    pub closed: Vec<Closed>,
    pub notice: &'static str,
}

/// What of a variant the gates and papers ask for.
#[derive(Clone, Debug)]
pub struct Goods<'a> {
    pub sku: &'a str,
    pub hs: Option<&'a str>,
    pub origin: Option<&'a str>,
    pub weight_g: Option<i64>,
    pub facts: &'a GoodsFacts,
}

pub fn gates(
    set: &RuleSet,
    goods: &Goods<'_>,
    entity: Option<&EntityFacts>,
    destination: &str,
    mode: Option<&str>,
    date: Date,
) -> Result<Gates, Error> {
    let facts = goods.facts;
    let fields: BTreeMap<&str, &str> = facts.fields.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let registrations: BTreeSet<&str> = entity.and_then(|e| e.registrations.as_ref()).into_iter().flatten().map(String::as_str).collect();
    let battery = facts.battery.as_ref().map(|battery| Battery {
        un: &battery.un,
        packing: &battery.packing,
        mode: mode.unwrap_or("air_passenger"),
        watt_hours: battery.watt_hours,
        state_of_charge_percent: battery.charge_percent,
        date,
    });
    let offer = Offer {
        fields,
        manufacturer_country: facts.manufacturer_country.as_deref(),
        consumer_product: !facts.professional,
        hs: goods.hs,
        kinds: facts.kind.as_deref().into_iter().collect(),
        registrations,
        battery,
    };
    let closed = publication_gates(set, &offer, destination, date)?;
    Ok(Gates { sku: goods.sku.to_owned(), destination: destination.to_owned(), open: closed.is_empty(), closed, notice: NOT_ADVICE })
}

/// The customs paper of a parcel, and what it lacks.
#[derive(Clone, Debug, Serialize)]
pub struct Papers {
    pub form: Form,
    /// In special drawing rights, where the form depends on the value.
    pub value_sdr: Option<Decimal>,
    /// Mandatory fields that the hub cannot fill from the order and the catalogue.
    pub missing: Vec<String>,
    pub lines: Vec<PaperLine>,
    pub notice: &'static str,
}

#[derive(Clone, Debug, Serialize)]
pub struct PaperLine {
    pub sku: String,
    pub missing: Vec<&'static str>,
    /// What is wrong with the description customs would read.
    pub description: Option<String>,
}

/// How a parcel travels.
#[derive(Clone, Copy, Debug)]
pub struct Parcel {
    pub by_post: bool,
    pub letter_class: bool,
    /// Units of the value's currency per special drawing right; without it a letter counts as heavy.
    pub ccy_per_sdr: Option<Decimal>,
    pub date: Date,
}

/// `given`: fields of the form that the order fills.
pub fn papers(set: &RuleSet, parcel: Parcel, value: Money, goods: &[Goods<'_>], given: &BTreeSet<&str>) -> Result<Papers, Error> {
    let (form, value_sdr) = match parcel.ccy_per_sdr {
        Some(rate) => {
            let (form, sdr) = customs_form(set, parcel.date, parcel.by_post, parcel.letter_class, value, rate)?;
            (form, Some(sdr))
        }
        None if parcel.by_post => (Form::Cn23, None),
        None => (Form::CommercialInvoice, None),
    };
    let missing = missing_fields(set, form.id(), parcel.date, given)?.into_iter().map(str::to_owned).collect();
    let lines = goods
        .iter()
        .map(|goods| {
            let mut missing = Vec::new();
            for (field, known) in
                [("hs_code", goods.hs.is_some()), ("origin", goods.origin.is_some()), ("weight_g", goods.weight_g.is_some())]
            {
                if !known {
                    missing.push(field);
                }
            }
            let text = goods.facts.description.as_deref().unwrap_or_default();
            let problem: Option<DescriptionProblem> = lint_description(set, text).err();
            PaperLine { sku: goods.sku.to_owned(), missing, description: problem.map(|problem| problem.to_string()) }
        })
        .collect();
    Ok(Papers { form, value_sdr, missing, lines, notice: NOT_ADVICE })
}
