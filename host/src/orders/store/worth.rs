//! Sums over orders, per currency.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cells, Result};
use crate::args;
use crate::ctx::Tenant;
use crate::id::ConnectionId;
use crate::money::Currency;
use crate::orders::worth::{Need, Worth};
use crate::store::{Sql, Value};

const IDS_AT_ONCE: usize = 400;

pub async fn of(conn: &mut impl Sql, tenant: &Tenant, connection: &ConnectionId, external_ids: &BTreeSet<String>) -> Result<Worth> {
    let mut sums: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    let ids: Vec<&String> = external_ids.iter().collect();
    for chunk in ids.chunks(IDS_AT_ONCE) {
        let mut values = args![tenant, connection].to_vec();
        values.extend(chunk.iter().map(|id| Value::from(id.as_str())));
        let list: Vec<String> = (3..chunk.len() + 3).map(|n| format!("${n}")).collect();
        let sql = format!(
            "SELECT currency, COUNT(*), CAST(SUM(total_minor) AS BIGINT) FROM orders WHERE tenant = $1 AND connection = $2 \
             AND external_id IN ({}) GROUP BY currency",
            list.join(", ")
        );
        for row in conn.fetch_built(sql, &values).await? {
            let sum = sums.entry(row.get(0)?).or_default();
            *sum = (sum.0 + row.get::<i64>(1)?, sum.1 + row.get::<i64>(2)?);
        }
    }
    let mut worth = Worth::default();
    for (code, (orders, minor)) in sums {
        worth.add(orders, minor, currency(&code, 0)?);
    }
    Ok(worth)
}

fn currency(code: &str, column: usize) -> Cells<Currency> {
    Currency::from_code(code).map_err(|_| crate::store::Error::Shape { column, found: code.to_owned() })
}

pub async fn in_need(conn: &mut impl Sql, tenant: &Tenant) -> Result<BTreeMap<(ConnectionId, Need), Worth>> {
    let rows = conn
        .fetch_all(
            "SELECT connection, need, currency, COUNT(*), CAST(SUM(total_minor) AS BIGINT) FROM (\
             SELECT connection, 0 AS need, currency, total_minor FROM orders WHERE tenant = $1 AND unmapped > 0 AND status <> 'cancelled' \
             UNION ALL SELECT connection, 1 AS need, currency, total_minor FROM orders WHERE tenant = $1 AND short > 0 AND status <> 'cancelled') AS needy \
             GROUP BY connection, need, currency ORDER BY connection, need, currency",
            args![tenant],
        )
        .await?;
    let mut found: BTreeMap<(ConnectionId, Need), Worth> = BTreeMap::new();
    for row in rows {
        let need = if row.get::<i64>(1)? == 0 { Need::Mapping } else { Need::Stock };
        let code: String = row.get(2)?;
        found.entry((row.get(0)?, need)).or_default().add(row.get(3)?, row.get(4)?, currency(&code, 2)?);
    }
    Ok(found)
}
