//! From observing to live: opening stock, then the first plan and its acceptance ([`super::plan`]).
//!
//! An empty hub must never push zeros to a live shop. So a connection observes first; the opening count comes from a file or
//! from one shop named as the source; what the first push would change is shown as a plan; and only accepting that very plan,
//! while it still holds, lets the connection push.

use std::collections::BTreeSet;

use futures::future::BoxFuture;

pub use super::plan::{Plan, Planned, accept, plan};
use super::shelves::insist;
use super::{Error, Sync, fanout};
use crate::catalog;
use crate::connections::Connection;
use crate::ctx::Ctx;
use crate::id::{ConnectionId, ListingId, VariantId};
use crate::listings::{self, Filter, Listing, Tracking};
use crate::locations;
use crate::orders;
use crate::page::PageRequest;
use crate::stock;
use crate::store::{Sql, Store, WriteTx};

/// Takes one shop's quantities as the opening count. On hand is what the shop shows plus the units of its own open orders,
/// which it has already taken off. Returns the variants that were counted.
pub async fn opening_from(sync: &Sync, ctx: &Ctx, connection: &Connection) -> Result<Vec<VariantId>, Error> {
    let mut conn = sync.store.read().await?;
    let linked: Vec<Listing> =
        all(&mut conn, ctx, &connection.id).await?.into_iter().filter(|l| l.tracking == Tracking::Tracked && l.variant.is_some()).collect();
    let ids: Vec<ListingId> = linked.iter().map(|listing| listing.id.clone()).collect();
    let levels = listings::levels(&mut conn, &ctx.tenant, &ids).await?;
    let mapped = locations::mapped(&mut conn, &ctx.tenant, &connection.id).await?;
    let variants: Vec<VariantId> = linked.iter().filter_map(|listing| listing.variant.clone()).collect();
    let kits = catalog::recipes(&mut conn, &ctx.tenant, &variants).await?;
    drop(conn);
    // A kit is not counted; what it is made of is, where it is listed by itself.
    let linked: Vec<Listing> =
        linked.into_iter().filter(|l| l.variant.as_ref().is_none_or(|variant| !kits.contains_key(variant))).collect();
    let reference = format!("opening:{}", connection.id);
    let mut counted = Vec::new();
    for chunk in linked.chunks(200) {
        let (ctx, chunk, levels, mapped) = (ctx.clone(), chunk.to_vec(), levels.clone(), mapped.clone());
        let (reference, shop) = (reference.clone(), connection.id.clone());
        let variants = sync
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let default = locations::ensure_default(tx, &ctx).await?;
                    let counting: BTreeSet<VariantId> = chunk.iter().filter_map(|listing| listing.variant.clone()).collect();
                    stock::lock(tx, &ctx, &counting).await?;
                    let mut open = orders::open_units(tx, &ctx.tenant, &shop).await?;
                    let mut variants = Vec::new();
                    for listing in &chunk {
                        let Some(variant) = &listing.variant else { continue };
                        for level in levels.get(&listing.id).into_iter().flatten() {
                            let place = level.location.as_ref().and_then(|external| mapped.get(external)).unwrap_or(&default);
                            // What the shop has sold and not sent has left its figure, but not the shelf.
                            let sold = std::mem::take(open.entry(variant.clone()).or_default());
                            stock::count(tx, &ctx, variant, place, level.quantity.max(0) + sold, &reference).await?;
                        }
                        variants.push(variant.clone());
                    }
                    let filled = orders::fill_short(tx, &ctx, &variants).await?;
                    fanout::stock_changed(tx, &ctx, &variants).await?;
                    fanout::stock_changed(tx, &ctx, &filled.variants).await?;
                    Ok::<_, Error>(variants)
                })
            })
            .await?;
        counted.extend(variants);
    }
    counted.sort();
    counted.dedup();
    Ok(counted)
}

/// Every listing of a connection.
pub(super) async fn all(conn: &mut impl Sql, ctx: &Ctx, connection: &ConnectionId) -> Result<Vec<Listing>, Error> {
    let filter = Filter { connection: Some(connection.clone()), ..Filter::default() };
    let (mut listings, mut request) = (Vec::new(), PageRequest::first(500));
    loop {
        let page = listings::list(conn, &ctx.tenant, &filter, &request).await?;
        listings.extend(page.items);
        match page.next_cursor {
            Some(cursor) => request = PageRequest { cursor: Some(cursor), limit: Some(500) },
            None => return Ok(listings),
        }
    }
}

/// Stock was changed by hand: waiting orders are served first, then the channels are told.
pub async fn stock_set(store: &Store, ctx: &Ctx, change: StockChange) -> Result<bool, Error> {
    insist(store, || {
        let (ctx, change) = (ctx.clone(), change.clone());
        move |tx: &mut WriteTx| -> BoxFuture<'_, Result<bool, Error>> {
            Box::pin(async move {
                let variants = [change.variant];
                let location = match change.location {
                    Some(location) => location,
                    None => locations::ensure_default(tx, &ctx).await?,
                };
                let (variant, reference) = (&variants[0], &change.reference);
                let booked = match change.kind {
                    StockChangeKind::Count(units) => stock::count(tx, &ctx, variant, &location, units, reference).await?,
                    StockChangeKind::Receive(units) => stock::receive(tx, &ctx, variant, &location, units, reference).await?,
                    StockChangeKind::Adjust(units) => stock::adjust(tx, &ctx, variant, &location, units, reference).await?,
                };
                orders::fill_short(tx, &ctx, &variants).await?;
                fanout::stock_changed(tx, &ctx, &variants).await?;
                Ok(booked)
            })
        }
    })
    .await
}

/// A change of stock made by a person.
#[derive(Clone, Debug)]
pub struct StockChange {
    pub variant: VariantId,
    /// None: the default place.
    pub location: Option<crate::id::LocationId>,
    pub kind: StockChangeKind,
    /// The same cause books once.
    pub reference: String,
}

#[derive(Clone, Copy, Debug)]
pub enum StockChangeKind {
    Count(i64),
    Receive(i64),
    Adjust(i64),
}
