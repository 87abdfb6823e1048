//! Received deliveries: what a marketplace pushed in, recorded before anything looks at it.
//!
//! [`Inbox::accept`] returns when the delivery is durable, and only then may the sender be told so. Deliveries that arrive
//! together share one commit. The same delivery twice (by the dedupe key of its connection) changes nothing. Headers and body
//! are sealed under a key of the connection and day, so that dropping the key drops the content, in backups too.
//!
//! Verified first ([`verify`]), translated later (`sync`): a broken connector never loses a delivery.

mod content;
mod error;
mod store;
pub mod verify;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};

pub use content::Content;
pub use error::Error;
pub use store::{Cause, Filter, Recorded, Row};

use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, DeliveryId};
use crate::lanes::{self, LaneKey, LaneKind};
use crate::secrets::Vault;
use crate::store::{Sql, Store, WriteTx};

/// Deliveries that may share one statement and one commit.
const BATCH: usize = 64;
/// Batches between here and the disk.
const IN_FLIGHT: usize = 2;
/// Deliveries that may wait; beyond, the sender is asked to come back.
const QUEUE: usize = 4_096;

/// Deliveries of one lane that a run takes at most.
pub const AT_ONCE: usize = 50;

/// A verified delivery about to be recorded.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub connection: ConnectionId,
    pub topic: String,
    /// What it is about, as the manifest says: orders the deliveries of one thing. See [`LaneKey::subject`].
    pub lane: LaneKey,
    /// How long it may wait for others of its lane.
    pub gather_ms: i64,
    /// The sender's event id or a digest of topic and body.
    pub dedupe: String,
    pub content: Content,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Accepted {
    New,
    /// Seen before: acknowledged again, recorded once.
    Duplicate,
}

/// The door. Cheap to clone.
#[derive(Clone)]
pub struct Inbox {
    queue: mpsc::Sender<Waiting>,
    patience: Duration,
}

type Waiting = (Delivery, oneshot::Sender<Result<Accepted, Error>>);

/// When a sender is asked to come back.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// A delivery may wait this long for its commit.
    pub accept: Duration,
    /// Bytes that stay free on the disk of the database file.
    pub reserve_bytes: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self { accept: Duration::from_secs(2), reserve_bytes: 64 << 20 }
    }
}

impl Inbox {
    pub fn open(store: Store, ctx: Ctx, vault: Vault, patience: Patience) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(record_batches(store, ctx, vault, patience.reserve_bytes, waiting));
        Self { queue, patience: patience.accept }
    }

    /// How long a sender may be kept waiting.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// Durable when it returns `Ok`. [`Error::Busy`] when the queue is full or the commit takes too long: the sender should come
    /// back. A commit that ends late stands, and the sender's repeat is a duplicate.
    pub async fn accept(&self, delivery: Delivery) -> Result<Accepted, Error> {
        let (reply, answer) = oneshot::channel();
        self.queue.try_send((delivery, reply)).map_err(|_| Error::Busy)?;
        tokio::time::timeout(self.patience, answer).await.map_err(|_| Error::Busy)?.map_err(|_| Error::Busy)?
    }
}

/// A batch is made while the one before it is on its way to the disk, and what comes meanwhile waits for the next.
async fn record_batches(store: Store, ctx: Ctx, vault: Vault, reserve_bytes: u64, mut waiting: mpsc::Receiver<Waiting>) {
    let ways = Arc::new(Semaphore::new(IN_FLIGHT));
    let mut batch = Vec::with_capacity(BATCH);
    while let Ok(way) = ways.clone().acquire_owned().await
        && waiting.recv_many(&mut batch, BATCH).await > 0
    {
        let (deliveries, replies): (Vec<_>, Vec<_>) = batch.drain(..).unzip();
        if store.free_bytes().is_some_and(|free| free < reserve_bytes) {
            tracing::error!(
                reserve_bytes,
                deliveries = replies.len(),
                "deliveries were not recorded: the disk has less room than its reserve"
            );
            replies.into_iter().for_each(|reply| drop(reply.send(Err(Error::NoRoom))));
            continue;
        }
        let (store, ctx, vault) = (store.clone(), ctx.clone(), vault.clone());
        tokio::spawn(async move {
            let recorded = store.write(move |tx| Box::pin(async move { record(tx, &ctx, &vault, deliveries).await })).await;
            drop(way);
            match recorded {
                Ok(answers) => replies.into_iter().zip(answers).for_each(|(reply, answer)| drop(reply.send(Ok(answer)))),
                Err(error) => {
                    tracing::error!(error = %error, deliveries = replies.len(), "deliveries could not be recorded");
                    replies.into_iter().for_each(|reply| drop(reply.send(Err(Error::NotRecorded))));
                }
            }
        });
    }
}

async fn record(tx: &mut WriteTx, ctx: &Ctx, vault: &Vault, deliveries: Vec<Delivery>) -> Result<Vec<Accepted>, Error> {
    let fresh = store::claim_keys(tx, ctx, &deliveries).await?;
    let mut answers = Vec::with_capacity(deliveries.len());
    let mut seen = HashSet::new();
    let mut new = Vec::new();
    for delivery in deliveries {
        let key = (delivery.connection.to_string(), delivery.dedupe.clone());
        if fresh.contains(&key) && seen.insert(key) {
            answers.push(Accepted::New);
            new.push(delivery);
        } else {
            answers.push(Accepted::Duplicate);
        }
    }
    store::put(tx, ctx, vault, &new).await?;
    let mut due: BTreeMap<i64, Vec<LaneKey>> = BTreeMap::new();
    for delivery in new {
        due.entry(delivery.gather_ms).or_default().push(delivery.lane);
    }
    for (wait_ms, lanes) in due {
        lanes::make_due_many(tx, ctx, &lanes, ctx.now_ms() + wait_ms).await?;
    }
    Ok(answers)
}

/// What a lane has to translate, oldest first.
pub async fn waiting(conn: &mut impl Sql, ctx: &Ctx, vault: &Vault, lane: &LaneKey) -> Result<Vec<Recorded>, Error> {
    store::waiting(conn, ctx, vault, lane).await
}

/// How a delivery ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ending {
    Done,
    /// Nothing for us, and why.
    Ignored(String),
    /// Cannot be used, and why; kept, visible, and replayable.
    Refused(String),
}

pub async fn end(tx: &mut WriteTx, ctx: &Ctx, delivery: &DeliveryId, ending: &Ending) -> Result<(), Error> {
    store::end(tx, ctx, delivery, ending).await
}

/// Puts a delivery back to be translated again.
pub async fn replay(tx: &mut WriteTx, ctx: &Ctx, delivery: &DeliveryId) -> Result<(), Error> {
    if !store::has_body(tx, &ctx.tenant, delivery).await? {
        return Err(Error::Missing(delivery.clone()));
    }
    let Some(lane) = store::reopen(tx, ctx, delivery).await? else { return Err(Error::Missing(delivery.clone())) };
    lanes::make_due(tx, ctx, &lane, ctx.now_ms()).await?;
    Ok(())
}

/// Deliveries in one unit of work of a replay or a skip.
const AT_A_TIME: u32 = 200;

/// Puts every delivery that fits back, oldest first; how many. Those whose content was dropped stay as they are.
pub async fn replay_all(store: &Store, ctx: &Ctx, which: &Filter) -> Result<u64, Error> {
    let (mut count, mut after): (u64, Option<DeliveryId>) = (0, None);
    loop {
        let ids = store::select(&mut store.read().await?, &ctx.tenant, which, after.as_ref(), AT_A_TIME).await?;
        let Some(last) = ids.last().cloned() else { return Ok(count) };
        count += ids.len() as u64;
        let ctx = ctx.clone();
        store
            .write(move |tx| {
                Box::pin(async move {
                    let mut lanes = Vec::with_capacity(ids.len());
                    for id in &ids {
                        lanes.extend(store::reopen(tx, &ctx, id).await?);
                    }
                    Ok::<_, Error>(lanes::make_due_many(tx, &ctx, &lanes, ctx.now_ms()).await?)
                })
            })
            .await?;
        after = Some(last);
    }
}

/// [`skip`] for every refused delivery that fits, whatever state `which` names; how many.
pub async fn skip_all(store: &Store, ctx: &Ctx, which: &Filter) -> Result<u64, Error> {
    let which = Filter { state: Some("refused".into()), ..which.clone() };
    let mut count = 0;
    loop {
        // What was skipped is refused no longer.
        let rows = list(&mut store.read().await?, &ctx.tenant, &which, None, AT_A_TIME).await?;
        if rows.is_empty() {
            return Ok(count);
        }
        let ctx = ctx.clone();
        let skipped = store.write(move |tx| {
            Box::pin(async move {
                let mut skipped = 0;
                for row in &rows {
                    skipped += u64::from(skip(tx, &ctx, &row.id).await?);
                }
                Ok::<_, Error>(skipped)
            })
        });
        count += skipped.await?;
    }
}

/// The lane on which what a channel tells of an order waits.
pub fn order_lane(connection: &ConnectionId, external_id: &str) -> LaneKey {
    LaneKey::new(LaneKind::Inbound, connection, format!("order:{external_id}"))
}

/// The order that a lane of deliveries is about, as its channel names it.
pub fn order_of(lane: &LaneKey) -> Option<&str> {
    lane.subject.strip_prefix("order:").filter(|_| lane.kind == LaneKind::Inbound)
}

/// Ends a delivery that waits or was refused: somebody decided that it is not needed. `false` if it had ended well already.
pub async fn skip(tx: &mut WriteTx, ctx: &Ctx, delivery: &DeliveryId) -> Result<bool, Error> {
    let skipped = store::skip(tx, ctx, delivery, &format!("skipped by {}", ctx.actor)).await?;
    skipped.ok_or_else(|| Error::Missing(delivery.clone()))
}

/// [`skip`] for everything that waits on a lane; returns how many there were.
pub async fn skip_waiting(tx: &mut WriteTx, ctx: &Ctx, lane: &LaneKey) -> Result<u64, Error> {
    store::end_waiting(tx, ctx, lane, &format!("skipped by {}", ctx.actor)).await
}

/// Refused deliveries by connection and reason, of the most recent `limit`.
pub async fn causes(conn: &mut impl Sql, tenant: &Tenant, limit: u32) -> Result<Vec<Cause>, Error> {
    store::causes(conn, tenant, limit).await
}

/// Drops the contents of every delivery of a lane, and ends what still waits: its subject is to be forgotten.
pub async fn forget_lane(tx: &mut WriteTx, ctx: &Ctx, lane: &LaneKey) -> Result<(), Error> {
    store::end_waiting(tx, ctx, lane, "its content was erased").await?;
    store::drop_lane(tx, ctx, lane).await
}

/// Rows in one unit of work of a clearing.
const CLEARED_AT_ONCE: u32 = 1_000;

/// Drops the content of deliveries received on days before `before_ms`: destroys the days' keys, then takes the rows away.
pub async fn drop_bodies(store: &Store, ctx: &Ctx, vault: &Vault, before_ms: i64) -> Result<u64, Error> {
    let mut dropped = 0;
    while let Some(day) = store::oldest_day(&mut store.read().await?, &ctx.tenant, before_ms.div_euclid(store::DAY_MS)).await? {
        let (ctx, vault) = (ctx.clone(), vault.clone());
        dropped += store.write(move |tx| Box::pin(async move { store::drop_day(tx, &ctx, &vault, day, CLEARED_AT_ONCE).await })).await?;
    }
    Ok(dropped)
}

/// Forgets which deliveries were seen before `before_ms`: the same one again is then a new one.
pub async fn forget_keys(store: &Store, ctx: &Ctx, before_ms: i64) -> Result<u64, Error> {
    let (mut forgotten, mut after) = (0, store::KeyPlace::default());
    while let Some(upto) = store::next_keys(&mut store.read().await?, &ctx.tenant, &after, CLEARED_AT_ONCE).await? {
        let (ctx, end) = (ctx.clone(), upto.clone());
        forgotten += store.write(move |tx| Box::pin(async move { store::forget_keys(tx, &ctx, &after, &end, before_ms).await })).await?;
        after = upto;
    }
    Ok(forgotten)
}

/// Newest first.
pub async fn list(
    conn: &mut impl Sql,
    tenant: &Tenant,
    filter: &Filter,
    before: Option<&DeliveryId>,
    limit: u32,
) -> Result<Vec<Row>, Error> {
    store::list(conn, tenant, filter, before, limit).await
}

#[cfg(test)]
mod tests;
