//! Time, always injected. Instants are Unix milliseconds in UTC, named `_at`; spans are `_ms`.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// The hub's clock: the machine's, or one that a test moves by hand.
#[derive(Clone)]
pub struct Clock(Inner);

#[derive(Clone)]
enum Inner {
    System(Arc<SystemClock>),
    Following(Arc<FollowingClock>),
    Manual(Arc<watch::Sender<i64>>),
}

/// Never runs backwards: a step back of the machine's clock holds the hub's time still until it is caught up.
struct SystemClock {
    last_ms: AtomicI64,
}

/// Knows what another clock showed when it was last asked, and how long ago that was.
struct FollowingClock {
    /// `None` until the first answer: then the machine's own time has to do.
    anchor: Mutex<Option<(i64, Instant)>>,
    last_ms: AtomicI64,
}

#[allow(clippy::disallowed_methods)] // the one place that reads the machine's clock
fn machine_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

impl Clock {
    pub fn system() -> Self {
        Self(Inner::System(Arc::new(SystemClock { last_ms: AtomicI64::new(0) })))
    }

    /// For processes that must agree on the time because they share a database: [`Clock::anchor`] tells it that
    /// database's time again and again, and in between it advances evenly, whatever happens to the machine's clock.
    pub fn following() -> Self {
        Self(Inner::Following(Arc::new(FollowingClock { anchor: Mutex::new(None), last_ms: AtomicI64::new(0) })))
    }

    /// What the clock that is followed shows now. The first word counts whatever it is; later ones never turn time back.
    pub fn anchor(&self, now_ms: i64) {
        if let Inner::Following(clock) = &self.0 {
            let mut anchor = clock.anchor.lock().unwrap_or_else(PoisonError::into_inner);
            if anchor.replace((now_ms, Instant::now())).is_none() {
                clock.last_ms.store(now_ms, Ordering::Release);
            }
        }
    }

    pub fn manual(now_ms: i64) -> Self {
        Self(Inner::Manual(Arc::new(watch::Sender::new(now_ms))))
    }

    pub fn now_ms(&self) -> i64 {
        match &self.0 {
            Inner::System(clock) => {
                let now = machine_ms();
                clock.last_ms.fetch_max(now, Ordering::AcqRel).max(now)
            }
            Inner::Following(clock) => {
                let anchor = clock.anchor.lock().unwrap_or_else(PoisonError::into_inner);
                let Some((at, since)) = *anchor else { return machine_ms() };
                let now = at.saturating_add(i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX));
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

    /// How many wait for a manual clock to move: a test that sees some and nothing else at work moves it.
    pub fn sleepers(&self) -> usize {
        match &self.0 {
            Inner::Manual(now) => now.receiver_count(),
            Inner::System(_) | Inner::Following(_) => 0,
        }
    }

    /// Returns when the clock reaches `at_ms`.
    pub async fn sleep_until(&self, at_ms: i64) {
        match &self.0 {
            Inner::System(_) | Inner::Following(_) => {
                // Again, because the clock may have been set while we slept.
                while let Some(left) = u64::try_from(at_ms.saturating_sub(self.now_ms())).ok().filter(|left| *left > 0) {
                    tokio::time::sleep(Duration::from_millis(left.min(LONGEST_NAP_MS))).await;
                }
            }
            Inner::Manual(now) => {
                // An error would mean that the sender is gone, but `self` holds it.
                let _ = now.subscribe().wait_for(|at| *at >= at_ms).await;
            }
        }
    }
}

/// So that a sleeper notices within a minute that the clock was set forward.
const LONGEST_NAP_MS: u64 = 60_000;

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

    #[test]
    fn a_following_clock_takes_the_first_word_and_never_turns_back() {
        let clock = Clock::following();
        assert!(clock.now_ms() > 1_700_000_000_000, "the machine's time has to do at first");
        clock.anchor(1_000);
        assert!((1_000..60_000).contains(&clock.now_ms()));
        clock.anchor(900_000);
        clock.now_ms();
        clock.anchor(1_000);
        assert!((900_000..960_000).contains(&clock.now_ms()));
    }

    #[tokio::test]
    async fn a_following_clock_advances_by_itself() {
        let clock = Clock::following();
        clock.anchor(1_000);
        clock.sleep_until(1_020).await;
        assert!(clock.now_ms() >= 1_020);
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
        assert_eq!(clock.sleepers(), 1);
        clock.advance(10);
        assert!(sleeper.await.is_ok());
        assert_eq!(clock.sleepers(), 0);
    }
}
