//! Plans: what a push would change now, with reasons, kept so that applying one names exactly what was seen.
//!
//! There are three kinds. The *first* plan of a connection lets it go live. A plan of a *live* connection shows what is not
//! sent yet, and what is held with it; applying it lets these very values through. A plan of *prices* switches a connection's
//! price pushing on, and is the only way to do so. A first plan and a plan of prices are refused once they do not hold any more;
//! in a live shop stock moves all the time, so there only the values that are still wanted go out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::golive::all;
use super::guards::push_lanes;
use super::push::{Field, Prices, Shows, Told, Want, price, raises, wanted_of};
use super::{Error, Sync, store, writeback_lane};
use crate::connections::{self, Connection, State};
use crate::ctx::Ctx;
use crate::hex::hex;
use crate::id::{ConnectionId, ListingId, PlanId};
use crate::lanes;
use crate::listings::{self, Link, Listing};
use crate::money::Money;
use crate::plugins::manifest::Capability;
use crate::pricing;
use crate::store::{Sql, WriteTx};

/// One listing that would show another quantity.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Planned {
    pub listing: ListingId,
    pub external_id: String,
    pub sku: Option<String>,
    pub title: String,
    /// What the channel shows by what we know, by its location.
    pub shows: Told,
    pub would_show: Told,
    pub reason: String,
    /// Why it does not go out by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
}

/// One listing that would show another price, in the channel's own prices or in one of its lists.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PlannedPrice {
    pub listing: ListingId,
    pub external_id: String,
    pub sku: Option<String>,
    pub title: String,
    /// The channel's price list, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
    pub shows: Option<Money>,
    pub would_show: Money,
    pub reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
}

/// A listing for which no price works.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NoPrice {
    pub listing: ListingId,
    pub sku: Option<String>,
    pub title: String,
    pub reason: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    First,
    Live,
    Prices,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Live => "live",
            Self::Prices => "prices",
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    pub id: PlanId,
    pub connection: ConnectionId,
    pub purpose: Purpose,
    pub changes: Vec<Planned>,
    pub prices: Vec<PlannedPrice>,
    pub no_price: Vec<NoPrice>,
    /// Linked listings that already show what they should.
    pub unchanged: usize,
    /// Listings that nothing would be pushed to, because they are not linked.
    pub parked: usize,
    /// Linked listings that would go to zero.
    pub to_zero: usize,
}

/// What a plan is kept as.
#[derive(Default, Serialize, Deserialize)]
struct Changes {
    stock: Vec<Planned>,
    prices: Vec<PlannedPrice>,
}

impl Changes {
    fn written(&self) -> Result<(String, String), Error> {
        let text = serde_json::to_string(self)?;
        let digest = hex(Sha256::digest(text.as_bytes()));
        Ok((text, digest))
    }
}

/// What was found on the way to a plan.
#[derive(Default)]
struct Differences {
    changes: Changes,
    no_price: Vec<NoPrice>,
    unchanged: usize,
    parked: usize,
}

/// What a push would change now. A live connection whose prices are pushed is planned with them.
pub async fn plan(sync: &Sync, ctx: &Ctx, connection: &Connection) -> Result<Plan, Error> {
    let purpose = if connection.state == State::Live { Purpose::Live } else { Purpose::First };
    make(sync, ctx, connection, purpose).await
}

/// What prices a connection's listings would show.
pub async fn plan_prices(sync: &Sync, ctx: &Ctx, connection: &Connection) -> Result<Plan, Error> {
    make(sync, ctx, connection, Purpose::Prices).await
}

async fn make(sync: &Sync, ctx: &Ctx, connection: &Connection, purpose: Purpose) -> Result<Plan, Error> {
    let takes = if purpose == Purpose::Prices { Capability::PricesOut } else { Capability::StockOut };
    if !sync.connectors.registry.get(&ctx.tenant, &connection.plugin)?.manifest().has(takes) {
        return Err(Error::refused(
            format!("nothing of that is published over `{}`: its connector does not offer `{}`", connection.name, takes.as_str()),
            "such a connection needs no plan",
        ));
    }
    let mut conn = sync.store.read().await?;
    let found = differences(&mut conn, ctx, connection, purpose).await?;
    drop(conn);
    let (changes, digest) = found.changes.written()?;
    let to_zero = found.changes.stock.iter().filter(|planned| planned.would_show.0.values().all(|q| *q == 0)).count();
    let plan = Plan {
        id: PlanId::new(&ctx.ids),
        connection: connection.id.clone(),
        purpose,
        changes: found.changes.stock,
        prices: found.changes.prices,
        no_price: found.no_price,
        unchanged: found.unchanged,
        parked: found.parked,
        to_zero,
    };
    let stored =
        store::StoredPlan { connection: connection.id.clone(), purpose: purpose.as_str().into(), digest, changes, accepted_at: None };
    let (ctx, id) = (ctx.clone(), plan.id.clone());
    sync.store.write(move |tx| Box::pin(async move { store::put_plan(tx, &ctx, &id, &stored).await })).await?;
    Ok(plan)
}

async fn differences(conn: &mut impl Sql, ctx: &Ctx, connection: &Connection, purpose: Purpose) -> Result<Differences, Error> {
    let listings = all(conn, ctx, &connection.id).await?;
    let mut found = Differences { parked: listings.iter().filter(|listing| listing.link != Link::Linked).count(), ..Default::default() };
    let with_prices = match purpose {
        Purpose::First => false,
        Purpose::Live => pricing::pushes(conn, &ctx.tenant, &connection.id).await?,
        Purpose::Prices => true,
    };
    if with_prices {
        prices(conn, ctx, connection, listings.clone(), &mut found).await?;
    }
    if purpose != Purpose::Prices {
        quantities(conn, ctx, connection, listings, &mut found).await?;
    }
    Ok(found)
}

async fn quantities(
    conn: &mut impl Sql,
    ctx: &Ctx,
    connection: &Connection,
    listings: Vec<Listing>,
    found: &mut Differences,
) -> Result<(), Error> {
    let ids: Vec<ListingId> = listings.iter().map(|listing| listing.id.clone()).collect();
    let levels = listings::levels(conn, &ctx.tenant, &ids).await?;
    let mut told = store::told_of(conn, &ctx.tenant, Field::Stock.as_str(), &ids).await?;
    for wanted in wanted_of(conn, ctx, connection, listings).await?.into_values() {
        let known = told.remove(&wanted.listing.id);
        let last = known.as_ref().and_then(|known| known.told.as_ref()).and_then(Shows::quantities).cloned();
        let seen = || levels.get(&wanted.listing.id).cloned().unwrap_or_default();
        let shows =
            last.unwrap_or_else(|| Told(seen().into_iter().map(|level| (level.location.unwrap_or_default(), level.quantity)).collect()));
        if wanted.value.0.iter().all(|(place, quantity)| shows.0.get(place) == Some(quantity)) {
            found.unchanged += 1;
            continue;
        }
        let (value, shown) = (Shows::Quantities(wanted.value.clone()), Shows::Quantities(shows.clone()));
        let closed = wanted.closed.filter(|_| raises(&value, Some(&shown)));
        found.changes.stock.push(Planned {
            listing: wanted.listing.id,
            external_id: wanted.listing.external_id,
            sku: wanted.listing.sku,
            title: wanted.listing.title,
            shows,
            would_show: wanted.value,
            reason: wanted.reason,
            held: closed.or(known.and_then(|known| known.held.and(known.problem))),
        });
    }
    Ok(())
}

async fn prices(
    conn: &mut impl Sql,
    ctx: &Ctx,
    connection: &Connection,
    listings: Vec<Listing>,
    found: &mut Differences,
) -> Result<(), Error> {
    let ids: Vec<ListingId> = listings.iter().map(|listing| listing.id.clone()).collect();
    let told = store::told_of(conn, &ctx.tenant, Field::Price.as_str(), &ids).await?;
    let last = |listing: &Listing| {
        let known = told.get(&listing.id).and_then(|known| known.told.as_ref()).and_then(Shows::prices).cloned();
        let seen = || Shows::of_price(price::seen(listing)?).prices().cloned();
        Some((listing.id.clone(), known.or_else(seen)?))
    };
    let shown: BTreeMap<ListingId, Prices> = listings.iter().filter_map(last).collect();
    for (id, want) in price::wants_of(conn, ctx, connection, listings, &shown).await? {
        match want {
            Want::Nothing { listing, reason } => {
                found.no_price.push(NoPrice { listing: id, sku: listing.sku, title: listing.title, reason });
            }
            Want::Show { listing, value, reason, .. } => {
                let held = told.get(&id).and_then(|known| known.held.as_ref().and(known.problem.clone()));
                let mut same = true;
                for (list, would_show) in value.prices().into_iter().flat_map(|prices| prices.0.clone()) {
                    let shows = shown.get(&id).and_then(|prices| prices.0.get(&list)).copied();
                    if shows == Some(would_show) {
                        continue;
                    }
                    same = false;
                    found.changes.prices.push(PlannedPrice {
                        listing: id.clone(),
                        external_id: listing.external_id.clone(),
                        sku: listing.sku.clone(),
                        title: listing.title.clone(),
                        list: Some(list).filter(|list| !list.is_empty()),
                        shows,
                        would_show,
                        reason: reason.clone(),
                        held: held.clone(),
                    });
                }
                found.unchanged += usize::from(same);
            }
        }
    }
    Ok(())
}

/// Applies a plan: see the head of this file for what that means for each kind.
pub async fn accept(sync: &Sync, ctx: &Ctx, id: &PlanId) -> Result<Connection, Error> {
    let mut conn = sync.store.read().await?;
    let Some(stored) = store::plan(&mut conn, &ctx.tenant, id).await? else {
        return Err(Error::refused(format!("there is no plan {id}"), "`entrepot sync plan CONNECTION` makes one"));
    };
    let connection = connections::get(&mut conn, &ctx.tenant, &stored.connection).await?;
    if stored.accepted_at.is_some() {
        return Err(accepted_before(id));
    }
    let (purpose, again) = match stored.purpose.as_str() {
        "first" => (Purpose::First, "sync plan"),
        "prices" => (Purpose::Prices, "price plan"),
        _ => (Purpose::Live, "sync plan"),
    };
    let changes = match purpose {
        Purpose::Live => serde_json::from_str(&stored.changes)?,
        Purpose::First | Purpose::Prices => {
            let now = differences(&mut conn, ctx, &connection, purpose).await?.changes;
            if now.written()?.1 != stored.digest {
                return Err(Error::refused(
                    format!("stock, prices or listings changed since plan {id} was made"),
                    format!("look at a new one: `entrepot {again} {}`", connection.name),
                ));
            }
            now
        }
    };
    drop(conn);
    if purpose != Purpose::First && connection.state != State::Live {
        return Err(Error::refused(
            format!("{} is {}", connection.name, connection.state),
            "only a live connection is told anything: accept its first plan (`entrepot sync plan`), or resume it",
        ));
    }
    let (ctx, id) = (ctx.clone(), id.clone());
    sync.store
        .write(move |tx| {
            Box::pin(async move {
                let mut due = push_lanes(&connection.id);
                due.push(writeback_lane(&connection.id));
                due.sort();
                lanes::make_due_many(tx, &ctx, &due, ctx.now_ms()).await?;
                if !store::accept_plan(tx, &ctx, &id).await? {
                    return Err(accepted_before(&id));
                }
                match purpose {
                    Purpose::First => go_live(tx, &ctx, &connection, &id).await,
                    Purpose::Live => let_through(tx, &ctx, &connection, &changes).await.map(|()| connection),
                    Purpose::Prices => push_prices(tx, &ctx, &connection, &changes).await.map(|()| connection),
                }
            })
        })
        .await
}

fn accepted_before(id: &PlanId) -> Error {
    Error::refused(format!("plan {id} was accepted before"), "make a new plan")
}

async fn go_live(tx: &mut WriteTx, ctx: &Ctx, connection: &Connection, plan: &PlanId) -> Result<Connection, Error> {
    let live = connections::go_live(tx, ctx, &connection.id, plan).await?;
    let linked: Vec<Listing> = all(tx, ctx, &connection.id).await?.into_iter().filter(|listing| listing.link == Link::Linked).collect();
    let ids: Vec<ListingId> = linked.iter().map(|listing| listing.id.clone()).collect();
    let levels = listings::levels(tx, &ctx.tenant, &ids).await?;
    let due: Vec<_> = ids.iter().map(|id| (id, &connection.id)).collect();
    let name = Field::Stock.as_str();
    store::want(tx, ctx, name, &due).await?;
    for id in &ids {
        // What the plan was made from is what the channel shows.
        let seen = levels.get(id).into_iter().flatten();
        let shows = Told(seen.map(|level| (level.location.clone().unwrap_or_default(), level.quantity)).collect());
        if !shows.0.is_empty() {
            store::told_is(tx, ctx, id, name, Some(&Shows::Quantities(shows))).await?;
        }
    }
    let planned: Changes = match store::plan(tx, &ctx.tenant, plan).await? {
        Some(stored) => serde_json::from_str(&stored.changes)?,
        None => Changes::default(),
    };
    for one in &planned.stock {
        store::allow(tx, ctx, &one.listing, name, &Shows::Quantities(one.would_show.clone())).await?;
    }
    Ok(live)
}

async fn let_through(tx: &mut WriteTx, ctx: &Ctx, connection: &Connection, changes: &Changes) -> Result<(), Error> {
    let quantities = changes.stock.iter().map(|one| (Field::Stock, &one.listing, Shows::Quantities(one.would_show.clone())));
    let mut listed: BTreeMap<&ListingId, Prices> = BTreeMap::new();
    for one in &changes.prices {
        listed.entry(&one.listing).or_default().0.insert(one.list.clone().unwrap_or_default(), one.would_show);
    }
    let prices = listed.into_iter().map(|(listing, prices)| (Field::Price, listing, Shows::Prices(prices)));
    let mut seen: Vec<(Field, &ListingId, Shows)> = quantities.chain(prices).collect();
    seen.sort_by(|a, b| (a.1, a.0.as_str()).cmp(&(b.1, b.0.as_str())));
    for (field, listing, value) in seen {
        store::want(tx, ctx, field.as_str(), &[(listing, &connection.id)]).await?;
        store::allow(tx, ctx, listing, field.as_str(), &value).await?;
    }
    Ok(())
}

/// What a listing showed before is remembered too: the lowest price of thirty days reaches back behind our first push.
async fn push_prices(tx: &mut WriteTx, ctx: &Ctx, connection: &Connection, changes: &Changes) -> Result<(), Error> {
    let first = !pricing::pushes(tx, &ctx.tenant, &connection.id).await?;
    pricing::switch(tx, ctx, &connection.id, true).await?;
    if first {
        let asked = pricing::standard(tx, ctx, connection).await?;
        for listing in all(tx, ctx, &connection.id).await?.iter().filter(|listing| listing.link == Link::Linked) {
            store::want(tx, ctx, Field::Price.as_str(), &[(&listing.id, &connection.id)]).await?;
            let (Some(shown), Some(variant)) = (price::seen(listing), &listing.variant) else { continue };
            store::told_is(tx, ctx, &listing.id, Field::Price.as_str(), Some(&Shows::of_price(shown))).await?;
            pricing::remember(tx, ctx, &connection.id, &asked.of(variant), shown, listing.seen_at).await?;
        }
    }
    let_through(tx, ctx, connection, changes).await
}
