//! Reading what changed since the cursor, one page a run; page and cursor are stored together.

use futures::future::BoxFuture;

use super::error::ending;
use super::imports::{self, Turned};
use super::intake::{self, Arrived};
use super::reading::{self, Reading};
use super::{Error, Sync, convert, health, store};
use crate::connections::Connection;
use crate::ctx::Ctx;
use crate::lanes::{self, Claim, Handler, HandlerError, Outcome};
use crate::plugins::CallError;
use crate::plugins::wire::Fault;

pub struct Poll(pub Sync);

pub(super) const STREAM: &str = "orders-in";
/// Orders a page: a page is one plugin call and one unit of work.
const PAGE: u32 = 100;
/// Runs in a row in which a record that the channel cannot give just now is asked for again before it counts as refused.
const PATIENCE: i64 = 3;

impl Handler for Poll {
    fn run<'a>(&'a self, ctx: &'a Ctx, claim: &'a Claim) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move { run(&self.0, ctx, claim).await.map_err(|error| ending(error, ctx.now_ms())) })
    }
}

async fn run(sync: &Sync, ctx: &Ctx, claim: &Claim) -> Result<(), Error> {
    let Some(Reading { ctx, connection, cursor, session }) = reading::open(sync, ctx, claim, STREAM).await? else { return Ok(()) };
    let ctx = &ctx;
    let asked_at = ctx.now_ms();
    let page = session.caller.orders_pull(session.context(1, ""), cursor, PAGE).await;
    let page = health::heard(sync, ctx, &connection, page).await?;
    let turned = Turned {
        asked_at,
        records: page.orders.len() + page.refused.len(),
        more: page.more,
        total: page.total,
        again_after_ms: page.again_after_ms,
    };
    let mut refusals = Vec::new();
    let mut passing = None;
    for refused in page.refused {
        match refused.failure.fault {
            Fault::Throttled => passing = Some(refused.failure),
            Fault::Remote | Fault::Network if claim.failures() < PATIENCE => passing = Some(refused.failure),
            _ => refusals.push((refused.external_id, refused.failure.message)),
        }
    }
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
    // A page with a record that could not be had just now is read again; what it did bring is stored already.
    let ending = if passing.is_some() { None } else { Some(Ending { cursor: page.cursor, turned }) };
    store_page(sync, ctx, claim, &connection, arrived, refusals, ending).await?;
    match passing {
        Some(failure) => Err(CallError::Failed(failure).into()),
        None => health::note(sync, ctx, &connection, None).await,
    }
}

/// Where the stream goes on after a page.
#[derive(Clone)]
struct Ending {
    cursor: String,
    turned: Turned,
}

/// The whole page in one unit of work; if something in it cannot be stored, each order in its own, so that one bad record
/// becomes a refusal that people see and the others go on.
async fn store_page(
    sync: &Sync,
    ctx: &Ctx,
    claim: &Claim,
    connection: &Connection,
    arrived: Vec<Arrived>,
    mut refusals: Vec<(String, String)>,
    ending: Option<Ending>,
) -> Result<(), Error> {
    match store_unit(sync, ctx, claim, connection, arrived.clone(), refusals.clone(), ending.clone()).await {
        Err(error) if !arrived.is_empty() && !matches!(error, Error::Lane(_)) && !crate::store::may_pass(&error) => {}
        ended => return ended,
    }
    for one in arrived {
        let external_id = one.order.external_id.clone();
        match store_unit(sync, ctx, claim, connection, vec![one], Vec::new(), None).await {
            Err(error) if matches!(error, Error::Lane(_)) || crate::store::may_pass(&error) => return Err(error),
            Err(error) => refusals.push((external_id, crate::store::chain(&error))),
            Ok(()) => {}
        }
    }
    store_unit(sync, ctx, claim, connection, Vec::new(), refusals, ending).await
}

async fn store_unit(
    sync: &Sync,
    ctx: &Ctx,
    claim: &Claim,
    connection: &Connection,
    arrived: Vec<Arrived>,
    refusals: Vec<(String, String)>,
    ending: Option<Ending>,
) -> Result<(), Error> {
    let (sync, ctx, claim, connection) = (sync.clone(), ctx.clone(), claim.clone(), connection.clone());
    let store = sync.store.clone();
    store
        .write(move |tx| {
            Box::pin(async move {
                lanes::fence(tx, &claim).await?;
                intake::take(tx, &ctx, &sync, &connection, &arrived).await?;
                for (external_id, why) in &refusals {
                    store::refuse(tx, &ctx, &connection.id, "order", external_id, why).await?;
                }
                let Some(Ending { cursor, turned }) = ending else { return Ok(()) };
                store::put_cursor(tx, &ctx, &connection.id, STREAM, &cursor).await?;
                imports::turned(tx, &ctx, &connection.id, STREAM, &turned).await?;
                let outcome = if turned.more { Outcome::Again { at_ms: turned.again_at(ctx.now_ms()) } } else { Outcome::Done };
                Ok(lanes::finish(tx, &ctx, &claim, outcome).await?)
            })
        })
        .await
}
