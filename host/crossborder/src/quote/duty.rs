//! Duty: relieved by the destination's threshold, fixed per item, or by the tariff line by line. A rate that is
//! not known makes the duty unknown, never zero.

use std::sync::Arc;

use super::engine::{Bound, Error, Run};
use crate::landed::customs_value;
use crate::money::{Decimal, Exact, Money, RoundingMode};
use crate::rules::{DutyBase, DutyRule, Rule, Valuation};
use crate::tax::{ItemDutyRule, item_duty};

impl<'a> Run<'a> {
    pub(super) fn duty(&mut self, rule: &Rule) -> Result<Option<Money>, Error> {
        let zero = Some(Money::zero(self.currency));
        match rule.duty {
            DutyRule::NotApplicable | DutyRule::None | DutyRule::Included => Ok(zero),
            DutyRule::PerItem => self.per_item(rule),
            DutyRule::Tariff => self.tariff_or_relief(),
            DutyRule::UsEntry => self.us_duty(),
        }
    }

    /// The row that values imports here: of the country or of its zone.
    pub(super) fn valuation(&mut self) -> Option<&'a Valuation> {
        let row = self.rules.valuation(self.ship_to).or_else(|| self.rules.valuation(&self.zone));
        match row {
            Some(row) => {
                let what = match row.duty_base {
                    DutyBase::Fob => "the goods alone (FOB)",
                    DutyBase::Cif => "goods, freight and insurance (CIF)",
                };
                self.step(&row.cite, format!("customs value is {what}"));
            }
            None => self.lack(format!("how {} values imports: add a row to valuation.csv", self.ship_to)),
        }
        row
    }

    /// Whether the destination relieves the consignment of duty; `None` = not known.
    pub(super) fn relieved(&mut self) -> Result<Option<bool>, Error> {
        let (from, mode) = (self.input.ship_from.as_deref(), self.input.mode.as_deref());
        let row = self
            .rules
            .de_minimis(self.ship_to, from, mode, self.input.date)
            .or_else(|| self.rules.de_minimis(&self.zone, from, mode, self.input.date));
        let Some(row) = row else {
            return Ok(None);
        };
        let Some(limit) = row.duty_free_up_to else {
            return Ok(None);
        };
        let value = if row.basis == "cif" { self.cif()? } else { self.goods_total()? };
        let Some(value) = self.converted_to(value, &row.duty_ccy)? else {
            return Ok(None);
        };
        let free = !limit.is_zero() && value.exact().compare(Exact::from_decimal(limit))?.is_le();
        let why = if free {
            format!("{value} is within the {limit} {} duty-free limit", row.duty_ccy)
        } else {
            format!("{value} is not relieved of duty (limit {limit} {})", row.duty_ccy)
        };
        let cite = Arc::clone(&row.cite);
        self.step(&cite, why);
        Ok(Some(free))
    }

    fn tariff_or_relief(&mut self) -> Result<Option<Money>, Error> {
        if self.relieved()? == Some(true) {
            return Ok(Some(Money::zero(self.currency)));
        }
        match self.valuation() {
            Some(row) => self.tariff_duty(row.duty_base),
            None => Ok(None),
        }
    }

    /// The duty rate of one line at the bound asked for.
    fn duty_rate(&mut self, index: usize) -> Option<Decimal> {
        let line = &self.input.lines[index];
        let (low, high) = match (line.duty_rate, line.duty_rate_max) {
            (Some(low), Some(high)) => (low.min(high), low.max(high)),
            (Some(rate), None) | (None, Some(rate)) => (rate, rate),
            (None, None) => {
                let hs = line.hs.as_deref().unwrap_or_default();
                let origin = line.origin.as_deref();
                let mut rows = self.rules.duty_rates(self.ship_to, hs, origin, self.input.date);
                if rows.is_empty() {
                    rows = self.rules.duty_rates(&self.zone, hs, origin, self.input.date);
                }
                let low = rows.iter().min_by_key(|r| r.rate).copied();
                let high = rows.iter().max_by_key(|r| r.rate).copied();
                let (Some(low), Some(high)) = (low, high) else {
                    let name = line.sku.as_deref().unwrap_or("a line");
                    let code = if hs.is_empty() { "no tariff code".to_owned() } else { format!("code {hs}") };
                    self.lack(format!("the duty rate of {name} ({code}) into {}", self.ship_to));
                    return None;
                };
                let cite = Arc::clone(if self.bound == Bound::Low { &low.cite } else { &high.cite });
                self.step(&cite, format!("duty rate for tariff code {hs}"));
                (low.rate, high.rate)
            }
        };
        self.ranged |= low != high;
        Some(if self.bound == Bound::Low { low } else { high })
    }

    /// Duty by the rate of every line, on its share of the customs value; rounded once.
    pub(super) fn tariff_duty(&mut self, base: DutyBase) -> Result<Option<Money>, Error> {
        let value = customs_value(base, self.goods_total()?, self.shipping, self.insurance)?;
        let weights: Vec<u64> = self.goods.iter().map(|m| m.minor().unsigned_abs()).collect();
        let shares = if weights.iter().all(|w| *w == 0) {
            let by_qty: Vec<u64> = self.input.lines.iter().map(|l| u64::from(l.qty)).collect();
            value.allocate(&by_qty)?
        } else {
            value.allocate(&weights)?
        };
        let mut exact = Exact::ZERO;
        let mut complete = true;
        for (index, share) in shares.iter().enumerate() {
            match self.duty_rate(index) {
                Some(rate) => exact = exact.add(share.exact().mul(Exact::from_decimal(rate))?)?,
                None => complete = false,
            }
        }
        if !complete {
            return Ok(None);
        }
        Ok(Some(Money::from_exact_rounded(exact, self.currency, RoundingMode::HalfUp)?))
    }

    /// The rate that would give the same duty on the customs value: for formulas that take one rate.
    pub(super) fn one_duty_rate(&mut self, base: DutyBase) -> Result<Option<Decimal>, Error> {
        let rates: Vec<Option<Decimal>> = (0..self.input.lines.len()).map(|i| self.duty_rate(i)).collect();
        let first = rates[0];
        if rates.iter().all(|r| *r == first) {
            return Ok(first);
        }
        let value = customs_value(base, self.goods_total()?, self.shipping, self.insurance)?;
        match self.tariff_duty(base)? {
            Some(duty) if !value.is_zero() => Ok(Some(duty.exact().div(value.exact())?.to_decimal(12, RoundingMode::HalfUp)?)),
            _ => Ok(None),
        }
    }

    /// The EU's fixed duty per item, by distinct six-digit codes.
    fn per_item(&mut self, rule: &Rule) -> Result<Option<Money>, Error> {
        let series = rule.duty_program.as_deref().unwrap_or("eu.item_duty");
        let goods = self.goods_total()?;
        let intrinsic = match self.facts.consignment_goods {
            Some(value) => match self.facts.in_currency(value, "EUR") {
                Ok(value) => value,
                Err(error) => {
                    self.lack(error.to_string());
                    return Ok(None);
                }
            },
            None => goods.exact(),
        };
        let Ok(program) = self.rules.program(series, self.input.date) else {
            if self.rules.series_starts_after(series, self.input.date) {
                self.relieved()?;
                return Ok(Some(Money::zero(self.currency)));
            }
            return self.tariff_or_relief();
        };
        let cite = Arc::clone(&program.cite);
        let lines = self.input.lines.iter();
        let codes: Option<Vec<&str>> = lines.map(|l| l.hs.as_deref()).collect();
        let Some(codes) = codes else {
            self.lack("the six-digit tariff code of every line: the EU charges a fixed duty per code".to_owned());
            return Ok(None);
        };
        let padded = self.partial_codes(&codes);
        let codes: Vec<&str> = padded.iter().map(String::as_str).collect();
        let result = item_duty(self.rules, self.input.date, intrinsic, false, &codes);
        let Some(found) = self.known(result)? else {
            return Ok(None);
        };
        match (found.rule, found.duty) {
            (ItemDutyRule::PerItem, Some(duty)) => {
                self.step(&cite, format!("{} distinct tariff codes: {duty}", found.items));
                self.assume("no VAT is charged on the fixed duty at the sale (sources differ)".to_owned());
                self.in_sale_currency(duty)
            }
            (ItemDutyRule::None, Some(duty)) => self.in_sale_currency(duty),
            _ => self.tariff_or_relief(),
        }
    }

    /// With fewer than six digits known, the number of distinct codes lies between the number of distinct
    /// beginnings and the number of lines.
    fn partial_codes(&mut self, codes: &[&str]) -> Vec<String> {
        let mut out = Vec::with_capacity(codes.len());
        for (index, code) in codes.iter().enumerate() {
            let mut digits: String = code.chars().filter(char::is_ascii_digit).collect();
            if (4..6).contains(&digits.len()) {
                let twin = codes.iter().enumerate().any(|(i, c)| i != index && c == code);
                self.ranged |= twin;
                let fill = if self.bound == Bound::Low { 0 } else { index % 100 };
                digits = format!("{digits:0<4}{fill:02}");
            }
            out.push(digits);
        }
        out
    }
}
