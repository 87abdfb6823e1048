//! Received deliveries: what a marketplace pushed in, recorded before anything looks at it.
//!
//! [`Inbox::accept`] returns when the delivery is durable, and only then may the sender be told so. Deliveries that arrive
//! together share one commit. The same delivery twice (by the dedupe key of its connection) changes nothing. Headers and body
//! are sealed under a key of the connection and day, so that dropping the key drops the content, in backups too.
//!
//! Verified first ([`verify`]), translated later (`sync`): a broken connector never loses a delivery.

mod error;
mod store;
pub mod verify;

use std::collections::HashSet;

use tokio::sync::{mpsc, oneshot};

pub use error::Error;
pub use store::{Filter, Recorded, Row};

use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, DeliveryId};
use crate::lanes::{self, LaneKey};
use crate::secrets::Vault;
use crate::store::{Sql, Store, WriteTx};

/// Deliveries that may share one statement and one commit.
const BATCH: usize = 64;
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
    /// The sender's event id or a digest of topic and body.
    pub dedupe: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
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
    queue: mpsc::Sender<(Delivery, oneshot::Sender<Result<Accepted, Error>>)>,
}

impl Inbox {
    pub fn open(store: Store, ctx: Ctx, vault: Vault) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(record_batches(store, ctx, vault, waiting));
        Self { queue }
    }

    /// Durable when it returns `Ok`. [`Error::Busy`] when the queue is full: the sender should come back.
    pub async fn accept(&self, delivery: Delivery) -> Result<Accepted, Error> {
        let (reply, answer) = oneshot::channel();
        self.queue.try_send((delivery, reply)).map_err(|_| Error::Busy)?;
        answer.await.map_err(|_| Error::Busy)?
    }
}

async fn record_batches(
    store: Store,
    ctx: Ctx,
    vault: Vault,
    mut waiting: mpsc::Receiver<(Delivery, oneshot::Sender<Result<Accepted, Error>>)>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        let (deliveries, replies): (Vec<_>, Vec<_>) = batch.drain(..).unzip();
        let (ctx, vault) = (ctx.clone(), vault.clone());
        let recorded = store.write(move |tx| Box::pin(async move { record(tx, &ctx, &vault, deliveries).await })).await;
        match recorded {
            Ok(answers) => replies.into_iter().zip(answers).for_each(|(reply, answer)| drop(reply.send(Ok(answer)))),
            Err(error) => {
                tracing::error!(error = %error, deliveries = replies.len(), "deliveries could not be recorded");
                replies.into_iter().for_each(|reply| drop(reply.send(Err(Error::NotRecorded))));
            }
        }
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
    let due: Vec<LaneKey> = new.into_iter().map(|delivery| delivery.lane).collect();
    lanes::make_due_many(tx, ctx, &due, ctx.now_ms()).await?;
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
    let Some(lane) = store::reopen(tx, ctx, delivery).await? else { return Err(Error::Missing(delivery.clone())) };
    lanes::make_due(tx, ctx, &lane, ctx.now_ms()).await?;
    Ok(())
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
