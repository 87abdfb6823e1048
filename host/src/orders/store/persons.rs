//! Buyers: finding them, what is kept of them, and what stays when they are erased.

use super::Result;
use crate::args;
use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, OrderId, PersonId};
use crate::orders::persons::{Erasure, Whom};
use crate::store::{Sql, WriteTx};

/// Those meant, in the order of their ids. `code`: of the e-mail address, where one is given.
pub async fn find(conn: &mut impl Sql, tenant: &Tenant, whom: &Whom, code: Option<&str>) -> Result<Vec<PersonId>> {
    let rows = match whom {
        Whom::Order(order) => {
            let sql = "SELECT person FROM orders WHERE tenant = $1 AND id = $2 AND person IS NOT NULL";
            conn.fetch_all(sql, args![tenant, order]).await?
        }
        Whom::Customer { connection, external_id } => {
            let sql = "SELECT id FROM person WHERE tenant = $1 AND connection = $2 AND external_id = $3 ORDER BY id";
            conn.fetch_all(sql, args![tenant, connection, external_id]).await?
        }
        Whom::Email(_) => {
            let sql = "SELECT id FROM person WHERE tenant = $1 AND match_code = $2 ORDER BY id";
            conn.fetch_all(sql, args![tenant, code.unwrap_or_default()]).await?
        }
        Whom::SomeOf(connection) => {
            let sql = "SELECT id FROM person p WHERE tenant = $1 AND connection = $2 AND NOT EXISTS \
                       (SELECT 1 FROM erasure e WHERE e.tenant = p.tenant AND e.person = p.id) ORDER BY id LIMIT 100";
            conn.fetch_all(sql, args![tenant, connection]).await?
        }
        Whom::Person(person) => conn.fetch_all("SELECT id FROM person WHERE tenant = $1 AND id = $2", args![tenant, person]).await?,
    };
    Ok(rows.iter().map(|row| row.get(0)).collect::<std::result::Result<_, _>>()?)
}

/// Oldest first.
pub async fn orders_of(conn: &mut impl Sql, tenant: &Tenant, person: &PersonId) -> Result<Vec<OrderId>> {
    let sql = "SELECT id FROM orders WHERE tenant = $1 AND person = $2 ORDER BY placed_at, id";
    let rows = conn.fetch_all(sql, args![tenant, person]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect::<super::Cells<_>>()?)
}

/// Takes away by what the buyer would be found again, and what was sealed of the orders; returns those, as channels name them.
pub async fn strip(tx: &mut WriteTx, ctx: &Ctx, person: &PersonId) -> Result<Vec<(ConnectionId, String)>> {
    tx.execute("UPDATE person SET external_id = NULL, match_code = NULL WHERE tenant = $1 AND id = $2", args![&ctx.tenant, person]).await?;
    let rows = tx
        .fetch_all(
            "UPDATE orders SET personal = NULL WHERE tenant = $1 AND person = $2 RETURNING connection, external_id",
            args![&ctx.tenant, person],
        )
        .await?;
    Ok(rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<super::Cells<_>>()?)
}

/// Without anything about the buyer: an id that nothing else carries any more. `false` if it was noted before.
pub async fn note(tx: &mut WriteTx, ctx: &Ctx, person: &PersonId) -> Result<bool> {
    let noted = tx
        .execute(
            "INSERT INTO erasure (tenant, person, actor, erased_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            args![&ctx.tenant, person, &ctx.actor, ctx.now_ms()],
        )
        .await?;
    Ok(noted == 1)
}

/// In the order of their ids, after one.
pub async fn erasures(conn: &mut impl Sql, tenant: &Tenant, after: Option<&PersonId>, limit: u32) -> Result<Vec<Erasure>> {
    let sql = "SELECT person, actor, erased_at FROM erasure WHERE tenant = $1 AND person > $2 ORDER BY person LIMIT $3";
    let rows = conn.fetch_all(sql, args![tenant, after.map_or("", PersonId::as_str), limit]).await?;
    let erasure = |row: &crate::store::Row| Ok(Erasure { person: row.get(0)?, actor: row.get(1)?, erased_at: row.get(2)? });
    Ok(rows.iter().map(erasure).collect::<super::Cells<_>>()?)
}
