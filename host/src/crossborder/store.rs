//! All SQL on the tables of the tax room: who sells here, with which rules; what was frozen is in [`frozen`], locked
//! rates are in [`exchange`].

pub mod exchange;
pub mod frozen;
pub mod totals;

use serde::de::DeserializeOwned;

use super::Error;
use super::model::{ChannelFacts, ChannelProfile, Entity, EntityFacts, GoodsFacts};
use super::rules::RuleText;
use super::screening::ListView;
use crate::args;
use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, EntityId, VariantId};
use crate::store::{Row, Sql, WriteTx};

type Result<T> = std::result::Result<T, Error>;

pub(super) fn json<T: DeserializeOwned>(row: &Row, column: usize) -> Result<T> {
    Ok(serde_json::from_str(&row.get::<String>(column)?)?)
}

fn entity(row: &Row) -> Result<Entity> {
    let facts: EntityFacts = json(row, 2)?;
    Ok(Entity { id: row.get(0)?, name: row.get(1)?, facts, created_at: row.get(3)?, updated_at: row.get(4)? })
}

pub async fn entities(conn: &mut impl Sql, tenant: &Tenant) -> Result<Vec<Entity>> {
    let sql = "SELECT id, name, facts, created_at, updated_at FROM legal_entity WHERE tenant = $1 ORDER BY name, id";
    conn.fetch_all(sql, args![tenant]).await?.iter().map(entity).collect()
}

pub async fn find_entity(conn: &mut impl Sql, tenant: &Tenant, id_or_name: &str) -> Result<Option<Entity>> {
    let sql = "SELECT id, name, facts, created_at, updated_at FROM legal_entity WHERE tenant = $1 AND (id = $2 OR name = $2)";
    conn.fetch_optional(sql, args![tenant, id_or_name]).await?.as_ref().map(entity).transpose()
}

pub async fn put_entity(tx: &mut WriteTx, ctx: &Ctx, entity: &Entity) -> Result<()> {
    tx.execute(
        "INSERT INTO legal_entity (tenant, id, name, facts, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (tenant, id) DO UPDATE SET name = excluded.name, facts = excluded.facts, updated_at = excluded.updated_at",
        args![&ctx.tenant, &entity.id, &entity.name, serde_json::to_string(&entity.facts)?, entity.created_at, entity.updated_at],
    )
    .await?;
    Ok(())
}

pub async fn drop_entity(tx: &mut WriteTx, ctx: &Ctx, id: &EntityId) -> Result<()> {
    tx.execute("DELETE FROM legal_entity WHERE tenant = $1 AND id = $2", args![&ctx.tenant, id]).await?;
    Ok(())
}

pub async fn channels_of(conn: &mut impl Sql, tenant: &Tenant, entity: &EntityId) -> Result<i64> {
    let sql = "SELECT COUNT(*) FROM tax_channel WHERE tenant = $1 AND entity = $2";
    Ok(conn.fetch_one(sql, args![tenant, entity]).await?.get(0)?)
}

fn channel(row: &Row) -> Result<ChannelProfile> {
    let facts: ChannelFacts = json(row, 2)?;
    Ok(ChannelProfile { connection: row.get(0)?, entity: row.get(1)?, facts, updated_at: row.get(3)? })
}

pub async fn channels(conn: &mut impl Sql, tenant: &Tenant) -> Result<Vec<ChannelProfile>> {
    let sql = "SELECT connection, entity, facts, updated_at FROM tax_channel WHERE tenant = $1 ORDER BY connection";
    conn.fetch_all(sql, args![tenant]).await?.iter().map(channel).collect()
}

pub async fn find_channel(conn: &mut impl Sql, tenant: &Tenant, connection: &ConnectionId) -> Result<Option<ChannelProfile>> {
    let sql = "SELECT connection, entity, facts, updated_at FROM tax_channel WHERE tenant = $1 AND connection = $2";
    conn.fetch_optional(sql, args![tenant, connection]).await?.as_ref().map(channel).transpose()
}

pub async fn put_channel(tx: &mut WriteTx, ctx: &Ctx, profile: &ChannelProfile) -> Result<()> {
    tx.execute(
        "INSERT INTO tax_channel (tenant, connection, entity, facts, updated_at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (tenant, connection) DO UPDATE SET entity = excluded.entity, facts = excluded.facts, updated_at = excluded.updated_at",
        args![&ctx.tenant, &profile.connection, &profile.entity, serde_json::to_string(&profile.facts)?, profile.updated_at],
    )
    .await?;
    Ok(())
}

pub async fn goods(conn: &mut impl Sql, tenant: &Tenant, variant: &VariantId) -> Result<Option<GoodsFacts>> {
    let sql = "SELECT facts FROM goods_facts WHERE tenant = $1 AND variant = $2";
    conn.fetch_optional(sql, args![tenant, variant]).await?.map(|row| json(&row, 0)).transpose()
}

pub async fn put_goods(tx: &mut WriteTx, ctx: &Ctx, variant: &VariantId, facts: &GoodsFacts) -> Result<()> {
    tx.execute(
        "INSERT INTO goods_facts (tenant, variant, facts, updated_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (tenant, variant) DO UPDATE SET facts = excluded.facts, updated_at = excluded.updated_at",
        args![&ctx.tenant, variant, serde_json::to_string(facts)?, ctx.now_ms()],
    )
    .await?;
    Ok(())
}

pub async fn rule_files(conn: &mut impl Sql, tenant: &Tenant) -> Result<Vec<RuleText>> {
    let sql = "SELECT name, hash, set_at, set_by FROM rule_file WHERE tenant = $1 ORDER BY name";
    let file = |row: &Row| Ok(RuleText { name: row.get(0)?, hash: row.get(1)?, set_at: row.get(2)?, set_by: row.get(3)? });
    conn.fetch_all(sql, args![tenant]).await?.iter().map(file).collect()
}

/// Name and text.
pub async fn rule_text(conn: &mut impl Sql, tenant: &Tenant, hash: &str) -> Result<Option<(String, String)>> {
    let row = conn.fetch_optional("SELECT name, text FROM rule_text WHERE tenant = $1 AND hash = $2", args![tenant, hash]).await?;
    row.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
}

pub async fn put_rule_text(tx: &mut WriteTx, ctx: &Ctx, hash: &str, name: &str, text: &str) -> Result<()> {
    tx.execute(
        "INSERT INTO rule_text (tenant, hash, name, text, added_at, added_by) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (tenant, hash) DO NOTHING",
        args![&ctx.tenant, hash, name, text, ctx.now_ms(), &ctx.actor],
    )
    .await?;
    Ok(())
}

pub async fn put_rule_file(tx: &mut WriteTx, ctx: &Ctx, name: &str, hash: &str) -> Result<()> {
    tx.execute(
        "INSERT INTO rule_file (tenant, name, hash, set_at, set_by) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (tenant, name) DO UPDATE SET hash = excluded.hash, set_at = excluded.set_at, set_by = excluded.set_by",
        args![&ctx.tenant, name, hash, ctx.now_ms(), &ctx.actor],
    )
    .await?;
    Ok(())
}

pub async fn drop_rule_file(tx: &mut WriteTx, ctx: &Ctx, name: &str) -> Result<bool> {
    Ok(tx.execute("DELETE FROM rule_file WHERE tenant = $1 AND name = $2", args![&ctx.tenant, name]).await? == 1)
}

pub async fn put_rule_set(tx: &mut WriteTx, ctx: &Ctx, version: &str, hashes: &[String]) -> Result<()> {
    tx.execute(
        "INSERT INTO rule_set (tenant, version, texts, first_at) VALUES ($1, $2, $3, $4) ON CONFLICT (tenant, version) DO NOTHING",
        args![&ctx.tenant, version, serde_json::to_string(hashes)?, ctx.now_ms()],
    )
    .await?;
    Ok(())
}

/// The texts a version was made of.
pub async fn rule_set(conn: &mut impl Sql, tenant: &Tenant, version: &str) -> Result<Option<Vec<String>>> {
    let row = conn.fetch_optional("SELECT texts FROM rule_set WHERE tenant = $1 AND version = $2", args![tenant, version]).await?;
    row.map(|row| json(&row, 0)).transpose()
}

pub async fn put_list(tx: &mut WriteTx, ctx: &Ctx, name: &str, version: &str, entries: i64, text: &str) -> Result<()> {
    tx.execute(
        "INSERT INTO screening_list (tenant, name, version, text, entries, imported_at, imported_by) VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (tenant, name) DO UPDATE SET version = excluded.version, text = excluded.text, entries = excluded.entries, \
         imported_at = excluded.imported_at, imported_by = excluded.imported_by",
        args![&ctx.tenant, name, version, text, entries, ctx.now_ms(), &ctx.actor],
    )
    .await?;
    Ok(())
}

pub async fn drop_list(tx: &mut WriteTx, ctx: &Ctx, name: &str) -> Result<bool> {
    Ok(tx.execute("DELETE FROM screening_list WHERE tenant = $1 AND name = $2", args![&ctx.tenant, name]).await? == 1)
}

pub async fn lists(conn: &mut impl Sql, tenant: &Tenant) -> Result<Vec<ListView>> {
    let sql = "SELECT name, version, entries, imported_at, imported_by FROM screening_list WHERE tenant = $1 ORDER BY name";
    let list = |row: &Row| {
        Ok(ListView { name: row.get(0)?, version: row.get(1)?, entries: row.get(2)?, imported_at: row.get(3)?, imported_by: row.get(4)? })
    };
    conn.fetch_all(sql, args![tenant]).await?.iter().map(list).collect()
}

/// Name and text of every list.
pub async fn list_texts(conn: &mut impl Sql, tenant: &Tenant) -> Result<Vec<(String, String)>> {
    let rows = conn.fetch_all("SELECT name, text FROM screening_list WHERE tenant = $1 ORDER BY name", args![tenant]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}
