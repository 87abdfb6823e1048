//! The rules without the database: keys, how a run may end, back-off, and how slots are shared out.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::ctx::Tenant;
use crate::id::ConnectionId;

/// A due time that never comes.
pub const NEVER: i64 = i64::MAX;
/// How long a claim holds its lane without being renewed, unless the configuration says otherwise.
pub const LEASE_MS: i64 = 30_000;
/// Renewals in the time of one lease: several may fail before it ends.
const RENEWALS: i64 = 6;
/// The longest that work stays unseen when every wake-up is lost, unless the configuration says otherwise.
pub const SWEEP_MS: i64 = 15_000;

/// How long the runner holds what it claimed, and how often it looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    pub lease_ms: i64,
    pub sweep_ms: i64,
}

impl Pace {
    pub(super) fn renew_ms(self) -> i64 {
        self.lease_ms / RENEWALS
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self { lease_ms: LEASE_MS, sweep_ms: SWEEP_MS }
    }
}
/// Processes that died in a row while they held a lane, after which it is quarantined: its handler seems to kill them.
pub const MAX_CLAIMS: i64 = 3;
/// Typed failures in a row after which a lane is quarantined.
pub const MAX_FAILURES: i64 = 8;
const BACKOFF_BASE_MS: i64 = 1_000;
const BACKOFF_CAP_MS: i64 = 15 * 60_000;
/// A channel may ask for a longer pause than our cap, but a slip of its clock must not silence a lane for years.
const RETRY_AFTER_CAP_MS: i64 = 24 * 3_600_000;
/// Without its database a process claims nothing, so that only what goes away again and again comes to wait this long.
const NO_DATABASE_CAP_MS: i64 = 30_000;
const REASON_CHARS: usize = 1_000;

macro_rules! kinds {
    ($($kind:ident $text:literal),* $(,)?) => {
        /// What kind of work a lane stands for; the handler is registered under it.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub enum LaneKind { $($kind),* }

        impl LaneKind {
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $text),* }
            }

            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$kind),)* _ => None }
            }
        }
    };
}

kinds! {
    Inbound "inbound",
    Poll "poll",
    Push "push",
    Listings "listings",
    Webhooks "webhooks",
    Fulfilment "fulfilment",
    Rates "rates",
    Reconcile "reconcile",
    Expiry "expiry",
    Housekeeping "housekeeping",
    Tax "tax",
}

impl LaneKind {
    /// Kinds with one lane per record of a channel: such a lane is removed when it is done, or there would be a row for ever
    /// for every order.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Inbound)
    }

    /// Kinds whose runs are mostly a channel's answer on its way.
    pub fn waits_for_channels(self) -> bool {
        matches!(self, Self::Poll | Self::Push | Self::Listings | Self::Webhooks | Self::Fulfilment | Self::Rates | Self::Reconcile)
    }
}

impl fmt::Display for LaneKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Names a lane within its tenant. Text form `KIND/CONNECTION/SUBJECT`; only the subject may contain a slash.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct LaneKey {
    pub kind: LaneKind,
    pub connection: Option<ConnectionId>,
    /// Field, run, or the channel's own id of a record; may be empty.
    pub subject: String,
}

impl LaneKey {
    pub fn new(kind: LaneKind, connection: &ConnectionId, subject: impl Into<String>) -> Self {
        Self { kind, connection: Some(connection.clone()), subject: subject.into() }
    }

    /// A lane of the hub's own, such as housekeeping.
    pub fn of_hub(kind: LaneKind, subject: impl Into<String>) -> Self {
        Self { kind, connection: None, subject: subject.into() }
    }

    pub fn id(&self) -> String {
        format!("{}/{}", self.flow(), self.subject)
    }

    /// `KIND/CONNECTION`: the lanes that share one limit of concurrency.
    pub fn flow(&self) -> String {
        format!("{}/{}", self.kind, self.connection_text())
    }

    pub fn connection_text(&self) -> &str {
        self.connection.as_ref().map_or("", ConnectionId::as_str)
    }

    pub fn parse(id: &str) -> Option<Self> {
        let mut parts = id.splitn(3, '/');
        let (kind, connection, subject) = (LaneKind::parse(parts.next()?)?, parts.next()?, parts.next()?);
        let connection = if connection.is_empty() { None } else { Some(ConnectionId::parse(connection).ok()?) };
        Some(Self { kind, connection, subject: subject.to_owned() })
    }
}

impl fmt::Display for LaneKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id())
    }
}

/// The right to run a lane, until its lease ends. Clones are the same right.
#[derive(Clone, Debug)]
pub struct Claim(Arc<ClaimState>);

#[derive(Debug)]
struct ClaimState {
    tenant: Tenant,
    key: LaneKey,
    epoch: i64,
    owner: String,
    claims: i64,
    failures: i64,
    outages: i64,
    finished: AtomicBool,
    lost: AtomicBool,
}

impl Claim {
    pub(super) fn new(tenant: Tenant, key: LaneKey, epoch: i64, owner: String, claims: i64, (failures, outages): (i64, i64)) -> Self {
        let (finished, lost) = (AtomicBool::new(false), AtomicBool::new(false));
        Self(Arc::new(ClaimState { tenant, key, epoch, owner, claims, failures, outages, finished, lost }))
    }

    pub fn tenant(&self) -> &Tenant {
        &self.0.tenant
    }

    pub fn key(&self) -> &LaneKey {
        &self.0.key
    }

    pub fn connection(&self) -> Option<&ConnectionId> {
        self.0.key.connection.as_ref()
    }

    pub fn subject(&self) -> &str {
        &self.0.key.subject
    }

    pub fn epoch(&self) -> i64 {
        self.0.epoch
    }

    /// Typed failures in a row before this run.
    pub fn failures(&self) -> i64 {
        self.0.failures
    }

    /// Those of them that were the other side's.
    pub(super) fn outages(&self) -> i64 {
        self.0.outages
    }

    pub(super) fn owner(&self) -> &str {
        &self.0.owner
    }

    /// A former run of this lane ended without a word: its process seems to have died.
    pub(super) fn is_suspect(&self) -> bool {
        self.0.claims > 1
    }

    /// If this process dies before the run has ended, the lane is set aside.
    pub(super) fn is_last_try(&self) -> bool {
        self.0.claims >= MAX_CLAIMS
    }

    pub fn is_finished(&self) -> bool {
        self.0.finished.load(Ordering::Acquire)
    }

    pub(super) fn mark_finished(&self) {
        self.0.finished.store(true, Ordering::Release);
    }

    /// The lease could not be renewed. Worth asking before a costly call; what protects the data is the fence.
    pub fn is_lost(&self) -> bool {
        self.0.lost.load(Ordering::Acquire)
    }

    pub(super) fn mark_lost(&self) {
        self.0.lost.store(true, Ordering::Release);
    }
}

/// How a run ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Nothing left to do. Runs again when it was asked for while it ran, or is asked for later.
    Done,
    /// Went well, and there is more at `at_ms`.
    Again {
        at_ms: i64,
    },
    Failed {
        reason: String,
        retry_after_ms: Option<i64>,
    },
    /// The other side does not answer, which passes by itself: tried again for as long as it takes, with a growing back-off.
    Away {
        reason: String,
        retry_after_ms: Option<i64>,
    },
    /// Our own database went away meanwhile: tried again soon after it is back, as no failure of the lane's.
    NoDatabase {
        reason: String,
    },
    /// Waits for a rate slot; burns no attempt.
    Throttled {
        at_ms: i64,
    },
    Quarantine {
        reason: String,
    },
}

/// What [`Outcome`] means for the row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct End {
    pub next_due: i64,
    pub not_before: i64,
    pub failures: i64,
    pub outages: i64,
    pub quarantined_at: Option<i64>,
    pub reason: Option<String>,
    /// The row may go when nothing was wished for meanwhile.
    pub removable: bool,
}

/// `failures` in a row before this run, `outages` of them the other side's.
pub(super) fn end_of_run(outcome: Outcome, (failures, outages): (i64, i64), now_ms: i64, jitter: u64) -> End {
    let calm = End { next_due: NEVER, not_before: 0, failures: 0, outages: 0, quarantined_at: None, reason: None, removable: false };
    match outcome {
        Outcome::Done => End { removable: true, ..calm },
        Outcome::Again { at_ms } => End { next_due: at_ms, ..calm },
        Outcome::Throttled { at_ms } => End { next_due: at_ms, not_before: at_ms, failures, outages, ..calm },
        Outcome::Failed { reason, retry_after_ms } => {
            let failures = failures + 1;
            let at = now_ms.saturating_add(backoff_ms(failures, retry_after_ms, jitter));
            let quarantined_at = (failures - outages >= MAX_FAILURES).then_some(now_ms);
            End { next_due: at, not_before: at, failures, outages, quarantined_at, reason: Some(shortened(reason)), ..calm }
        }
        Outcome::Away { reason, retry_after_ms } => {
            let failures = failures + 1;
            let at = now_ms.saturating_add(backoff_ms(failures, retry_after_ms, jitter));
            End { next_due: at, not_before: at, failures, outages: outages + 1, reason: Some(shortened(reason)), ..calm }
        }
        Outcome::NoDatabase { reason } => {
            let failures = failures + 1;
            let at = now_ms.saturating_add(backoff_ms(failures, None, jitter).min(NO_DATABASE_CAP_MS));
            End { next_due: at, not_before: at, failures, outages: outages + 1, reason: Some(shortened(reason)), ..calm }
        }
        Outcome::Quarantine { reason } => {
            End { next_due: now_ms, failures: failures + 1, outages, quarantined_at: Some(now_ms), reason: Some(shortened(reason)), ..calm }
        }
    }
}

/// 1 s, doubled with each failure in a row up to 15 min, or what the channel asked for if that is longer. Up to a tenth is
/// added, and never taken away, so that many lanes do not return at once.
pub fn backoff_ms(failures: i64, retry_after_ms: Option<i64>, jitter: u64) -> i64 {
    let doublings = u32::try_from(failures.saturating_sub(1).clamp(0, 20)).unwrap_or(20);
    let own = BACKOFF_BASE_MS.saturating_mul(1i64 << doublings).min(BACKOFF_CAP_MS);
    let wait = own.max(retry_after_ms.unwrap_or(0).min(RETRY_AFTER_CAP_MS));
    let spread = wait.unsigned_abs() / 10 + 1;
    wait + i64::try_from(jitter % spread).unwrap_or(0)
}

fn shortened(reason: String) -> String {
    if reason.chars().count() <= REASON_CHARS { reason } else { reason.chars().take(REASON_CHARS).chain(['…']).collect() }
}

/// How many lanes may run at once: of a kind, and of a kind within one connection, so that a slow channel cannot take all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cap {
    pub total: usize,
    pub per_connection: usize,
}

impl Cap {
    /// Busy flows are topped up only when that many places are free: a claim of one lane costs as much as one of several.
    fn worth_claiming(self) -> usize {
        (self.per_connection.min(self.total) / 8).max(1)
    }
}

/// Gives each flow with due lanes as many slots as limits and runs under way leave, one each in turn, beginning at another
/// flow every time (`turn`). Where every flow of a kind is at work already, they get none rather than few.
pub(super) fn share_slots(
    due: &[(LaneKind, String)],
    running: &HashMap<String, usize>,
    caps: impl Fn(LaneKind) -> Cap,
    turn: usize,
) -> Vec<(String, usize)> {
    let mut left: HashMap<LaneKind, usize> = HashMap::new();
    for kind in LaneKind::ALL {
        let prefix = format!("{kind}/");
        let used: usize = running.iter().filter(|(flow, _)| flow.starts_with(&prefix)).map(|(_, n)| n).sum();
        left.insert(*kind, caps(*kind).total.saturating_sub(used));
    }
    let mut order: Vec<usize> = (0..due.len()).collect();
    order.rotate_left(turn.checked_rem(due.len()).unwrap_or(0));
    let mut given = vec![0usize; due.len()];
    loop {
        let mut any = false;
        for &i in &order {
            let (kind, flow) = &due[i];
            let free = left.entry(*kind).or_default();
            if *free > 0 && given[i] + running.get(flow).copied().unwrap_or(0) < caps(*kind).per_connection {
                given[i] += 1;
                *free -= 1;
                any = true;
            }
        }
        if !any {
            break;
        }
    }
    let worth = |kind: LaneKind| {
        let of_kind = || (0..due.len()).filter(|&i| due[i].0 == kind && given[i] > 0);
        of_kind().any(|i| !running.contains_key(&due[i].1)) || of_kind().map(|i| given[i]).sum::<usize>() >= caps(kind).worth_claiming()
    };
    let worthy: Vec<LaneKind> = LaneKind::ALL.iter().copied().filter(|kind| worth(*kind)).collect();
    order.into_iter().filter(|&i| given[i] > 0 && worthy.contains(&due[i].0)).map(|i| (due[i].1.clone(), given[i])).collect()
}
