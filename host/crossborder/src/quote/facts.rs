//! The closed facts of one sale, as the rules ask for them. A fact that was not given is unknown.

use std::cell::RefCell;
use std::cmp::Ordering;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::fx::{Error as FxError, Found, Policy, RateTable};
use crate::money::{Exact, RoundingMode};
use crate::rules::{Amount, Compared, Fact, Facts, Have, Limit, RuleSet};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Buyer {
    Consumer,
    /// A business with a tax number at the destination.
    Business,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Marketplace,
    OwnStore,
}

/// From, to, and the rate found or why there is none.
pub(crate) type Conversion = (String, String, Result<Found, FxError>);

/// Facts of one sale on one date. Amounts are exact major units of `ccy`, without tax.
#[derive(Debug)]
pub(crate) struct SaleFacts<'a> {
    pub rules: &'a RuleSet,
    pub rates: &'a RateTable,
    pub date: Date,
    pub ccy: &'a str,
    pub max_rate_age_days: Option<u32>,
    /// A rate given by hand: units of the limit's currency per unit of `ccy`.
    pub given_rate: Option<Exact>,
    pub buyer: Option<Buyer>,
    pub channel: Option<Channel>,
    pub ship_from: Option<&'a str>,
    pub ship_to: &'a str,
    pub goods_in_zone: Option<bool>,
    pub seller_in_zone: Option<bool>,
    pub outside_tax_area: Option<bool>,
    pub registrations: Option<&'a [String]>,
    pub kinds: Option<Vec<&'a str>>,
    pub hs: Option<Vec<&'a str>>,
    pub origin: Option<Vec<&'a str>>,
    pub mode: Option<&'a str>,
    pub one_consignment: Option<bool>,
    pub elect_border: Option<bool>,
    pub personal_use: Option<bool>,
    pub cbec_channel: Option<bool>,
    pub consignment_goods: Option<Exact>,
    pub dearest_item: Option<Exact>,
    pub consignment_cif: Option<Exact>,
    /// Conversions made, kept for the trace.
    pub conversions: RefCell<Vec<Conversion>>,
}

impl SaleFacts<'_> {
    /// An amount of the sale in another currency, exact; remembers the rate used.
    pub(crate) fn in_currency(&self, value: Exact, ccy: &str) -> Result<Exact, FxError> {
        if self.ccy == ccy {
            return Ok(value);
        }
        if let Some(rate) = self.given_rate {
            return Ok(value.mul(rate)?);
        }
        let mut made = self.conversions.borrow_mut();
        let index = match made.iter().position(|(from, to, _)| from == self.ccy && to == ccy) {
            Some(index) => index,
            None => {
                let found = self.rates.rate_on(self.ccy, ccy, self.date, Policy::LatestOnOrBefore, self.max_rate_age_days);
                made.push((self.ccy.to_owned(), ccy.to_owned(), found));
                made.len() - 1
            }
        };
        match &made[index].2 {
            Ok(found) => Ok(value.mul(found.rate)?),
            Err(error) => Err(error.clone()),
        }
    }

    pub(crate) fn amount(&self, amount: Amount) -> Option<Exact> {
        match amount {
            Amount::ConsignmentGoods => self.consignment_goods,
            Amount::DearestItem => self.dearest_item,
            Amount::ConsignmentCif => self.consignment_cif,
        }
    }

    /// The value of a fact in words, for the trace.
    pub(crate) fn shown(&self, fact: Fact) -> String {
        let mut parts: Vec<String> = Vec::new();
        let known = self.any(fact, &mut |have| {
            parts.push(match have {
                Have::Flag(flag) => if flag { "yes" } else { "no" }.to_owned(),
                Have::Text(text) => text.to_owned(),
            });
            false
        });
        match known {
            None => "unknown".to_owned(),
            Some(_) if parts.is_empty() => "none".to_owned(),
            Some(_) => parts.join(", "),
        }
    }

    /// An amount in a limit's currency in words, for the trace.
    pub(crate) fn shown_amount(&self, amount: Amount, ccy: &str) -> Option<String> {
        let value = self.in_currency(self.amount(amount)?, ccy).ok()?;
        let shown = value.to_decimal(2, RoundingMode::HalfUp).ok()?;
        Some(format!("{ccy} {shown}"))
    }

    fn limit(&self, limit: &Limit) -> Option<(Exact, String)> {
        match limit {
            Limit::Fixed { value, ccy } => Some((Exact::from_decimal(*value), ccy.clone())),
            Limit::Program { program, number } => {
                let program = self.rules.program(program, self.date).ok()?;
                let number = program.number(number)?;
                Some((Exact::from_decimal(number), program.ccy.clone()))
            }
        }
    }

    fn ordering(&self, amount: Amount, limit: Exact, ccy: &str) -> Option<Ordering> {
        let value = self.in_currency(self.amount(amount)?, ccy).ok()?;
        value.compare(limit).ok()
    }
}

fn flag(value: Option<bool>, test: &mut dyn FnMut(Have<'_>) -> bool) -> Option<bool> {
    value.map(|v| test(Have::Flag(v)))
}

fn texts<'a>(values: Option<impl IntoIterator<Item = &'a str>>, test: &mut dyn FnMut(Have<'_>) -> bool) -> Option<bool> {
    let mut found = false;
    for value in values? {
        found |= test(Have::Text(value));
    }
    Some(found)
}

impl Facts for SaleFacts<'_> {
    fn any(&self, fact: Fact, test: &mut dyn FnMut(Have<'_>) -> bool) -> Option<bool> {
        match fact {
            Fact::Buyer => texts(
                self.buyer.map(|b| match b {
                    Buyer::Consumer => ["consumer"],
                    Buyer::Business => ["business"],
                }),
                test,
            ),
            Fact::Channel => texts(
                self.channel.map(|c| match c {
                    Channel::Marketplace => ["marketplace"],
                    Channel::OwnStore => ["own_store"],
                }),
                test,
            ),
            Fact::ShipFrom => texts(self.ship_from.map(|c| [c]), test),
            Fact::ShipTo => texts(Some([self.ship_to]), test),
            Fact::GoodsInZone => flag(self.goods_in_zone, test),
            Fact::SellerInZone => flag(self.seller_in_zone, test),
            Fact::OutsideTaxArea => flag(self.outside_tax_area, test),
            Fact::Registrations => texts(self.registrations.map(|r| r.iter().map(String::as_str)), test),
            Fact::Kinds => texts(self.kinds.as_ref().map(|k| k.iter().copied()), test),
            Fact::Hs => texts(self.hs.as_ref().map(|k| k.iter().copied()), test),
            Fact::Origin => texts(self.origin.as_ref().map(|k| k.iter().copied()), test),
            Fact::Mode => texts(self.mode.map(|m| [m]), test),
            Fact::OneConsignment => flag(self.one_consignment, test),
            Fact::ElectBorder => flag(self.elect_border, test),
            Fact::PersonalUse => flag(self.personal_use, test),
            Fact::CbecChannel => flag(self.cbec_channel, test),
        }
    }

    fn compare(&self, amount: Amount, limit: &Limit) -> Compared {
        let Some((limit, ccy)) = self.limit(limit) else {
            return Compared::NotInForce;
        };
        match self.ordering(amount, limit, &ccy) {
            Some(ordering) => Compared::Is(ordering),
            None => Compared::Unknown,
        }
    }
}
