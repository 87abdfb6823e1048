//! Which rate applies: region before country, category before standard.

use std::sync::Arc;

use jiff::civil::Date;

use super::Error;
use crate::money::{Decimal, Error as MoneyError};
use crate::rules::{Citation, RuleSet};

/// The rates found, with what had to be assumed to find them.
#[derive(Debug, Clone)]
pub struct Applied {
    pub jurisdiction: String,
    /// The category the rates are of: the one asked for, or `standard`.
    pub category: String,
    /// (tax, fraction, where it is written), by tax name. Several taxes share one base.
    pub taxes: Vec<(String, Decimal, Arc<Citation>)>,
    /// The category asked for had no row, so the standard rate stands in.
    pub fell_back: bool,
}

impl Applied {
    /// The taxes together, as one fraction.
    pub fn total(&self) -> Result<Decimal, Error> {
        self.taxes.iter().try_fold(Decimal::ZERO, |sum, (_, rate, _)| sum.checked_add(*rate)).ok_or(Error::Money(MoneyError::OutOfRange))
    }
}

/// The jurisdiction whose rates hold: the region's own table if it has one, else the country's.
pub fn jurisdiction_of(rules: &RuleSet, country: &str, region: Option<&str>, date: Date) -> String {
    let country = rules.zone_of(country, date).map_or(country, |z| z.taxed_as.as_str());
    if let Some(region) = region {
        let code = match rules.territory(country, region) {
            Some(territory) => territory.code.clone(),
            None if region.starts_with(country) => region.to_owned(),
            None => format!("{country}-{region}"),
        };
        if rules.has_rates(&code) {
            return code;
        }
    }
    country.to_owned()
}

/// Rates of a category in a jurisdiction on a date, else its standard rate. No row is an error, never zero.
pub fn rate_for(rules: &RuleSet, jurisdiction: &str, category: &str, date: Date) -> Result<Applied, Error> {
    let mut found = rules.rates(jurisdiction, category, date);
    let fell_back = found.is_empty() && category != "standard";
    if fell_back {
        found = rules.rates(jurisdiction, "standard", date);
    }
    if found.is_empty() {
        return Err(Error::NoRate { jurisdiction: jurisdiction.to_owned(), category: category.to_owned(), date });
    }
    Ok(Applied {
        jurisdiction: jurisdiction.to_owned(),
        category: if fell_back { "standard" } else { category }.to_owned(),
        taxes: found.into_iter().map(|r| (r.tax.clone(), r.rate, Arc::clone(&r.cite))).collect(),
        fell_back,
    })
}
