//! Rate limits: how much may be sent now, and when the rest.
//!
//! A bucket holds up to `capacity` units and refills evenly. Taking more than it holds is a booking: the bucket goes below
//! zero and the taker waits until it is level again, so waiting requests go out in their order and in time. A booking that
//! would wait longer than the taker can is refused and costs nothing. Amounts are in thousandths of a unit.

use std::collections::HashMap;
use std::sync::Mutex;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

/// One entry of the manifest's `pacing`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BucketSpec {
    pub bucket: String,
    /// Units that may be sent at once.
    pub capacity: u32,
    /// Units that come back each minute.
    pub per_minute: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BucketKey {
    pub tenant: String,
    pub connection: String,
    pub bucket: String,
}

/// What the channel said about a bucket.
#[derive(Clone, Copy, Debug)]
pub struct Observed {
    pub remaining: u32,
    pub capacity: u32,
    pub per_minute: u32,
}

/// The answer to a booking, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Booking {
    /// Granted: send after this wait.
    After(i64),
    /// Refused: not before this long from now.
    NotBefore(i64),
}

/// Where the buckets are: in memory for one process, in the database for several.
pub trait BucketStore: Send + Sync + 'static {
    /// `spec` is what the bucket starts with when it is not known yet; without one it has no limit.
    fn book<'a>(
        &'a self,
        key: &'a BucketKey,
        spec: Option<&'a BucketSpec>,
        cost: u32,
        now_ms: i64,
        patience_ms: i64,
    ) -> BoxFuture<'a, Booking>;

    fn observed<'a>(&'a self, key: &'a BucketKey, seen: Observed, now_ms: i64) -> BoxFuture<'a, ()>;

    /// Nothing leaves before this instant, as the channel asked.
    fn hold<'a>(&'a self, key: &'a BucketKey, until_ms: i64) -> BoxFuture<'a, ()>;
}

/// The state of one bucket. Pure, so that any store can keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    pub milli_units: i64,
    pub capacity: u32,
    pub per_minute: u32,
    pub updated_at: i64,
    pub hold_until: i64,
}

const MINUTE_MS: i64 = 60_000;

impl Bucket {
    pub fn full(capacity: u32, per_minute: u32, now_ms: i64) -> Self {
        Self { milli_units: i64::from(capacity) * 1000, capacity, per_minute, updated_at: now_ms, hold_until: 0 }
    }

    pub fn book(&mut self, cost: u32, now_ms: i64, patience_ms: i64) -> Booking {
        self.refill(now_ms);
        let after = self.milli_units.saturating_sub(i64::from(cost) * 1000);
        let refill_ms = match (after, self.per_minute) {
            (0.., _) => 0,
            // An empty bucket that never refills: ask again later.
            (_, 0) => return Booking::NotBefore(MINUTE_MS),
            (short, rate) => (-short).saturating_mul(MINUTE_MS / 1000).div_euclid(i64::from(rate)).saturating_add(1),
        };
        let wait = refill_ms.max(self.hold_until.saturating_sub(now_ms));
        if wait > patience_ms {
            return Booking::NotBefore(wait);
        }
        self.milli_units = after;
        Booking::After(wait)
    }

    /// The channel's own count wins; what is booked and has not left yet still counts against it.
    pub fn observe(&mut self, seen: Observed, now_ms: i64) {
        self.refill(now_ms);
        let booked = self.milli_units.min(0);
        self.capacity = seen.capacity;
        self.per_minute = seen.per_minute;
        self.milli_units = i64::from(seen.remaining.min(seen.capacity)) * 1000 + booked;
    }

    fn refill(&mut self, now_ms: i64) {
        let passed = now_ms.saturating_sub(self.updated_at).max(0);
        let gained = passed.saturating_mul(i64::from(self.per_minute)).saturating_mul(1000) / MINUTE_MS;
        // Time that has not yet made a whole thousandth is kept for the next time.
        if gained > 0 || self.per_minute == 0 {
            let full = i64::from(self.capacity) * 1000;
            let spent = if self.per_minute == 0 { passed } else { gained.saturating_mul(MINUTE_MS) / (i64::from(self.per_minute) * 1000) };
            self.milli_units = self.milli_units.saturating_add(gained).min(full.max(self.milli_units));
            self.updated_at = if self.milli_units >= full { now_ms } else { self.updated_at.saturating_add(spent) };
        }
    }
}

/// Buckets of one process.
#[derive(Default)]
pub struct MemoryBuckets(Mutex<HashMap<BucketKey, Bucket>>);

/// Connections come and go; a bucket that is full again need not be remembered.
const MAX_BUCKETS: usize = 10_000;

impl MemoryBuckets {
    fn buckets(&self) -> std::sync::MutexGuard<'_, HashMap<BucketKey, Bucket>> {
        let mut buckets = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if buckets.len() > MAX_BUCKETS {
            buckets.retain(|_, bucket| bucket.milli_units < i64::from(bucket.capacity) * 1000);
        }
        buckets
    }
}

impl BucketStore for MemoryBuckets {
    fn book<'a>(
        &'a self,
        key: &'a BucketKey,
        spec: Option<&'a BucketSpec>,
        cost: u32,
        now_ms: i64,
        patience_ms: i64,
    ) -> BoxFuture<'a, Booking> {
        let mut buckets = self.buckets();
        let booking = match (buckets.get_mut(key), spec) {
            (Some(bucket), _) => bucket.book(cost, now_ms, patience_ms),
            (None, Some(spec)) => {
                let mut bucket = Bucket::full(spec.capacity, spec.per_minute, now_ms);
                let booking = bucket.book(cost, now_ms, patience_ms);
                buckets.insert(key.clone(), bucket);
                booking
            }
            (None, None) => Booking::After(0),
        };
        Box::pin(std::future::ready(booking))
    }

    fn observed<'a>(&'a self, key: &'a BucketKey, seen: Observed, now_ms: i64) -> BoxFuture<'a, ()> {
        self.buckets().entry(key.clone()).or_insert_with(|| Bucket::full(seen.capacity, seen.per_minute, now_ms)).observe(seen, now_ms);
        Box::pin(std::future::ready(()))
    }

    fn hold<'a>(&'a self, key: &'a BucketKey, until_ms: i64) -> BoxFuture<'a, ()> {
        if let Some(bucket) = self.buckets().get_mut(key) {
            bucket.hold_until = bucket.hold_until.max(until_ms);
        }
        Box::pin(std::future::ready(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_the_rest_in_the_channels_time() {
        let mut bucket = Bucket::full(10, 60, 0);
        for _ in 0..10 {
            assert_eq!(bucket.book(1, 0, 0), Booking::After(0));
        }
        assert!(matches!(bucket.book(1, 0, 0), Booking::NotBefore(1000..=1001)));
        assert!(matches!(bucket.book(1, 0, 5_000), Booking::After(1000..=1001)));
        assert!(matches!(bucket.book(1, 0, 5_000), Booking::After(2000..=2001)));
        // Two are booked: after two seconds the bucket is level, after three one more may go.
        assert!(matches!(bucket.book(1, 2_000, 0), Booking::NotBefore(_)));
        assert_eq!(bucket.book(1, 3_002, 0), Booking::After(0));
    }

    proptest::proptest! {
        #[test]
        fn never_more_leaves_than_capacity_and_refill(capacity in 1u32..50, rate in 1u32..2_000, steps in proptest::collection::vec((0i64..700, 1u32..4, 0i64..3_000), 1..200)) {
            let mut bucket = Bucket::full(capacity, rate, 0);
            let (mut now, mut sent) = (0i64, Vec::new());
            for (pause, cost, patience) in steps {
                now += pause;
                if let Booking::After(wait) = bucket.book(cost, now, patience) {
                    proptest::prop_assert!(wait <= patience);
                    sent.push((now + wait, u64::from(cost)));
                }
            }
            sent.sort_unstable();
            for (from, start) in sent.iter().enumerate() {
                let mut sum = 0u64;
                for end in &sent[from..] {
                    sum += end.1;
                    let span = (end.0 - start.0) as u64;
                    // A unit of slack for the last one in flight.
                    proptest::prop_assert!((sum.saturating_sub(u64::from(capacity) + 4)) * 60_000 <= (span + 2) * u64::from(rate), "{sum} in {span} ms");
                }
            }
        }
    }

    #[test]
    fn the_channels_own_count_wins() {
        let mut bucket = Bucket::full(1000, 3000, 0);
        bucket.observe(Observed { remaining: 3, capacity: 1000, per_minute: 3000 }, 0);
        assert_eq!(bucket.book(3, 0, 0), Booking::After(0));
        assert!(matches!(bucket.book(50, 0, 0), Booking::NotBefore(1000..=1001)));
    }

    #[test]
    fn a_hold_stops_even_a_full_bucket() {
        let mut bucket = Bucket::full(10, 60, 0);
        bucket.hold_until = 2_000;
        assert_eq!(bucket.book(1, 0, 0), Booking::NotBefore(2_000));
        assert_eq!(bucket.book(1, 0, 3_000), Booking::After(2_000));
        assert_eq!(bucket.book(1, 2_000, 0), Booking::After(0));
    }

    #[test]
    fn a_bucket_without_refill_refuses_rather_than_waits_for_ever() {
        let mut bucket = Bucket::full(1, 0, 0);
        assert_eq!(bucket.book(1, 0, i64::MAX), Booking::After(0));
        assert!(matches!(bucket.book(1, 1_000_000, i64::MAX), Booking::NotBefore(_)));
    }
}
