//! The catalogue: products, and their variants with what trade and transport need to know of them.
//!
//! A variant is what is counted, sold and sent; a product only groups variants. Weights are grams, lengths millimetres,
//! safety stock whole pieces that no channel is shown. A SKU names one variant; a GTIN may (by mistake or on purpose) stand
//! on several, so looking one up gives a list. Unknown facts are absent, never zero.
//!
//! Variants are never deleted: orders, stock and the ledger name them. A variant may be a kit, made of others ([`kits_with`],
//! [`recipes`]); then only what it is made of is counted.
//!
//! The file format of [`import`] and [`Export`] is [`COLUMNS`]. A row changes the variant with its SKU or makes a new one; a
//! column that is left out changes nothing, an empty cell clears. What was exported comes back as unchanged.

mod error;
mod export;
mod file;
mod import;
mod kits;
mod model;
mod recipe;
mod store;

use std::collections::BTreeMap;

pub use error::Error;
pub use export::Export;
pub use file::COLUMNS;
pub use import::{Hook, LineProblem, Options, Progress, Report, import};
pub use kits::{components, counted, kits_with, list_kits, recipes, set_components};
pub use model::{Country, Facts, Filter, Gtin, HsCode, Problem, Product, Sku, Variant, VariantPatch};
pub use recipe::{Part, Recipe};

use crate::ctx::{Ctx, Tenant};
use crate::id::{ProductId, VariantId};
use crate::page::{Page, PageRequest};
use crate::store::{Sql, WriteTx};

pub async fn create_product(tx: &mut WriteTx, ctx: &Ctx, title: &str) -> Result<Product, Error> {
    let product = Product {
        id: ProductId::new(&ctx.ids),
        title: model::clean_title("product", title, 1)?,
        created_at: ctx.now_ms(),
        updated_at: ctx.now_ms(),
    };
    store::insert_products(tx, ctx, std::slice::from_ref(&product)).await?;
    Ok(product)
}

pub async fn rename_product(tx: &mut WriteTx, ctx: &Ctx, id: &ProductId, title: &str) -> Result<Product, Error> {
    let mut product = get_product(tx, &ctx.tenant, id).await?;
    product.title = model::clean_title("product", title, 1)?;
    product.updated_at = ctx.now_ms();
    store::rename_product(tx, ctx, &product).await?;
    let mut variants = of_product(tx, &ctx.tenant, id).await?;
    variants.iter_mut().for_each(|variant| variant.product_title.clone_from(&product.title));
    store::put_variants(tx, ctx, &variants).await?;
    Ok(product)
}

pub async fn find_product(conn: &mut impl Sql, tenant: &Tenant, id: &ProductId) -> Result<Option<Product>, Error> {
    Ok(store::products_by_id(conn, tenant, std::slice::from_ref(id)).await?.pop())
}

pub async fn get_product(conn: &mut impl Sql, tenant: &Tenant, id: &ProductId) -> Result<Product, Error> {
    find_product(conn, tenant, id).await?.ok_or_else(|| Error::UnknownProduct { what: id.to_string() })
}

/// Oldest first.
pub async fn list_products(conn: &mut impl Sql, tenant: &Tenant, request: &PageRequest) -> Result<Page<Product>, Error> {
    store::list_products(conn, tenant, request).await
}

pub async fn create_variant(tx: &mut WriteTx, ctx: &Ctx, product: &ProductId, facts: Facts) -> Result<Variant, Error> {
    let product = get_product(tx, &ctx.tenant, product).await?;
    refuse_taken_sku(tx, ctx, &facts.sku, None).await?;
    let variant = Variant::new(ctx, &product, facts.checked()?);
    store::put_variants(tx, ctx, std::slice::from_ref(&variant)).await?;
    Ok(variant)
}

/// Changes what the patch names. Callers who publish stock look at `facts.safety` of the result.
pub async fn change_variant(tx: &mut WriteTx, ctx: &Ctx, id: &VariantId, patch: VariantPatch) -> Result<Variant, Error> {
    let mut variant = get(tx, &ctx.tenant, id).await?;
    if let Some(product) = &patch.product {
        let product = get_product(tx, &ctx.tenant, product).await?;
        (variant.product, variant.product_title) = (product.id, product.title);
    }
    variant.facts = patch.onto(variant.facts).checked()?;
    refuse_taken_sku(tx, ctx, &variant.facts.sku, Some(id)).await?;
    variant.updated_at = ctx.now_ms();
    store::put_variants(tx, ctx, std::slice::from_ref(&variant)).await?;
    Ok(variant)
}

pub async fn find(conn: &mut impl Sql, tenant: &Tenant, id: &VariantId) -> Result<Option<Variant>, Error> {
    Ok(store::variants_by_id(conn, tenant, std::slice::from_ref(id)).await?.pop())
}

pub async fn get(conn: &mut impl Sql, tenant: &Tenant, id: &VariantId) -> Result<Variant, Error> {
    find(conn, tenant, id).await?.ok_or_else(|| Error::UnknownVariant { what: id.to_string() })
}

/// By id or by SKU, as people give it.
pub async fn resolve(conn: &mut impl Sql, tenant: &Tenant, id_or_sku: &str) -> Result<Variant, Error> {
    let found = match VariantId::parse(id_or_sku) {
        Ok(id) => find(conn, tenant, &id).await?,
        Err(_) => find_by_skus(conn, tenant, &[id_or_sku.trim()]).await?.into_values().next(),
    };
    found.ok_or_else(|| Error::UnknownVariant { what: id_or_sku.chars().take(80).collect() })
}

/// The ones that are not known are missing.
pub async fn find_many(conn: &mut impl Sql, tenant: &Tenant, ids: &[VariantId]) -> Result<BTreeMap<VariantId, Variant>, Error> {
    Ok(store::variants_by_id(conn, tenant, ids).await?.into_iter().map(|variant| (variant.id.clone(), variant)).collect())
}

/// By SKU, letter for letter.
pub async fn find_by_skus(conn: &mut impl Sql, tenant: &Tenant, skus: &[&str]) -> Result<BTreeMap<String, Variant>, Error> {
    let found = store::variants_by_sku(conn, tenant, skus, "").await?;
    Ok(found.into_iter().map(|variant| (variant.facts.sku.as_str().to_owned(), variant)).collect())
}

/// By [`Sku::key_of`], which forgets case and white space; several variants may share one.
pub async fn find_by_sku_keys(conn: &mut impl Sql, tenant: &Tenant, keys: &[&str]) -> Result<BTreeMap<String, Vec<Variant>>, Error> {
    Ok(grouped(store::variants_by_sku_key(conn, tenant, keys).await?, |variant| Some(variant.facts.sku.key())))
}

/// By number as the caller wrote it, whatever its length or blanks. A text that is no GTIN finds nothing.
pub async fn find_by_gtins(conn: &mut impl Sql, tenant: &Tenant, texts: &[&str]) -> Result<BTreeMap<String, Vec<Variant>>, Error> {
    let keys: BTreeMap<&str, String> = texts.iter().filter_map(|text| Some((*text, Gtin::parse(text).ok()?.key()))).collect();
    let wanted: Vec<String> = keys.values().cloned().collect();
    let found = store::variants_by_gtin_key(conn, tenant, &wanted).await?;
    let found = grouped(found, |variant| variant.facts.gtin.as_ref().map(Gtin::key));
    Ok(keys.into_iter().filter_map(|(text, key)| Some((text.to_owned(), found.get(&key)?.clone()))).collect())
}

/// Units that no channel is shown, per variant.
pub async fn safety_of(conn: &mut impl Sql, tenant: &Tenant, ids: &[VariantId]) -> Result<BTreeMap<VariantId, i64>, Error> {
    store::safety_of(conn, tenant, ids).await
}

pub async fn of_product(conn: &mut impl Sql, tenant: &Tenant, product: &ProductId) -> Result<Vec<Variant>, Error> {
    store::variants_of_product(conn, tenant, product).await
}

/// By SKU. The text is looked for in SKU, GTIN and titles, in any case.
pub async fn list(conn: &mut impl Sql, tenant: &Tenant, filter: &Filter, request: &PageRequest) -> Result<Page<Variant>, Error> {
    store::list(conn, tenant, filter, request).await
}

fn grouped(variants: Vec<Variant>, key: impl Fn(&Variant) -> Option<String>) -> BTreeMap<String, Vec<Variant>> {
    let mut groups: BTreeMap<String, Vec<Variant>> = BTreeMap::new();
    for variant in variants {
        if let Some(key) = key(&variant) {
            groups.entry(key).or_default().push(variant);
        }
    }
    groups
}

async fn refuse_taken_sku(tx: &mut WriteTx, ctx: &Ctx, sku: &Sku, by: Option<&VariantId>) -> Result<(), Error> {
    match find_by_skus(tx, &ctx.tenant, &[sku.as_str()]).await?.into_values().next() {
        Some(other) if Some(&other.id) != by => Err(Error::SkuTaken { sku: sku.to_string(), by: other.id }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
