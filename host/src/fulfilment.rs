//! Shipments: what left, told by us or by the channel, and whether the channel knows.
//!
//! A shipment made here lowers the order's open units at once ([`ship`]) and waits as *pending* until the channel has been told
//! (`sync::writeback`). One that the channel reported is *written* from the start.

mod error;
mod store;
pub mod untold;

pub use error::Error;
pub use store::{Shipment, State};

use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, OrderId, ShipmentId};
use crate::orders::{self, model::LineUnits, model::Tracking};
use crate::stock;
use crate::store::{Sql, WriteTx};

/// What leaves now. Without lines, everything that is still open.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dispatch {
    #[serde(default)]
    pub lines: Vec<LineUnits>,
    #[serde(default)]
    pub tracking: Vec<Tracking>,
}

/// Books a shipment and returns it with the stock that moved. The caller makes the write-back lane due.
pub async fn ship(tx: &mut WriteTx, ctx: &Ctx, order: &OrderId, dispatch: &Dispatch) -> Result<(Shipment, stock::Change), Error> {
    let Some(view) = orders::find(tx, &ctx.tenant, order).await? else { return Err(orders::Error::Missing(order.clone()).into()) };
    let open = |line: &orders::model::LineView| line.quantity - line.fulfilled - line.released;
    let lines: Vec<LineUnits> = match dispatch.lines.is_empty() {
        false => dispatch.lines.clone(),
        true => {
            let shippable = view.lines.iter().filter(|line| line.kind == orders::LineKind::Physical && open(line) > 0);
            shippable.map(|line| LineUnits { line: line.external_id.clone(), quantity: open(line) }).collect()
        }
    };
    if lines.is_empty() || lines.iter().any(|line| line.quantity <= 0) {
        return Err(Error::NothingToShip { order: order.clone() });
    }
    let units: Vec<(String, i64)> = lines.iter().map(|line| (line.line.clone(), line.quantity)).collect();
    let change = orders::note_shipped_here(tx, ctx, order, &units).await?;
    let shipment = Shipment {
        id: ShipmentId::new(&ctx.ids),
        order: order.clone(),
        external_id: None,
        shipped_at: ctx.now_ms(),
        tracking: dispatch.tracking.clone(),
        lines,
        state: State::Pending,
        problem: None,
        retry_at: 0,
        attempts: 0,
    };
    store::insert(tx, ctx, &shipment).await?;
    orders::record(tx, ctx, order, "shipped", serde_json::json!({ "shipment": shipment.id, "tracking": shipment.tracking })).await?;
    Ok((shipment, change))
}

/// Shipments of a connection that the channel has not been told of, oldest first.
pub async fn pending(conn: &mut impl Sql, ctx: &Ctx, connection: &ConnectionId, limit: u32) -> Result<Vec<(Shipment, String)>, Error> {
    store::pending(conn, ctx, connection, limit).await
}

pub async fn of_order(conn: &mut impl Sql, tenant: &Tenant, order: &OrderId) -> Result<Vec<Shipment>, Error> {
    store::of_order(conn, tenant, order).await
}

/// When the next pending shipment may be tried.
pub async fn next_retry(conn: &mut impl Sql, ctx: &Ctx, connection: &ConnectionId) -> Result<Option<i64>, Error> {
    store::next_retry(conn, ctx, connection).await
}

/// Counted before the call, so that a crash in between leads to a look-up.
pub async fn count_attempt(tx: &mut WriteTx, ctx: &Ctx, shipment: &ShipmentId) -> Result<(), Error> {
    store::count_attempt(tx, ctx, shipment).await
}

/// The channel knows this shipment.
pub async fn written(tx: &mut WriteTx, ctx: &Ctx, shipment: &Shipment, external_id: Option<&str>) -> Result<(), Error> {
    store::set_state(tx, ctx, &shipment.id, State::Written, external_id, None, 0, 0).await?;
    orders::record(tx, ctx, &shipment.order, "written-back", serde_json::json!({ "shipment": shipment.id, "external_id": external_id }))
        .await?;
    Ok(())
}

/// The channel will not take it; a person must look.
pub async fn refused(tx: &mut WriteTx, ctx: &Ctx, shipment: &Shipment, why: &str) -> Result<(), Error> {
    store::set_state(tx, ctx, &shipment.id, State::Refused, None, Some(why), 0, shipment.attempts).await?;
    orders::record(tx, ctx, &shipment.order, "write-back-refused", serde_json::json!({ "shipment": shipment.id, "why": why })).await?;
    Ok(())
}

/// It did not work this time. `certain`: nothing of it reached the channel.
pub async fn postponed(tx: &mut WriteTx, ctx: &Ctx, shipment: &Shipment, why: &str, retry_at: i64, certain: bool) -> Result<(), Error> {
    let attempts = if certain { 0 } else { shipment.attempts + 1 };
    store::set_state(tx, ctx, &shipment.id, State::Pending, None, Some(why), retry_at, attempts).await
}
