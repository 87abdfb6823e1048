//! Tax collected at the sale: destination rates on goods and their share of shipping and insurance, rounded
//! where the jurisdiction says, and spread back over the lines so that they add up.

use std::sync::Arc;

use super::answer::{AppliedRate, LineRate, LineTax};
use super::engine::{Charges, Error, Run};
use super::facts::Buyer;
use crate::money::{Currency, Decimal, Exact, Money, RoundingMode};
use crate::rules::{Citation, RoundingRule};
use crate::tax::{Applied, Level, PlaceFacts, place_of_supply, rate_for};

/// One tax at one rate, over the lines it applies to.
struct Share {
    tax: String,
    category: String,
    rate: Decimal,
    citation: Arc<Citation>,
    taxable: Exact,
    exact: Exact,
    /// Exact tax per line, by index.
    per_line: Vec<(usize, Exact)>,
}

impl Run<'_> {
    /// Tax by the rates of the destination.
    pub(super) fn sale_tax(&mut self) -> Result<Option<Money>, Error> {
        let jurisdiction = self.jurisdiction.clone();
        self.tax_in(&jurisdiction)
    }

    fn line_rates(&mut self, jurisdiction: &str) -> Result<Option<Vec<Applied>>, Error> {
        let mut found = Vec::with_capacity(self.input.lines.len());
        for line in &self.input.lines {
            let category = line.category.as_deref().unwrap_or("standard");
            let rate = rate_for(self.rules, jurisdiction, category, self.input.date);
            let Some(rate) = self.known(rate)? else {
                return Ok(None);
            };
            if line.category.is_none() {
                self.assume("goods without a tax category are taxed at the standard rate".to_owned());
            } else if rate.fell_back {
                self.assume(format!("{jurisdiction} has no row for {category}: its standard rate is used"));
            }
            found.push(rate);
        }
        Ok(Some(found))
    }

    fn tax_in(&mut self, jurisdiction: &str) -> Result<Option<Money>, Error> {
        let Some(rates) = self.line_rates(jurisdiction)? else {
            return Ok(None);
        };
        let country = jurisdiction.split('-').next().unwrap_or(jurisdiction);
        let rounding = self.rules.rounding(country).cloned();
        if let Some(rule) = &rounding {
            let why = format!("tax in {country} is rounded {} at level {}", rule.mode.name(), level_name(rule.level));
            self.step(&rule.cite, why);
        }
        let extras = self.extras_per_line()?;
        let mut shares: Vec<Share> = Vec::new();
        let mut nets = Vec::with_capacity(rates.len());
        for (index, applied) in rates.iter().enumerate() {
            let amount = self.goods[index].checked_add(extras[index])?.exact();
            let net = if self.inclusive { amount.div(Exact::ONE.add(Exact::from_decimal(applied.total()?))?)? } else { amount };
            nets.push(net);
            for (tax, rate, citation) in &applied.taxes {
                let exact = net.mul(Exact::from_decimal(*rate))?;
                let same = |s: &&mut Share| s.tax == *tax && s.rate == *rate && s.category == applied.category;
                match shares.iter_mut().find(same) {
                    Some(share) => {
                        share.taxable = share.taxable.add(net)?;
                        share.exact = share.exact.add(exact)?;
                        share.per_line.push((index, exact));
                    }
                    None => shares.push(Share {
                        tax: tax.clone(),
                        category: applied.category.clone(),
                        rate: *rate,
                        citation: Arc::clone(citation),
                        taxable: net,
                        exact,
                        per_line: vec![(index, exact)],
                    }),
                }
            }
        }
        let mut line_tax = vec![Money::zero(self.currency); rates.len()];
        let mut line_rates: Vec<Vec<LineRate>> = vec![Vec::new(); rates.len()];
        let mut total = Money::zero(self.currency);
        for share in shares {
            let amount = rounded(&share, rounding.as_ref(), self.currency)?;
            total = total.checked_add(amount)?;
            for (index, part) in spread(amount, &share)? {
                line_tax[index] = line_tax[index].checked_add(part)?;
                line_rates[index].push(LineRate { rate: self.applied.len(), amount: part });
            }
            self.applied.push(AppliedRate {
                tax: share.tax,
                jurisdiction: jurisdiction.to_owned(),
                category: share.category,
                rate: share.rate,
                taxable: Money::from_exact_rounded(share.taxable, self.currency, RoundingMode::HalfUp)?,
                amount,
                citation: share.citation,
            });
        }
        if self.inclusive {
            self.take_tax_out(&line_tax, &extras, total)?;
        }
        for (index, line) in self.input.lines.iter().enumerate() {
            let taxable = Money::from_exact_rounded(nets[index], self.currency, RoundingMode::HalfUp)?;
            let by_rate = std::mem::take(&mut line_rates[index]);
            self.lines.push(LineTax { sku: line.sku.clone(), taxable, tax: line_tax[index], by_rate });
        }
        Ok(Some(total))
    }

    /// Shipping and insurance follow the goods they carry.
    fn extras_per_line(&self) -> Result<Vec<Money>, Error> {
        let extras = self.shipping.checked_add(self.insurance)?;
        if extras.is_zero() {
            return Ok(vec![extras; self.goods.len()]);
        }
        let by_value: Vec<u64> = self.goods.iter().map(|m| m.minor().unsigned_abs()).collect();
        let by_qty: Vec<u64> = self.input.lines.iter().map(|l| u64::from(l.qty)).collect();
        let weights = if by_value.iter().all(|w| *w == 0) { by_qty } else { by_value };
        Ok(extras.allocate(&weights)?)
    }

    /// Leaves goods, shipping and insurance without the tax they contained, so that the total stays the price
    /// the buyer saw.
    fn take_tax_out(&mut self, line_tax: &[Money], extras: &[Money], total: Money) -> Result<(), Error> {
        let mut out_of_extras = Money::zero(self.currency);
        for ((goods, tax), extra) in self.goods.iter_mut().zip(line_tax).zip(extras) {
            let weights = [goods.minor().unsigned_abs(), extra.minor().unsigned_abs()];
            if weights == [0, 0] {
                continue;
            }
            let parts = tax.allocate(&weights)?;
            *goods = goods.checked_sub(parts[0])?;
            out_of_extras = out_of_extras.checked_add(parts[1])?;
        }
        debug_assert!(out_of_extras.minor() <= total.minor());
        let weights = [self.shipping.minor().unsigned_abs(), self.insurance.minor().unsigned_abs()];
        if weights != [0, 0] {
            let parts = out_of_extras.allocate(&weights)?;
            self.shipping = self.shipping.checked_sub(parts[0])?;
            self.insurance = self.insurance.checked_sub(parts[1])?;
        }
        Ok(())
    }

    /// EU sale between member states: who taxes depends on the seller's year.
    pub(super) fn place_of_supply(&mut self) -> Result<Charges, Error> {
        let zero = Money::zero(self.currency);
        let nothing = Charges { duty: Some(zero), tax: None };
        let seller = &self.input.seller;
        let business = self.input.buyer == Some(Buyer::Business);
        if self.input.buyer.is_none() {
            self.lack("whether the buyer is a consumer or a business".to_owned());
            return Ok(nothing);
        }
        // The state of dispatch decides, not that of the seller: goods that wait in the buyer's own state are a domestic sale.
        let state = |country: &str| self.rules.zone_of(country, self.input.date).map(|z| z.taxed_as.clone());
        let from = self.input.ship_from.clone().unwrap_or_else(|| self.ship_to.to_owned());
        let domestic = state(&from).is_some() && state(&from) == state(self.ship_to);
        let country = match (&seller.country, domestic) {
            (_, true) => from.clone(),
            (Some(country), false) => country.clone(),
            (None, false) => {
                self.lack("the country the seller is established in".to_owned());
                return Ok(nothing);
            }
        };
        // The yearly threshold is for sellers established in one state and shipping from that state.
        let elsewhere = state(&country) != state(&from);
        let several = seller.several_states.unwrap_or(false) || elsewhere;
        let country = from;
        let opted = seller.opted_destination.unwrap_or(false);
        let (year, previous) = (seller.year_to_date_eur_minor, seller.previous_year_eur_minor);
        if !domestic && !business && !several && !opted {
            if year.is_none() {
                self.lack("the seller's cross-border EU sales of the year so far, over all channels".to_owned());
                return Ok(nothing);
            }
            if previous.is_none() {
                self.assume("the previous year's cross-border EU sales were within the threshold".to_owned());
            }
            if seller.several_states.is_none() {
                self.assume("the seller is established and ships from one member state only".to_owned());
            }
        }
        let euro = Currency::from_code("EUR")?;
        let net = match self.facts.consignment_cif {
            Some(net) => Money::from_exact_rounded(net, self.currency, RoundingMode::HalfUp)?,
            None => self.cif()?,
        };
        let Some(net) = self.converted_to(net, "EUR")? else {
            return Ok(nothing);
        };
        let facts = PlaceFacts {
            seller_country: country,
            ship_to: self.ship_to.to_owned(),
            region: self.input.region.clone(),
            date: self.input.date,
            year_to_date: Money::new(year.unwrap_or(0), euro),
            sale_net: net,
            previous_year: Money::new(previous.unwrap_or(0), euro),
            several_states: several,
            opted_destination: opted,
            business_buyer: business,
            category: "standard".to_owned(),
        };
        let place = place_of_supply(self.rules, &facts);
        let Some(place) = self.known(place)? else {
            return Ok(nothing);
        };
        if let Ok(program) = self.rules.program("eu.oss_threshold", self.input.date) {
            let why = format!("taxed in {}: {}", place.taxing_country, place.reason.name().replace('_', " "));
            let cite = Arc::clone(&program.cite);
            self.step(&cite, why);
        }
        let tax = match place.rate {
            None => {
                self.reverse_charge = true;
                Some(zero)
            }
            Some(applied) => self.tax_in(&applied.jurisdiction)?,
        };
        Ok(Charges { duty: Some(zero), tax })
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Unit => "unit",
        Level::Line => "line",
        Level::DocumentPerRate => "document per rate",
        Level::Document => "document",
    }
}

fn rounded(share: &Share, rule: Option<&RoundingRule>, currency: Currency) -> Result<Money, Error> {
    let mode = rule.map(|r| r.mode).unwrap_or_default();
    let per_line = rule.is_some_and(|r| matches!(r.level, Level::Unit | Level::Line));
    if per_line {
        let mut sum = Money::zero(currency);
        for (_, exact) in &share.per_line {
            sum = sum.checked_add(Money::from_exact_rounded(*exact, currency, mode)?)?;
        }
        return Ok(sum);
    }
    let step = rule.filter(|r| r.increment_minor > 1 && r.increment_ccy == currency.code()).map(|r| r.increment_minor);
    match step {
        None => Ok(Money::from_exact_rounded(share.exact, currency, mode)?),
        Some(step) => {
            let unit = Money::new(step, currency);
            let steps = share.exact.div(unit.exact())?.to_decimal(0, mode)?;
            Ok(Money::from_exact_rounded(Exact::from_decimal(steps).mul(unit.exact())?, currency, mode)?)
        }
    }
}

/// Each line's part of a rounded tax, by index.
fn spread(amount: Money, share: &Share) -> Result<Vec<(usize, Money)>, Error> {
    if let [(index, _)] = share.per_line[..] {
        return Ok(vec![(index, amount)]);
    }
    let mut weights = Vec::with_capacity(share.per_line.len());
    for (_, exact) in &share.per_line {
        weights.push(exact.to_decimal(8, RoundingMode::HalfUp)?);
    }
    if weights.iter().all(Decimal::is_zero) {
        return Ok(share.per_line.iter().map(|(index, _)| (*index, Money::zero(amount.currency()))).collect());
    }
    Ok(share.per_line.iter().map(|(index, _)| *index).zip(amount.allocate_by(&weights)?).collect())
}
