//! The dated rule set: tables, programmes and decision rules, each row with its validity, its sources and how
//! sure it is.
//!
//! A set is built from the embedded files, or from those with a merchant's files merged over them. It is
//! immutable; its [`RuleSet::version`] is the hash of everything it was loaded from. Two time axes: a row holds
//! from `valid_from` until before `valid_to`, and is known from `recorded_on` until before `retracted_on`, so a
//! late correction does not change what was answered earlier ([`RuleSet::as_known_on`]).

mod builtin;
mod checks;
mod condition;
mod csv_rows;
mod error;
mod json_rows;
mod load;
mod lookup;
mod merge;
mod record;
mod tables;

pub use condition::{Amount, Compared, Condition, Fact, Facts, Have, Limit, Test, Truth, Wanted};
pub use error::LoadError;
pub use load::RuleFile;
pub use lookup::{NotInForce, bracket};
pub use record::{Citation, Known, Period, Source, Verification};
pub use tables::{
    Bracket, Calculation, CashRounding, DangerousGoods, DeMinimis, DocumentFields, DutyBase, DutyRule, IdFormat, Intrastate, NexusLogic,
    Place, Program, Restriction, RoundingRule, Rule, Tariff, TaxBase, TaxRate, Territory, UsState, Valuation, ZoneMember,
};

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;

/// Every answer is shown with this.
pub const NOT_ADVICE: &str = "This is a calculation from dated tables with the sources shown. It is not legal or tax advice.";

/// An immutable, checked set of rules and tables.
#[derive(Clone)]
pub struct RuleSet {
    version: String,
    last_checked: Date,
    sources: BTreeMap<String, Source>,
    zones: Vec<ZoneMember>,
    /// Jurisdiction, then category, then the rows of all its taxes and periods.
    tax_rates: BTreeMap<String, BTreeMap<String, Vec<TaxRate>>>,
    territories: BTreeMap<String, Territory>,
    de_minimis: Vec<DeMinimis>,
    valuation: BTreeMap<String, Valuation>,
    us_states: BTreeMap<String, UsState>,
    documents: BTreeMap<String, DocumentFields>,
    restrictions: Vec<Restriction>,
    rounding: BTreeMap<String, RoundingRule>,
    tariff: Vec<Tariff>,
    programs: BTreeMap<String, Vec<Program>>,
    /// Per jurisdiction, highest priority first.
    rules: BTreeMap<String, Vec<Rule>>,
    /// Every row, retracted ones too; the fields above are what is known now.
    all: Arc<load::Parts>,
}

/// The whole content would fill screens; the version names it.
impl std::fmt::Debug for RuleSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuleSet").field("version", &self.version).field("last_checked", &self.last_checked).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
