//! The loop that claims due lanes and runs their handlers.
//!
//! One runner per process. It claims no more than it can start at once, so that a claim is a started handler and the claims
//! counter tells crashes. What it left behind itself, because the database was away, it takes again without counting: it lives. A lane that
//! another process left is a suspect, and left to a process that has stood for a whole lease with its database, about as long as the other's
//! lease lasts: where processes are killed again and again for another reason, work that was there each time is not to blame, and one that
//! lives comes first to its own. A suspect on its last try has no other beside it, so that lanes that merely ran beside a handler that kills
//! the process are not blamed either.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::task::{Id, JoinError, JoinSet};

use super::model::{Cap, Claim, LaneKind, NEVER, Outcome, Pace, share_slots};
use super::store::Suspects;
use super::wake::Wake;
use super::{Error, HandlerError, finish, schedule, store};
use crate::ctx::Ctx;
use crate::store::{Store, chain, is_away, may_pass};

/// What runs when a lane of its kind is due. No unit of work is open when it is called; `ctx` has the lane's tenant.
pub trait Handler: Send + Sync {
    fn run<'a>(&'a self, ctx: &'a Ctx, claim: &'a Claim) -> BoxFuture<'a, Result<(), HandlerError>>;
}

/// Kinds without a handler stay due; another process may serve them.
#[derive(Clone, Default)]
pub struct Handlers(HashMap<LaneKind, Arc<dyn Handler>>);

impl Handlers {
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn with(mut self, kind: LaneKind, handler: impl Handler + 'static) -> Self {
        self.0.insert(kind, Arc::new(handler));
        self
    }
}

/// How many handlers may run at once.
#[derive(Clone, Debug)]
pub struct Limits {
    kinds: HashMap<LaneKind, Cap>,
    overall: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let cap = |kind: &LaneKind| {
            let (total, per_connection) = match kind {
                LaneKind::Inbound => (64, 32),
                LaneKind::Push | LaneKind::Fulfilment => (16, 4),
                LaneKind::Poll => (16, 2),
                LaneKind::Listings | LaneKind::Webhooks | LaneKind::Rates | LaneKind::Reconcile => (8, 1),
                LaneKind::Housekeeping | LaneKind::Expiry => (2, 2),
                // Running totals have one writer.
                LaneKind::Tax => (4, 1),
            };
            (*kind, Cap { total, per_connection })
        };
        Self { kinds: LaneKind::ALL.iter().map(cap).collect(), overall: usize::MAX }
    }
}

impl Limits {
    #[must_use]
    pub fn with(mut self, kind: LaneKind, cap: Cap) -> Self {
        self.kinds.insert(kind, cap);
        self
    }

    /// No more than this over all kinds together.
    #[must_use]
    pub fn at_most(self, overall: usize) -> Self {
        Self { overall, ..self }
    }

    /// Work that mostly waits for channels takes no more lanes than this process may make calls at once: a lane that only waited for
    /// its turn here would be kept from a process that has room.
    #[must_use]
    pub fn calling(mut self, calls: usize) -> Self {
        for (kind, cap) in &mut self.kinds {
            if kind.waits_for_channels() {
                cap.total = cap.total.min(calls.max(1));
            }
        }
        self
    }

    fn of(&self, kind: LaneKind) -> Cap {
        self.kinds.get(&kind).copied().unwrap_or(Cap { total: 1, per_connection: 1 })
    }
}

/// Lanes that other processes left and that are at work at once, and as many of its own that a process takes again at once.
const SUSPECTS: usize = 16;
/// A claim may come back empty although lanes looked due, because another process was faster.
const EMPTY_CLAIM_PAUSE_MS: i64 = 250;
const FAILED_WRITE_PAUSE_MS: i64 = 1_000;
/// How long a stopping runner waits for its handlers.
const GRACE_MS: i64 = 20_000;
/// How long a schedule can stay wrong after the clock or a merchant's zone was.
const REARM_MS: i64 = 3_600_000;
const FINISH_COLLISIONS: usize = 3;

pub struct Runner {
    store: Store,
    ctx: Ctx,
    handlers: Handlers,
    limits: Limits,
    pace: Pace,
    /// How the owners of all its claims begin.
    process: String,
    /// Since when the process and its database have stood.
    stands_since: i64,
    tasks: JoinSet<()>,
    held: HashMap<Id, Claim>,
    turn: usize,
}

impl Runner {
    pub fn new(store: Store, ctx: Ctx, handlers: Handlers, limits: Limits) -> Self {
        let (process, stands_since, pace) = (format!("{}/", ctx.ids.body()), ctx.now_ms(), Pace::default());
        Self { store, ctx, handlers, limits, pace, process, stands_since, tasks: JoinSet::new(), held: HashMap::new(), turn: 0 }
    }

    #[must_use]
    pub fn paced(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// Works until `stop` resolves, then lets running handlers end, and gives back what did not end in time.
    pub async fn run(mut self, mut wake: Box<dyn Wake>, stop: impl Future<Output = ()> + Send) {
        let clock = self.ctx.clock.clone();
        let mut stop = std::pin::pin!(stop);
        let mut renew_at = clock.now_ms() + self.pace.renew_ms();
        let (mut rearm_at, mut steer_at) = (clock.now_ms(), clock.now_ms());
        loop {
            if clock.now_ms() >= steer_at {
                self.steer_clock().await;
                steer_at = clock.now_ms() + self.pace.sweep_ms;
            }
            if clock.now_ms() >= rearm_at {
                rearm_at = clock.now_ms() + REARM_MS;
                self.rearm_schedules().await;
            }
            let next_at = match self.renew_and_claim(&mut renew_at).await {
                Ok(at) => at,
                Err(_) if self.store.is_poisoned() => {
                    tracing::error!("lanes stand still: the database cannot be written");
                    break;
                }
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "due lanes could not be claimed");
                    if is_away(&error) {
                        self.stands_since = clock.now_ms();
                    }
                    clock.now_ms() + FAILED_WRITE_PAUSE_MS
                }
            };
            let sweep_at = clock.now_ms() + self.pace.sweep_ms;
            tokio::select! {
                () = &mut stop => break,
                Some(ended) = self.tasks.join_next_with_id() => self.note_ends(ended),
                () = wake.wait() => {}
                () = clock.sleep_until(next_at.min(sweep_at)) => {}
            }
        }
        self.wind_down(renew_at).await;
    }

    /// Runs everything that is due now, and what that makes due now, and returns. For tests and one-shot commands.
    pub async fn run_until_idle(&mut self) -> Result<(), crate::store::Error> {
        loop {
            self.claim_due().await?;
            match self.tasks.join_next_with_id().await {
                Some(ended) => self.note_ends(ended),
                None => return Ok(()),
            }
        }
    }

    /// In this order: what runs here must not look left behind.
    async fn renew_and_claim(&mut self, renew_at: &mut i64) -> Result<i64, crate::store::Error> {
        self.renew_if_due(renew_at).await?;
        Ok(self.claim_due().await?.min(*renew_at))
    }

    /// Starts what is due and has a free slot; returns when to look again if nothing wakes the runner before.
    async fn claim_due(&mut self) -> Result<i64, crate::store::Error> {
        loop {
            let now = self.ctx.now_ms();
            let stands_at = self.stands_since + self.pace.lease_ms;
            let suspects = self.suspects(now >= stands_at);
            let seen = store::due(&mut self.store.read().await?, &suspects).await?;
            if seen.fires_at <= now && self.fire_schedules().await? > 0 {
                continue;
            }
            let mine = seen.flows.into_iter().filter(|(kind, ..)| self.handlers.0.contains_key(kind));
            let (due, later): (Vec<_>, Vec<_>) = mine.partition(|(.., at)| *at <= now);
            let later = later
                .into_iter()
                .map(|(.., at)| at)
                .chain([seen.expires_at, seen.fires_at, stands_at])
                .filter(|at| *at > now)
                .min()
                .unwrap_or(NEVER);
            let due: Vec<(LaneKind, String)> = due.into_iter().map(|(kind, flow, _)| (kind, flow)).collect();
            let mut free = self.limits.overall.saturating_sub(self.held.len());
            let mut slots = share_slots(&due, &self.running_by_flow(), |kind| self.limits.of(kind), self.turn);
            for (_, wanted) in &mut slots {
                *wanted = (*wanted).min(free);
                free -= *wanted;
            }
            slots.retain(|(_, wanted)| *wanted > 0);
            let suspects = suspects.at_most(if seen.expires_at <= now { free } else { 0 });
            if slots.is_empty() && suspects.is_empty() {
                return Ok(later);
            }
            self.turn = self.turn.wrapping_add(1);
            let claims = self.claim(now, slots, suspects).await?;
            if claims.is_empty() {
                return Ok(later.min(now + EMPTY_CLAIM_PAUSE_MS));
            }
            for claim in claims {
                self.start(claim);
            }
        }
    }

    fn suspects(&self, of_others: bool) -> Suspects {
        let held = self.held.values().filter(|claim| claim.is_suspect()).count();
        let more = if self.held.values().any(Claim::is_last_try) { 0 } else { SUSPECTS.saturating_sub(held) };
        let kinds = self.handlers.0.keys().copied().collect();
        Suspects { process: self.process.clone(), kinds, of_others, more, last_try: held == 0 }
    }

    async fn claim(&self, now: i64, slots: Vec<(String, usize)>, suspects: Suspects) -> Result<Vec<Claim>, crate::store::Error> {
        let (claim, lease_ms) = (self.ctx.ids.body(), self.pace.lease_ms);
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    if suspects.of_others && !suspects.is_empty() {
                        for (tenant, lane) in store::quarantine_crashed(tx, &suspects.process, now).await? {
                            tracing::warn!(tenant, lane, "lane quarantined: the process ended every time it ran");
                        }
                    }
                    store::claim(tx, &claim, now, lease_ms, &slots, &suspects).await
                })
            })
            .await
    }

    /// Returns how many were due and not already being fired by another process.
    async fn fire_schedules(&self) -> Result<usize, crate::store::Error> {
        let ctx = self.ctx.clone();
        self.store.write(move |tx| Box::pin(async move { schedule::tick(tx, &ctx).await })).await
    }

    async fn steer_clock(&self) {
        if let Err(error) = self.store.steer(&self.ctx.clock).await {
            tracing::debug!(error = %chain(&error), "the database's time could not be read; the clock goes on by itself");
        }
    }

    async fn rearm_schedules(&self) {
        let ctx = self.ctx.clone();
        let armed = self.store.write(move |tx| Box::pin(async move { schedule::rearm(tx, &ctx).await })).await;
        if let Err(error) = armed {
            tracing::warn!(error = %chain(&error), "schedules keep the times computed before");
        }
    }

    fn start(&mut self, claim: Claim) {
        let Some(handler) = self.handlers.0.get(&claim.key().kind).cloned() else { return };
        let (store, ctx) = (self.store.clone(), Ctx { tenant: claim.tenant().clone(), ..self.ctx.clone() });
        let (mine, lease_ms) = (claim.clone(), self.pace.lease_ms);
        let task = self.tasks.spawn(async move {
            let result = AssertUnwindSafe(handler.run(&ctx, &claim)).catch_unwind().await;
            let result = result.unwrap_or_else(|_| Err(HandlerError::failed("the handler panicked")));
            settle(&store, &ctx, &claim, result, lease_ms).await;
        });
        self.held.insert(task.id(), mine);
    }

    fn running_by_flow(&self) -> HashMap<String, usize> {
        let mut running = HashMap::new();
        for claim in self.held.values() {
            *running.entry(claim.key().flow()).or_default() += 1;
        }
        running
    }

    /// Notes a run that ended and all others that did meanwhile, so that one claim fills their places.
    fn note_ends(&mut self, first: Result<(Id, ()), JoinError>) {
        let mut next = Some(first);
        while let Some(ended) = next {
            let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
            self.held.remove(&id);
            next = self.tasks.try_join_next_with_id();
        }
    }

    async fn renew_if_due(&mut self, renew_at: &mut i64) -> Result<(), crate::store::Error> {
        let now = self.ctx.now_ms();
        if now < *renew_at {
            return Ok(());
        }
        let claims: Vec<Claim> = self.held.values().filter(|claim| !claim.is_finished()).cloned().collect();
        if !claims.is_empty() {
            let lease_ms = self.pace.lease_ms;
            let lost = self.store.write(move |tx| Box::pin(async move { store::renew(tx, &claims, now, lease_ms).await })).await?;
            lost.iter().for_each(Claim::mark_lost);
        }
        *renew_at = now + self.pace.renew_ms();
        Ok(())
    }

    async fn wind_down(&mut self, mut renew_at: i64) {
        let clock = self.ctx.clock.clone();
        let deadline = clock.now_ms() + GRACE_MS;
        while !self.tasks.is_empty() && clock.now_ms() < deadline {
            tokio::select! {
                Some(ended) = self.tasks.join_next_with_id() => self.note_ends(ended),
                () = clock.sleep_until(deadline.min(renew_at)) => {
                    if let Err(error) = self.renew_if_due(&mut renew_at).await {
                        tracing::warn!(error = %chain(&error), "leases could not be renewed");
                        renew_at = clock.now_ms() + FAILED_WRITE_PAUSE_MS;
                    }
                }
            }
        }
        self.tasks.abort_all();
        while let Some(ended) = self.tasks.join_next_with_id().await {
            if let Ok((id, ())) = ended {
                self.held.remove(&id);
            }
        }
        for claim in std::mem::take(&mut self.held).into_values() {
            let ctx = Ctx { tenant: claim.tenant().clone(), ..self.ctx.clone() };
            let now = ctx.now_ms();
            end_run(&self.store, &ctx, &claim, Outcome::Again { at_ms: now }, now).await;
        }
    }
}

/// Ends the run as the handler's result says, unless the handler has done so itself.
async fn settle(store: &Store, ctx: &Ctx, claim: &Claim, result: Result<(), HandlerError>, lease_ms: i64) {
    let outcome = match result {
        Ok(()) => Outcome::Done,
        Err(HandlerError::Throttled { at_ms }) => Outcome::Throttled { at_ms },
        Err(HandlerError::Contended) => {
            tracing::debug!(tenant = ctx.tenant.as_str(), lane = %claim.key(), "another unit of work stood in the way");
            // The database has made one of the two wait already, so there is no pause here.
            Outcome::Throttled { at_ms: ctx.now_ms() }
        }
        Err(HandlerError::NoDatabase { reason }) => {
            tracing::warn!(tenant = ctx.tenant.as_str(), lane = %claim.key(), reason, "the database went away during a run");
            Outcome::NoDatabase { reason }
        }
        Err(HandlerError::Away { reason, retry_after_ms }) => {
            tracing::warn!(tenant = ctx.tenant.as_str(), lane = %claim.key(), reason, "the other side does not answer");
            Outcome::Away { reason, retry_after_ms }
        }
        Err(HandlerError::Quarantine { reason }) => Outcome::Quarantine { reason },
        Err(HandlerError::Failed { reason, retry_after_ms }) => {
            tracing::warn!(tenant = ctx.tenant.as_str(), lane = %claim.key(), failures = claim.failures() + 1, reason, "lane failed");
            Outcome::Failed { reason, retry_after_ms }
        }
        Err(HandlerError::Stale) => {
            tracing::info!(tenant = ctx.tenant.as_str(), lane = %claim.key(), "a run lost its lane; nothing of it was stored");
            return;
        }
    };
    if !claim.is_finished() {
        end_run(store, ctx, claim, outcome, ctx.now_ms() + lease_ms).await;
    }
}

/// Tried until `until_ms`, because a database that was away for a moment is no crash of the handler. If the end cannot be stored,
/// the lease runs out and the lane is claimed again.
async fn end_run(store: &Store, ctx: &Ctx, claim: &Claim, mut outcome: Outcome, until_ms: i64) {
    let (mut collisions, mut plainly) = (0, false);
    loop {
        let (owned_ctx, owned_claim, how) = (ctx.clone(), claim.clone(), outcome.clone());
        let ended = store.write(move |tx| Box::pin(async move { finish(tx, &owned_ctx, &owned_claim, how).await })).await;
        let again_at = ctx.now_ms() + FAILED_WRITE_PAUSE_MS;
        match ended {
            Ok(()) | Err(Error::Stale) => return,
            Err(Error::Store(crate::store::Error::Contended(_))) if collisions < FINISH_COLLISIONS => collisions += 1,
            // What cannot be stored now cannot be stored later, and a lane that is only left behind would be taken again for ever.
            Err(error) if !may_pass(&error) && !plainly => {
                plainly = true;
                tracing::warn!(tenant = ctx.tenant.as_str(), lane = %claim.key(), error = %chain(&error), "the end of a run could not be stored as it was");
                outcome =
                    Outcome::Failed { reason: "the end of the run could not be stored; the log says why".into(), retry_after_ms: None };
            }
            Err(error) if store.is_poisoned() || again_at > until_ms => {
                tracing::warn!(tenant = ctx.tenant.as_str(), lane = %claim.key(), error = %chain(&error), "the end of a run could not be stored");
                return;
            }
            Err(_) => ctx.clock.sleep_until(again_at).await,
        }
    }
}
