//! Time, always injected. Instants are Unix milliseconds in UTC, named `_at`; spans are `_ms`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::sync::watch;

/// The hub's clock: the machine's, or one that a test moves by hand.
#[derive(Clone)]
pub struct Clock(Inner);

#[derive(Clone)]
enum Inner {
    System(Arc<SystemClock>),
    Manual(Arc<watch::Sender<i64>>),
}

/// Never runs backwards: a step back of the machine's clock holds the hub's time still until it is caught up.
struct SystemClock {
    last_ms: AtomicI64,
}

impl Clock {
    pub fn system() -> Self {
        Self(Inner::System(Arc::new(SystemClock { last_ms: AtomicI64::new(0) })))
    }

    pub fn manual(now_ms: i64) -> Self {
        Self(Inner::Manual(Arc::new(watch::Sender::new(now_ms))))
    }

    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            Inner::System(clock) => {
                #[allow(clippy::disallowed_methods)] // the one place that reads the machine's clock
                let now = jiff::Timestamp::now().as_millisecond();
                clock.last_ms.fetch_max(now, Ordering::AcqRel).max(now)
            }
            Inner::Manual(now) => *now.borrow(),
        }
    }

    pub fn is_manual(&self) -> bool {
        matches!(self.0, Inner::Manual(_))
    }

    /// Moves a manual clock forward; the machine's clock moves itself.
    pub fn advance(&self, ms: i64) {
        if let Inner::Manual(now) = &self.0 {
            now.send_modify(|at| *at = at.saturating_add(ms));
        }
    }

    /// Returns when the clock reaches `at_ms`.
    pub async fn sleep_until(&self, at_ms: i64) {
        match &self.0 {
            Inner::System(_) => {
                let left = at_ms.saturating_sub(self.now_ms());
                if left > 0 {
                    tokio::time::sleep(std::time::Duration::from_millis(left as u64)).await;
                }
            }
            Inner::Manual(now) => {
                // An error would mean that the sender is gone, but `self` holds it.
                let _ = now.subscribe().wait_for(|at| *at >= at_ms).await;
            }
        }
    }
}

/// `2026-11-21T10:15:00Z` with as many decimals as are needed.
pub fn to_rfc3339(at_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(at_ms).map_or_else(|_| at_ms.to_string(), |at| at.to_string())
}

/// Reads RFC 3339 with any offset.
pub fn from_rfc3339(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(|at| at.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_and_read_in_utc() {
        assert_eq!(to_rfc3339(1_700_000_000_000), "2023-11-14T22:13:20Z");
        assert_eq!(from_rfc3339("2023-11-14T23:13:20+01:00"), Some(1_700_000_000_000));
        assert_eq!(from_rfc3339("yesterday"), None);
    }

    #[tokio::test]
    async fn a_manual_clock_wakes_sleepers_when_it_is_moved() {
        let clock = Clock::manual(10);
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep_until(20).await }
        });
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(10);
        assert!(sleeper.await.is_ok());
    }
}
