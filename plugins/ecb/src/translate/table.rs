//! The history: `Date,USD,JPY,…`, one line per day, newest first, every line ending in a comma.

use entrepot_documents::instant;
use entrepot_sdk::types::Failure;

use super::{Days, unreadable};

pub fn from_csv(text: &str) -> Result<Days, Failure> {
    let bad = |why: String| unreadable("history", why);
    let mut lines = text.trim_start_matches('\u{feff}').lines();
    let mut header = lines.next().unwrap_or_default().split(',').map(str::trim);
    if !header.next().unwrap_or_default().eq_ignore_ascii_case("date") {
        return Err(bad("its first line does not name the columns Date, USD and so on".to_owned()));
    }
    let currencies: Vec<&str> = header.collect();
    let mut found = Days::default();
    for (number, line) in (2..).zip(lines).filter(|(_, line)| !line.trim().is_empty()) {
        let mut cells = line.split(',').map(str::trim);
        let text = cells.next().unwrap_or_default();
        let day = instant::parse_day(text).ok_or_else(|| bad(format!("line {number} begins with \"{text}\", which is not a date")))?;
        for (at, cell) in cells.enumerate().filter(|(_, cell)| !matches!(*cell, "" | "N/A")) {
            let currency = currencies.get(at).copied().filter(|currency| !currency.is_empty());
            let currency = currency.ok_or_else(|| bad(format!("line {number} has more values than the first line has currencies")))?;
            found.put(day, currency, cell);
        }
    }
    match found.days.is_empty() {
        true => Err(bad("it holds no rate that can be read".to_owned())),
        false => Ok(found.sorted()),
    }
}
