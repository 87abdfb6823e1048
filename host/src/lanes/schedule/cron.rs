//! Cron expressions read in a merchant's zone. Pure: the next fire is a function of expression, zone and instant.
//!
//! Five fields (minute, hour, day of month, month, day of week), or six with seconds in front, or seven with the year at the
//! end. Sunday is 0, 7 or `SUN`. When day of month and day of week are both given, either may match, as in crontab.
//!
//! A fire belongs to a local date and time. One that a spring change skips happens at the first instant after the gap, and
//! all that the gap skips happen there together, once. One that an autumn change repeats happens the first time only.

use cron::TimeUnitSpec;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan};

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    #[error("`{text}` is not a cron expression: {why}; write five fields such as `*/15 * * * *` or `30 6 * * MON-FRI`")]
    Expression { text: String, why: String },
    #[error("`{0}` is not a time zone; write an IANA name such as `Europe/Berlin` or `UTC`")]
    Zone(String),
}

/// A parsed expression.
#[derive(Clone, Debug)]
pub struct Cron {
    fields: cron::Schedule,
    either_day: bool,
}

/// When an expression fires, and the local date and time that names the fire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fire {
    pub at_ms: i64,
    pub local: String,
}

pub fn zone(name: &str) -> Result<TimeZone, Error> {
    TimeZone::get(name).map_err(|_| Error::Zone(name.to_owned()))
}

/// The first fire after `after_ms`; `None` when there is none before the year 2100.
pub fn next_fire(expression: &str, zone_name: &str, after_ms: i64) -> Result<Option<Fire>, Error> {
    Ok(Cron::parse(expression)?.next_fire(&zone(zone_name)?, after_ms))
}

const SHORTHANDS: [(&str, &str); 6] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

impl Cron {
    pub fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |why: String| Error::Expression { text: text.to_owned(), why };
        let long = SHORTHANDS.iter().find(|(short, _)| text.trim().eq_ignore_ascii_case(short)).map_or(text, |(_, long)| long);
        let fields: Vec<&str> = long.split_whitespace().collect();
        let (seconds, rest, years) = match fields.as_slice() {
            rest @ [_, _, _, _, _] => ("0", rest, "*"),
            [seconds, rest @ ..] if rest.len() == 5 => (*seconds, rest, "*"),
            [seconds, rest @ .., years] if rest.len() == 5 => (*seconds, rest, *years),
            other => return Err(wrong(format!("it has {} fields", other.len()))),
        };
        let [minutes, hours, month_days, months, week_days] = *rest else { return Err(wrong("fields are missing".into())) };
        let week_days_from_one = week_days_from_one(week_days).map_err(wrong)?;
        let whole = format!("{seconds} {minutes} {hours} {month_days} {months} {week_days_from_one} {years}");
        let fields: cron::Schedule =
            whole.parse().map_err(|_| wrong("a field is out of range or not written as numbers, names, `*`, `-`, `/` and `,`".into()))?;
        let starred = |field: &str| field.starts_with(['*', '?']);
        let parsed = Self { fields, either_day: !starred(month_days) && !starred(week_days) };
        if parsed.dates_from(Date::constant(1970, 1, 1)).next().is_none() {
            return Err(wrong("no day ever matches".into()));
        }
        Ok(parsed)
    }

    pub fn next_fire(&self, zone: &TimeZone, after_ms: i64) -> Option<Fire> {
        let after = Timestamp::from_millisecond(after_ms).ok()?;
        let from = zone.to_datetime(after);
        // Local time maps to instants in order, so the first match that lies later is the next one.
        self.times_from(from.with().subsec_nanosecond(0).build().ok()?).find_map(|local| {
            let at = instant(zone, local)?;
            (at > after).then(|| Fire { at_ms: at.as_millisecond(), local: local.to_string() })
        })
    }

    fn times_from(&self, from: DateTime) -> impl Iterator<Item = DateTime> + '_ {
        self.dates_from(from.date()).flat_map(move |date| {
            let hours = self.fields.hours().iter();
            hours
                .flat_map(move |hour| {
                    self.fields.minutes().iter().flat_map(move |minute| {
                        let seconds = self.fields.seconds().iter();
                        seconds.filter_map(move |second| {
                            DateTime::new(date.year(), date.month(), date.day(), small(hour)?, small(minute)?, small(second)?, 0).ok()
                        })
                    })
                })
                .filter(move |local| *local >= from)
        })
    }

    fn dates_from(&self, from: Date) -> impl Iterator<Item = Date> + '_ {
        let months_from = from.first_of_month().series(1.month());
        months_from
            .take_while(|first| first.year() <= 2100)
            .filter(|first| includes(self.fields.years(), first.year()) && includes(self.fields.months(), first.month()))
            .flat_map(|first| (1..=first.days_in_month()).filter_map(move |day| Date::new(first.year(), first.month(), day).ok()))
            .filter(move |date| *date >= from && self.day_matches(*date))
    }

    fn day_matches(&self, date: Date) -> bool {
        let of_month = includes(self.fields.days_of_month(), date.day());
        let of_week = includes(self.fields.days_of_week(), date.weekday().to_sunday_one_offset());
        if self.either_day { of_month || of_week } else { of_month && of_week }
    }
}

fn includes(field: &impl TimeUnitSpec, value: impl Into<i64>) -> bool {
    u32::try_from(value.into()).is_ok_and(|value| field.includes(value))
}

fn small(value: u32) -> Option<i8> {
    i8::try_from(value).ok()
}

fn instant(zone: &TimeZone, local: DateTime) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).ok(),
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(local).ok(),
        AmbiguousOffset::Gap { before, .. } => {
            // Read with the old offset, a time in the gap lies at or after the change.
            let beyond = before.to_timestamp(local).ok()?.checked_add(SignedDuration::from_secs(1)).ok()?;
            zone.preceding(beyond).next().map(|change| change.timestamp())
        }
    }
}

const WEEK_DAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

/// The cron crate counts Sunday as 1; crontab as 0 and 7.
fn week_days_from_one(field: &str) -> Result<String, String> {
    if matches!(field, "*" | "?") {
        return Ok("*".into());
    }
    let mut days = [false; 7];
    for item in field.split(',') {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (
                range,
                step.parse::<usize>()
                    .ok()
                    .filter(|step| (1..=7).contains(step))
                    .ok_or_else(|| format!("the step in `{item}` is not 1 to 7"))?,
            ),
            None => (item, 1),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (0, 6),
            Some((first, last)) => {
                let (first, last) = (week_day(first)?, week_day(last)?);
                (first, if last == 0 && first > 0 { 7 } else { last })
            }
            None if item.contains('/') => (week_day(range)?, 6),
            None => (week_day(range)?, week_day(range)?),
        };
        if first > last {
            return Err(format!("the days of the week in `{item}` run backwards"));
        }
        (first..=last).step_by(step).for_each(|day| days[day % 7] = true);
    }
    let listed: Vec<String> = (0..7).filter(|day| days[*day]).map(|day| (day + 1).to_string()).collect();
    Ok(listed.join(","))
}

fn week_day(text: &str) -> Result<usize, String> {
    let by_name = || {
        let lower = text.to_ascii_lowercase();
        WEEK_DAYS.iter().position(|name| *name == lower || name[..3] == lower)
    };
    text.parse::<usize>().ok().filter(|day| *day <= 7).or_else(by_name).ok_or_else(|| format!("`{text}` is not a day of the week"))
}
