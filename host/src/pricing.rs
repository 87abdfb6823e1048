//! Prices: base prices and costs, price lists, and what each channel should show.
//!
//! The price of a channel's listing is the fixed price of the most specific line of the day, or base price × rate ×
//! (1 + adjustment); then the charm ending; then the floor that still pays cost, fees, tax and the wanted margin, below which
//! nothing is published ([`entrepot_crossborder::pricing`] is the arithmetic). Lines are for a connection, a country, a customer
//! group, a variant, or any; they hold from a first day until a first day after. Days are UTC days.
//!
//! A connection's [`Policy`] says in what currency and for what country its own prices are, what it costs to sell there, and
//! by how much a price must move before it is worth telling. Prices are pushed only where a person applied a plan of them
//! ([`switch`]). What a channel took is remembered per country ([`remember`]): [`lowest`] reads it.

mod error;
mod import;
mod model;
mod quote;
mod rates;
mod store;

use std::collections::BTreeMap;

use entrepot_crossborder::pricing::lowest_of_30_days;
use jiff::civil::Date;

pub use error::Error;
pub use import::{COLUMNS, LineProblem, Report, import};
pub use model::{Base, ChannelList, Line, NewLine, Policy, PricedFor, Remembered, day_of, today};
pub use quote::{Asked, Quoted, keeps, of_lists, quote, standard};

use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, PriceLineId, VariantId};
use crate::money::Money;
use crate::page::{Page, PageRequest};
use crate::store::{Sql, WriteTx};

/// Price and cost of a variant before any list. Returns whether that is a change.
pub async fn set_base(tx: &mut WriteTx, ctx: &Ctx, variant: &VariantId, base: &Base) -> Result<bool, Error> {
    base.check()?;
    let before = bases(tx, &ctx.tenant, std::slice::from_ref(variant)).await?.remove(variant).unwrap_or_default();
    if before == *base {
        return Ok(false);
    }
    store::put_base(tx, ctx, variant, base).await?;
    Ok(true)
}

/// The ones that have none are missing.
pub async fn bases(conn: &mut impl Sql, tenant: &Tenant, variants: &[VariantId]) -> Result<BTreeMap<VariantId, Base>, Error> {
    store::bases(conn, tenant, variants).await
}

/// Adds a line, or replaces the one for the same variant, connection, country, group and first day.
pub async fn set_line(tx: &mut WriteTx, ctx: &Ctx, new: &NewLine) -> Result<Line, Error> {
    let new = new.clone().checked()?;
    let line = Line { id: PriceLineId::new(&ctx.ids), created_at: ctx.now_ms(), line: new };
    store::put_line(tx, ctx, &line).await
}

/// Returns what was removed.
pub async fn remove_line(tx: &mut WriteTx, ctx: &Ctx, id: &PriceLineId) -> Result<Line, Error> {
    let line = store::find_line(tx, &ctx.tenant, id).await?.ok_or_else(|| Error::UnknownLine { id: id.clone() })?;
    store::delete_line(tx, ctx, id).await?;
    Ok(line)
}

/// Oldest first.
pub async fn list(
    conn: &mut impl Sql,
    tenant: &Tenant,
    connection: Option<&ConnectionId>,
    variant: Option<&VariantId>,
    request: &PageRequest,
) -> Result<Page<Line>, Error> {
    store::list(conn, tenant, connection, variant, request).await
}

/// The default where a merchant said nothing.
pub async fn policy(conn: &mut impl Sql, tenant: &Tenant, connection: &ConnectionId) -> Result<Policy, Error> {
    Ok(store::policy(conn, tenant, connection).await?.map(|stored| stored.policy).unwrap_or_default())
}

pub async fn set_policy(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, policy: &Policy) -> Result<(), Error> {
    policy.check()?;
    store::put_policy(tx, ctx, connection, policy).await
}

/// Whether this connection is told prices at all.
pub async fn pushes(conn: &mut impl Sql, tenant: &Tenant, connection: &ConnectionId) -> Result<bool, Error> {
    Ok(store::policy(conn, tenant, connection).await?.is_some_and(|stored| stored.pushes))
}

pub async fn pushing(conn: &mut impl Sql, tenant: &Tenant) -> Result<Vec<ConnectionId>, Error> {
    store::pushing(conn, tenant).await
}

/// Whoever switches it on has shown a person what it does.
pub async fn switch(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, on: bool) -> Result<(), Error> {
    let policy = policy(tx, &ctx.tenant, connection).await?;
    store::put_policy(tx, ctx, connection, &policy).await?;
    store::put_pushes(tx, ctx, connection, on).await
}

/// A channel shows this price since `at`. The same price again changes nothing.
pub async fn remember(
    tx: &mut WriteTx,
    ctx: &Ctx,
    connection: &ConnectionId,
    priced: &PricedFor,
    price: Money,
    at: i64,
) -> Result<(), Error> {
    match store::last_remembered(tx, &ctx.tenant, connection, priced).await? {
        Some(last) if last == price => Ok(()),
        _ => store::remember(tx, ctx, connection, priced, price, at).await,
    }
}

/// Newest first.
pub async fn history(
    conn: &mut impl Sql,
    tenant: &Tenant,
    variant: &VariantId,
    connection: Option<&ConnectionId>,
    limit: u32,
) -> Result<Vec<Remembered>, Error> {
    store::history(conn, tenant, variant, connection, limit).await
}

/// The lowest price in force on any of the thirty days before `on`: what a price cut must be compared with.
pub async fn lowest(
    conn: &mut impl Sql,
    tenant: &Tenant,
    connection: &ConnectionId,
    priced: &PricedFor,
    on: Date,
) -> Result<Option<Money>, Error> {
    let rows = store::remembered_of(conn, tenant, connection, priced).await?;
    let days: Vec<(Date, Money)> = rows.iter().map(|(at, price)| (model::day_of(*at), *price)).collect();
    Ok(lowest_of_30_days(&days, on)?)
}

/// A day or rates for which this connection's prices were not looked at yet; `None` if they were.
pub async fn new_occasion(conn: &mut impl Sql, ctx: &Ctx, connection: &ConnectionId) -> Result<Option<String>, Error> {
    let occasion = format!("{} {}", model::today(ctx), rates::version(conn, &ctx.tenant).await?);
    let seen = store::policy(conn, &ctx.tenant, connection).await?.map(|stored| stored.repriced);
    Ok((seen.as_ref() != Some(&occasion)).then_some(occasion))
}

pub async fn note_occasion(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, occasion: &str) -> Result<(), Error> {
    store::put_repriced(tx, ctx, connection, occasion).await
}

/// When a connection is removed. What its buyers were shown is kept.
pub async fn forget_connection(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId) -> Result<(), Error> {
    store::forget_connection(tx, ctx, connection).await
}

#[cfg(test)]
mod tests;
