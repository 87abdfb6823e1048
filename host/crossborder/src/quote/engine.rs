//! Puts a quote together: facts, scheme decision, duty, tax, then who pays what when.

use std::cell::RefCell;
use std::sync::Arc;

use super::answer::{Amounts, AppliedRate, FactUsed, LineTax, Quote, RateUsed, TraceStep};
use super::decide::{Decision, decide};
use super::facts::{Buyer, SaleFacts};
use super::input::{InputError, QuoteInput};
use crate::fx::{Error as FxError, RateTable};
use crate::landed::Incoterm;
use crate::money::{Currency, Error as MoneyError, Exact, Money, RoundingMode};
use crate::rules::{Calculation, Citation, Fact, Limit, NOT_ADVICE, Place, Rule, RuleSet};
use crate::tax::{self, jurisdiction_of, rate_for};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error(transparent)]
    Money(#[from] MoneyError),
    #[error(transparent)]
    Tax(#[from] tax::Error),
}

impl From<FxError> for Error {
    fn from(error: FxError) -> Self {
        Self::Tax(tax::Error::Fx(error))
    }
}

/// Which end of a duty range is calculated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    Low,
    High,
}

/// Duty and tax of a sale; `None` = not known, with the reason among the missing facts.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Charges {
    pub duty: Option<Money>,
    pub tax: Option<Money>,
}

/// One calculation on its way.
pub(super) struct Run<'a> {
    pub rules: &'a RuleSet,
    pub rates: &'a RateTable,
    pub input: &'a QuoteInput,
    pub facts: SaleFacts<'a>,
    pub currency: Currency,
    /// Country of destination; `XI` for Northern Ireland.
    pub ship_to: &'a str,
    /// Jurisdiction of the scheme rules: a zone such as `EU`, or the country.
    pub zone: String,
    /// Whose tax rates hold: country or region.
    pub jurisdiction: String,
    pub bound: Bound,
    /// Whether a line's duty differs between the two bounds.
    pub ranged: bool,
    /// The prices contain the tax collected at the sale.
    pub inclusive: bool,
    /// Per line, without tax once that is known.
    pub goods: Vec<Money>,
    pub shipping: Money,
    pub insurance: Money,
    pub onward: Money,
    pub trace: Vec<TraceStep>,
    pub applied: Vec<AppliedRate>,
    pub lines: Vec<LineTax>,
    pub assumptions: Vec<String>,
    pub missing: Vec<String>,
    /// A sale to a business in another member state: the buyer accounts for the tax.
    pub reverse_charge: bool,
}

/// Who owes the tax on a sale, how much, what it costs landed, and why.
pub fn quote(rules: &RuleSet, rates: &RateTable, input: &QuoteInput) -> Result<Quote, Error> {
    input.check()?;
    input.currency.check_in_use(input.date)?;
    let (renamed, place) = placed(rules, input);
    let input = renamed.as_ref().unwrap_or(input);
    let (mut answer, ranged) = run(rules, rates, input, Bound::Low)?;
    if let Some(place) = place.filter(|place| !place.is_region.is_empty()) {
        let name = rules.territory(&place.is_country, &place.is_region).map_or(place.is_region.as_str(), |t| t.name.as_str());
        answer.assumptions.push(format!("the address is in {name}, by its country, region or postal code"));
        answer.verified &= place.cite.verification.is_verified();
    }
    if input.date > rules.last_checked() {
        answer
            .assumptions
            .push(format!("nothing has changed since the rules were last compared with their sources, on {}", rules.last_checked()));
    }
    if ranged {
        let (high, _) = run(rules, rates, input, Bound::High)?;
        answer.amounts_high = Some(high.amounts);
    }
    Ok(answer)
}

/// The question with its countries and region by the names of the tables, if those differ, and the row that said so.
fn placed<'r>(rules: &'r RuleSet, input: &QuoteInput) -> (Option<QuoteInput>, Option<&'r Place>) {
    let place = rules.place(&input.ship_to, input.region.as_deref(), input.postal_code.as_deref());
    // Another spelling of a country; a territory of its own stays outside.
    let spelt = |country: &Option<String>| {
        let row = rules.place(country.as_deref()?, None, None)?;
        row.is_region.is_empty().then(|| row.is_country.clone())
    };
    let (from, seller) = (spelt(&input.ship_from), spelt(&input.seller.country));
    if place.is_none() && from.is_none() && seller.is_none() {
        return (None, None);
    }
    let mut there = input.clone();
    there.ship_from = from.or(there.ship_from);
    there.seller.country = seller.or(there.seller.country);
    if let Some(place) = place {
        there.ship_to.clone_from(&place.is_country);
        if !place.is_region.is_empty() {
            there.region = Some(place.is_region.clone());
        }
    }
    (Some(there), place)
}

fn run(rules: &RuleSet, rates: &RateTable, input: &QuoteInput, bound: Bound) -> Result<(Quote, bool), Error> {
    let mut run = Run::new(rules, rates, input, bound, input.prices_include_tax)?;
    let mut decision = decide(&run.facts, &run.zone);
    if let Decision::Rule(rule) = decision
        && run.inclusive
        && rule.tax_point != "sale"
    {
        run = Run::new(rules, rates, input, bound, false)?;
        run.assume("the prices contain no tax, because none is collected at the sale".to_owned());
        decision = decide(&run.facts, &run.zone);
    }
    let (rule, charges) = match decision {
        Decision::Rule(rule) => {
            run.explain(rule);
            (Some(rule), run.charges(rule)?)
        }
        Decision::Missing(what) => {
            for fact in what {
                run.lack(fact);
            }
            (None, Charges::default())
        }
        Decision::NotCovered => {
            run.lack(format!("rules for {} on {}: the rule set has none that hold", run.ship_to, input.date));
            (None, Charges::default())
        }
    };
    let ranged = run.ranged;
    Ok((run.finish(rule, charges)?, ranged))
}

impl<'a> Run<'a> {
    fn new(rules: &'a RuleSet, rates: &'a RateTable, input: &'a QuoteInput, bound: Bound, inclusive: bool) -> Result<Self, Error> {
        let date = input.date;
        let currency = input.currency;
        let ship_to = match (input.ship_to.as_str(), input.region.as_deref()) {
            ("GB", Some("XI" | "NIR" | "GB-NIR")) => "XI",
            (country, _) => country,
        };
        let member = rules.zone_of(ship_to, date);
        let zone = member.map_or(ship_to, |z| z.zone.as_str()).to_owned();
        let jurisdiction = jurisdiction_of(rules, ship_to, input.region.as_deref(), date);
        let mut missing = Vec::new();
        let mut assumptions = Vec::new();
        let mut goods = Vec::with_capacity(input.lines.len());
        let mut goods_exact = Exact::ZERO;
        let mut dearest = Exact::ZERO;
        // Shipping follows the goods; for the thresholds the first line's tax stands for all.
        let mut inside_shipping = Exact::ONE;
        for (index, line) in input.lines.iter().enumerate() {
            let gross = Money::new(line.unit_minor, currency);
            let total = gross.checked_mul_int(i64::from(line.qty))?;
            let mut unit = gross.exact();
            if inclusive {
                let category = line.category.as_deref().unwrap_or("standard");
                match rate_for(rules, &jurisdiction, category, date) {
                    Ok(rate) => {
                        let divisor = Exact::ONE.add(Exact::from_decimal(rate.total()?))?;
                        unit = unit.div(divisor)?;
                        if index == 0 {
                            inside_shipping = divisor;
                        }
                    }
                    Err(error) => missing.push(error.to_string()),
                }
            }
            goods_exact = goods_exact.add(unit.mul(Exact::from_int(i64::from(line.qty)))?)?;
            if unit.compare(dearest)?.is_gt() {
                dearest = unit;
            }
            goods.push(total);
        }
        let money = |minor| Money::new(minor, currency);
        let extras = money(input.shipping_minor).checked_add(money(input.insurance_minor))?;
        let in_zone = |country: &str| rules.zone_of(country, date).map_or(country == zone, |z| z.zone == zone);
        let outside = match &input.region {
            Some(region) => rules.territory(ship_to, region).is_some_and(|t| !t.in_vat_area),
            None => {
                let apart: Vec<&str> = rules.territories_of(ship_to).filter(|t| !t.in_vat_area).map(|t| t.name.as_str()).collect();
                if !apart.is_empty() {
                    assumptions.push(format!("the destination is not {}", apart.join(", ")));
                }
                false
            }
        };
        let collect = |pick: fn(&super::input::Line) -> Option<&str>| -> Option<Vec<&str>> { input.lines.iter().map(pick).collect() };
        let personal_use = match (input.national.personal_use, input.buyer) {
            (None, Some(Buyer::Consumer)) => Some(true),
            (None, Some(Buyer::Business)) => Some(false),
            (given, _) => given,
        };
        let facts = SaleFacts {
            rules,
            rates,
            date,
            ccy: currency.code(),
            max_rate_age_days: input.max_rate_age_days,
            given_rate: None,
            buyer: input.buyer,
            channel: input.channel,
            ship_from: input.ship_from.as_deref(),
            ship_to,
            goods_in_zone: input.ship_from.as_deref().map(in_zone),
            seller_in_zone: input.seller.country.as_deref().map(in_zone),
            outside_tax_area: Some(outside),
            registrations: input.seller.registrations.as_deref(),
            kinds: Some(input.lines.iter().filter_map(|l| l.kind.as_deref()).collect()),
            hs: collect(|l| l.hs.as_deref()),
            origin: collect(|l| l.origin.as_deref()),
            mode: input.mode.as_deref(),
            one_consignment: Some(true),
            elect_border: Some(input.elect_border),
            personal_use,
            cbec_channel: Some(input.national.cn_cbec_channel.unwrap_or(false)),
            consignment_goods: Some(goods_exact),
            dearest_item: Some(dearest),
            consignment_cif: Some(goods_exact.add(extras.exact().div(inside_shipping)?)?),
            conversions: RefCell::new(Vec::new()),
        };
        Ok(Self {
            rules,
            rates,
            input,
            facts,
            currency,
            ship_to,
            zone,
            jurisdiction,
            bound,
            ranged: false,
            inclusive,
            goods,
            shipping: money(input.shipping_minor),
            insurance: money(input.insurance_minor),
            onward: money(input.onward_minor),
            trace: Vec::new(),
            applied: Vec::new(),
            lines: Vec::new(),
            assumptions,
            missing,
            reverse_charge: false,
        })
    }

    pub(super) fn assume(&mut self, what: String) {
        if !self.assumptions.contains(&what) {
            self.assumptions.push(what);
        }
    }

    pub(super) fn lack(&mut self, what: String) {
        if !self.missing.contains(&what) {
            self.missing.push(what);
        }
    }

    pub(super) fn step(&mut self, citation: &Arc<Citation>, why: String) {
        let said = |s: &TraceStep| Arc::ptr_eq(&s.citation, citation) && s.why == why;
        if !self.trace.iter().any(said) {
            self.trace.push(TraceStep { citation: Arc::clone(citation), why, facts: Vec::new() });
        }
    }

    pub(super) fn goods_total(&self) -> Result<Money, MoneyError> {
        Money::sum(&self.goods, self.currency)
    }

    pub(super) fn cif(&self) -> Result<Money, MoneyError> {
        self.goods_total()?.checked_add(self.shipping)?.checked_add(self.insurance)
    }

    /// An amount of the sale in another currency, rounded once; names the missing rate.
    pub(super) fn converted_to(&mut self, amount: Money, code: &str) -> Result<Option<Money>, Error> {
        let target = Currency::from_code(code)?;
        match self.facts.in_currency(amount.exact(), code) {
            Ok(value) => Ok(Some(Money::from_exact_rounded(value, target, RoundingMode::HalfUp)?)),
            Err(FxError::Money(error)) => Err(error.into()),
            Err(error) => {
                self.lack(error.to_string());
                Ok(None)
            }
        }
    }

    /// An amount of another currency in the currency of the sale.
    pub(super) fn in_sale_currency(&mut self, amount: Money) -> Result<Option<Money>, Error> {
        if amount.currency() == self.currency {
            return Ok(Some(amount));
        }
        let one = self.facts.in_currency(Exact::ONE, amount.currency().code());
        match one {
            Ok(rate) => {
                let value = amount.exact().div(rate)?;
                Ok(Some(Money::from_exact_rounded(value, self.currency, RoundingMode::HalfUp)?))
            }
            Err(FxError::Money(error)) => Err(error.into()),
            Err(error) => {
                self.lack(error.to_string());
                Ok(None)
            }
        }
    }

    /// A calculation that answers, names what it lacks, or fails.
    pub(super) fn known<T>(&mut self, result: Result<T, tax::Error>) -> Result<Option<T>, Error> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(tax::Error::Money(error)) => Err(error.into()),
            Err(error) => {
                self.lack(error.to_string());
                Ok(None)
            }
        }
    }

    /// The winning rule with the facts it asked about.
    fn explain(&mut self, rule: &Rule) {
        let (mut asked, mut amounts) = (Vec::new(), Vec::new());
        for condition in &rule.when {
            condition.mentions(&mut asked, &mut amounts);
        }
        let mut facts: Vec<FactUsed> =
            asked.iter().map(|fact| FactUsed { name: fact.name().into(), value: self.facts.shown(*fact) }).collect();
        for (amount, limit) in &amounts {
            let ccy = match limit {
                Limit::Fixed { ccy, .. } => Some(ccy.as_str()),
                Limit::Program { program, .. } => self.rules.program(program, self.input.date).ok().map(|p| p.ccy.as_str()),
            };
            if let Some(value) = ccy.and_then(|ccy| self.facts.shown_amount(*amount, ccy)) {
                facts.push(FactUsed { name: amount.name().into(), value });
            }
        }
        if asked.contains(&Fact::Kinds) && self.input.lines.iter().any(|l| l.kind.is_none()) {
            self.assume("goods without a kind are neither excise goods, food nor restricted".to_owned());
        }
        if asked.contains(&Fact::PersonalUse) && self.input.national.personal_use.is_none() {
            self.assume("a consumer imports for personal use".to_owned());
        }
        if self.zone == "CN" && self.input.national.cn_cbec_channel.is_none() {
            self.assume("the parcel does not enter through the cross-border e-commerce channel".to_owned());
        }
        self.trace.push(TraceStep { citation: Arc::clone(&rule.cite), why: rule.words.clone(), facts });
    }

    fn charges(&mut self, rule: &Rule) -> Result<Charges, Error> {
        match rule.calculation {
            Calculation::SaleTax => {
                let duty = self.duty(rule)?;
                let tax = self.sale_tax()?;
                Ok(Charges { duty, tax })
            }
            Calculation::PlaceOfSupply => self.place_of_supply(),
            Calculation::ReverseCharge | Calculation::NoTax => {
                let duty = self.duty(rule)?;
                let tax = Some(Money::zero(self.currency));
                Ok(Charges { duty, tax })
            }
            Calculation::Import => self.import(rule),
            Calculation::UsSalesTax => self.united_states(rule),
            Calculation::CaImport => self.canada(),
            Calculation::ChImport => self.switzerland(rule),
            Calculation::MxCourier => self.mexico(),
            Calculation::BrRemessa => self.brazil(),
            Calculation::CnCbec => self.china_cbec(),
            Calculation::CnPostal => self.china_postal(),
            Calculation::JpSmall => self.japan(),
            Calculation::KrPersonal => self.korea(),
            Calculation::TrSimplified => self.turkey(),
        }
    }

    fn finish(mut self, rule: Option<&Rule>, charges: Charges) -> Result<Quote, Error> {
        let zero = Money::zero(self.currency);
        let fees = self.input.fees.iter().try_fold(zero, |sum, fee| sum.checked_add(Money::new(fee.minor, self.currency)))?;
        let goods = self.goods_total()?;
        let base = [goods, self.shipping, self.insurance, self.onward];
        let base = Money::sum(&base, self.currency)?;
        let at_sale = rule.is_some_and(|r| r.tax_point == "sale");
        let total = match (charges.duty, charges.tax) {
            (Some(duty), Some(tax)) => Some(base.checked_add(duty)?.checked_add(tax)?.checked_add(fees)?),
            _ => None,
        };
        let incoterm = self.input.incoterm.unwrap_or(Incoterm::Dap);
        if self.input.incoterm.is_none() {
            self.assume("DAP: the buyer pays what falls due at delivery".to_owned());
        }
        let checkout = match (at_sale, charges.tax) {
            (true, Some(tax)) => Some(base.checked_add(tax)?),
            (true, None) => None,
            (false, _) => rule.map(|_| base),
        };
        // Tax taken at the sale is never due again at the door.
        let later = match (charges.duty, charges.tax, at_sale) {
            (Some(duty), _, true) => Some(duty.checked_add(fees)?),
            (Some(duty), Some(tax), false) => Some(duty.checked_add(tax)?.checked_add(fees)?),
            _ => None,
        };
        let (delivery, seller) = match incoterm {
            Incoterm::Dap => (later, rule.map(|_| zero)),
            Incoterm::Ddp => (rule.map(|_| zero), later),
        };
        let exchange_rates = self
            .facts
            .conversions
            .borrow()
            .iter()
            .filter_map(|(from, to, found)| {
                let found = found.as_ref().ok()?;
                Some(RateUsed {
                    from: from.clone(),
                    to: to.clone(),
                    rate: found.rate.to_decimal(8, RoundingMode::HalfUp).ok()?,
                    rate_date: found.rate_date,
                    source: self.rates.source().to_owned(),
                })
            })
            .collect();
        let verified = self.trace.iter().all(|s| s.citation.verification.is_verified())
            && self.applied.iter().all(|a| a.citation.verification.is_verified());
        Ok(Quote {
            date: self.input.date,
            currency: self.currency,
            amounts: Amounts {
                goods,
                shipping: self.shipping,
                insurance: self.insurance,
                onward: self.onward,
                duty: charges.duty,
                tax: charges.tax,
                fees,
                landed_total: total,
                buyer_pays_at_checkout: checkout,
                buyer_pays_at_delivery: delivery,
                seller_pays: seller,
            },
            amounts_high: None,
            scheme: rule.map(|r| r.scheme.clone()),
            collector: rule.map(|r| if self.reverse_charge { "buyer_reverse_charge".to_owned() } else { r.collector.clone() }),
            tax_point: rule.map(|r| if self.reverse_charge { "return".to_owned() } else { r.tax_point.clone() }),
            rates: self.applied,
            lines: self.lines,
            exchange_rates,
            trace: self.trace,
            assumptions: self.assumptions,
            missing: self.missing,
            verified,
            rule_set_version: self.rules.version().to_owned(),
            rules_last_checked: self.rules.last_checked(),
            notice: NOT_ADVICE.into(),
        })
    }
}
