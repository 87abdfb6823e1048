//! SQL on `component`.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::recipe::Part;
use crate::ctx::{Ctx, Tenant};
use crate::id::VariantId;
use crate::store::{Error, Row, Sql, Value, WriteTx, placeholders};
use crate::{args, cells};

const CHUNK: usize = 250;

fn part(row: &Row) -> Result<(VariantId, Part), Error> {
    Ok((row.get(0)?, Part { component: row.get(1)?, quantity: row.get(2)? }))
}

fn by_kit(rows: &[Row]) -> Result<BTreeMap<VariantId, Vec<Part>>, Error> {
    let mut kits: BTreeMap<VariantId, Vec<Part>> = BTreeMap::new();
    for row in rows {
        let (kit, part) = part(row)?;
        kits.entry(kit).or_default().push(part);
    }
    kits.values_mut().for_each(|parts| parts.sort());
    Ok(kits)
}

fn behind_tenant(tenant: &Tenant, wanted: &[VariantId]) -> (Vec<Value>, String) {
    let values: Vec<Value> = std::iter::once(Value::from(tenant)).chain(wanted.iter().map(Value::from)).collect();
    let list: Vec<String> = (2..=values.len()).map(|n| format!("${n}")).collect();
    (values, list.join(", "))
}

pub async fn edges_of(conn: &mut impl Sql, tenant: &Tenant, kit: &VariantId) -> Result<Vec<Part>, Error> {
    let sql = "SELECT kit, component, quantity FROM component WHERE tenant = $1 AND kit = $2 ORDER BY component";
    conn.fetch_all(sql, args![tenant, kit]).await?.iter().map(|row| Ok(part(row)?.1)).collect()
}

/// What these kits, and the kits in them, are made of. Ends on a circle too: `UNION` keeps each row once.
pub async fn edges_below(conn: &mut impl Sql, tenant: &Tenant, kits: &[VariantId]) -> Result<BTreeMap<VariantId, Vec<Part>>, Error> {
    let mut found = BTreeMap::new();
    for chunk in kits.chunks(CHUNK) {
        let (values, list) = behind_tenant(tenant, chunk);
        let sql = format!(
            "WITH RECURSIVE below (kit, component, quantity) AS ( \
             SELECT kit, component, quantity FROM component WHERE tenant = $1 AND kit IN ({list}) UNION \
             SELECT c.kit, c.component, c.quantity FROM below b JOIN component c ON c.tenant = $1 AND c.kit = b.component) \
             SELECT kit, component, quantity FROM below"
        );
        found.extend(by_kit(&conn.fetch_built(sql, &values).await?)?);
    }
    Ok(found)
}

pub async fn above(conn: &mut impl Sql, tenant: &Tenant, components: &[VariantId]) -> Result<Vec<VariantId>, Error> {
    let mut found = BTreeSet::new();
    for chunk in components.chunks(CHUNK) {
        let (values, list) = behind_tenant(tenant, chunk);
        let sql = format!(
            "WITH RECURSIVE above (kit) AS ( \
             SELECT kit FROM component WHERE tenant = $1 AND component IN ({list}) UNION \
             SELECT c.kit FROM above a JOIN component c ON c.tenant = $1 AND c.component = a.kit) SELECT kit FROM above"
        );
        for row in conn.fetch_built(sql, &values).await? {
            found.insert(row.get(0)?);
        }
    }
    Ok(found.into_iter().collect())
}

pub async fn list(
    conn: &mut impl Sql,
    tenant: &Tenant,
    after: Option<&VariantId>,
    limit: u32,
) -> Result<Vec<(VariantId, Vec<Part>)>, Error> {
    let rows = conn
        .fetch_all(
            "SELECT kit, component, quantity FROM component WHERE tenant = $1 AND kit IN \
             (SELECT DISTINCT kit FROM component WHERE tenant = $1 AND kit > $2 ORDER BY kit LIMIT $3)",
            args![tenant, after.map_or(String::new(), ToString::to_string), limit],
        )
        .await?;
    Ok(by_kit(&rows)?.into_iter().collect())
}

/// Locks variants in the order of their ids; returns those that exist.
pub async fn hold(tx: &mut WriteTx, ctx: &Ctx, sorted: &[VariantId]) -> Result<BTreeSet<VariantId>, Error> {
    let mut found = BTreeSet::new();
    for chunk in sorted.chunks(CHUNK) {
        let (values, list) = behind_tenant(&ctx.tenant, chunk);
        let sql = format!("SELECT id FROM variant WHERE tenant = $1 AND id IN ({list}) ORDER BY id{}", tx.dialect().for_update());
        for row in tx.fetch_built(sql, &values).await? {
            found.insert(row.get(0)?);
        }
    }
    Ok(found)
}

pub async fn replace(tx: &mut WriteTx, ctx: &Ctx, kit: &VariantId, parts: &[Part]) -> Result<(), Error> {
    tx.execute("DELETE FROM component WHERE tenant = $1 AND kit = $2", args![&ctx.tenant, kit]).await?;
    for chunk in parts.chunks(CHUNK) {
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 4);
        for part in chunk {
            values.extend(cells![&ctx.tenant, kit, &part.component, part.quantity]);
        }
        let sql = format!("INSERT INTO component (tenant, kit, component, quantity) VALUES {}", placeholders(chunk.len(), 4));
        tx.execute_built(sql, &values).await?;
    }
    Ok(())
}
