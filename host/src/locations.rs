//! Locations: where our goods lie, and which of a channel's locations is which of ours.
//!
//! A hub that was told of none has one, *Main*, made when it is first needed. Orders are served from the location with the
//! lowest priority number first. A channel's location without a mapping is not ours to write to, unless the connection has
//! no mapping at all: then everything we have stands behind the channel's only or first location.

mod error;
mod store;

use std::collections::BTreeMap;

pub use error::Error;

use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, LocationId};
use crate::patch::Patch;
use crate::store::{Sql, WriteTx};

#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Location {
    pub id: LocationId,
    pub name: String,
    /// Lower is asked first.
    pub priority: i64,
    /// ISO 3166-1 alpha-2, where it lies.
    pub country: Option<String>,
    pub created_at: i64,
}

const FIRST_NAME: &str = "Main";

/// The location that is asked first; made if there is none.
pub async fn ensure_default(tx: &mut WriteTx, ctx: &Ctx) -> Result<LocationId, Error> {
    if let Some(first) = list(tx, &ctx.tenant).await?.into_iter().next() {
        return Ok(first.id);
    }
    let main = Location { id: LocationId::new(&ctx.ids), name: FIRST_NAME.into(), priority: 0, country: None, created_at: ctx.now_ms() };
    if store::insert(tx, ctx, &main).await? {
        return Ok(main.id);
    }
    // Somebody else made it in the same moment.
    store::find_by_name(tx, &ctx.tenant, FIRST_NAME).await?.map(|found| found.id).ok_or_else(|| Error::Unknown { what: FIRST_NAME.into() })
}

/// Adds one behind the others.
pub async fn add(tx: &mut WriteTx, ctx: &Ctx, name: &str) -> Result<Location, Error> {
    let clean = name.trim();
    if clean.is_empty() || clean.chars().count() > 60 || clean.chars().any(char::is_control) || LocationId::parse(clean).is_ok() {
        return Err(Error::BadName { name: name.chars().take(80).collect() });
    }
    let priority = list(tx, &ctx.tenant).await?.last().map_or(0, |last| last.priority + 1);
    let location = Location { id: LocationId::new(&ctx.ids), name: clean.into(), priority, country: None, created_at: ctx.now_ms() };
    if !store::insert(tx, ctx, &location).await? {
        return Err(Error::NameTaken { name: clean.into() });
    }
    Ok(location)
}

/// What a person may change of one.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LocationPatch {
    /// Lower is asked first.
    pub priority: Option<i64>,
    pub country: Patch<String>,
}

pub async fn change(tx: &mut WriteTx, ctx: &Ctx, id: &LocationId, patch: LocationPatch) -> Result<Location, Error> {
    let mut location = resolve(tx, &ctx.tenant, id.as_str()).await?;
    location.priority = patch.priority.unwrap_or(location.priority);
    patch.country.apply(&mut location.country);
    if let Some(country) = &mut location.country {
        *country = country.trim().to_ascii_uppercase();
        if country.len() != 2 || !country.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(Error::BadCountry { country: country.chars().take(80).collect() });
        }
    }
    store::change(tx, ctx, &location).await?;
    Ok(location)
}

/// In the order in which they are asked.
pub async fn list(conn: &mut impl Sql, tenant: &Tenant) -> Result<Vec<Location>, Error> {
    store::list(conn, tenant).await
}

/// By id or by name, as people give it.
pub async fn resolve(conn: &mut impl Sql, tenant: &Tenant, id_or_name: &str) -> Result<Location, Error> {
    let wanted = id_or_name.trim();
    let found = list(conn, tenant).await?.into_iter().find(|location| location.id.as_str() == wanted || location.name == wanted);
    found.ok_or_else(|| Error::Unknown { what: wanted.chars().take(80).collect() })
}

/// Says which of ours a channel's location is. Said again, it changes.
pub async fn map(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, external_id: &str, location: &LocationId) -> Result<(), Error> {
    if !list(tx, &ctx.tenant).await?.iter().any(|known| known.id == *location) {
        return Err(Error::Unknown { what: location.to_string() });
    }
    store::map(tx, ctx, connection, external_id, location).await
}

/// Returns `false` if it was not mapped.
pub async fn unmap(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, external_id: &str) -> Result<bool, Error> {
    store::unmap(tx, ctx, connection, external_id).await
}

/// Ours by the channel's ids; empty where nothing was mapped.
pub async fn mapped(conn: &mut impl Sql, tenant: &Tenant, connection: &ConnectionId) -> Result<BTreeMap<String, LocationId>, Error> {
    store::mapped(conn, tenant, connection).await
}

/// When a connection is removed.
pub async fn forget_connection(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId) -> Result<(), Error> {
    store::unmap_all(tx, ctx, connection).await
}

#[cfg(test)]
mod tests;
