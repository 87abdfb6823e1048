//! What became of a batch. Where that is not known, the channel is asked what it shows, and nothing is repeated blindly.

use std::collections::BTreeMap;

use super::{Change, Field};
use crate::connections::Connection;
use crate::ctx::Ctx;
use crate::id::ConnectionId;
use crate::lanes::{self, Claim, Outcome};
use crate::plugins::CallError;
use crate::plugins::wire::{self, Fault, Sent};
use crate::store::WriteTx;
use crate::sync::store::{self, Effect};
use crate::sync::{Error, Session, Sync, health};

/// A record that a channel refused for a passing reason is tried again after this.
const ITEM_PAUSE_MS: i64 = 5_000;

/// The shop sold in between; it is read and told again soon.
const CONFLICT_PAUSE_MS: i64 = 250;

/// One batch on its way.
pub struct Batch<'a> {
    pub sync: &'a Sync,
    pub ctx: &'a Ctx,
    pub claim: &'a Claim,
    pub connection: &'a Connection,
    pub field: Field,
    pub effect: Effect,
    pub changes: Vec<Change>,
}

impl Batch<'_> {
    pub async fn send(self, session: &Session) -> Result<(), Error> {
        self.count_attempt().await?;
        let context = session.context(self.effect.attempts + 1, &self.effect.idempotency_key);
        match self.field.send(session, context, &self.changes).await {
            Ok(outcomes) => {
                health::note(self.sync, self.ctx, self.connection, None).await?;
                self.store_outcomes(outcomes).await
            }
            Err(error) => {
                let safe = matches!(&error, CallError::Failed(failure) if failure.sent == Sent::No);
                let error = Error::from(error);
                health::note(self.sync, self.ctx, self.connection, Some(&error)).await?;
                if safe {
                    self.release(&error.to_string()).await?;
                }
                Err(error)
            }
        }
    }

    /// Committed before the call: from here on the batch counts as possibly sent.
    async fn count_attempt(&self) -> Result<(), Error> {
        let (ctx, claim, id) = (self.ctx.clone(), self.claim.clone(), self.effect.id.clone());
        self.sync
            .store
            .write(move |tx| {
                Box::pin(async move {
                    lanes::fence(tx, &claim).await?;
                    store::count_attempt(tx, &ctx, &id).await
                })
            })
            .await
    }

    /// Nothing of the batch left this machine: its values are due again, in a new batch.
    async fn release(self, why: &str) -> Result<(), Error> {
        let (ctx, claim, id, why) = (self.ctx.clone(), self.claim.clone(), self.effect.id.clone(), why.to_owned());
        let (changes, name) = (self.changes, self.field.as_str());
        self.sync
            .store
            .write(move |tx| {
                Box::pin(async move {
                    lanes::fence(tx, &claim).await?;
                    for change in &changes {
                        store::not_told(tx, &ctx, &change.listing, name, &why, 0, None).await?;
                    }
                    store::close_effect(tx, &ctx, &id, &serde_json::json!({ "not-sent": why })).await
                })
            })
            .await
    }

    async fn store_outcomes(self, outcomes: Vec<wire::Outcome>) -> Result<(), Error> {
        let (ctx, claim, id, connection) = (self.ctx.clone(), self.claim.clone(), self.effect.id.clone(), self.connection.id.clone());
        let (changes, field) = (self.changes, self.field);
        self.sync
            .store
            .write(move |tx| {
                Box::pin(async move {
                    lanes::fence(tx, &claim).await?;
                    let by_key: BTreeMap<&str, &wire::OutcomeState> = outcomes.iter().map(|o| (o.key.as_str(), &o.state)).collect();
                    for change in &changes {
                        store_verdict(tx, &ctx, &connection, field, change, verdict(change, &by_key, ctx.now_ms())).await?;
                    }
                    store::close_effect(tx, &ctx, &id, &serde_json::json!({ "outcomes": outcomes.len() })).await?;
                    Ok::<_, Error>(lanes::finish(tx, &ctx, &claim, Outcome::Again { at_ms: ctx.now_ms() }).await?)
                })
            })
            .await
    }

    /// The batch may or may not have taken effect: what the channel shows now decides.
    pub async fn read_back(self, session: &Session) -> Result<(), Error> {
        let readings = self.field.read(session, &self.changes).await;
        let readings = health::heard(self.sync, self.ctx, self.connection, readings).await?;
        let (ctx, claim, id, connection) = (self.ctx.clone(), self.claim.clone(), self.effect.id.clone(), self.connection.id.clone());
        let (changes, field) = (self.changes, self.field);
        self.sync
            .store
            .write(move |tx| {
                Box::pin(async move {
                    lanes::fence(tx, &claim).await?;
                    let name = field.as_str();
                    for change in &changes {
                        match readings.get(&change.listing) {
                            Some(Some(shown)) if *shown == change.value => {
                                store_verdict(tx, &ctx, &connection, field, change, Verdict::Told).await?;
                            }
                            Some(shown) => store::told_is(tx, &ctx, &change.listing, name, shown.as_ref()).await?,
                            None => {
                                let why = "the channel no longer shows this listing";
                                store::not_told(tx, &ctx, &change.listing, name, why, 0, Some(change.version)).await?;
                            }
                        }
                    }
                    store::close_effect(tx, &ctx, &id, &serde_json::json!({ "read-back": readings.len() })).await?;
                    Ok::<_, Error>(lanes::finish(tx, &ctx, &claim, Outcome::Again { at_ms: ctx.now_ms() }).await?)
                })
            })
            .await
    }
}

/// What became of one listing of the batch: the worst of its parts.
enum Verdict {
    Told,
    /// Not known, or another value stands there: read before the next try, after this pause.
    ReadFirst(String, i64),
    Again(String, i64),
    Never(String),
}

fn verdict(change: &Change, outcomes: &BTreeMap<&str, &wire::OutcomeState>, now_ms: i64) -> Verdict {
    let mut verdict = Verdict::Told;
    for key in Field::keys(change) {
        let next = match outcomes.get(key.as_str()) {
            Some(wire::OutcomeState::Done(_) | wire::OutcomeState::Unchanged) => continue,
            Some(wire::OutcomeState::Pending(_)) => Verdict::ReadFirst("the channel is still working on it".into(), ITEM_PAUSE_MS),
            Some(wire::OutcomeState::Rejected(failure)) if failure.fault == Fault::Conflict => {
                Verdict::ReadFirst(failure.message.clone(), CONFLICT_PAUSE_MS)
            }
            Some(wire::OutcomeState::Rejected(failure)) => Verdict::Never(failure.message.clone()),
            Some(wire::OutcomeState::Retry(failure)) if failure.sent == Sent::No => {
                let pause = failure.retry_after_ms.map_or(ITEM_PAUSE_MS, i64::from);
                Verdict::Again(failure.message.clone(), now_ms + pause)
            }
            Some(wire::OutcomeState::Retry(failure)) => Verdict::ReadFirst(failure.message.clone(), ITEM_PAUSE_MS),
            None => Verdict::ReadFirst("the connector did not say what became of it".into(), ITEM_PAUSE_MS),
        };
        verdict = worse(verdict, next);
    }
    verdict
}

fn worse(a: Verdict, b: Verdict) -> Verdict {
    let rank = |v: &Verdict| match v {
        Verdict::Told => 0,
        Verdict::Never(_) => 1,
        Verdict::Again(..) => 2,
        Verdict::ReadFirst(..) => 3,
    };
    if rank(&b) > rank(&a) { b } else { a }
}

async fn store_verdict(
    tx: &mut WriteTx,
    ctx: &Ctx,
    connection: &ConnectionId,
    field: Field,
    change: &Change,
    verdict: Verdict,
) -> Result<(), Error> {
    let name = field.as_str();
    match verdict {
        Verdict::Told => {
            store::acknowledge(tx, ctx, &change.listing, name, change.version, &change.value).await?;
            Field::shown(tx, ctx, connection, &change.value, &change.priced).await
        }
        Verdict::Again(why, at) => store::not_told(tx, ctx, &change.listing, name, &why, at, None).await,
        Verdict::Never(why) => store::not_told(tx, ctx, &change.listing, name, &why, 0, Some(change.version)).await,
        Verdict::ReadFirst(why, pause_ms) => {
            store::told_is(tx, ctx, &change.listing, name, None).await?;
            store::not_told(tx, ctx, &change.listing, name, &why, ctx.now_ms() + pause_ms, None).await
        }
    }
}
