//! Schedules: make a lane due at the times a cron expression names in the merchant's zone.
//!
//! The runner calls [`tick`] when the earliest schedule is due. A fire is keyed by schedule and local date and time and
//! happens once, on any number of nodes: whoever inserts the key makes the lane due. Fires missed while nothing ran happen
//! once, not once each.

pub mod cron;
mod store;

use crate::ctx::{Ctx, Tenant};
use crate::id::ConnectionId;
use crate::lanes::model::{LaneKey, LaneKind, NEVER};
use crate::store::{Sql, WriteTx};
use cron::{Cron, Fire};

pub(super) use store::NEXT_AT_SQL;
pub use store::Schedule;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The expression or the zone is wrong.
    #[error("{0}")]
    Cron(#[from] cron::Error),
    #[error("the schedule could not be stored")]
    Store(#[from] crate::store::Error),
}

/// What a schedule starts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Run {
    OrdersIn,
    ListingsIn,
    Webhooks,
    RatesIn,
    Reconcile,
}

impl Run {
    pub const ALL: &'static [Self] = &[Self::OrdersIn, Self::ListingsIn, Self::Webhooks, Self::RatesIn, Self::Reconcile];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::OrdersIn => "orders-in",
            Self::ListingsIn => "listings-in",
            Self::Webhooks => "webhooks",
            Self::RatesIn => "rates-in",
            Self::Reconcile => "reconcile",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|run| run.as_str() == text)
    }

    /// The lane that a fire makes due; ask for a run by hand with the same key.
    pub fn lane(self, connection: &ConnectionId) -> LaneKey {
        let kind = match self {
            Self::OrdersIn => LaneKind::Poll,
            Self::ListingsIn => LaneKind::Listings,
            Self::Webhooks => LaneKind::Webhooks,
            Self::RatesIn => LaneKind::Rates,
            Self::Reconcile => LaneKind::Reconcile,
        };
        LaneKey::new(kind, connection, self.as_str())
    }
}

/// The zone in which the merchant's days begin.
pub async fn zone_of_merchant(conn: &mut impl Sql, tenant: &Tenant) -> Result<jiff::tz::TimeZone, crate::store::Error> {
    Ok(zone_or_utc(&store::zone_of(conn, tenant).await?))
}

/// Writes the merchant's row: the name on the pages and the zone in which schedules are read.
pub async fn introduce_tenant(tx: &mut WriteTx, ctx: &Ctx, name: &str, zone: &str) -> Result<(), crate::store::Error> {
    store::put_tenant(tx, ctx, name, zone).await
}

/// Creates or replaces the schedule of a connection's run. It fires for the first time after now.
pub async fn set(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, run: Run, expression: &str, enabled: bool) -> Result<(), Error> {
    let cron = Cron::parse(expression)?;
    let zone = cron::zone(&store::zone_of(tx, &ctx.tenant).await?)?;
    let next_at = cron.next_fire(&zone, ctx.now_ms()).map_or(NEVER, |fire| fire.at_ms);
    store::put(tx, &ctx.tenant, &Schedule { connection: connection.clone(), run, cron: expression.trim().to_owned(), enabled, next_at })
        .await?;
    // The runner must learn that it has to look earlier than it thought.
    tx.ring();
    Ok(())
}

pub async fn remove_connection(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId) -> Result<(), crate::store::Error> {
    store::remove_connection(tx, &ctx.tenant, connection).await
}

pub async fn list(conn: &mut impl Sql, ctx: &Ctx, connection: Option<&ConnectionId>) -> Result<Vec<Schedule>, crate::store::Error> {
    store::list(conn, &ctx.tenant, connection).await
}

const SCHEDULES_PER_TICK: u32 = 200;

/// Fires what is due, of every merchant, up to some hundred; returns how many were due. Call again until that is 0.
pub async fn tick(tx: &mut WriteTx, ctx: &Ctx) -> Result<usize, crate::store::Error> {
    let now = ctx.now_ms();
    let due = store::due(tx, now, SCHEDULES_PER_TICK).await?;
    for entry in &due {
        let (tenant, schedule) = (&entry.tenant, &entry.schedule);
        let Some((fire, next_at)) = plan(&entry.zone, schedule, now) else {
            tracing::warn!(tenant = tenant.as_str(), connection = %schedule.connection, run = schedule.run.as_str(), cron = schedule.cron,
                "schedule stopped: its expression names no time to come");
            store::advance(tx, tenant, schedule, NEVER).await?;
            continue;
        };
        let mine = store::fire(tx, tenant, schedule, &fire, now).await?;
        store::advance(tx, tenant, schedule, next_at).await?;
        if mine {
            let tenant_ctx = Ctx { tenant: tenant.clone(), ..ctx.clone() };
            super::make_due(tx, &tenant_ctx, &schedule.run.lane(&schedule.connection), now).await?;
        }
    }
    Ok(due.len())
}

/// The fire that is due and the instant of the one after now. The first missed fire stands for all that were missed.
fn plan(zone: &str, schedule: &Schedule, now_ms: i64) -> Option<(Fire, i64)> {
    let cron = Cron::parse(&schedule.cron).ok()?;
    let zone = zone_or_utc(zone);
    let fire = cron.next_fire(&zone, schedule.next_at - 1).filter(|fire| fire.at_ms <= now_ms);
    // Zone or clock may have changed since `next_at` was written; then this was no fire, and the next one is known now.
    let fire = fire.unwrap_or(Fire { at_ms: schedule.next_at, local: format!("moved {}", schedule.next_at) });
    Some((fire, cron.next_fire(&zone, now_ms).map_or(NEVER, |next| next.at_ms)))
}

/// A zone that the program no longer knows must not stop a merchant's polls.
fn zone_or_utc(name: &str) -> jiff::tz::TimeZone {
    cron::zone(name).unwrap_or_else(|_| {
        tracing::warn!(zone = name, "unknown time zone; its schedules run in UTC");
        jiff::tz::TimeZone::UTC
    })
}

/// Computes again when each schedule fires next. Call at start, after a merchant's zone changed, and now and then, so that a
/// clock that was wrong for a while leaves no schedule waiting for a far day.
pub async fn rearm(tx: &mut WriteTx, ctx: &Ctx) -> Result<(), crate::store::Error> {
    let now = ctx.now_ms();
    for entry in store::enabled_after(tx, now).await? {
        let Ok(cron) = Cron::parse(&entry.schedule.cron) else { continue };
        let next_at = cron.next_fire(&zone_or_utc(&entry.zone), now).map_or(NEVER, |fire| fire.at_ms);
        if next_at != entry.schedule.next_at {
            store::advance(tx, &entry.tenant, &entry.schedule, next_at).await?;
        }
    }
    tx.ring();
    Ok(())
}

/// Forgets fires before `before_ms`; a key is needed only as long as its local time could come again.
pub async fn forget_fires(tx: &mut WriteTx, tenant: &Tenant, before_ms: i64) -> Result<u64, crate::store::Error> {
    store::forget_fires(tx, tenant, before_ms).await
}

#[cfg(test)]
mod tests;
