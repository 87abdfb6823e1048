//! The envelope, read tag by tag. Nothing of XML is needed but tags and their attributes.

use entrepot_documents::instant;
use entrepot_sdk::types::Failure;

use super::{Days, unreadable};

pub fn from_xml(text: &str) -> Result<Days, Failure> {
    let bad = |why: String| unreadable("table", why);
    let mut found = Days::default();
    let mut day = None;
    for piece in text.split('<').skip(1) {
        let Some((tag, _)) = piece.split_once('>') else {
            return Err(bad("it ends inside a tag".to_owned()));
        };
        let name = tag.split(|c: char| c.is_whitespace() || c == '/').next().unwrap_or_default();
        if name.rsplit(':').next() != Some("Cube") {
            continue;
        }
        if let Some(time) = attribute(tag, "time") {
            day = Some(instant::parse_day(time).ok_or_else(|| bad(format!("its day \"{time}\" is not a date")))?);
        }
        if let Some(currency) = attribute(tag, "currency") {
            let day = day.ok_or_else(|| bad(format!("the rate of {currency} stands before any day")))?;
            match attribute(tag, "rate") {
                Some("" | "N/A") | None => {}
                Some(rate) => found.put(day, currency, rate),
            }
        }
    }
    match found.days.is_empty() {
        true => Err(bad("it holds no rate that can be read".to_owned())),
        false => Ok(found.sorted()),
    }
}

/// The value of ` name='…'` or ` name="…"`.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = tag;
    loop {
        let at = rest.find(name)?;
        let (before, from) = rest.split_at(at);
        let after = from.get(name.len()..)?;
        let value = after.trim_start().strip_prefix('=').map(str::trim_start);
        if before.ends_with(char::is_whitespace)
            && let Some(value) = value
        {
            let quote = value.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
            return value.get(1..)?.split_once(quote).map(|(value, _)| value.trim());
        }
        rest = after;
    }
}
