//! The SQL of plans: what a push would do, kept so that accepting names exactly that.

use crate::args;
use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, PlanId};
use crate::store::{Sql, WriteTx};
use crate::sync::Error;

type Result<T> = std::result::Result<T, Error>;

/// A plan as it is kept.
pub struct StoredPlan {
    pub connection: ConnectionId,
    pub purpose: String,
    pub digest: String,
    /// JSON.
    pub changes: String,
    pub accepted_at: Option<i64>,
}

pub async fn put_plan(tx: &mut WriteTx, ctx: &Ctx, id: &PlanId, plan: &StoredPlan) -> Result<()> {
    tx.execute(
        "INSERT INTO plan (tenant, id, connection, purpose, digest, changes, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        args![&ctx.tenant, id, &plan.connection, &plan.purpose, &plan.digest, &plan.changes, ctx.now_ms()],
    )
    .await?;
    Ok(())
}

pub async fn plan(conn: &mut impl Sql, tenant: &Tenant, id: &PlanId) -> Result<Option<StoredPlan>> {
    let sql = "SELECT connection, purpose, digest, changes, accepted_at FROM plan WHERE tenant = $1 AND id = $2";
    let row = conn.fetch_optional(sql, args![tenant, id]).await?;
    row.map(|row| {
        Ok(StoredPlan {
            connection: row.get(0)?,
            purpose: row.get(1)?,
            digest: row.get(2)?,
            changes: row.get(3)?,
            accepted_at: row.get(4)?,
        })
    })
    .transpose()
}

/// `false` if it was accepted before.
pub async fn accept_plan(tx: &mut WriteTx, ctx: &Ctx, id: &PlanId) -> Result<bool> {
    let sql = "UPDATE plan SET accepted_at = $3 WHERE tenant = $1 AND id = $2 AND accepted_at IS NULL";
    Ok(tx.execute(sql, args![&ctx.tenant, id, ctx.now_ms()]).await? == 1)
}
