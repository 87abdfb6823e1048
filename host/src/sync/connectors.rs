//! The installed connectors, and a session with one on a connection's behalf.

use std::sync::Arc;

use super::{Error, Parts};
use crate::clock::to_rfc3339;
use crate::connections::Connection;
use crate::ctx::Ctx;
use crate::egress::Egress;
use crate::id::{CallId, Ids};
use crate::plugins::manifest::Manifest;
use crate::plugins::reach::Reach;
use crate::plugins::registry::{Plugin, Registry};
use crate::plugins::{Caller, wire};

/// Cheap to clone.
#[derive(Clone)]
pub struct Connectors {
    pub registry: Arc<Registry>,
    pub egress: Egress,
}

/// One connection's connector, ready to be called. Made for one run of a lane.
pub struct Session {
    pub caller: Caller,
    pub plugin: Plugin,
    config_json: String,
    connection: String,
    ids: Ids,
}

impl Connectors {
    pub async fn session(&self, parts: &Parts, ctx: &Ctx, connection: &Connection) -> Result<Session, Error> {
        self.open(parts, ctx, connection, false).await
    }

    /// A session in which nothing that changes anything leaves this machine.
    pub async fn dry_session(&self, parts: &Parts, ctx: &Ctx, connection: &Connection) -> Result<Session, Error> {
        self.open(parts, ctx, connection, true).await
    }

    async fn open(&self, parts: &Parts, ctx: &Ctx, connection: &Connection, dry_run: bool) -> Result<Session, Error> {
        let plugin = self.registry.get(&ctx.tenant, &connection.plugin)?;
        let services = Reach::services(
            parts.store.clone(),
            parts.vault.clone(),
            self.egress.clone(),
            ctx.clone(),
            plugin.clone(),
            connection.clone(),
            dry_run,
        );
        let caller = plugin.caller(services, ctx.tenant.clone(), Some(connection.id.clone()), dry_run);
        Ok(Session {
            caller,
            config_json: config(plugin.manifest(), connection).to_string(),
            plugin,
            connection: connection.id.to_string(),
            ids: ctx.ids.clone(),
        })
    }
}

/// The connection's settings, and where its reading begins if the connector asks for that and nobody said otherwise.
fn config(manifest: &Manifest, connection: &Connection) -> serde_json::Value {
    let mut settings = connection.settings.clone();
    let wants_since = manifest.settings.pointer("/properties/since").is_some();
    if let (true, Some(settings)) = (wants_since, settings.as_object_mut()) {
        settings.entry("since").or_insert_with(|| to_rfc3339(connection.since_at).into());
    }
    settings
}

impl Session {
    pub fn manifest(&self) -> &Manifest {
        self.plugin.manifest()
    }

    pub fn context(&self, attempt: i64, idempotency_key: &str) -> wire::Context {
        wire::Context {
            connection: self.connection.clone(),
            config_json: self.config_json.clone(),
            trace: CallId::new(&self.ids).to_string(),
            attempt: u32::try_from(attempt).unwrap_or(u32::MAX),
            idempotency_key: idempotency_key.to_owned(),
            dry_run: self.caller.dry_run,
            extras: Vec::new(),
        }
    }
}
