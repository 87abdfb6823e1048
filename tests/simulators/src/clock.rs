//! Time as the simulated shops see it: milliseconds since the Unix epoch, always from a function the caller injects.
//!
//! Also the two spellings of an instant the channels use. WooCommerce writes whole seconds without an offset, once in the
//! site's zone and once in UTC; Shopify's GraphQL writes `Z`, its webhook bodies write the shop's offset.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// Returns the present moment in Unix milliseconds.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The machine's own clock.
// The one place that asks for it: the demo and the little server have no other clock to inject.
#[allow(clippy::disallowed_methods)]
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
    })
}

/// A clock that stands still until it is told to move.
#[derive(Clone)]
pub struct HandClock(Arc<AtomicI64>);

impl HandClock {
    pub fn at(unix_ms: i64) -> Self {
        Self(Arc::new(AtomicI64::new(unix_ms)))
    }

    pub fn clock(&self) -> Clock {
        let now = Arc::clone(&self.0);
        Arc::new(move || now.load(Ordering::SeqCst))
    }

    pub fn advance_ms(&self, by: i64) {
        self.0.fetch_add(by, Ordering::SeqCst);
    }

    pub fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

fn timestamp(unix_ms: i64) -> Timestamp {
    Timestamp::from_millisecond(unix_ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn offset(minutes: i32) -> Offset {
    Offset::from_seconds(minutes.saturating_mul(60)).unwrap_or(Offset::UTC)
}

/// `2026-11-20T10:05:00` as read on a wall clock `offset_minutes` east of UTC.
pub(crate) fn wall(unix_ms: i64, offset_minutes: i32) -> String {
    offset(offset_minutes).to_datetime(timestamp(unix_ms)).strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// `2026-11-20T10:05:00Z`
pub(crate) fn zulu(unix_ms: i64) -> String {
    timestamp(unix_ms).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `2026-11-20T11:05:00+01:00`
pub(crate) fn with_offset(unix_ms: i64, offset_minutes: i32) -> String {
    let zoned = timestamp(unix_ms).to_zoned(TimeZone::fixed(offset(offset_minutes)));
    zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// Reads an ISO 8601 date or date-time. One without an offset is taken `offset_minutes` east of UTC.
pub(crate) fn parse(text: &str, offset_minutes: i32) -> Option<i64> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant.as_millisecond());
    }
    let civil: DateTime = match text.parse::<DateTime>() {
        Ok(civil) => civil,
        Err(_) => text.parse::<jiff::civil::Date>().ok()?.to_datetime(jiff::civil::Time::midnight()),
    };
    let utc = TimeZone::UTC.to_timestamp(civil).ok()?;
    let shift = SignedDuration::from_mins(i64::from(offset_minutes));
    utc.checked_sub(shift).ok().map(|instant| instant.as_millisecond())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_instant_has_three_spellings_and_reads_back_from_each() {
        let at = 1_795_169_100_000;
        assert_eq!(zulu(at), "2026-11-20T10:05:00Z");
        assert_eq!(wall(at, 60), "2026-11-20T11:05:00");
        assert_eq!(with_offset(at, -300), "2026-11-20T05:05:00-05:00");
        assert_eq!(parse("2026-11-20T10:05:00Z", 600).unwrap(), at);
        assert_eq!(parse("2026-11-20T11:05:00", 60).unwrap(), at);
        assert_eq!(parse("2026-11-20T05:05:00-05:00", 60).unwrap(), at);
        assert_eq!(parse("yesterday", 0), None);
    }
}
