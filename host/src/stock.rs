//! Stock: what is on the shelf, what is promised, and the ledger that says why.
//!
//! Units are whole pieces. Every change is a row of the append-only ledger (`movement`) and the same change of its sums
//! (`stock`), in one transaction, guarded by `on_hand - reserved >= -backorder_limit`. Rows are always locked in
//! (variant, location) order, so two orders never wait for each other in a circle.
//!
//! An order is settled, not edited: [`settle`] is told what each line should hold and has shipped, and books the difference.
//! Called twice with the same targets it books nothing. What cannot be reserved is returned as short and kept until it can; a
//! sale that has happened is never refused here. Which place serves an order is decided by [`allocate`], by the rule that the
//! merchant has chosen for its connection.
//!
//! Kits are not counted: who settles has taken them apart, and [`sellable`] says what their components allow.
//!
//! Called by `orders` (settle), and by the edges for counts, receipts and adjustments. Callers make the outbound lanes of
//! the changed variants due in the same transaction.

mod allocate;
mod desk;
mod distance;
mod error;
mod model;
mod sellable;
mod settle;
mod store;

use std::collections::BTreeMap;

pub use allocate::{Allocation, Serving, Split};
pub use error::Error;
pub use model::{Availability, Change, Difference, Kind, Lack, Level, Movement, MovementRow, Rule};
pub use sellable::{Sellable, sellable};
pub use settle::{Again, Sale, Settled, Short, Target, lock, settle};

use crate::catalog;
use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, LocationId, OrderId, VariantId};
use crate::store::{Sql, WriteTx};

/// Books goods that arrived. `reference` names the receipt; the same receipt books once.
pub async fn receive(
    tx: &mut WriteTx,
    ctx: &Ctx,
    variant: &VariantId,
    location: &LocationId,
    units: i64,
    reference: &str,
) -> Result<bool, Error> {
    if units <= 0 {
        return Err(Error::NotPositive { units });
    }
    book_on_hand(tx, ctx, variant, location, Kind::Receive, units, reference).await
}

/// Books a difference found for another reason than a sale: damage, loss, samples.
pub async fn adjust(
    tx: &mut WriteTx,
    ctx: &Ctx,
    variant: &VariantId,
    location: &LocationId,
    difference: i64,
    reference: &str,
) -> Result<bool, Error> {
    book_on_hand(tx, ctx, variant, location, Kind::Adjust, difference, reference).await
}

/// Sets what was counted on the shelf. Fewer than what is promised is refused: release or ship those orders first.
pub async fn count(
    tx: &mut WriteTx,
    ctx: &Ctx,
    variant: &VariantId,
    location: &LocationId,
    counted: i64,
    reference: &str,
) -> Result<bool, Error> {
    if counted < 0 {
        return Err(Error::NegativeCount { counted });
    }
    let level = store::lock(tx, ctx, &[(variant.clone(), location.clone())]).await?.remove(0);
    book_on_hand(tx, ctx, variant, location, Kind::Count, counted - level.on_hand, reference).await
}

/// Returns `false` if the same cause was booked before, or if there is nothing to book.
async fn book_on_hand(
    tx: &mut WriteTx,
    ctx: &Ctx,
    variant: &VariantId,
    location: &LocationId,
    kind: Kind,
    units: i64,
    reference: &str,
) -> Result<bool, Error> {
    refuse_kit(tx, ctx, variant).await?;
    let level = store::lock(tx, ctx, &[(variant.clone(), location.clone())]).await?.remove(0);
    // A count that found what was expected is booked too: said again after a sale, it must not bring the sold unit back.
    let nothing = units == 0 && kind != Kind::Count;
    if nothing || store::is_booked(tx, ctx, reference, kind, variant, location).await? {
        return Ok(false);
    }
    if level.on_hand + units - level.reserved < -level.backorder_limit {
        return Err(Error::BelowReserved { variant: variant.clone(), left: level.on_hand + units, reserved: level.reserved });
    }
    let movement = Movement {
        variant: variant.clone(),
        location: location.clone(),
        kind,
        on_hand: units,
        reserved: 0,
        reference: reference.to_owned(),
        line: String::new(),
    };
    store::book(tx, ctx, &[movement]).await?;
    Ok(true)
}

async fn refuse_kit(tx: &mut WriteTx, ctx: &Ctx, variant: &VariantId) -> Result<(), Error> {
    match catalog::components(tx, &ctx.tenant, variant).await?.is_empty() {
        true => Ok(()),
        false => Err(Error::Kit { variant: variant.clone() }),
    }
}

/// Moves goods that are not promised from one of our places to another. `false` if this was booked before.
pub async fn transfer(
    tx: &mut WriteTx,
    ctx: &Ctx,
    variant: &VariantId,
    (from, to): (&LocationId, &LocationId),
    units: i64,
    reference: &str,
) -> Result<bool, Error> {
    if units <= 0 {
        return Err(Error::NotPositive { units });
    }
    if from == to {
        return Err(Error::SamePlace { location: from.clone() });
    }
    let mut keys = [(variant.clone(), from.clone()), (variant.clone(), to.clone())];
    keys.sort();
    let levels = store::lock(tx, ctx, &keys).await?;
    if store::is_booked(tx, ctx, reference, Kind::Transfer, variant, from).await? {
        return Ok(false);
    }
    let left =
        levels.iter().find(|level| level.location == *from).map_or((0, 0, 0), |l| (l.on_hand - units, l.reserved, l.backorder_limit));
    // What was made or bought to order is nowhere yet, so it cannot be carried.
    if left.0 - left.1 < 0 {
        return Err(Error::BelowReserved { variant: variant.clone(), left: left.0, reserved: left.1 });
    }
    let movement = |location: &LocationId, units: i64| Movement {
        variant: variant.clone(),
        location: location.clone(),
        kind: Kind::Transfer,
        on_hand: units,
        reserved: 0,
        reference: reference.to_owned(),
        line: String::new(),
    };
    store::book(tx, ctx, &[movement(from, -units), movement(to, units)]).await?;
    Ok(true)
}

/// Units that are never published from this place.
pub async fn set_safety(tx: &mut WriteTx, ctx: &Ctx, variant: &VariantId, location: &LocationId, units: i64) -> Result<(), Error> {
    if units < 0 {
        return Err(Error::NegativeSafety { units });
    }
    refuse_kit(tx, ctx, variant).await?;
    store::lock(tx, ctx, &[(variant.clone(), location.clone())]).await?;
    store::set_safety(tx, ctx, variant, location, units).await
}

/// A variant that is to become a kit must have nothing of its own.
pub async fn refuse_own(tx: &mut WriteTx, ctx: &Ctx, variant: &VariantId) -> Result<(), Error> {
    let own = availability(tx, &ctx.tenant, std::slice::from_ref(variant)).await?.remove(variant).unwrap_or_default();
    match own == Availability::default() {
        true => Ok(()),
        false => Err(Error::OwnStock { variant: variant.clone(), on_hand: own.on_hand, reserved: own.reserved }),
    }
}

/// How many may go below zero at this place, for goods made or bought to order.
pub async fn set_backorder_limit(tx: &mut WriteTx, ctx: &Ctx, variant: &VariantId, location: &LocationId, limit: i64) -> Result<(), Error> {
    refuse_kit(tx, ctx, variant).await?;
    let level = store::lock(tx, ctx, &[(variant.clone(), location.clone())]).await?.remove(0);
    if limit < 0 || level.on_hand - level.reserved < -limit {
        return Err(Error::LimitTooLow { limit, available: level.on_hand - level.reserved });
    }
    store::set_backorder_limit(tx, ctx, variant, location, limit).await
}

/// What can be promised, over all locations. Variants without a row have nothing.
pub async fn availability(
    conn: &mut impl Sql,
    tenant: &Tenant,
    variants: &[VariantId],
) -> Result<BTreeMap<VariantId, Availability>, Error> {
    store::availability(conn, tenant, variants).await
}

/// Per location, for one variant.
pub async fn levels(conn: &mut impl Sql, tenant: &Tenant, variant: &VariantId) -> Result<Vec<Level>, Error> {
    store::levels(conn, tenant, variant).await
}

/// Every level after `after` (variant, location), for lists and exports.
pub async fn list_levels(
    conn: &mut impl Sql,
    tenant: &Tenant,
    after: Option<(VariantId, LocationId)>,
    limit: u32,
) -> Result<Vec<(VariantId, Level)>, Error> {
    store::list_levels(conn, tenant, after, limit).await
}

/// The newest rows of the ledger for one variant.
pub async fn ledger(conn: &mut impl Sql, tenant: &Tenant, variant: &VariantId, limit: u32) -> Result<Vec<MovementRow>, Error> {
    store::ledger(conn, tenant, variant, limit).await
}

/// Compares the sums with the ledger and with the open reservations; an empty list is the only good answer.
pub async fn audit(conn: &mut impl Sql, tenant: &Tenant) -> Result<Vec<String>, Error> {
    let ledger = store::books::differences(conn, tenant).await?.into_iter().map(|d| {
        format!(
            "{} at {}: on hand {} and reserved {}, but the ledger adds up to {} and {}",
            d.variant, d.location, d.on_hand, d.reserved, d.ledger_on_hand, d.ledger_reserved
        )
    });
    let promised = store::books::unmatched(conn, tenant).await?.into_iter().map(|(variant, location, reserved, sum)| {
        format!("{variant} at {location}: reserved {reserved}, but the open reservations add up to {sum}")
    });
    Ok(ledger.chain(promised).collect())
}

/// Where the sums differ from what the ledger adds up to. [`rebuild`] corrects that.
pub async fn differences(conn: &mut impl Sql, tenant: &Tenant) -> Result<Vec<Difference>, Error> {
    Ok(store::books::differences(conn, tenant).await?)
}

/// Writes the sums anew from the ledger where they differ, and returns what was corrected.
pub async fn rebuild(tx: &mut WriteTx, ctx: &Ctx) -> Result<Vec<Difference>, Error> {
    let suspects = store::books::differences(tx, &ctx.tenant).await?;
    let keys: Vec<(VariantId, LocationId)> = suspects.into_iter().map(|d| (d.variant, d.location)).collect();
    let levels = store::lock(tx, ctx, &keys).await?;
    // Once they are locked nobody books on them: what differs now differs for good.
    let found: Vec<Difference> = store::books::differences(tx, &ctx.tenant).await?;
    let mut corrected = Vec::new();
    for (key, level) in keys.iter().zip(&levels) {
        let Some(d) = found.iter().find(|d| (&d.variant, &d.location) == (&key.0, &key.1)) else { continue };
        if d.ledger_reserved < 0 || d.ledger_on_hand - d.ledger_reserved < -level.backorder_limit {
            let (variant, location) = key.clone();
            return Err(Error::ImpossibleLedger { variant, location, on_hand: d.ledger_on_hand, reserved: d.ledger_reserved });
        }
        store::books::correct(tx, ctx, d).await?;
        corrected.push(d.clone());
    }
    Ok(corrected)
}

/// How orders of a connection are served: its own rule, else the one for all.
pub async fn rule(conn: &mut impl Sql, tenant: &Tenant, connection: Option<&ConnectionId>) -> Result<Rule, Error> {
    Ok(store::rules::rule(conn, tenant, connection).await?)
}

/// Every rule somebody has set; `None` is the one for all that have none.
pub async fn rules(conn: &mut impl Sql, tenant: &Tenant) -> Result<BTreeMap<Option<ConnectionId>, Rule>, Error> {
    Ok(store::rules::rules(conn, tenant).await?)
}

/// Applies from the next time an order is settled; what is promised stays where it is.
pub async fn set_rule(tx: &mut WriteTx, ctx: &Ctx, connection: Option<&ConnectionId>, rule: &Rule) -> Result<(), Error> {
    if let Some(ms) = rule.unpaid_ms.filter(|ms| *ms <= 0) {
        return Err(Error::NoTime { ms });
    }
    Ok(store::rules::put_rule(tx, ctx, connection, rule).await?)
}

/// Back to the rule for all, or to the plainest. `false` if there was none.
pub async fn drop_rule(tx: &mut WriteTx, ctx: &Ctx, connection: Option<&ConnectionId>) -> Result<bool, Error> {
    Ok(store::rules::drop_rule(tx, ctx, connection).await?)
}

/// What an order lacks, by line and counted variant.
pub async fn shortage(conn: &mut impl Sql, tenant: &Tenant, order: &OrderId) -> Result<Vec<Lack>, Error> {
    Ok(store::rules::shortage(conn, tenant, order).await?)
}

/// Orders that lack some of these, in no order.
pub async fn short_orders(conn: &mut impl Sql, tenant: &Tenant, variants: &[VariantId]) -> Result<Vec<OrderId>, Error> {
    Ok(store::rules::short_orders(conn, tenant, variants).await?)
}

/// What these orders hold, held or lack.
pub async fn of_orders(conn: &mut impl Sql, tenant: &Tenant, orders: &[OrderId]) -> Result<Vec<VariantId>, Error> {
    Ok(store::rules::of_orders(conn, tenant, orders).await?)
}

/// Per location, for many variants.
pub async fn levels_of(conn: &mut impl Sql, tenant: &Tenant, variants: &[VariantId]) -> Result<BTreeMap<VariantId, Vec<Level>>, Error> {
    store::levels_of(conn, tenant, variants).await
}

#[cfg(test)]
pub(crate) mod tests;
