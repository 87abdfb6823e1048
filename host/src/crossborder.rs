//! The hub's tax room: who sells where, by which rules, and what was worked out for every order.
//!
//! The calculation itself is the crate `entrepot-crossborder`, which is pure and knows nothing of the hub. This room keeps the
//! merchant's facts (legal entities, what a connection is, goods, rule files, sanction lists) and what was answered: the tax of
//! an order is worked out once ([`freeze`]), with its rates, exchange rates and rule set, and never changed. An edited order
//! adds a version; refunds and cancellations are booked by the figures of their version; where the channel says otherwise the
//! difference is kept for a person to look at. Totals and returns are sums over this. An order in another currency than the books
//! keeps the rate it was locked at, and what later rates gained or lost ([`exchange`]).
//!
//! Called by `sync::tax` (freezing) and the edges. Nothing here is legal advice, and every answer says so.

mod error;
mod exchange;
mod explain;
mod freeze;
mod gates;
mod model;
mod rules;
mod screening;
mod sold;
mod store;
mod totals;

pub use error::Error;
pub use exchange::{Entry, Exchange, Gains, Locked, Payout, Terms, exchange, gains, gains_csv, keep, pay_out, unlocked};
pub use explain::{Explanation, explain};
pub use freeze::freeze;
pub use gates::{Gates, Goods, PaperLine, Papers, Parcel, gates, papers};
pub use model::{BatteryFacts, ChannelFacts, ChannelProfile, Collects, Entity, EntityFacts, GoodsFacts};
pub use rules::{RuleText, builtin, embedded_rates, from_files, rates, remove_rules, rule_file, rule_files, rules, set_rules};
pub use screening::{ListView, import_list, lists, remove_list, screen};
pub use sold::{Charged, ChargedLine, ChargedTax, Moment, NoQuestion, Part, Refunded, Sold};
pub use store::frozen::{Credit, DifferenceView, Standing, Version, Work};
pub use totals::{Return, Threshold, period, thresholds_of, vat_report};

use std::collections::BTreeMap;

use entrepot_crossborder::quote::{Quote, QuoteInput, quote};
use jiff::civil::Date;

use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, EntityId, OrderId, VariantId};
use crate::page::{Cursor, Page, PageRequest};
use crate::store::{Sql, WriteTx};

/// By id or by name, as people give it.
pub async fn get_entity(conn: &mut impl Sql, tenant: &Tenant, id_or_name: &str) -> Result<Entity, Error> {
    let found = store::find_entity(conn, tenant, id_or_name.trim()).await?;
    found.ok_or_else(|| Error::UnknownEntity { what: id_or_name.chars().take(80).collect() })
}

/// By name.
pub async fn entities(conn: &mut impl Sql, tenant: &Tenant) -> Result<Vec<Entity>, Error> {
    store::entities(conn, tenant).await
}

/// Makes a legal entity or changes the one of that name. Orders that are frozen stay as they are.
pub async fn set_entity(tx: &mut WriteTx, ctx: &Ctx, name: &str, facts: EntityFacts) -> Result<Entity, Error> {
    let facts = facts.checked()?;
    let entity = match store::find_entity(tx, &ctx.tenant, name.trim()).await? {
        Some(known) => Entity { facts, updated_at: ctx.now_ms(), ..known },
        None => Entity {
            id: EntityId::new(&ctx.ids),
            name: model::clean_name(name)?,
            facts,
            created_at: ctx.now_ms(),
            updated_at: ctx.now_ms(),
        },
    };
    store::put_entity(tx, ctx, &entity).await?;
    Ok(entity)
}

/// Refused while connections sell in its name; its orders keep it.
pub async fn remove_entity(tx: &mut WriteTx, ctx: &Ctx, id_or_name: &str) -> Result<Entity, Error> {
    let entity = get_entity(tx, &ctx.tenant, id_or_name).await?;
    match store::channels_of(tx, &ctx.tenant, &entity.id).await? {
        0 => {}
        connections => return Err(Error::EntityInUse { name: entity.name, connections }),
    }
    store::drop_entity(tx, ctx, &entity.id).await?;
    Ok(entity)
}

/// What a connection is for the tax.
pub async fn set_channel(
    tx: &mut WriteTx,
    ctx: &Ctx,
    connection: &ConnectionId,
    entity: &str,
    facts: ChannelFacts,
) -> Result<ChannelProfile, Error> {
    let entity = get_entity(tx, &ctx.tenant, entity).await?.id;
    let profile = ChannelProfile { connection: connection.clone(), entity, facts: facts.checked()?, updated_at: ctx.now_ms() };
    store::put_channel(tx, ctx, &profile).await?;
    Ok(profile)
}

pub async fn channel(conn: &mut impl Sql, tenant: &Tenant, connection: &ConnectionId) -> Result<Option<ChannelProfile>, Error> {
    store::find_channel(conn, tenant, connection).await
}

pub async fn channels(conn: &mut impl Sql, tenant: &Tenant) -> Result<Vec<ChannelProfile>, Error> {
    store::channels(conn, tenant).await
}

pub async fn set_goods(tx: &mut WriteTx, ctx: &Ctx, variant: &VariantId, facts: GoodsFacts) -> Result<GoodsFacts, Error> {
    let facts = facts.checked()?;
    store::put_goods(tx, ctx, variant, &facts).await?;
    Ok(facts)
}

/// What was said of a variant; nothing = nothing is known beyond the catalogue.
pub async fn goods(conn: &mut impl Sql, tenant: &Tenant, variant: &VariantId) -> Result<GoodsFacts, Error> {
    Ok(store::goods(conn, tenant, variant).await?.unwrap_or_default())
}

pub async fn goods_of(conn: &mut impl Sql, tenant: &Tenant, variants: &[VariantId]) -> Result<BTreeMap<VariantId, GoodsFacts>, Error> {
    let mut found = BTreeMap::new();
    for variant in variants {
        if let Some(facts) = store::goods(conn, tenant, variant).await? {
            found.insert(variant.clone(), facts);
        }
    }
    Ok(found)
}

/// Answers a question by the merchant's rules. With an entity, what is not asked of the seller is taken from it, its running EU
/// total included.
pub async fn ask(conn: &mut impl Sql, tenant: &Tenant, entity: Option<&Entity>, mut question: QuoteInput) -> Result<Quote, Error> {
    if let Some(entity) = entity {
        let known = entity.facts.seller();
        let asked = &mut question.seller;
        asked.country = asked.country.take().or(known.country);
        asked.registrations = asked.registrations.take().or(known.registrations);
        asked.several_states = asked.several_states.or(known.several_states);
        asked.opted_destination = asked.opted_destination.or(known.opted_destination);
        let year = question.date.year();
        if asked.year_to_date_eur_minor.is_none() {
            let total = totals::oss_of_year(conn, tenant, entity.id.as_str(), &entity.facts, year, None).await?;
            asked.year_to_date_eur_minor = Some(total.unwrap_or(0));
        }
        if asked.previous_year_eur_minor.is_none() {
            let before = totals::oss_of_year(conn, tenant, entity.id.as_str(), &entity.facts, year.saturating_sub(1), None).await?;
            asked.previous_year_eur_minor = before;
        }
        question.ship_from = question.ship_from.take().or_else(|| entity.facts.ships_from.clone());
        question.mode = question.mode.take().or_else(|| entity.facts.mode.clone());
        question.incoterm = question.incoterm.or(entity.facts.incoterm);
    }
    if question.max_rate_age_days.is_none() {
        question.max_rate_age_days = rules::greatest_rate_age(conn, tenant).await?;
    }
    let (set, rates) = (rules(conn, tenant).await?, rates(conn, tenant).await?);
    Ok(quote(&set, &rates, &question)?)
}

/// The tax of this order is to be worked out, or looked at again. Whoever calls it makes the lane due.
pub async fn note(tx: &mut WriteTx, ctx: &Ctx, order: &OrderId, placed_at: i64) -> Result<(), Error> {
    store::frozen::want(tx, ctx, order, placed_at, false).await
}

/// A new version is wanted although the order is as it was: after facts, rules or the catalogue were completed.
pub async fn note_anew(tx: &mut WriteTx, ctx: &Ctx, order: &OrderId, placed_at: i64) -> Result<(), Error> {
    store::frozen::want(tx, ctx, order, placed_at, true).await
}

/// Orders that wait, oldest sales first.
pub async fn waiting(conn: &mut impl Sql, tenant: &Tenant, limit: u32) -> Result<Vec<Work>, Error> {
    store::frozen::work(conn, tenant, limit).await
}

pub async fn finish(tx: &mut WriteTx, ctx: &Ctx, work: &Work) -> Result<(), Error> {
    store::frozen::done(tx, ctx, work).await
}

/// How orders stand, newest first.
pub async fn standings(conn: &mut impl Sql, tenant: &Tenant, incomplete: bool, request: &PageRequest) -> Result<Page<Standing>, Error> {
    let after = match request.after("tax-orders", 2)? {
        Some(keys) => {
            let at = keys[0].parse().ok().zip(OrderId::parse(&keys[1]).ok());
            Some(at.ok_or_else(|| crate::page::BadCursor { cursor: request.cursor.clone().unwrap_or_default() })?)
        }
        None => None,
    };
    let rows = store::frozen::list(conn, tenant, incomplete, after.as_ref(), request.limit() + 1).await?;
    Ok(Page::cut(rows, request.limit(), |last| Cursor::new("tax-orders", &[&last.placed_at.to_string(), last.order.as_str()])))
}

/// Differences between the channel's tax and ours, newest first. `settled`: those that were looked at, too.
pub async fn differences(
    conn: &mut impl Sql,
    tenant: &Tenant,
    settled: bool,
    request: &PageRequest,
) -> Result<Page<DifferenceView>, Error> {
    let after = match request.after("tax-differences", 2)? {
        Some(keys) => {
            let at = keys[0].parse().map_err(|_| crate::page::BadCursor { cursor: request.cursor.clone().unwrap_or_default() })?;
            Some((at, keys[1].clone()))
        }
        None => None,
    };
    let rows = store::frozen::differences(conn, tenant, settled, after.as_ref(), request.limit() + 1).await?;
    Ok(Page::cut(rows, request.limit(), |last| {
        let key = format!("{}/{}/{}", last.order, last.version, last.kind);
        Cursor::new("tax-differences", &[&last.found_at.to_string(), &key])
    }))
}

pub async fn count_differences(conn: &mut impl Sql, tenant: &Tenant) -> Result<i64, Error> {
    store::frozen::count_differences(conn, tenant).await
}

/// Somebody has looked at the differences of an order (of one kind, or all). Nothing else changes.
pub async fn settle(tx: &mut WriteTx, ctx: &Ctx, order: &OrderId, kind: Option<&str>, note: &str) -> Result<u64, Error> {
    let note: String = note.chars().take(500).collect();
    match store::frozen::settle(tx, ctx, order, kind.unwrap_or_default(), i64::MAX, &note).await? {
        0 => {
            let which = kind.map_or(String::new(), |kind| format!(" of the kind `{}`", kind.chars().take(40).collect::<String>()));
            Err(Error::NoDifference { order: order.clone(), which })
        }
        settled => Ok(settled),
    }
}

/// The day of an instant in a zone.
pub fn day(at_ms: i64, zone: &jiff::tz::TimeZone) -> Date {
    jiff::Timestamp::from_millisecond(at_ms).map_or(Date::ZERO, |at| at.to_zoned(zone.clone()).date())
}

#[cfg(test)]
mod tests;
