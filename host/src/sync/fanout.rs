//! Stock has changed: which listings must be told.

use std::collections::{BTreeMap, BTreeSet};

use super::push::Field;
use super::{Error, push_lane, store};
use crate::catalog;
use crate::ctx::Ctx;
use crate::id::{ConnectionId, ListingId, VariantId};
use crate::lanes;
use crate::listings::{self, Filter, Link, Tracking};
use crate::page::{MAX_LIMIT, PageRequest};
use crate::pricing;
use crate::store::WriteTx;

/// Makes the push lane of every connection due that lists one of these variants, or a kit that contains one, in the caller's
/// unit of work. Values are read when they are sent, so a burst of changes is one push.
pub async fn stock_changed(tx: &mut WriteTx, ctx: &Ctx, variants: &[VariantId]) -> Result<(), Error> {
    if variants.is_empty() {
        return Ok(());
    }
    let kits = catalog::kits_with(tx, &ctx.tenant, variants).await?;
    let shown: Vec<VariantId> = variants.iter().cloned().chain(kits).collect::<BTreeSet<_>>().into_iter().collect();
    let listings = listings::brief_of_variants(tx, &ctx.tenant, &shown).await?;
    let told: Vec<_> = listings.iter().filter(|listing| listing.tracking == Tracking::Tracked).map(|l| (&l.id, &l.connection)).collect();
    want(tx, ctx, Field::Stock, &told).await
}

/// These listings are to be told anew. Lanes first: a push holds its lane before it touches what its listings were told, and two units of
/// work that lock the same rows in opposite directions wait for each other until the database kills one. What the listings were told is
/// taken in the order of their ids by all.
pub async fn want(tx: &mut WriteTx, ctx: &Ctx, field: Field, told: &[(&ListingId, &ConnectionId)]) -> Result<(), Error> {
    let mut lanes: Vec<_> = told.iter().map(|(_, connection)| field.lane(connection)).collect();
    lanes.sort();
    lanes.dedup();
    lanes::make_due_many(tx, ctx, &lanes, ctx.now_ms()).await?;
    store::want(tx, ctx, field.as_str(), told).await
}

/// How much a connection shows has changed: every linked listing of it is told anew.
pub async fn connection_changed(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId) -> Result<(), Error> {
    lanes::make_due(tx, ctx, &push_lane(connection), ctx.now_ms()).await?;
    all_of(tx, ctx, connection, Field::Stock).await
}

/// Base prices, costs or lines of price lists have changed: of these variants, or of all.
pub async fn prices_changed(tx: &mut WriteTx, ctx: &Ctx, variants: Option<&[VariantId]>) -> Result<(), Error> {
    let told = pricing::pushing(tx, &ctx.tenant).await?;
    if told.is_empty() {
        return Ok(());
    }
    let Some(variants) = variants else {
        for connection in &told {
            lanes::make_due(tx, ctx, &Field::Price.lane(connection), ctx.now_ms()).await?;
            all_of(tx, ctx, connection, Field::Price).await?;
        }
        return Ok(());
    };
    let lanes: Vec<_> = told.iter().map(|connection| Field::Price.lane(connection)).collect();
    let listings = listings::brief_of_variants(tx, &ctx.tenant, variants).await?;
    let changed: Vec<_> = listings.iter().filter(|listing| told.contains(&listing.connection)).map(|l| (&l.id, &l.connection)).collect();
    if changed.is_empty() {
        return Ok(());
    }
    lanes::make_due_many(tx, ctx, &lanes, ctx.now_ms()).await?;
    store::want(tx, ctx, Field::Price.as_str(), &changed).await
}

/// Every linked listing of a connection is told this field anew. Its lane is held or made due by the caller.
pub async fn all_of(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, field: Field) -> Result<(), Error> {
    let filter = Filter { connection: Some(connection.clone()), link: Some(Link::Linked), variant: None };
    let mut request = PageRequest::first(MAX_LIMIT);
    loop {
        let page = listings::list(tx, &ctx.tenant, &filter, &request).await?;
        let counts = |listing: &&listings::Listing| field != Field::Stock || listing.tracking == Tracking::Tracked;
        let told: Vec<_> = page.items.iter().filter(counts).map(|l| (&l.id, &l.connection)).collect();
        store::want(tx, ctx, field.as_str(), &told).await?;
        match page.next_cursor {
            Some(cursor) => request.cursor = Some(cursor),
            None => return Ok(()),
        }
    }
}

/// One listing is told everything anew.
pub async fn told_anew(tx: &mut WriteTx, ctx: &Ctx, listing: &listings::Listing) -> Result<(), Error> {
    lanes::make_due_many(tx, ctx, &super::guards::push_lanes(&listing.connection), ctx.now_ms()).await?;
    let one = [(&listing.id, &listing.connection)];
    if listing.tracking == Tracking::Tracked {
        store::want(tx, ctx, Field::Stock.as_str(), &one).await?;
    }
    if pricing::pushes(tx, &ctx.tenant, &listing.connection).await? {
        store::want(tx, ctx, Field::Price.as_str(), &one).await?;
    }
    store::judge_anew(tx, ctx, &listing.connection, Some(&listing.id)).await
}

/// A new order was placed in the shop `connection`, which has lowered its own quantities: what it was told moves along, so
/// that it is not told again what it knows, and a sale it has not reported yet is not overwritten.
pub async fn sold_at(
    tx: &mut WriteTx,
    ctx: &Ctx,
    connection: &ConnectionId,
    placed_at: i64,
    units: &BTreeMap<String, i64>,
) -> Result<(), Error> {
    let external: Vec<&str> = units.keys().map(String::as_str).collect();
    let listings = listings::brief_external(tx, &ctx.tenant, connection, &external).await?;
    let sold = units.iter().filter_map(|(external_id, units)| Some((listings.get(external_id)?.id.clone(), *units))).collect();
    store::told_less(tx, ctx, &sold, placed_at).await
}

/// The shop changed something whose effect on its own quantities is not known: they are read before the next push.
pub async fn unsure_at(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, external_ids: &[&str]) -> Result<(), Error> {
    let listings = listings::brief_external(tx, &ctx.tenant, connection, external_ids).await?;
    for listing in listings.values() {
        store::told_unknown(tx, ctx, &listing.id).await?;
    }
    Ok(())
}
