//! What orders are worth that something keeps from going on. Reads only; nothing is summed over currencies.

use std::collections::{BTreeMap, BTreeSet};

use super::{Error, store};
use crate::ctx::Tenant;
use crate::id::ConnectionId;
use crate::money::{Currency, Money};
use crate::store::Sql;

/// Money of some orders, per currency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Worth {
    pub orders: i64,
    pub money: Vec<Money>,
}

impl Worth {
    pub fn add(&mut self, orders: i64, minor: i64, currency: Currency) {
        self.orders += orders;
        self.money.push(Money::new(minor, currency));
    }
}

/// Why an order needs somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// A line is of no variant we know.
    Mapping,
    /// Something lacks.
    Stock,
}

/// What the orders with these ids at the channel are worth; those the hub never stored are not among them.
pub async fn of(conn: &mut impl Sql, tenant: &Tenant, connection: &ConnectionId, external_ids: &BTreeSet<String>) -> Result<Worth, Error> {
    store::worth::of(conn, tenant, connection, external_ids).await
}

/// Orders that are not cancelled and need somebody, by connection and need. One that needs both is in both.
pub async fn in_need(conn: &mut impl Sql, tenant: &Tenant) -> Result<BTreeMap<(ConnectionId, Need), Worth>, Error> {
    store::worth::in_need(conn, tenant).await
}
