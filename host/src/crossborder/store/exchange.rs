//! SQL on `exchange_lock` and `exchange_entry`.

use entrepot_crossborder::fx::{OrderLock, RateKind};
use jiff::civil::Date;

use super::Result;
use crate::args;
use crate::crossborder::exchange::{Entry, Gains, Locked};
use crate::ctx::{Ctx, Tenant};
use crate::id::{EntityId, OrderId};
use crate::money::{Currency, Decimal, Money, decimal_from_text};
use crate::store::{Error as StoreError, Row, Sql, WriteTx};

fn parsed<T>(row: &Row, column: usize, parse: impl Fn(&str) -> Option<T>) -> Result<T> {
    let text: String = row.get(column)?;
    Ok(parse(&text).ok_or(StoreError::Shape { column, found: text })?)
}

fn decimal(row: &Row, column: usize) -> Result<Decimal> {
    parsed(row, column, |text| decimal_from_text(text).ok())
}

fn day(row: &Row, column: usize) -> Result<Date> {
    parsed(row, column, |text| text.parse().ok())
}

fn currency(row: &Row, column: usize) -> Result<Currency> {
    parsed(row, column, |code| Currency::from_code(code).ok())
}

pub async fn find(conn: &mut impl Sql, tenant: &Tenant, order: &OrderId) -> Result<Option<Locked>> {
    let sql = "SELECT entity, base, quote, markup_bps, locked_at, rate, kind, source, rate_date FROM exchange_lock \
         WHERE tenant = $1 AND order_id = $2";
    let Some(row) = conn.fetch_optional(sql, args![tenant, order]).await? else { return Ok(None) };
    let (base, quote, markup_bps) = (currency(&row, 1)?, currency(&row, 2)?, decimal(&row, 3)?);
    let lock = match row.get::<Option<String>>(5)? {
        None => None,
        Some(_) => Some(OrderLock {
            base,
            quote,
            rate: decimal(&row, 5)?,
            markup_bps,
            kind: parsed(&row, 6, RateKind::from_name)?,
            source: row.get(7)?,
            rate_date: day(&row, 8)?,
            expires_on: None,
        }),
    };
    Ok(Some(Locked { entity: row.get(0)?, base, quote, markup_bps, lock, locked_at: row.get(4)? }))
}

/// A rate that is locked stays.
pub async fn put(tx: &mut WriteTx, ctx: &Ctx, order: &OrderId, locked: &Locked) -> Result<()> {
    let lock = locked.lock.as_ref();
    tx.execute(
        "INSERT INTO exchange_lock (tenant, order_id, entity, base, quote, markup_bps, rate, kind, source, rate_date, locked_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (tenant, order_id) DO UPDATE SET \
         rate = excluded.rate, kind = excluded.kind, source = excluded.source, rate_date = excluded.rate_date, \
         locked_at = excluded.locked_at WHERE exchange_lock.rate IS NULL",
        args![
            &ctx.tenant,
            order,
            &locked.entity,
            locked.base.code(),
            locked.quote.code(),
            locked.markup_bps.to_string(),
            lock.map(|lock| lock.rate.to_string()),
            lock.map(|lock| lock.kind.as_str()),
            lock.map(|lock| lock.source.clone()),
            lock.map(|lock| lock.rate_date.to_string()),
            locked.locked_at
        ],
    )
    .await?;
    Ok(())
}

pub async fn unlocked(conn: &mut impl Sql, tenant: &Tenant, limit: u32) -> Result<Vec<(OrderId, i64)>> {
    let sql = "SELECT t.order_id, t.placed_at FROM exchange_lock x JOIN tax_order t ON t.tenant = x.tenant AND t.order_id = x.order_id \
         WHERE x.tenant = $1 AND x.rate IS NULL ORDER BY t.placed_at, t.order_id LIMIT $2";
    conn.fetch_all(sql, args![tenant, limit]).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

pub async fn insert(tx: &mut WriteTx, ctx: &Ctx, order: &OrderId, entity: &EntityId, entry: &Entry) -> Result<()> {
    tx.execute(
        "INSERT INTO exchange_entry (tenant, order_id, reference, entity, booked_on, currency, amount_minor, base, at_lock_minor, at_day_minor, \
         fees_minor, gain_minor, rate, rate_date, booked_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        args![
            &ctx.tenant,
            order,
            &entry.reference,
            entity,
            entry.booked_on.to_string(),
            entry.amount.currency().code(),
            entry.amount.minor(),
            entry.at_lock.currency().code(),
            entry.at_lock.minor(),
            entry.at_day.minor(),
            entry.fees.minor(),
            entry.gain.minor(),
            entry.rate.to_string(),
            entry.rate_date.to_string(),
            ctx.now_ms()
        ],
    )
    .await?;
    Ok(())
}

/// In the order they were booked for.
pub async fn entries(conn: &mut impl Sql, tenant: &Tenant, order: &OrderId) -> Result<Vec<Entry>> {
    let sql = "SELECT reference, booked_on, currency, amount_minor, base, at_lock_minor, at_day_minor, fees_minor, gain_minor, rate, rate_date \
         FROM exchange_entry WHERE tenant = $1 AND order_id = $2 ORDER BY booked_on, reference";
    let entry = |row: &Row| {
        let base = currency(row, 4)?;
        let in_base = |column| Ok::<_, StoreError>(Money::new(row.get(column)?, base));
        Ok(Entry {
            reference: row.get(0)?,
            booked_on: day(row, 1)?,
            amount: Money::new(row.get(3)?, currency(row, 2)?),
            at_lock: in_base(5)?,
            at_day: in_base(6)?,
            fees: in_base(7)?,
            gain: in_base(8)?,
            rate: decimal(row, 9)?,
            rate_date: day(row, 10)?,
        })
    };
    conn.fetch_all(sql, args![tenant, order]).await?.iter().map(entry).collect()
}

/// Sums of a period, both days in it.
pub async fn gains(conn: &mut impl Sql, tenant: &Tenant, entity: Option<&EntityId>, days: (Date, Date)) -> Result<Vec<Gains>> {
    let sql = "SELECT COALESCE(l.name, e.entity), CASE WHEN e.reference LIKE 'payout:%' THEN 'payout' ELSE 'refund' END, e.currency, e.base, \
         COUNT(*), CAST(SUM(e.amount_minor) AS BIGINT), CAST(SUM(e.at_lock_minor) AS BIGINT), CAST(SUM(e.at_day_minor) AS BIGINT), \
         CAST(SUM(e.fees_minor) AS BIGINT), CAST(SUM(e.gain_minor) AS BIGINT) \
         FROM exchange_entry e LEFT JOIN legal_entity l ON l.tenant = e.tenant AND l.id = e.entity \
         WHERE e.tenant = $1 AND ($2 = '' OR e.entity = $2) AND e.booked_on >= $3 AND e.booked_on <= $4 GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4";
    let entity = entity.map_or(String::new(), ToString::to_string);
    let sum = |row: &Row| {
        let (currency_, base) = (currency(row, 2)?, currency(row, 3)?);
        let in_base = |column| Ok::<_, StoreError>(Money::new(row.get(column)?, base));
        Ok(Gains {
            entity: row.get(0)?,
            what: row.get(1)?,
            currency: currency_,
            entries: row.get(4)?,
            amount: Money::new(row.get(5)?, currency_),
            at_lock: in_base(6)?,
            at_day: in_base(7)?,
            fees: in_base(8)?,
            gain: in_base(9)?,
        })
    };
    let rows = conn.fetch_all(sql, args![tenant, entity, days.0.to_string(), days.1.to_string()]).await?;
    rows.iter().map(sum).collect()
}
