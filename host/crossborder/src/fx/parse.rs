//! Readers for the published layouts: ECB history as CSV, ECB daily and 90-day files as XML, and
//! openexchangerates JSON. Rates are read as decimal text and never pass through a float.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Error, RateKind, RateTable};
use crate::money::{Currency, Decimal, decimal_from_text};

fn bad(line: usize, what: impl Into<String>) -> Error {
    Error::BadFile { line, what: what.into() }
}

fn date(text: &str, line: usize) -> Result<Date, Error> {
    text.parse().map_err(|_| bad(line, format!("\"{text}\" is not a date of the form YYYY-MM-DD")))
}

fn rate(text: &str, line: usize) -> Result<Decimal, Error> {
    decimal_from_text(text).map_err(|_| bad(line, format!("\"{text}\" is not a plain decimal rate")))
}

impl RateTable {
    fn ecb() -> Result<Self, Error> {
        let euro = Currency::from_code("EUR")?;
        Ok(Self::new("ECB reference rates", RateKind::Mid, euro))
    }

    /// The ECB history layout: a header `date,USD,JPY,...` and one line per publication day. An empty cell or
    /// `N/A` is a hole.
    pub fn from_ecb_csv(text: &str) -> Result<Self, Error> {
        let mut table = Self::ecb()?;
        let mut lines = text.trim_start_matches('\u{feff}').lines().zip(1..);
        let (header, _) = lines.next().ok_or_else(|| bad(1, "the file is empty"))?;
        let columns: Vec<&str> = header.split(',').map(str::trim).collect();
        if !columns[0].eq_ignore_ascii_case("date") {
            return Err(bad(1, "the first column must be \"date\""));
        }
        for (line, number) in lines {
            if line.trim().is_empty() {
                continue;
            }
            let mut cells = line.split(',').map(str::trim);
            let day = date(cells.next().unwrap_or_default(), number)?;
            for (index, cell) in cells.enumerate() {
                if cell.is_empty() || cell == "N/A" {
                    continue;
                }
                let column = columns
                    .get(index + 1)
                    .filter(|c| !c.is_empty())
                    .ok_or_else(|| bad(number, "more values than the header has currencies"))?;
                table.insert(day, column, rate(cell, number)?).map_err(|e| at_line(e, number))?;
            }
        }
        Ok(table)
    }

    /// The ECB envelope, one day or many: `Cube[@time]` holding `Cube[@currency, @rate]`.
    pub fn from_ecb_xml(text: &str) -> Result<Self, Error> {
        let mut table = Self::ecb()?;
        let mut day = None;
        let mut rest = text;
        while let Some(start) = rest.find('<') {
            let number = text[..text.len() - rest.len() + start].lines().count().max(1);
            rest = &rest[start + 1..];
            let end = rest.find('>').ok_or_else(|| bad(number, "a tag is not closed"))?;
            let tag = &rest[..end];
            rest = &rest[end + 1..];
            let name = tag.split_whitespace().next().unwrap_or_default();
            let local = name.rsplit(':').next().unwrap_or_default();
            if local.trim_end_matches('/') != "Cube" || name.starts_with('/') {
                continue;
            }
            let attributes = attributes(tag, number)?;
            if let Some(time) = attributes.get("time") {
                day = Some(date(time, number)?);
            }
            if let Some(currency) = attributes.get("currency") {
                let value = attributes.get("rate").ok_or_else(|| bad(number, format!("{currency} has no rate attribute")))?;
                let day = day.ok_or_else(|| bad(number, "a rate comes before any time attribute"))?;
                table.insert(day, currency, rate(value, number)?).map_err(|e| at_line(e, number))?;
            }
        }
        if table.is_empty() {
            return Err(bad(1, "no Cube with a time and rates was found: is this the ECB file?"));
        }
        Ok(table)
    }

    /// openexchangerates `latest.json` or a historical file: a Unix `timestamp`, a `base` and a map of rates.
    pub fn from_openexchangerates_json(text: &str) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct File<'a> {
            timestamp: i64,
            base: String,
            #[serde(borrow)]
            rates: BTreeMap<String, &'a RawValue>,
        }
        let file: File<'_> = serde_json::from_str(text).map_err(|e| bad(e.line(), e.to_string()))?;
        let day = jiff::Timestamp::from_second(file.timestamp)
            .map_err(|_| bad(1, format!("timestamp {} is out of range", file.timestamp)))?
            .to_zoned(jiff::tz::TimeZone::UTC)
            .date();
        let base = Currency::from_code(&file.base)?;
        let mut table = Self::new("openexchangerates", RateKind::Mid, base);
        for (currency, value) in &file.rates {
            if *currency == file.base {
                continue;
            }
            let value = Decimal::from_scientific(value.get())
                .or_else(|_| decimal_from_text(value.get()))
                .map_err(|_| bad(1, format!("{currency}: \"{}\" is not a number", value.get())))?;
            table.insert(day, currency, value)?;
        }
        Ok(table)
    }
}

fn at_line(error: Error, line: usize) -> Error {
    match error {
        Error::BadFile { what, .. } => Error::BadFile { line, what },
        other => other,
    }
}

/// `name='value'` or `name="value"` pairs of one tag.
fn attributes(tag: &str, line: usize) -> Result<BTreeMap<&str, &str>, Error> {
    let mut found = BTreeMap::new();
    let mut rest = tag;
    while let Some(equals) = rest.find('=') {
        let name = rest[..equals].split_whitespace().next_back().unwrap_or_default();
        let after = rest[equals + 1..].trim_start();
        let quote = after.chars().next().filter(|c| *c == '"' || *c == '\'');
        let quote = quote.ok_or_else(|| bad(line, format!("attribute {name} has no quotes")))?;
        let value = &after[1..];
        let end = value.find(quote).ok_or_else(|| bad(line, format!("attribute {name} is not closed")))?;
        found.insert(name, &value[..end]);
        rest = &value[end + 1..];
    }
    Ok(found)
}

impl RateTable {
    /// The ECB rates known when this was built (2024 on, and a few earlier windows): for a first start without
    /// a network.
    pub fn embedded() -> Result<Self, Error> {
        Self::from_ecb_csv(include_str!("../../data/fx/ecb_reference_rates.csv"))
    }
}
