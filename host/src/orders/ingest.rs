//! Storing what a channel says about an order, once.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::Error;
use super::model::{ChannelLine, ChannelOrder, Payment, Status};
use super::store::{self, StoredLine, StoredOrder};
use crate::catalog;
use crate::ctx::Ctx;
use crate::hex::hex;
use crate::id::{ConnectionId, OrderId, OrderLineId, VariantId};
use crate::secrets::Vault;
use crate::stock::{self, Again, Sale, Target};
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
    let before: BTreeMap<String, VariantId> =
        known.iter().flat_map(|known| &known.lines).filter_map(|line| Some((line.external_id.clone(), line.variant.clone()?))).collect();
    let mut stored = merge(ctx, origin, order, found, known, digest);
    if stored.holds == HOLDS && overdue(tx, ctx, origin, order).await? {
        stored.holds = UNPAID.into();
    }
    let fresh = |line: &StoredLine| before.get(&line.external_id) != line.variant.as_ref();
    let fresh = stored.lines.iter().filter(|line| fresh(line)).map(|line| line.external_id.clone()).collect();
    write_down_recipes(tx, ctx, &mut stored.lines, &fresh).await?;
    store::put(tx, ctx, vault, origin, order, &stored, new).await?;
    store::record(tx, ctx, &stored.id, if new { "placed" } else { "changed" }, summary(order, &stored)).await?;
    let change = resettle(tx, ctx, &mut stored, None).await?;
    Ok(Ingested::Stored { order: stored.id, new, change })
}

pub const HOLDS: &str = "stock";
/// It was not paid in time. Paying makes it hold again.
pub const UNPAID: &str = "nothing:unpaid";

/// An order that waits for its payment longer than the merchant waits.
async fn overdue(tx: &mut WriteTx, ctx: &Ctx, origin: &Origin, order: &ChannelOrder) -> Result<bool, Error> {
    // Goods on their way show that somebody trusts the buyer.
    if order.payment != Payment::Pending || order.lines.iter().any(|line| line.fulfilled > 0) {
        return Ok(false);
    }
    let wait_ms = stock::rule(tx, &ctx.tenant, Some(&origin.connection)).await?.unpaid_ms;
    Ok(wait_ms.is_some_and(|ms| order.placed_at.saturating_add(ms) <= ctx.now_ms()))
}

/// Writes down what the lines among `fresh` sold, where that is a kit: whatever the kit becomes later, they give back what they took.
pub async fn write_down_recipes(tx: &mut WriteTx, ctx: &Ctx, lines: &mut [StoredLine], fresh: &BTreeSet<String>) -> Result<(), Error> {
    let variants: Vec<VariantId> =
        lines.iter().filter(|line| fresh.contains(&line.external_id)).filter_map(|line| line.variant.clone()).collect();
    if variants.is_empty() {
        return Ok(());
    }
    let recipes = catalog::recipes(tx, &ctx.tenant, &variants).await?;
    for line in lines.iter_mut().filter(|line| fresh.contains(&line.external_id)) {
        line.recipe = line.variant.as_ref().and_then(|variant| recipes.get(variant)).cloned();
    }
    Ok(())
}

fn digest(order: &ChannelOrder) -> Result<String, Error> {
    Ok(hex(Sha256::digest(serde_json::to_vec(order)?)))
}

fn merge(ctx: &Ctx, origin: &Origin, order: &ChannelOrder, found: &Resolution, known: Option<StoredOrder>, digest: String) -> StoredOrder {
    let (id, revision, old_lines, known_country) = match known {
        Some(known) => (known.id, known.revision + 1, known.lines, known.ship_country),
        None => (OrderId::new(&ctx.ids), 1, Vec::new(), None),
    };
    let line = |(position, line): (usize, &ChannelLine)| {
        let old = old_lines.iter().find(|old| old.external_id == line.external_id);
        let same = old.filter(|old| old.listing == line.listing && old.sku == line.sku);
        let variant = match same {
            // Goods that left were of this variant, whatever the listing is linked to now.
            Some(old) if old.fulfilled > 0 && old.variant.is_some() => old.variant.clone(),
            // A line mapped by hand stays mapped while the channel sells the same thing on it.
            _ => found.get(&line.external_id).cloned().or_else(|| same.and_then(|old| old.variant.clone())),
        };
        // What we shipped ourselves may not have reached the channel's picture yet, and a line made smaller brings nothing back.
        let fulfilled = line.fulfilled.max(old.map_or(0, |old| old.shipped_here));
        let returned_here = old.map_or(0, |old| old.returned_here);
        StoredLine {
            id: old.map_or_else(|| OrderLineId::new(&ctx.ids), |old| old.id.clone()),
            external_id: line.external_id.clone(),
            position: position as i64,
            kind: line.kind,
            recipe: old.filter(|old| old.variant == variant).and_then(|old| old.recipe.clone()),
            variant,
            listing: line.listing.clone(),
            sku: line.sku.clone(),
            quantity: line.quantity,
            fulfilled,
            shipped_here: old.map_or(0, |old| old.shipped_here),
            released: line.released,
            returned: order.returned(line).max(returned_here).min(fulfilled),
            returned_here,
            short: 0,
        }
    };
    let ship_country = order.personal.as_ref().and_then(|personal| personal.ship_to.as_ref()?.country.as_deref()).and_then(country);
    StoredOrder {
        id,
        connection: origin.connection.clone(),
        ship_country: ship_country.or(known_country),
        revision,
        digest,
        status: order.status,
        updated_at: order.updated_at,
        holds: order.holds_nothing_because(origin.since_at).map_or_else(|| HOLDS.to_owned(), |why| format!("nothing:{why}")),
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

/// A two-letter code, as channels write it; anything else says nothing about distance.
fn country(text: &str) -> Option<String> {
    let code = text.trim().to_ascii_uppercase();
    (code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase())).then_some(code)
}

/// Books the difference between what the order holds and what its lines now ask for, and stores what is short or unmapped.
pub async fn resettle(tx: &mut WriteTx, ctx: &Ctx, order: &mut StoredOrder, again: Option<&Again>) -> Result<stock::Change, Error> {
    settle(tx, ctx, order, again, None).await
}

/// The same for some variants only, whose shelves are locked; what the order holds of others stays as it is.
pub async fn fill(tx: &mut WriteTx, ctx: &Ctx, order: &mut StoredOrder, only: &BTreeSet<VariantId>) -> Result<stock::Change, Error> {
    settle(tx, ctx, order, None, Some(only)).await
}

async fn settle(
    tx: &mut WriteTx,
    ctx: &Ctx,
    order: &mut StoredOrder,
    again: Option<&Again>,
    only: Option<&BTreeSet<VariantId>>,
) -> Result<stock::Change, Error> {
    let sale = Sale {
        order: &order.id,
        revision: order.revision,
        connection: Some(&order.connection),
        country: order.ship_country.as_deref(),
        again,
        only,
    };
    let settled = stock::settle(tx, ctx, sale, &targets(order)).await?;
    let short = match only {
        None => settled.short,
        Some(_) => {
            let lacks = stock::shortage(tx, &ctx.tenant, &order.id).await?;
            lacks.into_iter().map(|lack| ((lack.line, lack.variant), lack.units)).collect()
        }
    };
    let was_short: i64 = store::short(tx, ctx, &order.id).await?;
    let mut by_line = BTreeMap::new();
    for line in &mut order.lines {
        // As many units of the line as the scarcest of its components leaves incomplete.
        let lack = |(variant, per_unit): (VariantId, i64)| {
            let units = short.get(&(line.external_id.clone(), variant)).copied().unwrap_or(0);
            (units + per_unit - 1) / per_unit
        };
        line.short = line.parts().into_iter().map(lack).max().unwrap_or(0);
        if line.short > 0 {
            by_line.insert(line.external_id.clone(), line.short);
        }
    }
    store::put_lines_state(tx, ctx, order).await?;
    let short = order.short();
    if short != was_short {
        let what = if short > was_short { "short" } else { "no-longer-short" };
        store::record(tx, ctx, &order.id, what, serde_json::json!({ "units": short, "lines": by_line })).await?;
    }
    Ok(settled.change)
}

fn targets(order: &StoredOrder) -> Vec<Target> {
    let holds = order.holds == HOLDS;
    // What such an order sends is a sale all the same. Goods of an order that never held stock left from a count that knew it.
    let sends = holds || order.holds == UNPAID || order.holds == "nothing:payment-failed";
    let ended = matches!(order.status, Status::Cancelled | Status::Completed | Status::Draft);
    let of_line = |line: &StoredLine| -> Vec<Target> {
        let open = if ended || !holds { 0 } else { (line.quantity - line.fulfilled - line.released).max(0) };
        let target = |(variant, per_unit): (VariantId, i64)| Target {
            line: line.external_id.clone(),
            variant,
            open: open * per_unit,
            shipped: sends.then_some(line.fulfilled * per_unit),
            returned: line.returned * per_unit,
        };
        line.parts().into_iter().map(target).collect()
    };
    order.lines.iter().flat_map(of_line).collect()
}
