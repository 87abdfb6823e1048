//! The rows of the rule set, one type per file. Field names are the columns or keys of the file.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::record::{Citation, Known, Period};
use crate::money::{Decimal, RoundingMode};

/// A country of a tax zone. `taxed_as` differs where a territory follows another's rates (Monaco).
#[derive(Debug, Clone)]
pub struct ZoneMember {
    pub zone: String,
    pub country: String,
    pub taxed_as: String,
    pub period: Period,
    pub known: Known,
    pub cite: Arc<Citation>,
}

#[derive(Debug, Clone)]
pub struct TaxRate {
    pub jurisdiction: String,
    pub tax: String,
    pub category: String,
    /// A fraction: 0.19 is 19 %.
    pub rate: Decimal,
    pub period: Period,
    pub known: Known,
    pub cite: Arc<Citation>,
}

#[derive(Debug, Clone)]
pub struct Territory {
    pub code: String,
    pub country: String,
    pub name: String,
    pub in_vat_area: bool,
    pub in_customs_union: bool,
    pub cite: Arc<Citation>,
}

/// How an address names a country or region that the other tables know under another code.
#[derive(Debug, Clone)]
pub struct Place {
    /// As the address writes it; an empty region or postal code asks nothing.
    pub country: String,
    pub region: String,
    /// How the postal code begins.
    pub postal: String,
    pub is_country: String,
    /// Empty = the region the address names.
    pub is_region: String,
    pub cite: Arc<Citation>,
}

#[derive(Debug, Clone)]
pub struct CashRounding {
    pub country: String,
    pub ccy: String,
    pub increment_minor: i64,
    /// `None` = the merchant chooses what happens at the half.
    pub tie: Option<RoundingMode>,
    pub cite: Arc<Citation>,
}

/// Duty and tax thresholds of a destination. An absent amount is unknown, not zero.
#[derive(Debug, Clone)]
pub struct DeMinimis {
    pub destination: String,
    /// Only from these countries; empty = any.
    pub from: Vec<String>,
    /// Only by this mode; empty = any.
    pub mode: String,
    pub duty_free_up_to: Option<Decimal>,
    pub duty_ccy: String,
    pub tax_free_up_to: Option<Decimal>,
    pub tax_ccy: String,
    /// `goods`, `cif`, or `tax` (the threshold is on the tax itself).
    pub basis: String,
    pub period: Period,
    pub known: Known,
    pub cite: Arc<Citation>,
}

/// A duty rate the merchant or a feed supplies; none is embedded.
#[derive(Debug, Clone)]
pub struct Tariff {
    /// Country or zone of import.
    pub destination: String,
    /// Leading digits of the tariff code.
    pub hs: String,
    /// Country the goods were made in; empty = any.
    pub origin: String,
    pub rate: Decimal,
    pub period: Period,
    pub known: Known,
    pub cite: Arc<Citation>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DutyBase {
    /// Goods only.
    #[serde(rename = "FOB")]
    Fob,
    /// Goods, freight and insurance.
    #[serde(rename = "CIF")]
    Cif,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaxBase {
    /// No tax is charged on import by the federation.
    None,
    FobPlusDuty,
    /// Goods, duty, freight and insurance.
    FobPlusDutyPlusTi,
    /// Goods raised by a tenth, and duty.
    FobPlusTenthPlusDuty,
    CifPlusDuty,
    CifPlusDutyPlusOnward,
}

#[derive(Debug, Clone)]
pub struct Valuation {
    pub destination: String,
    pub duty_base: DutyBase,
    pub tax_base: TaxBase,
    pub cite: Arc<Citation>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Intrastate {
    #[serde(rename = "dest")]
    Destination,
    #[serde(rename = "origin")]
    Origin,
    #[serde(rename = "mixed")]
    Mixed,
    #[serde(rename = "local")]
    Local,
    #[serde(rename = "none")]
    None,
}

impl Intrastate {
    pub fn name(self) -> &'static str {
        match self {
            Self::Destination => "destination",
            Self::Origin => "origin",
            Self::Mixed => "mixed",
            Self::Local => "local",
            Self::None => "none",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NexusLogic {
    Or,
    And,
}

#[derive(Debug, Clone)]
pub struct UsState {
    pub state: String,
    pub state_rate: Decimal,
    pub intrastate: Intrastate,
    pub nexus_sales_usd: Option<Decimal>,
    pub nexus_transactions: Option<u64>,
    pub nexus_logic: Option<NexusLogic>,
    pub cite: Arc<Citation>,
}

#[derive(Debug, Clone)]
pub struct IdFormat {
    pub scheme: String,
    pub country: String,
    pub pattern: regex::Regex,
    pub check: crate::ids::Check,
    pub cite: Arc<Citation>,
}

#[derive(Debug, Clone)]
pub struct DocumentFields {
    pub id: String,
    pub fields: Vec<String>,
    /// Fields that joined later, with the day from which they are mandatory.
    pub from_date: BTreeMap<String, Date>,
    pub cite: Arc<Citation>,
}

#[derive(Debug, Clone)]
pub struct DangerousGoods {
    pub un: String,
    pub packing: Vec<String>,
    pub passenger_aircraft_forbidden: bool,
    pub soc_max_percent: Option<Decimal>,
    /// The charge limit binds from this day.
    pub soc_from: Option<Date>,
    /// The charge limit binds above this energy only.
    pub soc_above_wh: Option<Decimal>,
    pub cite: Arc<Citation>,
}

/// Goods that may not be offered in, or shipped to, a place without something.
#[derive(Debug, Clone)]
pub struct Restriction {
    pub id: String,
    pub jurisdiction: String,
    pub when: Vec<Condition>,
    /// What the merchant must have; empty = forbidden outright.
    pub needs: Vec<String>,
    pub reason: String,
    pub period: Period,
    pub known: Known,
    pub cite: Arc<Citation>,
}

/// Where a jurisdiction's law says to round.
#[derive(Debug, Clone)]
pub struct RoundingRule {
    pub jurisdiction: String,
    pub level: crate::tax::Level,
    pub mode: RoundingMode,
    /// Minor units the payable tax is rounded to; 1 = the currency's own.
    pub increment_minor: i64,
    /// The increment is of this currency; amounts in another are not rounded to it.
    pub increment_ccy: String,
    pub inclusive_round: crate::tax::InclusiveRound,
    pub cite: Arc<Citation>,
}

/// One step of a bracketed charge.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bracket {
    /// Inclusive; with `below` absent too = no upper end.
    #[serde(default)]
    pub up_to: Option<Decimal>,
    /// Exclusive.
    #[serde(default)]
    pub below: Option<Decimal>,
    #[serde(default)]
    pub rate: Decimal,
    /// Taken off after the rate.
    #[serde(default)]
    pub minus: Decimal,
    /// A fixed charge instead of a rate.
    #[serde(default)]
    pub fixed: Option<Decimal>,
}

/// The numbers of one scheme for one period. Several programmes with the same `series` follow one another.
#[derive(Debug, Clone)]
pub struct Program {
    pub id: String,
    pub series: String,
    pub jurisdiction: String,
    pub ccy: String,
    pub numbers: BTreeMap<String, Decimal>,
    pub lists: BTreeMap<String, Vec<String>>,
    pub brackets: BTreeMap<String, Vec<Bracket>>,
    pub period: Period,
    pub known: Known,
    pub cite: Arc<Citation>,
}

/// How the amounts of a scheme are calculated. The numbers are in its programme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calculation {
    /// Destination rate on goods, shipping and insurance, at the sale.
    SaleTax,
    /// EU sale between member states: origin or destination by the seller's yearly total.
    PlaceOfSupply,
    /// Nothing at the sale; the buyer accounts for it.
    ReverseCharge,
    /// Nothing at the sale and nothing at import.
    NoTax,
    /// Duty by tariff or de minimis, tax on the valuation base.
    Import,
    /// State sales tax; the local part needs a feed.
    UsSalesTax,
    CaImport,
    ChImport,
    MxCourier,
    BrRemessa,
    CnCbec,
    CnPostal,
    JpSmall,
    KrPersonal,
    TrSimplified,
}

/// Where the duty of a scheme comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DutyRule {
    /// The scheme says there is none.
    None,
    /// A fixed amount per item by the duty programme; none before it, the tariff after it.
    PerItem,
    /// By the tariff, unless the destination's threshold relieves it.
    Tariff,
    /// Inside the single charge of the calculation.
    Included,
    /// The goods do not cross a customs border.
    NotApplicable,
    /// The entry rules of the United States.
    UsEntry,
}

/// A scheme rule: who owes the tax, and when.
#[derive(Debug, Clone)]
pub struct Rule {
    pub id: String,
    pub scheme: String,
    pub jurisdiction: String,
    pub priority: i32,
    pub when: Vec<Condition>,
    pub collector: String,
    /// `sale`, `import`, `return` or `none`.
    pub tax_point: String,
    pub calculation: Calculation,
    /// The programme whose numbers the calculation uses.
    pub program: Option<String>,
    pub duty: DutyRule,
    /// The programme of a per-item duty.
    pub duty_program: Option<String>,
    /// The amount the scheme's threshold is measured on, shown with the answer.
    pub measure: Option<(super::Amount, String)>,
    pub words: String,
    pub period: Period,
    pub known: Known,
    pub cite: Arc<Citation>,
}
