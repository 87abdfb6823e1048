#![allow(clippy::unwrap_used)]

use super::*;

fn key(bucket: &str) -> BucketKey {
    BucketKey { tenant: "main".into(), connection: "con".into(), bucket: bucket.into() }
}

fn spec(capacity: u32, per_minute: u32) -> BucketSpec {
    BucketSpec { bucket: "rest".into(), capacity, per_minute }
}

crate::on_both! {
    async fn many_takers_on_three_nodes_never_get_more_than_capacity_and_refill(db: TestDb) {
        let nodes: Vec<SharedBuckets> = (0..3).map(|_| SharedBuckets::new(db.store.clone())).collect();
        let limit = spec(10, 120);
        let mut granted = 0u64;
        for second in 0..20u64 {
            let now = db.clock.now_ms();
            let (key, limit) = (key("rest"), &limit);
            let asks = (0..30).map(|n| nodes[n % 3].book(&key, Some(limit), 1, now, 0));
            let answers = futures::future::join_all(asks).await;
            granted += answers.iter().filter(|answer| **answer == Booking::After(0)).count() as u64;
            assert_eq!(granted, 10 + 2 * second, "2 units come back each second");
            assert!(answers.iter().any(|answer| matches!(answer, Booking::NotBefore(1..=501))));
            db.clock.advance(1_000);
        }
    }

    async fn those_who_wait_are_booked_one_after_another_over_all_nodes(db: TestDb) {
        let now = db.clock.now_ms();
        let mut waits = Vec::new();
        for _ in 0..4 {
            waits.push(SharedBuckets::new(db.store.clone()).book(&key("rest"), Some(&spec(1, 60)), 1, now, 10_000).await);
        }
        let expected: Vec<Booking> = [0, 1_001, 2_001, 3_001].map(Booking::After).to_vec();
        assert_eq!(waits, expected);
    }

    async fn the_channels_own_count_and_pause_hold_on_every_node(db: TestDb) {
        let (a, b) = (SharedBuckets::new(db.store.clone()), SharedBuckets::new(db.store.clone()));
        let (now, limit) = (db.clock.now_ms(), spec(100, 60));
        assert_eq!(a.book(&key("rest"), Some(&limit), 1, now, 0).await, Booking::After(0));
        a.observed(&key("rest"), Observed { remaining: 2, capacity: 40, per_minute: 60 }, now).await;
        for _ in 0..2 {
            assert_eq!(b.book(&key("rest"), Some(&limit), 1, now, 0).await, Booking::After(0));
        }
        assert!(matches!(b.book(&key("rest"), Some(&limit), 1, now, 0).await, Booking::NotBefore(_)), "the manifest does not override the channel");
        b.hold(&key("rest"), now + 60_000).await;
        b.hold(&key("rest"), now + 5_000).await;
        assert_eq!(a.book(&key("rest"), Some(&limit), 1, now + 30_000, 0).await, Booking::NotBefore(30_000));
    }

    async fn a_bucket_that_nobody_declared_has_no_limit_until_the_channel_names_one(db: TestDb) {
        let buckets = SharedBuckets::new(db.store.clone());
        assert_eq!(buckets.book(&key("free"), None, 9_999, 0, 0).await, Booking::After(0));
        buckets.observed(&key("free"), Observed { remaining: 0, capacity: 10, per_minute: 60 }, 0).await;
        assert!(matches!(buckets.book(&key("free"), None, 1, 0, 0).await, Booking::NotBefore(_)));
    }

    async fn new_limits_in_a_manifest_take_effect_and_forgive_nothing(db: TestDb) {
        let buckets = SharedBuckets::new(db.store.clone());
        assert_eq!(buckets.book(&key("rest"), Some(&spec(10, 60)), 8, 0, 0).await, Booking::After(0));
        assert!(matches!(buckets.book(&key("rest"), Some(&spec(8, 60)), 1, 0, 0).await, Booking::NotBefore(_)));
        assert_eq!(buckets.book(&key("rest"), Some(&spec(20, 60)), 12, 0, 0).await, Booking::After(0));
        assert!(matches!(buckets.book(&key("rest"), Some(&spec(20, 60)), 1, 0, 0).await, Booking::NotBefore(_)));
    }
}
