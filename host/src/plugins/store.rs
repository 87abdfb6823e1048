//! All SQL on `plugin` and `plugin_chunk`.

use super::grant::Grant;
use super::registry::{Error, Row};
use crate::args;
use crate::ctx::{Ctx, Tenant};
use crate::store::{Sql, WriteTx};

const CHUNK_BYTES: usize = 256 << 10;

const COLUMNS: &str = "SELECT name, digest, version, bytes, grants, installed_at, installed_by, current FROM plugin";

fn row(row: &crate::store::Row) -> Result<Row, Error> {
    let grants: String = row.get(4)?;
    let name: String = row.get(0)?;
    let grant: Grant = serde_json::from_str(&grants).map_err(|_| Error::Damaged { name: name.clone() })?;
    Ok(Row {
        name,
        digest: row.get(1)?,
        version: row.get(2)?,
        bytes: row.get(3)?,
        grant,
        installed_at: row.get(5)?,
        installed_by: row.get(6)?,
        current: row.get::<i64>(7)? == 1,
    })
}

/// Versions in use, by name.
pub async fn list(conn: &mut impl Sql, tenant: &Tenant) -> Result<Vec<Row>, Error> {
    let rows = conn.fetch_built(format!("{COLUMNS} WHERE tenant = $1 AND current = 1 ORDER BY name"), args![tenant]).await?;
    rows.iter().map(row).collect()
}

/// Every kept version of one, newest first.
pub async fn versions(conn: &mut impl Sql, tenant: &Tenant, name: &str) -> Result<Vec<Row>, Error> {
    let sql = format!("{COLUMNS} WHERE tenant = $1 AND name = $2 ORDER BY installed_at DESC, digest");
    conn.fetch_built(sql, args![tenant, name]).await?.iter().map(row).collect()
}

pub async fn artifact(conn: &mut impl Sql, tenant: &Tenant, digest: &str) -> Result<Vec<u8>, Error> {
    let rows =
        conn.fetch_all("SELECT piece FROM plugin_chunk WHERE tenant = $1 AND digest = $2 ORDER BY seq", args![tenant, digest]).await?;
    let mut bytes = Vec::new();
    for row in &rows {
        bytes.extend_from_slice(&row.get::<Vec<u8>>(0)?);
    }
    Ok(bytes)
}

pub async fn put_artifact(tx: &mut WriteTx, ctx: &Ctx, digest: &str, bytes: &[u8]) -> Result<(), Error> {
    for (seq, piece) in bytes.chunks(CHUNK_BYTES).enumerate() {
        tx.execute(
            "INSERT INTO plugin_chunk (tenant, digest, seq, piece) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            args![&ctx.tenant, digest, seq as i64, piece],
        )
        .await?;
    }
    Ok(())
}

pub async fn put(tx: &mut WriteTx, ctx: &Ctx, row: &Row) -> Result<(), Error> {
    let grants = serde_json::to_string(&row.grant).map_err(|_| Error::Damaged { name: row.name.clone() })?;
    tx.execute("UPDATE plugin SET current = 0 WHERE tenant = $1 AND name = $2 AND current = 1", args![&ctx.tenant, &row.name]).await?;
    tx.execute(
        "INSERT INTO plugin (tenant, name, digest, version, current, bytes, grants, installed_at, installed_by) \
         VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $8) \
         ON CONFLICT (tenant, name, digest) DO UPDATE SET current = 1, grants = excluded.grants, installed_at = excluded.installed_at, \
         installed_by = excluded.installed_by",
        args![&ctx.tenant, &row.name, &row.digest, &row.version, row.bytes, grants, row.installed_at, &row.installed_by],
    )
    .await?;
    Ok(())
}

pub async fn forget_version(tx: &mut WriteTx, ctx: &Ctx, name: &str, digest: &str) -> Result<(), Error> {
    tx.execute("DELETE FROM plugin WHERE tenant = $1 AND name = $2 AND digest = $3", args![&ctx.tenant, name, digest]).await?;
    tx.execute(
        "DELETE FROM plugin_chunk WHERE tenant = $1 AND digest = $2 AND NOT EXISTS \
         (SELECT 1 FROM plugin WHERE plugin.tenant = plugin_chunk.tenant AND plugin.digest = plugin_chunk.digest)",
        args![&ctx.tenant, digest],
    )
    .await?;
    Ok(())
}
