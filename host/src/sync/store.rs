//! All SQL of this room: on `effect`, `stream_cursor` and `refusal` here, on `desired`, `plan`, `import` and the guards' tables below.
//!
//! An order by a key's text `|| ''` keeps SQLite from walking the primary key of a whole merchant to save a small sort.

mod desired;
mod drift;
mod guards;
mod imports;
mod plans;
mod shown;

pub use desired::*;
pub use drift::*;
pub use guards::*;
pub use imports::*;
pub use plans::*;
pub use shown::{Shown, shown};

use super::Error;
use crate::args;
use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, EffectId};
use crate::store::{Sql, WriteTx};

type Result<T> = std::result::Result<T, Error>;

/// A batch as it was, or is about to be, sent.
#[derive(Clone, Debug)]
pub struct Effect {
    pub id: EffectId,
    pub idempotency_key: String,
    pub request: String,
    /// Whether an earlier try of this very batch may have taken effect.
    pub unknown: bool,
    pub attempts: i64,
}

pub async fn open_effect(conn: &mut impl Sql, ctx: &Ctx, connection: &ConnectionId, field: &str) -> Result<Option<Effect>> {
    let row = conn
        .fetch_optional(
            "SELECT id, idempotency_key, request, state, attempts FROM effect WHERE tenant = $1 AND connection = $2 AND field = $3 \
             AND state <> 'done' ORDER BY id || '' LIMIT 1",
            args![&ctx.tenant, connection, field],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let state: String = row.get(3)?;
    Ok(Some(Effect {
        id: row.get(0)?,
        idempotency_key: row.get(1)?,
        request: row.get(2)?,
        unknown: state == "unknown",
        attempts: row.get(4)?,
    }))
}

pub async fn put_effect(
    tx: &mut WriteTx,
    ctx: &Ctx,
    connection: &ConnectionId,
    field: &str,
    effect: &Effect,
    request_hash: &str,
) -> Result<()> {
    tx.execute(
        "INSERT INTO effect (tenant, id, connection, field, idempotency_key, request, request_hash, state, attempts, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'open', 0, $8)",
        args![&ctx.tenant, &effect.id, connection, field, &effect.idempotency_key, &effect.request, request_hash, ctx.now_ms()],
    )
    .await?;
    Ok(())
}

/// Counted before the call, so that a crash in between leaves its trace.
pub async fn count_attempt(tx: &mut WriteTx, ctx: &Ctx, effect: &EffectId) -> Result<()> {
    tx.execute("UPDATE effect SET attempts = attempts + 1, state = 'unknown' WHERE tenant = $1 AND id = $2", args![&ctx.tenant, effect])
        .await?;
    Ok(())
}

pub async fn close_effect(tx: &mut WriteTx, ctx: &Ctx, effect: &EffectId, outcome: &serde_json::Value) -> Result<()> {
    tx.execute(
        "UPDATE effect SET state = 'done', outcome = $3, finished_at = $4 WHERE tenant = $1 AND id = $2",
        args![&ctx.tenant, effect, outcome.to_string(), ctx.now_ms()],
    )
    .await?;
    Ok(())
}

/// Forgets up to so many batches that ended before an instant; how many.
pub async fn forget_effects(tx: &mut WriteTx, ctx: &Ctx, before_ms: i64, limit: u32) -> Result<u64> {
    let sql = "DELETE FROM effect WHERE tenant = $1 AND id IN (SELECT id FROM effect WHERE tenant = $1 AND state = 'done' AND finished_at < $2 \
               ORDER BY id LIMIT $3)";
    Ok(tx.execute(sql, args![&ctx.tenant, before_ms, limit]).await?)
}

pub async fn cursor(conn: &mut impl Sql, ctx: &Ctx, connection: &ConnectionId, stream: &str) -> Result<Option<String>> {
    let row = conn
        .fetch_optional(
            "SELECT cursor FROM stream_cursor WHERE tenant = $1 AND connection = $2 AND stream = $3",
            args![&ctx.tenant, connection, stream],
        )
        .await?;
    Ok(row.map(|row| row.get(0)).transpose()?)
}

pub async fn put_cursor(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, stream: &str, cursor: &str) -> Result<()> {
    tx.execute(
        "INSERT INTO stream_cursor (tenant, connection, stream, cursor, updated_at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (tenant, connection, stream) DO UPDATE SET cursor = excluded.cursor, updated_at = excluded.updated_at",
        args![&ctx.tenant, connection, stream, cursor, ctx.now_ms()],
    )
    .await?;
    Ok(())
}

pub async fn drop_cursor(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, stream: &str) -> Result<()> {
    tx.execute("DELETE FROM stream_cursor WHERE tenant = $1 AND connection = $2 AND stream = $3", args![&ctx.tenant, connection, stream])
        .await?;
    Ok(())
}

/// A record of a channel that could not be taken.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Refused {
    pub connection: ConnectionId,
    pub kind: String,
    pub external_id: String,
    pub reason: String,
    pub seen_at: i64,
}

pub async fn refuse(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, kind: &str, external_id: &str, reason: &str) -> Result<()> {
    tx.execute(
        "INSERT INTO refusal (tenant, connection, kind, external_id, reason, seen_at) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (tenant, connection, kind, external_id) DO UPDATE SET reason = excluded.reason, seen_at = excluded.seen_at",
        args![&ctx.tenant, connection, kind, external_id, reason, ctx.now_ms()],
    )
    .await?;
    Ok(())
}

pub async fn clear_refusal(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, kind: &str, external_id: &str) -> Result<()> {
    tx.execute(
        "DELETE FROM refusal WHERE tenant = $1 AND connection = $2 AND kind = $3 AND external_id = $4",
        args![&ctx.tenant, connection, kind, external_id],
    )
    .await?;
    Ok(())
}

/// Forgets what was refused of a range of ids, `from` and `to` among them.
pub async fn clear_refusals(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, kind: &str, from: &str, to: &str) -> Result<()> {
    tx.execute(
        "DELETE FROM refusal WHERE tenant = $1 AND connection = $2 AND kind = $3 AND external_id >= $4 AND external_id <= $5",
        args![&ctx.tenant, connection, kind, from, to],
    )
    .await?;
    Ok(())
}

pub async fn refusals(conn: &mut impl Sql, tenant: &Tenant, limit: u32) -> Result<Vec<Refused>> {
    let rows = conn
        .fetch_all(
            "SELECT connection, kind, external_id, reason, seen_at FROM refusal WHERE tenant = $1 ORDER BY seen_at DESC LIMIT $2",
            args![tenant, limit],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Refused { connection: row.get(0)?, kind: row.get(1)?, external_id: row.get(2)?, reason: row.get(3)?, seen_at: row.get(4)? })
        })
        .collect()
}
