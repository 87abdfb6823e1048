//! Sums over what was frozen: running totals and returns.

use super::Result;
use crate::args;
use crate::ctx::Tenant;
use crate::id::OrderId;
use crate::store::{Row, Sql};

/// EU distance sales of an entity between two days, before one order, less what went back; cents. And whether there were any.
pub async fn oss_eur_minor(
    conn: &mut impl Sql,
    tenant: &Tenant,
    entity: &str,
    from: &str,
    to: &str,
    before: Option<(i64, &OrderId)>,
) -> Result<(i64, i64)> {
    let (at, order) = before.map_or((i64::MAX, String::new()), |(at, order)| (at, order.to_string()));
    let sales = conn
        .fetch_one(
            "SELECT COUNT(*), CAST(COALESCE(SUM(oss_eur_minor), 0) AS BIGINT) FROM tax_order WHERE tenant = $1 AND entity = $2 \
             AND sold_on >= $3 AND sold_on <= $4 AND counted = 1 AND oss_eur_minor IS NOT NULL \
             AND (placed_at < $5 OR (placed_at = $5 AND order_id < $6))",
            args![tenant, entity, from, to, at, &order],
        )
        .await?;
    let back = conn
        .fetch_one(
            "SELECT CAST(COALESCE(SUM(c.oss_eur_minor), 0) AS BIGINT) FROM tax_credit c \
             JOIN tax_order o ON o.tenant = c.tenant AND o.order_id = c.order_id \
             WHERE c.tenant = $1 AND c.entity = $2 AND c.booked_on >= $3 AND c.booked_on <= $4 AND c.oss_eur_minor IS NOT NULL \
             AND c.booked_at < $5 AND c.order_id <> $6 AND o.counted = 1",
            args![tenant, entity, from, to, at, &order],
        )
        .await?;
    let (count, sum): (i64, i64) = (sales.get(0)?, sales.get(1)?);
    Ok((count, sum - back.get::<i64>(0)?))
}

/// Sales alike of one day, as the thresholds see them.
#[derive(Debug)]
pub struct Day {
    pub on: String,
    pub ship_from: Option<String>,
    pub ship_to: String,
    pub us_state: Option<String>,
    pub consumer: bool,
    pub marketplace_pays: bool,
    pub currency: String,
    pub net_minor: i64,
    pub orders: i64,
}

/// Sales of an entity between two days, and below zero what went back.
pub async fn days(conn: &mut impl Sql, tenant: &Tenant, entity: &str, from: &str, to: &str) -> Result<Vec<Day>> {
    let sales = conn
        .fetch_all(
            "SELECT sold_on, ship_from, ship_to, us_state, consumer, marketplace_pays, currency, CAST(SUM(net_minor) AS BIGINT), COUNT(*) \
             FROM tax_order WHERE tenant = $1 AND entity = $2 AND sold_on >= $3 AND sold_on <= $4 AND counted = 1 AND version > 0 \
             GROUP BY sold_on, ship_from, ship_to, us_state, consumer, marketplace_pays, currency ORDER BY sold_on",
            args![tenant, entity, from, to],
        )
        .await?;
    let back = conn
        .fetch_all(
            "SELECT c.booked_on, o.ship_from, o.ship_to, o.us_state, o.consumer, o.marketplace_pays, c.currency, \
             CAST(-SUM(c.net_minor) AS BIGINT), CAST(0 AS BIGINT) FROM tax_credit c \
             JOIN tax_order o ON o.tenant = c.tenant AND o.order_id = c.order_id \
             WHERE c.tenant = $1 AND c.entity = $2 AND c.booked_on >= $3 AND c.booked_on <= $4 AND o.counted = 1 \
             GROUP BY c.booked_on, o.ship_from, o.ship_to, o.us_state, o.consumer, o.marketplace_pays, c.currency ORDER BY c.booked_on",
            args![tenant, entity, from, to],
        )
        .await?;
    let day = |row: &Row| {
        Ok(Day {
            on: row.get(0)?,
            ship_from: row.get(1)?,
            ship_to: row.get(2)?,
            us_state: row.get(3)?,
            consumer: row.get(4)?,
            marketplace_pays: row.get(5)?,
            currency: row.get(6)?,
            net_minor: row.get(7)?,
            orders: row.get(8)?,
        })
    };
    sales.iter().chain(&back).map(day).collect()
}

/// A booked tax, ready for a return.
#[derive(Debug)]
pub struct Line {
    pub order: String,
    pub booked_on: String,
    pub corrects: Option<String>,
    pub scheme: String,
    pub collector: String,
    pub country: String,
    pub tax: String,
    pub rate: String,
    pub currency: String,
    pub taxable_minor: i64,
    pub amount_minor: i64,
}

/// Of counted orders, by the version that is current and by everything that went back.
pub async fn lines(conn: &mut impl Sql, tenant: &Tenant, entity: &str, country: &str, from: &str, to: &str) -> Result<Vec<Line>> {
    let rows = conn
        .fetch_all(
            "SELECT l.order_id, l.booked_on, l.corrects, l.scheme, l.collector, l.country, l.tax, l.rate, l.currency, l.taxable_minor, \
             l.amount_minor FROM tax_line l JOIN tax_order o ON o.tenant = l.tenant AND o.order_id = l.order_id \
             WHERE l.tenant = $1 AND ($2 = '' OR l.entity = $2) AND ($3 = '' OR l.country = $3) AND l.booked_on >= $4 AND l.booked_on <= $5 \
             AND o.counted = 1 AND (l.credit = 1 OR l.version = o.version) ORDER BY l.booked_on, l.order_id, l.reference, l.position",
            args![tenant, entity, country, from, to],
        )
        .await?;
    let line = |row: &Row| {
        Ok(Line {
            order: row.get(0)?,
            booked_on: row.get(1)?,
            corrects: row.get(2)?,
            scheme: row.get(3)?,
            collector: row.get(4)?,
            country: row.get(5)?,
            tax: row.get(6)?,
            rate: row.get(7)?,
            currency: row.get(8)?,
            taxable_minor: row.get(9)?,
            amount_minor: row.get(10)?,
        })
    };
    rows.iter().map(line).collect()
}

/// Counted orders of a period whose tax is not known, and orders of it that are not counted yet.
pub async fn left_out(conn: &mut impl Sql, tenant: &Tenant, entity: &str, from: &str, to: &str) -> Result<(i64, i64)> {
    let row = conn
        .fetch_one(
            "SELECT CAST(COALESCE(SUM(CASE WHEN counted = 1 AND tax_minor IS NULL THEN 1 ELSE 0 END), 0) AS BIGINT), \
             CAST(COALESCE(SUM(CASE WHEN counted = 0 AND cancelled = 0 THEN 1 ELSE 0 END), 0) AS BIGINT) FROM tax_order \
             WHERE tenant = $1 AND ($2 = '' OR entity = $2) AND sold_on >= $3 AND sold_on <= $4",
            args![tenant, entity, from, to],
        )
        .await?;
    Ok((row.get(0)?, row.get(1)?))
}
