//! Stock: what is on the shelf, what is promised, and the ledger that says why.
//!
//! Units are whole pieces. Every change is a row of the append-only ledger (`movement`) and the same change of its sums
//! (`stock`), in one transaction, guarded by `on_hand - reserved >= -backorder_limit`. Rows are always locked in
//! (variant, location) order, so two orders never wait for each other in a circle.
//!
//! An order is settled, not edited: [`settle`] is told what each line should hold and has shipped, and books the difference.
//! Called twice with the same targets it books nothing. What cannot be reserved is returned as short; a sale that has
//! happened is never refused here.
//!
//! Called by `orders` (settle), and by the edges for counts, receipts and adjustments. Callers make the outbound lanes of
//! the changed variants due in the same transaction.

mod error;
mod model;
mod settle;
mod store;

use std::collections::BTreeMap;

pub use error::Error;
pub use model::{Availability, Change, Kind, Level, Movement, MovementRow};
pub use settle::{Settled, Target, lock, settle};

use crate::ctx::{Ctx, Tenant};
use crate::id::{LocationId, VariantId};
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
    let level = store::lock(tx, ctx, &[(variant.clone(), location.clone())]).await?.remove(0);
    if store::is_booked(tx, ctx, reference, kind, variant, location).await? || units == 0 {
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

/// How many may go below zero at this place, for goods made or bought to order.
pub async fn set_backorder_limit(tx: &mut WriteTx, ctx: &Ctx, variant: &VariantId, location: &LocationId, limit: i64) -> Result<(), Error> {
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
    store::audit(conn, tenant).await
}

#[cfg(test)]
mod tests;
