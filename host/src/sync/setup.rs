//! Taking a connection into service: settings, secrets, grants, schedules, first reads; and out again.

use std::collections::BTreeMap;

use super::{Error, Sync, fanout, health, store};
use crate::connections::{self, Connection, NewConnection, OpenWork, Origin};
use crate::ctx::Ctx;
use crate::hex::hex;
use crate::id::{ConnectionId, VariantId};
use crate::lanes::{self, LaneKey, schedule};
use crate::listings;
use crate::locations;
use crate::page::PageRequest;
use crate::plugins::manifest::Manifest;
use crate::plugins::wire;
use crate::pricing;
use crate::secrets::Secret;
use crate::stock;

/// What the merchant gives.
pub struct Setup {
    pub new: NewConnection,
    /// By the names of the manifest.
    pub secrets: BTreeMap<String, Secret>,
    /// Origins that an operator allows by hand, private addresses among them.
    pub grants: Vec<Origin>,
}

/// Random bytes of a secret that the hub makes itself; text, because some channels keep it as text.
const MADE_SECRET_BYTES: usize = 32;

/// Adds a connection that observes. Nothing is called here: [`check`] tries it.
pub async fn add(sync: &Sync, ctx: &Ctx, setup: Setup) -> Result<Connection, Error> {
    let plugin = sync.connectors.registry.get(&ctx.tenant, &setup.new.plugin)?;
    let manifest = plugin.manifest().clone();
    let mut secrets = setup.secrets;
    if let Some(unknown) = secrets.keys().find(|name| !manifest.secrets.iter().any(|slot| slot.name == **name)) {
        let known: Vec<&str> = manifest.secrets.iter().map(|slot| slot.name.as_str()).collect();
        return Err(Error::refused(
            format!("`{unknown}` is not a secret of {}", manifest.title),
            format!("its secrets are {}", known.join(", ")),
        ));
    }
    for slot in &manifest.secrets {
        if slot.generate && !secrets.contains_key(&slot.name) {
            secrets.insert(slot.name.clone(), made_secret(ctx));
        }
        if !slot.generate && !slot.optional && !secrets.contains_key(&slot.name) {
            return Err(Error::refused(
                format!("the secret `{}` ({}) is missing", slot.name, slot.title),
                "give it with --secret NAME=VALUE or --secret NAME=@FILE",
            ));
        }
    }
    let (sync2, ctx) = (sync.clone(), ctx.clone());
    sync.store
        .write(move |tx| {
            Box::pin(async move {
                let mut connection = connections::add(tx, &ctx, &setup.new, &manifest.settings).await?;
                for origin in &setup.grants {
                    connection = connections::grant(tx, &ctx, &connection.id, origin).await?;
                }
                for (name, value) in &secrets {
                    sync2.vault.put(tx, &ctx, connection.id.as_str(), name, value).await?;
                }
                for wanted in &manifest.schedules {
                    if let Some(run) = schedule::Run::parse(wanted.run.as_str()) {
                        schedule::set(tx, &ctx, &connection.id, run, &wanted.cron, true).await?;
                    }
                }
                lanes::make_due_many(tx, &ctx, &reading_lanes(&connection.id, &manifest), ctx.now_ms()).await?;
                Ok(connection)
            })
        })
        .await
}

/// The lanes on which a connection reads: one for each thing its connector can bring.
pub fn reading_lanes(connection: &ConnectionId, manifest: &Manifest) -> Vec<LaneKey> {
    let offered = |run: &&schedule::Run| manifest.capabilities.iter().any(|capability| capability.as_str() == run.as_str());
    schedule::Run::ALL.iter().filter(offered).map(|run| run.lane(connection)).collect()
}

fn made_secret(ctx: &Ctx) -> Secret {
    let mut bytes = [0u8; MADE_SECRET_BYTES];
    ctx.ids.entropy().fill(&mut bytes);
    Secret::from_text(&hex(bytes))
}

/// Does the credential work, and whose is it? The answer is stored with the connection.
pub async fn check(sync: &Sync, ctx: &Ctx, connection: &Connection) -> Result<wire::Account, Error> {
    let session = sync.connectors.session(sync, ctx, connection).await?;
    let account = session.caller.check(session.context(1, "")).await;
    let account = health::heard(sync, ctx, connection, account).await?;
    health::note(sync, ctx, connection, None).await?;
    let stored = serde_json::json!({
        "external_id": account.external_id,
        "name": account.name,
        "currency": account.currency,
        "country": account.country,
        "time_zone": account.time_zone,
        "scopes": account.scopes,
    });
    let (ctx, id) = (ctx.clone(), connection.id.clone());
    sync.store
        .write(move |tx| {
            Box::pin(async move {
                connections::record_account(tx, &ctx, &id, &stored).await?;
                Ok::<_, Error>(())
            })
        })
        .await?;
    Ok(account)
}

/// Takes a connection out of service: its secrets, listings, schedules and lanes go, its orders and the ledger stay.
pub async fn remove(sync: &Sync, ctx: &Ctx, connection: &Connection, force: bool) -> Result<OpenWork, Error> {
    let (vault, ctx, id) = (sync.vault.clone(), ctx.clone(), connection.id.clone());
    sync.store
        .write(move |tx| {
            Box::pin(async move {
                let left = connections::remove(tx, &ctx, &id, force).await?;
                vault.forget(tx, &ctx, id.as_str()).await?;
                listings::forget_connection(tx, &ctx, &id).await?;
                locations::forget_connection(tx, &ctx, &id).await?;
                stock::drop_rule(tx, &ctx, Some(&id)).await?;
                pricing::forget_connection(tx, &ctx, &id).await?;
                store::forget_guards(tx, &ctx, &id).await?;
                store::forget_imports(tx, &ctx, &id).await?;
                schedule::remove_connection(tx, &ctx, &id).await?;
                lanes::remove_connection(tx, &ctx, &id).await?;
                crate::plugins::state::forget(tx, &ctx.tenant, &id).await?;
                Ok(left)
            })
        })
        .await
}

/// Links what can be linked without doubt, then completes the orders that waited for it. Returns (links, completed lines).
pub async fn link_all(sync: &Sync, ctx: &Ctx, connection: &Connection) -> Result<(usize, usize), Error> {
    let (mut linked, mut request) = (0, PageRequest::first(LINKS_AT_ONCE));
    loop {
        let (ctx2, id, page) = (ctx.clone(), connection.id.clone(), request.clone());
        let (applied, next) = sync
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let (applied, next) = listings::link_matching(tx, &ctx2, &id, &page).await?;
                    let variants: Vec<VariantId> = applied.linked.iter().map(|(_, variant)| variant.clone()).collect();
                    fanout::stock_changed(tx, &ctx2, &variants).await?;
                    fanout::prices_changed(tx, &ctx2, Some(&variants)).await?;
                    Ok::<_, Error>((applied, next))
                })
            })
            .await?;
        linked += applied.linked.len();
        match next {
            Some(cursor) => request = PageRequest { cursor: Some(cursor), limit: Some(LINKS_AT_ONCE) },
            None => break,
        }
    }
    Ok((linked, super::intake::retry_parked(sync, ctx, None).await?))
}

const LINKS_AT_ONCE: u32 = 200;
