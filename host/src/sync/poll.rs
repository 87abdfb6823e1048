//! Reading what changed since the cursor, one page a run; page and cursor are stored together.

use futures::future::BoxFuture;

use super::error::ending;
use super::intake::{self, Arrived};
use super::{Error, Sync, convert, on_behalf, store};
use crate::connections::{self, Connection, Health};
use crate::ctx::Ctx;
use crate::lanes::{self, Claim, Handler, HandlerError, Outcome};
use crate::plugins::wire::Fault;

pub struct Poll(pub Sync);

const STREAM: &str = "orders-in";
/// Orders a page: a page is one plugin call and one unit of work.
const PAGE: u32 = 100;

impl Handler for Poll {
    fn run<'a>(&'a self, ctx: &'a Ctx, claim: &'a Claim) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move { run(&self.0, ctx, claim).await.map_err(|error| ending(error, ctx.now_ms())) })
    }
}

async fn run(sync: &Sync, ctx: &Ctx, claim: &Claim) -> Result<(), Error> {
    let Some(id) = claim.connection() else { return Ok(()) };
    let ctx = &on_behalf(ctx, id);
    let mut conn = sync.store.read().await?;
    let Some(connection) = connections::find(&mut conn, &ctx.tenant, id).await? else { return Ok(()) };
    let cursor = store::cursor(&mut conn, ctx, id, STREAM).await?;
    drop(conn);
    if !connection.may_read() {
        return Ok(());
    }
    let session = sync.connectors.session(sync, ctx, &connection).await?;
    if !session.caller.offers(STREAM) {
        return Ok(());
    }
    let page = match session.caller.orders_pull(session.context(1, ""), cursor, PAGE).await {
        Ok(page) => page,
        Err(error) => {
            let error = Error::from(error);
            note_health(sync, ctx, &connection, Some(&error)).await?;
            return Err(error);
        }
    };
    let mut refusals: Vec<(String, String)> = page.refused.into_iter().map(|r| (r.external_id, r.failure.message)).collect();
    let mut arrived = Vec::new();
    let mut conn = sync.store.read().await?;
    for order in page.orders {
        let external_id = order.external_id.clone();
        match convert::order(order) {
            Ok(order) => {
                let found = intake::resolve(&mut conn, ctx, &connection, &order).await?;
                arrived.push(Arrived { order, found, authoritative: true });
            }
            Err(refusal) => refusals.push((external_id, refusal.to_string())),
        }
    }
    drop(conn);
    commit(sync, ctx, claim, &connection, arrived, refusals, page.cursor, page.more).await?;
    note_health(sync, ctx, &connection, None).await
}

#[allow(clippy::too_many_arguments)] // one page and where it goes
async fn commit(
    sync: &Sync,
    ctx: &Ctx,
    claim: &Claim,
    connection: &Connection,
    arrived: Vec<Arrived>,
    refusals: Vec<(String, String)>,
    cursor: String,
    more: bool,
) -> Result<(), Error> {
    let (sync, ctx, claim, connection) = (sync.clone(), ctx.clone(), claim.clone(), connection.clone());
    let store = sync.store.clone();
    store
        .write(move |tx| {
            Box::pin(async move {
                lanes::fence(tx, &claim).await?;
                for arrived in &arrived {
                    intake::take(tx, &ctx, &sync, &connection, arrived).await?;
                }
                for (external_id, why) in &refusals {
                    store::refuse(tx, &ctx, &connection.id, "order", external_id, why).await?;
                }
                store::put_cursor(tx, &ctx, &connection.id, STREAM, &cursor).await?;
                let outcome = if more { Outcome::Again { at_ms: ctx.now_ms() } } else { Outcome::Done };
                Ok(lanes::finish(tx, &ctx, &claim, outcome).await?)
            })
        })
        .await
}

/// Writes a change of health; a connection that goes on as before writes nothing.
pub async fn note_health(sync: &Sync, ctx: &Ctx, connection: &Connection, error: Option<&Error>) -> Result<(), Error> {
    let (health, reason) = match error.map(|error| (error.failure().map(|failure| failure.fault), error)) {
        None => (Health::Healthy, None),
        // Being asked to slow down is not being ill.
        Some((Some(Fault::Throttled), _)) => return Ok(()),
        Some((Some(Fault::Auth | Fault::Permission | Fault::Config), error)) => (Health::Refused, Some(error.to_string())),
        Some((_, error)) => (Health::Failing, Some(error.to_string())),
    };
    if connection.health == health && connection.health_reason == reason {
        return Ok(());
    }
    let (ctx, id) = (ctx.clone(), connection.id.clone());
    sync.store
        .write(move |tx| {
            Box::pin(async move {
                connections::record_health(tx, &ctx, &id, health, reason.as_deref()).await?;
                Ok::<_, Error>(())
            })
        })
        .await
}
