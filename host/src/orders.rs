//! Canonical orders: what channels sold, in one shape, with exact money.
//!
//! [`ingest`] is idempotent: the same picture of an order changes nothing, an older one is a no-op, a newer one is stored and
//! its reservations are settled by the difference. Nothing is refused for want of stock or of a mapping: a line without a
//! variant parks the order, a line without stock shows it as oversold.
//!
//! Money is in minor units of the shop's currency, beside it what the buyer saw. Personal data (buyer, addresses, note) is
//! sealed under the buyer's own key and never stored in clear.
//!
//! Called by `sync` (ingest), `fulfilment` (resettle) and the edges (reading). Stock that moved is returned as
//! [`stock::Change`]; the caller makes the outbound lanes due in the same transaction.

mod error;
mod ingest;
pub mod model;
mod store;

use std::collections::{BTreeMap, BTreeSet};

pub use error::Error;
pub use ingest::{Ingested, Origin, Resolution, ingest};
pub use model::{ChannelOrder, LineKind, OrderView, Payment, Personal, Status};
pub use store::{Filter, Summary};

use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, OrderId, VariantId};
use crate::secrets::Vault;
use crate::stock;
use crate::store::{Sql, WriteTx};

/// Lets no other unit of work store one of these orders before this one has ended, whether they are known yet or not. Comes
/// before [`ingest`]: a webhook and a poll may bring the same new order at the same time.
pub async fn claim(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, external_ids: &BTreeSet<&str>) -> Result<(), Error> {
    for external_id in external_ids {
        tx.claim_name(&format!("order/{}/{connection}/{external_id}", ctx.tenant.as_str())).await?;
    }
    Ok(())
}

/// Completes parked lines for which a variant is known now. Returns what moved.
pub async fn map_lines(tx: &mut WriteTx, ctx: &Ctx, order: &OrderId, found: &Resolution) -> Result<stock::Change, Error> {
    let Some(mut stored) = store::lock(tx, ctx, order).await? else { return Err(Error::Missing(order.clone())) };
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
    ingest::resettle(tx, ctx, &mut stored).await
}

/// Settles an order's reservations anew, after a shipment or after stock arrived.
pub async fn resettle(tx: &mut WriteTx, ctx: &Ctx, order: &OrderId) -> Result<stock::Change, Error> {
    let Some(mut stored) = store::lock(tx, ctx, order).await? else { return Err(Error::Missing(order.clone())) };
    stored.revision += 1;
    ingest::resettle(tx, ctx, &mut stored).await
}

/// Gives stock that has arrived to the orders that wait for it, oldest first.
pub async fn fill_short(tx: &mut WriteTx, ctx: &Ctx, variants: &[VariantId]) -> Result<stock::Change, Error> {
    let mut changed = BTreeSet::new();
    for order in store::short_of(tx, ctx, variants).await? {
        changed.extend(resettle(tx, ctx, &order).await?.variants);
    }
    Ok(stock::Change { variants: changed.into_iter().collect() })
}

/// Units of a line that the hub itself has shipped changed; see `fulfilment`.
pub async fn note_shipped_here(tx: &mut WriteTx, ctx: &Ctx, order: &OrderId, shipped: &[(String, i64)]) -> Result<stock::Change, Error> {
    let Some(mut stored) = store::lock(tx, ctx, order).await? else { return Err(Error::Missing(order.clone())) };
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
    ingest::resettle(tx, ctx, &mut stored).await
}

/// Adds a line to the order's timeline.
pub async fn record(tx: &mut WriteTx, ctx: &Ctx, order: &OrderId, what: &'static str, detail: serde_json::Value) -> Result<(), Error> {
    store::record(tx, ctx, order, what, detail).await
}

/// Orders of a connection whose parked lines name one of these SKUs or listings.
pub async fn parked(conn: &mut impl Sql, tenant: &Tenant, connection: Option<&ConnectionId>, limit: u32) -> Result<Vec<OrderView>, Error> {
    store::parked(conn, tenant, connection, limit).await
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
