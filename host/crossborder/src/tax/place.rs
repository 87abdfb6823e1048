//! EU: which member state taxes a distance sale, and the fixed duty per item of a low-value import.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::Error;
use super::rates::{Applied, jurisdiction_of, rate_for};
use crate::money::{Currency, Exact, Money, RoundingMode};
use crate::rules::RuleSet;

/// What decides the place of supply. Amounts are net euros over all channels of one legal entity.
#[derive(Debug, Clone)]
pub struct PlaceFacts {
    pub seller_country: String,
    pub ship_to: String,
    pub region: Option<String>,
    pub date: Date,
    /// Cross-border consumer sales of this calendar year before this sale.
    pub year_to_date: Money,
    pub sale_net: Money,
    pub previous_year: Money,
    /// Established in more than one state, or shipping from more than one.
    pub several_states: bool,
    pub opted_destination: bool,
    pub business_buyer: bool,
    pub category: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaceReason {
    Domestic,
    IntraCommunitySupplyReverseCharge,
    ThresholdNotAvailable,
    OptedForDestination,
    ThresholdExceeded,
    BelowThresholdOrigin,
}

impl PlaceReason {
    pub fn name(self) -> &'static str {
        match self {
            Self::Domestic => "domestic",
            Self::IntraCommunitySupplyReverseCharge => "intra_community_supply_reverse_charge",
            Self::ThresholdNotAvailable => "threshold_not_available",
            Self::OptedForDestination => "opted_for_destination",
            Self::ThresholdExceeded => "threshold_exceeded",
            Self::BelowThresholdOrigin => "below_threshold_origin",
        }
    }
}

#[derive(Debug, Clone)]
pub struct Place {
    pub taxing_country: String,
    pub reason: PlaceReason,
    /// `None` for a reverse charge: the buyer accounts for the tax.
    pub rate: Option<Applied>,
    pub vat: Money,
}

pub fn place_of_supply(rules: &RuleSet, facts: &PlaceFacts) -> Result<Place, Error> {
    let member = |country: &str| rules.zone_of(country, facts.date).filter(|z| z.zone == "EU");
    let destination = member(&facts.ship_to).ok_or_else(|| Error::NotEu { country: facts.ship_to.clone(), date: facts.date })?;
    let seller = member(&facts.seller_country);
    let destination = destination.taxed_as.clone();
    let origin = seller.map(|z| z.taxed_as.clone());
    let to_destination = |reason| (destination.clone(), reason);
    let (taxing_country, reason) = match origin {
        Some(origin) if origin == destination => to_destination(PlaceReason::Domestic),
        _ if facts.business_buyer => to_destination(PlaceReason::IntraCommunitySupplyReverseCharge),
        None => to_destination(PlaceReason::ThresholdNotAvailable),
        Some(_) if facts.several_states => to_destination(PlaceReason::ThresholdNotAvailable),
        Some(_) if facts.opted_destination => to_destination(PlaceReason::OptedForDestination),
        Some(origin) => {
            let program = rules.program("eu.oss_threshold", facts.date)?;
            let threshold = program.number("threshold").ok_or(Error::MissingNumber { program: program.id.clone(), what: "threshold" })?;
            let threshold = Exact::from_decimal(threshold);
            // The sale that crosses the line is already taxed at destination.
            let with_this = facts.year_to_date.checked_add(facts.sale_net)?;
            let over = |amount: Money| amount.exact().compare(threshold).map(std::cmp::Ordering::is_gt);
            if over(with_this)? || over(facts.previous_year)? {
                to_destination(PlaceReason::ThresholdExceeded)
            } else {
                (origin, PlaceReason::BelowThresholdOrigin)
            }
        }
    };
    if reason == PlaceReason::IntraCommunitySupplyReverseCharge {
        return Ok(Place { taxing_country, reason, rate: None, vat: Money::zero(facts.sale_net.currency()) });
    }
    let region = facts.region.as_deref().filter(|_| taxing_country == destination);
    let jurisdiction = jurisdiction_of(rules, &taxing_country, region, facts.date);
    let rate = rate_for(rules, &jurisdiction, &facts.category, facts.date)?;
    let vat = facts.sale_net.mul_rounded(rate.total()?, RoundingMode::HalfUp)?;
    Ok(Place { taxing_country, reason, rate: Some(rate), vat })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemDutyRule {
    /// Before the fixed duty: low-value goods were relieved.
    None,
    PerItem,
    /// Above the value limit or after the fixed duty: the ordinary tariff, not known here.
    Tariff,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemDuty {
    pub rule: ItemDutyRule,
    pub items: usize,
    /// `None` = by the tariff, unknown.
    pub duty: Option<Money>,
}

/// The fixed EU duty per item of a consignment: an item is a distinct code of six digits (H7) or ten (H1).
/// `intrinsic` is in exact euros.
pub fn item_duty(rules: &RuleSet, date: Date, intrinsic: Exact, full_declaration: bool, codes: &[&str]) -> Result<ItemDuty, Error> {
    let euro = Currency::from_code("EUR")?;
    let tariff = ItemDuty { rule: ItemDutyRule::Tariff, items: 0, duty: None };
    let relief = rules
        .programs_of("eu.item_duty")
        .find_map(|p| p.number("threshold"))
        .ok_or(Error::MissingNumber { program: "eu.item_duty".to_owned(), what: "threshold" })?;
    let relief = Exact::from_decimal(relief);
    if intrinsic.compare(relief)?.is_gt() {
        return Ok(tariff);
    }
    let program = match rules.program("eu.item_duty", date) {
        Ok(program) => program,
        Err(_) if rules.series_starts_after("eu.item_duty", date) => {
            return Ok(ItemDuty { rule: ItemDutyRule::None, items: 0, duty: Some(Money::zero(euro)) });
        }
        Err(_) => return Ok(tariff),
    };
    let number = |what: &'static str| program.number(what).ok_or_else(|| Error::MissingNumber { program: program.id.clone(), what });
    let wanted = number(if full_declaration { "h1_digits" } else { "h7_digits" })?;
    let wanted = usize::try_from(wanted.mantissa()).unwrap_or(6);
    let mut distinct = BTreeSet::new();
    for code in codes {
        let digits: String = code.chars().filter(char::is_ascii_digit).collect();
        if digits.len() < wanted {
            return Err(Error::MissingFact { what: format!("{wanted} digits of the tariff code \"{code}\"") });
        }
        distinct.insert(digits[..wanted].to_owned());
    }
    let per_item = Money::from_decimal_exact(number("per_item")?, euro)?;
    let count = i64::try_from(distinct.len()).unwrap_or(i64::MAX);
    Ok(ItemDuty { rule: ItemDutyRule::PerItem, items: distinct.len(), duty: Some(per_item.checked_mul_int(count)?) })
}
