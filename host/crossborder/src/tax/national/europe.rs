//! Switzerland and Turkey.

use jiff::civil::Date;

use super::{Error, above, exact, half_up, in_currency_of, number};
use crate::money::{Exact, Money, RoundingMode};
use crate::rules::RuleSet;
use crate::tax::rate_for;

/// Swiss import tax on an assessment value in CHF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChImport {
    /// Zero when not levied.
    pub tax: Money,
    pub levied: bool,
}

/// The tax is rounded to the payable increment first; an amount up to the small-amount limit is not levied.
pub fn ch_import(rules: &RuleSet, date: Date, assessment: Money, category: &str) -> Result<ChImport, Error> {
    let program = rules.program("ch.small_amount", date)?;
    in_currency_of(program, assessment)?;
    let rate = rate_for(rules, "CH", category, date)?.total()?;
    let increment = exact(program, "increment")?;
    let tax = assessment.exact().mul(Exact::from_decimal(rate))?;
    let steps = tax.div(increment)?.to_decimal(0, RoundingMode::HalfUp)?;
    let tax = half_up(Exact::from_decimal(steps).mul(increment)?, assessment.currency())?;
    let levied = above(tax, number(program, "tax_not_levied_up_to")?)?;
    Ok(ChImport { tax: if levied { tax } else { Money::zero(assessment.currency()) }, levied })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrPostal {
    Simplified { tax: Money },
    FullDeclaration,
}

/// Turkish single tax for small parcels, on goods and transport in EUR.
pub fn tr_postal(rules: &RuleSet, date: Date, from_eu: bool, list_iv: bool, goods: Money, transport: Money) -> Result<TrPostal, Error> {
    let Ok(program) = rules.program("tr.simplified", date) else {
        return Ok(TrPostal::FullDeclaration);
    };
    in_currency_of(program, goods)?;
    let value = goods.checked_add(transport)?;
    if above(value, number(program, "threshold")?)? {
        return Ok(TrPostal::FullDeclaration);
    }
    let mut rate = exact(program, if from_eu { "eu" } else { "other" })?;
    if list_iv {
        rate = rate.add(exact(program, "list_iv_extra")?)?;
    }
    let tax = half_up(value.exact().mul(rate)?, value.currency())?;
    Ok(TrPostal::Simplified { tax })
}
