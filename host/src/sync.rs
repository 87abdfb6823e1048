//! Where connectors and the business meet. Everything here is a lane's handler or called by an edge.
//!
//! Inwards: [`inbound`] translates recorded deliveries, [`poll`] reads what changed; both end in [`intake`], which resolves
//! lines, ingests, settles stock and makes the outbound lanes due in one unit of work; [`rates`] reads exchange rates. Outwards:
//! [`push`] tells channels quantities and prices, as far as [`guards`] let it, [`writeback`] tells them shipments; each batch is
//! stored as an effect before it is sent, and an outcome that is not known leads to reading back, never to a blind repeat.
//! [`golive`] is the gate: a connection only observes until the merchant has accepted what the first push would do; [`plan`]
//! is what people look at before; [`imports`] says how far a long reading has come, and stops it between two pages. What people do to stock by hand is in [`shelves`]; orders that are not paid in time let go of
//! theirs in [`expiry`]. [`upkeep`] drops what was kept long enough, [`erasure`] buyers who ask
//! for it, or for whom a channel asks ([`privacy`]). [`tax`] works out and freezes what every order owes to whom. [`trouble`] says
//! what stands still and what that is worth.

pub mod convert;
pub mod drift;
pub mod erasure;
pub mod expiry;
pub mod fanout;
pub mod gates;
pub mod golive;
pub mod guards;
mod health;
pub mod imports;
pub mod inbound;
pub mod intake;
pub mod listings;
pub mod plan;
pub mod poll;
mod privacy;
pub mod push;
pub mod rates;
mod reading;
pub mod setup;
pub mod shelves;
mod store;
pub mod subscriptions;
pub mod tax;
pub mod trouble;
pub mod upkeep;
mod wanted;
pub mod writeback;

mod connectors;
mod error;

use std::sync::Arc;

pub use connectors::{Connectors, Session};
pub use error::Error;
pub use store::{Refused, Unsent};
pub use store::{Shown, shown};

use crate::ctx::{Ctx, Tenant};
use crate::id::ConnectionId;
use crate::lanes::schedule::Run;
use crate::lanes::{Handlers, LaneKey, LaneKind};
use crate::secrets::Vault;
use crate::store::{Sql, Store};

/// What every handler needs. Cheap to clone.
#[derive(Clone)]
pub struct Sync(Arc<Parts>);

pub struct Parts {
    pub store: Store,
    pub vault: Vault,
    pub connectors: Connectors,
    /// Where marketplaces reach us; without one, connections poll.
    pub public_url: Option<String>,
    /// Where erasures of buyers are noted outside of the database.
    pub erasure_log: Option<std::path::PathBuf>,
}

impl std::ops::Deref for Sync {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Sync {
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// One handler per kind of lane.
    pub fn handlers(&self) -> Handlers {
        Handlers::new()
            .with(LaneKind::Inbound, inbound::Inbound(self.clone()))
            .with(LaneKind::Poll, poll::Poll(self.clone()))
            .with(LaneKind::Push, push::Push(self.clone()))
            .with(LaneKind::Listings, listings::Listings(self.clone()))
            .with(LaneKind::Webhooks, subscriptions::Subscriptions(self.clone()))
            .with(LaneKind::Fulfilment, writeback::WriteBack(self.clone()))
            .with(LaneKind::Expiry, expiry::Expiry(self.clone()))
            .with(LaneKind::Tax, tax::Tax(self.clone()))
            .with(LaneKind::Rates, rates::Rates(self.clone()))
    }
}

/// The lane on which a connection's orders are read.
pub fn poll_lane(connection: &ConnectionId) -> LaneKey {
    Run::OrdersIn.lane(connection)
}

pub fn listings_lane(connection: &ConnectionId) -> LaneKey {
    Run::ListingsIn.lane(connection)
}

pub fn subscriptions_lane(connection: &ConnectionId) -> LaneKey {
    Run::Webhooks.lane(connection)
}

pub fn rates_lane(connection: &ConnectionId) -> LaneKey {
    Run::RatesIn.lane(connection)
}

pub fn push_lane(connection: &ConnectionId) -> LaneKey {
    push::Field::Stock.lane(connection)
}

pub fn writeback_lane(connection: &ConnectionId) -> LaneKey {
    LaneKey::new(LaneKind::Fulfilment, connection, "write-back")
}

/// Records a connector sent that could not be taken, and why.
pub async fn refusals(conn: &mut impl Sql, tenant: &Tenant, limit: u32) -> Result<Vec<Refused>, Error> {
    store::refusals(conn, tenant, limit).await
}

/// Listings that have not been told their quantity or price, and why where that is known.
pub async fn unsent(conn: &mut impl Sql, tenant: &Tenant, connection: Option<&ConnectionId>, limit: u32) -> Result<Vec<Unsent>, Error> {
    store::unsent(conn, tenant, connection, limit).await
}

/// A context for work on a connection's behalf: what it does is signed with its name.
fn on_behalf(ctx: &Ctx, connection: &ConnectionId) -> Ctx {
    ctx.acting_as(format!("connection:{connection}"))
}
