//! What is dropped when its time has passed, every night: content of deliveries, the keys by which they are known again, batches
//! that were sent, fires of schedules. Personal data and what seals it go with the content.
//!
//! Dropping twice is dropping once, so its units of work need no fence but the last. One lane of the hub's own; a night that was
//! missed is made up for at the next start.

use futures::future::BoxFuture;

use super::error::ending;
use super::{Error, Sync, store};
use crate::ctx::Ctx;
use crate::inbox;
use crate::lanes::{self, Claim, Handler, HandlerError, LaneKey, LaneKind, Outcome, schedule};
use crate::store::WriteTx;

pub(super) const DAY_MS: i64 = 86_400_000;
/// When merchants sleep.
const HOUR: i8 = 3;
/// A local time can come twice within hours, never within weeks.
const FIRE_DAYS: i64 = 30;
/// Batches in one unit of work.
const AT_ONCE: u32 = 1_000;

/// How many days things are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keep {
    pub delivery_body_days: u32,
    pub dedupe_days: u32,
    pub effect_days: u32,
}

impl Default for Keep {
    fn default() -> Self {
        Self { delivery_body_days: 14, dedupe_days: 30, effect_days: 90 }
    }
}

pub struct Upkeep {
    pub sync: Sync,
    pub keep: Keep,
}

fn lane() -> LaneKey {
    LaneKey::of_hub(LaneKind::Housekeeping, "retention")
}

/// Sees to it that there is a next night; one that was missed comes first.
pub async fn arrange(tx: &mut WriteTx, ctx: &Ctx) -> Result<(), crate::store::Error> {
    let zone = schedule::zone_of_merchant(tx, &ctx.tenant).await?;
    lanes::make_due(tx, ctx, &lane(), next_night(&zone, ctx.now_ms())).await
}

impl Handler for Upkeep {
    fn run<'a>(&'a self, ctx: &'a Ctx, claim: &'a Claim) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move { run(self, ctx, claim).await.map_err(|error| ending(error, ctx.now_ms())) })
    }
}

async fn run(upkeep: &Upkeep, ctx: &Ctx, claim: &Claim) -> Result<(), Error> {
    let (store, now) = (&upkeep.sync.store, ctx.now_ms());
    let before = |days: u32| now.saturating_sub(i64::from(days) * DAY_MS);
    let bodies = inbox::drop_bodies(store, ctx, &upkeep.sync.vault, before(upkeep.keep.delivery_body_days)).await?;
    let keys = inbox::forget_keys(store, ctx, before(upkeep.keep.dedupe_days)).await?;
    let mut effects = 0;
    loop {
        let (ctx, before) = (ctx.clone(), before(upkeep.keep.effect_days));
        let gone = store.write(move |tx| Box::pin(async move { store::forget_effects(tx, &ctx, before, AT_ONCE).await })).await?;
        effects += gone;
        if gone < u64::from(AT_ONCE) {
            break;
        }
    }
    if bodies + keys + effects > 0 {
        tracing::info!(bodies, keys, effects, "dropped what was kept long enough");
    }
    let zone = schedule::zone_of_merchant(&mut store.read().await?, &ctx.tenant).await?;
    let drift_before = before(upkeep.keep.effect_days);
    let (ctx, claim, next) = (ctx.clone(), claim.clone(), next_night(&zone, now));
    store
        .write(move |tx| {
            Box::pin(async move {
                lanes::fence(tx, &claim).await?;
                store::forget_drifts(tx, &ctx, drift_before).await?;
                schedule::forget_fires(tx, &ctx.tenant, now.saturating_sub(FIRE_DAYS * DAY_MS)).await?;
                Ok::<_, Error>(lanes::finish(tx, &ctx, &claim, Outcome::Again { at_ms: next }).await?)
            })
        })
        .await
}

/// The first three o'clock of the merchant's after an instant; where the clock springs over it, the first instant after.
fn next_night(zone: &jiff::tz::TimeZone, now_ms: i64) -> i64 {
    let later = now_ms.saturating_add(DAY_MS);
    let Ok(now) = jiff::Timestamp::from_millisecond(now_ms) else { return later };
    let local = now.to_zoned(zone.clone());
    let nights = [local.date(), local.date().saturating_add(jiff::ToSpan::days(1))];
    let instants = nights.iter().filter_map(|date| date.at(HOUR, 0, 0, 0).to_zoned(zone.clone()).ok());
    instants.map(|night| night.timestamp().as_millisecond()).find(|at| *at > now_ms).unwrap_or(later)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn nights_are_the_merchants_and_follow_its_clock() {
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let berlin = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
        assert_eq!(next_night(&berlin, at("2026-11-28T00:00:00Z")), at("2026-11-28T02:00:00Z"));
        assert_eq!(next_night(&berlin, at("2026-11-28T02:00:00Z")), at("2026-11-29T02:00:00Z"));
        assert_eq!(next_night(&berlin, at("2026-07-01T12:00:00Z")), at("2026-07-02T01:00:00Z"));
        assert_eq!(next_night(&jiff::tz::TimeZone::UTC, at("2026-11-28T23:59:59Z")), at("2026-11-29T03:00:00Z"));
    }
}
