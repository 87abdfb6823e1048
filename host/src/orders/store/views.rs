//! Orders as people and other rooms look at them.

use super::{Cells, Result, word};
use crate::args;
use crate::ctx::Tenant;
use crate::id::{ConnectionId, OrderId};
use crate::money::{Currency, Money};
use crate::orders::model::{EventView, LineKind, LineView, OrderView, Payment, Status};
use crate::store::{Row, Sql};

pub async fn find_external(conn: &mut impl Sql, tenant: &Tenant, connection: &ConnectionId, external_id: &str) -> Result<Option<OrderId>> {
    let row = conn
        .fetch_optional(
            "SELECT id FROM orders WHERE tenant = $1 AND connection = $2 AND external_id = $3",
            args![tenant, connection, external_id],
        )
        .await?;
    Ok(row.map(|row| row.get(0)).transpose()?)
}

pub async fn exists(conn: &mut impl Sql, tenant: &Tenant, order: &OrderId) -> Result<bool> {
    Ok(conn.fetch_optional("SELECT 1 FROM orders WHERE tenant = $1 AND id = $2", args![tenant, order]).await?.is_some())
}

/// At most ten: more cannot be told apart by a person anyway.
pub async fn by_number(conn: &mut impl Sql, tenant: &Tenant, number: &str) -> Result<Vec<OrderId>> {
    let sql = "SELECT id FROM orders WHERE tenant = $1 AND (number = $2 OR number = $3) ORDER BY id LIMIT 10";
    let rows = conn.fetch_all(sql, args![tenant, number, format!("#{number}")]).await?;
    rows.iter().map(|row| Ok(row.get(0)?)).collect()
}

pub async fn parked(conn: &mut impl Sql, tenant: &Tenant, connection: Option<&ConnectionId>, limit: u32) -> Result<Vec<OrderView>> {
    let rows = conn
        .fetch_all(
            "SELECT id FROM orders WHERE tenant = $1 AND unmapped > 0 AND ($2 = '' OR connection = $2) ORDER BY placed_at LIMIT $3",
            args![tenant, connection.map_or(String::new(), ToString::to_string), limit],
        )
        .await?;
    let mut orders = Vec::new();
    for row in rows {
        let id: OrderId = row.get(0)?;
        orders.extend(find(conn, tenant, &id).await?);
    }
    Ok(orders)
}

pub async fn find(conn: &mut impl Sql, tenant: &Tenant, order: &OrderId) -> Result<Option<OrderView>> {
    let row = conn
        .fetch_optional(
            "SELECT connection, external_id, number, status, channel_status, payment, placed_at, updated_at, ingested_at, revision, holds, \
             unmapped, short, currency, total_minor, tax_minor, shipping_minor, discount_minor, refunded_minor, presented_currency, \
             presented_total_minor, prices_include_tax, document FROM orders WHERE tenant = $1 AND id = $2",
            args![tenant, order],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let currency = word(&row, 13, |code| Currency::from_code(code).ok())?;
    let money = |column: usize| -> Cells<Option<Money>> { Ok(row.get::<Option<i64>>(column)?.map(|minor| Money::new(minor, currency))) };
    let presented_currency: Option<String> = row.get(19)?;
    let presented_currency = presented_currency.and_then(|code| Currency::from_code(&code).ok());
    let document: String = row.get(22)?;
    Ok(Some(OrderView {
        id: order.clone(),
        connection: row.get(0)?,
        external_id: row.get(1)?,
        number: row.get(2)?,
        status: word(&row, 3, Status::parse)?,
        channel_status: row.get(4)?,
        payment: word(&row, 5, Payment::parse)?,
        placed_at: row.get(6)?,
        updated_at: row.get(7)?,
        ingested_at: row.get(8)?,
        revision: row.get(9)?,
        holds: row.get(10)?,
        unmapped: row.get(11)?,
        short: row.get(12)?,
        total: Money::new(row.get(14)?, currency),
        tax: money(15)?,
        shipping: money(16)?,
        discount: money(17)?,
        refunded: money(18)?,
        presented_total: presented_currency.zip(row.get::<Option<i64>>(20)?).map(|(currency, minor)| Money::new(minor, currency)),
        prices_include_tax: row.get(21)?,
        lines: lines(conn, tenant, order, currency).await?,
        events: events(conn, tenant, order).await?,
        document: serde_json::from_str(&document)?,
    }))
}

async fn lines(conn: &mut impl Sql, tenant: &Tenant, order: &OrderId, currency: Currency) -> Result<Vec<LineView>> {
    let rows = conn
        .fetch_all(
            "SELECT external_id, kind, listing, variant, sku, title, quantity, fulfilled, released, returned, short, unit_price, total_minor, \
             discount_minor FROM order_line WHERE tenant = $1 AND order_id = $2 ORDER BY position",
            args![tenant, order],
        )
        .await?;
    let line = |row: &Row| -> Cells<LineView> {
        Ok(LineView {
            external_id: row.get(0)?,
            kind: word(row, 1, LineKind::parse)?,
            listing: row.get(2)?,
            variant: row.get(3)?,
            sku: row.get(4)?,
            title: row.get(5)?,
            quantity: row.get(6)?,
            fulfilled: row.get(7)?,
            released: row.get(8)?,
            returned: row.get(9)?,
            short: row.get(10)?,
            unit_price: row.get(11)?,
            total: Money::new(row.get(12)?, currency),
            discount: Money::new(row.get(13)?, currency),
        })
    };
    Ok(rows.iter().map(line).collect::<Cells<_>>()?)
}

async fn events(conn: &mut impl Sql, tenant: &Tenant, order: &OrderId) -> Result<Vec<EventView>> {
    let rows = conn
        .fetch_all(
            "SELECT at, actor, what, detail FROM order_event WHERE tenant = $1 AND order_id = $2 ORDER BY sequence",
            args![tenant, order],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let detail: String = row.get(3)?;
            Ok(EventView { at: row.get(0)?, actor: row.get(1)?, what: row.get(2)?, detail: serde_json::from_str(&detail)? })
        })
        .collect()
}

/// Which orders to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub connection: Option<ConnectionId>,
    pub status: Option<Status>,
    /// Only orders that need somebody: parked or oversold.
    pub attention: bool,
}

/// One row of a list of orders.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Summary {
    pub id: OrderId,
    pub connection: ConnectionId,
    pub number: String,
    pub status: Status,
    pub payment: Payment,
    pub placed_at: i64,
    pub total: Money,
    pub unmapped: i64,
    pub short: i64,
}

pub async fn count_since(conn: &mut impl Sql, tenant: &Tenant, since_at: i64) -> Result<Vec<(ConnectionId, i64)>> {
    let rows = conn
        .fetch_all(
            "SELECT connection, COUNT(*) FROM orders WHERE tenant = $1 AND placed_at >= $2 GROUP BY connection ORDER BY connection",
            args![tenant, since_at],
        )
        .await?;
    Ok(rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Cells<_>>()?)
}

pub async fn list(
    conn: &mut impl Sql,
    tenant: &Tenant,
    filter: &Filter,
    after: Option<&(i64, OrderId)>,
    limit: u32,
) -> Result<Vec<Summary>> {
    let (placed_at, id) = after.map_or((i64::MAX, String::new()), |(at, id)| (*at, id.to_string()));
    let rows = conn
        .fetch_all(
            "SELECT id, connection, number, status, payment, placed_at, currency, total_minor, unmapped, short FROM orders \
             WHERE tenant = $1 AND (placed_at < $2 OR (placed_at = $2 AND id < $3)) AND ($4 = '' OR connection = $4) \
             AND ($5 = '' OR status = $5) AND ($6 = 0 OR unmapped > 0 OR short > 0) ORDER BY placed_at DESC, id DESC LIMIT $7",
            args![
                tenant,
                placed_at,
                id,
                filter.connection.as_ref().map_or(String::new(), ToString::to_string),
                filter.status.map_or("", Status::as_str),
                i64::from(filter.attention),
                limit,
            ],
        )
        .await?;
    let summary = |row: &Row| -> Cells<Summary> {
        let currency = word(row, 6, |code| Currency::from_code(code).ok())?;
        Ok(Summary {
            id: row.get(0)?,
            connection: row.get(1)?,
            number: row.get(2)?,
            status: word(row, 3, Status::parse)?,
            payment: word(row, 4, Payment::parse)?,
            placed_at: row.get(5)?,
            total: Money::new(row.get(7)?, currency),
            unmapped: row.get(8)?,
            short: row.get(9)?,
        })
    };
    Ok(rows.iter().map(summary).collect::<Cells<_>>()?)
}
