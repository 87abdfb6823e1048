//! All SQL on `listing`, `listing_level` and, in [`allotment`], what connections may show.

pub mod allotment;

use std::collections::BTreeMap;

use super::error::Error;
use super::model::{Brief, ChannelListing, Details, Filter, Link, Listing, Publication, SeenLevel, WHOLE_BPS};
use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, ListingId, VariantId};
use crate::page::{Cursor, Page, PageRequest};
use crate::store::{Row, Sql, Value, WriteTx, placeholders};
use crate::{args, cells};

pub const UPSERT_ROWS: usize = 100;
const CHUNK: usize = 250;

macro_rules! columns {
    () => {
        "id, connection, external_id, parent, sku, gtin, title, status, tracking, price, price_currency, handles, document, \
         variant, link, link_reason, buffer, share_bps, cap, seen_at, created_at"
    };
}

/// What is stored of a listing already.
pub struct Known {
    pub id: ListingId,
    pub digest: String,
    pub seen_at: i64,
}

/// By the channel's id.
pub async fn known(
    tx: &mut WriteTx,
    ctx: &Ctx,
    connection: &ConnectionId,
    seen: &[&ChannelListing],
) -> Result<BTreeMap<String, Known>, Error> {
    let mut values = args![&ctx.tenant, connection].to_vec();
    values.extend(seen.iter().map(|listing| Value::from(&listing.external_id)));
    let list: Vec<String> = (3..=values.len()).map(|n| format!("${n}")).collect();
    let sql = format!(
        "SELECT external_id, id, digest, seen_at FROM listing WHERE tenant = $1 AND connection = $2 AND external_id IN ({})",
        list.join(", ")
    );
    let row = |row: &Row| Ok((row.get(0)?, Known { id: row.get(1)?, digest: row.get(2)?, seen_at: row.get(3)? }));
    tx.fetch_built(sql, &values).await?.iter().map(row).collect()
}

pub struct Upserted {
    pub ids: BTreeMap<String, ListingId>,
    pub created: Vec<ListingId>,
}

/// Each with its digest. The external ids must differ and come sorted, so that two readers of one shop never wait for each other
/// in a circle.
pub async fn upsert(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, seen: &[(&ChannelListing, String)]) -> Result<Upserted, Error> {
    let now = ctx.now_ms();
    let mut values: Vec<Value> = Vec::with_capacity(seen.len() * 23);
    let mut fresh = BTreeMap::new();
    for (l, digest) in seen {
        let id = ListingId::new(&ctx.ids);
        let details = Details {
            options: l.options.clone(),
            weight_g: l.weight_g,
            hs_code: l.hs_code.clone(),
            origin: l.origin.clone(),
            url: l.url.clone(),
            updated_at: l.updated_at,
            extras: l.extras.clone(),
        };
        let (price, currency) = l.price.clone().unzip();
        values.extend(cells![
            &ctx.tenant,
            &id,
            connection,
            &l.external_id,
            clean(&l.parent),
            clean(&l.sku),
            clean(&l.gtin),
            l.title.replace('\0', ""),
            l.status.as_str(),
            l.tracking.as_str(),
            clean(&price),
            clean(&currency),
            l.handles.to_string(),
            serde_json::json!(details).to_string(),
            None::<String>,
            Link::Unmatched.as_str(),
            Some("not matched yet"),
            0i64,
            WHOLE_BPS,
            None::<i64>,
            now,
            now,
            digest,
        ]);
        fresh.insert(l.external_id.clone(), id);
    }
    let sql = format!(
        "INSERT INTO listing (tenant, {}, digest) VALUES {} ON CONFLICT (tenant, connection, external_id) DO UPDATE SET \
         parent = excluded.parent, sku = excluded.sku, gtin = excluded.gtin, title = excluded.title, status = excluded.status, \
         tracking = excluded.tracking, price = excluded.price, price_currency = excluded.price_currency, handles = excluded.handles, \
         document = excluded.document, seen_at = excluded.seen_at, digest = excluded.digest RETURNING external_id, id",
        columns!(),
        placeholders(seen.len(), 23)
    );
    let mut known = Upserted { ids: BTreeMap::new(), created: Vec::new() };
    for row in tx.fetch_built(sql, &values).await? {
        let (external_id, id): (String, ListingId) = (row.get(0)?, row.get(1)?);
        if fresh.get(&external_id) == Some(&id) {
            known.created.push(id.clone());
        }
        known.ids.insert(external_id, id);
    }
    Ok(known)
}

/// PostgreSQL keeps no NUL in a text, and an empty text says no more than none.
fn clean(text: &Option<String>) -> Option<String> {
    text.as_ref().map(|text| text.replace('\0', "")).filter(|text| !text.trim().is_empty())
}

pub async fn replace_levels(
    tx: &mut WriteTx,
    ctx: &Ctx,
    seen: &[(&ChannelListing, String)],
    ids: &BTreeMap<String, ListingId>,
) -> Result<(), Error> {
    let mut values: Vec<Value> = ids.values().map(Value::from).collect();
    values.push(Value::from(&ctx.tenant));
    let sql = format!("DELETE FROM listing_level WHERE tenant = ${} AND listing IN {}", ids.len() + 1, placeholders(1, ids.len()));
    tx.execute_built(sql, &values).await?;
    let mut levels: BTreeMap<(&ListingId, &str), i64> = BTreeMap::new();
    for (listing, _) in seen {
        let Some(id) = ids.get(&listing.external_id) else { continue };
        for (location, quantity) in &listing.levels {
            levels.insert((id, location.as_deref().unwrap_or_default()), *quantity);
        }
    }
    let levels: Vec<_> = levels.into_iter().collect();
    for chunk in levels.chunks(CHUNK) {
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 5);
        for ((listing, location), quantity) in chunk {
            values.extend(cells![&ctx.tenant, *listing, *location, *quantity, ctx.now_ms()]);
        }
        let sql =
            format!("INSERT INTO listing_level (tenant, listing, location, quantity, read_at) VALUES {}", placeholders(chunk.len(), 5));
        tx.execute_built(sql, &values).await?;
    }
    Ok(())
}

pub async fn find_many(conn: &mut impl Sql, tenant: &Tenant, ids: &[ListingId]) -> Result<Vec<Listing>, Error> {
    let mut found = select_in(conn, WHOLE, listing, "id", &[Value::from(tenant)], ids.iter().map(Value::from)).await?;
    found.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(found)
}

pub async fn find_external(
    conn: &mut impl Sql,
    tenant: &Tenant,
    connection: &ConnectionId,
    external_ids: &[&str],
) -> Result<BTreeMap<String, Listing>, Error> {
    let fixed = [Value::from(tenant), Value::from(connection)];
    let found = select_in(conn, WHOLE, listing, BY_EXTERNAL, &fixed, external_ids.iter().map(|id| Value::from(*id))).await?;
    Ok(found.into_iter().map(|listing| (listing.external_id.clone(), listing)).collect())
}

pub async fn of_variants(conn: &mut impl Sql, tenant: &Tenant, variants: &[VariantId]) -> Result<Vec<Listing>, Error> {
    let mut found = select_in(conn, WHOLE, listing, "variant", &[Value::from(tenant)], variants.iter().map(Value::from)).await?;
    found.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(found)
}

pub async fn brief_external(
    conn: &mut impl Sql,
    tenant: &Tenant,
    connection: &ConnectionId,
    external_ids: &[&str],
) -> Result<BTreeMap<String, Brief>, Error> {
    let fixed = [Value::from(tenant), Value::from(connection)];
    let found = select_in(conn, BRIEF, brief, BY_EXTERNAL, &fixed, external_ids.iter().map(|id| Value::from(*id))).await?;
    Ok(found.into_iter().map(|brief| (brief.external_id.clone(), brief)).collect())
}

pub async fn brief_of_variants(conn: &mut impl Sql, tenant: &Tenant, variants: &[VariantId]) -> Result<Vec<Brief>, Error> {
    select_in(conn, BRIEF, brief, "variant", &[Value::from(tenant)], variants.iter().map(Value::from)).await
}

const WHOLE: &str = columns!();
const BRIEF: &str = "id, connection, external_id, tracking, variant";
const BY_EXTERNAL: &str = "connection = $2 AND external_id";

/// `column` ends with the column that the list is of; `fixed` begins with the tenant.
async fn select_in<T>(
    conn: &mut impl Sql,
    columns: &'static str,
    read: fn(&Row) -> Result<T, Error>,
    column: &'static str,
    fixed: &[Value],
    wanted: impl Iterator<Item = Value>,
) -> Result<Vec<T>, Error> {
    let wanted: Vec<Value> = wanted.collect();
    let mut found = Vec::with_capacity(wanted.len());
    for chunk in wanted.chunks(CHUNK) {
        let values: Vec<Value> = fixed.iter().chain(chunk).cloned().collect();
        let list: Vec<String> = (fixed.len() + 1..=values.len()).map(|n| format!("${n}")).collect();
        let sql = format!("SELECT {columns} FROM listing WHERE tenant = $1 AND {column} IN ({})", list.join(", "));
        for row in conn.fetch_built(sql, &values).await? {
            found.push(read(&row)?);
        }
    }
    Ok(found)
}

pub async fn list(conn: &mut impl Sql, tenant: &Tenant, filter: &Filter, request: &PageRequest) -> Result<Page<Listing>, Error> {
    let after = request.after("listings", 1)?.unwrap_or_else(|| vec![String::new()]);
    let links: Vec<Link> = filter.link.into_iter().collect();
    let items = select_after(conn, tenant, filter, &links, &after[0], request.limit() + 1).await?;
    Ok(Page::cut(items, request.limit(), |last| Cursor::new("listings", &[last.id.as_str()])))
}

/// Behind `after`, by id. No `links`: in any state.
pub async fn select_after(
    conn: &mut impl Sql,
    tenant: &Tenant,
    filter: &Filter,
    links: &[Link],
    after: &str,
    limit: u32,
) -> Result<Vec<Listing>, Error> {
    let mut values = args![tenant, after, limit].to_vec();
    let mut sql = format!("SELECT {} FROM listing WHERE tenant = $1 AND id > $2", columns!());
    let mut also = |column: &str, value: Value| {
        values.push(value);
        sql.push_str(&format!(" AND {column} = ${}", values.len()));
    };
    if let Some(connection) = &filter.connection {
        also("connection", connection.into());
    }
    if let Some(variant) = &filter.variant {
        also("variant", variant.into());
    }
    if !links.is_empty() {
        let first = values.len() + 1;
        values.extend(links.iter().map(|link| Value::from(link.as_str())));
        let list: Vec<String> = (first..=values.len()).map(|n| format!("${n}")).collect();
        sql.push_str(&format!(" AND link IN ({})", list.join(", ")));
    }
    sql.push_str(" ORDER BY id LIMIT $3");
    conn.fetch_built(sql, &values).await?.iter().map(listing).collect()
}

pub async fn count_links(conn: &mut impl Sql, tenant: &Tenant, connection: &ConnectionId) -> Result<BTreeMap<Link, i64>, Error> {
    let sql = "SELECT link, COUNT(*) FROM listing WHERE tenant = $1 AND connection = $2 GROUP BY link";
    let rows = conn.fetch_all(sql, args![tenant, connection]).await?;
    Ok(rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<_, crate::store::Error>>()?)
}

pub async fn levels(conn: &mut impl Sql, tenant: &Tenant, ids: &[ListingId]) -> Result<BTreeMap<ListingId, Vec<SeenLevel>>, Error> {
    let mut found: BTreeMap<ListingId, Vec<SeenLevel>> = BTreeMap::new();
    for chunk in ids.chunks(CHUNK) {
        let mut values: Vec<Value> = chunk.iter().map(Value::from).collect();
        values.push(Value::from(tenant));
        let sql = format!(
            "SELECT listing, location, quantity, read_at FROM listing_level WHERE tenant = ${} AND listing IN {} ORDER BY listing, location",
            chunk.len() + 1,
            placeholders(1, chunk.len())
        );
        for row in conn.fetch_built(sql, &values).await? {
            let location = Some(row.get::<String>(1)?).filter(|text| !text.is_empty());
            found.entry(row.get(0)?).or_default().push(SeenLevel { location, quantity: row.get(2)?, read_at: row.get(3)? });
        }
    }
    Ok(found)
}

/// As [`set_link`], but only of a listing that is still parked: somebody may have decided meanwhile.
pub async fn settle_parked(
    tx: &mut WriteTx,
    ctx: &Ctx,
    id: &ListingId,
    variant: Option<&VariantId>,
    link: Link,
    reason: &str,
) -> Result<bool, Error> {
    let rows = tx
        .execute(
            "UPDATE listing SET variant = $3, link = $4, link_reason = $5 WHERE tenant = $1 AND id = $2 AND link IN ('unmatched', 'ambiguous')",
            args![&ctx.tenant, id, variant, link.as_str(), reason],
        )
        .await?;
    Ok(rows == 1)
}

/// A variant per parent product of the channel, of those with a linked listing.
pub async fn linked_sibling(
    conn: &mut impl Sql,
    tenant: &Tenant,
    connection: &ConnectionId,
    parents: &[&str],
) -> Result<BTreeMap<String, VariantId>, Error> {
    let mut found = BTreeMap::new();
    for chunk in parents.chunks(CHUNK) {
        let n = chunk.len();
        let mut values: Vec<Value> = chunk.iter().map(|parent| Value::from(*parent)).collect();
        values.extend(cells![tenant, connection]);
        let sql = format!(
            "SELECT parent, MIN(variant) FROM listing WHERE parent IN {} AND tenant = ${} AND connection = ${} AND variant IS NOT NULL GROUP BY parent",
            placeholders(1, n),
            n + 1,
            n + 2
        );
        for row in conn.fetch_built(sql, &values).await? {
            found.insert(row.get(0)?, row.get(1)?);
        }
    }
    Ok(found)
}

pub async fn shared_variants(
    conn: &mut impl Sql,
    tenant: &Tenant,
    connection: &ConnectionId,
) -> Result<BTreeMap<VariantId, Vec<String>>, Error> {
    let rows = conn
        .fetch_all(
            "SELECT variant, external_id FROM listing WHERE tenant = $1 AND connection = $2 AND variant IN \
             (SELECT variant FROM listing WHERE tenant = $1 AND connection = $2 AND variant IS NOT NULL GROUP BY variant HAVING COUNT(*) > 1) \
             ORDER BY variant, external_id",
            args![tenant, connection],
        )
        .await?;
    let mut found: BTreeMap<VariantId, Vec<String>> = BTreeMap::new();
    for row in rows {
        found.entry(row.get(0)?).or_default().push(row.get(1)?);
    }
    Ok(found)
}

pub async fn set_link(
    tx: &mut WriteTx,
    ctx: &Ctx,
    id: &ListingId,
    variant: Option<&VariantId>,
    link: Link,
    reason: Option<&str>,
) -> Result<(), Error> {
    tx.execute(
        "UPDATE listing SET variant = $3, link = $4, link_reason = $5 WHERE tenant = $1 AND id = $2",
        args![&ctx.tenant, id, variant, link.as_str(), reason],
    )
    .await?;
    Ok(())
}

pub async fn set_publication(tx: &mut WriteTx, ctx: &Ctx, id: &ListingId, p: &Publication) -> Result<(), Error> {
    tx.execute(
        "UPDATE listing SET buffer = $3, share_bps = $4, cap = $5 WHERE tenant = $1 AND id = $2",
        args![&ctx.tenant, id, p.buffer, p.share_bps, p.cap],
    )
    .await?;
    Ok(())
}

pub async fn delete_of(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId) -> Result<u64, Error> {
    tx.execute(
        "DELETE FROM listing_level WHERE tenant = $1 AND listing IN (SELECT id FROM listing WHERE tenant = $1 AND connection = $2)",
        args![&ctx.tenant, connection],
    )
    .await?;
    Ok(tx.execute("DELETE FROM listing WHERE tenant = $1 AND connection = $2", args![&ctx.tenant, connection]).await?)
}

fn brief(row: &Row) -> Result<Brief, Error> {
    Ok(Brief { id: row.get(0)?, connection: row.get(1)?, external_id: row.get(2)?, tracking: row.get(3)?, variant: row.get(4)? })
}

fn listing(row: &Row) -> Result<Listing, Error> {
    let json = |column: usize| -> Result<serde_json::Value, crate::store::Error> {
        let shape = |_| crate::store::Error::Shape { column, found: "a text that is not JSON".into() };
        serde_json::from_str(&row.get::<String>(column)?).map_err(shape)
    };
    let shape = |_| crate::store::Error::Shape { column: 12, found: "JSON of another shape".into() };
    Ok(Listing {
        id: row.get(0)?,
        connection: row.get(1)?,
        external_id: row.get(2)?,
        parent: row.get(3)?,
        sku: row.get(4)?,
        gtin: row.get(5)?,
        title: row.get(6)?,
        status: row.get(7)?,
        tracking: row.get(8)?,
        price: row.get::<Option<String>>(9)?.zip(row.get(10)?),
        handles: json(11)?,
        details: serde_json::from_value(json(12)?).map_err(shape)?,
        variant: row.get(13)?,
        link: row.get(14)?,
        link_reason: row.get(15)?,
        publication: Publication { buffer: row.get(16)?, share_bps: row.get(17)?, cap: row.get(18)? },
        seen_at: row.get(19)?,
        created_at: row.get(20)?,
    })
}
