//! What keeps a mistake from reaching a whole shop: limits on what is pushed without a person looking, and pauses.
//!
//! A value that breaks a limit is *held*: it is shown with the reason, other listings go on, and it goes out when a person
//! lets exactly this value through (`sync plan`, `sync apply`) or when the value itself becomes harmless. Time alone lets
//! nothing through. Sales in the shop itself never count: only what we would take to zero does.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::push::{Field, Shows, Want, price, raises};
use super::store::{self, Desired};
use super::{Error, fanout, imports};
use crate::connections::{self, Connection};
use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, ListingId};
use crate::lanes;
use crate::listings::{self, Link, Listing};
use crate::money::{Exact, Money};
use crate::page::{MAX_LIMIT, PageRequest};
use crate::store::{Sql, WriteTx};

const WINDOW_MS: i64 = 3_600_000;
const WHOLE_BPS: i64 = 10_000;

/// How much one connection may be changed without a person looking.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Share of its linked listings that may be taken to zero within an hour, in 1/10000.
    pub zero_share_bps: i64,
    /// As many always may: a small shop sells out.
    pub zero_free: i64,
    /// Largest change of one price, up or down, in 1/10000 of what the channel shows.
    pub price_move_bps: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { zero_share_bps: 2_000, zero_free: 10, price_move_bps: 5_000 }
    }
}

impl Limits {
    fn checked(self) -> Result<Self, Error> {
        let whole = |name: &str, value: i64, most: i64| {
            if (0..=most).contains(&value) {
                return Ok(());
            }
            Err(Error::refused(format!("`{value}` cannot be `{name}`"), format!("give 0 to {most}")))
        };
        whole("zero_share_bps", self.zero_share_bps, WHOLE_BPS)?;
        whole("zero_free", self.zero_free, 1_000_000)?;
        whole("price_move_bps", self.price_move_bps, 100 * WHOLE_BPS)?;
        Ok(self)
    }

    fn zeros_of(&self, listings: i64) -> i64 {
        (listings.saturating_mul(self.zero_share_bps) / WHOLE_BPS).max(self.zero_free)
    }
}

pub async fn limits(conn: &mut impl Sql, tenant: &Tenant, connection: &ConnectionId) -> Result<Limits, Error> {
    Ok(store::limits(conn, tenant, connection).await?.unwrap_or_default())
}

/// What is held already is judged anew by the new limits.
pub async fn set_limits(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, limits: Limits) -> Result<Limits, Error> {
    let limits = limits.checked()?;
    lanes::make_due_many(tx, ctx, &push_lanes(connection), ctx.now_ms()).await?;
    store::put_limits(tx, ctx, connection, &limits).await?;
    store::judge_anew(tx, ctx, connection, None).await?;
    Ok(limits)
}

/// The lanes on which a connection is told something, in the order in which they are locked.
pub fn push_lanes(connection: &ConnectionId) -> Vec<lanes::LaneKey> {
    let mut lanes: Vec<_> = Field::ALL.iter().map(|field| field.lane(connection)).collect();
    lanes.sort();
    lanes
}

/// What one run of a push may do.
pub struct Guard {
    limits: Limits,
    connection: String,
    /// How many may go to zero within an hour, and which did.
    zeros: i64,
    zeroed: BTreeSet<ListingId>,
    emptied: Vec<ListingId>,
    paused: BTreeSet<ListingId>,
}

impl Guard {
    /// Counting a shop costs something, so it is done only where a value may go to zero.
    pub async fn of(
        conn: &mut impl Sql,
        ctx: &Ctx,
        connection: &Connection,
        pauses: &[Pause],
        wants: &BTreeMap<ListingId, Want>,
    ) -> Result<Self, Error> {
        let limits = limits(conn, &ctx.tenant, &connection.id).await?;
        let (mut linked, mut zeroed) = (0, BTreeSet::new());
        if wants.values().any(|want| matches!(want, Want::Show { value, .. } if value.is_sold_out())) {
            linked = listings::count_links(conn, &ctx.tenant, &connection.id).await?.get(&Link::Linked).copied().unwrap_or(0);
            zeroed = store::zeroed_since(conn, &ctx.tenant, &connection.id, ctx.now_ms() - WINDOW_MS).await?;
        }
        let paused = pauses.iter().filter(|pause| pause.scope == Scope::Listing).filter_map(|pause| ListingId::parse(&pause.subject).ok());
        Ok(Self {
            zeros: limits.zeros_of(linked),
            limits,
            connection: connection.name.clone(),
            zeroed,
            emptied: Vec::new(),
            paused: paused.collect(),
        })
    }

    /// Why this value must not go out now, and what a person can do.
    /// `closed`: the gates that are closed for it, which no person opens but by the facts they ask for.
    pub fn objects(&mut self, desired: &Desired, listing: &Listing, value: &Shows, closed: Option<String>) -> Option<String> {
        if self.paused.contains(&desired.listing) {
            return Some(format!("this listing is paused; hint: `entrepot sync resume --listing {}`", desired.listing));
        }
        if let Some(why) = closed
            && raises(value, desired.told.as_ref())
        {
            return Some(why);
        }
        let allowed = desired.allowed.as_ref() == Some(value);
        let way = format!("hint: `entrepot sync plan {}` shows it, `entrepot sync apply PLAN` lets it through", quoted(&self.connection));
        match value {
            Shows::Quantities(_) if value.is_sold_out() && !desired.told.as_ref().is_some_and(Shows::is_sold_out) => {
                if self.zeroed.contains(&desired.listing) {
                    return None;
                }
                let full = i64::try_from(self.zeroed.len()).unwrap_or(i64::MAX) >= self.zeros;
                if !allowed && (full || desired.held.is_some()) {
                    return Some(format!(
                        "held: more than {} listings of this connection would go to zero within an hour; {way}",
                        self.zeros
                    ));
                }
                self.zeroed.insert(desired.listing.clone());
                self.emptied.push(desired.listing.clone());
                None
            }
            Shows::Prices(new) => {
                let (told, let_through) = [&desired.told, &desired.allowed].map(|shows| shows.as_ref().and_then(Shows::prices)).into();
                let limit = self.limits.price_move_bps;
                new.0.iter().filter(|(list, price)| let_through.and_then(|allowed| allowed.0.get(*list)) != Some(price)).find_map(
                    |(list, new)| {
                        let seen = || price::seen(listing).filter(|_| list.is_empty());
                        let shown = told.and_then(|told| told.0.get(list)).copied().or_else(seen)?;
                        let of = if list.is_empty() { String::new() } else { format!(" in {list}") };
                        moves_more(shown, *new, limit).then(|| {
                            format!("held: from {shown} to {new}{of} is more than the {} that one price may move; {way}", percent(limit))
                        })
                    },
                )
            }
            _ => None,
        }
    }

    /// Listings that this run takes to zero.
    pub fn emptied(self) -> Vec<ListingId> {
        self.emptied
    }
}

fn quoted(name: &str) -> String {
    if name.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c)) { name.to_owned() } else { format!("\"{name}\"") }
}

fn percent(bps: i64) -> String {
    match bps % 100 {
        0 => format!("{} %", bps / 100),
        rest => format!("{}.{rest:02} %", bps / 100),
    }
}

/// Two currencies cannot be compared: that is more than any limit, and a person looks.
fn moves_more(shown: Money, new: Money, limit_bps: i64) -> bool {
    let beyond = || {
        let moved = new.checked_sub(shown)?;
        let moved = if moved.is_negative() { moved.checked_neg()? } else { moved };
        let allowed = shown.exact().mul(Exact::ratio(limit_bps, WHOLE_BPS)?)?;
        Ok::<_, crate::money::Error>(moved.exact().compare(allowed)?.is_gt())
    };
    beyond().unwrap_or(true)
}

/// What a person stopped, beside whole connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Pushes of every connection of one connector.
    Channel,
    /// Pushes of one listing.
    Listing,
    /// Reading of one connection, until its imports are through.
    Import,
}

impl Scope {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Listing => "listing",
            Self::Import => "import",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Channel, Self::Listing, Self::Import].into_iter().find(|scope| scope.as_str() == text)
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct Pause {
    pub scope: Scope,
    pub subject: String,
    pub since_at: i64,
    pub actor: String,
}

pub async fn pauses(conn: &mut impl Sql, tenant: &Tenant) -> Result<Vec<Pause>, Error> {
    store::pauses(conn, tenant).await
}

/// Whether nothing is pushed because the connection's channel is paused. Its orders are read all the same.
pub fn stop(pauses: &[Pause], connection: &Connection) -> bool {
    pauses.iter().any(|pause| pause.scope == Scope::Channel && pause.subject == connection.plugin)
}

/// `false` if it was paused already. An import is named by its connection.
pub async fn pause(tx: &mut WriteTx, ctx: &Ctx, scope: Scope, subject: &str) -> Result<bool, Error> {
    match scope {
        Scope::Import => {
            let connection = connections::resolve(tx, &ctx.tenant, subject).await?;
            return store::put_pause(tx, ctx, scope, connection.id.as_str()).await;
        }
        Scope::Listing => drop(listings::get(tx, &ctx.tenant, &listing_id(subject)?).await?),
        Scope::Channel if of_channel(tx, ctx, subject).await?.is_empty() => {
            return Err(Error::refused(
                format!("no connection uses a connector `{subject}`"),
                "`entrepot connection list` shows those in use",
            ));
        }
        Scope::Channel => {}
    }
    store::put_pause(tx, ctx, scope, subject).await
}

/// What waited meanwhile is due. `false` if it was not paused.
pub async fn resume(tx: &mut WriteTx, ctx: &Ctx, scope: Scope, subject: &str) -> Result<bool, Error> {
    match scope {
        Scope::Import => {
            let connection = connections::resolve(tx, &ctx.tenant, subject).await?;
            imports::resume(tx, ctx, &connection.id).await?;
            return store::drop_pause(tx, ctx, scope, connection.id.as_str()).await;
        }
        Scope::Channel => {
            let mut due: Vec<_> = of_channel(tx, ctx, subject).await?.iter().flat_map(|connection| push_lanes(&connection.id)).collect();
            due.sort();
            lanes::make_due_many(tx, ctx, &due, ctx.now_ms()).await?;
        }
        Scope::Listing => {
            let listing = listings::get(tx, &ctx.tenant, &listing_id(subject)?).await?;
            fanout::told_anew(tx, ctx, &listing).await?;
        }
    }
    store::drop_pause(tx, ctx, scope, subject).await
}

fn listing_id(text: &str) -> Result<ListingId, Error> {
    ListingId::parse(text).map_err(|error| Error::refused(error.to_string(), "`entrepot listing list` shows ids"))
}

async fn of_channel(conn: &mut impl Sql, ctx: &Ctx, plugin: &str) -> Result<Vec<Connection>, Error> {
    let (mut found, mut request) = (Vec::new(), PageRequest::first(MAX_LIMIT));
    loop {
        let page = connections::list(conn, &ctx.tenant, &request).await?;
        found.extend(page.items.into_iter().filter(|connection| connection.plugin == plugin));
        match page.next_cursor {
            Some(cursor) => request.cursor = Some(cursor),
            None => return Ok(found),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::money::Currency;

    #[test]
    fn a_price_may_move_up_to_the_limit_and_not_beyond() {
        let eur = |minor| Money::new(minor, Currency::from_code("EUR").unwrap());
        for (shown, new, limit, beyond) in [
            (1000, 1500, 5_000, false),
            (1000, 1501, 5_000, true),
            (1000, 500, 5_000, false),
            (1000, 499, 5_000, true),
            (999, 1099, 1_000, true),
            (0, 1, 5_000, true),
            (1000, 1000, 0, false),
        ] {
            assert_eq!(moves_more(eur(shown), eur(new), limit), beyond, "{shown} to {new}");
        }
        assert!(moves_more(eur(1000), Money::new(1000, Currency::from_code("USD").unwrap()), 1_000_000));
        assert_eq!((percent(5_000), percent(1_205)), ("50 %".to_owned(), "12.05 %".to_owned()));
    }

    #[test]
    fn small_shops_may_sell_out_and_large_ones_by_share() {
        let limits = Limits { zero_share_bps: 2_000, zero_free: 10, ..Limits::default() };
        assert_eq!([limits.zeros_of(3), limits.zeros_of(50), limits.zeros_of(55), limits.zeros_of(1_000)], [10, 10, 11, 200]);
        assert!(Limits { zero_share_bps: 10_001, ..limits }.checked().is_err());
        assert!(Limits { price_move_bps: -1, ..limits }.checked().is_err());
    }
}
