//! Which file answers which question.
//!
//! The cursor is the newest day that was taken; while the history is being read it is `history/DAY`. The newest table alone
//! is enough as long as no day can have been missed. After a longer pause (every weekend is one) the last 90 days are read
//! whole, so that corrections of days we have come along; after more than that, the history.

use entrepot_documents::instant;
use entrepot_sdk::http::{Payload, Request, Response};
use entrepot_sdk::rates_in::RatePage;
use entrepot_sdk::types::{Account, Failure};

use crate::requests;
use crate::settings::{History, Settings};
use crate::translate::{self, Days, SOURCE};

/// What the connector needs of the hub.
pub trait Hub {
    fn send(&self, request: Request) -> Result<Response, Failure>;
    /// A line in the merchant's activity log.
    fn warn(&self, message: &str);
}

/// The newest table can be had: there is nothing else to prove.
pub fn check(hub: &dyn Hub, settings: &Settings) -> Result<Account, Failure> {
    daily(hub, settings)?;
    Ok(Account {
        external_id: "ecb".to_owned(),
        name: "European Central Bank".to_owned(),
        currency: Some(translate::BASE.to_owned()),
        country: None,
        time_zone: Some("Europe/Berlin".to_owned()),
        scopes: Vec::new(),
        extras: Vec::new(),
    })
}

/// Where reading goes on.
enum Start {
    Beginning,
    /// Behind this day of the history.
    History(i64),
    /// The newest day that was taken.
    Day(i64),
}

fn start(cursor: Option<&str>) -> Result<Start, Failure> {
    let Some(cursor) = cursor else { return Ok(Start::Beginning) };
    let (history, text) = cursor.strip_prefix("history/").map_or((false, cursor), |text| (true, text));
    let bad = || Failure::invalid(format!("\"{cursor}\" is not a cursor of this connector")).with_code("cursor");
    let day = instant::parse_day(text).ok_or_else(bad)?;
    Ok(if history { Start::History(day) } else { Start::Day(day) })
}

pub fn pull(hub: &dyn Hub, settings: &Settings, cursor: Option<&str>, limit: u32) -> Result<RatePage, Failure> {
    match (start(cursor)?, settings.history) {
        (Start::Beginning, History::All) => history(hub, settings, i64::MIN, limit),
        (Start::Beginning, History::NinetyDays) => Ok(whole(ninety_days(hub, settings)?, i64::MIN)),
        (Start::Beginning, History::None) => Ok(whole(daily(hub, settings)?, i64::MIN)),
        (Start::History(after), _) => history(hub, settings, after, limit),
        (Start::Day(newest), _) => since(hub, settings, newest, limit),
    }
}

fn since(hub: &dyn Hub, settings: &Settings, newest: i64, limit: u32) -> Result<RatePage, Failure> {
    let table = daily(hub, settings)?;
    if table.last().is_none_or(|day| day <= newest + 1) {
        return Ok(whole(table, newest));
    }
    let recent = ninety_days(hub, settings)?;
    if recent.first().is_some_and(|first| first <= newest + 1) {
        return Ok(whole(recent, newest));
    }
    hub.warn("nothing was read for more than 90 days; the missing days are taken from the history");
    history(hub, settings, newest, limit)
}

fn daily(hub: &dyn Hub, settings: &Settings) -> Result<Days, Failure> {
    translate::from_xml(hub.send(requests::daily(settings))?.success()?.text())
}

fn ninety_days(hub: &dyn Hub, settings: &Settings) -> Result<Days, Failure> {
    translate::from_xml(hub.send(requests::ninety_days(settings))?.success()?.text())
}

/// All of a short file. `newest`: never goes back, whatever the file holds.
fn whole(file: Days, newest: i64) -> RatePage {
    let newest = file.last().map_or(newest, |last| last.max(newest));
    page(file.days.iter().map(translate::publication).collect(), file.refused, instant::format_day(newest), false)
}

fn history(hub: &dyn Hub, settings: &Settings, after: i64, limit: u32) -> Result<RatePage, Failure> {
    let response = hub.send(requests::history(settings))?.success()?;
    let archive = match response.body() {
        Payload::Bytes(bytes) => translate::archive::text(bytes)?,
        _ => return Err(Failure::remote("The ECB's archive of all tables came without content.").with_code("unreadable-file")),
    };
    let mut file = translate::from_csv(&archive)?;
    let (mut publications, mut values) = (Vec::new(), 0);
    let mut left = file.days.iter().filter(|day| day.day > after).peekable();
    let mut last = after;
    while let Some(day) = left.next_if(|_| values < limit) {
        values = values.saturating_add(u32::try_from(day.values.len()).unwrap_or(u32::MAX));
        last = day.day;
        publications.push(translate::publication(day));
    }
    let more = left.peek().is_some();
    // Refusals go with the first page, or each page would bring them again.
    let refused = if after == i64::MIN { std::mem::take(&mut file.refused) } else { Vec::new() };
    // The history is written later in the day than the newest table, so that one is asked for right after it.
    let cursor = if more { format!("history/{}", instant::format_day(last)) } else { instant::format_day(last) };
    Ok(page(publications, refused, cursor, true))
}

fn page(publications: Vec<entrepot_sdk::rates_in::Publication>, refused: Vec<(String, String)>, cursor: String, more: bool) -> RatePage {
    RatePage { source: SOURCE.to_owned(), publications, refused: translate::refusals(refused), cursor, more, extras: Vec::new() }
}
