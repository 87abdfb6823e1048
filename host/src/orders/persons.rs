//! Buyers who ask what is kept of them, or to be forgotten.
//!
//! Erasing destroys the buyer's key, and with it everything it sealed, here and in every copy that is restored later. Orders
//! stay, with goods, money and country, and without the person. The same buyer ordering again is a new person with a new key;
//! what a channel says about an old order of an erased buyer is not taken in again.

use super::{Error, OrderView, Personal, store};
use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, OrderId, PersonId};
use crate::secrets::Vault;
use crate::store::{Sql, WriteTx};

/// Who is meant.
#[derive(Clone, PartialEq, Eq)]
pub enum Whom {
    /// The buyer of this order.
    Order(OrderId),
    Customer {
        connection: ConnectionId,
        external_id: String,
    },
    /// On every connection.
    Email(String),
    /// Some of a connection's buyers who are not erased yet.
    SomeOf(ConnectionId),
    /// As a log of erasures names one.
    Person(PersonId),
}

/// One buyer who is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erased {
    pub person: PersonId,
    /// The orders, by connection and the id there.
    pub orders: Vec<(ConnectionId, String)>,
    /// Not erased before.
    pub new: bool,
}

/// Says that a buyer was erased, and nothing of who it was.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Erasure {
    pub person: PersonId,
    pub actor: String,
    pub erased_at: i64,
}

/// Everything that is kept of one buyer.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Kept {
    pub person: PersonId,
    pub orders: Vec<KeptOrder>,
}

#[derive(Clone, Debug, serde::Serialize)]
pub struct KeptOrder {
    pub order: OrderView,
    /// Buyer, addresses and note as the channel gave them.
    pub personal: Option<Personal>,
}

async fn find(conn: &mut impl Sql, tenant: &Tenant, vault: &Vault, whom: &Whom) -> Result<Vec<PersonId>, Error> {
    let code = match whom {
        Whom::Email(email) => Some(store::match_code(vault, tenant, email)),
        Whom::Order(_) | Whom::Customer { .. } | Whom::SomeOf(_) | Whom::Person(_) => None,
    };
    store::persons::find(conn, tenant, whom, code.as_deref()).await
}

/// Erases whoever is meant; nobody is no error.
pub async fn erase(tx: &mut WriteTx, ctx: &Ctx, vault: &Vault, whom: &Whom) -> Result<Vec<Erased>, Error> {
    let mut erased = Vec::new();
    for person in find(tx, &ctx.tenant, vault, whom).await? {
        vault.destroy(tx, ctx, &store::purpose_of(&person)).await?;
        let orders = store::persons::strip(tx, ctx, &person).await?;
        let new = store::persons::note(tx, ctx, &person).await?;
        erased.push(Erased { person, orders, new });
    }
    Ok(erased)
}

/// What is kept of whoever is meant, for them to read.
pub async fn export(conn: &mut impl Sql, ctx: &Ctx, vault: &Vault, whom: &Whom) -> Result<Vec<Kept>, Error> {
    let mut kept = Vec::new();
    for person in find(conn, &ctx.tenant, vault, whom).await? {
        let mut orders = Vec::new();
        for id in store::persons::orders_of(conn, &ctx.tenant, &person).await? {
            let personal = store::personal(conn, ctx, vault, &id).await?;
            orders.extend(super::find(conn, &ctx.tenant, &id).await?.map(|order| KeptOrder { order, personal }));
        }
        kept.push(Kept { person, orders });
    }
    Ok(kept)
}

/// Buyers who were erased, in the order of their ids, after one.
pub async fn erasures(conn: &mut impl Sql, tenant: &Tenant, after: Option<&PersonId>, limit: u32) -> Result<Vec<Erasure>, Error> {
    store::persons::erasures(conn, tenant, after, limit).await
}
