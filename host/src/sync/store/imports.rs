//! The SQL of imports.

use crate::args;
use crate::ctx::{Ctx, Tenant};
use crate::id::ConnectionId;
use crate::store::{Row, Sql, WriteTx};
use crate::sync::Error;
use crate::sync::imports::Import;

type Result<T> = std::result::Result<T, Error>;

macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT connection, stream, began_at, done, total, spent_ms, read_at, again_at, finished_at FROM import WHERE tenant = $1",
            $condition
        )
    };
}

fn import(row: &Row) -> Result<Import> {
    Ok(Import {
        connection: row.get(0)?,
        stream: row.get(1)?,
        began_at: row.get(2)?,
        done: row.get(3)?,
        total: row.get(4)?,
        spent_ms: row.get(5)?,
        read_at: row.get(6)?,
        again_at: row.get(7)?,
        finished_at: row.get(8)?,
    })
}

pub async fn find_import(conn: &mut impl Sql, tenant: &Tenant, connection: &ConnectionId, stream: &str) -> Result<Option<Import>> {
    let sql = select!(" AND connection = $2 AND stream = $3");
    conn.fetch_optional(sql, args![tenant, connection, stream]).await?.as_ref().map(import).transpose()
}

/// Of one connection or of all.
pub async fn imports(conn: &mut impl Sql, tenant: &Tenant, connection: Option<&ConnectionId>) -> Result<Vec<Import>> {
    let rows = match connection {
        Some(connection) => conn.fetch_all(select!(" AND connection = $2 ORDER BY stream"), args![tenant, connection]).await?,
        None => conn.fetch_all(select!(" ORDER BY connection, stream"), args![tenant]).await?,
    };
    rows.iter().map(import).collect()
}

pub async fn put_import(tx: &mut WriteTx, ctx: &Ctx, import: &Import) -> Result<()> {
    tx.execute(
        "INSERT INTO import (tenant, connection, stream, began_at, done, total, spent_ms, read_at, again_at, finished_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
         ON CONFLICT (tenant, connection, stream) DO UPDATE SET began_at = excluded.began_at, done = excluded.done, \
         total = excluded.total, spent_ms = excluded.spent_ms, read_at = excluded.read_at, again_at = excluded.again_at, \
         finished_at = excluded.finished_at",
        args![
            &ctx.tenant,
            &import.connection,
            &import.stream,
            import.began_at,
            import.done,
            import.total,
            import.spent_ms,
            import.read_at,
            import.again_at,
            import.finished_at
        ],
    )
    .await?;
    Ok(())
}

/// The time until now is not the reading's own.
pub async fn restart_clock(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId) -> Result<()> {
    let sql = "UPDATE import SET read_at = $3 WHERE tenant = $1 AND connection = $2 AND finished_at IS NULL";
    tx.execute(sql, args![&ctx.tenant, connection, ctx.now_ms()]).await?;
    Ok(())
}

pub async fn forget_imports(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId) -> Result<()> {
    tx.execute("DELETE FROM import WHERE tenant = $1 AND connection = $2", args![&ctx.tenant, connection]).await?;
    Ok(())
}
