//! All SQL on `identity`.

use std::collections::BTreeMap;

use super::{Error, Foreign, Kind};
use crate::ctx::{Ctx, Tenant};
use crate::id::ConnectionId;
use crate::store::{Sql, Value, WriteTx, placeholders};
use crate::{args, cells};

/// One statement for any page of a channel; binding more at once grows slow on SQLite.
const CHUNK: usize = 500;

pub async fn insert(
    tx: &mut WriteTx,
    ctx: &Ctx,
    kind: Kind,
    connection: &ConnectionId,
    external_id: &str,
    internal_id: &str,
) -> Result<bool, Error> {
    let rows = tx
        .execute(
            "INSERT INTO identity (tenant, kind, connection, external_id, internal_id) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            args![&ctx.tenant, kind.as_str(), connection, external_id, internal_id],
        )
        .await?;
    Ok(rows == 1)
}

pub async fn put(
    tx: &mut WriteTx,
    ctx: &Ctx,
    kind: Kind,
    connection: &ConnectionId,
    external_id: &str,
    internal_id: &str,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO identity (tenant, kind, connection, external_id, internal_id) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (tenant, kind, connection, external_id) DO UPDATE SET internal_id = excluded.internal_id \
         WHERE identity.internal_id <> excluded.internal_id",
        args![&ctx.tenant, kind.as_str(), connection, external_id, internal_id],
    )
    .await?;
    Ok(())
}

pub async fn find_many(
    conn: &mut impl Sql,
    tenant: &Tenant,
    kind: Kind,
    connection: &ConnectionId,
    external_ids: &[&str],
) -> Result<BTreeMap<String, String>, Error> {
    let mut found = BTreeMap::new();
    for chunk in external_ids.chunks(CHUNK) {
        let n = chunk.len();
        let mut values: Vec<Value> = chunk.iter().map(|id| Value::from(*id)).collect();
        values.extend(cells![tenant, kind.as_str(), connection]);
        let sql = format!(
            "SELECT external_id, internal_id FROM identity WHERE tenant = ${} AND kind = ${} AND connection = ${} AND external_id IN {}",
            n + 1,
            n + 2,
            n + 3,
            placeholders(1, n)
        );
        for row in conn.fetch_built(sql, &values).await? {
            found.insert(row.get(0)?, row.get(1)?);
        }
    }
    Ok(found)
}

pub async fn list_for(conn: &mut impl Sql, tenant: &Tenant, internal_id: &str) -> Result<Vec<Foreign>, Error> {
    let rows = conn
        .fetch_all("SELECT kind, connection, external_id FROM identity WHERE tenant = $1 AND internal_id = $2", args![tenant, internal_id])
        .await?;
    let foreign = |row: &crate::store::Row| Ok(Foreign { kind: row.get(0)?, connection: row.get(1)?, external_id: row.get(2)? });
    let mut found: Vec<Foreign> = rows.iter().map(foreign).collect::<Result<_, Error>>()?;
    // Sorted here: asked for an order, SQLite would walk through all rows of the merchant by their key.
    found.sort_by(|a, b| (&a.kind, &a.connection, &a.external_id).cmp(&(&b.kind, &b.connection, &b.external_id)));
    Ok(found)
}
