//! All SQL on `product`, `variant` and, in [`kits`], `component`.

pub mod kits;

use std::collections::BTreeMap;

use super::error::Error;
use super::model::{Facts, Filter, Gtin, Product, Variant};
use crate::ctx::{Ctx, Tenant};
use crate::id::{ProductId, VariantId};
use crate::page::{Cursor, Page, PageRequest};
use crate::store::{Row, Sql, Value, WriteTx, placeholders};
use crate::{args, cells};

/// SQLite looks up a parameter's name in a list: the work of binding grows with the square of their number.
const ROWS: usize = 50;
const CHUNK: usize = 250;

const VARIANTS: &str = "SELECT v.id, v.product, p.title, v.sku, v.gtin, v.title, v.weight_g, v.length_mm, v.width_mm, v.height_mm, v.hs_code, \
     v.origin, v.safety, v.created_at, v.updated_at FROM variant v JOIN product p ON p.tenant = v.tenant AND p.id = v.product WHERE v.tenant = $1";

pub async fn insert_products(tx: &mut WriteTx, ctx: &Ctx, products: &[Product]) -> Result<(), Error> {
    for chunk in products.chunks(ROWS) {
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 5);
        for p in chunk {
            values.extend(cells![&ctx.tenant, &p.id, &p.title, p.created_at, p.updated_at]);
        }
        let sql = format!("INSERT INTO product (tenant, id, title, created_at, updated_at) VALUES {}", placeholders(chunk.len(), 5));
        tx.execute_built(sql, &values).await?;
    }
    Ok(())
}

pub async fn rename_product(tx: &mut WriteTx, ctx: &Ctx, p: &Product) -> Result<(), Error> {
    tx.execute(
        "UPDATE product SET title = $3, updated_at = $4 WHERE tenant = $1 AND id = $2",
        args![&ctx.tenant, &p.id, &p.title, p.updated_at],
    )
    .await?;
    Ok(())
}

/// Inserts new variants and overwrites known ones.
pub async fn put_variants(tx: &mut WriteTx, ctx: &Ctx, variants: &[Variant]) -> Result<(), Error> {
    for chunk in variants.chunks(ROWS) {
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 18);
        for v in chunk {
            let f = &v.facts;
            values.extend(cells![
                &ctx.tenant,
                &v.id,
                &v.product,
                &f.sku,
                f.sku.key(),
                f.gtin.as_ref(),
                f.gtin.as_ref().map(Gtin::key),
                &f.title,
                v.search_text(),
                f.weight_g,
                f.length_mm,
                f.width_mm,
                f.height_mm,
                f.hs_code.as_ref(),
                f.origin.as_ref(),
                f.safety,
                v.created_at,
                v.updated_at,
            ]);
        }
        let sql = format!(
            "INSERT INTO variant (tenant, id, product, sku, sku_key, gtin, gtin_key, title, search, weight_g, length_mm, width_mm, height_mm, hs_code, \
             origin, safety, created_at, updated_at) VALUES {} ON CONFLICT (tenant, id) DO UPDATE SET product = excluded.product, sku = excluded.sku, \
             sku_key = excluded.sku_key, gtin = excluded.gtin, gtin_key = excluded.gtin_key, title = excluded.title, search = excluded.search, \
             weight_g = excluded.weight_g, length_mm = excluded.length_mm, width_mm = excluded.width_mm, height_mm = excluded.height_mm, \
             hs_code = excluded.hs_code, origin = excluded.origin, safety = excluded.safety, updated_at = excluded.updated_at",
            placeholders(chunk.len(), 18)
        );
        tx.execute_built(sql, &values).await?;
    }
    Ok(())
}

pub async fn products_by_id(conn: &mut impl Sql, tenant: &Tenant, ids: &[ProductId]) -> Result<Vec<Product>, Error> {
    products_in(conn, tenant, "id", ids.iter().map(Value::from).collect()).await
}

pub async fn products_by_title(conn: &mut impl Sql, tenant: &Tenant, titles: &[&str]) -> Result<Vec<Product>, Error> {
    products_in(conn, tenant, "title", titles.iter().map(|title| Value::from(*title)).collect()).await
}

async fn products_in(conn: &mut impl Sql, tenant: &Tenant, column: &'static str, wanted: Vec<Value>) -> Result<Vec<Product>, Error> {
    let mut found = Vec::new();
    for chunk in wanted.chunks(CHUNK) {
        let (values, list) = behind_tenant(tenant, chunk);
        let sql = format!("SELECT id, title, created_at, updated_at FROM product WHERE tenant = $1 AND {column} IN ({list})");
        for row in conn.fetch_built(sql, &values).await? {
            found.push(product(&row)?);
        }
    }
    Ok(found)
}

pub async fn list_products(conn: &mut impl Sql, tenant: &Tenant, request: &PageRequest) -> Result<Page<Product>, Error> {
    let after = request.after("products", 1)?.unwrap_or_else(|| vec![String::new()]);
    let sql = "SELECT id, title, created_at, updated_at FROM product WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3";
    let rows = conn.fetch_all(sql, args![tenant, &after[0], request.limit() + 1]).await?;
    let items = rows.iter().map(product).collect::<Result<_, _>>()?;
    Ok(Page::cut(items, request.limit(), |last: &Product| Cursor::new("products", &[last.id.as_str()])))
}

pub async fn variants_by_id(conn: &mut impl Sql, tenant: &Tenant, ids: &[VariantId]) -> Result<Vec<Variant>, Error> {
    variants_in(conn, tenant, "id", ids.iter().map(Value::from).collect(), "").await
}

/// `lock` is the dialect's words for locking the rows, or nothing.
pub async fn variants_by_sku(conn: &mut impl Sql, tenant: &Tenant, skus: &[&str], lock: &'static str) -> Result<Vec<Variant>, Error> {
    variants_in(conn, tenant, "sku", skus.iter().map(|sku| Value::from(*sku)).collect(), lock).await
}

pub async fn variants_by_sku_key(conn: &mut impl Sql, tenant: &Tenant, keys: &[&str]) -> Result<Vec<Variant>, Error> {
    variants_in(conn, tenant, "sku_key", keys.iter().map(|key| Value::from(*key)).collect(), "").await
}

pub async fn variants_by_gtin_key(conn: &mut impl Sql, tenant: &Tenant, keys: &[String]) -> Result<Vec<Variant>, Error> {
    variants_in(conn, tenant, "gtin_key", keys.iter().map(Value::from).collect(), "").await
}

pub async fn variants_of_product(conn: &mut impl Sql, tenant: &Tenant, id: &ProductId) -> Result<Vec<Variant>, Error> {
    variants_in(conn, tenant, "product", vec![Value::from(id)], "").await
}

async fn variants_in(
    conn: &mut impl Sql,
    tenant: &Tenant,
    column: &'static str,
    wanted: Vec<Value>,
    lock: &'static str,
) -> Result<Vec<Variant>, Error> {
    let mut found = Vec::new();
    for chunk in wanted.chunks(CHUNK) {
        let (values, list) = behind_tenant(tenant, chunk);
        for row in conn.fetch_built(variants_sql(column, &list, lock), &values).await? {
            found.push(variant(&row)?);
        }
    }
    Ok(found)
}

pub async fn safety_of(conn: &mut impl Sql, tenant: &Tenant, ids: &[VariantId]) -> Result<BTreeMap<VariantId, i64>, Error> {
    let mut found = BTreeMap::new();
    let wanted: Vec<Value> = ids.iter().map(Value::from).collect();
    for chunk in wanted.chunks(CHUNK) {
        let (values, list) = behind_tenant(tenant, chunk);
        let sql = format!("SELECT id, safety FROM variant WHERE tenant = $1 AND id IN ({list})");
        for row in conn.fetch_built(sql, &values).await? {
            found.insert(row.get(0)?, row.get(1)?);
        }
    }
    Ok(found)
}

/// Sorted only where rows are locked: asked for an order, SQLite would rather walk through all variants by id than look them up.
pub(super) fn variants_sql(column: &'static str, list: &str, lock: &'static str) -> String {
    let order = if lock.is_empty() { "" } else { " ORDER BY v.id" };
    format!("{VARIANTS} AND v.{column} IN ({list}){order}{lock}")
}

fn behind_tenant(tenant: &Tenant, wanted: &[Value]) -> (Vec<Value>, String) {
    let values: Vec<Value> = std::iter::once(Value::from(tenant)).chain(wanted.iter().cloned()).collect();
    let list: Vec<String> = (2..=values.len()).map(|n| format!("${n}")).collect();
    (values, list.join(", "))
}

pub async fn list(conn: &mut impl Sql, tenant: &Tenant, filter: &Filter, request: &PageRequest) -> Result<Page<Variant>, Error> {
    let after = request.after("variants", 1)?.unwrap_or_else(|| vec![String::new()]);
    let items = after_sku(conn, tenant, filter, &after[0], request.limit() + 1).await?;
    Ok(Page::cut(items, request.limit(), |last| Cursor::new("variants", &[last.facts.sku.as_str()])))
}

/// In the database's order of SKUs, which is its own affair as long as it stays the same.
pub async fn after_sku(conn: &mut impl Sql, tenant: &Tenant, filter: &Filter, after: &str, limit: u32) -> Result<Vec<Variant>, Error> {
    let mut values = args![tenant, after, limit].to_vec();
    let mut sql = format!("{VARIANTS} AND v.sku > $2");
    for word in filter.text.iter().flat_map(|text| text.split_whitespace()) {
        values.push(Value::from(format!("%{}%", escape_like(&word.to_lowercase()))));
        sql.push_str(&format!(" AND v.search LIKE ${} ESCAPE '\\'", values.len()));
    }
    if let Some(product) = &filter.product {
        values.push(product.into());
        sql.push_str(&format!(" AND v.product = ${}", values.len()));
    }
    sql.push_str(" ORDER BY v.sku LIMIT $3");
    conn.fetch_built(sql, &values).await?.iter().map(variant).collect()
}

fn escape_like(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

fn product(row: &Row) -> Result<Product, Error> {
    Ok(Product { id: row.get(0)?, title: row.get(1)?, created_at: row.get(2)?, updated_at: row.get(3)? })
}

fn variant(row: &Row) -> Result<Variant, Error> {
    Ok(Variant {
        id: row.get(0)?,
        product: row.get(1)?,
        product_title: row.get(2)?,
        facts: Facts {
            sku: row.get(3)?,
            gtin: row.get(4)?,
            title: row.get(5)?,
            weight_g: row.get(6)?,
            length_mm: row.get(7)?,
            width_mm: row.get(8)?,
            height_mm: row.get(9)?,
            hs_code: row.get(10)?,
            origin: row.get(11)?,
            safety: row.get(12)?,
        },
        created_at: row.get(13)?,
        updated_at: row.get(14)?,
    })
}
