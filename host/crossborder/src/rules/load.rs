//! Reading the files of a rule set into rows. Unknown files, columns and keys are refused by name.

use jiff::civil::Date;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::csv_rows::{
    cash_rounding, csv_rows, de_minimis, fixed_euro, place, rounding, tariff, tax_rate, territory, us_state, valuation, zone,
};
use super::json_rows::{DangerousFile, DocumentFile, IdFormatFile, ProgramFile, RestrictionFile, RuleRow, SourcesFile};
use super::record::Source;
use super::tables::*;
use super::{LoadError, RuleSet, builtin, checks, merge};
use crate::fx::FixedEuro;

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
    pub places: Vec<Place>,
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
            "places.csv" => self.places.extend(csv_rows(file, place)?),
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
