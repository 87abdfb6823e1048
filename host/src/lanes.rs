//! Lanes: what is due, who does it, and what happens when that goes wrong.
//!
//! A lane is one row that says "there may be work here": the orders of one connection to poll, one order to bring in, one
//! connection's stock to push. The work itself is in the concepts' tables, so a wake-up that is lost costs one sweep
//! (15 s) and one that is doubled costs an empty look. Instants are Unix milliseconds.
//!
//! For callers:
//!
//! * *Ask for work*, in the unit of work that creates it: [`make_due`], [`make_due_many`]. The runner of this process wakes
//!   when that commits, those of other processes shortly after.
//! * *Do work*: implement [`Handler`] and register it by [`LaneKind`] with the [`Runner`]. In each unit of work a handler
//!   opens, the first call is [`fence`]; the last unit of work calls [`finish`], so that effects and the lane's advance are
//!   one commit. A handler that returns `Ok` without having finished gets [`Outcome::Done`], `Err` the outcome that the
//!   [`HandlerError`] names. No network or plugin call while a unit of work is open.
//! * *Ask for it regularly*: [`schedule::set`]; the runner fires schedules too.
//! * *Look and repair*: [`list`], [`list_quarantined`], [`overview`], [`causes`], [`release`], [`release_quarantined`], [`forget`], [`remove_connection`].
//!
//! Invariants: a lane has at most one holder whose commits count (the epoch, compared by [`fence`] and [`finish`]); a wish
//! made while a lane is held runs after it; a claim is counted before its handler starts, and after [`model::MAX_CLAIMS`]
//! processes that died over it, or [`model::MAX_FAILURES`] typed failures in a row, the lane is quarantined, visible
//! until someone releases it; an outage of the other side quarantines nothing; a back-off is never cut short by a wish.

pub mod buckets;
mod error;
pub mod model;
pub mod runner;
pub mod schedule;
mod store;
pub mod wake;

pub use error::{Error, HandlerError};
pub use model::{Claim, LaneKey, LaneKind, Outcome, Pace};
pub use runner::{Handler, Handlers, Limits, Runner};
pub use store::{Cause, Filter, Flow, Lane, Quarantined};

use crate::ctx::Ctx;
use crate::id::ConnectionId;
use crate::store::{Sql, WriteTx};

/// Asks for a run of the lane at `at_ms` or earlier; creates the lane if need be.
pub async fn make_due(tx: &mut WriteTx, ctx: &Ctx, lane: &LaneKey, at_ms: i64) -> Result<(), crate::store::Error> {
    make_due_many(tx, ctx, std::slice::from_ref(lane), at_ms).await
}

/// [`make_due`] for a fan-out: two statements for up to some hundred lanes. Those that change are locked in the order of their ids; others are
/// only kept from being claimed before the caller's commit.
pub async fn make_due_many(tx: &mut WriteTx, ctx: &Ctx, lanes: &[LaneKey], at_ms: i64) -> Result<(), crate::store::Error> {
    if lanes.is_empty() {
        return Ok(());
    }
    store::make_due(tx, &ctx.tenant, lanes, at_ms).await?;
    tx.ring();
    Ok(())
}

/// Fails with [`Error::Stale`] when the claim is no longer the lane's holder; otherwise nobody can take the lane over
/// before this unit of work ends. The first call of every unit of work that a handler opens.
pub async fn fence(tx: &mut WriteTx, claim: &Claim) -> Result<(), Error> {
    if store::holds(tx, claim).await? { Ok(()) } else { Err(Error::Stale) }
}

/// Ends the run in the handler's own unit of work. Fails with [`Error::Stale`] like [`fence`].
pub async fn finish(tx: &mut WriteTx, ctx: &Ctx, claim: &Claim, outcome: Outcome) -> Result<(), Error> {
    let mut jitter = [0u8; 8];
    ctx.ids.entropy().fill(&mut jitter);
    let end = model::end_of_run(outcome, (claim.failures(), claim.outages()), ctx.now_ms(), u64::from_le_bytes(jitter));
    if !store::finish(tx, claim, &end).await? {
        return Err(Error::Stale);
    }
    if let Some(reason) = end.quarantined_at.and(end.reason.as_deref()) {
        tracing::warn!(tenant = claim.tenant().as_str(), lane = %claim.key(), reason, "lane quarantined");
    }
    let ended = claim.clone();
    tx.after_commit(move || ended.mark_finished());
    Ok(())
}

/// Lets a quarantined or backing-off lane run now, with its counters at zero. `false` if there is no such lane.
pub async fn release(tx: &mut WriteTx, ctx: &Ctx, lane: &LaneKey) -> Result<bool, crate::store::Error> {
    let found = store::release(tx, &ctx.tenant, lane, ctx.now_ms()).await?;
    if found {
        tx.ring();
    }
    Ok(found)
}

/// The other side of a connection answers again: lanes that wait out its outage run now.
pub async fn answers_again(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId) -> Result<(), crate::store::Error> {
    if store::answers_again(tx, &ctx.tenant, connection, ctx.now_ms()).await? > 0 {
        tx.ring();
    }
    Ok(())
}

/// [`release`] for all quarantined lanes that fit; returns how many there were.
pub async fn release_quarantined(tx: &mut WriteTx, ctx: &Ctx, which: &Quarantined) -> Result<u64, crate::store::Error> {
    let released = store::release_quarantined(tx, &ctx.tenant, which, ctx.now_ms()).await?;
    if released > 0 {
        tx.ring();
    }
    Ok(released)
}

/// Drops a lane that somebody decided to skip. `false` if there is none or a handler is at work on it. What the lane stood for
/// stays in the concept's tables: mark it there too.
pub async fn forget(tx: &mut WriteTx, ctx: &Ctx, lane: &LaneKey) -> Result<bool, crate::store::Error> {
    store::forget(tx, &ctx.tenant, lane).await
}

/// Forgets lanes, schedules and rate limits of a connection that is being removed; returns the number of lanes. A handler
/// still at work fails at its fence.
pub async fn remove_connection(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId) -> Result<u64, crate::store::Error> {
    schedule::remove_connection(tx, ctx, connection).await?;
    buckets::remove_connection(tx, ctx, connection).await?;
    store::remove_connection(tx, &ctx.tenant, connection).await
}

pub async fn find(conn: &mut impl Sql, ctx: &Ctx, lane: &LaneKey) -> Result<Option<Lane>, crate::store::Error> {
    store::find(conn, &ctx.tenant, lane).await
}

/// Lanes in the order of their ids, after the id `after`.
pub async fn list(
    conn: &mut impl Sql,
    ctx: &Ctx,
    filter: Filter,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Lane>, crate::store::Error> {
    store::list(conn, &ctx.tenant, filter, after, limit).await
}

/// Quarantined lanes that fit, in the order of their ids, after the id `after`.
pub async fn list_quarantined(
    conn: &mut impl Sql,
    ctx: &Ctx,
    which: &Quarantined,
    after: &str,
    limit: u32,
) -> Result<Vec<Lane>, crate::store::Error> {
    store::list_quarantined(conn, &ctx.tenant, which, after, limit).await
}

/// Failing and quarantined lanes grouped by connection and reason, the most frequent first.
pub async fn causes(conn: &mut impl Sql, ctx: &Ctx) -> Result<Vec<Cause>, crate::store::Error> {
    store::causes(conn, &ctx.tenant).await
}

/// One line per kind and connection: how many lanes are due, waiting, running, failing, quarantined.
pub async fn overview(conn: &mut impl Sql, ctx: &Ctx) -> Result<Vec<Flow>, crate::store::Error> {
    store::overview(conn, &ctx.tenant, ctx.now_ms()).await
}

#[cfg(test)]
mod tests;
