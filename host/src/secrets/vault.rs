//! The tables `secret` and `data_key`, and the check that the master key is the right one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{Key, MasterKey, Place, Secret, Unopened};
use crate::args;
use crate::ctx::{Ctx, Tenant};
use crate::id::{DataKeyId, Entropy};
use crate::store::{self, Sql, Store, WriteTx};

/// A secret being rotated is still accepted from its two places before.
pub const ROTATION_SLOTS: i64 = 3;
/// How long an opened data key may be used without asking the database whether it still exists.
const CACHE_MS: i64 = 60_000;
const CACHE_KEYS: usize = 4096;
const CHECK_TEXT: &[u8] = b"this is the right master key";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Store(#[from] store::Error),
    #[error(
        "this database was made with the master key {expected}, but {given} was given; hint: put the right key file back, or name its place with --master-key-file"
    )]
    WrongMasterKey { expected: String, given: String },
    #[error("the secret `{name}` of {owner} was sealed with another master key or altered; hint: enter it again")]
    Unreadable { owner: String, name: String },
    #[error("the data under this key was erased")]
    Destroyed,
    #[error("{0}")]
    Unopened(#[from] Unopened),
}

/// Seals and opens; cheap to clone.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    master: MasterKey,
    /// Master keys before this one, for what is not rewrapped yet.
    former: Vec<MasterKey>,
    entropy: Entropy,
    cache: Mutex<HashMap<(String, String), (DataKey, i64)>>,
}

/// A key for many values of one purpose.
#[derive(Clone)]
pub struct DataKey {
    id: DataKeyId,
    key: Key,
}

impl DataKey {
    /// Kept beside each value it seals.
    pub fn id(&self) -> &DataKeyId {
        &self.id
    }
}

impl Vault {
    pub fn new(master: MasterKey, former: Vec<MasterKey>, entropy: Entropy) -> Self {
        Self(Arc::new(Inner { master, former, entropy, cache: Mutex::default() }))
    }

    pub fn master(&self) -> &MasterKey {
        &self.0.master
    }

    /// Refuses to go on with a master key that is not this database's; a new database takes the one given.
    pub async fn check(&self, store: &Store) -> Result<(), Error> {
        let vault = self.clone();
        store
            .write(move |tx| {
                Box::pin(async move {
                    let place = Place::new("check", "", &[]);
                    let sealed = vault.0.master.key().seal(&vault.0.entropy, &place, CHECK_TEXT)?;
                    let value = format!("{} {}", vault.0.master.fingerprint(), STANDARD.encode(sealed));
                    tx.execute(
                        "INSERT INTO setting (tenant, name, value) VALUES ('', 'master-key', $1) ON CONFLICT (tenant, name) DO NOTHING",
                        args![&value],
                    )
                    .await?;
                    let kept: String =
                        tx.fetch_one("SELECT value FROM setting WHERE tenant = '' AND name = 'master-key'", &[]).await?.get(0)?;
                    let (expected, sealed) = kept.split_once(' ').unwrap_or(("mk_unknown", ""));
                    let sealed = STANDARD.decode(sealed).unwrap_or_default();
                    if vault.masters().any(|master| master.key().open(&place, &sealed).is_ok_and(|text| text.matches(CHECK_TEXT))) {
                        return Ok(());
                    }
                    Err(Error::WrongMasterKey { expected: expected.to_owned(), given: vault.0.master.fingerprint().to_owned() })
                })
            })
            .await
    }

    /// Keeps a secret as the only valid one of its name.
    pub async fn put(&self, tx: &mut WriteTx, ctx: &Ctx, owner: &str, name: &str, value: &Secret) -> Result<(), Error> {
        tx.execute("DELETE FROM secret WHERE tenant = $1 AND owner = $2 AND name = $3", args![&ctx.tenant, owner, name]).await?;
        self.insert(tx, ctx, owner, name, value).await
    }

    /// Keeps a new secret and goes on accepting the two before it, until [`Vault::retire`].
    pub async fn rotate(&self, tx: &mut WriteTx, ctx: &Ctx, owner: &str, name: &str, value: &Secret) -> Result<(), Error> {
        let last = ROTATION_SLOTS - 1;
        tx.execute(
            "DELETE FROM secret WHERE tenant = $1 AND owner = $2 AND name = $3 AND slot >= $4",
            args![&ctx.tenant, owner, name, last],
        )
        .await?;
        for slot in (0..last).rev() {
            tx.execute(
                "UPDATE secret SET slot = $4 WHERE tenant = $1 AND owner = $2 AND name = $3 AND slot = $5",
                args![&ctx.tenant, owner, name, slot + 1, slot],
            )
            .await?;
        }
        self.insert(tx, ctx, owner, name, value).await
    }

    /// Stops accepting the secrets before the current one.
    pub async fn retire(&self, tx: &mut WriteTx, ctx: &Ctx, owner: &str, name: &str) -> Result<u64, Error> {
        let sql = "DELETE FROM secret WHERE tenant = $1 AND owner = $2 AND name = $3 AND slot > 0";
        Ok(tx.execute(sql, args![&ctx.tenant, owner, name]).await?)
    }

    /// Forgets all secrets of an owner.
    pub async fn forget(&self, tx: &mut WriteTx, ctx: &Ctx, owner: &str) -> Result<u64, Error> {
        Ok(tx.execute("DELETE FROM secret WHERE tenant = $1 AND owner = $2", args![&ctx.tenant, owner]).await?)
    }

    /// The current value.
    pub async fn find(&self, conn: &mut impl Sql, tenant: &Tenant, owner: &str, name: &str) -> Result<Option<Secret>, Error> {
        let sql = "SELECT sealed FROM secret WHERE tenant = $1 AND owner = $2 AND name = $3 AND slot = 0";
        match conn.fetch_optional(sql, args![tenant, owner, name]).await? {
            Some(row) => self.open_secret(tenant, owner, name, &row.get::<Vec<u8>>(0)?).map(Some),
            None => Ok(None),
        }
    }

    /// All values that are valid now, the current one first; at most [`ROTATION_SLOTS`].
    pub async fn active(&self, conn: &mut impl Sql, tenant: &Tenant, owner: &str, name: &str) -> Result<Vec<Secret>, Error> {
        let sql = "SELECT sealed FROM secret WHERE tenant = $1 AND owner = $2 AND name = $3 ORDER BY slot LIMIT 3";
        let rows = conn.fetch_all(sql, args![tenant, owner, name]).await?;
        rows.iter().map(|row| self.open_secret(tenant, owner, name, &row.get::<Vec<u8>>(0)?)).collect()
    }

    /// Current values of every secret of an owner, by name: what one call of a connector may need.
    pub async fn all(&self, conn: &mut impl Sql, tenant: &Tenant, owner: &str) -> Result<HashMap<String, Secret>, Error> {
        let sql = "SELECT name, sealed FROM secret WHERE tenant = $1 AND owner = $2 AND slot = 0";
        let rows = conn.fetch_all(sql, args![tenant, owner]).await?;
        rows.iter()
            .map(|row| {
                let name: String = row.get(0)?;
                let value = self.open_secret(tenant, owner, &name, &row.get::<Vec<u8>>(1)?)?;
                Ok((name, value))
            })
            .collect()
    }

    /// Which secrets an owner has; names only.
    pub async fn names(&self, conn: &mut impl Sql, tenant: &Tenant, owner: &str) -> Result<Vec<String>, Error> {
        let sql = "SELECT name FROM secret WHERE tenant = $1 AND owner = $2 AND slot = 0 ORDER BY name";
        let rows = conn.fetch_all(sql, args![tenant, owner]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?)
    }

    /// The key of a purpose (`person:…`, `inbox:CONNECTION:DAY`), made at its first use. A destroyed purpose stays destroyed.
    pub async fn data_key(&self, tx: &mut WriteTx, ctx: &Ctx, purpose: &str) -> Result<DataKey, Error> {
        if let Some(found) = self.find_data_key(tx, ctx, purpose).await? {
            return Ok(found);
        }
        let id = DataKeyId::new(&ctx.ids);
        let key = Key::random(&self.0.entropy);
        let row = [id.as_str()];
        let wrapped = self.0.master.key().seal(&self.0.entropy, &Place::new("data-key", ctx.tenant.as_str(), &row), key.expose())?;
        tx.execute(
            "INSERT INTO data_key (tenant, id, purpose, wrapped, created_at) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (tenant, purpose) DO NOTHING",
            args![&ctx.tenant, &id, purpose, wrapped, ctx.now_ms()],
        )
        .await?;
        // Not cached here: should this unit of work be undone, the key must not outlive it.
        let sql = "SELECT id, wrapped FROM data_key WHERE tenant = $1 AND purpose = $2";
        let row = tx.fetch_one(sql, args![&ctx.tenant, purpose]).await?;
        self.unwrap(&ctx.tenant, row.get(0)?, row.get(1)?)
    }

    /// The key of a purpose, when there is one already.
    pub async fn find_data_key(&self, conn: &mut impl Sql, ctx: &Ctx, purpose: &str) -> Result<Option<DataKey>, Error> {
        let sql = "SELECT id, wrapped FROM data_key WHERE tenant = $1 AND purpose = $2";
        match conn.fetch_optional(sql, args![&ctx.tenant, purpose]).await? {
            Some(row) => Ok(Some(self.unwrap(&ctx.tenant, row.get(0)?, row.get(1)?)?)),
            None => Ok(None),
        }
    }

    /// A key by the id kept beside what it sealed.
    pub async fn get_data_key(&self, conn: &mut impl Sql, ctx: &Ctx, id: &DataKeyId) -> Result<DataKey, Error> {
        let slot = (ctx.tenant.as_str().to_owned(), id.as_str().to_owned());
        let now = ctx.now_ms();
        if let Some((key, until)) = self.cache().get(&slot)
            && now < *until
        {
            return Ok(key.clone());
        }
        let sql = "SELECT wrapped FROM data_key WHERE tenant = $1 AND id = $2";
        let row = conn.fetch_optional(sql, args![&ctx.tenant, id]).await?.ok_or(Error::Destroyed)?;
        let key = self.unwrap(&ctx.tenant, id.clone(), row.get(0)?)?;
        let mut cache = self.cache();
        if cache.len() >= CACHE_KEYS {
            cache.clear();
        }
        cache.insert(slot, (key.clone(), now.saturating_add(CACHE_MS)));
        Ok(key)
    }

    /// Seals one value; `row` is its table and primary key.
    pub fn seal(&self, key: &DataKey, tenant: &Tenant, row: &[&str], value: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(key.key.seal(&self.0.entropy, &Place::new("value", tenant.as_str(), row), value)?)
    }

    pub fn open(&self, key: &DataKey, tenant: &Tenant, row: &[&str], sealed: &[u8]) -> Result<Secret, Error> {
        Ok(key.key.open(&Place::new("value", tenant.as_str(), row), sealed)?)
    }

    /// A code by which an e-mail address or the like is found again without being kept: the same text of the same tenant gives
    /// the same code, and only who has the master key can try texts. A new master key gives new codes.
    pub fn match_code(&self, tenant: &Tenant, text: &str) -> String {
        let key = self.0.master.derive("match-code");
        // HMAC takes keys of any length, so there is always a code.
        let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(key.expose()) else { return String::new() };
        mac.update(&(tenant.as_str().len() as u64).to_be_bytes());
        mac.update(tenant.as_str().as_bytes());
        mac.update(text.as_bytes());
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }

    /// Makes everything sealed for this purpose unreadable, for ever and in every copy. Another process may still hold
    /// the key for up to a minute.
    pub async fn destroy(&self, tx: &mut WriteTx, ctx: &Ctx, purpose: &str) -> Result<bool, Error> {
        let sql = "SELECT id FROM data_key WHERE tenant = $1 AND purpose = $2 AND destroyed_at IS NULL";
        let Some(row) = tx.fetch_optional(sql, args![&ctx.tenant, purpose]).await? else { return Ok(false) };
        self.destroy_key(tx, ctx, &row.get(0)?).await?;
        Ok(true)
    }

    /// [`Vault::destroy`] for a key by its id; destroying it again changes nothing.
    pub async fn destroy_key(&self, tx: &mut WriteTx, ctx: &Ctx, id: &DataKeyId) -> Result<(), Error> {
        tx.execute(
            "UPDATE data_key SET wrapped = NULL, destroyed_at = $3 WHERE tenant = $1 AND id = $2 AND destroyed_at IS NULL",
            args![&ctx.tenant, id, ctx.now_ms()],
        )
        .await?;
        let (vault, slot) = (self.clone(), (ctx.tenant.as_str().to_owned(), id.as_str().to_owned()));
        tx.after_commit(move || drop(vault.cache().remove(&slot)));
        Ok(())
    }

    /// Wraps again, under the current master key, what a former one still wraps. Returns how many rows it changed; the
    /// values are not touched, so it may run while the hub works.
    pub async fn rewrap(&self, store: &Store) -> Result<u64, Error> {
        let vault = self.clone();
        store
            .write(move |tx| {
                Box::pin(async move {
                    let (master, entropy) = (&vault.0.master, &vault.0.entropy);
                    let mut changed = 0;
                    let secrets = tx
                        .fetch_all(
                            "SELECT tenant, owner, name, slot, sealed FROM secret WHERE key_id <> $1 ORDER BY tenant, owner, name, slot",
                            args![master.fingerprint()],
                        )
                        .await?;
                    for row in secrets {
                        let (tenant, owner, name): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
                        let (slot, sealed): (i64, Vec<u8>) = (row.get(3)?, row.get(4)?);
                        let parts = [owner.as_str(), name.as_str()];
                        let place = Place::new("secret", &tenant, &parts);
                        let moved = vault.masters().find_map(|m| m.key().rewrap(master.key(), entropy, &place, &sealed).ok());
                        let moved = moved.ok_or_else(|| Error::Unreadable { owner: owner.clone(), name: name.clone() })?;
                        changed += tx
                            .execute(
                                "UPDATE secret SET sealed = $5, key_id = $6 WHERE tenant = $1 AND owner = $2 AND name = $3 AND slot = $4",
                                args![&tenant, &owner, &name, slot, moved, master.fingerprint()],
                            )
                            .await?;
                    }
                    let keys = tx
                        .fetch_all("SELECT tenant, id, wrapped FROM data_key WHERE destroyed_at IS NULL ORDER BY tenant, id", &[])
                        .await?;
                    for row in keys {
                        let (tenant, id, wrapped): (String, String, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
                        let parts = [id.as_str()];
                        let place = Place::new("data-key", &tenant, &parts);
                        if master.key().open(&place, &wrapped).is_ok() {
                            continue;
                        }
                        let key = vault.0.former.iter().find_map(|m| m.key().unwrap_key(&place, &wrapped).ok()).ok_or(Unopened)?;
                        let moved = master.key().seal(entropy, &place, key.expose())?;
                        changed += tx
                            .execute("UPDATE data_key SET wrapped = $3 WHERE tenant = $1 AND id = $2", args![&tenant, &id, moved])
                            .await?;
                    }
                    let sealed = master.key().seal(entropy, &Place::new("check", "", &[]), CHECK_TEXT)?;
                    let value = format!("{} {}", master.fingerprint(), STANDARD.encode(sealed));
                    tx.execute("UPDATE setting SET value = $1 WHERE tenant = '' AND name = 'master-key'", args![&value]).await?;
                    Ok(changed)
                })
            })
            .await
    }

    async fn insert(&self, tx: &mut WriteTx, ctx: &Ctx, owner: &str, name: &str, value: &Secret) -> Result<(), Error> {
        let row = [owner, name];
        let place = Place::new("secret", ctx.tenant.as_str(), &row);
        let sealed = self.0.master.key().seal_enveloped(&self.0.entropy, &place, value.expose())?;
        tx.execute(
            "INSERT INTO secret (tenant, owner, name, slot, key_id, sealed, updated_at) VALUES ($1, $2, $3, 0, $4, $5, $6)",
            args![&ctx.tenant, owner, name, self.0.master.fingerprint(), sealed, ctx.now_ms()],
        )
        .await?;
        Ok(())
    }

    fn open_secret(&self, tenant: &Tenant, owner: &str, name: &str, sealed: &[u8]) -> Result<Secret, Error> {
        let row = [owner, name];
        let place = Place::new("secret", tenant.as_str(), &row);
        self.masters()
            .find_map(|master| master.key().open_enveloped(&place, sealed).ok())
            .ok_or_else(|| Error::Unreadable { owner: owner.to_owned(), name: name.to_owned() })
    }

    fn unwrap(&self, tenant: &Tenant, id: DataKeyId, wrapped: Option<Vec<u8>>) -> Result<DataKey, Error> {
        let wrapped = wrapped.ok_or(Error::Destroyed)?;
        let row = [id.as_str()];
        let place = Place::new("data-key", tenant.as_str(), &row);
        let key = self.masters().find_map(|master| master.key().unwrap_key(&place, &wrapped).ok()).ok_or(Unopened)?;
        Ok(DataKey { id, key })
    }

    fn masters(&self) -> impl Iterator<Item = &MasterKey> {
        std::iter::once(&self.0.master).chain(&self.0.former)
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), (DataKey, i64)>> {
        self.0.cache.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
