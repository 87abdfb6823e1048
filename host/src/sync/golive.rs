//! From observing to live: opening stock, the first plan, its acceptance.
//!
//! An empty hub must never push zeros to a live shop. So a connection observes first; the opening count comes from a file or
//! from one shop named as the source; what the first push would change is shown as a plan; and only accepting that very plan,
//! while it still holds, lets the connection push.

use std::collections::BTreeSet;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::push::{STOCK, Told};
use super::shelves::insist;
use super::{Error, Sync, fanout, push_lane, store, wanted, writeback_lane};
use crate::catalog;
use crate::connections::{self, Connection};
use crate::ctx::Ctx;
use crate::id::{ConnectionId, ListingId, PlanId, VariantId};
use crate::lanes;
use crate::listings::{self, Filter, Link, Listing, Tracking};
use crate::locations;
use crate::orders;
use crate::page::PageRequest;
use crate::stock;
use crate::store::{Sql, Store, WriteTx};

/// One listing that would show something else.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Planned {
    pub listing: ListingId,
    pub external_id: String,
    pub sku: Option<String>,
    pub title: String,
    /// What the channel showed when it was last read, by its location.
    pub shows: Told,
    pub would_show: Told,
    pub reason: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    pub id: PlanId,
    pub connection: ConnectionId,
    pub changes: Vec<Planned>,
    /// Linked listings that already show what they should.
    pub unchanged: usize,
    /// Listings that nothing would be pushed to, because they are not linked.
    pub parked: usize,
    /// Linked listings that would go to zero.
    pub to_zero: usize,
}

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

async fn all(conn: &mut impl Sql, ctx: &Ctx, connection: &ConnectionId) -> Result<Vec<Listing>, Error> {
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

/// What a push would change now. Stored, so that accepting names exactly this.
pub async fn plan(sync: &Sync, ctx: &Ctx, connection: &Connection) -> Result<Plan, Error> {
    let mut conn = sync.store.read().await?;
    let (changes, unchanged, parked) = differences(&mut conn, ctx, connection).await?;
    drop(conn);
    let plan = Plan {
        id: PlanId::new(&ctx.ids),
        connection: connection.id.clone(),
        unchanged,
        parked,
        to_zero: changes.iter().filter(|c| c.would_show.0.values().all(|q| *q == 0)).count(),
        changes,
    };
    let (text, digest) = written(&plan.changes)?;
    let (ctx, id, connection) = (ctx.clone(), plan.id.clone(), connection.id.clone());
    sync.store.write(move |tx| Box::pin(async move { store::put_plan(tx, &ctx, &id, &connection, &digest, &text).await })).await?;
    Ok(plan)
}

fn written(changes: &[Planned]) -> Result<(String, String), Error> {
    let text = serde_json::to_string(changes)?;
    let digest = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((text, digest))
}

async fn differences(conn: &mut impl Sql, ctx: &Ctx, connection: &Connection) -> Result<(Vec<Planned>, usize, usize), Error> {
    let listings = all(conn, ctx, &connection.id).await?;
    let parked = listings.iter().filter(|listing| listing.link != Link::Linked).count();
    let ids: Vec<ListingId> = listings.iter().map(|listing| listing.id.clone()).collect();
    let levels = listings::levels(conn, &ctx.tenant, &ids).await?;
    let (mut changes, mut unchanged) = (Vec::new(), 0);
    for wanted in wanted::wanted_of(conn, ctx, connection, listings).await?.into_values() {
        let seen = levels.get(&wanted.listing.id).cloned().unwrap_or_default();
        let shows = Told(seen.into_iter().map(|level| (level.location.unwrap_or_default(), level.quantity)).collect());
        if wanted.value.0.iter().all(|(place, quantity)| shows.0.get(place) == Some(quantity)) {
            unchanged += 1;
            continue;
        }
        changes.push(Planned {
            listing: wanted.listing.id,
            external_id: wanted.listing.external_id,
            sku: wanted.listing.sku,
            title: wanted.listing.title,
            shows,
            would_show: wanted.value,
            reason: wanted.reason,
        });
    }
    Ok((changes, unchanged, parked))
}

/// Accepts a plan and lets its connection push. Refused when the plan no longer says what would happen.
pub async fn accept(sync: &Sync, ctx: &Ctx, id: &PlanId) -> Result<Connection, Error> {
    let mut conn = sync.store.read().await?;
    let Some((connection, digest, _, _, accepted)) = store::plan(&mut conn, &ctx.tenant, id).await? else {
        return Err(Error::refused(format!("there is no plan {id}"), "`entrepot sync plan CONNECTION` makes one"));
    };
    let connection = connections::get(&mut conn, &ctx.tenant, &connection).await?;
    let (changes, _, _) = differences(&mut conn, ctx, &connection).await?;
    drop(conn);
    if accepted.is_some() {
        return Err(Error::refused(format!("plan {id} was accepted before"), "make a new plan"));
    }
    if written(&changes)?.1 != digest {
        return Err(Error::refused(
            format!("stock or listings changed since plan {id} was made"),
            format!("look at a new one: `entrepot sync plan {}`", connection.name),
        ));
    }
    let (ctx, plan) = (ctx.clone(), id.clone());
    sync.store.write(move |tx| Box::pin(async move { go_live(tx, &ctx, &connection, &plan).await })).await
}

async fn go_live(tx: &mut crate::store::WriteTx, ctx: &Ctx, connection: &Connection, plan: &PlanId) -> Result<Connection, Error> {
    store::accept_plan(tx, ctx, plan).await?;
    let live = connections::go_live(tx, ctx, &connection.id, plan).await?;
    let linked: Vec<Listing> = all(tx, ctx, &connection.id).await?.into_iter().filter(|listing| listing.link == Link::Linked).collect();
    let ids: Vec<ListingId> = linked.iter().map(|listing| listing.id.clone()).collect();
    let levels = listings::levels(tx, &ctx.tenant, &ids).await?;
    let due: Vec<_> = ids.iter().map(|id| (id, &connection.id)).collect();
    lanes::make_due_many(tx, ctx, &[push_lane(&connection.id), writeback_lane(&connection.id)], ctx.now_ms()).await?;
    store::want(tx, ctx, STOCK, &due).await?;
    for id in &ids {
        // What the plan was made from is what the channel shows.
        let shows: Told =
            Told(levels.get(id).into_iter().flatten().map(|level| (level.location.clone().unwrap_or_default(), level.quantity)).collect());
        if !shows.0.is_empty() {
            store::told_is(tx, ctx, id, STOCK, Some(&shows)).await?;
        }
    }
    Ok(live)
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
