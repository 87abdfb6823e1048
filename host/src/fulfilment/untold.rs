//! Shipments that their channel was not told of, with what their orders are worth. Reads only.

use super::{Error, store};
use crate::ctx::Tenant;
use crate::id::ConnectionId;
use crate::orders::worth::Worth;
use crate::store::Sql;

/// Shipments that one problem keeps from their channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untold {
    pub connection: ConnectionId,
    /// Not tried again by itself.
    pub refused: bool,
    pub problem: String,
    /// An order with several such shipments counts once.
    pub worth: Worth,
}

/// Those that are refused or were tried in vain, by connection and problem.
pub async fn by_problem(conn: &mut impl Sql, tenant: &Tenant) -> Result<Vec<Untold>, Error> {
    store::untold::by_problem(conn, tenant).await
}

/// The orders of a connection whose channel has not been told of a shipment.
pub async fn pending(conn: &mut impl Sql, tenant: &Tenant, connection: &ConnectionId) -> Result<Worth, Error> {
    store::untold::pending(conn, tenant, connection).await
}
