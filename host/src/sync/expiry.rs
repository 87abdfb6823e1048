//! Orders that are not paid in time let go of what they hold.
//!
//! Off unless the merchant has set a time for the connection or for all. One lane per connection, due when its oldest unpaid
//! order is; the order stays as it is at the channel, and holds again when its payment comes. An order of which something has
//! left is never let go.

use futures::future::BoxFuture;

use super::error::ending;
use super::{Error, Sync, fanout, on_behalf};
use crate::ctx::Ctx;
use crate::id::ConnectionId;
use crate::lanes::{self, Claim, Handler, HandlerError, LaneKey, LaneKind, Outcome};
use crate::orders::{self, ChannelOrder, Payment};
use crate::stock;
use crate::store::WriteTx;

/// Orders in one unit of work.
const AT_ONCE: u32 = 50;

pub fn expiry_lane(connection: &ConnectionId) -> LaneKey {
    LaneKey::new(LaneKind::Expiry, connection, "unpaid")
}

pub struct Expiry(pub Sync);

impl Handler for Expiry {
    fn run<'a>(&'a self, ctx: &'a Ctx, claim: &'a Claim) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move { run(&self.0, ctx, claim).await.map_err(|error| ending(error, ctx.now_ms())) })
    }
}

async fn run(sync: &Sync, ctx: &Ctx, claim: &Claim) -> Result<(), Error> {
    let Some(id) = claim.connection() else { return Ok(()) };
    let (ctx, claim, id) = (on_behalf(ctx, id), claim.clone(), id.clone());
    sync.store
        .write(move |tx| {
            Box::pin(async move {
                lanes::fence(tx, &claim).await?;
                let outcome = let_go(tx, &ctx, &id).await?;
                Ok::<_, Error>(lanes::finish(tx, &ctx, &claim, outcome).await?)
            })
        })
        .await
}

async fn let_go(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId) -> Result<Outcome, Error> {
    let Some(wait_ms) = stock::rule(tx, &ctx.tenant, Some(connection)).await?.unpaid_ms else { return Ok(Outcome::Done) };
    let (count, change) = orders::let_unpaid_go(tx, ctx, connection, ctx.now_ms().saturating_sub(wait_ms), AT_ONCE).await?;
    fanout::stock_changed(tx, ctx, &change.variants).await?;
    let filled = orders::fill_short(tx, ctx, &change.freed).await?;
    fanout::stock_changed(tx, ctx, &filled.variants).await?;
    if count >= AT_ONCE as usize {
        return Ok(Outcome::Again { at_ms: ctx.now_ms() });
    }
    let next = orders::oldest_unpaid(tx, &ctx.tenant, connection).await?;
    Ok(next.map_or(Outcome::Done, |placed_at| Outcome::Again { at_ms: placed_at.saturating_add(wait_ms) }))
}

/// Orders that are not paid yet: the lane looks when the first of them has waited long enough.
pub(super) async fn await_payment<'a>(
    tx: &mut WriteTx,
    ctx: &Ctx,
    connection: &ConnectionId,
    orders: impl Iterator<Item = &'a ChannelOrder>,
) -> Result<(), Error> {
    let Some(placed_at) = orders.filter(|order| order.payment == Payment::Pending).map(|order| order.placed_at).min() else {
        return Ok(());
    };
    if let Some(wait_ms) = stock::rule(tx, &ctx.tenant, Some(connection)).await?.unpaid_ms {
        let at_ms = placed_at.saturating_add(wait_ms).max(ctx.now_ms());
        lanes::make_due(tx, ctx, &expiry_lane(connection), at_ms).await?;
    }
    Ok(())
}
