//! The sums against the ledger: finding differences and writing the sums anew.

use crate::args;
use crate::ctx::{Ctx, Tenant};
use crate::id::{LocationId, VariantId};
use crate::stock::model::Difference;
use crate::store::{Error, Row, Sql, WriteTx};

/// Where a sum is not what the ledger adds up to, rows that only one of them has included.
pub async fn differences(conn: &mut impl Sql, tenant: &Tenant) -> Result<Vec<Difference>, Error> {
    let rows = conn
        .fetch_all(
            "SELECT k.variant, k.location, COALESCE(s.on_hand, 0), COALESCE(s.reserved, 0), k.on_hand, k.reserved FROM \
             (SELECT variant, location, CAST(SUM(on_hand) AS BIGINT) AS on_hand, CAST(SUM(reserved) AS BIGINT) AS reserved FROM \
               (SELECT variant, location, on_hand, reserved FROM movement WHERE tenant = $1 UNION ALL \
                SELECT variant, location, 0, 0 FROM stock WHERE tenant = $1) b GROUP BY variant, location) k \
             LEFT JOIN stock s ON s.tenant = $1 AND s.variant = k.variant AND s.location = k.location \
             WHERE COALESCE(s.on_hand, 0) <> k.on_hand OR COALESCE(s.reserved, 0) <> k.reserved ORDER BY k.variant, k.location",
            args![tenant],
        )
        .await?;
    let difference = |row: &Row| -> Result<Difference, Error> {
        Ok(Difference {
            variant: row.get(0)?,
            location: row.get(1)?,
            on_hand: row.get(2)?,
            reserved: row.get(3)?,
            ledger_on_hand: row.get(4)?,
            ledger_reserved: row.get(5)?,
        })
    };
    rows.iter().map(difference).collect()
}

/// What the open reservations add up to, where that is not what the sums say is reserved: (variant, location, sum, reservations).
pub async fn unmatched(conn: &mut impl Sql, tenant: &Tenant) -> Result<Vec<(VariantId, LocationId, i64, i64)>, Error> {
    let rows = conn
        .fetch_all(
            "SELECT k.variant, k.location, COALESCE(s.reserved, 0), k.promised FROM \
             (SELECT variant, location, CAST(SUM(quantity) AS BIGINT) AS promised FROM \
               (SELECT variant, location, quantity FROM reservation WHERE tenant = $1 UNION ALL \
                SELECT variant, location, 0 FROM stock WHERE tenant = $1) b GROUP BY variant, location) k \
             LEFT JOIN stock s ON s.tenant = $1 AND s.variant = k.variant AND s.location = k.location \
             WHERE COALESCE(s.reserved, 0) <> k.promised ORDER BY k.variant, k.location",
            args![tenant],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).collect()
}

/// Takes the ledger's word. The rows must be locked.
pub async fn correct(tx: &mut WriteTx, ctx: &Ctx, difference: &Difference) -> Result<(), Error> {
    tx.execute(
        "UPDATE stock SET on_hand = $4, reserved = $5, version = version + 1 WHERE tenant = $1 AND variant = $2 AND location = $3",
        args![&ctx.tenant, &difference.variant, &difference.location, difference.ledger_on_hand, difference.ledger_reserved],
    )
    .await?;
    Ok(())
}
