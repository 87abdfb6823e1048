//! Foreign ids: (kind, connection, external id) <-> our id.
//!
//! A foreign id is opaque text, unique only inside its kind and connection, and stands for one thing of ours for ever. One
//! thing of ours may have many foreign ids. Listings keep theirs in their own table, where it is part of the key; every
//! other translation goes through here.

mod error;
mod store;

use std::collections::BTreeMap;

pub use error::Error;

use crate::ctx::{Ctx, Tenant};
use crate::id::ConnectionId;
use crate::store::{Sql, WriteTx};

/// What is named. Stored as text; the list only grows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Product,
    Order,
    Customer,
    Shipment,
    Refund,
    Return,
    /// A handle of a listing (`inventory-item=…`), by which some webhooks name it. May move to another listing.
    ListingHandle,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Order => "order",
            Self::Customer => "customer",
            Self::Shipment => "shipment",
            Self::Refund => "refund",
            Self::Return => "return",
            Self::ListingHandle => "listing-handle",
        }
    }
}

/// One foreign id of something of ours.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Foreign {
    pub kind: String,
    pub connection: ConnectionId,
    pub external_id: String,
}

/// Returns `false` if it was mapped so before. Refuses to let a foreign id change its meaning.
pub async fn map(
    tx: &mut WriteTx,
    ctx: &Ctx,
    kind: Kind,
    connection: &ConnectionId,
    external_id: &str,
    internal_id: &str,
) -> Result<bool, Error> {
    if store::insert(tx, ctx, kind, connection, external_id, internal_id).await? {
        return Ok(true);
    }
    match find(tx, &ctx.tenant, kind, connection, external_id).await? {
        Some(known) if known == internal_id => Ok(false),
        known => Err(Error::Taken {
            kind: kind.as_str(),
            external_id: external_id.to_owned(),
            known: known.unwrap_or_default(),
            wanted: internal_id.to_owned(),
        }),
    }
}

/// Maps a foreign id that may move from one of ours to another.
pub async fn remap(
    tx: &mut WriteTx,
    ctx: &Ctx,
    kind: Kind,
    connection: &ConnectionId,
    external_id: &str,
    internal_id: &str,
) -> Result<(), Error> {
    store::put(tx, ctx, kind, connection, external_id, internal_id).await
}

pub async fn find(
    conn: &mut impl Sql,
    tenant: &Tenant,
    kind: Kind,
    connection: &ConnectionId,
    external_id: &str,
) -> Result<Option<String>, Error> {
    Ok(find_many(conn, tenant, kind, connection, &[external_id]).await?.into_values().next())
}

/// Our ids by foreign id; the ones that are not known are missing.
pub async fn find_many(
    conn: &mut impl Sql,
    tenant: &Tenant,
    kind: Kind,
    connection: &ConnectionId,
    external_ids: &[&str],
) -> Result<BTreeMap<String, String>, Error> {
    store::find_many(conn, tenant, kind, connection, external_ids).await
}

/// Every foreign id of one thing of ours.
pub async fn list_for(conn: &mut impl Sql, tenant: &Tenant, internal_id: &str) -> Result<Vec<Foreign>, Error> {
    store::list_for(conn, tenant, internal_id).await
}

#[cfg(test)]
mod tests;
