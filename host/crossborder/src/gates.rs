//! Gates: reasons not to publish an offer or not to ship a parcel, each with what would open the gate.
//!
//! A gate never guesses: an empty field is a reason, an unknown battery is a reason.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::Date;
use serde::Serialize;

use crate::money::{Decimal, Error as MoneyError};
use crate::rules::{Amount, Citation, Compared, Condition, Fact, Facts, Have, Limit, RuleSet, Truth};

/// One closed gate.
#[derive(Debug, Clone, Serialize)]
pub struct Closed {
    /// `gpsr`, `dangerous_goods` or the id of a restriction.
    pub gate: String,
    /// A sentence for the merchant.
    pub reason: String,
    /// Fields or registrations that would open it; empty = nothing would.
    pub needs: Vec<String>,
    pub citation: Option<Arc<Citation>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DangerousReason {
    Ok,
    ForbiddenOnPassengerAircraft,
    StateOfCharge,
}

impl DangerousReason {
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ForbiddenOnPassengerAircraft => "forbidden_on_passenger_aircraft",
            Self::StateOfCharge => "state_of_charge",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("{un} with packing instruction {packing} is not in dangerous_goods.json")]
    UnknownGoods { un: String, packing: String },
    #[error("{what} of the battery is not known: it decides whether it may fly")]
    MissingFact { what: &'static str },
    #[error(transparent)]
    Money(#[from] MoneyError),
}

/// A battery shipment. `mode` begins with `air` for aircraft; `air_passenger` is the strict one.
#[derive(Debug, Clone, Copy)]
pub struct Battery<'a> {
    pub un: &'a str,
    pub packing: &'a str,
    pub mode: &'a str,
    pub watt_hours: Option<Decimal>,
    pub state_of_charge_percent: Option<Decimal>,
    pub date: Date,
}

/// The passenger ban is tested before the state of charge.
pub fn dangerous_goods(rules: &RuleSet, battery: &Battery<'_>) -> Result<DangerousReason, Error> {
    let row = rules.dangerous_goods(battery.un, battery.packing).ok_or_else(|| Error::UnknownGoods {
        un: battery.un.chars().take(20).collect(),
        packing: battery.packing.chars().take(20).collect(),
    })?;
    if battery.mode == "air_passenger" && row.passenger_aircraft_forbidden {
        return Ok(DangerousReason::ForbiddenOnPassengerAircraft);
    }
    let binds = battery.mode.starts_with("air") && row.soc_from.is_none_or(|from| from <= battery.date);
    if let (true, Some(max)) = (binds, row.soc_max_percent) {
        let large = match row.soc_above_wh {
            None => true,
            Some(limit) => {
                let energy = battery.watt_hours;
                energy.ok_or(Error::MissingFact { what: "the energy (Wh)" })? > limit
            }
        };
        if large {
            let charge = battery.state_of_charge_percent.ok_or(Error::MissingFact { what: "the state of charge" })?;
            if charge > max {
                return Ok(DangerousReason::StateOfCharge);
            }
        }
    }
    Ok(DangerousReason::Ok)
}

/// An offer as the gates see it: the fields that are filled in, by the names of `documents.json`.
#[derive(Debug, Clone, Default)]
pub struct Offer<'a> {
    pub fields: BTreeMap<&'a str, &'a str>,
    /// `None` = unknown, which the responsible-person rule treats as a reason.
    pub manufacturer_country: Option<&'a str>,
    pub consumer_product: bool,
    pub hs: Option<&'a str>,
    pub kinds: Vec<&'a str>,
    /// Registrations the merchant has, such as `de.lucid`.
    pub registrations: BTreeSet<&'a str>,
    pub battery: Option<Battery<'a>>,
}

/// Everything that keeps an offer off a channel that sells into `destination`.
pub fn publication_gates(rules: &RuleSet, offer: &Offer<'_>, destination: &str, date: Date) -> Result<Vec<Closed>, Error> {
    let mut closed = Vec::new();
    let zone = rules.zone_of(destination, date).map_or(destination, |z| z.zone.as_str());
    if zone == "EU" && offer.consumer_product {
        closed.extend(gpsr(rules, offer, destination, date));
    }
    for restriction in rules.restrictions(destination, date).chain(rules.restrictions(zone, date).filter(|_| zone != destination)) {
        let facts = OfferFacts { offer, destination };
        let needs: Vec<String> = restriction.needs.iter().filter(|n| !offer.registrations.contains(n.as_str())).cloned().collect();
        let open = !restriction.needs.is_empty() && needs.is_empty();
        match Condition::all_hold(&restriction.when, &facts) {
            Truth::No => {}
            _ if open => {}
            Truth::Yes => closed.push(Closed {
                gate: restriction.id.clone(),
                reason: restriction.reason.clone(),
                needs,
                citation: Some(Arc::clone(&restriction.cite)),
            }),
            Truth::Unknown => closed.push(Closed {
                gate: restriction.id.clone(),
                reason: format!("cannot be judged without the tariff code: {}", restriction.reason),
                needs: vec!["hs".to_owned()],
                citation: Some(Arc::clone(&restriction.cite)),
            }),
        }
    }
    if let Some(battery) = &offer.battery {
        let reason = match dangerous_goods(rules, battery) {
            Ok(DangerousReason::Ok) => None,
            Ok(DangerousReason::ForbiddenOnPassengerAircraft) => Some("this battery is forbidden on passenger aircraft".to_owned()),
            Ok(DangerousReason::StateOfCharge) => Some("this battery is charged above what may fly".to_owned()),
            Err(error) => Some(error.to_string()),
        };
        let row = rules.dangerous_goods(battery.un, battery.packing);
        closed.extend(reason.map(|reason| Closed {
            gate: "dangerous_goods".to_owned(),
            reason,
            needs: Vec::new(),
            citation: row.map(|r| Arc::clone(&r.cite)),
        }));
    }
    Ok(closed)
}

/// General product safety: what an EU offer must show before checkout.
fn gpsr(rules: &RuleSet, offer: &Offer<'_>, destination: &str, date: Date) -> Option<Closed> {
    rules.program("gpsr", date).ok()?;
    let row = rules.document("gpsr_listing")?;
    let made_in_eu = offer.manufacturer_country.and_then(|c| rules.zone_of(c, date)).is_some_and(|z| z.zone == "EU");
    let needs: Vec<String> = row
        .fields
        .iter()
        .filter(|f| !(made_in_eu && f.starts_with("eu_responsible_person")))
        .filter(|f| offer.fields.get(f.as_str()).is_none_or(|v| v.trim().is_empty()))
        .cloned()
        .collect();
    (!needs.is_empty()).then(|| Closed {
        gate: "gpsr".to_owned(),
        reason: format!("an offer to consumers in {destination} must show: {}", needs.join(", ").replace('_', " ")),
        needs,
        citation: Some(Arc::clone(&row.cite)),
    })
}

struct OfferFacts<'a> {
    offer: &'a Offer<'a>,
    destination: &'a str,
}

impl Facts for OfferFacts<'_> {
    fn any(&self, fact: Fact, test: &mut dyn FnMut(Have<'_>) -> bool) -> Option<bool> {
        match fact {
            Fact::Hs => self.offer.hs.map(|code| test(Have::Text(code))),
            Fact::Kinds => Some(self.offer.kinds.iter().any(|k| test(Have::Text(k)))),
            Fact::ShipTo => Some(test(Have::Text(self.destination))),
            _ => None,
        }
    }

    fn compare(&self, _: Amount, _: &Limit) -> Compared {
        Compared::Unknown
    }
}

#[cfg(test)]
mod tests;
