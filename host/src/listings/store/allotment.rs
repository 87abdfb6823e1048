//! SQL on `allotment`.

use std::collections::BTreeSet;

use crate::args;
use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, VariantId};
use crate::listings::allotment::{Allotment, Allotted};
use crate::listings::error::Error;
use crate::store::{Row, Sql, Value, WriteTx};

const CHUNK: usize = 250;

fn read(row: &Row) -> Result<Allotted, Error> {
    let variant: String = row.get(1)?;
    Ok(Allotted {
        connection: row.get(0)?,
        variant: VariantId::parse(&variant).ok(),
        allotment: Allotment { at_least: row.get(2)?, at_most: row.get(3)?, share_bps: row.get(4)? },
    })
}

/// The rows of any connection for these variants, and those for all.
pub async fn of_variants(conn: &mut impl Sql, tenant: &Tenant, variants: &[VariantId]) -> Result<Vec<Allotted>, Error> {
    let mut found = Vec::new();
    let names: Vec<&str> = std::iter::once("").chain(variants.iter().map(VariantId::as_str)).collect();
    for chunk in names.chunks(CHUNK) {
        let values: Vec<Value> = std::iter::once(Value::from(tenant)).chain(chunk.iter().map(|name| Value::from(*name))).collect();
        let list: Vec<String> = (2..=values.len()).map(|n| format!("${n}")).collect();
        let sql = format!(
            "SELECT connection, variant, at_least, at_most, share_bps FROM allotment WHERE tenant = $1 AND variant IN ({})",
            list.join(", ")
        );
        for row in conn.fetch_built(sql, &values).await? {
            found.push(read(&row)?);
        }
    }
    Ok(found)
}

/// Which connections offer which of these variants.
pub async fn listed(conn: &mut impl Sql, tenant: &Tenant, variants: &[VariantId]) -> Result<BTreeSet<(ConnectionId, VariantId)>, Error> {
    let mut found = BTreeSet::new();
    for chunk in variants.chunks(CHUNK) {
        let values: Vec<Value> = std::iter::once(Value::from(tenant)).chain(chunk.iter().map(Value::from)).collect();
        let list: Vec<String> = (2..=values.len()).map(|n| format!("${n}")).collect();
        let sql = format!(
            "SELECT DISTINCT connection, variant FROM listing WHERE tenant = $1 AND link = 'linked' AND variant IN ({})",
            list.join(", ")
        );
        for row in conn.fetch_built(sql, &values).await? {
            found.insert((row.get(0)?, row.get(1)?));
        }
    }
    Ok(found)
}

pub async fn list(conn: &mut impl Sql, tenant: &Tenant, connection: Option<&ConnectionId>) -> Result<Vec<Allotted>, Error> {
    let rows = conn
        .fetch_all(
            "SELECT connection, variant, at_least, at_most, share_bps FROM allotment WHERE tenant = $1 AND ($2 = '' OR connection = $2) \
             ORDER BY connection, variant",
            args![tenant, connection.map_or("", ConnectionId::as_str)],
        )
        .await?;
    rows.iter().map(read).collect()
}

pub async fn put(
    tx: &mut WriteTx,
    ctx: &Ctx,
    connection: &ConnectionId,
    variant: Option<&VariantId>,
    allotment: &Allotment,
) -> Result<bool, Error> {
    let rows = tx
        .execute(
            "INSERT INTO allotment (tenant, connection, variant, at_least, at_most, share_bps) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (tenant, connection, variant) DO UPDATE SET at_least = excluded.at_least, at_most = excluded.at_most, \
             share_bps = excluded.share_bps WHERE allotment.at_least <> excluded.at_least OR allotment.share_bps <> excluded.share_bps \
             OR COALESCE(allotment.at_most, -1) <> COALESCE(excluded.at_most, -1)",
            args![
                &ctx.tenant,
                connection,
                variant.map_or("", VariantId::as_str),
                allotment.at_least,
                allotment.at_most,
                allotment.share_bps
            ],
        )
        .await?;
    Ok(rows == 1)
}

pub async fn remove(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, variant: Option<&VariantId>) -> Result<bool, Error> {
    let sql = "DELETE FROM allotment WHERE tenant = $1 AND connection = $2 AND variant = $3";
    Ok(tx.execute(sql, args![&ctx.tenant, connection, variant.map_or("", VariantId::as_str)]).await? == 1)
}

pub async fn remove_of(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId) -> Result<(), Error> {
    tx.execute("DELETE FROM allotment WHERE tenant = $1 AND connection = $2", args![&ctx.tenant, connection]).await?;
    Ok(())
}
