//! Connections: our accounts at channels and carriers, with their settings, grants, state and health.
//!
//! A new connection only *observes*: it reads and never pushes. [`go_live`] is the one way to *live*, and it names the plan
//! that the merchant accepted. *Paused* neither reads nor pushes, and resuming leads back to where it was.
//!
//! No row here holds a secret. The webhook path is the exception in spirit: it is unguessable, but it only says which
//! connection is meant; every delivery is verified besides. Requests are looked up by its SHA-256, so that the time a
//! look-up takes tells nothing about the path. It is kept in clear because subscriptions are created anew with it.
//!
//! A removed connection keeps its row, without settings, grants and webhook path, so that its orders and the ledger keep a
//! name. Whoever removes it also forgets its secrets, listings, schedules and lanes: they belong to other rooms.

mod error;
mod model;
mod settings;
mod store;

use std::collections::BTreeMap;

use serde_json::Value as Json;

pub use error::Error;
pub use model::{Connection, Health, NewConnection, OpenWork, Origin, State};
pub use settings::{Problem, check_settings};

use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, PlanId};
use crate::page::{Page, PageRequest};
use crate::store::{Sql, WriteTx};

/// Adds a connection that observes. `schema` is the JSON Schema of the manifest's settings.
pub async fn add(tx: &mut WriteTx, ctx: &Ctx, new: &NewConnection, schema: &Json) -> Result<Connection, Error> {
    let given = settings::completed(schema, &new.settings);
    check_settings(schema, &given)?;
    let connection = Connection {
        id: ConnectionId::new(&ctx.ids),
        plugin: new.plugin.clone(),
        name: model::clean_name(&new.name)?,
        state: State::Observing,
        settings: given,
        grants: Vec::new(),
        webhook_path: model::new_webhook_path(ctx.ids.entropy()),
        account: None,
        since_at: new.since_at.unwrap_or_else(|| ctx.now_ms()),
        health: Health::Unknown,
        health_reason: None,
        health_at: ctx.now_ms(),
        buffer: 0,
        live_plan: None,
        created_at: ctx.now_ms(),
    };
    refuse_taken_name(tx, ctx, &connection.name, &connection.id).await?;
    store::insert(tx, ctx, &connection).await?;
    Ok(connection)
}

/// Removed ones are not found.
pub async fn find(conn: &mut impl Sql, tenant: &Tenant, id: &ConnectionId) -> Result<Option<Connection>, Error> {
    store::find(conn, tenant, id, "").await
}

pub async fn get(conn: &mut impl Sql, tenant: &Tenant, id: &ConnectionId) -> Result<Connection, Error> {
    find(conn, tenant, id).await?.ok_or_else(|| Error::Unknown { what: id.to_string() })
}

/// By id or by name, as people give it.
pub async fn resolve(conn: &mut impl Sql, tenant: &Tenant, id_or_name: &str) -> Result<Connection, Error> {
    let found = match ConnectionId::parse(id_or_name) {
        Ok(id) => find(conn, tenant, &id).await?,
        Err(_) => store::find_by_name(conn, tenant, id_or_name.trim()).await?,
    };
    found.ok_or_else(|| Error::Unknown { what: id_or_name.chars().take(80).collect() })
}

/// The connection a webhook address belongs to, of any tenant.
pub async fn by_webhook_path(conn: &mut impl Sql, path: &str) -> Result<Option<(Tenant, Connection)>, Error> {
    store::find_by_webhook_hash(conn, &model::hash_of(path)).await
}

/// Oldest first.
pub async fn list(conn: &mut impl Sql, tenant: &Tenant, request: &PageRequest) -> Result<Page<Connection>, Error> {
    store::list(conn, tenant, request).await
}

/// Names by id, of removed connections too: for lists of orders and of the ledger.
pub async fn names(conn: &mut impl Sql, tenant: &Tenant) -> Result<BTreeMap<ConnectionId, String>, Error> {
    store::names(conn, tenant).await
}

pub async fn rename(tx: &mut WriteTx, ctx: &Ctx, id: &ConnectionId, name: &str) -> Result<Connection, Error> {
    let name = model::clean_name(name)?;
    refuse_taken_name(tx, ctx, &name, id).await?;
    change(tx, ctx, id, |connection| {
        connection.name = name;
        Ok(())
    })
    .await
}

pub async fn set_settings(tx: &mut WriteTx, ctx: &Ctx, id: &ConnectionId, settings: &Json, schema: &Json) -> Result<Connection, Error> {
    let given = settings::completed(schema, settings);
    check_settings(schema, &given)?;
    change(tx, ctx, id, |connection| {
        connection.settings = given;
        Ok(())
    })
    .await
}

/// Lets the connection call an origin that its manifest does not name, private and loopback addresses included.
pub async fn grant(tx: &mut WriteTx, ctx: &Ctx, id: &ConnectionId, origin: &Origin) -> Result<Connection, Error> {
    change(tx, ctx, id, |connection| {
        if !connection.grants.contains(origin) {
            connection.grants.push(origin.clone());
            connection.grants.sort();
        }
        Ok(())
    })
    .await
}

pub async fn revoke(tx: &mut WriteTx, ctx: &Ctx, id: &ConnectionId, origin: &Origin) -> Result<Connection, Error> {
    change(tx, ctx, id, |connection| {
        connection.grants.retain(|granted| granted != origin);
        Ok(())
    })
    .await
}

/// Begins to publish. The caller has checked that `plan` is of this connection, is accepted and still holds.
pub async fn go_live(tx: &mut WriteTx, ctx: &Ctx, id: &ConnectionId, plan: &PlanId) -> Result<Connection, Error> {
    change(tx, ctx, id, |connection| {
        connection.live_plan = Some(plan.clone());
        connection.state = State::Live;
        Ok(())
    })
    .await
}

/// Every change of state but the first step to live, which is [`go_live`]'s. Stepping back to observing forgets the plan.
pub async fn set_state(tx: &mut WriteTx, ctx: &Ctx, id: &ConnectionId, state: State) -> Result<Connection, Error> {
    change(tx, ctx, id, |connection| connection.step(state)).await
}

pub async fn pause(tx: &mut WriteTx, ctx: &Ctx, id: &ConnectionId) -> Result<Connection, Error> {
    set_state(tx, ctx, id, State::Paused).await
}

/// Back to where it was: live if a plan was accepted, observing if not. Does nothing to one that is not paused.
pub async fn resume(tx: &mut WriteTx, ctx: &Ctx, id: &ConnectionId) -> Result<Connection, Error> {
    change(tx, ctx, id, |connection| {
        if connection.state == State::Paused {
            connection.state = if connection.live_plan.is_some() { State::Live } else { State::Observing };
        }
        Ok(())
    })
    .await
}

/// Notes how the last call went. `reason` is for people and never holds a body or a secret.
pub async fn record_health(tx: &mut WriteTx, ctx: &Ctx, id: &ConnectionId, health: Health, reason: Option<&str>) -> Result<(), Error> {
    store::record_health(tx, ctx, id, health, reason.map(|text| text.chars().take(500).collect())).await
}

/// What the last check found out about the account: name, currency, zone, locations, as the connector gave it.
pub async fn record_account(tx: &mut WriteTx, ctx: &Ctx, id: &ConnectionId, account: &Json) -> Result<Connection, Error> {
    change(tx, ctx, id, |connection| {
        connection.account = Some(account.clone());
        Ok(())
    })
    .await
}

/// Orders placed before this instant are kept but never reserve.
pub async fn set_since(tx: &mut WriteTx, ctx: &Ctx, id: &ConnectionId, since_at: i64) -> Result<Connection, Error> {
    change(tx, ctx, id, |connection| {
        connection.since_at = since_at;
        Ok(())
    })
    .await
}

/// Units held back on every listing of this connection.
pub async fn set_buffer(tx: &mut WriteTx, ctx: &Ctx, id: &ConnectionId, units: i64) -> Result<Connection, Error> {
    if units < 0 {
        return Err(Error::NegativeBuffer { units });
    }
    change(tx, ctx, id, |connection| {
        connection.buffer = units;
        Ok(())
    })
    .await
}

/// What removing this connection would leave behind.
pub async fn open_work(conn: &mut impl Sql, tenant: &Tenant, id: &ConnectionId) -> Result<OpenWork, Error> {
    store::open_work(conn, tenant, id).await
}

/// Refused while orders reserve or something is unsent, unless forced. Ledger, orders and reservations stay as they are.
pub async fn remove(tx: &mut WriteTx, ctx: &Ctx, id: &ConnectionId, force: bool) -> Result<OpenWork, Error> {
    let connection = locked(tx, ctx, id).await?;
    let work = open_work(tx, &ctx.tenant, id).await?;
    if !force && !work.is_none() {
        return Err(Error::OpenWork { name: connection.name, work });
    }
    store::mark_removed(tx, ctx, id).await?;
    Ok(work)
}

async fn change(
    tx: &mut WriteTx,
    ctx: &Ctx,
    id: &ConnectionId,
    edit: impl FnOnce(&mut Connection) -> Result<(), Error>,
) -> Result<Connection, Error> {
    let mut connection = locked(tx, ctx, id).await?;
    edit(&mut connection)?;
    store::update(tx, ctx, &connection).await?;
    Ok(connection)
}

async fn locked(tx: &mut WriteTx, ctx: &Ctx, id: &ConnectionId) -> Result<Connection, Error> {
    let lock = tx.dialect().for_update();
    store::find(tx, &ctx.tenant, id, lock).await?.ok_or_else(|| Error::Unknown { what: id.to_string() })
}

async fn refuse_taken_name(tx: &mut WriteTx, ctx: &Ctx, name: &str, id: &ConnectionId) -> Result<(), Error> {
    match store::find_by_name(tx, &ctx.tenant, name).await? {
        Some(other) if other.id != *id => Err(Error::NameTaken { name: name.to_owned() }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
