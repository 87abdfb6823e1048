//! Telling channels what their listings should show.
//!
//! A run takes what is due, computes each value from stock as it is now, leaves out what the channel already shows, stores the
//! rest as one effect with its idempotency key, and only then calls. The outcome is stored under the lane's fence. A batch
//! whose outcome is not known is read back first: what the channel shows decides, and nothing is repeated blindly.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::ending;
use super::store::{self, Desired, Effect};
use super::wanted::{Wanted, wanted};
use super::{Error, Session, Sync, on_behalf, poll};
use crate::connections::{self, Connection};
use crate::ctx::Ctx;
use crate::id::{EffectId, ListingId};
use crate::lanes::{self, Claim, Handler, HandlerError, Outcome};
use crate::plugins::CallError;
use crate::plugins::wire::{self, Fault, Sent, commerce, stock_out};
use crate::store::WriteTx;

pub const STOCK: &str = "stock";
/// Listings a batch: one call, at most 200 changes.
const BATCH: u32 = 100;
/// A record that a channel refused for a passing reason is tried again after this.
const ITEM_PAUSE_MS: i64 = 5_000;

/// The shop sold in between; it is read and told again soon.
const CONFLICT_PAUSE_MS: i64 = 250;

/// What a channel shows: quantity by its location, `""` where it has none.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Told(pub BTreeMap<String, i64>);

/// One change as it is stored in an effect: everything the call needs, so that a repeat is the same call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Change {
    listing: ListingId,
    version: i64,
    external_id: String,
    parent: Option<String>,
    sku: Option<String>,
    handles: Vec<(String, String)>,
    value: Told,
    previous: Option<Told>,
}

pub struct Push(pub Sync);

impl Handler for Push {
    fn run<'a>(&'a self, ctx: &'a Ctx, claim: &'a Claim) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move { run(&self.0, ctx, claim).await.map_err(|error| ending(error, ctx.now_ms())) })
    }
}

async fn run(sync: &Sync, ctx: &Ctx, claim: &Claim) -> Result<(), Error> {
    let Some(id) = claim.connection() else { return Ok(()) };
    let ctx = &on_behalf(ctx, id);
    let mut conn = sync.store.read().await?;
    let Some(connection) = connections::find(&mut conn, &ctx.tenant, id).await? else { return Ok(()) };
    if !connection.may_push() {
        return Ok(());
    }
    let open = store::open_effect(&mut conn, ctx, id, STOCK).await?;
    let due = if open.is_none() { store::due(&mut conn, ctx, id, STOCK, BATCH).await? } else { Vec::new() };
    if open.is_none() && due.is_empty() {
        return end_run(sync, ctx, claim, &connection).await;
    }
    let wanted = wanted(&mut conn, ctx, &connection, &due).await?;
    drop(conn);
    let effect = match open {
        Some(effect) => effect,
        None => match compose(sync, ctx, claim, &connection, due, wanted).await? {
            Some(effect) => effect,
            None => return end_run(sync, ctx, claim, &connection).await,
        },
    };
    let changes: Vec<Change> = serde_json::from_str(&effect.request)?;
    let session = sync.connectors.session(sync, ctx, &connection).await?;
    if effect.unknown {
        return read_back(sync, ctx, claim, &connection, &session, &effect, changes).await;
    }
    send(sync, ctx, claim, &connection, &session, effect, changes).await
}

/// Stores the batch as an effect. `None`: there is nothing to tell.
async fn compose(
    sync: &Sync,
    ctx: &Ctx,
    claim: &Claim,
    connection: &Connection,
    due: Vec<Desired>,
    wanted: BTreeMap<ListingId, Wanted>,
) -> Result<Option<Effect>, Error> {
    let (mut known, mut changes) = (Vec::new(), Vec::new());
    for desired in due {
        match wanted.get(&desired.listing) {
            Some(wanted) if desired.told.as_ref() != Some(&wanted.value) => changes.push(change(desired, wanted)),
            Some(wanted) => known.push((desired.listing, desired.version, wanted.value.clone())),
            // Not ours to tell any more: unlinked, or no longer counted by the shop.
            None => known.push((desired.listing, desired.version, desired.told.unwrap_or_default())),
        }
    }
    let effect = if changes.is_empty() { None } else { Some(effect(ctx, connection, &changes)?) };
    let (ctx, claim, connection, stored) = (ctx.clone(), claim.clone(), connection.id.clone(), effect.clone());
    sync.store
        .write(move |tx| {
            Box::pin(async move {
                lanes::fence(tx, &claim).await?;
                for (listing, version, told) in &known {
                    store::already_shows(tx, &ctx, listing, STOCK, *version, told).await?;
                }
                if let Some((effect, hash)) = &stored {
                    store::put_effect(tx, &ctx, &connection, STOCK, effect, hash).await?;
                    let listings: Vec<ListingId> = changes.iter().map(|change| change.listing.clone()).collect();
                    store::mark_in_effect(tx, &ctx, &listings, STOCK, &effect.id).await?;
                }
                Ok::<_, Error>(())
            })
        })
        .await?;
    Ok(effect.map(|(effect, _)| effect))
}

fn change(desired: Desired, wanted: &Wanted) -> Change {
    let handles = wanted.listing.handles.as_object().into_iter().flatten();
    Change {
        listing: desired.listing,
        version: desired.version,
        external_id: wanted.listing.external_id.clone(),
        parent: wanted.listing.parent.clone(),
        sku: wanted.listing.sku.clone(),
        handles: handles.map(|(key, value)| (key.clone(), value.to_string())).collect(),
        value: wanted.value.clone(),
        previous: desired.told,
    }
}

fn effect(ctx: &Ctx, connection: &Connection, changes: &[Change]) -> Result<(Effect, String), Error> {
    let id = EffectId::new(&ctx.ids);
    let request = serde_json::to_string(changes)?;
    let hash = hex(&Sha256::digest(request.as_bytes()));
    let key = hex(&Sha256::digest(format!("{}|{}|{STOCK}|{id}", ctx.tenant.as_str(), connection.id)))[..32].to_owned();
    Ok((Effect { id, idempotency_key: key, request, unknown: false, attempts: 0 }, hash))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn send(
    sync: &Sync,
    ctx: &Ctx,
    claim: &Claim,
    connection: &Connection,
    session: &Session,
    effect: Effect,
    changes: Vec<Change>,
) -> Result<(), Error> {
    count_attempt(sync, ctx, claim, &effect).await?;
    let context = session.context(effect.attempts + 1, &effect.idempotency_key);
    match session.caller.stock_push(context, wire_changes(&changes)).await {
        Ok(outcomes) => {
            poll::note_health(sync, ctx, connection, None).await?;
            store_outcomes(sync, ctx, claim, &effect, changes, outcomes).await
        }
        Err(error) => {
            let safe = matches!(&error, CallError::Failed(failure) if failure.sent == Sent::No);
            let error = Error::from(error);
            poll::note_health(sync, ctx, connection, Some(&error)).await?;
            if safe {
                release(sync, ctx, claim, &effect, changes, &error.to_string()).await?;
            }
            Err(error)
        }
    }
}

/// Committed before the call: from here on the batch counts as possibly sent.
async fn count_attempt(sync: &Sync, ctx: &Ctx, claim: &Claim, effect: &Effect) -> Result<(), Error> {
    let (ctx, claim, id) = (ctx.clone(), claim.clone(), effect.id.clone());
    sync.store
        .write(move |tx| {
            Box::pin(async move {
                lanes::fence(tx, &claim).await?;
                store::count_attempt(tx, &ctx, &id).await
            })
        })
        .await
}

/// Nothing of the batch left this machine: its values are due again, in a new batch.
async fn release(sync: &Sync, ctx: &Ctx, claim: &Claim, effect: &Effect, changes: Vec<Change>, why: &str) -> Result<(), Error> {
    let (ctx, claim, id, why) = (ctx.clone(), claim.clone(), effect.id.clone(), why.to_owned());
    sync.store
        .write(move |tx| {
            Box::pin(async move {
                lanes::fence(tx, &claim).await?;
                for change in &changes {
                    store::not_told(tx, &ctx, &change.listing, STOCK, &why, 0, None).await?;
                }
                store::close_effect(tx, &ctx, &id, &serde_json::json!({ "not-sent": why })).await
            })
        })
        .await
}

/// The call's list: one item per listing and location, keyed `LISTING` or `LISTING@LOCATION`.
fn wire_changes(changes: &[Change]) -> Vec<stock_out::StockChange> {
    let each = |change: &Change| -> Vec<stock_out::StockChange> {
        let one = |(location, quantity): (&String, &i64)| stock_out::StockChange {
            key: key(change, location),
            listing: reference(change),
            location: Some(location.clone()).filter(|location| !location.is_empty()),
            quantity: u32::try_from((*quantity).max(0)).unwrap_or(u32::MAX),
            previous: change.previous.as_ref().and_then(|told| told.0.get(location)).and_then(|q| i32::try_from(*q).ok()),
        };
        change.value.0.iter().map(one).collect()
    };
    changes.iter().flat_map(each).collect()
}

fn key(change: &Change, location: &str) -> String {
    match location {
        "" => change.listing.to_string(),
        location => format!("{}@{location}", change.listing),
    }
}

fn reference(change: &Change) -> commerce::ListingRef {
    let handle = |(key, json): &(String, String)| wire::Extra { key: key.clone(), json: json.clone() };
    commerce::ListingRef {
        external_id: change.external_id.clone(),
        parent: change.parent.clone(),
        sku: change.sku.clone(),
        handles: change.handles.iter().map(handle).collect(),
    }
}

/// What became of one listing of the batch: the worst of its locations.
enum Verdict {
    Told,
    /// Not known, or another value stands there: read before the next try, after this pause.
    ReadFirst(String, i64),
    Again(String, i64),
    Never(String),
}

fn verdict(change: &Change, outcomes: &BTreeMap<&str, &wire::OutcomeState>, now_ms: i64) -> Verdict {
    let mut verdict = Verdict::Told;
    for location in change.value.0.keys() {
        let next = match outcomes.get(key(change, location).as_str()) {
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

async fn store_outcomes(
    sync: &Sync,
    ctx: &Ctx,
    claim: &Claim,
    effect: &Effect,
    changes: Vec<Change>,
    outcomes: Vec<wire::Outcome>,
) -> Result<(), Error> {
    let (ctx, claim, id) = (ctx.clone(), claim.clone(), effect.id.clone());
    sync.store
        .write(move |tx| {
            Box::pin(async move {
                lanes::fence(tx, &claim).await?;
                let by_key: BTreeMap<&str, &wire::OutcomeState> = outcomes.iter().map(|o| (o.key.as_str(), &o.state)).collect();
                for change in &changes {
                    store_verdict(tx, &ctx, change, verdict(change, &by_key, ctx.now_ms())).await?;
                }
                store::close_effect(tx, &ctx, &id, &serde_json::json!({ "outcomes": outcomes.len() })).await?;
                Ok::<_, Error>(lanes::finish(tx, &ctx, &claim, Outcome::Again { at_ms: ctx.now_ms() }).await?)
            })
        })
        .await
}

async fn store_verdict(tx: &mut WriteTx, ctx: &Ctx, change: &Change, verdict: Verdict) -> Result<(), Error> {
    match verdict {
        Verdict::Told => store::acknowledge(tx, ctx, &change.listing, STOCK, change.version, &change.value).await,
        Verdict::Again(why, at) => store::not_told(tx, ctx, &change.listing, STOCK, &why, at, None).await,
        Verdict::Never(why) => store::not_told(tx, ctx, &change.listing, STOCK, &why, 0, Some(change.version)).await,
        Verdict::ReadFirst(why, pause_ms) => {
            store::told_is(tx, ctx, &change.listing, STOCK, None).await?;
            store::not_told(tx, ctx, &change.listing, STOCK, &why, ctx.now_ms() + pause_ms, None).await
        }
    }
}

/// The batch may or may not have taken effect: what the channel shows now decides.
async fn read_back(
    sync: &Sync,
    ctx: &Ctx,
    claim: &Claim,
    connection: &Connection,
    session: &Session,
    effect: &Effect,
    changes: Vec<Change>,
) -> Result<(), Error> {
    let read = session.caller.stock_read(session.context(1, ""), changes.iter().map(reference).collect()).await;
    let readings = match read {
        Ok(readings) => readings,
        Err(error) => {
            let error = Error::from(error);
            poll::note_health(sync, ctx, connection, Some(&error)).await?;
            return Err(error);
        }
    };
    let (ctx, claim, id) = (ctx.clone(), claim.clone(), effect.id.clone());
    sync.store
        .write(move |tx| {
            Box::pin(async move {
                lanes::fence(tx, &claim).await?;
                for change in &changes {
                    let shown =
                        readings.iter().find(|reading| reading.listing == change.external_id).map(|reading| shown(change, &reading.levels));
                    match shown {
                        Some(shown) if shown == change.value => {
                            store::acknowledge(tx, &ctx, &change.listing, STOCK, change.version, &shown).await?;
                        }
                        Some(shown) => store::told_is(tx, &ctx, &change.listing, STOCK, Some(&shown)).await?,
                        None => {
                            let why = "the channel no longer shows this listing";
                            store::not_told(tx, &ctx, &change.listing, STOCK, why, 0, Some(change.version)).await?;
                        }
                    }
                }
                store::close_effect(tx, &ctx, &id, &serde_json::json!({ "read-back": readings.len() })).await?;
                Ok::<_, Error>(lanes::finish(tx, &ctx, &claim, Outcome::Again { at_ms: ctx.now_ms() }).await?)
            })
        })
        .await
}

/// The channel's quantities at the locations the change was about.
fn shown(change: &Change, levels: &[commerce::Level]) -> Told {
    let at = |location: &String| {
        let same = |level: &&commerce::Level| level.location.as_deref().unwrap_or_default() == location;
        levels.iter().find(same).map(|level| (location.clone(), i64::from(level.quantity)))
    };
    Told(change.value.0.keys().filter_map(at).collect())
}

/// Nothing due now: done, or again when the next retry is.
async fn end_run(sync: &Sync, ctx: &Ctx, claim: &Claim, connection: &Connection) -> Result<(), Error> {
    let (ctx, claim, id) = (ctx.clone(), claim.clone(), connection.id.clone());
    sync.store
        .write(move |tx| {
            Box::pin(async move {
                lanes::fence(tx, &claim).await?;
                let outcome = match store::next_retry(tx, &ctx, &id, STOCK).await? {
                    Some(at_ms) => Outcome::Again { at_ms },
                    None => Outcome::Done,
                };
                Ok::<_, Error>(lanes::finish(tx, &ctx, &claim, outcome).await?)
            })
        })
        .await
}
