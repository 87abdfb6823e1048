//! The SQL of guards and pauses.

use std::collections::BTreeSet;

use crate::args;
use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, ListingId};
use crate::store::{Sql, Value, WriteTx, placeholders};
use crate::sync::Error;
use crate::sync::guards::{Limits, Pause, Scope};

type Result<T> = std::result::Result<T, Error>;

pub async fn limits(conn: &mut impl Sql, tenant: &Tenant, connection: &ConnectionId) -> Result<Option<Limits>> {
    let sql = "SELECT zero_share_bps, zero_free, price_move_bps FROM push_guard WHERE tenant = $1 AND connection = $2";
    let row = conn.fetch_optional(sql, args![tenant, connection]).await?;
    row.map(|row| Ok(Limits { zero_share_bps: row.get(0)?, zero_free: row.get(1)?, price_move_bps: row.get(2)? })).transpose()
}

pub async fn put_limits(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, limits: &Limits) -> Result<()> {
    tx.execute(
        "INSERT INTO push_guard (tenant, connection, zero_share_bps, zero_free, price_move_bps) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (tenant, connection) DO UPDATE SET zero_share_bps = excluded.zero_share_bps, zero_free = excluded.zero_free, \
         price_move_bps = excluded.price_move_bps",
        args![&ctx.tenant, connection, limits.zero_share_bps, limits.zero_free, limits.price_move_bps],
    )
    .await?;
    Ok(())
}

/// Listings of the connection that were taken to zero since then.
pub async fn zeroed_since(conn: &mut impl Sql, tenant: &Tenant, connection: &ConnectionId, since_ms: i64) -> Result<BTreeSet<ListingId>> {
    let sql = "SELECT listing FROM zeroed WHERE tenant = $1 AND connection = $2 AND at > $3";
    let rows = conn.fetch_all(sql, args![tenant, connection, since_ms]).await?;
    rows.iter().map(|row| Ok(row.get(0)?)).collect()
}

pub async fn put_zeroed(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, listings: &[ListingId]) -> Result<()> {
    for chunk in listings.chunks(200) {
        let values: Vec<Value> = chunk.iter().flat_map(|listing| args![&ctx.tenant, connection, listing, ctx.now_ms()].to_vec()).collect();
        let sql = format!(
            "INSERT INTO zeroed (tenant, connection, listing, at) VALUES {} \
             ON CONFLICT (tenant, connection, listing) DO UPDATE SET at = excluded.at",
            placeholders(chunk.len(), 4)
        );
        tx.execute_built(sql, &values).await?;
    }
    Ok(())
}

/// Removed connections leave nothing behind here.
pub async fn forget_guards(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId) -> Result<()> {
    tx.execute("DELETE FROM push_guard WHERE tenant = $1 AND connection = $2", args![&ctx.tenant, connection]).await?;
    tx.execute("DELETE FROM zeroed WHERE tenant = $1 AND connection = $2", args![&ctx.tenant, connection]).await?;
    drop_pause(tx, ctx, Scope::Import, connection.as_str()).await?;
    Ok(())
}

/// `false` if it was paused already.
pub async fn put_pause(tx: &mut WriteTx, ctx: &Ctx, scope: Scope, subject: &str) -> Result<bool> {
    let rows = tx
        .execute(
            "INSERT INTO push_pause (tenant, scope, subject, since_at, actor) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (tenant, scope, subject) DO NOTHING",
            args![&ctx.tenant, scope.as_str(), subject, ctx.now_ms(), &ctx.actor],
        )
        .await?;
    Ok(rows == 1)
}

/// `false` if it was not paused.
pub async fn drop_pause(tx: &mut WriteTx, ctx: &Ctx, scope: Scope, subject: &str) -> Result<bool> {
    let sql = "DELETE FROM push_pause WHERE tenant = $1 AND scope = $2 AND subject = $3";
    Ok(tx.execute(sql, args![&ctx.tenant, scope.as_str(), subject]).await? == 1)
}

pub async fn is_paused(conn: &mut impl Sql, tenant: &Tenant, scope: Scope, subject: &str) -> Result<bool> {
    let sql = "SELECT since_at FROM push_pause WHERE tenant = $1 AND scope = $2 AND subject = $3";
    Ok(conn.fetch_optional(sql, args![tenant, scope.as_str(), subject]).await?.is_some())
}

pub async fn pauses(conn: &mut impl Sql, tenant: &Tenant) -> Result<Vec<Pause>> {
    let sql = "SELECT scope, subject, since_at, actor FROM push_pause WHERE tenant = $1 ORDER BY scope, subject";
    let rows = conn.fetch_all(sql, args![tenant]).await?;
    let pause = |row: &crate::store::Row| -> Result<Option<Pause>> {
        let scope: String = row.get(0)?;
        let Some(scope) = Scope::parse(&scope) else { return Ok(None) };
        Ok(Some(Pause { scope, subject: row.get(1)?, since_at: row.get(2)?, actor: row.get(3)? }))
    };
    rows.iter().filter_map(|row| pause(row).transpose()).collect()
}
