//! SQL on what was worked out for orders: `tax_work`, `tax_order`, `tax_quote`, `tax_credit`, `tax_line`, `tax_difference`.

use entrepot_crossborder::frozen::LineCredit;
use entrepot_crossborder::quote::{Quote, QuoteInput};
use serde::Serialize;

use super::{Result, json};
use crate::crossborder::sold::{Charged, Part};
use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, OrderId};
use crate::money::{Currency, Money};
use crate::store::{Row, Sql, Value, WriteTx, placeholders};
use crate::{args, cells};

/// An order to be looked at.
pub struct Work {
    pub order: OrderId,
    pub revision: i64,
    pub anew: bool,
}

pub async fn want(tx: &mut WriteTx, ctx: &Ctx, order: &OrderId, placed_at: i64, anew: bool) -> Result<()> {
    tx.execute(
        "INSERT INTO tax_work (tenant, order_id, placed_at, revision, anew) VALUES ($1, $2, $3, 1, $4) \
         ON CONFLICT (tenant, order_id) DO UPDATE SET revision = tax_work.revision + 1, \
         anew = CASE WHEN excluded.anew = 1 THEN 1 ELSE tax_work.anew END",
        args![&ctx.tenant, order, placed_at, anew],
    )
    .await?;
    Ok(())
}

/// Oldest sales first: totals run by the day of the sale.
pub async fn work(conn: &mut impl Sql, tenant: &Tenant, limit: u32) -> Result<Vec<Work>> {
    let rows = conn
        .fetch_all(
            "SELECT order_id, revision, anew FROM tax_work WHERE tenant = $1 ORDER BY placed_at, order_id LIMIT $2",
            args![tenant, limit],
        )
        .await?;
    rows.iter().map(|row| Ok(Work { order: row.get(0)?, revision: row.get(1)?, anew: row.get(2)? })).collect()
}

/// Unless it was wished for again meanwhile.
pub async fn done(tx: &mut WriteTx, ctx: &Ctx, work: &Work) -> Result<()> {
    let sql = "DELETE FROM tax_work WHERE tenant = $1 AND order_id = $2 AND revision = $3";
    tx.execute(sql, args![&ctx.tenant, &work.order, work.revision]).await?;
    Ok(())
}

/// How an order stands.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Standing {
    pub order: OrderId,
    pub connection: ConnectionId,
    /// Empty while the connection has none.
    pub entity: String,
    pub number: String,
    /// 0: none could be made.
    pub version: i64,
    pub problem: Option<String>,
    pub counted: bool,
    pub cancelled: bool,
    pub complete: bool,
    pub verified: bool,
    pub placed_at: i64,
    pub sold_on: String,
    pub ship_from: Option<String>,
    pub ship_to: String,
    pub us_state: Option<String>,
    pub consumer: bool,
    pub marketplace_pays: bool,
    /// Goods and shipping without tax.
    pub net: Money,
    pub tax: Option<Money>,
    pub collector: Option<String>,
    pub oss_eur_minor: Option<i64>,
    pub charged: Charged,
}

const STANDING: &str = "order_id, connection, entity, number, version, problem, counted, cancelled, complete, verified, placed_at, sold_on, \
     ship_from, ship_to, us_state, consumer, marketplace_pays, currency, net_minor, tax_minor, collector, oss_eur_minor, charged";

fn standing(row: &Row) -> Result<Standing> {
    let currency = Currency::from_code(&row.get::<String>(17)?)?;
    Ok(Standing {
        order: row.get(0)?,
        connection: row.get(1)?,
        entity: row.get(2)?,
        number: row.get(3)?,
        version: row.get(4)?,
        problem: row.get(5)?,
        counted: row.get(6)?,
        cancelled: row.get(7)?,
        complete: row.get(8)?,
        verified: row.get(9)?,
        placed_at: row.get(10)?,
        sold_on: row.get(11)?,
        ship_from: row.get(12)?,
        ship_to: row.get(13)?,
        us_state: row.get(14)?,
        consumer: row.get(15)?,
        marketplace_pays: row.get(16)?,
        net: Money::new(row.get(18)?, currency),
        tax: row.get::<Option<i64>>(19)?.map(|minor| Money::new(minor, currency)),
        collector: row.get(20)?,
        oss_eur_minor: row.get(21)?,
        charged: json(row, 22)?,
    })
}

pub async fn find(conn: &mut impl Sql, tenant: &Tenant, order: &OrderId) -> Result<Option<Standing>> {
    let sql = format!("SELECT {STANDING} FROM tax_order WHERE tenant = $1 AND order_id = $2");
    conn.fetch_built(sql, args![tenant, order]).await?.first().map(standing).transpose()
}

/// Newest first; `incomplete`: only those whose answer lacks something.
pub async fn list(
    conn: &mut impl Sql,
    tenant: &Tenant,
    incomplete: bool,
    after: Option<&(i64, OrderId)>,
    limit: u32,
) -> Result<Vec<Standing>> {
    let (at, id) = after.map_or((i64::MAX, String::new()), |(at, id)| (*at, id.to_string()));
    let sql = format!(
        "SELECT {STANDING} FROM tax_order WHERE tenant = $1 AND (placed_at < $2 OR (placed_at = $2 AND order_id < $3)) \
         AND ($4 = 0 OR complete = 0) ORDER BY placed_at DESC, order_id DESC LIMIT $5"
    );
    conn.fetch_built(sql, args![tenant, at, id, incomplete, limit]).await?.iter().map(standing).collect()
}

pub async fn put(tx: &mut WriteTx, ctx: &Ctx, s: &Standing) -> Result<()> {
    tx.execute(
        "INSERT INTO tax_order (tenant, order_id, connection, entity, number, version, problem, counted, cancelled, complete, verified, \
         placed_at, sold_on, ship_from, ship_to, us_state, consumer, marketplace_pays, currency, net_minor, tax_minor, collector, \
         oss_eur_minor, charged, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25) \
         ON CONFLICT (tenant, order_id) DO UPDATE SET connection = excluded.connection, entity = excluded.entity, number = excluded.number, \
         version = excluded.version, problem = excluded.problem, counted = excluded.counted, cancelled = excluded.cancelled, \
         complete = excluded.complete, verified = excluded.verified, placed_at = excluded.placed_at, sold_on = excluded.sold_on, \
         ship_from = excluded.ship_from, ship_to = excluded.ship_to, us_state = excluded.us_state, consumer = excluded.consumer, \
         marketplace_pays = excluded.marketplace_pays, currency = excluded.currency, net_minor = excluded.net_minor, \
         tax_minor = excluded.tax_minor, collector = excluded.collector, oss_eur_minor = excluded.oss_eur_minor, \
         charged = excluded.charged, updated_at = excluded.updated_at",
        args![
            &ctx.tenant,
            &s.order,
            &s.connection,
            &s.entity,
            &s.number,
            s.version,
            &s.problem,
            s.counted,
            s.cancelled,
            s.complete,
            s.verified,
            s.placed_at,
            &s.sold_on,
            &s.ship_from,
            &s.ship_to,
            &s.us_state,
            s.consumer,
            s.marketplace_pays,
            s.net.currency().code(),
            s.net.minor(),
            s.tax.map(|tax| tax.minor()),
            &s.collector,
            s.oss_eur_minor,
            serde_json::to_string(&s.charged)?,
            ctx.now_ms(),
        ],
    )
    .await?;
    Ok(())
}

/// One answer, as it was given.
#[derive(Clone, Debug, Serialize)]
pub struct Version {
    pub version: i64,
    #[serde(skip)]
    pub picture: String,
    pub rule_set: String,
    pub question: QuoteInput,
    pub answer: Quote,
    pub parts: Vec<Part>,
    pub charged: Charged,
    pub frozen_at: i64,
}

fn version(row: &Row) -> Result<Version> {
    Ok(Version {
        version: row.get(0)?,
        picture: row.get(1)?,
        rule_set: row.get(2)?,
        question: json(row, 3)?,
        answer: json(row, 4)?,
        parts: json(row, 5)?,
        charged: json(row, 6)?,
        frozen_at: row.get(7)?,
    })
}

/// Oldest first.
pub async fn versions(conn: &mut impl Sql, tenant: &Tenant, order: &OrderId) -> Result<Vec<Version>> {
    let sql = "SELECT version, picture, rule_set, question, answer, parts, charged, frozen_at FROM tax_quote \
               WHERE tenant = $1 AND order_id = $2 ORDER BY version";
    conn.fetch_all(sql, args![tenant, order]).await?.iter().map(version).collect()
}

pub async fn newest(conn: &mut impl Sql, tenant: &Tenant, order: &OrderId) -> Result<Option<Version>> {
    let sql = "SELECT version, picture, rule_set, question, answer, parts, charged, frozen_at FROM tax_quote \
               WHERE tenant = $1 AND order_id = $2 ORDER BY version DESC LIMIT 1";
    conn.fetch_optional(sql, args![tenant, order]).await?.as_ref().map(version).transpose()
}

pub async fn insert(tx: &mut WriteTx, ctx: &Ctx, order: &OrderId, v: &Version) -> Result<()> {
    tx.execute(
        "INSERT INTO tax_quote (tenant, order_id, version, picture, rule_set, question, answer, parts, charged, frozen_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        args![
            &ctx.tenant,
            order,
            v.version,
            &v.picture,
            &v.rule_set,
            serde_json::to_string(&v.question)?,
            serde_json::to_string(&v.answer)?,
            serde_json::to_string(&v.parts)?,
            serde_json::to_string(&v.charged)?,
            v.frozen_at,
        ],
    )
    .await?;
    Ok(())
}

/// What went back.
#[derive(Clone, Debug, Serialize)]
pub struct Credit {
    /// `refund:ID`, `cancelled:N` or `reinstated:N`.
    pub reference: String,
    pub version: i64,
    pub booked_at: i64,
    pub booked_on: String,
    /// What the buyer got, tax inside.
    pub amount: Money,
    pub net: Money,
    pub tax: Money,
    /// More than was left of the sale.
    pub unplaced: Money,
    pub credits: Vec<LineCredit>,
    pub oss_eur_minor: Option<i64>,
}

/// In the order in which they were booked.
pub async fn credits(conn: &mut impl Sql, tenant: &Tenant, order: &OrderId) -> Result<Vec<Credit>> {
    let rows = conn
        .fetch_all(
            "SELECT reference, version, booked_at, booked_on, currency, amount_minor, net_minor, tax_minor, unplaced_minor, credits, \
             oss_eur_minor FROM tax_credit WHERE tenant = $1 AND order_id = $2 ORDER BY booked_at, reference",
            args![tenant, order],
        )
        .await?;
    let credit = |row: &Row| {
        let currency = Currency::from_code(&row.get::<String>(4)?)?;
        let money = |column| Ok::<_, crate::store::Error>(Money::new(row.get(column)?, currency));
        Ok(Credit {
            reference: row.get(0)?,
            version: row.get(1)?,
            booked_at: row.get(2)?,
            booked_on: row.get(3)?,
            amount: money(5)?,
            net: money(6)?,
            tax: money(7)?,
            unplaced: money(8)?,
            credits: json(row, 9)?,
            oss_eur_minor: row.get(10)?,
        })
    };
    rows.iter().map(credit).collect()
}

pub async fn insert_credit(tx: &mut WriteTx, ctx: &Ctx, order: &OrderId, entity: &str, c: &Credit) -> Result<()> {
    tx.execute(
        "INSERT INTO tax_credit (tenant, order_id, reference, version, entity, booked_at, booked_on, currency, amount_minor, net_minor, \
         tax_minor, unplaced_minor, credits, oss_eur_minor) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        args![
            &ctx.tenant,
            order,
            &c.reference,
            c.version,
            entity,
            c.booked_at,
            &c.booked_on,
            c.amount.currency().code(),
            c.amount.minor(),
            c.net.minor(),
            c.tax.minor(),
            c.unplaced.minor(),
            serde_json::to_string(&c.credits)?,
            c.oss_eur_minor,
        ],
    )
    .await?;
    Ok(())
}

/// Tax as it is booked.
#[derive(Clone, Debug)]
pub struct Booked {
    pub reference: String,
    pub version: i64,
    pub credit: bool,
    pub booked_on: String,
    pub corrects: Option<String>,
    pub scheme: String,
    pub collector: String,
    pub country: String,
    pub tax: String,
    pub rate: String,
    pub taxable: Money,
    pub amount: Money,
}

pub async fn book(tx: &mut WriteTx, ctx: &Ctx, order: &OrderId, entity: &str, lines: &[Booked]) -> Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let mut values: Vec<Value> = Vec::with_capacity(lines.len() * 17);
    for (position, line) in (0_i64..).zip(lines) {
        values.extend(cells![
            &ctx.tenant,
            order,
            &line.reference,
            position,
            line.version,
            line.credit,
            entity,
            &line.booked_on,
            &line.corrects,
            &line.scheme,
            &line.collector,
            &line.country,
            &line.tax,
            &line.rate,
            line.amount.currency().code(),
            line.taxable.minor(),
            line.amount.minor(),
        ]);
    }
    let sql = format!(
        "INSERT INTO tax_line (tenant, order_id, reference, position, version, credit, entity, booked_on, corrects, scheme, collector, \
         country, tax, rate, currency, taxable_minor, amount_minor) VALUES {}",
        placeholders(lines.len(), 17)
    );
    tx.execute_built(sql, &values).await?;
    Ok(())
}

/// Where the channel says otherwise than we do.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct DifferenceView {
    pub order: OrderId,
    pub number: String,
    pub version: i64,
    pub kind: String,
    pub words: String,
    pub detail: serde_json::Value,
    pub found_at: i64,
    pub settled_at: Option<i64>,
    pub settled_by: Option<String>,
    pub note: Option<String>,
}

const DIFFERENCE: &str = "d.order_id, o.number, d.version, d.kind, d.words, d.detail, d.found_at, d.settled_at, d.settled_by, d.note \
     FROM tax_difference d JOIN tax_order o ON o.tenant = d.tenant AND o.order_id = d.order_id";

fn difference(row: &Row) -> Result<DifferenceView> {
    Ok(DifferenceView {
        order: row.get(0)?,
        number: row.get(1)?,
        version: row.get(2)?,
        kind: row.get(3)?,
        words: row.get(4)?,
        detail: json(row, 5)?,
        found_at: row.get(6)?,
        settled_at: row.get(7)?,
        settled_by: row.get(8)?,
        note: row.get(9)?,
    })
}

pub async fn differences_of(conn: &mut impl Sql, tenant: &Tenant, order: &OrderId) -> Result<Vec<DifferenceView>> {
    let sql = format!("SELECT {DIFFERENCE} WHERE d.tenant = $1 AND d.order_id = $2 ORDER BY d.version, d.kind");
    conn.fetch_built(sql, args![tenant, order]).await?.iter().map(difference).collect()
}

/// Newest first. `settled`: those that somebody has looked at, too.
pub async fn differences(
    conn: &mut impl Sql,
    tenant: &Tenant,
    settled: bool,
    after: Option<&(i64, String)>,
    limit: u32,
) -> Result<Vec<DifferenceView>> {
    let (at, key) = after.map_or((i64::MAX, String::new()), |(at, key)| (*at, key.clone()));
    let sql = format!(
        "SELECT {DIFFERENCE} WHERE d.tenant = $1 AND ($2 = 1 OR d.settled_at IS NULL) AND (d.found_at < $3 OR (d.found_at = $3 AND \
         d.order_id || '/' || CAST(d.version AS TEXT) || '/' || d.kind < $4)) \
         ORDER BY d.found_at DESC, d.order_id || '/' || CAST(d.version AS TEXT) || '/' || d.kind DESC LIMIT $5"
    );
    conn.fetch_built(sql, args![tenant, settled, at, key, limit]).await?.iter().map(difference).collect()
}

pub async fn count_differences(conn: &mut impl Sql, tenant: &Tenant) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM tax_difference WHERE tenant = $1 AND settled_at IS NULL";
    Ok(conn.fetch_one(sql, args![tenant]).await?.get(0)?)
}

/// Found once; a settled one stays settled.
pub async fn found(
    tx: &mut WriteTx,
    ctx: &Ctx,
    order: &OrderId,
    version: i64,
    kind: &str,
    words: &str,
    detail: &serde_json::Value,
) -> Result<()> {
    tx.execute(
        "INSERT INTO tax_difference (tenant, order_id, version, kind, words, detail, found_at) VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (tenant, order_id, version, kind) DO NOTHING",
        args![&ctx.tenant, order, version, kind, words, detail.to_string(), ctx.now_ms()],
    )
    .await?;
    Ok(())
}

/// Settles open ones of an order; `kind` empty: all, `before`: only of versions below it. Returns how many.
pub async fn settle(tx: &mut WriteTx, ctx: &Ctx, order: &OrderId, kind: &str, before: i64, note: &str) -> Result<u64> {
    let rows = tx
        .execute(
            "UPDATE tax_difference SET settled_at = $5, settled_by = $6, note = $7 WHERE tenant = $1 AND order_id = $2 \
             AND ($3 = '' OR kind = $3) AND version < $4 AND settled_at IS NULL",
            args![&ctx.tenant, order, kind, before, ctx.now_ms(), &ctx.actor, note],
        )
        .await?;
    Ok(rows)
}
