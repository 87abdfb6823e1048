//! The SQL of what channels showed and had not been told.

use crate::args;
use crate::ctx::{Ctx, Tenant};
use crate::id::ConnectionId;
use crate::store::{Row, Sql, WriteTx};
use crate::sync::Error;
use crate::sync::drift::Drift;

type Result<T> = std::result::Result<T, Error>;

pub async fn put_drift(tx: &mut WriteTx, ctx: &Ctx, drift: &Drift) -> Result<()> {
    tx.execute(
        "INSERT INTO drift (tenant, connection, listing, field, seen_at, told, found, was_read) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
         ON CONFLICT (tenant, connection, listing, field, seen_at) DO UPDATE SET found = excluded.found, was_read = excluded.was_read",
        args![
            &ctx.tenant,
            &drift.connection,
            &drift.listing,
            &drift.field,
            drift.seen_at,
            serde_json::to_string(&drift.told)?,
            serde_json::to_string(&drift.found)?,
            drift.was_read
        ],
    )
    .await?;
    Ok(())
}

pub async fn drifts(
    conn: &mut impl Sql,
    tenant: &Tenant,
    connection: Option<&ConnectionId>,
    since_ms: i64,
    limit: u32,
) -> Result<Vec<Drift>> {
    let rows = conn
        .fetch_all(
            "SELECT connection, listing, field, seen_at, told, found, was_read FROM drift \
             WHERE tenant = $1 AND ($2 = '' OR connection = $2) AND seen_at >= $3 ORDER BY seen_at DESC, listing, field LIMIT $4",
            args![tenant, connection.map_or("", ConnectionId::as_str), since_ms, limit],
        )
        .await?;
    let drift = |row: &Row| {
        Ok(Drift {
            connection: row.get(0)?,
            listing: row.get(1)?,
            field: row.get(2)?,
            seen_at: row.get(3)?,
            told: serde_json::from_str(&row.get::<String>(4)?)?,
            found: serde_json::from_str(&row.get::<String>(5)?)?,
            was_read: row.get(6)?,
        })
    };
    rows.iter().map(drift).collect()
}

pub async fn forget_drifts(tx: &mut WriteTx, ctx: &Ctx, before_ms: i64) -> Result<u64> {
    Ok(tx.execute("DELETE FROM drift WHERE tenant = $1 AND seen_at < $2", args![&ctx.tenant, before_ms]).await?)
}
