//! Storing what a channel says about an order, once.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::Error;
use super::model::{ChannelLine, ChannelOrder, LineKind, Status};
use super::store::{self, StoredLine, StoredOrder};
use crate::ctx::Ctx;
use crate::id::{ConnectionId, OrderId, OrderLineId, VariantId};
use crate::secrets::Vault;
use crate::stock::{self, Target};
use crate::store::WriteTx;

/// Which of our variants each line sold, by the line's external id. Lines that are missing are unmapped.
pub type Resolution = BTreeMap<String, VariantId>;

/// Where a picture of an order comes from.
#[derive(Clone, Debug)]
pub struct Origin {
    pub connection: ConnectionId,
    /// Orders placed before are kept and never reserve.
    pub since_at: i64,
    /// Read from the channel just now, rather than carried by a webhook that may have been overtaken.
    pub authoritative: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ingested {
    /// Exactly what we had.
    Unchanged(OrderId),
    /// Older than what we have.
    Stale(OrderId),
    /// Another picture with the same time of change: which is newer can only be learnt by reading the order.
    Tie(OrderId),
    Stored {
        order: OrderId,
        new: bool,
        change: stock::Change,
    },
}

/// Stores an order and settles its reservations. See the module head of `orders`.
pub async fn ingest(
    tx: &mut WriteTx,
    ctx: &Ctx,
    vault: &Vault,
    origin: &Origin,
    order: &ChannelOrder,
    found: &Resolution,
) -> Result<Ingested, Error> {
    let digest = digest(order)?;
    let known = store::lock_external(tx, ctx, &origin.connection, &order.external_id).await?;
    if let Some(known) = &known {
        if known.digest == digest {
            return Ok(Ingested::Unchanged(known.id.clone()));
        }
        if order.updated_at < known.updated_at {
            return Ok(Ingested::Stale(known.id.clone()));
        }
        if order.updated_at == known.updated_at && !origin.authoritative {
            return Ok(Ingested::Tie(known.id.clone()));
        }
    }
    let new = known.is_none();
    let mut stored = merge(ctx, origin, order, found, known, digest);
    store::put(tx, ctx, vault, origin, order, &stored, new).await?;
    store::record(tx, ctx, &stored.id, if new { "placed" } else { "changed" }, summary(order, &stored)).await?;
    let change = resettle(tx, ctx, &mut stored).await?;
    Ok(Ingested::Stored { order: stored.id, new, change })
}

fn digest(order: &ChannelOrder) -> Result<String, Error> {
    Ok(Sha256::digest(serde_json::to_vec(order)?).iter().map(|byte| format!("{byte:02x}")).collect())
}

fn merge(ctx: &Ctx, origin: &Origin, order: &ChannelOrder, found: &Resolution, known: Option<StoredOrder>, digest: String) -> StoredOrder {
    let (id, revision, old_lines) = match known {
        Some(known) => (known.id, known.revision + 1, known.lines),
        None => (OrderId::new(&ctx.ids), 1, Vec::new()),
    };
    let line = |(position, line): (usize, &ChannelLine)| {
        let old = old_lines.iter().find(|old| old.external_id == line.external_id);
        StoredLine {
            id: old.map_or_else(|| OrderLineId::new(&ctx.ids), |old| old.id.clone()),
            external_id: line.external_id.clone(),
            position: position as i64,
            kind: line.kind,
            // A line mapped by hand stays mapped while the channel sells the same thing on it.
            variant: found
                .get(&line.external_id)
                .cloned()
                .or_else(|| old.filter(|old| old.listing == line.listing && old.sku == line.sku).and_then(|old| old.variant.clone())),
            listing: line.listing.clone(),
            sku: line.sku.clone(),
            quantity: line.quantity,
            // What we shipped ourselves may not have reached the channel's picture yet.
            fulfilled: line.fulfilled.max(old.map_or(0, |old| old.shipped_here)).min(line.quantity),
            shipped_here: old.map_or(0, |old| old.shipped_here),
            released: line.released,
            returned: order.returned(line),
            short: 0,
        }
    };
    StoredOrder {
        id,
        revision,
        digest,
        status: order.status,
        updated_at: order.updated_at,
        holds: order.holds_nothing_because(origin.since_at).map_or_else(|| "stock".to_owned(), |why| format!("nothing:{why}")),
        lines: order.lines.iter().enumerate().map(line).collect(),
    }
}

fn summary(order: &ChannelOrder, stored: &StoredOrder) -> serde_json::Value {
    serde_json::json!({
        "status": order.channel_status,
        "payment": order.payment.as_str(),
        "holds": stored.holds,
        "lines": order.lines.iter().map(|line| serde_json::json!({
            "sku": line.sku, "quantity": line.quantity, "fulfilled": line.fulfilled, "released": line.released,
        })).collect::<Vec<_>>(),
    })
}

/// Books the difference between what the order holds and what its lines now ask for, and stores what is short or unmapped.
pub async fn resettle(tx: &mut WriteTx, ctx: &Ctx, order: &mut StoredOrder) -> Result<stock::Change, Error> {
    let settled = stock::settle(tx, ctx, &order.id, order.revision, &targets(order)).await?;
    let was_short: i64 = store::short(tx, ctx, &order.id).await?;
    for line in &mut order.lines {
        line.short = settled.short.get(&line.external_id).copied().unwrap_or(0);
    }
    store::put_lines_state(tx, ctx, order).await?;
    let short = order.short();
    if short != was_short {
        let what = if short > was_short { "short" } else { "no-longer-short" };
        store::record(tx, ctx, &order.id, what, serde_json::json!({ "units": short, "lines": settled.short })).await?;
    }
    Ok(settled.change)
}

fn targets(order: &StoredOrder) -> Vec<Target> {
    let holds = order.holds == "stock";
    let ended = matches!(order.status, Status::Cancelled | Status::Completed | Status::Draft);
    let target = |line: &StoredLine| {
        let variant = line.variant.clone().filter(|_| line.kind == LineKind::Physical)?;
        let open = if ended || !holds { 0 } else { (line.quantity - line.fulfilled - line.released).max(0) };
        // Goods of an order that never held stock left from a count that already knew it.
        let shipped = if holds { line.fulfilled } else { 0 };
        Some(Target { line: line.external_id.clone(), variant, open, shipped, returned: line.returned })
    };
    order.lines.iter().filter_map(target).collect()
}
