//! Rate limits shared by every process on one database: the arithmetic is egress's [`Bucket`], kept in a row.
//!
//! Each booking reads, books and writes the row under its lock, so the limit holds exactly on any number of nodes. Nothing
//! is leased ahead to save writes: a channel lets through tens of requests a second, a database thousands of rows, and units
//! taken early and sent late would exceed what a full bucket allows. One process alone has no need of this; it keeps its
//! buckets in memory.

mod store;

use futures::future::BoxFuture;

use crate::ctx::Ctx;
use crate::egress::{Booking, Bucket, BucketKey, BucketSpec, BucketStore, Observed};
use crate::id::ConnectionId;
use crate::store::{Error, Store, WriteTx, chain};

/// While the database does not answer nothing leaves; that long until the next try.
const UNREACHABLE_MS: i64 = 1_000;

pub(super) async fn remove_connection(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId) -> Result<(), Error> {
    store::remove_connection(tx, &ctx.tenant, connection).await
}

#[derive(Clone)]
pub struct SharedBuckets(Store);

impl SharedBuckets {
    pub fn new(store: Store) -> Self {
        Self(store)
    }

    async fn booked(&self, key: &BucketKey, spec: Option<&BucketSpec>, cost: u32, now_ms: i64, patience_ms: i64) -> Result<Booking, Error> {
        let (key, spec) = (key.clone(), spec.cloned());
        let work = self.0.write(move |tx| {
            Box::pin(async move {
                if let Some(spec) = &spec {
                    store::create(tx, &key, &Bucket::full(spec.capacity, spec.per_minute, now_ms)).await?;
                }
                let Some(mut row) = store::lock(tx, &key).await? else { return Ok(Booking::After(0)) };
                if let Some(spec) = spec.filter(|_| !row.observed) {
                    row.bucket = with_limits(row.bucket, &spec, now_ms);
                }
                let booking = row.bucket.book(cost, now_ms, patience_ms);
                store::keep(tx, &key, &row).await?;
                Ok(booking)
            })
        });
        work.await
    }
}

/// A connector's new version may declare other limits; what has been used stays used.
fn with_limits(bucket: Bucket, spec: &BucketSpec, now_ms: i64) -> Bucket {
    if (bucket.capacity, bucket.per_minute) == (spec.capacity, spec.per_minute) {
        return bucket;
    }
    let mut settled = bucket;
    // Booking nothing brings the level up to date under the old limits.
    settled.book(0, now_ms, i64::MAX);
    let used = i64::from(settled.capacity) * 1000 - settled.milli_units;
    Bucket { milli_units: i64::from(spec.capacity) * 1000 - used, capacity: spec.capacity, per_minute: spec.per_minute, ..settled }
}

impl BucketStore for SharedBuckets {
    fn book<'a>(
        &'a self,
        key: &'a BucketKey,
        spec: Option<&'a BucketSpec>,
        cost: u32,
        now_ms: i64,
        patience_ms: i64,
    ) -> BoxFuture<'a, Booking> {
        Box::pin(async move {
            self.booked(key, spec, cost, now_ms, patience_ms).await.unwrap_or_else(|error| {
                tracing::warn!(connection = key.connection, bucket = key.bucket, error = %chain(&error), "a rate limit could not be read");
                Booking::NotBefore(UNREACHABLE_MS)
            })
        })
    }

    fn observed<'a>(&'a self, key: &'a BucketKey, seen: Observed, now_ms: i64) -> BoxFuture<'a, ()> {
        let key = key.clone();
        Box::pin(async move {
            let name = key.bucket.clone();
            let work = self.0.write(move |tx| {
                Box::pin(async move {
                    store::create(tx, &key, &Bucket::full(seen.capacity, seen.per_minute, now_ms)).await?;
                    let Some(mut row) = store::lock(tx, &key).await? else { return Ok(()) };
                    row.bucket.observe(seen, now_ms);
                    row.observed = true;
                    store::keep(tx, &key, &row).await
                })
            });
            report("what a channel said about a rate limit is lost", &name, work.await);
        })
    }

    fn hold<'a>(&'a self, key: &'a BucketKey, until_ms: i64) -> BoxFuture<'a, ()> {
        let key = key.clone();
        Box::pin(async move {
            let name = key.bucket.clone();
            let work = self.0.write(move |tx| Box::pin(async move { store::hold(tx, &key, until_ms).await }));
            report("a channel's pause is lost", &name, work.await);
        })
    }
}

fn report(loss: &'static str, bucket: &str, outcome: Result<(), Error>) {
    if let Err(error) = outcome {
        tracing::warn!(bucket, error = %chain(&error), "{loss}");
    }
}

#[cfg(test)]
mod tests;
