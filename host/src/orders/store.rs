//! All SQL on `orders`, `order_line`, `order_event`, `person` and `erasure`: what units of work write and lock here, what people
//! look at in [`views`].

pub mod persons;
mod views;
pub mod worth;

use std::collections::{BTreeMap, BTreeSet};

use super::Error;
use super::ingest::Origin;
use super::model::{ChannelOrder, LineKind, Personal, Status};
use crate::catalog::Recipe;
use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, DataKeyId, OrderId, OrderLineId, PersonId, VariantId};
use crate::money::Money;
use crate::secrets::Vault;
use crate::store::{Row, Sql, Value, WriteTx, placeholders};
use crate::{args, cells};

pub use views::*;

/// Well under the limit of parameters of either database.
const LINES_AT_ONCE: usize = 500;

/// The part of an order that decides about its stock.
pub struct StoredOrder {
    pub id: OrderId,
    pub connection: ConnectionId,
    pub revision: i64,
    pub digest: String,
    pub status: Status,
    pub updated_at: i64,
    /// `stock`, or `nothing:` and the reason.
    pub holds: String,
    /// Where it goes, ISO 3166-1 alpha-2.
    pub ship_country: Option<String>,
    pub lines: Vec<StoredLine>,
}

pub struct StoredLine {
    pub id: OrderLineId,
    pub external_id: String,
    pub position: i64,
    pub kind: LineKind,
    pub variant: Option<VariantId>,
    /// What one unit was made of when the line became known, if it is a kit: changing the kit later changes no order.
    pub recipe: Option<Recipe>,
    pub listing: Option<String>,
    pub sku: Option<String>,
    pub quantity: i64,
    pub fulfilled: i64,
    /// Units of `fulfilled` that the hub itself has shipped.
    pub shipped_here: i64,
    pub released: i64,
    pub returned: i64,
    /// Units of `returned` that were booked by hand.
    pub returned_here: i64,
    pub short: i64,
}

impl StoredLine {
    /// What one unit of it takes from the shelf, by counted variant.
    pub fn parts(&self) -> Vec<(VariantId, i64)> {
        match (&self.recipe, &self.variant) {
            _ if self.kind != LineKind::Physical => Vec::new(),
            (Some(recipe), _) => recipe.iter().map(|(variant, units)| (variant.clone(), *units)).collect(),
            (None, Some(variant)) => vec![(variant.clone(), 1)],
            (None, None) => Vec::new(),
        }
    }
}

impl StoredOrder {
    pub fn short(&self) -> i64 {
        self.lines.iter().map(|line| line.short).sum()
    }

    pub fn unmapped(&self) -> i64 {
        self.lines.iter().filter(|line| line.kind == LineKind::Physical && line.variant.is_none()).count() as i64
    }
}

type Result<T> = std::result::Result<T, Error>;
type Cells<T> = std::result::Result<T, crate::store::Error>;

fn word<T>(row: &Row, column: usize, parse: impl Fn(&str) -> Option<T>) -> Cells<T> {
    let text: String = row.get(column)?;
    parse(&text).ok_or(crate::store::Error::Shape { column, found: text })
}

pub async fn lock_external(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, external_id: &str) -> Result<Option<StoredOrder>> {
    let sql = format!(
        "SELECT id, revision, digest, status, updated_at, holds, connection, ship_country FROM orders WHERE tenant = $1 AND connection = $2 AND external_id = $3{}",
        tx.dialect().for_update()
    );
    let rows = tx.fetch_built(sql, args![&ctx.tenant, connection, external_id]).await?;
    with_lines(tx, ctx, rows.first()).await
}

pub async fn lock(tx: &mut WriteTx, ctx: &Ctx, order: &OrderId) -> Result<Option<StoredOrder>> {
    let sql = format!(
        "SELECT id, revision, digest, status, updated_at, holds, connection, ship_country FROM orders WHERE tenant = $1 AND id = $2{}",
        tx.dialect().for_update()
    );
    let rows = tx.fetch_built(sql, args![&ctx.tenant, order]).await?;
    with_lines(tx, ctx, rows.first()).await
}

async fn with_lines(tx: &mut WriteTx, ctx: &Ctx, row: Option<&Row>) -> Result<Option<StoredOrder>> {
    let Some(row) = row else { return Ok(None) };
    let id: OrderId = row.get(0)?;
    let rows = tx
        .fetch_all(
            "SELECT id, external_id, position, kind, variant, listing, sku, quantity, fulfilled, shipped_here, released, returned, short, recipe, \
             returned_here \
             FROM order_line WHERE tenant = $1 AND order_id = $2 ORDER BY position",
            args![&ctx.tenant, &id],
        )
        .await?;
    let line = |row: &Row| -> Cells<StoredLine> {
        let recipe: Option<String> = row.get(13)?;
        let shape = |_| crate::store::Error::Shape { column: 13, found: "JSON of another shape".into() };
        Ok(StoredLine {
            recipe: recipe.map(|text| serde_json::from_str(&text).map_err(shape)).transpose()?,
            returned_here: row.get(14)?,
            id: row.get(0)?,
            external_id: row.get(1)?,
            position: row.get(2)?,
            kind: word(row, 3, LineKind::parse)?,
            variant: row.get(4)?,
            listing: row.get(5)?,
            sku: row.get(6)?,
            quantity: row.get(7)?,
            fulfilled: row.get(8)?,
            shipped_here: row.get(9)?,
            released: row.get(10)?,
            returned: row.get(11)?,
            short: row.get(12)?,
        })
    };
    Ok(Some(StoredOrder {
        id,
        revision: row.get(1)?,
        digest: row.get(2)?,
        status: word(row, 3, Status::parse)?,
        updated_at: row.get(4)?,
        holds: row.get(5)?,
        connection: row.get(6)?,
        ship_country: row.get(7)?,
        lines: rows.iter().map(line).collect::<Cells<_>>()?,
    }))
}

/// Writes the order, its lines and its sealed personal data.
pub async fn put(
    tx: &mut WriteTx,
    ctx: &Ctx,
    vault: &Vault,
    origin: &Origin,
    order: &ChannelOrder,
    stored: &StoredOrder,
    new: bool,
) -> Result<()> {
    let (person, personal) = seal_personal(tx, ctx, vault, origin, order, stored, new).await?;
    let minor = |amount: &Option<super::model::Amounts>| amount.as_ref().map(|a| a.shop.minor());
    let presented = order.total.presented.as_ref();
    let document = serde_json::to_string(&ChannelOrder { personal: None, ..order.clone() })?;
    tx.execute(
        "INSERT INTO orders (tenant, id, connection, external_id, number, status, channel_status, payment, test, placed_at, updated_at, \
         cancelled_at, ingested_at, digest, revision, holds, unmapped, short, currency, total_minor, tax_minor, shipping_minor, \
         discount_minor, refunded_minor, presented_currency, presented_total_minor, prices_include_tax, person, personal, document, ship_country) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 0, 0, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29) \
         ON CONFLICT (tenant, id) DO UPDATE SET number = excluded.number, status = excluded.status, channel_status = excluded.channel_status, \
         payment = excluded.payment, test = excluded.test, placed_at = excluded.placed_at, updated_at = excluded.updated_at, \
         cancelled_at = excluded.cancelled_at, digest = excluded.digest, revision = excluded.revision, holds = excluded.holds, \
         currency = excluded.currency, total_minor = excluded.total_minor, tax_minor = excluded.tax_minor, \
         shipping_minor = excluded.shipping_minor, discount_minor = excluded.discount_minor, refunded_minor = excluded.refunded_minor, \
         presented_currency = excluded.presented_currency, presented_total_minor = excluded.presented_total_minor, \
         prices_include_tax = excluded.prices_include_tax, person = COALESCE(excluded.person, orders.person), \
         personal = COALESCE(excluded.personal, orders.personal), document = excluded.document, \
         ship_country = COALESCE(excluded.ship_country, orders.ship_country)",
        args![
            &ctx.tenant,
            &stored.id,
            &origin.connection,
            &order.external_id,
            &order.number,
            order.status.as_str(),
            &order.channel_status,
            order.payment.as_str(),
            order.test,
            order.placed_at,
            order.updated_at,
            order.cancelled_at,
            ctx.now_ms(),
            &stored.digest,
            stored.revision,
            &stored.holds,
            order.currency().code(),
            order.total.shop.minor(),
            minor(&order.tax_total),
            minor(&order.shipping_total),
            minor(&order.discount_total),
            minor(&order.refunded_total),
            presented.map(|money| money.currency().code()),
            presented.map(Money::minor),
            order.prices_include_tax,
            person.as_ref(),
            personal,
            document,
            &stored.ship_country,
        ],
    )
    .await?;
    put_lines(tx, ctx, order, stored, new).await
}

async fn put_lines(tx: &mut WriteTx, ctx: &Ctx, order: &ChannelOrder, stored: &StoredOrder, new: bool) -> Result<()> {
    if !new {
        tx.execute("DELETE FROM order_line WHERE tenant = $1 AND order_id = $2", args![&ctx.tenant, &stored.id]).await?;
    }
    if stored.lines.is_empty() {
        return Ok(());
    }
    let mut values: Vec<Value> = Vec::with_capacity(stored.lines.len() * 21);
    for (line, said) in stored.lines.iter().zip(&order.lines) {
        values.extend(cells![
            &ctx.tenant,
            &stored.id,
            &line.external_id,
            &line.id,
            line.position,
            line.kind.as_str(),
            &line.listing,
            line.variant.as_ref(),
            &line.sku,
            &said.title,
            line.quantity,
            line.fulfilled,
            line.shipped_here,
            line.released,
            line.returned,
            line.short,
            &said.unit_price.shop,
            said.total.shop.minor(),
            said.discount.shop.minor(),
            recipe_text(line)?,
            line.returned_here,
        ]);
    }
    let sql = format!(
        "INSERT INTO order_line (tenant, order_id, external_id, id, position, kind, listing, variant, sku, title, quantity, fulfilled, \
         shipped_here, released, returned, short, unit_price, total_minor, discount_minor, recipe, returned_here) VALUES {}",
        placeholders(stored.lines.len(), 21)
    );
    tx.execute_built(sql, &values).await?;
    Ok(())
}

fn recipe_text(line: &StoredLine) -> Result<Option<String>> {
    Ok(line.recipe.as_ref().map(serde_json::to_string).transpose()?)
}

/// What a buyer's data key is for.
pub fn purpose_of(person: &PersonId) -> String {
    format!("person:{person}")
}

/// By which a buyer is found again without the address being kept.
pub fn match_code(vault: &Vault, tenant: &Tenant, email: &str) -> String {
    vault.match_code(tenant, &email.trim().to_lowercase())
}

/// Seals what the channel said about the buyer under that buyer's own key. The same buyer of the same connection is found
/// again by the channel's customer id or by a keyed hash of the e-mail address.
async fn seal_personal(
    tx: &mut WriteTx,
    ctx: &Ctx,
    vault: &Vault,
    origin: &Origin,
    order: &ChannelOrder,
    stored: &StoredOrder,
    new: bool,
) -> Result<(Option<PersonId>, Option<Vec<u8>>)> {
    let Some(personal) = &order.personal else { return Ok((None, None)) };
    let external = personal.buyer.as_ref().and_then(|buyer| buyer.external_id.clone());
    let email = personal.buyer.as_ref().and_then(|buyer| buyer.email.as_deref());
    let match_code = email.map(|email| match_code(vault, &ctx.tenant, email));
    let known = if new {
        // Two look-ups by index; one condition with OR would walk every buyer.
        tx.fetch_optional(
            "SELECT id FROM (SELECT id FROM person WHERE tenant = $1 AND connection = $2 AND external_id = $3 \
             UNION ALL SELECT id FROM person WHERE tenant = $1 AND connection = $2 AND match_code = $4) AS known ORDER BY id LIMIT 1",
            args![&ctx.tenant, &origin.connection, &external, &match_code],
        )
        .await?
    } else {
        tx.fetch_optional("SELECT person FROM orders WHERE tenant = $1 AND id = $2 AND person IS NOT NULL", args![&ctx.tenant, &stored.id])
            .await?
    };
    let (person, fresh): (PersonId, bool) = match known {
        Some(row) => (row.get(0)?, false),
        None => (PersonId::new(&ctx.ids), true),
    };
    let key = match vault.data_key(tx, ctx, &purpose_of(&person)).await {
        Ok(key) => key,
        // An old order of somebody who was erased: what the channel still says is not taken in again.
        Err(crate::secrets::Error::Destroyed) => return Ok((None, None)),
        Err(error) => return Err(error.into()),
    };
    if fresh {
        tx.execute(
            "INSERT INTO person (tenant, id, connection, external_id, match_code, key_id, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            args![&ctx.tenant, &person, &origin.connection, external, match_code, key.id(), ctx.now_ms()],
        )
        .await?;
    }
    let sealed = vault.seal(&key, &ctx.tenant, &["orders", stored.id.as_str()], &serde_json::to_vec(personal)?)?;
    Ok((Some(person), Some(sealed)))
}

pub async fn personal(conn: &mut impl Sql, ctx: &Ctx, vault: &Vault, order: &OrderId) -> Result<Option<Personal>> {
    let row = conn
        .fetch_optional(
            "SELECT p.key_id, o.personal FROM orders o JOIN person p ON p.tenant = o.tenant AND p.id = o.person \
             WHERE o.tenant = $1 AND o.id = $2 AND o.personal IS NOT NULL",
            args![&ctx.tenant, order],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let (key, sealed): (DataKeyId, Vec<u8>) = (row.get(0)?, row.get(1)?);
    let key = match vault.get_data_key(conn, ctx, &key).await {
        Ok(key) => key,
        Err(crate::secrets::Error::Destroyed) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let opened = vault.open(&key, &ctx.tenant, &["orders", order.as_str()], &sealed)?;
    Ok(Some(serde_json::from_slice(opened.expose())?))
}

/// Writes what settling found: shortages, mappings, counts.
pub async fn put_lines_state(tx: &mut WriteTx, ctx: &Ctx, order: &StoredOrder) -> Result<()> {
    for lines in order.lines.chunks(LINES_AT_ONCE) {
        put_states(tx, ctx, &order.id, lines).await?;
    }
    tx.execute(
        "UPDATE orders SET unmapped = $3, short = $4, revision = $5 WHERE tenant = $1 AND id = $2",
        args![&ctx.tenant, &order.id, order.unmapped(), order.short(), order.revision],
    )
    .await?;
    Ok(())
}

async fn put_states(tx: &mut WriteTx, ctx: &Ctx, order: &OrderId, lines: &[StoredLine]) -> Result<()> {
    let mut values = Vec::with_capacity(lines.len() * 8 + 2);
    for line in lines {
        values.extend(cells![
            &line.external_id,
            line.variant.as_ref(),
            line.fulfilled,
            line.shipped_here,
            line.short,
            recipe_text(line)?,
            line.returned,
            line.returned_here,
        ]);
    }
    values.extend(cells![&ctx.tenant, order]);
    let sql = format!(
        "WITH now (line, variant, fulfilled, shipped_here, short, recipe, returned, returned_here) AS (VALUES {rows}) \
         UPDATE order_line SET variant = now.variant, fulfilled = now.fulfilled, shipped_here = now.shipped_here, short = now.short, \
           recipe = now.recipe, returned = now.returned, returned_here = now.returned_here \
         FROM now WHERE tenant = ${tenant} AND order_id = ${order} AND external_id = now.line \
         AND (order_line.short <> now.short OR order_line.fulfilled <> now.fulfilled OR order_line.shipped_here <> now.shipped_here \
           OR order_line.returned <> now.returned OR order_line.returned_here <> now.returned_here \
           OR COALESCE(order_line.variant, '') <> COALESCE(now.variant, ''))",
        rows = placeholders(lines.len(), 8),
        tenant = values.len() - 1,
        order = values.len(),
    );
    tx.execute_built(sql, &values).await?;
    Ok(())
}

pub async fn short(tx: &mut WriteTx, ctx: &Ctx, order: &OrderId) -> Result<i64> {
    Ok(tx.fetch_one("SELECT short FROM orders WHERE tenant = $1 AND id = $2", args![&ctx.tenant, order]).await?.get(0)?)
}

/// These orders, the one placed first before the others.
pub async fn by_placing(conn: &mut impl Sql, tenant: &Tenant, orders: &[OrderId]) -> Result<Vec<OrderId>> {
    let mut placed: Vec<(i64, OrderId)> = Vec::with_capacity(orders.len());
    for chunk in orders.chunks(250) {
        let values: Vec<Value> = std::iter::once(Value::from(tenant)).chain(chunk.iter().map(Value::from)).collect();
        let list: Vec<String> = (2..=values.len()).map(|n| format!("${n}")).collect();
        let sql = format!("SELECT placed_at, id FROM orders WHERE tenant = $1 AND id IN ({})", list.join(", "));
        for row in conn.fetch_built(sql, &values).await? {
            placed.push((row.get(0)?, row.get(1)?));
        }
    }
    placed.sort();
    placed.dedup();
    Ok(placed.into_iter().map(|(_, order)| order).collect())
}

/// Those of a channel's orders that are stored.
pub async fn known(conn: &mut impl Sql, tenant: &Tenant, connection: &ConnectionId, external_ids: &BTreeSet<&str>) -> Result<Vec<OrderId>> {
    let mut found = Vec::new();
    let names: Vec<&str> = external_ids.iter().copied().collect();
    for chunk in names.chunks(250) {
        let fixed = [Value::from(tenant), Value::from(connection)];
        let values: Vec<Value> = fixed.into_iter().chain(chunk.iter().map(|name| Value::from(*name))).collect();
        let list: Vec<String> = (3..=values.len()).map(|n| format!("${n}")).collect();
        let sql = format!("SELECT id FROM orders WHERE tenant = $1 AND connection = $2 AND external_id IN ({})", list.join(", "));
        for row in conn.fetch_built(sql, &values).await? {
            found.push(row.get(0)?);
        }
    }
    Ok(found)
}

/// What the lines of these orders take from the shelf, by counted variant.
pub async fn parts_of(conn: &mut impl Sql, tenant: &Tenant, orders: &[OrderId]) -> Result<BTreeSet<VariantId>> {
    let mut found = BTreeSet::new();
    for chunk in orders.chunks(250) {
        let values: Vec<Value> = std::iter::once(Value::from(tenant)).chain(chunk.iter().map(Value::from)).collect();
        let list: Vec<String> = (2..=values.len()).map(|n| format!("${n}")).collect();
        let sql = format!(
            "SELECT DISTINCT variant, recipe FROM order_line WHERE tenant = $1 AND variant IS NOT NULL AND order_id IN ({})",
            list.join(", ")
        );
        for row in conn.fetch_built(sql, &values).await? {
            match row.get::<Option<String>>(1)? {
                Some(text) => found.extend(serde_json::from_str::<Recipe>(&text)?.into_keys()),
                None => drop(found.insert(row.get(0)?)),
            }
        }
    }
    Ok(found)
}

/// Locks orders in the order of their ids.
pub async fn hold(tx: &mut WriteTx, ctx: &Ctx, orders: &[OrderId]) -> Result<()> {
    let lock = tx.dialect().for_update();
    let sorted: Vec<&OrderId> = orders.iter().collect::<BTreeSet<_>>().into_iter().collect();
    for chunk in sorted.chunks(250).filter(|_| !lock.is_empty()) {
        let values: Vec<Value> = std::iter::once(Value::from(&ctx.tenant)).chain(chunk.iter().map(|id| Value::from(*id))).collect();
        let list: Vec<String> = (2..=values.len()).map(|n| format!("${n}")).collect();
        tx.fetch_built(format!("SELECT id FROM orders WHERE tenant = $1 AND id IN ({}) ORDER BY id{lock}", list.join(", ")), &values)
            .await?;
    }
    Ok(())
}

/// Orders of a connection that hold stock, wait for their payment and have sent nothing yet, placed at `until` or before; with
/// the time of placing, oldest first.
pub async fn unpaid(
    conn: &mut impl Sql,
    tenant: &Tenant,
    connection: &ConnectionId,
    until: i64,
    limit: u32,
) -> Result<Vec<(i64, OrderId)>> {
    let rows = conn
        .fetch_all(
            "SELECT placed_at, id FROM orders o WHERE tenant = $1 AND connection = $2 AND payment = 'pending' AND holds = 'stock' \
             AND status IN ('placed', 'other') AND placed_at <= $3 AND NOT EXISTS \
             (SELECT 1 FROM order_line l WHERE l.tenant = o.tenant AND l.order_id = o.id AND l.fulfilled > 0) ORDER BY placed_at, id || '' LIMIT $4",
            args![tenant, connection, until, limit],
        )
        .await?;
    Ok(rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Cells<_>>()?)
}

pub async fn set_holds(tx: &mut WriteTx, ctx: &Ctx, order: &StoredOrder) -> Result<()> {
    let sql = "UPDATE orders SET holds = $3 WHERE tenant = $1 AND id = $2";
    tx.execute(sql, args![&ctx.tenant, &order.id, &order.holds]).await?;
    Ok(())
}

pub async fn open_units(conn: &mut impl Sql, tenant: &Tenant, connection: &ConnectionId) -> Result<BTreeMap<VariantId, i64>> {
    let rows = conn
        .fetch_all(
            "SELECT l.variant, CAST(SUM(l.quantity - l.fulfilled - l.released) AS BIGINT) FROM orders o \
             JOIN order_line l ON l.tenant = o.tenant AND l.order_id = o.id WHERE o.tenant = $1 AND o.connection = $2 AND o.holds = 'stock' \
             AND o.status IN ('placed', 'other') AND l.kind = 'physical' AND l.variant IS NOT NULL GROUP BY l.variant",
            args![tenant, connection],
        )
        .await?;
    Ok(rows.iter().map(|row| Ok((row.get(0)?, row.get::<i64>(1)?.max(0)))).collect::<Cells<_>>()?)
}

pub async fn record(tx: &mut WriteTx, ctx: &Ctx, order: &OrderId, what: &'static str, detail: serde_json::Value) -> Result<()> {
    tx.execute(
        "INSERT INTO order_event (tenant, order_id, sequence, at, actor, what, detail) \
         SELECT $1, $2, COALESCE(MAX(sequence), 0) + 1, $3, $4, $5, $6 FROM order_event WHERE tenant = $1 AND order_id = $2",
        args![&ctx.tenant, order, ctx.now_ms(), &ctx.actor, what, detail.to_string()],
    )
    .await?;
    Ok(())
}
