//! All SQL on `shipment`.

pub mod untold;

use super::Error;
use crate::args;
use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, OrderId, ShipmentId};
use crate::orders::model::{LineUnits, Tracking};
use crate::store::{Row, Sql, WriteTx};

#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Pending,
    Written,
    Refused,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Written => "written",
            Self::Refused => "refused",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Written, Self::Refused].into_iter().find(|state| state.as_str() == text)
    }
}

#[derive(Clone, Debug, serde::Serialize)]
pub struct Shipment {
    pub id: ShipmentId,
    pub order: OrderId,
    /// The channel's id once it knows.
    pub external_id: Option<String>,
    pub shipped_at: i64,
    pub tracking: Vec<Tracking>,
    pub lines: Vec<LineUnits>,
    pub state: State,
    pub problem: Option<String>,
    pub retry_at: i64,
    /// Tries whose outcome is not known; above zero the channel is asked before it is told.
    pub attempts: i64,
}

pub async fn insert(tx: &mut WriteTx, ctx: &Ctx, shipment: &Shipment) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO shipment (tenant, id, order_id, external_id, shipped_at, tracking, lines, state, problem, retry_at, attempts, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        args![
            &ctx.tenant,
            &shipment.id,
            &shipment.order,
            &shipment.external_id,
            shipment.shipped_at,
            serde_json::to_string(&shipment.tracking)?,
            serde_json::to_string(&shipment.lines)?,
            shipment.state.as_str(),
            &shipment.problem,
            shipment.retry_at,
            shipment.attempts,
            ctx.now_ms(),
        ],
    )
    .await?;
    Ok(())
}

fn read(row: &Row) -> Result<Shipment, Error> {
    let (tracking, lines, state): (String, String, String) = (row.get(4)?, row.get(5)?, row.get(6)?);
    Ok(Shipment {
        id: row.get(0)?,
        order: row.get(1)?,
        external_id: row.get(2)?,
        shipped_at: row.get(3)?,
        tracking: serde_json::from_str(&tracking)?,
        lines: serde_json::from_str(&lines)?,
        state: State::parse(&state).ok_or(crate::store::Error::Shape { column: 6, found: state })?,
        problem: row.get(7)?,
        retry_at: row.get(8)?,
        attempts: row.get(9)?,
    })
}

/// With the order's id at the channel.
pub async fn pending(conn: &mut impl Sql, ctx: &Ctx, connection: &ConnectionId, limit: u32) -> Result<Vec<(Shipment, String)>, Error> {
    let rows = conn
        .fetch_all(
            "SELECT s.id, s.order_id, s.external_id, s.shipped_at, s.tracking, s.lines, s.state, s.problem, s.retry_at, s.attempts, o.external_id \
             FROM shipment s JOIN orders o ON o.tenant = s.tenant AND o.id = s.order_id \
             WHERE s.tenant = $1 AND s.state = 'pending' AND s.retry_at <= $2 AND o.connection = $3 ORDER BY s.id || '' LIMIT $4",
            args![&ctx.tenant, ctx.now_ms(), connection, limit],
        )
        .await?;
    rows.iter().map(|row| Ok((read(row)?, row.get(10)?))).collect()
}

pub async fn next_retry(conn: &mut impl Sql, ctx: &Ctx, connection: &ConnectionId) -> Result<Option<i64>, Error> {
    let row = conn
        .fetch_one(
            "SELECT MIN(s.retry_at) FROM shipment s JOIN orders o ON o.tenant = s.tenant AND o.id = s.order_id \
             WHERE s.tenant = $1 AND s.state = 'pending' AND o.connection = $2",
            args![&ctx.tenant, connection],
        )
        .await?;
    Ok(row.get(0)?)
}

pub async fn of_order(conn: &mut impl Sql, tenant: &Tenant, order: &OrderId) -> Result<Vec<Shipment>, Error> {
    let rows = conn
        .fetch_all(
            "SELECT id, order_id, external_id, shipped_at, tracking, lines, state, problem, retry_at, attempts FROM shipment \
             WHERE tenant = $1 AND order_id = $2 ORDER BY id || ''",
            args![tenant, order],
        )
        .await?;
    rows.iter().map(read).collect()
}

pub async fn count_attempt(tx: &mut WriteTx, ctx: &Ctx, shipment: &ShipmentId) -> Result<(), Error> {
    tx.execute("UPDATE shipment SET attempts = attempts + 1 WHERE tenant = $1 AND id = $2", args![&ctx.tenant, shipment]).await?;
    Ok(())
}

#[allow(clippy::too_many_arguments)] // the columns of one row
pub async fn set_state(
    tx: &mut WriteTx,
    ctx: &Ctx,
    shipment: &ShipmentId,
    state: State,
    external_id: Option<&str>,
    problem: Option<&str>,
    retry_at: i64,
    attempts: i64,
) -> Result<(), Error> {
    tx.execute(
        "UPDATE shipment SET state = $3, external_id = COALESCE($4, external_id), problem = $5, retry_at = $6, attempts = $7 \
         WHERE tenant = $1 AND id = $2",
        args![&ctx.tenant, shipment, state.as_str(), external_id, problem, retry_at, attempts],
    )
    .await?;
    Ok(())
}
