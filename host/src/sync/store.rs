//! All SQL on `desired`, `effect`, `stream_cursor`, `refusal` and `plan`.
//!
//! An order by a key's text `|| ''` keeps SQLite from walking the primary key of a whole merchant to save a small sort.

mod shown;

use std::collections::BTreeMap;

pub use shown::{Shown, shown};

use super::Error;
use super::push::Told;
use crate::args;
use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, EffectId, ListingId, PlanId};
use crate::store::{Row, Sql, Value, WriteTx, placeholders};

type Result<T> = std::result::Result<T, Error>;

/// The value of these listings may have changed.
pub async fn want(tx: &mut WriteTx, ctx: &Ctx, field: &str, listings: &[(&ListingId, &ConnectionId)]) -> Result<()> {
    let mut sorted = listings.to_vec();
    sorted.sort();
    for chunk in sorted.chunks(200) {
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 8);
        for (listing, connection) in chunk {
            values.extend_from_slice(args![&ctx.tenant, *listing, field, *connection, 1i64, 0i64, 0i64, 0i64]);
        }
        let sql = format!(
            "INSERT INTO desired (tenant, listing, field, connection, version, sent_version, doubted, retry_at) VALUES {} \
             ON CONFLICT (tenant, listing, field) DO UPDATE SET version = desired.version + 1",
            placeholders(chunk.len(), 8)
        );
        tx.execute_built(sql, &values).await?;
    }
    Ok(())
}

/// One value to be told.
#[derive(Clone, Debug)]
pub struct Desired {
    pub listing: ListingId,
    pub version: i64,
    pub told: Option<Told>,
}

fn told(row: &Row, column: usize) -> Result<Option<Told>> {
    let text: Option<String> = row.get(column)?;
    Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
}

pub async fn due(conn: &mut impl Sql, ctx: &Ctx, connection: &ConnectionId, field: &str, limit: u32) -> Result<Vec<Desired>> {
    let rows = conn
        .fetch_all(
            "SELECT listing, version, told FROM desired WHERE tenant = $1 AND connection = $2 AND field = $3 AND version > sent_version \
             AND effect IS NULL AND retry_at <= $4 ORDER BY listing || '' LIMIT $5",
            args![&ctx.tenant, connection, field, ctx.now_ms(), limit],
        )
        .await?;
    rows.iter().map(|row| Ok(Desired { listing: row.get(0)?, version: row.get(1)?, told: told(row, 2)? })).collect()
}

/// When the next value that waits for a retry is due.
pub async fn next_retry(conn: &mut impl Sql, ctx: &Ctx, connection: &ConnectionId, field: &str) -> Result<Option<i64>> {
    let row = conn
        .fetch_one(
            "SELECT MIN(retry_at) FROM desired WHERE tenant = $1 AND connection = $2 AND field = $3 AND version > sent_version AND effect IS NULL",
            args![&ctx.tenant, connection, field],
        )
        .await?;
    Ok(row.get(0)?)
}

/// The channel took this value for the desired version. What it shows is that, unless the shop changed something meanwhile.
pub async fn acknowledge(tx: &mut WriteTx, ctx: &Ctx, listing: &ListingId, field: &str, version: i64, told: &Told) -> Result<()> {
    tx.execute(
        "UPDATE desired SET sent_version = CASE WHEN sent_version > $4 THEN sent_version ELSE $4 END, \
         told = CASE WHEN doubted = 1 THEN NULL ELSE $5 END, told_at = $6, effect = NULL, doubted = 0, problem = NULL, retry_at = 0 WHERE tenant = $1 AND listing = $2 AND field = $3",
        args![&ctx.tenant, listing, field, version, serde_json::to_string(told)?, ctx.now_ms()],
    )
    .await?;
    Ok(())
}

/// The channel shows the desired value already. Says nothing if something changed since that was found out.
pub async fn already_shows(tx: &mut WriteTx, ctx: &Ctx, listing: &ListingId, field: &str, version: i64, told: &Told) -> Result<()> {
    tx.execute(
        "UPDATE desired SET sent_version = $4, told = $5, problem = NULL, retry_at = 0 \
         WHERE tenant = $1 AND listing = $2 AND field = $3 AND version = $4",
        args![&ctx.tenant, listing, field, version, serde_json::to_string(told)?],
    )
    .await?;
    Ok(())
}

/// What the channel shows is known, whatever it was told.
pub async fn told_is(tx: &mut WriteTx, ctx: &Ctx, listing: &ListingId, field: &str, told: Option<&Told>) -> Result<()> {
    let told = told.map(serde_json::to_string).transpose()?;
    tx.execute(
        "UPDATE desired SET told = CASE WHEN doubted = 1 THEN NULL ELSE $4 END, told_at = $5, effect = NULL, doubted = 0, retry_at = 0 \
         WHERE tenant = $1 AND listing = $2 AND field = $3",
        args![&ctx.tenant, listing, field, told, ctx.now_ms()],
    )
    .await?;
    Ok(())
}

/// Not told; again at `retry_at`. `settled`: the channel refuses this version for good, so only a new one is tried.
pub async fn not_told(
    tx: &mut WriteTx,
    ctx: &Ctx,
    listing: &ListingId,
    field: &str,
    problem: &str,
    retry_at: i64,
    settled: Option<i64>,
) -> Result<()> {
    tx.execute(
        "UPDATE desired SET effect = NULL, problem = $4, retry_at = $5, sent_version = COALESCE($6, sent_version) \
         WHERE tenant = $1 AND listing = $2 AND field = $3",
        args![&ctx.tenant, listing, field, problem, retry_at, settled],
    )
    .await?;
    Ok(())
}

/// The shop itself has sold `units` at `placed_at`: what it was told moves along. Only if the sale is clearly younger than
/// the last push; a sale around it may have been overwritten, and then what the shop shows is not known.
pub async fn told_less(tx: &mut WriteTx, ctx: &Ctx, listing: &ListingId, units: i64, placed_at: i64) -> Result<()> {
    let row = tx
        .fetch_optional(
            "SELECT told, told_at FROM desired WHERE tenant = $1 AND listing = $2 AND field = 'stock'",
            args![&ctx.tenant, listing],
        )
        .await?;
    let Some(row) = row else { return Ok(()) };
    let Some(mut known) = told(&row, 0)? else { return told_unknown(tx, ctx, listing).await };
    let younger = row.get::<Option<i64>>(1)?.is_some_and(|told_at| placed_at > told_at + CLOCK_SLACK_MS);
    // With several places it is not known at which one the shop took it.
    let moved = match known.0.len() {
        1 if younger => known.0.values_mut().next().map(|quantity| *quantity -= units),
        _ => None,
    };
    let text = moved.map(|()| serde_json::to_string(&known)).transpose()?;
    tx.execute(
        "UPDATE desired SET told = $3, doubted = CASE WHEN effect IS NULL THEN 0 ELSE 1 END WHERE tenant = $1 AND listing = $2 AND field = 'stock'",
        args![&ctx.tenant, listing, text],
    )
    .await?;
    Ok(())
}

/// How far a shop's clock may be from ours.
const CLOCK_SLACK_MS: i64 = 60_000;

pub async fn told_unknown(tx: &mut WriteTx, ctx: &Ctx, listing: &ListingId) -> Result<()> {
    tx.execute(
        "UPDATE desired SET told = NULL, doubted = CASE WHEN effect IS NULL THEN 0 ELSE 1 END WHERE tenant = $1 AND listing = $2 AND field = 'stock'",
        args![&ctx.tenant, listing],
    )
    .await?;
    Ok(())
}

/// What a listing was told, and whether that is the newest.
pub struct ToldRow {
    pub version: i64,
    pub sent_version: i64,
    pub told: Option<Told>,
    pub told_at: Option<i64>,
}

pub async fn told_of(conn: &mut impl Sql, tenant: &Tenant, field: &str, listings: &[ListingId]) -> Result<BTreeMap<ListingId, ToldRow>> {
    let mut found = BTreeMap::new();
    for chunk in listings.chunks(500) {
        let mut values = vec![Value::from(tenant), Value::from(field)];
        values.extend(chunk.iter().map(Value::from));
        let list: Vec<String> = (3..=values.len()).map(|n| format!("${n}")).collect();
        let sql = format!(
            "SELECT listing, version, sent_version, told, told_at FROM desired WHERE tenant = $1 AND field = $2 AND listing IN ({})",
            list.join(", ")
        );
        for row in conn.fetch_built(sql, &values).await? {
            let known = ToldRow { version: row.get(1)?, sent_version: row.get(2)?, told: told(&row, 3)?, told_at: row.get(4)? };
            found.insert(row.get(0)?, known);
        }
    }
    Ok(found)
}

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

pub async fn mark_in_effect(tx: &mut WriteTx, ctx: &Ctx, listings: &[ListingId], field: &str, effect: &EffectId) -> Result<()> {
    for listing in listings {
        tx.execute(
            "UPDATE desired SET effect = $4 WHERE tenant = $1 AND listing = $2 AND field = $3",
            args![&ctx.tenant, listing, field, effect],
        )
        .await?;
    }
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

/// A listing that does not show yet what it should.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Unsent {
    pub listing: ListingId,
    pub connection: ConnectionId,
    pub field: String,
    pub problem: Option<String>,
    pub retry_at: i64,
}

pub async fn unsent(conn: &mut impl Sql, tenant: &Tenant, connection: Option<&ConnectionId>, limit: u32) -> Result<Vec<Unsent>> {
    let rows = conn
        .fetch_all(
            "SELECT listing, connection, field, problem, retry_at FROM desired WHERE tenant = $1 AND ($2 = '' OR connection = $2) \
             AND (version > sent_version OR problem IS NOT NULL) ORDER BY listing LIMIT $3",
            args![tenant, connection.map_or(String::new(), ToString::to_string), limit],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Unsent { listing: row.get(0)?, connection: row.get(1)?, field: row.get(2)?, problem: row.get(3)?, retry_at: row.get(4)? })
        })
        .collect()
}

pub async fn put_plan(tx: &mut WriteTx, ctx: &Ctx, id: &PlanId, connection: &ConnectionId, digest: &str, changes: &str) -> Result<()> {
    tx.execute(
        "INSERT INTO plan (tenant, id, connection, digest, changes, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        args![&ctx.tenant, id, connection, digest, changes, ctx.now_ms()],
    )
    .await?;
    Ok(())
}

pub async fn plan(conn: &mut impl Sql, tenant: &Tenant, id: &PlanId) -> Result<Option<(ConnectionId, String, String, i64, Option<i64>)>> {
    let row = conn
        .fetch_optional(
            "SELECT connection, digest, changes, created_at, accepted_at FROM plan WHERE tenant = $1 AND id = $2",
            args![tenant, id],
        )
        .await?;
    row.map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))).transpose()
}

pub async fn accept_plan(tx: &mut WriteTx, ctx: &Ctx, id: &PlanId) -> Result<()> {
    tx.execute("UPDATE plan SET accepted_at = $3 WHERE tenant = $1 AND id = $2", args![&ctx.tenant, id, ctx.now_ms()]).await?;
    Ok(())
}
