//! The answer: amounts, who collects, and the reasons. It reads back from its own JSON, so an order can keep it.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::money::{Currency, Decimal, Money};
use crate::rules::Citation;

/// Amounts in the currency of the sale. `None` = not known; the reasons are in [`Quote::missing`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amounts {
    /// Without tax.
    pub goods: Money,
    pub shipping: Money,
    pub insurance: Money,
    pub onward: Money,
    pub duty: Option<Money>,
    pub tax: Option<Money>,
    pub fees: Money,
    /// Everything together.
    pub landed_total: Option<Money>,
    pub buyer_pays_at_checkout: Option<Money>,
    pub buyer_pays_at_delivery: Option<Money>,
    /// Duty, tax and fees borne by the seller under DDP.
    pub seller_pays: Option<Money>,
}

/// One tax as applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedRate {
    pub tax: String,
    pub jurisdiction: String,
    pub category: String,
    /// A fraction.
    pub rate: Decimal,
    pub taxable: Money,
    pub amount: Money,
    pub citation: Arc<Citation>,
}

/// The tax of one line: to keep on an order beside what the channel charged. The lines add up to the tax.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineTax {
    pub sku: Option<String>,
    /// Goods of the line and its share of shipping and insurance, without tax.
    pub taxable: Money,
    pub tax: Money,
    /// The tax by the rates that made it, so that a refund corrects each of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_rate: Vec<LineRate>,
}

/// The part of a line's tax that one of [`Quote::rates`] made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineRate {
    /// Position in [`Quote::rates`].
    pub rate: usize,
    pub amount: Money,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactUsed {
    pub name: Cow<'static, str>,
    pub value: String,
}

/// One rule or row that had a say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceStep {
    pub citation: Arc<Citation>,
    pub why: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<FactUsed>,
}

/// An exchange rate that decided something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateUsed {
    pub from: String,
    pub to: String,
    /// Units of `to` per unit of `from`, eight decimals.
    pub rate: Decimal,
    pub rate_date: Date,
    pub source: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    pub date: Date,
    pub currency: Currency,
    pub amounts: Amounts,
    /// With only part of a tariff code known: the same with the highest possible duty. `amounts` has the lowest.
    pub amounts_high: Option<Amounts>,
    pub scheme: Option<String>,
    /// `marketplace`, `seller`, `customs`, `carrier`, `buyer_reverse_charge`, ...
    pub collector: Option<String>,
    /// `sale`, `import`, `return` or `none`.
    pub tax_point: Option<String>,
    pub rates: Vec<AppliedRate>,
    pub lines: Vec<LineTax>,
    pub exchange_rates: Vec<RateUsed>,
    pub trace: Vec<TraceStep>,
    pub assumptions: Vec<String>,
    /// What would have to be known for a complete answer.
    pub missing: Vec<String>,
    /// Whether every rule and row used is verified.
    pub verified: bool,
    pub rule_set_version: String,
    pub rules_last_checked: Date,
    pub notice: Cow<'static, str>,
}

impl Quote {
    /// Nothing is missing and every amount is known.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.amounts.landed_total.is_some()
    }
}
