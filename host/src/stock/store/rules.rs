//! SQL on `stock_rule` and `shortage`; reads `reservation`.

use std::collections::BTreeMap;

use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, OrderId, VariantId};
use crate::stock::allocate::Serving;
use crate::stock::model::{Lack, Rule};
use crate::stock::settle::Short;
use crate::store::{Error, Row, Sql, Value, WriteTx, placeholders};
use crate::{args, cells};

fn read(row: &Row, first: usize) -> Result<Rule, Error> {
    Ok(Rule { serving: Serving { allocation: row.get(first)?, split: row.get(first + 1)? }, unpaid_ms: row.get(first + 2)? })
}

/// The connection's own rule, else the one for all, else the plainest.
pub async fn rule(conn: &mut impl Sql, tenant: &Tenant, connection: Option<&ConnectionId>) -> Result<Rule, Error> {
    // The row for all has the empty name, which sorts before every other.
    let row = conn
        .fetch_optional(
            "SELECT allocation, split, unpaid_ms FROM stock_rule WHERE tenant = $1 AND connection IN ($2, '') ORDER BY connection DESC LIMIT 1",
            args![tenant, connection.map_or("", ConnectionId::as_str)],
        )
        .await?;
    row.map_or(Ok(Rule::default()), |row| read(&row, 0))
}

/// `None`: the rule for all that have none.
pub async fn rules(conn: &mut impl Sql, tenant: &Tenant) -> Result<BTreeMap<Option<ConnectionId>, Rule>, Error> {
    let sql = "SELECT connection, allocation, split, unpaid_ms FROM stock_rule WHERE tenant = $1 ORDER BY connection";
    let rows = conn.fetch_all(sql, args![tenant]).await?;
    rows.iter().map(|row| Ok((ConnectionId::parse(&row.get::<String>(0)?).ok(), read(row, 1)?))).collect()
}

pub async fn put_rule(tx: &mut WriteTx, ctx: &Ctx, connection: Option<&ConnectionId>, rule: &Rule) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO stock_rule (tenant, connection, allocation, split, unpaid_ms) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (tenant, connection) DO UPDATE SET allocation = excluded.allocation, split = excluded.split, unpaid_ms = excluded.unpaid_ms",
        args![
            &ctx.tenant,
            connection.map_or("", ConnectionId::as_str),
            rule.serving.allocation.as_str(),
            rule.serving.split.as_str(),
            rule.unpaid_ms,
        ],
    )
    .await?;
    Ok(())
}

pub async fn drop_rule(tx: &mut WriteTx, ctx: &Ctx, connection: Option<&ConnectionId>) -> Result<bool, Error> {
    let sql = "DELETE FROM stock_rule WHERE tenant = $1 AND connection = $2";
    Ok(tx.execute(sql, args![&ctx.tenant, connection.map_or("", ConnectionId::as_str)]).await? == 1)
}

/// `known`: the order may have had some before. `only`: of these variants; the others stay.
pub async fn put_shortage(
    tx: &mut WriteTx,
    ctx: &Ctx,
    order: &OrderId,
    known: bool,
    only: Option<&[VariantId]>,
    short: &Short,
) -> Result<(), Error> {
    if let Some(only) = only {
        for variant in only {
            let sql = "DELETE FROM shortage WHERE tenant = $1 AND order_id = $2 AND variant = $3";
            tx.execute(sql, args![&ctx.tenant, order, variant]).await?;
        }
    } else if known {
        tx.execute("DELETE FROM shortage WHERE tenant = $1 AND order_id = $2", args![&ctx.tenant, order]).await?;
    }
    if short.is_empty() {
        return Ok(());
    }
    let mut values: Vec<Value> = Vec::with_capacity(short.len() * 5);
    for ((line, variant), units) in short {
        values.extend(cells![&ctx.tenant, order, line, variant, *units]);
    }
    let sql = format!("INSERT INTO shortage (tenant, order_id, line, variant, units) VALUES {}", placeholders(short.len(), 5));
    tx.execute_built(sql, &values).await?;
    Ok(())
}

pub async fn shortage(conn: &mut impl Sql, tenant: &Tenant, order: &OrderId) -> Result<Vec<Lack>, Error> {
    let sql = "SELECT line, variant, units FROM shortage WHERE tenant = $1 AND order_id = $2 ORDER BY line, variant";
    let rows = conn.fetch_all(sql, args![tenant, order]).await?;
    rows.iter().map(|row| Ok(Lack { line: row.get(0)?, variant: row.get(1)?, units: row.get(2)? })).collect()
}

/// Orders that lack one of these, in no order.
pub async fn short_orders(conn: &mut impl Sql, tenant: &Tenant, variants: &[VariantId]) -> Result<Vec<OrderId>, Error> {
    let mut found = Vec::new();
    for chunk in variants.chunks(250) {
        let values: Vec<Value> = std::iter::once(Value::from(tenant)).chain(chunk.iter().map(Value::from)).collect();
        let list: Vec<String> = (2..=values.len()).map(|n| format!("${n}")).collect();
        let sql = format!("SELECT DISTINCT order_id FROM shortage WHERE tenant = $1 AND variant IN ({})", list.join(", "));
        for row in conn.fetch_built(sql, &values).await? {
            found.push(row.get(0)?);
        }
    }
    Ok(found)
}

/// What these orders hold, held or lack.
pub async fn of_orders(conn: &mut impl Sql, tenant: &Tenant, orders: &[OrderId]) -> Result<Vec<VariantId>, Error> {
    let mut found = Vec::new();
    for chunk in orders.chunks(250) {
        let values: Vec<Value> = std::iter::once(Value::from(tenant)).chain(chunk.iter().map(Value::from)).collect();
        let list = (2..=values.len()).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
        let sql = format!(
            "SELECT variant FROM reservation WHERE tenant = $1 AND order_id IN ({list}) UNION \
             SELECT variant FROM shortage WHERE tenant = $1 AND order_id IN ({list})"
        );
        for row in conn.fetch_built(sql, &values).await? {
            found.push(row.get(0)?);
        }
    }
    Ok(found)
}
