//! Files of rates: the ECB's tables (CSV, XML), openexchangerates' JSON, and plain CSV of the merchant's own.
//!
//! Own files have the columns `date,base,quote,value` and, if wanted, `kind`; `value` is units of `quote` per one `base`. They
//! are taken whole or not at all: a wrong line is named and nothing is recorded.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::model::{self, OWN, Observation, SeriesKey};
use super::{Error, currency};
use crate::money::decimal_from_text;
use crate::sheet::Sheet;
use entrepot_crossborder::fx::{RateKind, RateTable};

/// What a file holds for one series.
#[derive(Debug)]
pub struct File {
    pub series: SeriesKey,
    pub title: String,
    pub observations: Vec<Observation>,
}

/// How the merchant's own rates are named.
pub const OWN_TITLE: &str = "own rates";

/// Tells the layouts apart by how the text begins. `source` replaces the name of the source that the layout stands for.
pub fn read(text: &str, source: Option<&str>) -> Result<Vec<File>, Error> {
    let files = of_any_layout(text, source)?;
    if files.iter().all(|file| file.observations.is_empty()) {
        return Err(Error::BadFile { line: 1, what: "the file holds no rates".into(), remedy: "give one with at least one value" });
    }
    Ok(files)
}

fn of_any_layout(text: &str, source: Option<&str>) -> Result<Vec<File>, Error> {
    let start = text.trim_start_matches('\u{feff}').trim_start();
    let published = |table: RateTable, name: &str| -> Result<Vec<File>, Error> {
        let base = table.base();
        let series = SeriesKey { source: source.unwrap_or(name).to_owned(), kind: table.kind(), base: currency(base)? };
        let observations = table.rows().map(|(day, quote, value)| Observation { quote: quote.into(), value, published_on: day }).collect();
        Ok(vec![File { series, title: table.source().to_owned(), observations }])
    };
    if start.starts_with('<') {
        return published(RateTable::from_ecb_xml(text)?, "ecb");
    }
    if start.starts_with('{') {
        return published(RateTable::from_openexchangerates_json(text)?, "openexchangerates");
    }
    let sheet = Sheet::open(text.as_bytes())?;
    // One column per currency; the ECB ends its lines with a comma.
    match sheet.columns() {
        [first, rest @ ..] if first == "date" && rest.iter().all(|column| matches!(column.len(), 0 | 3)) => {
            published(RateTable::from_ecb_csv(text)?, "ecb")
        }
        _ => own(sheet, source.unwrap_or(OWN)),
    }
}

fn own(mut sheet: Sheet<&[u8]>, source: &str) -> Result<Vec<File>, Error> {
    let place = |name: &str| sheet.columns().iter().position(|column| column == name);
    let needed = |name: &'static str| {
        place(name).ok_or_else(|| Error::BadFile {
            line: 1,
            what: format!("there is no column `{name}`"),
            remedy: "name the columns date, base, quote, value and, if wanted, kind",
        })
    };
    let (date_at, base_at, quote_at, value_at) = (needed("date")?, needed("base")?, needed("quote")?, needed("value")?);
    let kind_at = place("kind");
    let mut files: BTreeMap<String, File> = BTreeMap::new();
    while let Some(row) = sheet.next_row()? {
        let row = row.map_err(|bad| Error::BadFile { line: bad.line, what: bad.what, remedy: bad.remedy })?;
        let cell = |at: usize| row.cells.get(at).map_or("", String::as_str);
        let wrong = |what: String, remedy| Error::BadFile { line: row.line, what, remedy };
        let said = |error: Error| wrong(error.to_string(), "correct the line and import the file again");
        let published_on: Date =
            cell(date_at).parse().map_err(|_| wrong(format!("`{}` is not a day", cell(date_at)), "write days as 2026-01-31"))?;
        let value = decimal_from_text(cell(value_at))
            .map_err(|_| wrong(format!("`{}` is not a plain decimal", cell(value_at)), "write 1.0735, with a point and no separators"))?;
        let kind = match kind_at.map(cell).unwrap_or_default() {
            "" => RateKind::Fixed,
            text => model::parse_kind(text).map_err(said)?,
        };
        let series = SeriesKey { source: source.to_owned(), kind, base: currency(cell(base_at)).map_err(said)? };
        let observation = Observation { quote: cell(quote_at).to_owned(), value, published_on };
        model::checked(&series, std::slice::from_ref(&observation)).map_err(said)?;
        let file = files.entry(series.to_string()).or_insert(File { series, title: OWN_TITLE.into(), observations: Vec::new() });
        file.observations.push(observation);
    }
    Ok(files.into_values().collect())
}
