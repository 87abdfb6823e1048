//! All SQL on `rate`, `rate_series` and `rate_use`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use super::Error;
use super::model::{self, Observation, Purpose, Row, Series, SeriesKey, Use};
use crate::ctx::{Ctx, Tenant};
use crate::hex::hex;
use crate::money::{Decimal, decimal_from_text};
use crate::page::{Cursor, Page, PageRequest};
use crate::store::{Row as Cells, Sql, Value, WriteTx, placeholders};
use crate::{args, cells};

type Result<T> = std::result::Result<T, Error>;

/// Rows of one statement.
pub const ROWS_AT_ONCE: usize = 500;
/// Rows of one piece of a series that is read whole.
const PIECE: u32 = 10_000;

/// Makes the series if there is none, and keeps others from adding to it before this unit of work ends.
pub async fn open(tx: &mut WriteTx, ctx: &Ctx, key: &SeriesKey, title: &str) -> Result<()> {
    let first = digest(&[&key.to_string(), title]);
    tx.execute(
        "INSERT INTO rate_series (tenant, source, kind, base, title, version, count, first_on, last_on, created_at, changed_at) \
         VALUES ($1, $2, $3, $4, $5, $6, 0, '', '', $7, $7) ON CONFLICT (tenant, source, kind, base) DO NOTHING",
        args![&ctx.tenant, &key.source, key.kind.as_str(), key.base.code(), title, first, ctx.now_ms()],
    )
    .await?;
    let sql = "SELECT version FROM rate_series WHERE tenant = $1 AND source = $2 AND kind = $3 AND base = $4";
    let lock = tx.dialect().for_update();
    tx.fetch_built(format!("{sql}{lock}"), &of(&ctx.tenant, key)).await?;
    Ok(())
}

fn of(tenant: &Tenant, key: &SeriesKey) -> [Value; 4] {
    [tenant.into(), (&key.source).into(), key.kind.as_str().into(), key.base.code().into()]
}

fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update(b"\n");
    }
    hex(hash.finalize())
}

/// Revision and value that hold for these observations' currencies and days.
pub async fn current(
    conn: &mut impl Sql,
    tenant: &Tenant,
    key: &SeriesKey,
    observations: &[Observation],
) -> Result<BTreeMap<(String, Date), (i64, Decimal)>> {
    let quotes: BTreeSet<&str> = observations.iter().map(|o| o.quote.as_str()).collect();
    let days = || observations.iter().map(|o| o.published_on);
    let (Some(first), Some(last)) = (days().min(), days().max()) else { return Ok(BTreeMap::new()) };
    let mut values = of(tenant, key).to_vec();
    values.extend(cells![first.to_string(), last.to_string()]);
    let places: Vec<String> = (7..7 + quotes.len()).map(|n| format!("${n}")).collect();
    values.extend(quotes.into_iter().map(Value::from));
    let sql = format!(
        "SELECT quote, published_on, revision, value FROM rate WHERE tenant = $1 AND source = $2 AND kind = $3 AND base = $4 \
         AND published_on >= $5 AND published_on <= $6 AND quote IN ({}) ORDER BY quote, published_on, revision",
        places.join(", ")
    );
    let rows = conn.fetch_built(sql, &values).await?;
    // The last revision of a day comes last and stays.
    rows.iter().map(|row| Ok(((row.get(0)?, day(row, 1)?), (row.get(2)?, decimal(row, 3)?)))).collect()
}

pub async fn insert(tx: &mut WriteTx, ctx: &Ctx, key: &SeriesKey, rows: &[(&Observation, i64)]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut values: Vec<Value> = Vec::with_capacity(rows.len() * 9);
    for (observation, revision) in rows {
        values.extend(of(&ctx.tenant, key));
        values.extend(cells![
            &observation.quote,
            observation.published_on.to_string(),
            *revision,
            observation.value.normalize().to_string(),
            ctx.now_ms()
        ]);
    }
    let sql = format!(
        "INSERT INTO rate (tenant, source, kind, base, quote, published_on, revision, value, fetched_at) VALUES {}",
        placeholders(rows.len(), 9)
    );
    tx.execute_built(sql, &values).await?;
    Ok(())
}

/// Gives the series the version that follows from what was added.
pub async fn advance(tx: &mut WriteTx, ctx: &Ctx, key: &SeriesKey, added: &[(&Observation, i64)]) -> Result<()> {
    let sql = "SELECT version FROM rate_series WHERE tenant = $1 AND source = $2 AND kind = $3 AND base = $4";
    let before: String = tx.fetch_one(sql, &of(&ctx.tenant, key)).await?.get(0)?;
    let lines: Vec<String> =
        added.iter().map(|(o, revision)| format!("{} {} {revision} {}", o.published_on, o.quote, o.value.normalize())).collect();
    let version = digest(&std::iter::once(before.as_str()).chain(lines.iter().map(String::as_str)).collect::<Vec<_>>());
    let days = || added.iter().map(|(o, _)| o.published_on);
    let (Some(first), Some(last)) = (days().min(), days().max()) else { return Ok(()) };
    let mut values = of(&ctx.tenant, key).to_vec();
    let count = i64::try_from(added.len()).unwrap_or(i64::MAX);
    values.extend(cells![version, count, first.to_string(), last.to_string(), ctx.now_ms()]);
    tx.execute(
        "UPDATE rate_series SET version = $5, count = count + $6, changed_at = $9, \
         first_on = CASE WHEN first_on = '' OR first_on > $7 THEN $7 ELSE first_on END, \
         last_on = CASE WHEN last_on < $8 THEN $8 ELSE last_on END \
         WHERE tenant = $1 AND source = $2 AND kind = $3 AND base = $4",
        &values,
    )
    .await?;
    Ok(())
}

pub async fn mark_ready(tx: &mut WriteTx, ctx: &Ctx, source: &str) -> Result<()> {
    tx.execute(
        "UPDATE rate_series SET ready_at = $3 WHERE tenant = $1 AND source = $2 AND ready_at IS NULL",
        args![&ctx.tenant, source, ctx.now_ms()],
    )
    .await?;
    Ok(())
}

macro_rules! series_columns {
    () => {
        "SELECT source, kind, base, title, version, count, first_on, last_on, created_at, changed_at, ready_at FROM rate_series WHERE tenant = $1"
    };
}

pub async fn find_series(conn: &mut impl Sql, tenant: &Tenant, key: &SeriesKey) -> Result<Option<Series>> {
    let sql = concat!(series_columns!(), " AND source = $2 AND kind = $3 AND base = $4 AND count > 0");
    conn.fetch_optional(sql, &of(tenant, key)).await?.as_ref().map(series).transpose()
}

pub async fn list_series(conn: &mut impl Sql, tenant: &Tenant) -> Result<Vec<Series>> {
    let sql = concat!(series_columns!(), " AND count > 0 ORDER BY source, kind, base");
    conn.fetch_all(sql, args![tenant]).await?.iter().map(series).collect()
}

/// The one that a hub uses when nobody chose: not what the merchant wrote down, and never another one later.
pub async fn first_of_middle_rates(conn: &mut impl Sql, tenant: &Tenant) -> Result<Option<Series>> {
    let sql = concat!(
        series_columns!(),
        " AND kind = 'mid' AND source <> $2 AND count > 0 AND ready_at IS NOT NULL ORDER BY created_at, source, base LIMIT 1"
    );
    conn.fetch_optional(sql, args![tenant, model::OWN]).await?.as_ref().map(series).transpose()
}

/// The next piece of a series in the order of currency, day and revision, as known at an instant.
pub async fn rows_after(conn: &mut impl Sql, tenant: &Tenant, key: &SeriesKey, known_at_ms: i64, after: Option<&Row>) -> Result<Vec<Row>> {
    let mut values = of(tenant, key).to_vec();
    match after {
        Some(row) => values.extend(cells![&row.quote, row.published_on.to_string(), row.revision]),
        None => values.extend(cells!["", "", 0i64]),
    }
    values.extend(cells![known_at_ms, PIECE]);
    let rows = conn
        .fetch_all(
            "SELECT published_on, quote, revision, value, fetched_at FROM rate WHERE tenant = $1 AND source = $2 AND kind = $3 AND base = $4 \
             AND (quote, published_on, revision) > ($5, $6, $7) AND fetched_at <= $8 ORDER BY quote, published_on, revision LIMIT $9",
            &values,
        )
        .await?;
    rows.iter().map(row).collect()
}

pub async fn list(conn: &mut impl Sql, tenant: &Tenant, key: &SeriesKey, quote: &str, request: &PageRequest) -> Result<Page<Row>> {
    let after = request.after("rates", 2)?.unwrap_or_else(|| vec![LAST_DAY.into(), i64::MAX.to_string()]);
    let mut values = of(tenant, key).to_vec();
    values.extend(cells![quote, &after[0], after[1].parse::<i64>().unwrap_or(i64::MAX), request.limit() + 1]);
    let rows = conn
        .fetch_all(
            "SELECT published_on, quote, revision, value, fetched_at FROM rate WHERE tenant = $1 AND source = $2 AND kind = $3 AND base = $4 \
             AND quote = $5 AND (published_on, revision) < ($6, $7) ORDER BY published_on DESC, revision DESC LIMIT $8",
            &values,
        )
        .await?;
    let items = rows.iter().map(row).collect::<Result<_>>()?;
    Ok(Page::cut(items, request.limit(), |last: &Row| Cursor::new("rates", &[&last.published_on.to_string(), &last.revision.to_string()])))
}

/// Behind every day there can be.
const LAST_DAY: &str = "9999-99-99";

pub async fn put_use(tx: &mut WriteTx, ctx: &Ctx, wanted: &Use) -> Result<()> {
    let key = wanted.series.as_ref();
    tx.execute(
        "INSERT INTO rate_use (tenant, purpose, source, kind, base, max_age_days) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (tenant, purpose) DO UPDATE SET source = excluded.source, kind = excluded.kind, base = excluded.base, \
         max_age_days = excluded.max_age_days",
        args![
            &ctx.tenant,
            wanted.purpose.as_str(),
            key.map(|key| key.source.clone()),
            key.map(|key| key.kind.as_str()),
            key.map(|key| key.base.code()),
            wanted.max_age_days
        ],
    )
    .await?;
    Ok(())
}

pub async fn find_use(conn: &mut impl Sql, tenant: &Tenant, purpose: Purpose) -> Result<Option<Use>> {
    let sql = "SELECT source, kind, base, max_age_days FROM rate_use WHERE tenant = $1 AND purpose = $2";
    let Some(row) = conn.fetch_optional(sql, args![tenant, purpose.as_str()]).await? else { return Ok(None) };
    let source: Option<String> = row.get(0)?;
    let series = source.map(|source| key(source, &row.get::<String>(1)?, &row.get::<String>(2)?)).transpose()?;
    Ok(Some(Use { purpose, series, max_age_days: row.get(3)? }))
}

fn key(source: String, kind: &str, base: &str) -> Result<SeriesKey> {
    Ok(SeriesKey { source, kind: model::parse_kind(kind)?, base: super::currency(base)? })
}

fn series(row: &Cells) -> Result<Series> {
    Ok(Series {
        key: key(row.get(0)?, &row.get::<String>(1)?, &row.get::<String>(2)?)?,
        title: row.get(3)?,
        version: row.get(4)?,
        count: row.get(5)?,
        first_on: day(row, 6)?,
        last_on: day(row, 7)?,
        created_at: row.get(8)?,
        changed_at: row.get(9)?,
        ready_at: row.get(10)?,
    })
}

fn row(row: &Cells) -> Result<Row> {
    Ok(Row { published_on: day(row, 0)?, quote: row.get(1)?, revision: row.get(2)?, value: decimal(row, 3)?, fetched_at: row.get(4)? })
}

fn shape(column: usize, found: &str) -> crate::store::Error {
    crate::store::Error::Shape { column, found: found.into() }
}

fn day(row: &Cells, column: usize) -> Result<Date> {
    let text: String = row.get(column)?;
    Ok(text.parse().map_err(|_| shape(column, "a text that is not a day"))?)
}

fn decimal(row: &Cells, column: usize) -> Result<Decimal> {
    let text: String = row.get(column)?;
    Ok(decimal_from_text(&text).map_err(|_| shape(column, "a text that is not a decimal"))?)
}
