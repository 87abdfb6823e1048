//! All SQL on `location` and `location_map`.

use std::collections::BTreeMap;

use super::{Error, Location};
use crate::args;
use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, LocationId};
use crate::store::{Row, Sql, WriteTx};

/// `false` if the name is taken.
pub async fn insert(tx: &mut WriteTx, ctx: &Ctx, location: &Location) -> Result<bool, Error> {
    let rows = tx
        .execute(
            "INSERT INTO location (tenant, id, name, priority, country, created_at) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (tenant, name) DO NOTHING",
            args![&ctx.tenant, &location.id, &location.name, location.priority, &location.country, location.created_at],
        )
        .await?;
    Ok(rows == 1)
}

pub async fn find_by_name(conn: &mut impl Sql, tenant: &Tenant, name: &str) -> Result<Option<Location>, Error> {
    let sql = "SELECT id, name, priority, country, created_at FROM location WHERE tenant = $1 AND name = $2";
    conn.fetch_optional(sql, args![tenant, name]).await?.as_ref().map(location).transpose()
}

pub async fn list(conn: &mut impl Sql, tenant: &Tenant) -> Result<Vec<Location>, Error> {
    let sql = "SELECT id, name, priority, country, created_at FROM location WHERE tenant = $1 ORDER BY priority, id";
    conn.fetch_all(sql, args![tenant]).await?.iter().map(location).collect()
}

pub async fn change(tx: &mut WriteTx, ctx: &Ctx, location: &Location) -> Result<(), Error> {
    tx.execute(
        "UPDATE location SET priority = $3, country = $4 WHERE tenant = $1 AND id = $2",
        args![&ctx.tenant, &location.id, location.priority, &location.country],
    )
    .await?;
    Ok(())
}

pub async fn map(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, external_id: &str, location: &LocationId) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO location_map (tenant, connection, external_id, location) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (tenant, connection, external_id) DO UPDATE SET location = excluded.location",
        args![&ctx.tenant, connection, external_id, location],
    )
    .await?;
    Ok(())
}

pub async fn unmap(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, external_id: &str) -> Result<bool, Error> {
    let sql = "DELETE FROM location_map WHERE tenant = $1 AND connection = $2 AND external_id = $3";
    Ok(tx.execute(sql, args![&ctx.tenant, connection, external_id]).await? == 1)
}

pub async fn unmap_all(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId) -> Result<(), Error> {
    tx.execute("DELETE FROM location_map WHERE tenant = $1 AND connection = $2", args![&ctx.tenant, connection]).await?;
    Ok(())
}

pub async fn mapped(conn: &mut impl Sql, tenant: &Tenant, connection: &ConnectionId) -> Result<BTreeMap<String, LocationId>, Error> {
    let sql = "SELECT external_id, location FROM location_map WHERE tenant = $1 AND connection = $2";
    let rows = conn.fetch_all(sql, args![tenant, connection]).await?;
    Ok(rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<_, crate::store::Error>>()?)
}

fn location(row: &Row) -> Result<Location, Error> {
    Ok(Location { id: row.get(0)?, name: row.get(1)?, priority: row.get(2)?, country: row.get(3)?, created_at: row.get(4)? })
}
