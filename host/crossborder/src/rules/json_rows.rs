//! The rows of the JSON files. Unknown keys are refused.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Deserialize;

use super::record::{Known, Period, Source, Verification, cite};
use super::tables::*;
use super::{Amount, Condition, LoadError, RuleFile};
use crate::money::Decimal;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SourcesFile {
    pub(super) as_of: Date,
    pub(super) sources: Vec<Source>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IdFormatFile {
    scheme: String,
    country: String,
    pattern: String,
    check: crate::ids::Check,
    verification: Verification,
    #[serde(default)]
    sources: Vec<String>,
}

impl IdFormatFile {
    pub(super) fn build(self, file: &RuleFile<'_>) -> Result<IdFormat, LoadError> {
        let pattern = regex::Regex::new(&self.pattern)
            .map_err(|e| LoadError::BadFile { file: file.name.to_owned(), what: format!("{} {}: {e}", self.scheme, self.country) })?;
        let key = format!("id_formats: {} {}", self.scheme, self.country);
        Ok(IdFormat {
            cite: cite(key, Period::default(), self.verification, &self.sources.join(";"), ""),
            scheme: self.scheme,
            country: self.country,
            pattern,
            check: self.check,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DocumentFile {
    id: String,
    fields: Vec<String>,
    #[serde(default)]
    from_date: BTreeMap<String, Date>,
    verification: Verification,
    #[serde(default)]
    sources: Vec<String>,
}

impl DocumentFile {
    pub(super) fn build(self) -> DocumentFields {
        let key = format!("documents: {}", self.id);
        DocumentFields {
            cite: cite(key, Period::default(), self.verification, &self.sources.join(";"), ""),
            id: self.id,
            fields: self.fields,
            from_date: self.from_date,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DangerousFile {
    un: String,
    packing: Vec<String>,
    passenger_aircraft_forbidden: bool,
    #[serde(default)]
    soc_max_percent: Option<Decimal>,
    #[serde(default)]
    soc_from: Option<Date>,
    #[serde(default)]
    soc_above_wh: Option<Decimal>,
    verification: Verification,
    #[serde(default)]
    sources: Vec<String>,
}

impl DangerousFile {
    pub(super) fn build(self) -> DangerousGoods {
        let key = format!("dangerous_goods: {} {}", self.un, self.packing.join("/"));
        DangerousGoods {
            cite: cite(key, Period::default(), self.verification, &self.sources.join(";"), ""),
            un: self.un,
            packing: self.packing,
            passenger_aircraft_forbidden: self.passenger_aircraft_forbidden,
            soc_max_percent: self.soc_max_percent,
            soc_from: self.soc_from,
            soc_above_wh: self.soc_above_wh,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RestrictionFile {
    id: String,
    jurisdiction: String,
    when: Vec<Condition>,
    #[serde(default)]
    needs: Vec<String>,
    reason: String,
    #[serde(default)]
    legal: String,
    #[serde(default)]
    valid_from: Option<Date>,
    #[serde(default)]
    valid_to: Option<Date>,
    #[serde(default)]
    recorded_on: Option<Date>,
    verification: Verification,
    #[serde(default)]
    sources: Vec<String>,
}

impl RestrictionFile {
    pub(super) fn build(self) -> Restriction {
        let period = Period { valid_from: self.valid_from, valid_to: self.valid_to };
        let sources = self.sources.join(";");
        Restriction {
            cite: cite(self.id.clone(), period, self.verification, &sources, &self.legal),
            id: self.id,
            jurisdiction: self.jurisdiction,
            when: self.when,
            needs: self.needs,
            reason: self.reason,
            period,
            known: Known { recorded_on: self.recorded_on, retracted_on: None },
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProgramFile {
    id: String,
    #[serde(default)]
    series: Option<String>,
    jurisdiction: String,
    #[serde(default)]
    ccy: String,
    #[serde(default)]
    numbers: BTreeMap<String, Decimal>,
    #[serde(default)]
    lists: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    brackets: BTreeMap<String, Vec<Bracket>>,
    #[serde(default)]
    legal: String,
    #[serde(default)]
    valid_from: Option<Date>,
    #[serde(default)]
    valid_to: Option<Date>,
    #[serde(default)]
    recorded_on: Option<Date>,
    verification: Verification,
    #[serde(default)]
    sources: Vec<String>,
}

impl ProgramFile {
    pub(super) fn build(self) -> Program {
        let period = Period { valid_from: self.valid_from, valid_to: self.valid_to };
        let sources = self.sources.join(";");
        Program {
            cite: cite(self.id.clone(), period, self.verification, &sources, &self.legal),
            series: self.series.unwrap_or_else(|| self.id.clone()),
            id: self.id,
            jurisdiction: self.jurisdiction,
            ccy: self.ccy,
            numbers: self.numbers,
            lists: self.lists,
            brackets: self.brackets,
            period,
            known: Known { recorded_on: self.recorded_on, retracted_on: None },
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Measure {
    amount: Amount,
    ccy: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleRow {
    id: String,
    scheme: String,
    jurisdiction: String,
    priority: i32,
    #[serde(default)]
    when: Vec<Condition>,
    collector: String,
    tax_point: String,
    calculation: Calculation,
    duty: DutyRule,
    #[serde(default)]
    program: Option<String>,
    #[serde(default)]
    duty_program: Option<String>,
    #[serde(default)]
    measure: Option<Measure>,
    /// One sentence for people: why this rule answers.
    words: String,
    #[serde(default)]
    legal: String,
    #[serde(default)]
    valid_from: Option<Date>,
    #[serde(default)]
    valid_to: Option<Date>,
    #[serde(default)]
    recorded_on: Option<Date>,
    verification: Verification,
    #[serde(default)]
    sources: Vec<String>,
}

impl RuleRow {
    pub(super) fn build(self) -> Rule {
        let period = Period { valid_from: self.valid_from, valid_to: self.valid_to };
        let sources = self.sources.join(";");
        Rule {
            cite: cite(self.id.clone(), period, self.verification, &sources, &self.legal),
            id: self.id,
            scheme: self.scheme,
            jurisdiction: self.jurisdiction,
            priority: self.priority,
            when: self.when,
            collector: self.collector,
            tax_point: self.tax_point,
            calculation: self.calculation,
            duty: self.duty,
            program: self.program,
            duty_program: self.duty_program,
            measure: self.measure.map(|m| (m.amount, m.ccy)),
            words: self.words,
            period,
            known: Known { recorded_on: self.recorded_on, retracted_on: None },
        }
    }
}
