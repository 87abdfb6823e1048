//! Telling channels what has left. A try whose outcome is not known is looked up by our reference before the next one.

use futures::future::BoxFuture;

use super::error::ending;
use super::{Error, Session, Sync, fanout, health, on_behalf, writeback_lane};
use crate::clock::to_rfc3339;
use crate::connections::{self, Connection};
use crate::ctx::Ctx;
use crate::fulfilment::{self, Dispatch, Shipment};
use crate::id::OrderId;
use crate::lanes::{self, Claim, Handler, HandlerError, Outcome};
use crate::orders;
use crate::plugins::CallError;
use crate::plugins::wire::{OutcomeState, Sent, commerce, fulfilment_out};
use crate::store::WriteTx;

pub struct WriteBack(pub Sync);

const BATCH: u32 = 20;
const PAUSE_MS: i64 = 5_000;

/// Books a shipment and makes its write-back due: what the command line and the API call.
pub async fn ship(sync: &Sync, ctx: &Ctx, order: &OrderId, dispatch: Dispatch) -> Result<Shipment, Error> {
    let (ctx, order) = (ctx.clone(), order.clone());
    sync.store
        .write(move |tx| {
            Box::pin(async move {
                let (shipment, change) = fulfilment::ship(tx, &ctx, &order, &dispatch).await?;
                fanout::stock_changed(tx, &ctx, &change.variants).await?;
                let Some(view) = orders::find(tx, &ctx.tenant, &order).await? else { return Err(orders::Error::Missing(order).into()) };
                lanes::make_due(tx, &ctx, &writeback_lane(&view.connection), ctx.now_ms()).await?;
                Ok(shipment)
            })
        })
        .await
}

impl Handler for WriteBack {
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
    let pending = fulfilment::pending(&mut conn, ctx, id, BATCH).await?;
    drop(conn);
    let session = sync.connectors.session(sync, ctx, &connection).await?;
    for (shipment, order) in pending {
        write_back(sync, ctx, claim, &connection, &session, shipment, order).await?;
    }
    let (ctx, claim, id) = (ctx.clone(), claim.clone(), id.clone());
    sync.store
        .write(move |tx| {
            Box::pin(async move {
                lanes::fence(tx, &claim).await?;
                let outcome = match fulfilment::next_retry(tx, &ctx, &id).await? {
                    Some(at_ms) => Outcome::Again { at_ms: at_ms.max(ctx.now_ms()) },
                    None => Outcome::Done,
                };
                Ok::<_, Error>(lanes::finish(tx, &ctx, &claim, outcome).await?)
            })
        })
        .await
}

/// What became of one shipment.
enum Told {
    Written(Option<String>),
    Refused(String),
    Later { why: String, at_ms: i64, certain: bool },
}

async fn write_back(
    sync: &Sync,
    ctx: &Ctx,
    claim: &Claim,
    connection: &Connection,
    session: &Session,
    shipment: Shipment,
    order: String,
) -> Result<(), Error> {
    let known = match shipment.attempts {
        0 => None,
        _ => look_up(session, &order, &shipment).await?,
    };
    let told = match known {
        Some(external_id) => Told::Written(Some(external_id)),
        None => {
            let id = shipment.id.clone();
            in_lane(sync, ctx, claim, move |tx, ctx| Box::pin(async move { Ok(fulfilment::count_attempt(tx, &ctx, &id).await?) })).await?;
            tell(sync, ctx, connection, session, &shipment, &order).await?
        }
    };
    in_lane(sync, ctx, claim, move |tx, ctx| {
        Box::pin(async move {
            match told {
                Told::Written(external_id) => fulfilment::written(tx, &ctx, &shipment, external_id.as_deref()).await?,
                Told::Refused(why) => fulfilment::refused(tx, &ctx, &shipment, &why).await?,
                Told::Later { why, at_ms, certain } => fulfilment::postponed(tx, &ctx, &shipment, &why, at_ms, certain).await?,
            }
            Ok(())
        })
    })
    .await
}

async fn in_lane<F>(sync: &Sync, ctx: &Ctx, claim: &Claim, work: F) -> Result<(), Error>
where
    F: for<'t> FnOnce(&'t mut WriteTx, Ctx) -> BoxFuture<'t, Result<(), Error>> + Send + 'static,
{
    let (ctx, claim) = (ctx.clone(), claim.clone());
    sync.store
        .write(move |tx| {
            Box::pin(async move {
                lanes::fence(tx, &claim).await?;
                work(tx, ctx).await
            })
        })
        .await
}

/// The channel's id of our shipment, if an earlier try reached it: same tracking numbers, or same lines where there are none.
async fn look_up(session: &Session, order: &str, shipment: &Shipment) -> Result<Option<String>, Error> {
    let theirs = session.caller.fulfilment_read(session.context(1, ""), order.to_owned()).await?;
    let same = |found: &&commerce::Shipment| {
        let numbers: Vec<&str> = found.tracking.iter().map(|t| t.number.as_str()).collect();
        match shipment.tracking.is_empty() {
            false => shipment.tracking.iter().all(|ours| numbers.contains(&ours.number.as_str())),
            true => {
                shipment.lines.iter().all(|ours| found.lines.iter().any(|l| l.line == ours.line && i64::from(l.quantity) == ours.quantity))
            }
        }
    };
    Ok(theirs.iter().find(same).map(|found| found.external_id.clone()))
}

async fn tell(sync: &Sync, ctx: &Ctx, connection: &Connection, session: &Session, shipment: &Shipment, order: &str) -> Result<Told, Error> {
    let mut conn = sync.store.read().await?;
    let view = orders::find(&mut conn, &ctx.tenant, &shipment.order).await?;
    drop(conn);
    let open = |line: &orders::model::LineView| line.kind == orders::LineKind::Physical && line.quantity > line.fulfilled + line.released;
    let dispatch = fulfilment_out::Dispatch {
        key: shipment.id.to_string(),
        order: order.to_owned(),
        reference: shipment.id.to_string(),
        lines: shipment
            .lines
            .iter()
            .map(|line| commerce::ShipmentLine { line: line.line.clone(), quantity: u32::try_from(line.quantity).unwrap_or(0) })
            .collect(),
        tracking: shipment
            .tracking
            .iter()
            .map(|t| commerce::Tracking { number: t.number.clone(), carrier: t.carrier.clone(), url: t.url.clone() })
            .collect(),
        shipped_at: to_rfc3339(shipment.shipped_at),
        notify_buyer: true,
        completes_order: view.is_some_and(|view| !view.lines.iter().any(open)),
    };
    let context = session.context(shipment.attempts + 1, shipment.id.as_str());
    let later = |why: String, retry_after_ms: Option<u32>, sent: Sent| Told::Later {
        why,
        at_ms: ctx.now_ms() + retry_after_ms.map_or(PAUSE_MS, i64::from),
        certain: sent == Sent::No,
    };
    match session.caller.fulfilment_push(context, vec![dispatch]).await {
        Ok(outcomes) => Ok(match outcomes.into_iter().find(|outcome| outcome.key == shipment.id.as_str()).map(|outcome| outcome.state) {
            Some(OutcomeState::Done(external_id)) => Told::Written(Some(external_id).filter(|id| !id.is_empty())),
            Some(OutcomeState::Unchanged) => Told::Written(None),
            Some(OutcomeState::Rejected(failure)) => Told::Refused(failure.message),
            Some(OutcomeState::Retry(failure)) => later(failure.message, failure.retry_after_ms, failure.sent),
            Some(OutcomeState::Pending(_)) => later("the channel is still working on it".into(), None, Sent::Maybe),
            None => later("the connector did not say what became of it".into(), None, Sent::Maybe),
        }),
        Err(CallError::Failed(failure)) => {
            let told = later(failure.message.clone(), failure.retry_after_ms, failure.sent);
            health::note(sync, ctx, connection, Some(&CallError::Failed(failure).into())).await?;
            Ok(told)
        }
        Err(error) => Ok(later(error.to_string(), None, Sent::Maybe)),
    }
}
