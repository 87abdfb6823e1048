//! What the overview shows, read through the rooms' own functions.

use std::collections::BTreeMap;

use crate::api::error::Error;
use crate::app::App;
use crate::catalog;
use crate::connections::{self, Connection};
use crate::ctx::Ctx;
use crate::fulfilment::{self, Shipment};
use crate::id::{ConnectionId, ListingId, VariantId};
use crate::lanes::{self, Filter, Lane};
use crate::listings::{self, Link};
use crate::orders::{self, OrderView};
use crate::page::PageRequest;
use crate::stock;
use crate::sync::{self, Refused, Shown, Unsent};

const VARIANTS: u32 = 60;
const ORDERS: u32 = 10;
const TROUBLES: u32 = 20;
const DAY_MS: i64 = 86_400_000;

pub struct Overview {
    pub at: i64,
    pub connections: Vec<Account>,
    pub goods: Vec<Good>,
    pub more_goods: bool,
    pub stuck: Vec<Lane>,
    pub refusals: Vec<Refused>,
    pub unsent: Vec<(Unsent, String)>,
    pub orders: Vec<(OrderView, Vec<Shipment>)>,
    pub names: BTreeMap<ConnectionId, String>,
    /// Milliseconds from the last ledger row of a variant to the channel's acknowledgement, ascending.
    pub delays_ms: Vec<i64>,
    pub waiting: usize,
    pub need_somebody: usize,
}

pub struct Account {
    pub connection: Connection,
    pub orders_today: i64,
    pub linked: i64,
    pub parked: i64,
}

pub struct Good {
    pub sku: String,
    pub title: String,
    pub on_hand: i64,
    pub reserved: i64,
    /// By connection: several listings of one connection may show the same goods.
    pub told: BTreeMap<ConnectionId, Vec<Shown>>,
}

pub async fn read(app: &App, ctx: &Ctx) -> Result<Overview, Error> {
    let mut conn = app.store.read().await?;
    let (tenant, at) = (&ctx.tenant, ctx.now_ms());
    let names = connections::names(&mut conn, tenant).await?;
    let today: BTreeMap<ConnectionId, i64> =
        orders::count_since(&mut conn, tenant, at - at.rem_euclid(DAY_MS)).await?.into_iter().collect();
    let mut accounts = Vec::new();
    for connection in connections::list(&mut conn, tenant, &PageRequest::first(100)).await?.items {
        let links = listings::count_links(&mut conn, tenant, &connection.id).await?;
        let of = |wanted: &[Link]| links.iter().filter(|(link, _)| wanted.contains(link)).map(|(_, count)| count).sum();
        let orders_today = today.get(&connection.id).copied().unwrap_or_default();
        accounts.push(Account { orders_today, linked: of(&[Link::Linked]), parked: of(&[Link::Unmatched, Link::Ambiguous]), connection });
    }
    let page = catalog::list(&mut conn, tenant, &catalog::Filter::default(), &PageRequest::first(VARIANTS)).await?;
    let ids: Vec<VariantId> = page.items.iter().map(|variant| variant.id.clone()).collect();
    let levels = stock::availability(&mut conn, tenant, &ids).await?;
    let listed = listings::listings_of_variants(&mut conn, tenant, &ids).await?;
    let listing_ids: Vec<ListingId> = listed.iter().map(|listing| listing.id.clone()).collect();
    let shown: BTreeMap<ListingId, Shown> =
        sync::shown(&mut conn, tenant, &listing_ids).await?.into_iter().map(|shown| (shown.listing.clone(), shown)).collect();
    let (mut goods, mut delays_ms) = (Vec::new(), Vec::new());
    for variant in page.items {
        let mut told: BTreeMap<ConnectionId, Vec<Shown>> = BTreeMap::new();
        for listing in listed.iter().filter(|listing| listing.variant.as_ref() == Some(&variant.id)) {
            told.entry(listing.connection.clone()).or_default().extend(shown.get(&listing.id).cloned());
        }
        let moved_at = stock::ledger(&mut conn, tenant, &variant.id, 1).await?.first().map(|row| row.at);
        let acknowledged = told.values().flatten().filter(|shown| !shown.waits).filter_map(|shown| shown.told_at);
        delays_ms.extend(acknowledged.filter_map(|told_at| Some(told_at - moved_at?)).filter(|delay| *delay >= 0));
        let level = levels.get(&variant.id).copied().unwrap_or_default();
        let (sku, title) = (variant.facts.sku.to_string(), variant.full_title());
        goods.push(Good { sku, title, on_hand: level.on_hand, reserved: level.reserved, told });
    }
    delays_ms.sort_unstable();
    let waiting = shown.values().filter(|shown| shown.waits).count();
    let mut latest = Vec::new();
    for summary in orders::list(&mut conn, tenant, &orders::Filter::default(), None, ORDERS).await? {
        if let Some(order) = orders::find(&mut conn, tenant, &summary.id).await? {
            latest.push((order, fulfilment::of_order(&mut conn, tenant, &summary.id).await?));
        }
    }
    let attention = orders::Filter { attention: true, ..orders::Filter::default() };
    let need_somebody = orders::list(&mut conn, tenant, &attention, None, 500).await?.len();
    let stuck = lanes::list(&mut conn, ctx, Filter::Failing, None, TROUBLES).await?;
    let refusals = sync::refusals(&mut conn, tenant, TROUBLES).await?;
    // A value on its way is no trouble; one that was refused is.
    let unsent: Vec<Unsent> =
        sync::unsent(&mut conn, tenant, None, 500).await?.into_iter().filter(|one| one.problem.is_some()).take(20).collect();
    let unsent_ids: Vec<ListingId> = unsent.iter().map(|one| one.listing.clone()).collect();
    let titles: BTreeMap<ListingId, String> = listings::find_many(&mut conn, tenant, &unsent_ids)
        .await?
        .into_iter()
        .map(|listing| (listing.id, listing.sku.unwrap_or(listing.external_id)))
        .collect();
    let unsent = unsent
        .into_iter()
        .map(|one| (titles.get(&one.listing).cloned().unwrap_or_default(), one))
        .map(|(title, one)| (one, title))
        .collect();
    Ok(Overview {
        at,
        connections: accounts,
        goods,
        more_goods: page.next_cursor.is_some(),
        stuck,
        refusals,
        unsent,
        orders: latest,
        names,
        delays_ms,
        waiting,
        need_somebody,
    })
}
