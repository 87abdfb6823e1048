//! The rules and rates that answer for a merchant: the embedded ones, with the merchant's files over them.
//!
//! A set is a pure function of its texts, so it is kept in memory under their hashes, whoever they belong to.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use entrepot_crossborder::fx::RateTable;
use entrepot_crossborder::rules::{LoadError, RuleFile, RuleSet};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Error, store};
use crate::ctx::{Ctx, Tenant};
use crate::hex::hex;
use crate::rates::{self, Purpose};
use crate::store::{Sql, WriteTx};

static BUILTIN: LazyLock<Result<Arc<RuleSet>, LoadError>> = LazyLock::new(|| RuleSet::builtin().map(Arc::new));
/// Hashes of the texts, and the set they make.
static LOADED: Mutex<Vec<(Vec<String>, Arc<RuleSet>)>> = Mutex::new(Vec::new());
const KEPT: usize = 8;

/// A text in force.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RuleText {
    pub name: String,
    pub hash: String,
    pub set_at: i64,
    pub set_by: String,
}

/// The rules everybody starts with.
pub fn builtin() -> Result<Arc<RuleSet>, Error> {
    BUILTIN.clone().map_err(Error::Rules)
}

/// Published exchange rates by which orders of this merchant are judged.
pub async fn rates(conn: &mut impl Sql, tenant: &Tenant) -> Result<Arc<RateTable>, Error> {
    Ok(rates::table(conn, tenant, Purpose::Tax).await?.table)
}

/// The rates that come with the program.
pub fn embedded_rates() -> Result<Arc<RateTable>, Error> {
    rates::built_in().map_err(Error::Rates)
}

/// How old an exchange rate may be, by the merchant's setting; `None` = any age.
pub(super) async fn greatest_rate_age(conn: &mut impl Sql, tenant: &Tenant) -> Result<Option<u32>, Error> {
    Ok(rates::table(conn, tenant, Purpose::Tax).await?.max_age_days)
}

/// The rules in force for a merchant.
pub async fn rules(conn: &mut impl Sql, tenant: &Tenant) -> Result<Arc<RuleSet>, Error> {
    let files = store::rule_files(conn, tenant).await?;
    of_hashes(conn, tenant, &files.into_iter().map(|file| file.hash).collect::<Vec<_>>()).await
}

/// A set as it was: by the version an order names. `None` for a version of another program's tables.
pub async fn rules_of_version(conn: &mut impl Sql, tenant: &Tenant, version: &str) -> Result<Option<Arc<RuleSet>>, Error> {
    let Some(hashes) = store::rule_set(conn, tenant, version).await? else { return Ok(None) };
    let set = of_hashes(conn, tenant, &hashes).await?;
    Ok((set.version() == version).then_some(set))
}

async fn of_hashes(conn: &mut impl Sql, tenant: &Tenant, hashes: &[String]) -> Result<Arc<RuleSet>, Error> {
    if hashes.is_empty() {
        return builtin();
    }
    if let Some(known) = remembered(hashes) {
        return Ok(known);
    }
    let mut texts = Vec::with_capacity(hashes.len());
    for hash in hashes {
        texts.extend(store::rule_text(conn, tenant, hash).await?);
    }
    load(hashes, &texts)
}

fn remembered(hashes: &[String]) -> Option<Arc<RuleSet>> {
    let loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    loaded.iter().find(|(key, _)| key == hashes).map(|(_, set)| Arc::clone(set))
}

fn load(hashes: &[String], texts: &[(String, String)]) -> Result<Arc<RuleSet>, Error> {
    if let Some(known) = remembered(hashes) {
        return Ok(known);
    }
    let files: Vec<RuleFile<'_>> = texts.iter().map(|(name, text)| RuleFile { name, text }).collect();
    let set = Arc::new(RuleSet::load(&files)?);
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if loaded.len() >= KEPT {
        loaded.remove(0);
    }
    loaded.push((hashes.to_vec(), Arc::clone(&set)));
    Ok(set)
}

/// Rules from files, for a command without a hub.
pub fn from_files(files: &[(String, String)]) -> Result<Arc<RuleSet>, Error> {
    if files.is_empty() {
        return builtin();
    }
    load(&files.iter().map(|(name, text)| hash_of(name, text)).collect::<Vec<_>>(), files)
}

fn hash_of(name: &str, text: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(name.as_bytes());
    hash.update([0]);
    hash.update(text.as_bytes());
    hex(hash.finalize())
}

/// Puts a rule file in force, in place of the one of the same name. A set that overlaps, has gaps or names what does not exist
/// is refused by name and changes nothing.
pub async fn set_rules(tx: &mut WriteTx, ctx: &Ctx, name: &str, text: &str) -> Result<Arc<RuleSet>, Error> {
    let hash = hash_of(name, text);
    let set = with(tx, ctx, name, Some((hash.clone(), text))).await?;
    store::put_rule_text(tx, ctx, &hash, name, text).await?;
    store::put_rule_file(tx, ctx, name, &hash).await?;
    Ok(set)
}

/// Takes a rule file out of force; orders that used it keep it.
pub async fn remove_rules(tx: &mut WriteTx, ctx: &Ctx, name: &str) -> Result<Arc<RuleSet>, Error> {
    let set = with(tx, ctx, name, None).await?;
    if !store::drop_rule_file(tx, ctx, name).await? {
        return Err(Error::NoRuleFile { name: name.chars().take(80).collect() });
    }
    Ok(set)
}

/// The set with one file changed; fails if the whole does not load.
async fn with(tx: &mut WriteTx, ctx: &Ctx, name: &str, new: Option<(String, &str)>) -> Result<Arc<RuleSet>, Error> {
    let (mut hashes, mut texts) = (Vec::new(), Vec::new());
    for file in store::rule_files(tx, &ctx.tenant).await?.into_iter().filter(|file| file.name != name) {
        texts.extend(store::rule_text(tx, &ctx.tenant, &file.hash).await?);
        hashes.push(file.hash);
    }
    if let Some((hash, text)) = new {
        // In the order of names, as they are read back.
        let at = texts.partition_point(|(known, _): &(String, String)| known.as_str() < name);
        hashes.insert(at, hash);
        texts.insert(at, (name.to_owned(), text.to_owned()));
    }
    if texts.is_empty() { builtin() } else { load(&hashes, &texts) }
}

/// The rule files in force, by name.
pub async fn rule_files(conn: &mut impl Sql, tenant: &Tenant) -> Result<Vec<RuleText>, Error> {
    store::rule_files(conn, tenant).await
}

/// The text of a rule file in force.
pub async fn rule_file(conn: &mut impl Sql, tenant: &Tenant, name: &str) -> Result<String, Error> {
    let file = store::rule_files(conn, tenant).await?.into_iter().find(|file| file.name == name);
    let missing = || Error::NoRuleFile { name: name.chars().take(80).collect() };
    let (_, text) = store::rule_text(conn, tenant, &file.ok_or_else(missing)?.hash).await?.ok_or_else(missing)?;
    Ok(text)
}

/// Remembers which texts a version was made of, so that it can be loaded again.
pub(super) async fn remember(tx: &mut WriteTx, ctx: &Ctx, set: &RuleSet) -> Result<(), Error> {
    let hashes: Vec<String> = store::rule_files(tx, &ctx.tenant).await?.into_iter().map(|file| file.hash).collect();
    store::put_rule_set(tx, ctx, set.version(), &hashes).await
}
