//! Canonical orders: what channels sold, in one shape, with exact money.
//!
//! [`ingest`] is idempotent: the same picture of an order changes nothing, an older one is a no-op, a newer one is stored and
//! its reservations are settled by the difference. Nothing is refused for want of stock or of a mapping: a line without a
//! variant parks the order, a line without stock shows it as oversold.
//!
//! Money is in minor units of the shop's currency, beside it what the buyer saw. Personal data (buyer, addresses, note) is
//! sealed under the buyer's own key and never stored in clear.
//!
//! Called by `sync` (ingest), `fulfilment` (shipping) and the edges (reading). Stock that moved is returned as
//! [`stock::Change`]; the caller makes the outbound lanes due in the same transaction.

mod error;
mod ingest;
pub mod model;
pub mod persons;
mod remedies;
mod store;
pub mod worth;

use std::collections::{BTreeMap, BTreeSet};

pub use error::Error;
pub use ingest::{Ingested, Origin, Resolution, ingest};
pub use model::{ChannelOrder, LineKind, OrderView, Payment, Personal, Status};
pub use remedies::{Remedy, Shortage, remedies};
pub use store::{Filter, Summary};

use crate::catalog;
use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, OrderId, VariantId};
use crate::secrets::Vault;
use crate::stock;
use crate::store::{Sql, WriteTx};

/// Lets no other unit of work store one of these orders before this one has ended, whether they are known yet or not: a
/// webhook and a poll may bring the same new order at the same time. Comes before [`ingest`].
///
/// Everything is taken in the one order in which everybody takes it: names, the shelves of all that the orders sold, hold or
/// lack (`sold` and what is known of them), the orders themselves. Whoever frees goods holds their shelves already and takes
/// the orders that wait for them after that ([`fill_short`]); so two units of work wait for each other and never deadlock.
pub async fn claim(
    tx: &mut WriteTx,
    ctx: &Ctx,
    connection: &ConnectionId,
    external_ids: &BTreeSet<&str>,
    sold: BTreeSet<VariantId>,
) -> Result<(), Error> {
    for external_id in external_ids {
        tx.claim_name(&format!("order/{}/{connection}/{external_id}", ctx.tenant.as_str())).await?;
    }
    if tx.dialect().for_update().is_empty() {
        return Ok(());
    }
    let known = store::known(tx, &ctx.tenant, connection, external_ids).await?;
    let mut goods = catalog::counted(tx, &ctx.tenant, sold).await?;
    goods.extend(goods_of(tx, ctx, &known).await?);
    stock::lock(tx, ctx, &goods).await?;
    store::hold(tx, ctx, &known).await
}

/// What these orders sold, hold or lack, by counted variant.
async fn goods_of(tx: &mut WriteTx, ctx: &Ctx, orders: &[OrderId]) -> Result<BTreeSet<VariantId>, Error> {
    if orders.is_empty() {
        return Ok(BTreeSet::new());
    }
    let mut goods = store::parts_of(tx, &ctx.tenant, orders).await?;
    goods.extend(stock::of_orders(tx, &ctx.tenant, orders).await?);
    Ok(goods)
}

/// Locks an order behind its shelves; see [`claim`].
async fn approach(tx: &mut WriteTx, ctx: &Ctx, order: &OrderId, more: BTreeSet<VariantId>) -> Result<store::StoredOrder, Error> {
    if !tx.dialect().for_update().is_empty() {
        let mut goods = goods_of(tx, ctx, std::slice::from_ref(order)).await?;
        goods.extend(catalog::counted(tx, &ctx.tenant, more).await?);
        stock::lock(tx, ctx, &goods).await?;
    }
    store::lock(tx, ctx, order).await?.ok_or_else(|| Error::Missing(order.clone()))
}

/// Completes parked lines for which a variant is known now. Returns what moved.
pub async fn map_lines(tx: &mut WriteTx, ctx: &Ctx, order: &OrderId, found: &Resolution) -> Result<stock::Change, Error> {
    let mut stored = approach(tx, ctx, order, found.values().cloned().collect()).await?;
    let mut mapped = Vec::new();
    for line in stored.lines.iter_mut().filter(|line| line.variant.is_none()) {
        if let Some(variant) = found.get(&line.external_id) {
            line.variant = Some(variant.clone());
            mapped.push(line.external_id.clone());
        }
    }
    if mapped.is_empty() {
        return Ok(stock::Change::default());
    }
    stored.revision += 1;
    store::record(tx, ctx, order, "mapped", serde_json::json!({ "lines": mapped })).await?;
    ingest::write_down_recipes(tx, ctx, &mut stored.lines, &mapped.into_iter().collect()).await?;
    ingest::resettle(tx, ctx, &mut stored, None).await
}

/// Lets go of what the order holds and serves it from several places if need be, whatever its connection's rule says.
pub async fn serve_again(tx: &mut WriteTx, ctx: &Ctx, order: &OrderId, again: &stock::Again) -> Result<stock::Change, Error> {
    let mut stored = approach(tx, ctx, order, BTreeSet::new()).await?;
    stored.revision += 1;
    let detail = serde_json::json!({ "first": again.first });
    store::record(tx, ctx, order, "served-again", detail).await?;
    ingest::resettle(tx, ctx, &mut stored, Some(again)).await
}

/// Gives what can be promised of these variants to the orders that wait for it, the one placed first before the others. Their
/// shelves must be locked; no others are touched.
pub async fn fill_short(tx: &mut WriteTx, ctx: &Ctx, variants: &[VariantId]) -> Result<stock::Change, Error> {
    let only: BTreeSet<VariantId> = variants.iter().cloned().collect();
    let waiting = stock::short_orders(tx, &ctx.tenant, variants).await?;
    if waiting.is_empty() {
        return Ok(stock::Change::default());
    }
    store::hold(tx, ctx, &waiting).await?;
    let mut changed = BTreeSet::new();
    for order in store::by_placing(tx, &ctx.tenant, &waiting).await? {
        let levels = stock::levels_of(tx, &ctx.tenant, variants).await?;
        if levels.values().flatten().all(|level| level.reservable() == 0) {
            break;
        }
        let Some(mut stored) = store::lock(tx, ctx, &order).await? else { continue };
        stored.revision += 1;
        changed.extend(ingest::fill(tx, ctx, &mut stored, &only).await?.variants);
    }
    Ok(stock::Change { variants: changed.into_iter().collect(), freed: Vec::new() })
}

/// Orders of a connection that were placed at `until` or before and still wait for their payment let go of what they hold, the
/// oldest first. Returns how many there were, and what moved.
pub async fn let_unpaid_go(
    tx: &mut WriteTx,
    ctx: &Ctx,
    connection: &ConnectionId,
    until: i64,
    limit: u32,
) -> Result<(usize, stock::Change), Error> {
    let overdue: Vec<OrderId> =
        store::unpaid(tx, &ctx.tenant, connection, until, limit).await?.into_iter().map(|(_, order)| order).collect();
    if !tx.dialect().for_update().is_empty() {
        let goods = goods_of(tx, ctx, &overdue).await?;
        stock::lock(tx, ctx, &goods).await?;
        store::hold(tx, ctx, &overdue).await?;
    }
    let (mut count, mut change) = (0, stock::Change::default());
    // Looked at again once they are locked: a payment may have come meanwhile.
    let still = store::unpaid(tx, &ctx.tenant, connection, until, limit).await?;
    for order in still.into_iter().map(|(_, order)| order).filter(|order| overdue.contains(order)) {
        let Some(mut stored) = store::lock(tx, ctx, &order).await? else { continue };
        stored.revision += 1;
        stored.holds = ingest::UNPAID.into();
        store::set_holds(tx, ctx, &stored).await?;
        store::record(tx, ctx, &order, "let-go", serde_json::json!({ "because": "it was not paid in time" })).await?;
        let moved = ingest::resettle(tx, ctx, &mut stored, None).await?;
        count += 1;
        change.variants.extend(moved.variants);
        change.freed.extend(moved.freed);
    }
    Ok((count, change))
}

/// When the oldest order of a connection that waits for its payment was placed.
pub async fn oldest_unpaid(conn: &mut impl Sql, tenant: &Tenant, connection: &ConnectionId) -> Result<Option<i64>, Error> {
    Ok(store::unpaid(conn, tenant, connection, i64::MAX, 1).await?.first().map(|(placed_at, _)| *placed_at))
}

/// Goods that a buyer sent back. `to_shelf`: they can be sold again; otherwise they are only noted.
pub async fn note_returned_here(
    tx: &mut WriteTx,
    ctx: &Ctx,
    order: &OrderId,
    units: &[(String, i64)],
    to_shelf: bool,
) -> Result<stock::Change, Error> {
    let mut stored = approach(tx, ctx, order, BTreeSet::new()).await?;
    for (line, units) in units {
        let Some(found) = stored.lines.iter_mut().find(|l| l.external_id == *line) else {
            return Err(Error::NoSuchLine { order: order.clone(), line: line.clone() });
        };
        let out = found.fulfilled - found.returned;
        if !(1..=out).contains(units) {
            return Err(Error::NotOut { line: line.clone(), asked: *units, out });
        }
        if to_shelf {
            found.returned += units;
            found.returned_here = found.returned;
        }
    }
    stored.revision += 1;
    let lines: BTreeMap<&String, i64> = units.iter().map(|(line, units)| (line, *units)).collect();
    store::record(tx, ctx, order, "returned", serde_json::json!({ "lines": lines, "to_shelf": to_shelf })).await?;
    ingest::resettle(tx, ctx, &mut stored, None).await
}

/// Units of a line that the hub itself has shipped changed; see `fulfilment`.
pub async fn note_shipped_here(tx: &mut WriteTx, ctx: &Ctx, order: &OrderId, shipped: &[(String, i64)]) -> Result<stock::Change, Error> {
    let mut stored = approach(tx, ctx, order, BTreeSet::new()).await?;
    for (line, units) in shipped {
        let Some(found) = stored.lines.iter_mut().find(|l| l.external_id == *line) else {
            return Err(Error::NoSuchLine { order: order.clone(), line: line.clone() });
        };
        let left = found.quantity - found.released - found.fulfilled;
        if *units > left {
            return Err(Error::TooMany { line: line.clone(), asked: *units, left });
        }
        found.fulfilled += units;
        found.shipped_here += units;
    }
    stored.revision += 1;
    ingest::resettle(tx, ctx, &mut stored, None).await
}

/// Adds a line to the order's timeline.
pub async fn record(tx: &mut WriteTx, ctx: &Ctx, order: &OrderId, what: &'static str, detail: serde_json::Value) -> Result<(), Error> {
    store::record(tx, ctx, order, what, detail).await
}

/// Orders of a connection whose parked lines name one of these SKUs or listings.
pub async fn parked(conn: &mut impl Sql, tenant: &Tenant, connection: Option<&ConnectionId>, limit: u32) -> Result<Vec<OrderView>, Error> {
    store::parked(conn, tenant, connection, limit).await
}

/// By id or by the number that the shop gave it, with or without its `#`.
pub async fn resolve(conn: &mut impl Sql, tenant: &Tenant, text: &str) -> Result<OrderId, Error> {
    let text = text.trim();
    if let Ok(id) = OrderId::parse(text) {
        return if store::exists(conn, tenant, &id).await? { Ok(id) } else { Err(Error::Missing(id)) };
    }
    let mut found = store::by_number(conn, tenant, text).await?;
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(last), false) => {
            found.push(last);
            Err(Error::Ambiguous { number: text.to_owned(), orders: found })
        }
        (None, _) => Err(Error::Unknown { what: text.chars().take(80).collect() }),
    }
}

pub async fn find(conn: &mut impl Sql, tenant: &Tenant, order: &OrderId) -> Result<Option<OrderView>, Error> {
    store::find(conn, tenant, order).await
}

pub async fn find_external(
    conn: &mut impl Sql,
    tenant: &Tenant,
    connection: &ConnectionId,
    external_id: &str,
) -> Result<Option<OrderId>, Error> {
    store::find_external(conn, tenant, connection, external_id).await
}

/// Newest first.
pub async fn list(
    conn: &mut impl Sql,
    tenant: &Tenant,
    filter: &Filter,
    after: Option<&(i64, OrderId)>,
    limit: u32,
) -> Result<Vec<Summary>, Error> {
    store::list(conn, tenant, filter, after, limit).await
}

/// Orders placed since an instant, per connection that has any.
pub async fn count_since(conn: &mut impl Sql, tenant: &Tenant, since_at: i64) -> Result<Vec<(ConnectionId, i64)>, Error> {
    store::count_since(conn, tenant, since_at).await
}

/// Units of a connection's orders that hold stock and have not left, whether promised or short.
pub async fn open_units(conn: &mut impl Sql, tenant: &Tenant, connection: &ConnectionId) -> Result<BTreeMap<VariantId, i64>, Error> {
    store::open_units(conn, tenant, connection).await
}

/// The buyer, opened. `None` after an erasure.
pub async fn personal(conn: &mut impl Sql, ctx: &Ctx, vault: &Vault, order: &OrderId) -> Result<Option<Personal>, Error> {
    store::personal(conn, ctx, vault, order).await
}

#[cfg(test)]
mod tests;
