//! Sums over shipments that wait or were refused.

use super::{Error, State};
use crate::args;
use crate::ctx::Tenant;
use crate::fulfilment::untold::Untold;
use crate::id::ConnectionId;
use crate::money::Currency;
use crate::orders::worth::Worth;
use crate::store::{Row, Sql};

fn currency(row: &Row, column: usize) -> Result<Currency, Error> {
    let code: String = row.get(column)?;
    Ok(Currency::from_code(&code).map_err(|_| crate::store::Error::Shape { column, found: code })?)
}

pub async fn by_problem(conn: &mut impl Sql, tenant: &Tenant) -> Result<Vec<Untold>, Error> {
    let rows = conn
        .fetch_all(
            "SELECT connection, state, problem, currency, COUNT(*), CAST(SUM(total_minor) AS BIGINT) FROM (\
             SELECT DISTINCT o.connection, s.state, COALESCE(s.problem, '') AS problem, o.currency, o.id, o.total_minor \
             FROM shipment s JOIN orders o ON o.tenant = s.tenant AND o.id = s.order_id \
             WHERE s.tenant = $1 AND (s.state = 'refused' OR (s.state = 'pending' AND s.problem IS NOT NULL))) AS untold \
             GROUP BY connection, state, problem, currency ORDER BY connection, state, problem, currency",
            args![tenant],
        )
        .await?;
    let mut found: Vec<Untold> = Vec::new();
    for row in rows {
        let (connection, refused, problem) = (row.get(0)?, row.get::<String>(1)? == State::Refused.as_str(), row.get(2)?);
        let same = |group: &Untold| group.connection == connection && group.refused == refused && group.problem == problem;
        if !found.last().is_some_and(same) {
            found.push(Untold { connection, refused, problem, worth: Worth::default() });
        }
        if let Some(group) = found.last_mut() {
            group.worth.add(row.get(4)?, row.get(5)?, currency(&row, 3)?);
        }
    }
    Ok(found)
}

pub async fn pending(conn: &mut impl Sql, tenant: &Tenant, connection: &ConnectionId) -> Result<Worth, Error> {
    let rows = conn
        .fetch_all(
            "SELECT currency, COUNT(*), CAST(SUM(total_minor) AS BIGINT) FROM (SELECT DISTINCT o.currency, o.id, o.total_minor \
             FROM shipment s JOIN orders o ON o.tenant = s.tenant AND o.id = s.order_id \
             WHERE s.tenant = $1 AND s.state = 'pending' AND o.connection = $2) AS waiting GROUP BY currency ORDER BY currency",
            args![tenant, connection],
        )
        .await?;
    let mut worth = Worth::default();
    for row in rows {
        worth.add(row.get(1)?, row.get(2)?, currency(&row, 0)?);
    }
    Ok(worth)
}
