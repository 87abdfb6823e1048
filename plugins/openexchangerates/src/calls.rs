//! Which documents make up a page.
//!
//! The cursor is the last day that is over and was taken. Days that are over come from their own documents; the day that is
//! not over yet comes from the newest one, and is taken again as a whole once it is over: what has changed by then is kept as a
//! correction. So a day's value never depends on when the hub happened to ask.

use entrepot_documents::instant;
use entrepot_sdk::http::{Request, Response};
use entrepot_sdk::rates_in::RatePage;
use entrepot_sdk::types::{Account, Failure};

use crate::requests;
use crate::settings::Settings;
use crate::translate::{self, Rates, SOURCE};

/// What the connector needs of the hub.
pub trait Hub {
    fn send_many(&self, requests: Vec<Request>) -> Vec<Result<Response, Failure>>;
    /// Seconds since 1970.
    fn now(&self) -> i64;
}

/// Days of one page: each is a request of the account's plan, and one that fails costs those after it.
const DAYS_AT_ONCE: i64 = 30;
/// The first day that the service has (docs, `/historical`).
const FIRST_DAY: i64 = 10_592;

/// The newest document can be had with this App ID.
pub fn check(hub: &dyn Hub, settings: &Settings) -> Result<Account, Failure> {
    let newest = ask(hub, vec![requests::latest(settings)]).into_iter().next();
    let response = newest.unwrap_or_else(|| Err(Failure::remote("The hub sent nothing.")))?;
    let rates = translate::rates(response.text(), None)?;
    Ok(Account {
        external_id: "openexchangerates".to_owned(),
        name: SOURCE.to_owned(),
        currency: Some(rates.base),
        country: None,
        time_zone: Some("UTC".to_owned()),
        scopes: Vec::new(),
        extras: Vec::new(),
    })
}

pub fn pull(hub: &dyn Hub, settings: &Settings, cursor: Option<&str>, limit: u32) -> Result<RatePage, Failure> {
    let yesterday = hub.now().div_euclid(86_400) - 1;
    let taken = match cursor {
        Some(cursor) => instant::parse_day(cursor)
            .ok_or_else(|| Failure::invalid(format!("\"{cursor}\" is not a cursor of this connector")).with_code("cursor"))?,
        None => settings.history_from.map_or(yesterday, |first| first.max(FIRST_DAY) - 1),
    };
    // Some two hundred values a day.
    let days = DAYS_AT_ONCE.min(i64::from(limit / 200).max(1));
    let last = yesterday.min(taken.saturating_add(days));
    let wanted: Vec<i64> = (taken.saturating_add(1)..=last).collect();
    let newest_too = last >= yesterday;
    let mut asked: Vec<Request> = wanted.iter().map(|day| requests::historical(settings, *day)).collect();
    asked.extend(newest_too.then(|| requests::latest(settings)));
    let mut page = Page::default();
    let mut reached = taken;
    for (day, answer) in wanted.iter().map(|day| Some(*day)).chain([None]).zip(ask(hub, asked)) {
        let read = answer.and_then(|response| translate::rates(response.text(), day));
        match read {
            Ok(rates) => {
                page.add(&rates);
                reached = day.unwrap_or(reached);
            }
            // What came before it is kept, and the next call begins here.
            Err(_) if !page.publications.is_empty() => return Ok(page.ending(reached, true)),
            Err(failure) => return Err(failure),
        }
    }
    Ok(page.ending(reached, !newest_too))
}

fn ask(hub: &dyn Hub, requests: Vec<Request>) -> Vec<Result<Response, Failure>> {
    hub.send_many(requests).into_iter().map(|answer| answer.and_then(translate::refused)).collect()
}

#[derive(Default)]
struct Page {
    publications: Vec<entrepot_sdk::rates_in::Publication>,
    refused: Vec<entrepot_sdk::rates_in::Refused>,
}

impl Page {
    fn add(&mut self, rates: &Rates) {
        self.publications.push(translate::publication(rates));
        self.refused.extend(translate::refusals(rates));
    }

    fn ending(self, reached: i64, more: bool) -> RatePage {
        RatePage {
            source: SOURCE.to_owned(),
            publications: self.publications,
            refused: self.refused,
            cursor: instant::format_day(reached),
            more,
            extras: Vec::new(),
        }
    }
}
