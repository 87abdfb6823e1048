//! All SQL on `connection`. [`open_work`] also counts, and only counts, rows of the rooms whose work hangs on one.

use std::collections::BTreeMap;

use super::error::Error;
use super::model::{Connection, Health, OpenWork, hash_of};
use crate::args;
use crate::ctx::{Ctx, Tenant};
use crate::id::ConnectionId;
use crate::page::{Cursor, Page, PageRequest};
use crate::store::{Row, Sql, WriteTx};

macro_rules! columns {
    () => {
        "id, plugin, name, state, settings, grants, webhook_path, account, since_at, health, health_reason, health_at, buffer, live_plan, created_at"
    };
}

pub async fn insert(tx: &mut WriteTx, ctx: &Ctx, c: &Connection) -> Result<(), Error> {
    tx.execute(
        concat!(
            "INSERT INTO connection (tenant, webhook_hash, ",
            columns!(),
            ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
        ),
        args![
            &ctx.tenant,
            hash_of(&c.webhook_path),
            &c.id,
            &c.plugin,
            &c.name,
            c.state.as_str(),
            c.settings.to_string(),
            grants_text(c),
            &c.webhook_path,
            c.account.as_ref().map(ToString::to_string),
            c.since_at,
            c.health.as_str(),
            &c.health_reason,
            c.health_at,
            c.buffer,
            c.live_plan.as_ref(),
            c.created_at,
        ],
    )
    .await?;
    Ok(())
}

pub async fn update(tx: &mut WriteTx, ctx: &Ctx, c: &Connection) -> Result<(), Error> {
    tx.execute(
        "UPDATE connection SET name = $3, state = $4, settings = $5, grants = $6, account = $7, since_at = $8, buffer = $9, live_plan = $10 \
         WHERE tenant = $1 AND id = $2",
        args![
            &ctx.tenant,
            &c.id,
            &c.name,
            c.state.as_str(),
            c.settings.to_string(),
            grants_text(c),
            c.account.as_ref().map(ToString::to_string),
            c.since_at,
            c.buffer,
            c.live_plan.as_ref(),
        ],
    )
    .await?;
    Ok(())
}

pub async fn record_health(tx: &mut WriteTx, ctx: &Ctx, id: &ConnectionId, health: Health, reason: Option<String>) -> Result<(), Error> {
    tx.execute(
        "UPDATE connection SET health = $3, health_reason = $4, health_at = $5 WHERE tenant = $1 AND id = $2 AND removed_at IS NULL",
        args![&ctx.tenant, id, health.as_str(), reason, ctx.now_ms()],
    )
    .await?;
    Ok(())
}

pub async fn mark_removed(tx: &mut WriteTx, ctx: &Ctx, id: &ConnectionId) -> Result<(), Error> {
    tx.execute(
        "UPDATE connection SET removed_at = $3, state = 'paused', settings = '{}', grants = '[]', account = NULL, webhook_path = '', \
         webhook_hash = 'removed:' || id, health = 'unknown', health_reason = NULL, health_at = $3 WHERE tenant = $1 AND id = $2",
        args![&ctx.tenant, id, ctx.now_ms()],
    )
    .await?;
    Ok(())
}

/// `lock` is the dialect's words for locking the row, or nothing.
pub async fn find(conn: &mut impl Sql, tenant: &Tenant, id: &ConnectionId, lock: &'static str) -> Result<Option<Connection>, Error> {
    let sql = concat!("SELECT ", columns!(), " FROM connection WHERE tenant = $1 AND id = $2 AND removed_at IS NULL");
    let rows = conn.fetch_built(format!("{sql}{lock}"), args![tenant, id]).await?;
    rows.first().map(connection).transpose()
}

pub async fn find_by_name(conn: &mut impl Sql, tenant: &Tenant, name: &str) -> Result<Option<Connection>, Error> {
    let sql = concat!("SELECT ", columns!(), " FROM connection WHERE tenant = $1 AND name = $2 AND removed_at IS NULL");
    conn.fetch_optional(sql, args![tenant, name]).await?.as_ref().map(connection).transpose()
}

pub async fn find_by_webhook_hash(conn: &mut impl Sql, hash: &str) -> Result<Option<(Tenant, Connection)>, Error> {
    let sql = concat!("SELECT ", columns!(), ", tenant FROM connection WHERE webhook_hash = $1");
    let Some(row) = conn.fetch_optional(sql, args![hash]).await? else { return Ok(None) };
    Ok(Some((Tenant::named(&row.get::<String>(15)?), connection(&row)?)))
}

pub async fn list(conn: &mut impl Sql, tenant: &Tenant, request: &PageRequest) -> Result<Page<Connection>, Error> {
    let after = request.after("connections", 1)?.unwrap_or_else(|| vec![String::new()]);
    let sql = concat!("SELECT ", columns!(), " FROM connection WHERE tenant = $1 AND id > $2 AND removed_at IS NULL ORDER BY id LIMIT $3");
    let rows = conn.fetch_all(sql, args![tenant, &after[0], request.limit() + 1]).await?;
    let items = rows.iter().map(connection).collect::<Result<_, _>>()?;
    Ok(Page::cut(items, request.limit(), |last: &Connection| Cursor::new("connections", &[last.id.as_str()])))
}

pub async fn names(conn: &mut impl Sql, tenant: &Tenant) -> Result<BTreeMap<ConnectionId, String>, Error> {
    let rows = conn.fetch_all("SELECT id, name FROM connection WHERE tenant = $1", args![tenant]).await?;
    Ok(rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<_, crate::store::Error>>()?)
}

pub async fn open_work(conn: &mut impl Sql, tenant: &Tenant, id: &ConnectionId) -> Result<OpenWork, Error> {
    let row = conn
        .fetch_one(
            "SELECT \
             (SELECT COUNT(*) FROM orders o WHERE o.tenant = $1 AND o.connection = $2 AND EXISTS \
               (SELECT 1 FROM reservation r WHERE r.tenant = o.tenant AND r.order_id = o.id AND r.quantity > 0)), \
             (SELECT COUNT(*) FROM desired WHERE tenant = $1 AND connection = $2 AND version > sent_version), \
             (SELECT COUNT(*) FROM effect WHERE tenant = $1 AND connection = $2 AND state <> 'done'), \
             (SELECT COUNT(*) FROM shipment s JOIN orders o ON o.tenant = s.tenant AND o.id = s.order_id \
               WHERE s.tenant = $1 AND o.connection = $2 AND s.state = 'pending'), \
             (SELECT COUNT(*) FROM inbox WHERE tenant = $1 AND connection = $2 AND state = 'new')",
            args![tenant, id],
        )
        .await?;
    Ok(OpenWork {
        reserving_orders: row.get(0)?,
        unsent: row.get(1)?,
        open_effects: row.get(2)?,
        unwritten_shipments: row.get(3)?,
        waiting_deliveries: row.get(4)?,
    })
}

fn grants_text(c: &Connection) -> String {
    serde_json::json!(c.grants).to_string()
}

fn connection(row: &Row) -> Result<Connection, Error> {
    let json = |column: usize| -> Result<Option<serde_json::Value>, crate::store::Error> {
        let text: Option<String> = row.get(column)?;
        let shape = || crate::store::Error::Shape { column, found: "a text that is not JSON".into() };
        text.map(|text| serde_json::from_str(&text).map_err(|_| shape())).transpose()
    };
    let shape = |column| crate::store::Error::Shape { column, found: "JSON of another shape".into() };
    Ok(Connection {
        id: row.get(0)?,
        plugin: row.get(1)?,
        name: row.get(2)?,
        state: row.get(3)?,
        settings: json(4)?.unwrap_or_default(),
        grants: serde_json::from_value(json(5)?.unwrap_or_default()).map_err(|_| shape(5))?,
        webhook_path: row.get(6)?,
        account: json(7)?,
        since_at: row.get(8)?,
        health: row.get(9)?,
        health_reason: row.get(10)?,
        health_at: row.get(11)?,
        buffer: row.get(12)?,
        live_plan: row.get(13)?,
        created_at: row.get(14)?,
    })
}
