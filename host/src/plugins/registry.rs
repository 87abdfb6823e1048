//! Which connectors this hub has: installing, listing, going back, removing, and loading them at start.
//!
//! The packed files, their digests and what each was granted live in the database; machine code is a local cache. A
//! connector is [`prepared`](Registry::prepare) (checked, compiled, linked) before anything is written, so that none is
//! installed that cannot run.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use super::artifact::{self, Inspected};
use super::call::{CallError, Caller};
use super::compile::{self, Compiler};
use super::engine::{Engine, Loaded};
use super::grant::{Grant, Permission};
use super::limits::Limits;
use super::manifest::{Capability, Manifest};
use super::services::Services;
use super::store;
use crate::ctx::{Ctx, Tenant};
use crate::id::ConnectionId;
use crate::store::{Sql, WriteTx};

/// Besides the version in use, this many older ones are kept for going back.
const KEPT_VERSIONS: usize = 2;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Artifact(#[from] artifact::Error),
    #[error("{0}")]
    Compile(#[from] compile::Error),
    #[error("{0}")]
    Link(#[from] CallError),
    #[error("there is no connector `{0}`; `entrepot plugin list` shows those installed")]
    Absent(String),
    #[error("there is no older version of `{0}` to go back to")]
    NoOlder(String),
    #[error("the stored connector `{name}` is damaged; install it again")]
    Damaged { name: String },
    #[error("the database failed")]
    Store(#[from] crate::store::Error),
}

/// An installed version.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub name: String,
    pub digest: String,
    pub version: String,
    pub bytes: i64,
    pub grant: Grant,
    pub installed_at: i64,
    pub installed_by: String,
    pub current: bool,
}

/// A connector that can be called. Cheap to clone.
#[derive(Clone)]
pub struct Plugin(Arc<Ready>);

struct Ready {
    inspected: Inspected,
    grant: Grant,
    effective: Manifest,
    loaded: Loaded,
}

impl Plugin {
    pub fn name(&self) -> &str {
        &self.0.inspected.manifest.name
    }

    pub fn inspected(&self) -> &Inspected {
        &self.0.inspected
    }

    /// What it may do: its manifest, reduced to what was granted.
    pub fn manifest(&self) -> &Manifest {
        &self.0.effective
    }

    pub fn grant(&self) -> &Grant {
        &self.0.grant
    }

    pub fn may(&self, capability: Capability) -> bool {
        self.0.effective.has(capability)
    }

    /// Makes calls for a connection, or for none.
    pub fn caller(&self, services: Services, tenant: Tenant, connection: Option<ConnectionId>, dry_run: bool) -> Caller {
        Caller { loaded: self.0.loaded.clone(), services, tenant, connection, plugin: self.name().into(), dry_run }
    }
}

/// A connector checked, compiled and linked, not yet granted anything.
pub struct Prepared {
    pub inspected: Inspected,
    loaded: Loaded,
    bytes: Vec<u8>,
}

impl Prepared {
    /// What it asks for; show it before granting.
    pub fn permissions(&self) -> Vec<Permission> {
        super::grant::permissions(&self.inspected.manifest)
    }

    fn granted(&self, grant: Grant) -> Plugin {
        let effective = grant.effective(&self.inspected.manifest);
        let loaded = self.loaded.restricted(&effective.capabilities);
        Plugin(Arc::new(Ready { inspected: self.inspected.clone(), grant, effective, loaded }))
    }
}

/// The connectors of this process.
pub struct Registry {
    engine: Engine,
    compiler: Compiler,
    limits: Limits,
    plugins: RwLock<BTreeMap<(Tenant, String), Plugin>>,
}

impl Registry {
    pub fn new(engine: Engine, compiler: Compiler) -> Self {
        Self { engine, compiler, limits: Limits::default(), plugins: RwLock::new(BTreeMap::new()) }
    }

    /// Bounds for every call. Memory is each manifest's own word, up to 256 MiB.
    pub fn limited(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Checks a packed file, compiles it in the child (or takes it from the cache) and links it.
    pub async fn prepare(&self, bytes: Vec<u8>) -> Result<Prepared, Error> {
        let inspected = artifact::inspect(&bytes)?;
        let component = self.compiler.component(&bytes).await?;
        let memory_bytes = (inspected.manifest.limits.memory_mib as usize) << 20;
        let loaded = self.engine.load(&component, Limits { memory_bytes, ..self.limits })?;
        Ok(Prepared { inspected, loaded, bytes })
    }

    /// Writes a prepared connector with its grant. Call [`Registry::enable`] once that is durable.
    pub async fn install(tx: &mut WriteTx, ctx: &Ctx, prepared: &Prepared, grant: &Grant) -> Result<Row, Error> {
        let inspected = &prepared.inspected;
        let row = Row {
            name: inspected.manifest.name.clone(),
            digest: inspected.digest.clone(),
            version: inspected.manifest.version.clone(),
            bytes: inspected.bytes as i64,
            grant: grant.clone(),
            installed_at: ctx.now_ms(),
            installed_by: ctx.actor.clone(),
            current: true,
        };
        store::put_artifact(tx, ctx, &row.digest, &prepared.bytes).await?;
        store::put(tx, ctx, &row).await?;
        let older = store::versions(tx, &ctx.tenant, &row.name).await?;
        for old in older.iter().filter(|old| !old.current).skip(KEPT_VERSIONS) {
            store::forget_version(tx, ctx, &old.name, &old.digest).await?;
        }
        Ok(row)
    }

    /// Makes a connector callable in this process.
    pub fn enable(&self, tenant: &Tenant, prepared: &Prepared, grant: Grant) -> Plugin {
        let plugin = prepared.granted(grant);
        self.write().insert((tenant.clone(), plugin.name().to_owned()), plugin.clone());
        plugin
    }

    pub fn find(&self, tenant: &Tenant, name: &str) -> Option<Plugin> {
        let plugins = self.plugins.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        plugins.get(&(tenant.clone(), name.to_owned())).cloned()
    }

    pub fn get(&self, tenant: &Tenant, name: &str) -> Result<Plugin, Error> {
        self.find(tenant, name).ok_or_else(|| Error::Absent(name.to_owned()))
    }

    /// The versions in use, whether or not this process could load them.
    pub async fn list(conn: &mut impl Sql, tenant: &Tenant) -> Result<Vec<Row>, Error> {
        store::list(conn, tenant).await
    }

    /// Every kept version, newest first.
    pub async fn versions(conn: &mut impl Sql, tenant: &Tenant, name: &str) -> Result<Vec<Row>, Error> {
        store::versions(conn, tenant, name).await
    }

    /// The packed file of a version in use, its digest checked.
    pub async fn artifact(conn: &mut impl Sql, tenant: &Tenant, row: &Row) -> Result<Vec<u8>, Error> {
        let bytes = store::artifact(conn, tenant, &row.digest).await?;
        if artifact::digest(&bytes) != row.digest {
            return Err(Error::Damaged { name: row.name.clone() });
        }
        Ok(bytes)
    }

    /// Removes every version. Whoever calls it has made sure that no connection uses it, and calls [`Registry::disable`].
    pub async fn remove(tx: &mut WriteTx, ctx: &Ctx, name: &str) -> Result<(), Error> {
        let versions = store::versions(tx, &ctx.tenant, name).await?;
        if versions.is_empty() {
            return Err(Error::Absent(name.to_owned()));
        }
        for version in versions {
            store::forget_version(tx, ctx, name, &version.digest).await?;
        }
        Ok(())
    }

    pub fn disable(&self, tenant: &Tenant, name: &str) {
        self.write().remove(&(tenant.clone(), name.to_owned()));
    }

    /// Makes the newest older version the one in use, with the grant it had. Then prepare and [`enable`](Registry::enable) it.
    pub async fn roll_back(tx: &mut WriteTx, ctx: &Ctx, name: &str) -> Result<Row, Error> {
        let versions = store::versions(tx, &ctx.tenant, name).await?;
        let older = versions.into_iter().find(|version| !version.current).ok_or_else(|| Error::NoOlder(name.to_owned()))?;
        let row = Row { current: true, installed_at: ctx.now_ms(), installed_by: ctx.actor.clone(), ..older };
        store::put(tx, ctx, &row).await?;
        Ok(row)
    }

    /// Loads what the database holds. One that fails does not keep the others from running: its error is returned beside its name.
    pub async fn load_all(&self, conn: &mut impl Sql, tenant: &Tenant) -> Result<Vec<(String, Result<Plugin, Error>)>, Error> {
        let mut loaded = Vec::new();
        for row in store::list(conn, tenant).await? {
            let result = match Self::artifact(conn, tenant, &row).await {
                Ok(bytes) => self.prepare(bytes).await.map(|prepared| self.enable(tenant, &prepared, row.grant)),
                Err(error) => Err(error),
            };
            loaded.push((row.name, result));
        }
        Ok(loaded)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<(Tenant, String), Plugin>> {
        self.plugins.write().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
