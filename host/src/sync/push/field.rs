//! What differs between the fields that channels are told: whether they are told at all, the value, and the connector's calls.

use std::collections::BTreeMap;

use super::{Change, Shows, price, stock};
use crate::connections::Connection;
use crate::ctx::Ctx;
use crate::id::{ConnectionId, ListingId};
use crate::lanes::{LaneKey, LaneKind};
use crate::listings::Listing;
use crate::plugins::CallError;
use crate::plugins::wire::{self, commerce};
use crate::pricing::PricedFor;
use crate::store::{Sql, WriteTx};
use crate::sync::store::Desired;
use crate::sync::{Error, Session};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Field {
    Stock,
    Price,
}

/// What one listing should show. A listing that is in no list of these is not ours to tell.
pub enum Want {
    Show {
        listing: Listing,
        value: Shows,
        reason: String,
        /// Why nothing more may be put on sale.
        closed: Option<String>,
        /// Whom each price is for, by price list.
        priced: BTreeMap<String, PricedFor>,
    },
    /// No value works: what the channel shows stays, and people see why.
    Nothing { listing: Listing, reason: String },
}

impl Want {
    /// The listing that is to show something.
    pub fn listing(&self) -> Option<&Listing> {
        match self {
            Self::Show { listing, .. } => Some(listing),
            Self::Nothing { .. } => None,
        }
    }
}

/// What a channel shows, by our listing; `None` for a listing that is there and shows no value of the field.
pub type Readings = BTreeMap<ListingId, Option<Shows>>;

impl Field {
    pub const ALL: [Self; 2] = [Self::Stock, Self::Price];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stock => "stock",
            Self::Price => "price",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.as_str() == text)
    }

    pub fn lane(self, connection: &ConnectionId) -> LaneKey {
        LaneKey::new(LaneKind::Push, connection, self.as_str())
    }

    /// Whether this connection is told this field at all.
    pub async fn is_told(self, conn: &mut impl Sql, ctx: &Ctx, connection: &Connection) -> Result<bool, Error> {
        match self {
            Self::Stock => Ok(connection.may_push()),
            Self::Price => Ok(connection.may_push() && crate::pricing::pushes(conn, &ctx.tenant, &connection.id).await?),
        }
    }

    pub async fn wants(
        self,
        conn: &mut impl Sql,
        ctx: &Ctx,
        connection: &Connection,
        due: &[Desired],
    ) -> Result<BTreeMap<ListingId, Want>, Error> {
        match self {
            Self::Stock => stock::wants(conn, ctx, connection, due).await,
            Self::Price => price::wants(conn, ctx, connection, due).await,
        }
    }

    pub(super) async fn send(self, session: &Session, context: wire::Context, changes: &[Change]) -> Result<Vec<wire::Outcome>, CallError> {
        match self {
            Self::Stock => session.caller.stock_push(context, stock::wire_changes(changes)).await,
            Self::Price => session.caller.prices_push(context, price::wire_changes(changes)).await,
        }
    }

    pub(super) async fn read(self, session: &Session, changes: &[Change]) -> Result<Readings, CallError> {
        let listings = changes.iter().map(reference).collect();
        match self {
            Self::Stock => Ok(stock::readings(changes, session.caller.stock_read(session.context(1, ""), listings).await?)),
            Self::Price => price::read_lists(session, changes, listings).await,
        }
    }

    /// Under which keys the connector says what became of this change.
    pub(super) fn keys(change: &Change) -> Vec<String> {
        match &change.value {
            Shows::Quantities(told) => told.0.keys().map(|place| key(change, place)).collect(),
            Shows::Prices(prices) => prices.0.keys().map(|list| key(change, list)).collect(),
        }
    }

    /// The channel shows this value now.
    pub(super) async fn shown(
        tx: &mut WriteTx,
        ctx: &Ctx,
        connection: &ConnectionId,
        value: &Shows,
        priced: &BTreeMap<String, PricedFor>,
    ) -> Result<(), Error> {
        for (list, price) in value.prices().into_iter().flat_map(|prices| &prices.0) {
            if let Some(priced) = priced.get(list) {
                crate::pricing::remember(tx, ctx, connection, priced, *price, ctx.now_ms()).await?;
            }
        }
        Ok(())
    }
}

/// One part of a change in a call: `LISTING`, or `LISTING@PLACE` for a location or a price list of the channel.
pub(super) fn key(change: &Change, place: &str) -> String {
    match place {
        "" => change.listing.to_string(),
        place => format!("{}@{place}", change.listing),
    }
}

pub(super) fn reference(change: &Change) -> commerce::ListingRef {
    refer(&change.external_id, change.parent.as_ref(), change.sku.as_ref(), &change.handles)
}

pub(super) fn reference_of(listing: &Listing) -> commerce::ListingRef {
    refer(&listing.external_id, listing.parent.as_ref(), listing.sku.as_ref(), &handles(listing))
}

fn refer(external_id: &str, parent: Option<&String>, sku: Option<&String>, handles: &[(String, String)]) -> commerce::ListingRef {
    let handle = |(key, json): &(String, String)| wire::Extra { key: key.clone(), json: json.clone() };
    commerce::ListingRef {
        external_id: external_id.to_owned(),
        parent: parent.cloned(),
        sku: sku.cloned(),
        handles: handles.iter().map(handle).collect(),
    }
}

/// What the connector wants back with every push, as JSON texts.
pub(super) fn handles(listing: &Listing) -> Vec<(String, String)> {
    listing.handles.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), value.to_string())).collect()
}
