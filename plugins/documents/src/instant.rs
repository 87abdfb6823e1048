//! Instants: what the shop writes (`2017-03-22T19:28:02`, UTC without saying so) to RFC 3339 with `Z`, and the little
//! arithmetic that polling needs. Seconds since 1970 are `i64`, UTC.

/// Seconds since 1970 of a date and time, with an optional fraction and an optional `Z` or offset; no zone means UTC.
pub fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    let (date, rest) = text.split_at_checked(10)?;
    let days = parse_date(date)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, zone) = match rest.find(['Z', 'z', '+', '-']) {
        Some(at) => rest.split_at_checked(at)?,
        None => (rest, ""),
    };
    let offset = parse_zone(zone)?;
    Some(days * 86_400 + parse_time(time)? - offset)
}

/// Canonical text, whole seconds.
pub fn format(seconds: i64) -> String {
    let days = seconds.div_euclid(86_400);
    let in_day = seconds.rem_euclid(86_400);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", in_day / 3600, in_day / 60 % 60, in_day % 60)
}

/// The same instant in canonical form.
pub fn canonical(text: &str) -> Option<String> {
    parse(text).map(format)
}

/// Days since 1970 of a date alone (`2026-10-30`).
pub fn parse_day(text: &str) -> Option<i64> {
    parse_date(text.trim())
}

/// The date `days` after 1970-01-01.
pub fn format_day(days: i64) -> String {
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}")
}

/// An HTTP date (`Sat, 21 Nov 2026 10:15:00 GMT`), as in `Date` and `Retry-After`.
pub fn parse_http(text: &str) -> Option<i64> {
    let mut parts = text.split_once(',')?.1.split_whitespace();
    let day: i64 = parts.next()?.parse().ok()?;
    let name = parts.next()?;
    let month = MONTHS.iter().position(|m| m.eq_ignore_ascii_case(name))?;
    let year: i64 = parts.next()?.parse().ok()?;
    let time = parse_time(parts.next()?)?;
    (parts.next()? == "GMT").then_some(())?;
    Some(days(year, i64::try_from(month).ok()? + 1, day)? * 86_400 + time)
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn parse_date(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let year = digits(parts.next()?, 4)?;
    let month = digits(parts.next()?, 2)?;
    let day = digits(parts.next()?, 2)?;
    parts.next().is_none().then_some(())?;
    days(year, month, day)
}

fn parse_time(text: &str) -> Option<i64> {
    let whole = match text.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() && fraction.bytes().all(|b| b.is_ascii_digit()) => whole,
        Some(_) => return None,
        None => text,
    };
    let mut parts = whole.split(':');
    let hour = digits(parts.next()?, 2)?;
    let minute = digits(parts.next()?, 2)?;
    let second = digits(parts.next()?, 2)?;
    let fits = parts.next().is_none() && hour < 24 && minute < 60 && second < 61;
    fits.then_some(hour * 3600 + minute * 60 + second.min(59))
}

/// Seconds east of UTC.
fn parse_zone(text: &str) -> Option<i64> {
    let (sign, rest) = match text.as_bytes() {
        [] | [b'Z' | b'z'] => return Some(0),
        [b'+', ..] => (1, text.get(1..)?),
        _ => (-1, text.get(1..)?),
    };
    let (hours, minutes) = rest.split_at_checked(2)?;
    let minutes = minutes.strip_prefix(':').unwrap_or(minutes);
    Some(sign * (digits(hours, 2)? * 3600 + digits(minutes, 2)? * 60))
}

fn digits(text: &str, count: usize) -> Option<i64> {
    (text.len() == count && text.bytes().all(|b| b.is_ascii_digit())).then_some(())?;
    text.parse().ok()
}

/// Days since 1970-01-01 in the Gregorian calendar, counted in eras of 400 years that begin in March.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    ((1..=12).contains(&month) && (1..=length(year, month)).contains(&day)).then_some(())?;
    let shifted = if month > 2 { year } else { year - 1 };
    let era = shifted.div_euclid(400);
    let in_era = shifted.rem_euclid(400);
    let in_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719_468)
}

fn length(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let in_era = shifted.rem_euclid(146_097);
    let year_in_era = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year_in_era + year_in_era / 4 - year_in_era / 100);
    let from_march = (5 * in_year + 2) / 153;
    let day = in_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_in_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_eight_centuries_survives_the_round_trip() {
        for day in -150_000..150_000 {
            let text = format(day * 86_400 + 3_723);
            assert_eq!(parse(&text), Some(day * 86_400 + 3_723), "{text}");
        }
    }

    #[test]
    fn a_day_counts_from_1970_and_comes_back() {
        assert_eq!((parse_day("1970-01-01"), parse_day("2026-10-30")), (Some(0), Some(20_756)));
        assert_eq!(format_day(20_756), "2026-10-30");
        for text in ["2026-02-29", "2026-1-1", "30.10.2026", ""] {
            assert_eq!(parse_day(text), None, "{text}");
        }
    }

    #[test]
    fn zones_fractions_and_missing_zones_are_read_as_utc_instants() {
        assert_eq!(canonical("2017-03-22T19:28:02"), Some("2017-03-22T19:28:02Z".into()));
        assert_eq!(canonical("2017-03-22 19:28:02.999"), Some("2017-03-22T19:28:02Z".into()));
        assert_eq!(canonical("2017-03-22T19:28:02+02:00"), Some("2017-03-22T17:28:02Z".into()));
        assert_eq!(canonical("2017-03-22T19:28:02-0330"), Some("2017-03-22T22:58:02Z".into()));
        assert_eq!(parse_http("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
    }

    #[test]
    fn impossible_dates_are_refused() {
        for text in [
            "2017-02-29T00:00:00",
            "2017-13-01T00:00:00",
            "2017-01-01T24:00:00",
            "0000-00-00 00:00:00",
            "",
            "yesterday",
            "2017-01-01T10:00:00.",
            "2017-01-01",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert!(parse("2016-02-29T00:00:00").is_some());
    }
}
