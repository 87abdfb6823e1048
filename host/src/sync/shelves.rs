//! What people do to stock by hand: kits, places, what is shown where, and orders that lack something.
//!
//! Each operation is one unit of work with everything that follows from it: orders that wait are served first, then the
//! channels are told. On a server two units of work may meet on the same rows; the one that lost is done again.

use futures::future::BoxFuture;

use super::{Error, expiry, fanout};
use crate::catalog::{self, Part};
use crate::connections;
use crate::ctx::Ctx;
use crate::id::{ConnectionId, LocationId, OrderId, VariantId};
use crate::lanes;
use crate::listings::{self, Allotment};
use crate::orders;
use crate::page::PageRequest;
use crate::stock::{self, Again, Rule};
use crate::store::{Store, WriteTx};

const ATTEMPTS: usize = 4;

/// Runs a unit of work again while another one stood in its way.
pub(super) async fn insist<T, F>(store: &Store, make: impl Fn() -> F) -> Result<T, Error>
where
    F: for<'t> FnOnce(&'t mut WriteTx) -> BoxFuture<'t, Result<T, Error>> + Send + 'static,
    T: Send + 'static,
{
    let mut attempt = 1;
    loop {
        match store.write(make()).await {
            Err(error) if attempt < ATTEMPTS && crate::store::is_contended(&error) => attempt += 1,
            done => return done,
        }
    }
}

/// More can be promised of these: orders that wait for some, then the channels.
async fn changed(tx: &mut WriteTx, ctx: &Ctx, variants: &[VariantId]) -> Result<(), Error> {
    let filled = orders::fill_short(tx, ctx, variants).await?;
    let all: Vec<VariantId> = variants.iter().cloned().chain(filled.variants).collect();
    fanout::stock_changed(tx, ctx, &all).await
}

/// Moves goods from one of our places to another. `false` if this was booked before.
pub async fn transfer(
    store: &Store,
    ctx: &Ctx,
    variant: &VariantId,
    (from, to): (&LocationId, &LocationId),
    units: i64,
    reference: &str,
) -> Result<bool, Error> {
    insist(store, || {
        let (ctx, variants, from, to, reference) = (ctx.clone(), [variant.clone()], from.clone(), to.clone(), reference.to_owned());
        move |tx: &mut WriteTx| -> BoxFuture<'_, Result<bool, Error>> {
            Box::pin(async move {
                let booked = stock::transfer(tx, &ctx, &variants[0], (&from, &to), units, &reference).await?;
                changed(tx, &ctx, &variants).await?;
                Ok(booked)
            })
        }
    })
    .await
}

/// A number that belongs to one variant at one place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mark {
    /// Units never published from there.
    Safety(i64),
    /// Units that may be promised before they exist.
    Backorder(i64),
}

pub async fn set_mark(store: &Store, ctx: &Ctx, variant: &VariantId, location: &LocationId, mark: Mark) -> Result<(), Error> {
    insist(store, || {
        let (ctx, variants, location) = (ctx.clone(), [variant.clone()], location.clone());
        move |tx: &mut WriteTx| -> BoxFuture<'_, Result<(), Error>> {
            Box::pin(async move {
                match mark {
                    Mark::Safety(units) => stock::set_safety(tx, &ctx, &variants[0], &location, units).await?,
                    Mark::Backorder(limit) => stock::set_backorder_limit(tx, &ctx, &variants[0], &location, limit).await?,
                }
                changed(tx, &ctx, &variants).await
            })
        }
    })
    .await
}

/// Says what a kit is made of; no parts: it is no kit any more. Open orders keep what they took.
pub async fn set_kit(store: &Store, ctx: &Ctx, kit: &VariantId, parts: &[Part]) -> Result<bool, Error> {
    insist(store, || {
        let (ctx, kit, parts) = (ctx.clone(), kit.clone(), parts.to_vec());
        move |tx: &mut WriteTx| -> BoxFuture<'_, Result<bool, Error>> {
            Box::pin(async move {
                if !parts.is_empty() {
                    stock::refuse_own(tx, &ctx, &kit).await?;
                }
                let changed = catalog::set_components(tx, &ctx, &kit, &parts).await?;
                fanout::stock_changed(tx, &ctx, std::slice::from_ref(&kit)).await?;
                Ok(changed)
            })
        }
    })
    .await
}

/// How much of a variant, or of all, one connection may show. `None` takes the row away.
pub async fn set_allotment(
    store: &Store,
    ctx: &Ctx,
    connection: &ConnectionId,
    variant: Option<&VariantId>,
    allotment: Option<Allotment>,
) -> Result<bool, Error> {
    insist(store, || {
        let (ctx, connection, variant) = (ctx.clone(), connection.clone(), variant.cloned());
        move |tx: &mut WriteTx| -> BoxFuture<'_, Result<bool, Error>> {
            Box::pin(async move {
                let changed = listings::set_allotment(tx, &ctx, &connection, variant.as_ref(), allotment.as_ref()).await?;
                match &variant {
                    Some(variant) if changed => fanout::stock_changed(tx, &ctx, std::slice::from_ref(variant)).await?,
                    // What is kept for one channel is taken from all others.
                    None if changed => {
                        for other in all_connections(tx, &ctx).await? {
                            fanout::connection_changed(tx, &ctx, &other).await?;
                        }
                    }
                    _ => {}
                }
                Ok(changed)
            })
        }
    })
    .await
}

async fn all_connections(tx: &mut WriteTx, ctx: &Ctx) -> Result<Vec<ConnectionId>, Error> {
    let (mut found, mut request) = (Vec::new(), PageRequest::first(500));
    loop {
        let page = connections::list(tx, &ctx.tenant, &request).await?;
        found.extend(page.items.into_iter().map(|connection| connection.id));
        match page.next_cursor {
            Some(cursor) => request.cursor = Some(cursor),
            None => return Ok(found),
        }
    }
}

/// How orders of a connection, or of all, are served. `None` takes the rule away.
pub async fn set_rule(store: &Store, ctx: &Ctx, connection: Option<&ConnectionId>, rule: Option<Rule>) -> Result<(), Error> {
    insist(store, || {
        let (ctx, connection) = (ctx.clone(), connection.cloned());
        move |tx: &mut WriteTx| -> BoxFuture<'_, Result<(), Error>> {
            Box::pin(async move {
                match &rule {
                    Some(rule) => stock::set_rule(tx, &ctx, connection.as_ref(), rule).await?,
                    None => drop(stock::drop_rule(tx, &ctx, connection.as_ref()).await?),
                }
                // Orders that wait for their payment already are looked at now.
                let of = match connection {
                    Some(connection) => vec![connection],
                    None => all_connections(tx, &ctx).await?,
                };
                let due: Vec<_> = of.iter().map(expiry::expiry_lane).collect();
                Ok(lanes::make_due_many(tx, &ctx, &due, ctx.now_ms()).await?)
            })
        }
    })
    .await
}

/// Serves an order again, from several places if need be.
pub async fn serve_again(store: &Store, ctx: &Ctx, order: &OrderId, first: Option<&LocationId>) -> Result<(), Error> {
    insist(store, || {
        let (ctx, order, again) = (ctx.clone(), order.clone(), Again { first: first.cloned() });
        move |tx: &mut WriteTx| -> BoxFuture<'_, Result<(), Error>> {
            Box::pin(async move {
                let change = orders::serve_again(tx, &ctx, &order, &again).await?;
                fanout::stock_changed(tx, &ctx, &change.variants).await
            })
        }
    })
    .await
}

/// Goods that a buyer sent back, by line. `to_shelf`: they can be sold again.
pub async fn take_back(store: &Store, ctx: &Ctx, order: &OrderId, units: &[(String, i64)], to_shelf: bool) -> Result<(), Error> {
    insist(store, || {
        let (ctx, order, units) = (ctx.clone(), order.clone(), units.to_vec());
        move |tx: &mut WriteTx| -> BoxFuture<'_, Result<(), Error>> {
            Box::pin(async move {
                let change = orders::note_returned_here(tx, &ctx, &order, &units, to_shelf).await?;
                changed(tx, &ctx, &change.variants).await
            })
        }
    })
    .await
}

/// Writes the sums of stock anew from the ledger where they differ; returns what was corrected.
pub async fn rebuild(store: &Store, ctx: &Ctx) -> Result<Vec<stock::Difference>, Error> {
    insist(store, || {
        let ctx = ctx.clone();
        move |tx: &mut WriteTx| -> BoxFuture<'_, Result<Vec<stock::Difference>, Error>> {
            Box::pin(async move {
                let corrected = stock::rebuild(tx, &ctx).await?;
                let variants: Vec<VariantId> = corrected.iter().map(|difference| difference.variant.clone()).collect();
                changed(tx, &ctx, &variants).await?;
                Ok(corrected)
            })
        }
    })
    .await
}
