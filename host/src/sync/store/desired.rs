//! The SQL of what listings should show and were told.

use std::collections::BTreeMap;

use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, EffectId, ListingId};
use crate::lanes::model::NEVER;
use crate::store::{Row, Sql, Value, WriteTx, placeholders};
use crate::sync::Error;
use crate::sync::push::Shows;
use crate::{args, cells};

type Result<T> = std::result::Result<T, Error>;

/// The value of these listings may have changed.
pub async fn want(tx: &mut WriteTx, ctx: &Ctx, field: &str, listings: &[(&ListingId, &ConnectionId)]) -> Result<()> {
    let mut sorted = listings.to_vec();
    sorted.sort();
    sorted.dedup();
    for chunk in sorted.chunks(200) {
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 9);
        for (listing, connection) in chunk {
            values.extend(cells![&ctx.tenant, *listing, field, *connection, 1i64, 0i64, 0i64, 0i64, 0i64]);
        }
        let sql = format!(
            "INSERT INTO desired (tenant, listing, field, connection, version, sent_version, doubted, retry_at, raise_at) VALUES {} \
             ON CONFLICT (tenant, listing, field) DO UPDATE SET version = desired.version + 1, \
             retry_at = CASE WHEN desired.held IS NULL AND desired.raise_at = 0 THEN desired.retry_at ELSE 0 END",
            placeholders(chunk.len(), 9)
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
    pub told: Option<Shows>,
    /// Kept back until a person lets it through.
    pub held: Option<Shows>,
    /// Let through by a person.
    pub allowed: Option<Shows>,
    /// Nothing above what the channel shows before.
    pub raise_at: i64,
}

fn told(row: &Row, column: usize) -> Result<Option<Shows>> {
    let text: Option<String> = row.get(column)?;
    Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
}

pub async fn due(conn: &mut impl Sql, ctx: &Ctx, connection: &ConnectionId, field: &str, limit: u32) -> Result<Vec<Desired>> {
    let rows = conn
        .fetch_all(
            "SELECT listing, version, told, held, allowed, raise_at FROM desired WHERE tenant = $1 AND connection = $2 AND field = $3 AND version > sent_version \
             AND effect IS NULL AND retry_at <= $4 ORDER BY listing || '' LIMIT $5",
            args![&ctx.tenant, connection, field, ctx.now_ms(), limit],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Desired {
                listing: row.get(0)?,
                version: row.get(1)?,
                told: told(row, 2)?,
                held: told(row, 3)?,
                allowed: told(row, 4)?,
                raise_at: row.get(5)?,
            })
        })
        .collect()
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
pub async fn acknowledge(tx: &mut WriteTx, ctx: &Ctx, listing: &ListingId, field: &str, version: i64, told: &Shows) -> Result<()> {
    tx.execute(
        "UPDATE desired SET sent_version = CASE WHEN sent_version > $4 THEN sent_version ELSE $4 END, \
         told = CASE WHEN doubted = 1 THEN NULL ELSE $5 END, told_at = $6, effect = NULL, doubted = 0, problem = NULL, held = NULL, allowed = NULL, retry_at = 0, \
         raise_at = 0 WHERE tenant = $1 AND listing = $2 AND field = $3",
        args![&ctx.tenant, listing, field, version, serde_json::to_string(told)?, ctx.now_ms()],
    )
    .await?;
    Ok(())
}

/// The channel shows the desired value already. Says nothing if something changed since that was found out.
pub async fn already_shows(
    tx: &mut WriteTx,
    ctx: &Ctx,
    listing: &ListingId,
    field: &str,
    version: i64,
    told: Option<&Shows>,
) -> Result<()> {
    let told = told.map(serde_json::to_string).transpose()?;
    tx.execute(
        "UPDATE desired SET sent_version = $4, told = $5, problem = NULL, held = NULL, allowed = NULL, retry_at = 0, raise_at = 0 \
         WHERE tenant = $1 AND listing = $2 AND field = $3 AND version = $4",
        args![&ctx.tenant, listing, field, version, told],
    )
    .await?;
    Ok(())
}

/// What the channel shows is known, whatever it was told.
pub async fn told_is(tx: &mut WriteTx, ctx: &Ctx, listing: &ListingId, field: &str, told: Option<&Shows>) -> Result<()> {
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

/// Not sent, because `why`: stays so until the value changes or a person acts.
pub async fn hold(tx: &mut WriteTx, ctx: &Ctx, listing: &ListingId, field: &str, value: &Shows, why: &str) -> Result<()> {
    tx.execute(
        "UPDATE desired SET held = $4, problem = $5, retry_at = $6 WHERE tenant = $1 AND listing = $2 AND field = $3 AND effect IS NULL",
        args![&ctx.tenant, listing, field, serde_json::to_string(value)?, why, NEVER],
    )
    .await?;
    Ok(())
}

/// The channel shows less than it was told, perhaps for a sale that is still on its way to us: nothing above that before `at`.
pub async fn raise_not_before(tx: &mut WriteTx, ctx: &Ctx, listing: &ListingId, field: &str, at: i64) -> Result<()> {
    tx.execute(
        "UPDATE desired SET raise_at = $4 WHERE tenant = $1 AND listing = $2 AND field = $3",
        args![&ctx.tenant, listing, field, at],
    )
    .await?;
    Ok(())
}

/// This version would raise what the channel shows: it waits until that is allowed. A newer one does not.
pub async fn wait_to_raise(tx: &mut WriteTx, ctx: &Ctx, listing: &ListingId, field: &str, version: i64) -> Result<()> {
    tx.execute(
        "UPDATE desired SET retry_at = raise_at WHERE tenant = $1 AND listing = $2 AND field = $3 AND version = $4 AND effect IS NULL",
        args![&ctx.tenant, listing, field, version],
    )
    .await?;
    Ok(())
}

/// This value of this listing may be sent whatever the guards say.
pub async fn allow(tx: &mut WriteTx, ctx: &Ctx, listing: &ListingId, field: &str, value: &Shows) -> Result<()> {
    tx.execute(
        "UPDATE desired SET allowed = $4, held = NULL, retry_at = 0 WHERE tenant = $1 AND listing = $2 AND field = $3",
        args![&ctx.tenant, listing, field, serde_json::to_string(value)?],
    )
    .await?;
    Ok(())
}

/// What is held at a connection, or of one listing there, is judged as if it were new.
pub async fn judge_anew(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, listing: Option<&ListingId>) -> Result<()> {
    let sql = format!(
        "WITH kept (l, f) AS (SELECT listing, field FROM desired WHERE tenant = $1 AND connection = $2 AND ($3 = '' OR listing = $3) \
         AND held IS NOT NULL ORDER BY listing, field{}) \
         UPDATE desired SET held = NULL, retry_at = 0 FROM kept WHERE tenant = $1 AND listing = l AND field = f",
        tx.dialect().for_update()
    );
    tx.execute_built(sql, args![&ctx.tenant, connection, listing.map_or(String::new(), ToString::to_string)]).await?;
    Ok(())
}

/// Takes the rows of these listings in the order of their ids, as everybody does who changes several.
pub async fn take_rows(tx: &mut WriteTx, ctx: &Ctx, field: &str, mut listings: Vec<&ListingId>) -> Result<()> {
    let lock = tx.dialect().for_update();
    if lock.is_empty() {
        return Ok(());
    }
    listings.sort();
    for chunk in listings.chunks(500) {
        let mut values: Vec<Value> = chunk.iter().map(|listing| Value::from(*listing)).collect();
        values.extend(cells![&ctx.tenant, field]);
        let (ids, tenant, field) = (placeholders(1, chunk.len()), chunk.len() + 1, chunk.len() + 2);
        let sql =
            format!("SELECT 1 FROM desired WHERE tenant = ${tenant} AND field = ${field} AND listing IN {ids} ORDER BY listing{lock}");
        tx.fetch_built(sql, &values).await?;
    }
    Ok(())
}

/// The shop itself has sold so many units at `placed_at`: what it was told moves along. Only if the sale is clearly younger than
/// the last push; a sale around it may have been overwritten, and then what the shop shows is not known.
pub async fn told_less(tx: &mut WriteTx, ctx: &Ctx, sold: &BTreeMap<ListingId, i64>, placed_at: i64) -> Result<()> {
    if sold.is_empty() {
        return Ok(());
    }
    let mut values: Vec<Value> = sold.keys().map(Value::from).collect();
    values.push(Value::from(&ctx.tenant));
    let sql = format!(
        "SELECT listing, told, told_at FROM desired WHERE tenant = ${} AND field = 'stock' AND listing IN {} ORDER BY listing{}",
        values.len(),
        placeholders(1, sold.len()),
        tx.dialect().for_update()
    );
    let mut now: Vec<Value> = Vec::new();
    for row in tx.fetch_built(sql, &values).await? {
        let (listing, told_at): (ListingId, Option<i64>) = (row.get(0)?, row.get(2)?);
        let younger = told_at.is_some_and(|told_at| placed_at > told_at + CLOCK_SLACK_MS);
        let moved = match told(&row, 1)? {
            // With several places it is not known at which one the shop took it.
            Some(Shows::Quantities(mut known)) if younger && known.0.len() == 1 => {
                known.0.values_mut().for_each(|quantity| *quantity -= sold[&listing]);
                Some(serde_json::to_string(&known)?)
            }
            _ => None,
        };
        now.extend(cells![&listing, moved]);
    }
    if now.is_empty() {
        return Ok(());
    }
    let rows = now.len() / 2;
    now.push(Value::from(&ctx.tenant));
    let sql = format!(
        "WITH now (listing, told) AS (VALUES {}) \
         UPDATE desired SET told = now.told, doubted = CASE WHEN effect IS NULL THEN 0 ELSE 1 END \
         FROM now WHERE tenant = ${} AND desired.listing = now.listing AND field = 'stock'",
        placeholders(rows, 2),
        now.len()
    );
    tx.execute_built(sql, &now).await?;
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
    pub told: Option<Shows>,
    pub told_at: Option<i64>,
    pub held: Option<Shows>,
    pub problem: Option<String>,
}

pub async fn told_of(conn: &mut impl Sql, tenant: &Tenant, field: &str, listings: &[ListingId]) -> Result<BTreeMap<ListingId, ToldRow>> {
    let mut found = BTreeMap::new();
    for chunk in listings.chunks(500) {
        let mut values = vec![Value::from(tenant), Value::from(field)];
        values.extend(chunk.iter().map(Value::from));
        let list: Vec<String> = (3..=values.len()).map(|n| format!("${n}")).collect();
        let sql = format!(
            "SELECT listing, version, sent_version, told, told_at, held, problem FROM desired WHERE tenant = $1 AND field = $2 AND listing IN ({})",
            list.join(", ")
        );
        for row in conn.fetch_built(sql, &values).await? {
            let known = ToldRow {
                version: row.get(1)?,
                sent_version: row.get(2)?,
                told: told(&row, 3)?,
                told_at: row.get(4)?,
                held: told(&row, 5)?,
                problem: row.get(6)?,
            };
            found.insert(row.get(0)?, known);
        }
    }
    Ok(found)
}

pub async fn mark_in_effect(tx: &mut WriteTx, ctx: &Ctx, listings: &[ListingId], field: &str, effect: &EffectId) -> Result<()> {
    for listing in listings {
        tx.execute(
            "UPDATE desired SET effect = $4, held = NULL WHERE tenant = $1 AND listing = $2 AND field = $3",
            args![&ctx.tenant, listing, field, effect],
        )
        .await?;
    }
    Ok(())
}

/// A listing that does not show yet what it should.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Unsent {
    pub listing: ListingId,
    pub connection: ConnectionId,
    pub field: String,
    pub problem: Option<String>,
    /// The value that waits for a person.
    pub held: Option<Shows>,
    pub retry_at: i64,
}

pub async fn unsent(conn: &mut impl Sql, tenant: &Tenant, connection: Option<&ConnectionId>, limit: u32) -> Result<Vec<Unsent>> {
    let rows = conn
        .fetch_all(
            "SELECT listing, connection, field, problem, held, retry_at FROM desired WHERE tenant = $1 AND ($2 = '' OR connection = $2) \
             AND (version > sent_version OR problem IS NOT NULL) ORDER BY listing LIMIT $3",
            args![tenant, connection.map_or(String::new(), ToString::to_string), limit],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Unsent {
                listing: row.get(0)?,
                connection: row.get(1)?,
                field: row.get(2)?,
                problem: row.get(3)?,
                held: told(row, 4)?,
                retry_at: row.get(5)?,
            })
        })
        .collect()
}
