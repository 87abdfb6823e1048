//! Orders coming in, by webhook or by poll: the one path both take.

use std::collections::{BTreeMap, BTreeSet};

use super::{Error, Sync, expiry, fanout, store, tax};
use crate::catalog;
use crate::connections::Connection;
use crate::ctx::Ctx;
use crate::id::VariantId;
use crate::listings;
use crate::orders::{self, ChannelOrder, Ingested, LineKind, Origin, Resolution};
use crate::store::{Sql, WriteTx};

/// An order ready to be stored.
#[derive(Clone)]
pub struct Arrived {
    pub order: ChannelOrder,
    pub found: Resolution,
    /// Read from the channel just now.
    pub authoritative: bool,
}

/// Finds which of our variants each line sold: by the listing it names, else by SKU, else by GTIN.
pub async fn resolve(conn: &mut impl Sql, ctx: &Ctx, connection: &Connection, order: &ChannelOrder) -> Result<Resolution, Error> {
    let lines: Vec<_> = order.lines.iter().filter(|line| line.kind == LineKind::Physical).collect();
    let external: Vec<&str> = lines.iter().filter_map(|line| line.listing.as_deref()).collect();
    let listed = listings::brief_external(conn, &ctx.tenant, &connection.id, &external).await?;
    let by_listing = |line: &&orders::model::ChannelLine| listed.get(line.listing.as_deref()?)?.variant.clone();
    let mut found: Resolution = lines.iter().filter_map(|line| Some((line.external_id.clone(), by_listing(line)?))).collect();
    let rest: Vec<_> = lines.iter().filter(|line| !found.contains_key(&line.external_id)).collect();
    if rest.is_empty() {
        return Ok(found);
    }
    let skus: Vec<&str> = rest.iter().filter_map(|line| line.sku.as_deref()).collect();
    let gtins: Vec<&str> = rest.iter().filter_map(|line| line.gtin.as_deref()).collect();
    let by_sku = catalog::find_by_skus(conn, &ctx.tenant, &skus).await?;
    let by_gtin = catalog::find_by_gtins(conn, &ctx.tenant, &gtins).await?;
    let mut named = Vec::new();
    for line in rest {
        let sku = line.sku.as_deref().and_then(|sku| by_sku.get(sku)).map(|variant| variant.id.clone());
        // Two variants with one GTIN decide nothing.
        let gtin = line.gtin.as_deref().and_then(|gtin| by_gtin.get(gtin)).filter(|many| many.len() == 1);
        named.extend(sku.or_else(|| gtin.map(|many| many[0].id.clone())).map(|variant| (line.external_id.clone(), variant)));
    }
    found.extend(named);
    Ok(found)
}

/// Stores orders and everything that follows from them, in the caller's unit of work.
///
/// Rows are locked in one direction whatever is in the list: the lane that waits for payments, then as [`orders::claim`] says,
/// the outbound lanes, what listings were told. Two pages that share a variant wait for each other and never deadlock.
pub async fn take(tx: &mut WriteTx, ctx: &Ctx, sync: &Sync, connection: &Connection, arrived: &[Arrived]) -> Result<Vec<Ingested>, Error> {
    let names: BTreeSet<&str> = arrived.iter().map(|arrived| arrived.order.external_id.as_str()).collect();
    expiry::await_payment(tx, ctx, &connection.id, arrived.iter().map(|arrived| &arrived.order)).await?;
    let sold: BTreeSet<VariantId> = arrived.iter().flat_map(|arrived| arrived.found.values().cloned()).collect();
    orders::claim(tx, ctx, &connection.id, &names, sold).await?;
    let (mut taken, mut moved, mut freed) = (Vec::with_capacity(arrived.len()), BTreeSet::new(), BTreeSet::new());
    for Arrived { order, found, authoritative } in arrived {
        let origin = Origin { connection: connection.id.clone(), since_at: connection.since_at, authoritative: *authoritative };
        let ingested = orders::ingest(tx, ctx, &sync.vault, &origin, order, found).await?;
        store::clear_refusal(tx, ctx, &connection.id, "order", &order.external_id).await?;
        if let Ingested::Stored { change, .. } = &ingested {
            moved.extend(change.variants.iter().cloned());
            freed.extend(change.freed.iter().cloned());
        }
        taken.push(ingested);
    }
    // What one order gave back goes to those that wait for it, before anybody else can be promised it.
    let freed: Vec<VariantId> = freed.into_iter().collect();
    moved.extend(orders::fill_short(tx, ctx, &freed).await?.variants);
    fanout::stock_changed(tx, ctx, &moved.into_iter().collect::<Vec<_>>()).await?;
    for (arrived, ingested) in arrived.iter().zip(&taken) {
        note_what_the_shop_did(tx, ctx, connection, &arrived.order, ingested).await?;
        if let Ingested::Stored { order, .. } = ingested {
            tax::wanted(tx, ctx, order, arrived.order.placed_at).await?;
        }
    }
    Ok(taken)
}

/// A sale lowers what the shop shows of itself; what another change does to it is not known.
async fn note_what_the_shop_did(
    tx: &mut WriteTx,
    ctx: &Ctx,
    connection: &Connection,
    order: &ChannelOrder,
    ingested: &Ingested,
) -> Result<(), Error> {
    let Ingested::Stored { new, change, .. } = ingested else { return Ok(()) };
    let units = sold_units(order);
    if *new && order.holds_nothing_because(connection.since_at).is_none() {
        return fanout::sold_at(tx, ctx, &connection.id, order.placed_at, &units).await;
    }
    if !change.variants.is_empty() {
        let external: Vec<&str> = units.keys().map(String::as_str).collect();
        return fanout::unsure_at(tx, ctx, &connection.id, &external).await;
    }
    Ok(())
}

/// Units sold per listing of the shop, as far as its lines say.
fn sold_units(order: &ChannelOrder) -> BTreeMap<String, i64> {
    let mut units = BTreeMap::new();
    for line in order.lines.iter().filter(|line| line.kind == LineKind::Physical) {
        if let Some(listing) = &line.listing {
            *units.entry(listing.clone()).or_insert(0) += line.quantity - line.released;
        }
    }
    units
}

/// Completes parked orders for which something is known now. Returns how many lines were completed.
pub async fn retry_parked(sync: &Sync, ctx: &Ctx, connection: Option<&Connection>) -> Result<usize, Error> {
    let mut conn = sync.store.read().await?;
    let parked = orders::parked(&mut conn, &ctx.tenant, connection.map(|c| &c.id), PARKED_AT_ONCE).await?;
    let mut completed = 0;
    for order in parked {
        let owner = crate::connections::get(&mut conn, &ctx.tenant, &order.connection).await?;
        let whole: ChannelOrder = serde_json::from_value(order.document)?;
        let found = resolve(&mut conn, ctx, &owner, &whole).await?;
        let missing = order.lines.iter().filter(|line| line.variant.is_none() && found.contains_key(&line.external_id)).count();
        if missing == 0 {
            continue;
        }
        completed += missing;
        let (ctx, id, placed_at) = (ctx.clone(), order.id, order.placed_at);
        sync.store
            .write(move |tx| {
                Box::pin(async move {
                    let change = orders::map_lines(tx, &ctx, &id, &found).await?;
                    fanout::stock_changed(tx, &ctx, &change.variants).await?;
                    tax::wanted(tx, &ctx, &id, placed_at).await
                })
            })
            .await?;
    }
    Ok(completed)
}

const PARKED_AT_ONCE: u32 = 1_000;
