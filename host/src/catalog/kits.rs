//! Kits: variants that are made of others, to any depth.
//!
//! A kit has no stock of its own. What it is made of may share components with other kits and with what is sold by itself;
//! everything that counts goes through [`recipes`], which takes a kit apart down to the variants that are counted. Sets that
//! would contain themselves are refused by name.

use std::collections::{BTreeMap, BTreeSet};

use super::error::Error;
use super::recipe::{self, Part, Recipe};
use super::{Problem, find_many, store};
use crate::ctx::{Ctx, Tenant};
use crate::id::VariantId;
use crate::store::{Sql, WriteTx};

/// Most units of one component in one kit: more is a slip of the unit.
const MAX_QUANTITY: i64 = 100_000;
const MAX_PARTS: usize = 500;

/// Says what `kit` is made of; no parts: it is no kit any more. Returns whether that is a change. The caller has made sure
/// that the kit has no stock of its own.
pub async fn set_components(tx: &mut WriteTx, ctx: &Ctx, kit: &VariantId, parts: &[Part]) -> Result<bool, Error> {
    let mut wanted: Vec<Part> = parts.to_vec();
    wanted.sort();
    checked(&wanted)?;
    let named: Vec<VariantId> = wanted.iter().map(|part| part.component.clone()).chain([kit.clone()]).collect();
    // Two people may build a circle from two sides: everything either of them leans on is held before anybody looks.
    let below = below(tx, &ctx.tenant, &named).await?;
    let known = store::kits::hold(tx, ctx, &below).await?;
    if let Some(missing) = named.iter().find(|id| !known.contains(id)) {
        return Err(Error::UnknownVariant { what: missing.to_string() });
    }
    let edges = store::kits::edges_below(tx, &ctx.tenant, &named).await?;
    let mut after: BTreeMap<VariantId, Vec<Part>> = edges;
    let before = after.insert(kit.clone(), wanted.clone()).unwrap_or_default();
    if before == wanted {
        return Ok(false);
    }
    match recipe::take_apart(&after, kit) {
        Err(recipe::Fault::Circle(path)) => return Err(Error::Circle { path: named_path(tx, ctx, &path).await? }),
        Err(recipe::Fault::TooMany { component }) => return Err(too_many(&component)),
        Ok(_) => {}
    }
    store::kits::replace(tx, ctx, kit, &wanted).await?;
    Ok(true)
}

fn checked(sorted: &[Part]) -> Result<(), Problem> {
    if sorted.len() > MAX_PARTS {
        return Err(Problem::new("components", &sorted.len().to_string(), format!("give at most {MAX_PARTS} components")));
    }
    if let Some(bad) = sorted.iter().find(|part| !(1..=MAX_QUANTITY).contains(&part.quantity)) {
        return Err(Problem::new("quantity", &bad.quantity.to_string(), format!("give 1 to {MAX_QUANTITY} units of each component")));
    }
    if let Some(twice) = sorted.windows(2).find(|pair| pair[0].component == pair[1].component) {
        return Err(Problem::new("components", twice[0].component.as_str(), "name each component once, with its whole quantity"));
    }
    Ok(())
}

fn too_many(component: &VariantId) -> Error {
    Problem::new("quantity", component.as_str(), "the kits inside this one multiply beyond any stock: give smaller quantities").into()
}

/// The variants and everything below them.
async fn below(tx: &mut WriteTx, tenant: &Tenant, of: &[VariantId]) -> Result<Vec<VariantId>, Error> {
    let edges = store::kits::edges_below(tx, tenant, of).await?;
    let all = edges.values().flatten().map(|part| part.component.clone()).chain(of.iter().cloned());
    Ok(all.collect::<BTreeSet<_>>().into_iter().collect())
}

/// `SET-A -> SET-B -> SET-A`, by SKU.
async fn named_path(tx: &mut WriteTx, ctx: &Ctx, path: &[VariantId]) -> Result<String, Error> {
    let known = find_many(tx, &ctx.tenant, path).await?;
    let name = |id: &VariantId| known.get(id).map_or_else(|| id.to_string(), |variant| variant.facts.sku.to_string());
    Ok(path.iter().map(name).collect::<Vec<_>>().join(" -> "))
}

/// What a variant is directly made of; nothing if it is no kit.
pub async fn components(conn: &mut impl Sql, tenant: &Tenant, kit: &VariantId) -> Result<Vec<Part>, Error> {
    Ok(store::kits::edges_of(conn, tenant, kit).await?)
}

/// Those of the variants that are kits, taken apart down to what is counted.
pub async fn recipes(conn: &mut impl Sql, tenant: &Tenant, variants: &[VariantId]) -> Result<BTreeMap<VariantId, Recipe>, Error> {
    let edges = store::kits::edges_below(conn, tenant, variants).await?;
    let mut found = BTreeMap::new();
    for kit in variants.iter().filter(|variant| edges.contains_key(variant)) {
        let recipe = recipe::take_apart(&edges, kit).map_err(|fault| match fault {
            recipe::Fault::Circle(path) => Error::Circle { path: path.iter().map(ToString::to_string).collect::<Vec<_>>().join(" -> ") },
            recipe::Fault::TooMany { component } => too_many(&component),
        })?;
        found.insert(kit.clone(), recipe);
    }
    Ok(found)
}

/// What is counted when these are sold: themselves, or what they are made of.
pub async fn counted(conn: &mut impl Sql, tenant: &Tenant, variants: BTreeSet<VariantId>) -> Result<BTreeSet<VariantId>, Error> {
    let asked: Vec<VariantId> = variants.iter().cloned().collect();
    let recipes = recipes(conn, tenant, &asked).await?;
    let parts = recipes.values().flat_map(|recipe| recipe.keys().cloned());
    Ok(variants.iter().filter(|variant| !recipes.contains_key(*variant)).cloned().chain(parts).collect())
}

/// Every kit that contains one of these, at any depth.
pub async fn kits_with(conn: &mut impl Sql, tenant: &Tenant, components: &[VariantId]) -> Result<Vec<VariantId>, Error> {
    Ok(store::kits::above(conn, tenant, components).await?)
}

/// Kits with what they are directly made of, by the kit's id, behind `after`.
pub async fn list_kits(
    conn: &mut impl Sql,
    tenant: &Tenant,
    after: Option<&VariantId>,
    limit: u32,
) -> Result<Vec<(VariantId, Vec<Part>)>, Error> {
    Ok(store::kits::list(conn, tenant, after, limit).await?)
}
