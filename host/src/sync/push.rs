//! Telling channels what their listings should show: one machine for every [`Field`].
//!
//! A run takes what is due, computes each value as it should be now, leaves out what the channel already shows, holds what a
//! guard objects to ([`super::guards`]), stores the rest as one effect with its idempotency key, and only then calls. The
//! outcome is stored under the lane's fence. A batch whose outcome is not known is read back first: what the channel shows
//! decides, and nothing is repeated blindly.

mod compose;
mod field;
mod outcome;
pub mod price;
mod stock;
mod value;

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

pub use field::{Field, Want};
use outcome::Batch;
pub use value::{Prices, Shows, Told, Wanted, raises};

use super::error::ending;
use super::guards::{self, Guard};
use super::store;
pub use super::wanted::wanted_of;
use super::{Error, Sync, on_behalf};
use crate::connections::{self, Connection};
use crate::ctx::Ctx;
use crate::id::ListingId;
use crate::lanes::{self, Claim, Handler, HandlerError, Outcome};
use crate::pricing::PricedFor;

pub const STOCK: &str = "stock";
/// Listings a batch: one call, at most 200 changes.
const BATCH: u32 = 100;

/// One change as it is stored in an effect: everything the call needs, so that a repeat is the same call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Change {
    listing: ListingId,
    version: i64,
    external_id: String,
    parent: Option<String>,
    sku: Option<String>,
    handles: Vec<(String, String)>,
    value: Shows,
    previous: Option<Shows>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    priced: BTreeMap<String, PricedFor>,
}

pub struct Push(pub Sync);

impl Handler for Push {
    fn run<'a>(&'a self, ctx: &'a Ctx, claim: &'a Claim) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move { run(&self.0, ctx, claim).await.map_err(|error| ending(error, ctx.now_ms())) })
    }
}

async fn run(sync: &Sync, ctx: &Ctx, claim: &Claim) -> Result<(), Error> {
    let (Some(id), Some(field)) = (claim.connection(), Field::parse(claim.subject())) else { return Ok(()) };
    let ctx = &on_behalf(ctx, id);
    let mut conn = sync.store.read().await?;
    let Some(connection) = connections::find(&mut conn, &ctx.tenant, id).await? else { return Ok(()) };
    let pauses = guards::pauses(&mut conn, &ctx.tenant).await?;
    if !field.is_told(&mut conn, ctx, &connection).await? || guards::stop(&pauses, &connection) {
        return Ok(());
    }
    let name = field.as_str();
    let effect = match store::open_effect(&mut conn, ctx, id, name).await? {
        Some(effect) => effect,
        None => {
            if field == Field::Price {
                drop(conn);
                price::look_again(sync, ctx, claim, &connection).await?;
                conn = sync.store.read().await?;
            }
            let mut due = store::due(&mut conn, ctx, id, name, BATCH).await?;
            if due.is_empty() {
                drop(conn);
                return end_run(sync, ctx, claim, &connection, field).await;
            }
            if field == Field::Price {
                drop(conn);
                price::ask(sync, ctx, &connection, &mut due).await?;
                conn = sync.store.read().await?;
            }
            let wants = field.wants(&mut conn, ctx, &connection, &due).await?;
            if field == Field::Stock {
                drop(conn);
                stock::ask(sync, ctx, &connection, &mut due, &wants).await?;
                conn = sync.store.read().await?;
            }
            let guard = Guard::of(&mut conn, ctx, &connection, &pauses, &wants).await?;
            drop(conn);
            match compose::compose(sync, ctx, claim, &connection, field, compose::sort(due, wants, guard, ctx.now_ms())).await? {
                Some(effect) => effect,
                None => return end_run(sync, ctx, claim, &connection, field).await,
            }
        }
    };
    let changes: Vec<Change> = serde_json::from_str(&effect.request)?;
    let session = sync.connectors.session(sync, ctx, &connection).await?;
    let batch = Batch { sync, ctx, claim, connection: &connection, field, effect, changes };
    if batch.effect.unknown { batch.read_back(&session).await } else { batch.send(&session).await }
}

/// Nothing due now: done, or again when the next retry or the next look is.
async fn end_run(sync: &Sync, ctx: &Ctx, claim: &Claim, connection: &Connection, field: Field) -> Result<(), Error> {
    let (ctx, claim, id) = (ctx.clone(), claim.clone(), connection.id.clone());
    sync.store
        .write(move |tx| {
            Box::pin(async move {
                lanes::fence(tx, &claim).await?;
                let look = (field == Field::Price).then(|| ctx.now_ms() + price::LOOK_MS);
                let retry = store::next_retry(tx, &ctx, &id, field.as_str()).await?;
                let outcome = match retry.into_iter().chain(look).min() {
                    Some(at_ms) => Outcome::Again { at_ms },
                    None => Outcome::Done,
                };
                Ok::<_, Error>(lanes::finish(tx, &ctx, &claim, outcome).await?)
            })
        })
        .await
}
