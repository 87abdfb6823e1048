//! All SQL on `price_base`, `price_line`, `price_policy` and `price_history`.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::Error;
use super::model::{Base, Line, NewLine, Policy, PricedFor, Remembered};
use crate::args;
use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, PriceLineId, VariantId};
use crate::money::{Currency, Money, decimal_from_text};
use crate::page::{Cursor, Page, PageRequest};
use crate::store::{Row, Sql, Value, WriteTx};

type Result<T> = std::result::Result<T, Error>;

fn parts(money: Option<Money>) -> (Option<i64>, Option<&'static str>) {
    (money.map(|money| money.minor()), money.map(|money| money.currency().code()))
}

fn money(row: &Row, at: usize) -> Result<Option<Money>> {
    let (minor, code): (Option<i64>, Option<String>) = (row.get(at)?, row.get(at + 1)?);
    let (Some(minor), Some(code)) = (minor, code) else { return Ok(None) };
    let currency = Currency::from_code(&code).map_err(entrepot_crossborder::pricing::Error::from)?;
    Ok(Some(Money::new(minor, currency)))
}

pub async fn put_base(tx: &mut WriteTx, ctx: &Ctx, variant: &VariantId, base: &Base) -> Result<()> {
    let (price, cost) = (parts(base.price), parts(base.cost));
    tx.execute(
        "INSERT INTO price_base (tenant, variant, price_minor, price_currency, cost_minor, cost_currency, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant, variant) DO UPDATE SET price_minor = excluded.price_minor, \
         price_currency = excluded.price_currency, cost_minor = excluded.cost_minor, cost_currency = excluded.cost_currency, \
         updated_at = excluded.updated_at",
        args![&ctx.tenant, variant, price.0, price.1, cost.0, cost.1, ctx.now_ms()],
    )
    .await?;
    Ok(())
}

pub async fn bases(conn: &mut impl Sql, tenant: &Tenant, variants: &[VariantId]) -> Result<BTreeMap<VariantId, Base>> {
    let mut found = BTreeMap::new();
    for chunk in variants.chunks(500) {
        let mut values = vec![Value::from(tenant)];
        values.extend(chunk.iter().map(Value::from));
        let sql = format!(
            "SELECT variant, price_minor, price_currency, cost_minor, cost_currency FROM price_base WHERE tenant = $1 AND variant IN ({})",
            marks(2, chunk.len())
        );
        for row in conn.fetch_built(sql, &values).await? {
            found.insert(row.get(0)?, Base { price: money(&row, 1)?, cost: money(&row, 3)? });
        }
    }
    Ok(found)
}

fn marks(first: usize, count: usize) -> String {
    (first..first + count).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}

macro_rules! line_columns {
    () => {
        "id, variant, connection, country, customer_group, valid_from, valid_to, fixed_minor, fixed_currency, adjustment, charm, created_at"
    };
}

/// The same variant, connection, country, group and first day: the old line keeps its id and its place.
pub async fn put_line(tx: &mut WriteTx, ctx: &Ctx, line: &Line) -> Result<Line> {
    let (new, fixed) = (&line.line, parts(line.line.fixed));
    let charm = new.charm.as_ref().map(serde_json::to_string).transpose()?;
    let row = tx
        .fetch_one(
            concat!(
                "INSERT INTO price_line (tenant, ",
                line_columns!(),
                ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
                 ON CONFLICT (tenant, variant, connection, country, customer_group, valid_from) DO UPDATE SET valid_to = excluded.valid_to, \
                 fixed_minor = excluded.fixed_minor, fixed_currency = excluded.fixed_currency, adjustment = excluded.adjustment, \
                 charm = excluded.charm RETURNING ",
                line_columns!()
            ),
            args![
                &ctx.tenant,
                &line.id,
                new.variant.as_ref().map_or("", VariantId::as_str),
                new.connection.as_ref().map_or("", ConnectionId::as_str),
                new.country.as_deref().unwrap_or_default(),
                new.group.as_deref().unwrap_or_default(),
                new.valid_from.map_or_else(String::new, |day| day.to_string()),
                new.valid_to.map(|day| day.to_string()),
                fixed.0,
                fixed.1,
                new.adjustment.to_string(),
                charm,
                line.created_at,
            ],
        )
        .await?;
    read_line(&row)
}

fn read_line(row: &Row) -> Result<Line> {
    let text = |at: usize| -> Result<Option<String>> { Ok(Some(row.get::<String>(at)?).filter(|text| !text.is_empty())) };
    let day = |text: Option<String>| text.and_then(|text| text.parse::<Date>().ok());
    let (adjustment, charm): (String, Option<String>) = (row.get(9)?, row.get(10)?);
    Ok(Line {
        id: row.get(0)?,
        line: NewLine {
            variant: text(1)?.and_then(|id| VariantId::parse(&id).ok()),
            connection: text(2)?.and_then(|id| ConnectionId::parse(&id).ok()),
            country: text(3)?,
            group: text(4)?,
            valid_from: day(text(5)?),
            valid_to: day(row.get(6)?),
            fixed: money(row, 7)?,
            adjustment: decimal_from_text(&adjustment).map_err(entrepot_crossborder::pricing::Error::from)?,
            charm: charm.map(|text| serde_json::from_str(&text)).transpose()?,
        },
        created_at: row.get(11)?,
    })
}

pub async fn find_line(conn: &mut impl Sql, tenant: &Tenant, id: &PriceLineId) -> Result<Option<Line>> {
    let sql = concat!("SELECT ", line_columns!(), " FROM price_line WHERE tenant = $1 AND id = $2");
    conn.fetch_optional(sql, args![tenant, id]).await?.as_ref().map(read_line).transpose()
}

pub async fn delete_line(tx: &mut WriteTx, ctx: &Ctx, id: &PriceLineId) -> Result<()> {
    tx.execute("DELETE FROM price_line WHERE tenant = $1 AND id = $2", args![&ctx.tenant, id]).await?;
    Ok(())
}

pub async fn list(
    conn: &mut impl Sql,
    tenant: &Tenant,
    connection: Option<&ConnectionId>,
    variant: Option<&VariantId>,
    request: &PageRequest,
) -> Result<Page<Line>> {
    let after = request.after("prices", 1)?.unwrap_or_else(|| vec![String::new()]);
    let sql = concat!(
        "SELECT ",
        line_columns!(),
        " FROM price_line WHERE tenant = $1 AND id > $2 AND ($3 = '' OR connection = $3) AND ($4 = '' OR variant = $4) ORDER BY id LIMIT $5"
    );
    let connection = connection.map_or("", ConnectionId::as_str);
    let variant = variant.map_or("", VariantId::as_str);
    let rows = conn.fetch_all(sql, args![tenant, &after[0], connection, variant, request.limit() + 1]).await?;
    let items = rows.iter().map(read_line).collect::<Result<_>>()?;
    Ok(Page::cut(items, request.limit(), |last: &Line| Cursor::new("prices", &[last.id.as_str()])))
}

/// Every line that may answer for these variants at this connection, the oldest first.
pub async fn lines_for(conn: &mut impl Sql, tenant: &Tenant, connection: &ConnectionId, variants: &[VariantId]) -> Result<Vec<Line>> {
    let mut lines: BTreeMap<PriceLineId, Line> = BTreeMap::new();
    for chunk in variants.chunks(500) {
        let mut values = vec![Value::from(tenant), Value::from(connection)];
        values.extend(chunk.iter().map(Value::from));
        let sql = format!(
            concat!("SELECT ", line_columns!(), " FROM price_line WHERE tenant = $1 AND connection IN ('', $2) AND variant IN ('', {})"),
            marks(3, chunk.len())
        );
        for row in conn.fetch_built(sql, &values).await? {
            let line = read_line(&row)?;
            lines.insert(line.id.clone(), line);
        }
    }
    Ok(lines.into_values().collect())
}

pub struct StoredPolicy {
    pub pushes: bool,
    pub policy: Policy,
    pub repriced: String,
}

pub async fn policy(conn: &mut impl Sql, tenant: &Tenant, connection: &ConnectionId) -> Result<Option<StoredPolicy>> {
    let sql = "SELECT pushes, document, repriced FROM price_policy WHERE tenant = $1 AND connection = $2";
    let Some(row) = conn.fetch_optional(sql, args![tenant, connection]).await? else { return Ok(None) };
    let document: String = row.get(1)?;
    Ok(Some(StoredPolicy { pushes: row.get::<i64>(0)? == 1, policy: serde_json::from_str(&document)?, repriced: row.get(2)? }))
}

pub async fn put_policy(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, policy: &Policy) -> Result<()> {
    tx.execute(
        "INSERT INTO price_policy (tenant, connection, pushes, document, repriced, updated_at) VALUES ($1, $2, 0, $3, '', $4) \
         ON CONFLICT (tenant, connection) DO UPDATE SET document = excluded.document, updated_at = excluded.updated_at",
        args![&ctx.tenant, connection, serde_json::to_string(policy)?, ctx.now_ms()],
    )
    .await?;
    Ok(())
}

pub async fn put_pushes(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, on: bool) -> Result<()> {
    let sql = "UPDATE price_policy SET pushes = $3, updated_at = $4 WHERE tenant = $1 AND connection = $2";
    tx.execute(sql, args![&ctx.tenant, connection, i64::from(on), ctx.now_ms()]).await?;
    Ok(())
}

pub async fn put_repriced(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, occasion: &str) -> Result<()> {
    let sql = "UPDATE price_policy SET repriced = $3 WHERE tenant = $1 AND connection = $2";
    tx.execute(sql, args![&ctx.tenant, connection, occasion]).await?;
    Ok(())
}

pub async fn pushing(conn: &mut impl Sql, tenant: &Tenant) -> Result<Vec<ConnectionId>> {
    let sql = "SELECT connection FROM price_policy WHERE tenant = $1 AND pushes = 1 ORDER BY connection";
    conn.fetch_all(sql, args![tenant]).await?.iter().map(|row| Ok(row.get(0)?)).collect()
}

pub async fn forget_connection(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId) -> Result<()> {
    tx.execute("DELETE FROM price_policy WHERE tenant = $1 AND connection = $2", args![&ctx.tenant, connection]).await?;
    tx.execute("DELETE FROM price_line WHERE tenant = $1 AND connection = $2", args![&ctx.tenant, connection]).await?;
    Ok(())
}

pub async fn remember(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, priced: &PricedFor, price: Money, at: i64) -> Result<()> {
    tx.execute(
        "INSERT INTO price_history (tenant, connection, country, variant, at, price_minor, currency, actor) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
         ON CONFLICT (tenant, connection, country, variant, at) DO UPDATE SET price_minor = excluded.price_minor, currency = excluded.currency, \
         actor = excluded.actor",
        args![
            &ctx.tenant,
            connection,
            &priced.country,
            &priced.variant,
            at,
            price.minor(),
            price.currency().code(),
            &ctx.actor
        ],
    )
    .await?;
    Ok(())
}

pub async fn last_remembered(conn: &mut impl Sql, tenant: &Tenant, connection: &ConnectionId, priced: &PricedFor) -> Result<Option<Money>> {
    let sql = "SELECT price_minor, currency FROM price_history WHERE tenant = $1 AND connection = $2 AND country = $3 AND variant = $4 \
         ORDER BY at DESC LIMIT 1";
    let row = conn.fetch_optional(sql, args![tenant, connection, &priced.country, &priced.variant]).await?;
    Ok(row.as_ref().map(|row| money(row, 0)).transpose()?.flatten())
}

/// Oldest first.
pub async fn remembered_of(
    conn: &mut impl Sql,
    tenant: &Tenant,
    connection: &ConnectionId,
    priced: &PricedFor,
) -> Result<Vec<(i64, Money)>> {
    let sql = "SELECT price_minor, currency, at FROM price_history WHERE tenant = $1 AND connection = $2 AND country = $3 AND variant = $4 \
         ORDER BY at";
    let rows = conn.fetch_all(sql, args![tenant, connection, &priced.country, &priced.variant]).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        if let Some(price) = money(row, 0)? {
            found.push((row.get(2)?, price));
        }
    }
    Ok(found)
}

pub async fn history(
    conn: &mut impl Sql,
    tenant: &Tenant,
    variant: &VariantId,
    connection: Option<&ConnectionId>,
    limit: u32,
) -> Result<Vec<Remembered>> {
    let sql = "SELECT price_minor, currency, connection, country, at, actor FROM price_history \
         WHERE tenant = $1 AND variant = $2 AND ($3 = '' OR connection = $3) ORDER BY at DESC, connection, country LIMIT $4";
    let rows = conn.fetch_all(sql, args![tenant, variant, connection.map_or("", ConnectionId::as_str), limit]).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        if let Some(price) = money(row, 0)? {
            found.push(Remembered { connection: row.get(2)?, country: row.get(3)?, at: row.get(4)?, price, actor: row.get(5)? });
        }
    }
    Ok(found)
}
