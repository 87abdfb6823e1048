//! The rows of the CSV files. Every row knows its file and line, and a column nobody reads is refused.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::de::DeserializeOwned;

use super::record::{Known, Period, Verification, cite};
use super::tables::*;
use super::{LoadError, RuleFile};
use crate::fx::FixedEuro;
use crate::money::{Decimal, RoundingMode, decimal_from_text};

/// One CSV line under its header; remembers which columns were read so that a misspelt one is noticed.
pub(super) struct Row<'a> {
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

pub(super) fn csv_rows<T>(file: &RuleFile<'_>, build: impl Fn(&mut Row<'_>) -> Result<T, LoadError>) -> Result<Vec<T>, LoadError> {
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

pub(super) fn zone(row: &mut Row<'_>) -> Result<ZoneMember, LoadError> {
    let (zone, country) = (row.text("zone")?.to_owned(), row.text("country")?.to_owned());
    let period = row.period()?;
    let taxed_as = match row.optional("taxed_as") {
        "" => country.clone(),
        other => other.to_owned(),
    };
    Ok(ZoneMember { taxed_as, period, known: row.known()?, cite: row.cite(&format!("{zone} {country}"), period)?, zone, country })
}

pub(super) fn tax_rate(row: &mut Row<'_>) -> Result<TaxRate, LoadError> {
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

pub(super) fn territory(row: &mut Row<'_>) -> Result<Territory, LoadError> {
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

pub(super) fn place(row: &mut Row<'_>) -> Result<Place, LoadError> {
    let country = row.text("country")?.to_owned();
    let (region, postal) = (row.optional("region").to_owned(), row.optional("postal").to_owned());
    Ok(Place {
        is_country: row.text("is_country")?.to_owned(),
        is_region: row.optional("is_region").to_owned(),
        cite: row.cite([&country, &region, &postal].map(String::as_str).join(" ").trim(), Period::default())?,
        country,
        region,
        postal,
    })
}

pub(super) fn cash_rounding(row: &mut Row<'_>) -> Result<CashRounding, LoadError> {
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

pub(super) fn fixed_euro(row: &mut Row<'_>) -> Result<FixedEuro, LoadError> {
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

pub(super) fn de_minimis(row: &mut Row<'_>) -> Result<DeMinimis, LoadError> {
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

pub(super) fn valuation(row: &mut Row<'_>) -> Result<Valuation, LoadError> {
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

pub(super) fn tariff(row: &mut Row<'_>) -> Result<Tariff, LoadError> {
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

pub(super) fn us_state(row: &mut Row<'_>) -> Result<UsState, LoadError> {
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

pub(super) fn rounding(row: &mut Row<'_>) -> Result<RoundingRule, LoadError> {
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
