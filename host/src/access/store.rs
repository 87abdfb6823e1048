//! The tables `access_key` and `session`.

use super::{Error, Key, Scope};
use crate::args;
use crate::ctx::{Ctx, Tenant};
use crate::id::KeyId;
use crate::page::{Cursor, Page, PageRequest};
use crate::store::{FromCell, Row, Sql, Value, WriteTx};

const KEY_COLUMNS: &str = "id, name, start, scope, created_by, created_at, expires_at, last_used_at, revoked_at";
const LIST: &str = "keys";

impl FromCell for Scope {
    fn from_cell(cell: &Value) -> Option<Self> {
        String::from_cell(cell)?.parse().ok()
    }
}

fn read_key(row: &Row) -> Result<Key, Error> {
    Ok(Key {
        id: row.get(0)?,
        name: row.get(1)?,
        start: row.get(2)?,
        scope: row.get(3)?,
        created_by: row.get(4)?,
        created_at: row.get(5)?,
        expires_at: row.get(6)?,
        last_used_at: row.get(7)?,
        revoked_at: row.get(8)?,
    })
}

pub(super) async fn insert_key(tx: &mut WriteTx, ctx: &Ctx, key: &Key, hash: Vec<u8>) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO access_key (tenant, id, name, start, hash, scope, created_by, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        args![&ctx.tenant, &key.id, &key.name, &key.start, hash, key.scope.as_str(), &key.created_by, key.created_at, key.expires_at],
    )
    .await?;
    Ok(())
}

pub(super) async fn list_keys(conn: &mut impl Sql, tenant: &Tenant, request: &PageRequest) -> Result<Page<Key>, Error> {
    let after = request.after(LIST, 1)?.and_then(|keys| keys.into_iter().next()).unwrap_or_default();
    let sql = format!("SELECT {KEY_COLUMNS} FROM access_key WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3");
    let rows = conn.fetch_built(sql, args![tenant, after, request.limit() + 1]).await?;
    let keys = rows.iter().map(read_key).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::cut(keys, request.limit(), |last| Cursor::new(LIST, &[last.id.as_str()])))
}

pub(super) async fn revoke_key(tx: &mut WriteTx, ctx: &Ctx, id: &KeyId) -> Result<Option<Key>, Error> {
    tx.execute(
        "UPDATE access_key SET revoked_at = $3 WHERE tenant = $1 AND id = $2 AND revoked_at IS NULL",
        args![&ctx.tenant, id, ctx.now_ms()],
    )
    .await?;
    let sql = format!("SELECT {KEY_COLUMNS} FROM access_key WHERE tenant = $1 AND id = $2");
    let rows = tx.fetch_built(sql, args![&ctx.tenant, id]).await?;
    rows.first().map(read_key).transpose()
}

pub(super) async fn find_key(conn: &mut impl Sql, hash: &[u8]) -> Result<Option<(Tenant, Key)>, Error> {
    let sql = format!("SELECT {KEY_COLUMNS}, tenant FROM access_key WHERE hash = $1");
    let rows = conn.fetch_built(sql, args![hash]).await?;
    match rows.first() {
        Some(row) => Ok(Some((Tenant::named(&row.get::<String>(9)?), read_key(row)?))),
        None => Ok(None),
    }
}

pub(super) async fn touch_key(tx: &mut WriteTx, tenant: &Tenant, id: &KeyId, now_ms: i64) -> Result<(), Error> {
    let sql = "UPDATE access_key SET last_used_at = $3 WHERE tenant = $1 AND id = $2 AND (last_used_at IS NULL OR last_used_at < $3)";
    tx.execute(sql, args![tenant, id, now_ms]).await?;
    Ok(())
}

pub(super) async fn insert_session(
    tx: &mut WriteTx,
    ctx: &Ctx,
    kind: &'static str,
    hash: Vec<u8>,
    actor: &str,
    scope: Scope,
    expires_at: i64,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO session (tenant, hash, kind, actor, scope, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        args![&ctx.tenant, hash, kind, actor, scope.as_str(), ctx.now_ms(), expires_at],
    )
    .await?;
    Ok(())
}

type Found = Option<(Tenant, String, Scope)>;

fn read_session(rows: &[Row]) -> Result<Found, Error> {
    match rows.first() {
        Some(row) => Ok(Some((Tenant::named(&row.get::<String>(0)?), row.get(1)?, row.get(2)?))),
        None => Ok(None),
    }
}

pub(super) async fn find_session(conn: &mut impl Sql, kind: &'static str, hash: &[u8], now_ms: i64) -> Result<Found, Error> {
    let sql = "SELECT tenant, actor, scope FROM session WHERE hash = $1 AND kind = $2 AND expires_at > $3";
    read_session(&conn.fetch_all(sql, args![hash, kind, now_ms]).await?)
}

/// Deletes while it reads, so that of two who come at once only one gets the session.
pub(super) async fn take_link(tx: &mut WriteTx, hash: &[u8], now_ms: i64) -> Result<Found, Error> {
    let sql = "DELETE FROM session WHERE hash = $1 AND kind = 'link' AND expires_at > $2 RETURNING tenant, actor, scope";
    read_session(&tx.fetch_all(sql, args![hash, now_ms]).await?)
}

pub(super) async fn end_session(tx: &mut WriteTx, hash: &[u8]) -> Result<(), Error> {
    tx.execute("DELETE FROM session WHERE hash = $1 AND kind = 'session'", args![hash]).await?;
    Ok(())
}

pub(super) async fn drop_expired(tx: &mut WriteTx, ctx: &Ctx) -> Result<(), Error> {
    tx.execute("DELETE FROM session WHERE tenant = $1 AND expires_at <= $2", args![&ctx.tenant, ctx.now_ms()]).await?;
    Ok(())
}
