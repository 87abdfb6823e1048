//! Reading the files of a rule set into rows. Unknown files, columns and keys are refused by name.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::record::{Known, Period, Source, Verification, cite};
use super::tables::*;
use super::{Amount, Condition, LoadError, RuleSet, builtin, checks, merge};
use crate::fx::FixedEuro;
use crate::money::{Decimal, RoundingMode, decimal_from_text};

/// One file of a rule set: a name of [`RuleFile::names`] and its text.
#[derive(Debug, Clone, Copy)]
pub struct RuleFile<'a> {
    pub name: &'a str,
    pub text: &'a str,
}

impl RuleFile<'_> {
    /// Names a merchant may give.
    pub fn names() -> impl Iterator<Item = &'static str> {
        builtin::FILES.iter().map(|f| f.name)
    }
}

/// Every row of every file, current or not. Rule sets are indexed views of this.
#[derive(Debug, Clone, Default)]
pub(super) struct Parts {
    pub last_checked: Option<Date>,
    pub sources: Vec<Source>,
    pub zones: Vec<ZoneMember>,
    pub tax_rates: Vec<TaxRate>,
    pub territories: Vec<Territory>,
    pub cash_rounding: Vec<CashRounding>,
    pub fixed_euro: Vec<FixedEuro>,
    pub de_minimis: Vec<DeMinimis>,
    pub valuation: Vec<Valuation>,
    pub us_states: Vec<UsState>,
    pub id_formats: Vec<IdFormat>,
    pub documents: Vec<DocumentFields>,
    pub dangerous_goods: Vec<DangerousGoods>,
    pub restrictions: Vec<Restriction>,
    pub description_words: Vec<String>,
    pub rounding: Vec<RoundingRule>,
    pub tariff: Vec<Tariff>,
    pub programs: Vec<Program>,
    pub rules: Vec<Rule>,
}

impl RuleSet {
    /// The embedded set.
    pub fn builtin() -> Result<Self, LoadError> {
        Self::load(&[])
    }

    /// The embedded set with a merchant's files merged over it: a row with a known key replaces the embedded
    /// one for its own period, a new key is added.
    pub fn load(merchant: &[RuleFile<'_>]) -> Result<Self, LoadError> {
        let base = Parts::read(builtin::FILES)?;
        let over = Parts::read(merchant)?;
        let parts = merge::over(base, over);
        checks::check(&parts)?;
        Ok(Self::index(parts, version(builtin::FILES, merchant)))
    }

    /// A set made of these files alone.
    pub fn load_only(files: &[RuleFile<'_>]) -> Result<Self, LoadError> {
        let parts = Parts::read(files)?;
        checks::check(&parts)?;
        Ok(Self::index(parts, version(files, &[])))
    }
}

/// SHA-256 over every file's layer, name and text. Any changed byte is another version.
fn version(base: &[RuleFile<'_>], merchant: &[RuleFile<'_>]) -> String {
    let mut hash = Sha256::new();
    let layers = base.iter().map(|f| ("base", f));
    for (layer, file) in layers.chain(merchant.iter().map(|f| ("merchant", f))) {
        for part in [layer, file.name, file.text] {
            hash.update(part.len().to_le_bytes());
            hash.update(part.as_bytes());
        }
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

impl Parts {
    fn read(files: &[RuleFile<'_>]) -> Result<Self, LoadError> {
        let mut parts = Self::default();
        for file in files {
            parts.read_file(file)?;
        }
        Ok(parts)
    }

    fn read_file(&mut self, file: &RuleFile<'_>) -> Result<(), LoadError> {
        match file.name {
            "sources.json" => {
                let read: SourcesFile = json(file)?;
                self.last_checked = Some(read.as_of);
                self.sources.extend(read.sources);
            }
            "zones.csv" => self.zones.extend(csv_rows(file, zone)?),
            "tax_rates.csv" => self.tax_rates.extend(csv_rows(file, tax_rate)?),
            "special_territories.csv" => self.territories.extend(csv_rows(file, territory)?),
            "cash_rounding.csv" => self.cash_rounding.extend(csv_rows(file, cash_rounding)?),
            "fixed_euro.csv" => self.fixed_euro.extend(csv_rows(file, fixed_euro)?),
            "de_minimis.csv" => self.de_minimis.extend(csv_rows(file, de_minimis)?),
            "valuation.csv" => self.valuation.extend(csv_rows(file, valuation)?),
            "us_states.csv" => self.us_states.extend(csv_rows(file, us_state)?),
            "tariff.csv" => self.tariff.extend(csv_rows(file, tariff)?),
            "rounding.csv" => self.rounding.extend(csv_rows(file, rounding)?),
            "id_formats.json" => {
                for row in json::<Vec<IdFormatFile>>(file)? {
                    self.id_formats.push(row.build(file)?);
                }
            }
            "documents.json" => {
                let rows: Vec<DocumentFile> = json(file)?;
                self.documents.extend(rows.into_iter().map(DocumentFile::build));
            }
            "dangerous_goods.json" => {
                let rows: Vec<DangerousFile> = json(file)?;
                self.dangerous_goods.extend(rows.into_iter().map(DangerousFile::build));
            }
            "restrictions.json" => {
                let rows: Vec<RestrictionFile> = json(file)?;
                self.restrictions.extend(rows.into_iter().map(RestrictionFile::build));
            }
            "description_words.json" => self.description_words.extend(json::<Vec<String>>(file)?),
            "programs.json" => {
                let rows: Vec<ProgramFile> = json(file)?;
                self.programs.extend(rows.into_iter().map(ProgramFile::build));
            }
            "rules.json" => {
                let rows: Vec<RuleRow> = json(file)?;
                self.rules.extend(rows.into_iter().map(RuleRow::build));
            }
            other => {
                return Err(LoadError::UnknownFile { file: other.to_owned(), known: RuleFile::names().collect::<Vec<_>>().join(", ") });
            }
        }
        Ok(())
    }
}

fn json<T: DeserializeOwned>(file: &RuleFile<'_>) -> Result<T, LoadError> {
    serde_json::from_str(file.text).map_err(|e| LoadError::BadFile { file: file.name.to_owned(), what: e.to_string() })
}

/// One CSV line under its header; remembers which columns were read so that a misspelt one is noticed.
struct Row<'a> {
    file: &'a str,
    line: u64,
    cells: BTreeMap<&'a str, &'a str>,
    read: BTreeSet<&'static str>,
}

impl<'a> Row<'a> {
    fn bad(&self, column: &str, what: impl std::fmt::Display) -> LoadError {
        LoadError::BadFile { file: self.file.to_owned(), what: format!("line {}, column {column}: {what}", self.line) }
    }

    fn optional(&mut self, column: &'static str) -> &'a str {
        self.read.insert(column);
        self.cells.get(column).copied().unwrap_or_default().trim()
    }

    fn text(&mut self, column: &'static str) -> Result<&'a str, LoadError> {
        match self.optional(column) {
            "" => Err(self.bad(column, "is empty or missing")),
            text => Ok(text),
        }
    }

    fn date(&mut self, column: &'static str) -> Result<Option<Date>, LoadError> {
        match self.optional(column) {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| self.bad(column, format!("\"{text}\" is not a date YYYY-MM-DD"))),
        }
    }

    fn decimal(&mut self, column: &'static str) -> Result<Option<Decimal>, LoadError> {
        match self.optional(column) {
            "" => Ok(None),
            text => decimal_from_text(text).map(Some).map_err(|e| self.bad(column, e)),
        }
    }

    fn number(&mut self, column: &'static str) -> Result<Decimal, LoadError> {
        self.decimal(column)?.ok_or_else(|| self.bad(column, "is empty"))
    }

    /// A value of a closed set, by its written name.
    fn named<T: DeserializeOwned>(&mut self, column: &'static str) -> Result<Option<T>, LoadError> {
        match self.optional(column) {
            "" => Ok(None),
            text => serde_json::from_value(serde_json::Value::String(text.to_owned())).map(Some).map_err(|e| self.bad(column, e)),
        }
    }

    fn yes(&mut self, column: &'static str) -> Result<bool, LoadError> {
        match self.text(column)? {
            "yes" => Ok(true),
            "no" => Ok(false),
            other => Err(self.bad(column, format!("\"{other}\" is neither yes nor no"))),
        }
    }

    fn list(&mut self, column: &'static str) -> Vec<String> {
        let text = self.optional(column);
        text.split(';').filter(|s| !s.is_empty()).map(str::to_owned).collect()
    }

    fn period(&mut self) -> Result<Period, LoadError> {
        Ok(Period { valid_from: self.date("valid_from")?, valid_to: self.date("valid_to")? })
    }

    fn known(&mut self) -> Result<Known, LoadError> {
        Ok(Known { recorded_on: self.date("recorded_on")?, retracted_on: self.date("retracted_on")? })
    }

    fn cite(&mut self, key: &str, period: Period) -> Result<std::sync::Arc<super::Citation>, LoadError> {
        let mark: Option<Verification> = self.named("verification")?;
        let mark = mark.ok_or_else(|| self.bad("verification", "is empty"))?;
        let sources = self.optional("sources");
        let table = self.file.split('.').next().unwrap_or_default();
        let since = period.valid_from.map(|d| format!(" since {d}")).unwrap_or_default();
        Ok(cite(format!("{table}: {key}{since}"), period, mark, sources, ""))
    }
}

fn csv_rows<T>(file: &RuleFile<'_>, build: impl Fn(&mut Row<'_>) -> Result<T, LoadError>) -> Result<Vec<T>, LoadError> {
    let bad = |what: String| LoadError::BadFile { file: file.name.to_owned(), what };
    let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(file.text.as_bytes());
    let header = reader.headers().map_err(|e| bad(e.to_string()))?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| bad(e.to_string()))?;
        let mut row = Row {
            file: file.name,
            line: record.position().map_or(0, csv::Position::line),
            cells: header.iter().zip(record.iter()).collect(),
            // Free text beside the facts, read by people.
            read: BTreeSet::from(["note"]),
        };
        rows.push(build(&mut row)?);
        if let Some(column) = header.iter().find(|c| !row.read.contains(c)) {
            return Err(row.bad(column, "is not a column of this file"));
        }
    }
    Ok(rows)
}

fn zone(row: &mut Row<'_>) -> Result<ZoneMember, LoadError> {
    let (zone, country) = (row.text("zone")?.to_owned(), row.text("country")?.to_owned());
    let period = row.period()?;
    let taxed_as = match row.optional("taxed_as") {
        "" => country.clone(),
        other => other.to_owned(),
    };
    Ok(ZoneMember { taxed_as, period, known: row.known()?, cite: row.cite(&format!("{zone} {country}"), period)?, zone, country })
}

fn tax_rate(row: &mut Row<'_>) -> Result<TaxRate, LoadError> {
    let jurisdiction = row.text("jurisdiction")?.to_owned();
    let tax = row.text("tax")?.to_owned();
    let category = row.text("category")?.to_owned();
    let rate = row.number("rate")?;
    if rate < Decimal::ZERO || rate > Decimal::ONE {
        return Err(row.bad("rate", format!("{rate} is not a fraction: write 19 % as 0.19")));
    }
    let period = row.period()?;
    Ok(TaxRate {
        cite: row.cite(&format!("{jurisdiction} {tax} {category}"), period)?,
        known: row.known()?,
        jurisdiction,
        tax,
        category,
        rate,
        period,
    })
}

fn territory(row: &mut Row<'_>) -> Result<Territory, LoadError> {
    let code = row.text("code")?.to_owned();
    Ok(Territory {
        country: row.text("country")?.to_owned(),
        name: row.text("name")?.to_owned(),
        in_vat_area: row.yes("in_eu_vat_area")?,
        in_customs_union: row.yes("in_eu_customs_union")?,
        cite: row.cite(&code, Period::default())?,
        code,
    })
}

fn cash_rounding(row: &mut Row<'_>) -> Result<CashRounding, LoadError> {
    let country = row.text("country")?.to_owned();
    let since = Period { valid_from: row.date("since")?, valid_to: None };
    let increment = row.number("increment_minor")?;
    let increment_minor = i64::try_from(increment.mantissa()).unwrap_or(0);
    if increment.scale() != 0 || increment_minor <= 0 {
        return Err(row.bad("increment_minor", "must be a whole number above zero"));
    }
    let tie = match row.text("tie")? {
        "merchant_choice" => None,
        name => Some(RoundingMode::from_name(name).ok_or_else(|| row.bad("tie", format!("\"{name}\" is not a rounding mode")))?),
    };
    Ok(CashRounding { ccy: row.text("ccy")?.to_owned(), increment_minor, tie, cite: row.cite(&country, since)?, country })
}

fn fixed_euro(row: &mut Row<'_>) -> Result<FixedEuro, LoadError> {
    let code = row.text("ccy")?.to_owned();
    let euro_from = row.date("euro_from")?;
    row.cite(&code, Period::default())?;
    Ok(FixedEuro {
        units_per_eur: row.number("units_per_eur")?,
        euro_from: euro_from.ok_or_else(|| row.bad("euro_from", "is empty"))?,
        exponent: row.text("minor_units")?.parse().map_err(|_| row.bad("minor_units", "is not a small number"))?,
        code,
    })
}

fn de_minimis(row: &mut Row<'_>) -> Result<DeMinimis, LoadError> {
    let destination = row.text("destination")?.to_owned();
    let period = row.period()?;
    let basis = row.text("basis")?.to_owned();
    if !matches!(basis.as_str(), "goods" | "cif" | "tax") {
        return Err(row.bad("basis", "must be goods, cif or tax"));
    }
    Ok(DeMinimis {
        from: row.list("from"),
        mode: row.optional("mode").to_owned(),
        duty_free_up_to: row.decimal("duty_free_up_to")?,
        duty_ccy: row.optional("duty_ccy").to_owned(),
        tax_free_up_to: row.decimal("tax_free_up_to")?,
        tax_ccy: row.optional("tax_ccy").to_owned(),
        basis,
        known: row.known()?,
        cite: row.cite(&destination, period)?,
        period,
        destination,
    })
}

fn valuation(row: &mut Row<'_>) -> Result<Valuation, LoadError> {
    let destination = row.text("destination")?.to_owned();
    let duty_base = row.named("duty_base")?;
    let tax_base = row.named("tax_base")?;
    Ok(Valuation {
        duty_base: duty_base.ok_or_else(|| row.bad("duty_base", "is empty"))?,
        tax_base: tax_base.ok_or_else(|| row.bad("tax_base", "is empty"))?,
        cite: row.cite(&destination, Period::default())?,
        destination,
    })
}

fn tariff(row: &mut Row<'_>) -> Result<Tariff, LoadError> {
    let destination = row.text("destination")?.to_owned();
    let hs = row.text("hs")?.to_owned();
    if !hs.bytes().all(|b| b.is_ascii_digit()) {
        return Err(row.bad("hs", "must be digits only"));
    }
    let origin = row.optional("origin").to_owned();
    let period = row.period()?;
    Ok(Tariff {
        rate: row.number("rate")?,
        known: row.known()?,
        cite: row.cite(&format!("{destination} {hs} {origin}"), period)?,
        destination,
        hs,
        origin,
        period,
    })
}

fn us_state(row: &mut Row<'_>) -> Result<UsState, LoadError> {
    let state = row.text("state")?.to_owned();
    let percent = row.number("state_rate_percent")?;
    let transactions = row.optional("nexus_transactions");
    let intrastate = row.named("intrastate_sourcing")?;
    let since = Period { valid_from: row.date("as_known_from")?, valid_to: None };
    Ok(UsState {
        state_rate: percent * Decimal::new(1, 2),
        intrastate: intrastate.ok_or_else(|| row.bad("intrastate_sourcing", "is empty"))?,
        nexus_sales_usd: row.decimal("nexus_sales_usd")?,
        nexus_transactions: match transactions {
            "" => None,
            text => Some(text.parse().map_err(|_| row.bad("nexus_transactions", "is not a number"))?),
        },
        nexus_logic: row.named("nexus_logic")?,
        cite: row.cite(&format!("US-{state}"), since)?,
        state,
    })
}

fn rounding(row: &mut Row<'_>) -> Result<RoundingRule, LoadError> {
    let jurisdiction = row.text("jurisdiction")?.to_owned();
    let (level, mode) = (row.named("level")?, row.named("mode")?);
    let inclusive = row.named("inclusive_round")?;
    Ok(RoundingRule {
        level: level.ok_or_else(|| row.bad("level", "is empty"))?,
        mode: mode.ok_or_else(|| row.bad("mode", "is empty"))?,
        increment_minor: row.text("increment_minor")?.parse().map_err(|_| row.bad("increment_minor", "is not a whole number"))?,
        increment_ccy: row.optional("increment_ccy").to_owned(),
        inclusive_round: inclusive.ok_or_else(|| row.bad("inclusive_round", "is empty"))?,
        cite: row.cite(&jurisdiction, Period::default())?,
        jurisdiction,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SourcesFile {
    as_of: Date,
    sources: Vec<Source>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IdFormatFile {
    scheme: String,
    country: String,
    pattern: String,
    check: crate::ids::Check,
    verification: Verification,
    #[serde(default)]
    sources: Vec<String>,
}

impl IdFormatFile {
    fn build(self, file: &RuleFile<'_>) -> Result<IdFormat, LoadError> {
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
struct DocumentFile {
    id: String,
    fields: Vec<String>,
    #[serde(default)]
    from_date: BTreeMap<String, Date>,
    verification: Verification,
    #[serde(default)]
    sources: Vec<String>,
}

impl DocumentFile {
    fn build(self) -> DocumentFields {
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
struct DangerousFile {
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
    fn build(self) -> DangerousGoods {
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
struct RestrictionFile {
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
    fn build(self) -> Restriction {
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
struct ProgramFile {
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
    fn build(self) -> Program {
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
struct RuleRow {
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
    fn build(self) -> Rule {
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
