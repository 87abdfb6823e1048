//! SQL on the tables `schedule` and `schedule_fire`; reads the merchant's zone from `tenant`.

use super::Run;
use super::cron::Fire;
use crate::args;
use crate::ctx::{Ctx, Tenant};
use crate::id::ConnectionId;
use crate::store::{Error, Row, Sql, WriteTx};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    pub connection: ConnectionId,
    pub run: Run,
    pub cron: String,
    pub enabled: bool,
    pub next_at: i64,
}

/// A schedule with whose it is and where that merchant lives.
pub struct Entry {
    pub tenant: Tenant,
    pub zone: String,
    pub schedule: Schedule,
}

/// When the earliest schedule fires, as a scalar for the runner's look at what is due.
pub const NEXT_AT_SQL: &str = "(SELECT MIN(next_at) FROM schedule WHERE enabled = 1)";

pub async fn put_tenant(tx: &mut WriteTx, ctx: &Ctx, name: &str, zone: &str) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO tenant (tenant, name, zone, created_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (tenant) DO UPDATE SET name = excluded.name, zone = excluded.zone",
        args![&ctx.tenant, name, zone, ctx.now_ms()],
    )
    .await?;
    Ok(())
}

pub async fn zone_of(conn: &mut impl Sql, tenant: &Tenant) -> Result<String, Error> {
    let row = conn.fetch_optional("SELECT zone FROM tenant WHERE tenant = $1", args![tenant]).await?;
    row.map_or(Ok("UTC".into()), |row| row.get(0))
}

pub async fn put(tx: &mut WriteTx, tenant: &Tenant, schedule: &Schedule) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO schedule (tenant, connection, run, cron, enabled, next_at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (tenant, connection, run) DO UPDATE SET cron = excluded.cron, enabled = excluded.enabled, next_at = excluded.next_at",
        args![tenant, &schedule.connection, schedule.run.as_str(), &schedule.cron, schedule.enabled, schedule.next_at],
    )
    .await?;
    Ok(())
}

pub async fn remove_connection(tx: &mut WriteTx, tenant: &Tenant, connection: &ConnectionId) -> Result<(), Error> {
    tx.execute("DELETE FROM schedule WHERE tenant = $1 AND connection = $2", args![tenant, connection]).await?;
    tx.execute("DELETE FROM schedule_fire WHERE tenant = $1 AND connection = $2", args![tenant, connection]).await?;
    Ok(())
}

pub async fn list(conn: &mut impl Sql, tenant: &Tenant, connection: Option<&ConnectionId>) -> Result<Vec<Schedule>, Error> {
    let rows = match connection {
        Some(connection) => {
            let sql = "SELECT connection, run, cron, enabled, next_at FROM schedule WHERE tenant = $1 AND connection = $2 ORDER BY run";
            conn.fetch_all(sql, args![tenant, connection]).await?
        }
        None => {
            conn.fetch_all(
                "SELECT connection, run, cron, enabled, next_at FROM schedule WHERE tenant = $1 ORDER BY connection, run",
                args![tenant],
            )
            .await?
        }
    };
    rows.iter().map(|row| schedule(row, 0)).collect()
}

fn schedule(row: &Row, at: usize) -> Result<Schedule, Error> {
    let run: String = row.get(at + 1)?;
    let run = Run::parse(&run).ok_or_else(|| Error::Shape { column: at + 1, found: format!("the unknown run `{run}`") })?;
    Ok(Schedule { connection: row.get(at)?, run, cron: row.get(at + 2)?, enabled: row.get(at + 3)?, next_at: row.get(at + 4)? })
}

fn entries(rows: &[Row]) -> Result<Vec<Entry>, Error> {
    let entry = |row: &Row| {
        let zone: Option<String> = row.get(1)?;
        Ok(Entry { tenant: Tenant::named(&row.get::<String>(0)?), zone: zone.unwrap_or_else(|| "UTC".into()), schedule: schedule(row, 2)? })
    };
    rows.iter().map(entry).collect()
}

macro_rules! select_entries {
    ($condition:literal) => {
        concat!(
            "SELECT s.tenant, (SELECT t.zone FROM tenant t WHERE t.tenant = s.tenant), s.connection, s.run, s.cron, s.enabled, s.next_at
             FROM schedule s WHERE s.enabled = 1 AND ",
            $condition,
            " ORDER BY s.tenant, s.connection, s.run"
        )
    };
}

/// Due schedules that no other node is firing at this moment.
pub async fn due(tx: &mut WriteTx, now_ms: i64, limit: u32) -> Result<Vec<Entry>, Error> {
    let sql = format!("{} LIMIT $2{}", select_entries!("s.next_at <= $1"), tx.dialect().skip_locked());
    entries(&tx.fetch_built(sql, args![now_ms, limit]).await?)
}

pub async fn enabled_after(conn: &mut impl Sql, now_ms: i64) -> Result<Vec<Entry>, Error> {
    entries(&conn.fetch_all(select_entries!("s.next_at > $1"), args![now_ms]).await?)
}

/// Whether this fire is the caller's to run.
pub async fn fire(tx: &mut WriteTx, tenant: &Tenant, schedule: &Schedule, fire: &Fire, now_ms: i64) -> Result<bool, Error> {
    let inserted = tx
        .execute(
            "INSERT INTO schedule_fire (tenant, connection, run, fire, fired_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            args![tenant, &schedule.connection, schedule.run.as_str(), &fire.local, now_ms],
        )
        .await?;
    Ok(inserted == 1)
}

/// Only from the instant that was read: a schedule changed meanwhile keeps its new one.
pub async fn advance(tx: &mut WriteTx, tenant: &Tenant, schedule: &Schedule, next_at: i64) -> Result<(), Error> {
    tx.execute(
        "UPDATE schedule SET next_at = $5 WHERE tenant = $1 AND connection = $2 AND run = $3 AND next_at = $4",
        args![tenant, &schedule.connection, schedule.run.as_str(), schedule.next_at, next_at],
    )
    .await?;
    Ok(())
}

pub async fn forget_fires(tx: &mut WriteTx, tenant: &Tenant, before_ms: i64) -> Result<u64, Error> {
    tx.execute("DELETE FROM schedule_fire WHERE tenant = $1 AND fired_at < $2", args![tenant, before_ms]).await
}
