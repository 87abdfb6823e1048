//! Brazil, Canada, Mexico, United States.

use jiff::civil::Date;

use super::{Error, above, half_up, in_currency_of, number};
use crate::money::{Decimal, Exact, Money, RoundingMode};
use crate::rules::{Intrastate, NexusLogic, RuleSet, UsState, bracket};
use crate::tax::rate_for;

/// Brazil, Remessa Conforme, in USD: import tax by bracket, then ICMS inside its own base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrRemessa {
    pub import_tax: Money,
    pub icms: Money,
    pub total: Money,
}

pub fn br_remessa(rules: &RuleSet, date: Date, value: Money, icms_rate: Decimal) -> Result<BrRemessa, Error> {
    let program = rules.program("br.remessa_conforme", date)?;
    in_currency_of(program, value)?;
    let limit = number(program, "limit")?;
    if above(value, limit)? {
        return Err(Error::OverLimit { limit: format!("{limit} {}", program.ccy) });
    }
    let step = bracket(program.brackets("import_tax"), value.to_decimal())
        .ok_or(Error::MissingNumber { program: program.id.clone(), what: "import_tax" })?;
    let ccy = value.currency();
    let raw = value.exact().mul(Exact::from_decimal(step.rate))?.sub(Exact::from_decimal(step.minus))?;
    let import_tax = half_up(raw, ccy)?;
    let rate = Exact::from_decimal(icms_rate);
    let base = value.checked_add(import_tax)?;
    let icms = half_up(base.exact().mul(rate)?.div(Exact::ONE.sub(rate)?)?, ccy)?;
    Ok(BrRemessa { import_tax, icms, total: base.checked_add(icms)? })
}

/// Mexico, simplified courier import in USD: one rate for everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MxCourier {
    pub rate: Decimal,
    pub tax: Money,
}

/// `None` = not the simplified way: no programme on that date or above its limit.
pub fn mx_courier(rules: &RuleSet, date: Date, origin: &str, value: Money) -> Result<Option<MxCourier>, Error> {
    let Ok(program) = rules.program("mx.courier", date) else {
        return Ok(None);
    };
    in_currency_of(program, value)?;
    if above(value, number(program, "limit")?)? {
        return Ok(None);
    }
    let group = if program.list_has("treaty", origin) { "treaty" } else { "other" };
    let step = bracket(program.brackets(group), value.to_decimal())
        .ok_or(Error::MissingNumber { program: program.id.clone(), what: "brackets" })?;
    Ok(Some(MxCourier { rate: step.rate, tax: value.mul_rounded(step.rate, RoundingMode::HalfUp)? }))
}

/// Canada, in CAD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaImport {
    pub duty: Money,
    pub tax: Money,
}

/// Duty and the province's taxes by the thresholds of the way in. `duty_rate` may be unknown where none is due.
pub fn ca_import(
    rules: &RuleSet,
    date: Date,
    ship_from: &str,
    mode: &str,
    value_for_duty: Money,
    duty_rate: Option<Decimal>,
    province: &str,
) -> Result<CaImport, Error> {
    let near = rules.program("ca.courier_cusma", date).ok().filter(|p| p.list_has("from", ship_from) && p.list_has("modes", mode));
    let program = match near {
        Some(program) => program,
        None => rules.program("ca.other", date)?,
    };
    in_currency_of(program, value_for_duty)?;
    let zero = Money::zero(value_for_duty.currency());
    let duty = if above(value_for_duty, number(program, "duty_free_up_to")?)? {
        let rate = duty_rate.ok_or_else(|| Error::MissingFact { what: "the duty rate into CA".to_owned() })?;
        value_for_duty.mul_rounded(rate, RoundingMode::HalfUp)?
    } else {
        zero
    };
    let tax = if above(value_for_duty, number(program, "tax_free_up_to")?)? {
        let province = province.trim_start_matches("CA-");
        let rates = rate_for(rules, &format!("CA-{province}"), "standard", date)?;
        value_for_duty.checked_add(duty)?.mul_rounded(rates.total()?, RoundingMode::HalfUp)?
    } else {
        zero
    };
    Ok(CaImport { duty, tax })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsRule {
    Section321,
    IeepaPostalSpecific,
    Section122,
    /// The measures of the date are beyond what the tables know.
    TariffFeedNeeded,
    Tariff,
}

impl UsRule {
    pub fn name(self) -> &'static str {
        match self {
            Self::Section321 => "us.section321",
            Self::IeepaPostalSpecific => "us.ieepa_postal_specific",
            Self::Section122 => "us.section122",
            Self::TariffFeedNeeded => "us.tariff_feed_needed",
            Self::Tariff => "us.tariff",
        }
    }
}

/// What the United States charge on entry, as far as the tables know; the tariff itself is not in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsEntry {
    pub rule: UsRule,
    pub duty_free: bool,
    /// Per item, by post.
    pub specific_duty: Option<Money>,
    pub surcharge: Option<Money>,
}

pub fn us_entry(rules: &RuleSet, date: Date, mode: &str, value: Money, ieepa_rate: Option<Decimal>) -> Result<UsEntry, Error> {
    let answer = |rule| UsEntry { rule, duty_free: rule == UsRule::Section321, specific_duty: None, surcharge: None };
    if let Ok(program) = rules.program("us.section321", date) {
        in_currency_of(program, value)?;
        let over = above(value, number(program, "threshold")?)?;
        return Ok(answer(if over { UsRule::Tariff } else { UsRule::Section321 }));
    }
    if let (Ok(program), "post", Some(rate)) = (rules.program("us.ieepa_postal_specific", date), mode, ieepa_rate) {
        let step = bracket(program.brackets("per_item"), rate);
        let fixed = step.and_then(|s| s.fixed).ok_or(Error::MissingNumber { program: program.id.clone(), what: "per_item" })?;
        return Ok(UsEntry {
            specific_duty: Some(Money::from_decimal_exact(fixed, value.currency())?),
            ..answer(UsRule::IeepaPostalSpecific)
        });
    }
    if let Ok(program) = rules.program("us.section122", date) {
        let rate = number(program, "surcharge")?;
        return Ok(UsEntry { surcharge: Some(value.mul_rounded(rate, RoundingMode::HalfUp)?), ..answer(UsRule::Section122) });
    }
    if rules.program("us.tariff_known", date).is_err() {
        return Ok(answer(UsRule::TariffFeedNeeded));
    }
    Ok(answer(UsRule::Tariff))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UsNexusWhy {
    Sales,
    Transactions,
    SalesAndTransactions,
    Below,
    NoStateSalesTax,
}

impl UsNexusWhy {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sales => "sales",
            Self::Transactions => "transactions",
            Self::SalesAndTransactions => "sales_and_transactions",
            Self::Below => "below",
            Self::NoStateSalesTax => "no_state_sales_tax",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsNexus {
    pub nexus: bool,
    pub why: UsNexusWhy,
}

/// Economic nexus by yearly sales and transactions. Sales must exceed the limit, or reach it if `inclusive`.
pub fn us_nexus(state: &UsState, sales_usd: Decimal, transactions: u64, inclusive: bool) -> UsNexus {
    let Some(limit) = state.nexus_sales_usd else {
        return UsNexus { nexus: false, why: UsNexusWhy::NoStateSalesTax };
    };
    let by_sales = sales_usd > limit || (inclusive && sales_usd == limit);
    let by_count = state.nexus_transactions.is_some_and(|count| transactions >= count);
    let both = state.nexus_logic == Some(NexusLogic::And);
    let why = match (both, by_sales, by_count) {
        (true, true, true) => UsNexusWhy::SalesAndTransactions,
        (true, _, _) => UsNexusWhy::Below,
        (false, true, _) => UsNexusWhy::Sales,
        (false, false, true) => UsNexusWhy::Transactions,
        (false, false, false) => UsNexusWhy::Below,
    };
    UsNexus { nexus: why != UsNexusWhy::Below, why }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsSourcing {
    pub collector: &'static str,
    pub sourced_to: String,
    /// `None` when the marketplace collects: it decides.
    pub location: Option<&'static str>,
}

/// Where a sale is taxed: between states at destination, inside a state by its own rule.
pub fn us_sourcing(from: &UsState, to: &UsState, marketplace: bool) -> UsSourcing {
    let sourced_to = to.state.clone();
    if marketplace {
        return UsSourcing { collector: "marketplace", sourced_to, location: None };
    }
    if from.state == to.state {
        return UsSourcing { collector: "seller", sourced_to, location: Some(to.intrastate.name()) };
    }
    UsSourcing { collector: "seller_if_nexus", sourced_to, location: Some(Intrastate::Destination.name()) }
}
