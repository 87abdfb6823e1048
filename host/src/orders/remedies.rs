//! What can be done about an order that is oversold.

use std::collections::BTreeSet;

use super::Error;
use crate::catalog;
use crate::ctx::Tenant;
use crate::id::{LocationId, OrderId, VariantId};
use crate::stock;
use crate::store::Sql;

/// What one line lacks, and what would help. A line that sold a kit lacks components.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Shortage {
    pub line: String,
    pub variant: VariantId,
    pub sku: Option<String>,
    pub units: i64,
    pub remedies: Vec<Remedy>,
}

#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Remedy {
    #[serde(rename = "do")]
    pub act: Act,
    /// Units it would help with.
    pub units: i64,
    /// Where they lie, if somewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<LocationId>,
    pub how: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Units lie elsewhere than where the rules look.
    OtherPlace,
    /// Goods that arrive go to waiting orders by themselves.
    Restock,
    /// Promise what is yet to be made or bought.
    Backorder,
    CancelLine,
}

/// Nothing, for an order that lacks nothing.
pub async fn remedies(conn: &mut impl Sql, tenant: &Tenant, order: &OrderId) -> Result<Vec<Shortage>, Error> {
    let lacks = stock::shortage(conn, tenant, order).await?;
    let variants: Vec<VariantId> = lacks.iter().map(|lack| lack.variant.clone()).collect::<BTreeSet<_>>().into_iter().collect();
    let known = catalog::find_many(conn, tenant, &variants).await?;
    let levels = stock::levels_of(conn, tenant, &variants).await?;
    let shortage = |lack: stock::Lack| {
        let sku = known.get(&lack.variant).map(|variant| variant.facts.sku.to_string());
        let name = sku.clone().unwrap_or_else(|| lack.variant.to_string());
        let here = levels.get(&lack.variant).map_or(&[] as &[stock::Level], Vec::as_slice);
        Shortage { remedies: of(order, &lack, &name, here), line: lack.line, variant: lack.variant, sku, units: lack.units }
    };
    Ok(lacks.into_iter().map(shortage).collect())
}

fn of(order: &OrderId, lack: &stock::Lack, name: &str, levels: &[stock::Level]) -> Vec<Remedy> {
    let units = lack.units;
    let free = levels.iter().filter(|level| level.reservable() > 0);
    let elsewhere = free.map(|level| Remedy {
        act: Act::OtherPlace,
        units: level.reservable().min(units),
        location: Some(level.location.clone()),
        how: format!("entrepot order serve {order} --from {}", level.location),
    });
    let made = levels.first().map(|level| (level.backorder_limit + units, format!(" --location {}", level.location)));
    let (limit, place) = made.unwrap_or((units, String::new()));
    let rest = [
        Remedy { act: Act::Restock, units, location: None, how: format!("entrepot stock receive {name} {units}") },
        Remedy { act: Act::Backorder, units, location: None, how: format!("entrepot stock backorder {name} {limit}{place}") },
        Remedy {
            act: Act::CancelLine,
            units,
            location: None,
            how: format!("cancel line {} in the channel's own admin; what it holds is given back when the channel says so", lack.line),
        },
    ];
    elsewhere.chain(rest).collect()
}
