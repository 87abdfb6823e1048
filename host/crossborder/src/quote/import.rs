//! Charges at the border: the ordinary import and the formulas of single countries.

use std::sync::Arc;

use super::engine::{Charges, Error, Run};
use super::facts::Channel;
use crate::landed::{self, Duty, Shipment, landed_cost};
use crate::money::{Currency, Exact, Money, RoundingMode};
use crate::rules::{DutyBase, Rule, TaxBase};
use crate::tax::national::{
    CnCbecChannel, CnOrder, CnPostal, TrPostal, UsRule, br_remessa, ca_import, ch_import, cn_cbec, cn_postal, jp_personal, kr_personal,
    mx_courier, tr_postal, us_entry,
};
use crate::tax::rate_for;

impl Run<'_> {
    /// Duty by rule, then tax on the valuation base of the destination.
    pub(super) fn import(&mut self, rule: &Rule) -> Result<Charges, Error> {
        let duty = self.duty(rule)?;
        let Some(row) = self.valuation() else {
            return Ok(Charges { duty, tax: None });
        };
        if row.tax_base == TaxBase::None {
            return Ok(Charges { duty, tax: Some(Money::zero(self.currency)) });
        }
        if self.tax_relieved()? {
            return Ok(Charges { duty, tax: Some(Money::zero(self.currency)) });
        }
        let Some(rate) = self.border_rate()? else {
            return Ok(Charges { duty, tax: None });
        };
        let Some(duty_amount) = duty else {
            self.lack("the tax at import, because it is charged on the duty too".to_owned());
            return Ok(Charges { duty, tax: None });
        };
        let landed = landed_cost(&Shipment {
            goods: self.goods_total()?,
            freight: self.shipping,
            insurance: self.insurance,
            onward: self.onward,
            duty_base: row.duty_base,
            tax_base: row.tax_base,
            duty: Some(Duty::Flat(duty_amount)),
            tax_rate: Some(rate),
            fees: Money::zero(self.currency),
        });
        match landed {
            Ok(landed) => Ok(Charges { duty, tax: Some(landed.tax) }),
            Err(landed::Error::Money(error)) => Err(error.into()),
            Err(other) => {
                self.lack(other.to_string());
                Ok(Charges { duty, tax: None })
            }
        }
    }

    /// The one tax rate of the goods at the border; different categories in one parcel need separate quotes.
    fn border_rate(&mut self) -> Result<Option<crate::money::Decimal>, Error> {
        let categories: Vec<Option<&str>> = self.input.lines.iter().map(|l| l.category.as_deref()).collect();
        let first = categories[0];
        if categories.iter().any(|c| *c != first) {
            self.lack("one tax category for the parcel: quote goods of different categories apart".to_owned());
            return Ok(None);
        }
        if first.is_none() {
            self.assume("goods without a tax category are taxed at the standard rate".to_owned());
        }
        let found = rate_for(self.rules, &self.jurisdiction, first.unwrap_or("standard"), self.input.date);
        let Some(applied) = self.known(found)? else {
            return Ok(None);
        };
        if applied.fell_back {
            let category = first.unwrap_or("standard");
            self.assume(format!("{} has no row for {category}: its standard rate is used", applied.jurisdiction));
        }
        for (tax, rate, cite) in &applied.taxes {
            let percent = (*rate * crate::money::Decimal::ONE_HUNDRED).normalize();
            self.step(cite, format!("{tax} {percent} % {} at import", applied.jurisdiction));
        }
        let total = applied.total()?;
        if total.is_zero() && self.facts.outside_tax_area == Some(true) {
            // No EU VAT is not no tax: these places have their own.
            self.lack(format!("the local import tax of {}: only the EU's VAT is known not to apply", applied.jurisdiction));
            return Ok(None);
        }
        Ok(Some(total))
    }

    /// Whether the destination waives the tax on the whole consignment by a value threshold.
    fn tax_relieved(&mut self) -> Result<bool, Error> {
        let (from, mode) = (self.input.ship_from.as_deref(), self.input.mode.as_deref());
        let row = self
            .rules
            .de_minimis(self.ship_to, from, mode, self.input.date)
            .or_else(|| self.rules.de_minimis(&self.zone, from, mode, self.input.date));
        let Some((row, limit)) = row.and_then(|r| Some((r, r.tax_free_up_to?))) else {
            return Ok(false);
        };
        if limit.is_zero() || row.basis == "tax" {
            return Ok(false);
        }
        let value = if row.basis == "cif" { self.cif()? } else { self.goods_total()? };
        let Some(value) = self.converted_to(value, &row.tax_ccy)? else {
            return Ok(false);
        };
        let free = value.exact().compare(Exact::from_decimal(limit))?.is_le();
        if free {
            let why = format!("{value} is within the {limit} {} tax-free limit", row.tax_ccy);
            let cite = Arc::clone(&row.cite);
            self.step(&cite, why);
        }
        Ok(free)
    }

    fn cite_program(&mut self, series: &str, why: String) {
        if let Ok(program) = self.rules.program(series, self.input.date) {
            let cite = Arc::clone(&program.cite);
            self.step(&cite, why);
        }
    }

    fn zero(&self) -> Option<Money> {
        Some(Money::zero(self.currency))
    }

    /// Two charges of another currency in that of the sale.
    fn charged(&mut self, duty: Money, tax: Money) -> Result<Charges, Error> {
        Ok(Charges { duty: self.in_sale_currency(duty)?, tax: self.in_sale_currency(tax)? })
    }

    pub(super) fn us_duty(&mut self) -> Result<Option<Money>, Error> {
        if self.facts.goods_in_zone == Some(true) {
            return Ok(self.zero());
        }
        if self.facts.goods_in_zone.is_none() {
            self.lack("the country the goods are shipped from".to_owned());
            return Ok(None);
        }
        let Some(value) = self.converted_to(self.goods_total()?, "USD")? else {
            return Ok(None);
        };
        let (date, mode) = (self.input.date, self.input.mode.as_deref().unwrap_or("courier"));
        if let Ok(program) = self.rules.program("us.section321_excluded", date)
            && self.input.ship_from.as_deref().is_some_and(|c| program.list_has("origins", c))
        {
            let cite = Arc::clone(&program.cite);
            self.step(&cite, "this origin was excluded from the low-value exemption".to_owned());
            return self.tariff_duty(DutyBase::Fob);
        }
        let ieepa = self.input.national.us_ieepa_rate;
        let result = us_entry(self.rules, date, mode, value, ieepa);
        let Some(entry) = self.known(result)? else {
            return Ok(None);
        };
        match entry.rule {
            UsRule::Section321 => {
                self.cite_program("us.section321", format!("{value} is within the low-value exemption"));
                Ok(self.zero())
            }
            UsRule::IeepaPostalSpecific => {
                self.cite_program("us.ieepa_postal_specific", "fixed duty per postal item".to_owned());
                match entry.specific_duty {
                    Some(duty) => {
                        let items = i64::try_from(self.input.lines.len()).unwrap_or(i64::MAX);
                        self.in_sale_currency(duty.checked_mul_int(items)?)
                    }
                    None => Ok(None),
                }
            }
            UsRule::Section122 => {
                self.cite_program("us.section122", "surcharge on top of the tariff".to_owned());
                let surcharge = match entry.surcharge {
                    Some(surcharge) => self.in_sale_currency(surcharge)?,
                    None => None,
                };
                match (self.tariff_duty(DutyBase::Fob)?, surcharge) {
                    (Some(duty), Some(more)) => Ok(Some(duty.checked_add(more)?)),
                    _ => Ok(None),
                }
            }
            UsRule::Tariff => {
                if mode == "post" && ieepa.is_none() && self.rules.program("us.ieepa_postal_specific", date).is_ok() {
                    self.assume("the postal item is charged by the tariff, not by the fixed amounts".to_owned());
                }
                self.tariff_duty(DutyBase::Fob)
            }
            UsRule::TariffFeedNeeded => {
                self.lack(format!("the United States tariff measures of {date}: a dated tariff feed is needed"));
                Ok(None)
            }
        }
    }

    pub(super) fn united_states(&mut self, rule: &Rule) -> Result<Charges, Error> {
        let duty = self.duty(rule)?;
        let code = self.input.region.as_deref().unwrap_or_default().trim_start_matches("US-");
        let Some(state) = self.rules.us_state(code) else {
            self.lack("the state of destination in the United States".to_owned());
            return Ok(Charges { duty, tax: None });
        };
        let percent = (state.state_rate * crate::money::Decimal::ONE_HUNDRED).normalize();
        self.step(&state.cite, format!("state sales tax of {} is {percent} % before local taxes", state.state));
        if state.nexus_sales_usd.is_none() {
            return Ok(Charges { duty, tax: self.zero() });
        }
        if self.input.channel == Some(Channel::OwnStore) {
            let wanted = format!("us.{}", state.state);
            match &self.input.seller.registrations {
                None => {
                    self.lack("the tax registrations of the seller".to_owned());
                    return Ok(Charges { duty, tax: None });
                }
                Some(list) if !list.contains(&wanted) => {
                    self.assume(format!("the seller has no nexus in {}: it is not registered there", state.state));
                    return Ok(Charges { duty, tax: self.zero() });
                }
                Some(_) => {}
            }
        }
        self.lack(format!(
            "the local sales tax rate in {}: a rate feed or a tax engine is needed ({percent} % is the state part)",
            state.state
        ));
        Ok(Charges { duty, tax: None })
    }

    pub(super) fn canada(&mut self) -> Result<Charges, Error> {
        let Some(value) = self.converted_to(self.goods_total()?, "CAD")? else {
            return Ok(Charges::default());
        };
        let Some(province) = self.input.region.clone() else {
            self.lack("the province of destination in Canada".to_owned());
            return Ok(Charges::default());
        };
        let from = self.input.ship_from.clone().unwrap_or_default();
        let mode = self.input.mode.clone().unwrap_or_default();
        let date = self.input.date;
        // Most low-value parcels need no duty rate: ask for one only if the formula does.
        let mut result = ca_import(self.rules, date, &from, &mode, value, None, &province);
        if matches!(result, Err(crate::tax::Error::MissingFact { .. })) {
            let Some(rate) = self.one_duty_rate(DutyBase::Fob)? else {
                return Ok(Charges::default());
            };
            result = ca_import(self.rules, date, &from, &mode, value, Some(rate), &province);
        }
        match self.known(result)? {
            Some(charge) => {
                self.cite_rates(&format!("CA-{}", province.trim_start_matches("CA-")));
                self.charged(charge.duty, charge.tax)
            }
            None => Ok(Charges::default()),
        }
    }

    /// Names the rows of the standard rates a formula used.
    fn cite_rates(&mut self, jurisdiction: &str) {
        let rows: Vec<_> = self
            .rules
            .rates(jurisdiction, "standard", self.input.date)
            .into_iter()
            .map(|r| (Arc::clone(&r.cite), r.tax.clone(), r.rate))
            .collect();
        for (cite, tax, rate) in rows {
            let percent = (rate * crate::money::Decimal::ONE_HUNDRED).normalize();
            self.step(&cite, format!("{tax} {percent} % {jurisdiction}"));
        }
    }

    pub(super) fn switzerland(&mut self, rule: &Rule) -> Result<Charges, Error> {
        let Some(duty) = self.duty(rule)? else {
            self.lack("the tax at import, because it is charged on the duty too".to_owned());
            return Ok(Charges::default());
        };
        let value = self.cif()?.checked_add(self.onward)?.checked_add(duty)?;
        let Some(value) = self.converted_to(value, "CHF")? else {
            return Ok(Charges { duty: Some(duty), tax: None });
        };
        let category = self.input.lines[0].category.as_deref().unwrap_or("standard").to_owned();
        if self.input.lines.iter().any(|l| l.category.as_deref().unwrap_or("standard") != category) {
            self.lack("one tax category for the parcel: quote goods of different categories apart".to_owned());
            return Ok(Charges { duty: Some(duty), tax: None });
        }
        let result = ch_import(self.rules, self.input.date, value, &category);
        let Some(found) = self.known(result)? else {
            return Ok(Charges { duty: Some(duty), tax: None });
        };
        if !found.levied {
            self.cite_program("ch.small_amount", "the tax is so small that it is not levied".to_owned());
        }
        let tax = self.in_sale_currency(found.tax)?;
        Ok(Charges { duty: Some(duty), tax })
    }

    pub(super) fn mexico(&mut self) -> Result<Charges, Error> {
        let Some(value) = self.converted_to(self.cif()?, "USD")? else {
            return Ok(Charges::default());
        };
        let from = self.input.ship_from.clone().unwrap_or_default();
        let result = mx_courier(self.rules, self.input.date, &from, value);
        match self.known(result)?.flatten() {
            Some(found) => {
                self.cite_program("mx.courier", format!("one rate of {} for everything", found.rate));
                self.charged(Money::zero(found.tax.currency()), found.tax)
            }
            None => Ok(Charges::default()),
        }
    }

    pub(super) fn brazil(&mut self) -> Result<Charges, Error> {
        let Some(value) = self.converted_to(self.cif()?, "USD")? else {
            return Ok(Charges::default());
        };
        let date = self.input.date;
        let rate = rate_for(self.rules, "BR", "remessa", date).and_then(|r| {
            let cite = r.taxes.first().map(|t| Arc::clone(&t.2));
            Ok((r.total()?, cite))
        });
        let Some((rate, cite)) = self.known(rate)? else {
            return Ok(Charges::default());
        };
        if let Some(cite) = cite {
            self.step(&cite, format!("ICMS {rate} inside its own base"));
        }
        self.assume("the state charges the general ICMS rate of the programme".to_owned());
        let result = br_remessa(self.rules, date, value, rate);
        match self.known(result)? {
            Some(found) => {
                self.cite_program("br.remessa_conforme", format!("import tax {}", found.import_tax));
                self.charged(found.import_tax, found.icms)
            }
            None => Ok(Charges::default()),
        }
    }

    pub(super) fn china_cbec(&mut self) -> Result<Charges, Error> {
        let Some(dutiable) = self.converted_to(self.cif()?, "CNY")? else {
            return Ok(Charges::default());
        };
        let national = &self.input.national;
        let (consumption, used) = (national.cn_consumption_rate, national.cn_year_to_date_minor);
        let (Some(consumption_rate), Some(used)) = (consumption, used) else {
            if consumption.is_none() {
                self.lack("the consumption tax rate of the goods in China".to_owned());
            }
            if used.is_none() {
                self.lack("what the buyer has used of the yearly limit: customs knows it".to_owned());
            }
            return Ok(Charges::default());
        };
        let order = CnOrder {
            dutiable,
            year_to_date: Money::new(used, Currency::from_code("CNY")?),
            consumption_rate,
            duty_rate: self.input.lines[0].duty_rate,
            vat_rate: None,
            single_item: self.input.lines.len() == 1 && self.input.lines[0].qty == 1,
        };
        let result = cn_cbec(self.rules, self.input.date, &order);
        let Some(found) = self.known(result)? else {
            return Ok(Charges::default());
        };
        match found.channel {
            CnCbecChannel::Reduced | CnCbecChannel::Full => {
                self.cite_program("cn.cbec", format!("taxes of the channel: {}", found.total));
                self.charged(found.duty, found.total.checked_sub(found.duty)?)
            }
            CnCbecChannel::OverAnnualLimit | CnCbecChannel::OverOrderLimit => {
                self.cite_program("cn.cbec", "above the limits: general trade".to_owned());
                self.lack("general trade duties for goods above the channel's limits".to_owned());
                Ok(Charges::default())
            }
        }
    }

    pub(super) fn china_postal(&mut self) -> Result<Charges, Error> {
        let Some(value) = self.converted_to(self.goods_total()?, "CNY")? else {
            return Ok(Charges::default());
        };
        let Some(rate) = self.input.national.cn_postal_rate else {
            self.lack("the parcel tax rate of the goods in China".to_owned());
            return Ok(Charges::default());
        };
        let from = self.input.ship_from.clone().unwrap_or_default();
        let single = self.input.lines.len() == 1 && self.input.lines[0].qty == 1;
        let result = cn_postal(self.rules, self.input.date, &from, value, rate, single);
        let zero = Money::zero(value.currency());
        match self.known(result)? {
            Some(CnPostal::Exempt) => {
                self.cite_program("cn.postal", "the tax is so small that it is waived".to_owned());
                self.charged(zero, zero)
            }
            Some(CnPostal::Taxed(tax)) => {
                self.cite_program("cn.postal", format!("parcel tax {tax}"));
                self.charged(zero, tax)
            }
            Some(CnPostal::ReturnOrGoodsClearance) => {
                self.cite_program("cn.postal", "above the value limit for personal post".to_owned());
                self.lack("clearance as goods: the parcel is above the limit for personal post".to_owned());
                Ok(Charges::default())
            }
            None => Ok(Charges::default()),
        }
    }

    pub(super) fn japan(&mut self) -> Result<Charges, Error> {
        let personal = self.facts.personal_use == Some(true);
        let amount = if personal { self.goods_total()? } else { self.cif()? };
        if personal {
            self.assume("the goods price is the retail price a private buyer pays".to_owned());
        }
        let value = match self.facts.in_currency(amount.exact(), "JPY") {
            Ok(value) => value,
            Err(error) => {
                self.lack(error.to_string());
                return Ok(Charges::default());
            }
        };
        let yen = Currency::from_code("JPY")?;
        let first = jp_personal(self.rules, self.input.date, value, personal, Money::zero(yen));
        let Some(first) = self.known(first)? else {
            return Ok(Charges::default());
        };
        let shown = first.customs_value;
        if first.exempt {
            self.cite_program("jp.small", format!("customs value JPY {shown} is exempt"));
            return self.charged(Money::zero(yen), Money::zero(yen));
        }
        self.cite_program("jp.personal_value", format!("customs value JPY {shown}"));
        let Some(rate) = self.one_duty_rate(DutyBase::Cif)? else {
            return Ok(Charges::default());
        };
        let duty = Exact::from_decimal(shown).mul(Exact::from_decimal(rate))?;
        let duty = Money::from_exact_rounded(duty, yen, RoundingMode::Floor)?;
        let result = jp_personal(self.rules, self.input.date, value, personal, duty);
        match self.known(result)? {
            Some(found) => {
                self.cite_rates("JP");
                self.charged(duty, found.jct)
            }
            None => Ok(Charges::default()),
        }
    }

    pub(super) fn korea(&mut self) -> Result<Charges, Error> {
        let goods = self.converted_to(self.goods_total()?, "USD")?;
        let cif = self.converted_to(self.cif()?, "USD")?;
        let (Some(goods), Some(cif)) = (goods, cif) else {
            return Ok(Charges::default());
        };
        let from = self.input.ship_from.clone().unwrap_or_default();
        let list = self.input.national.kr_list_clearance.unwrap_or(false);
        if self.input.national.kr_list_clearance.is_none() && from == "US" {
            self.assume("no list clearance: the general limit holds".to_owned());
        }
        let date = self.input.date;
        let mut result = kr_personal(self.rules, date, &from, list, goods, cif, None);
        if matches!(result, Err(crate::tax::Error::MissingFact { .. })) {
            let Some(rate) = self.one_duty_rate(DutyBase::Cif)? else {
                return Ok(Charges::default());
            };
            result = kr_personal(self.rules, date, &from, list, goods, cif, Some(rate));
        }
        match self.known(result)? {
            Some(found) => {
                let why = if found.exempt { "within the limit: exempt" } else { "above the limit: all is taxed" };
                self.cite_program("kr.personal", why.to_owned());
                self.charged(found.duty, found.vat)
            }
            None => Ok(Charges::default()),
        }
    }

    pub(super) fn turkey(&mut self) -> Result<Charges, Error> {
        let goods = self.converted_to(self.goods_total()?, "EUR")?;
        let transport = self.converted_to(self.shipping.checked_add(self.insurance)?, "EUR")?;
        let (Some(goods), Some(transport)) = (goods, transport) else {
            return Ok(Charges::default());
        };
        let date = self.input.date;
        let from_eu = self.input.ship_from.as_deref().and_then(|c| self.rules.zone_of(c, date)).is_some_and(|z| z.zone == "EU");
        let list_iv = self.input.national.tr_list_iv;
        if list_iv.is_none() {
            self.assume("the goods are not on list IV".to_owned());
        }
        let result = tr_postal(self.rules, date, from_eu, list_iv.unwrap_or(false), goods, transport);
        match self.known(result)? {
            Some(TrPostal::Simplified { tax }) => {
                self.cite_program("tr.simplified", format!("single tax {tax}"));
                self.charged(Money::zero(tax.currency()), tax)
            }
            Some(TrPostal::FullDeclaration) => {
                self.lack("the duty of a full declaration in Turkey".to_owned());
                Ok(Charges::default())
            }
            None => Ok(Charges::default()),
        }
    }
}
