//! Where a channel shows something else than it was told: it is told again, and what was found is kept for people to look at.
//!
//! What was read after the last push is what the channel shows; what a webhook carried, which may be late or doubled, only raises
//! a doubt, and the channel is read before the next push. A listing that a sweep did not show proves nothing. Where a shop shows
//! fewer units, that may be a sale which has not been reported yet: nothing is raised for a moment, and if something waits for
//! that, the shop's orders are asked for meanwhile ([`super::push`]).

use std::collections::BTreeSet;

use serde::Serialize;

use super::push::{Field, Prices, STOCK, Shows, Told, price};
use super::upkeep::DAY_MS;
use super::{Error, fanout, store};
use crate::connections::Connection;
use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, ListingId};
use crate::listings::ChannelListing;
use crate::money::Money;
use crate::pricing;
use crate::store::{Sql, WriteTx};

/// How much a picture of a listing is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Picture {
    /// Read from the channel after this instant.
    Read { since_ms: i64 },
    /// As `Read`, on a page of everything there is.
    Swept { since_ms: i64 },
    /// In an export that the channel began after this instant, and that is older than what it was told since.
    Exported { as_of_ms: i64 },
    /// Carried by a webhook, which may be late or doubled.
    Carried,
}

impl Picture {
    fn is_newer(self, told_at: Option<i64>) -> bool {
        match self {
            Self::Read { since_ms: at_ms } | Self::Swept { since_ms: at_ms } | Self::Exported { as_of_ms: at_ms } => {
                told_at.is_none_or(|at| at < at_ms)
            }
            Self::Carried => false,
        }
    }

    /// How long a listing may go unstored while it is shown unchanged. Most of a sweep only reads; what comes beside a sweep is
    /// stored every time, so that a picture the channel took before it for an export does not replace it.
    pub(super) fn unchanged_ms(self) -> i64 {
        match self {
            Self::Swept { .. } | Self::Exported { .. } => DAY_MS,
            Self::Read { .. } | Self::Carried => 0,
        }
    }

    /// Nothing can be said from it about what was told later.
    fn is_overtaken(self, told_at: Option<i64>) -> bool {
        matches!(self, Self::Exported { .. }) && !self.is_newer(told_at)
    }
}

/// One value that was not what the channel had been told.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Drift {
    pub connection: ConnectionId,
    pub listing: ListingId,
    /// `stock` or `price`.
    pub field: String,
    pub seen_at: i64,
    pub told: Shows,
    pub found: Shows,
    /// Read from the channel; otherwise a webhook said so.
    pub was_read: bool,
}

/// Newest first.
pub async fn list(
    conn: &mut impl Sql,
    tenant: &Tenant,
    connection: Option<&ConnectionId>,
    since_ms: i64,
    limit: u32,
) -> Result<Vec<Drift>, Error> {
    store::drifts(conn, tenant, connection, since_ms, limit).await
}

/// Levels by the channel's location.
type Levels = Vec<(Option<String>, i64)>;

/// How long a sale may be on its way to us after the quantity that it took was seen: its webhook, or the poll that is asked for.
const SALE_UNDERWAY_MS: i64 = 15_000;

pub async fn heal_stock(
    tx: &mut WriteTx,
    ctx: &Ctx,
    connection: &Connection,
    shown: Vec<(ListingId, Levels)>,
    picture: Picture,
) -> Result<(), Error> {
    if !connection.may_push() {
        return Ok(());
    }
    let ids: Vec<ListingId> = shown.iter().map(|(id, _)| id.clone()).collect();
    let told = store::told_of(tx, &ctx.tenant, STOCK, &ids).await?;
    let (mut drifted, mut fewer) = (Vec::new(), BTreeSet::new());
    for (id, levels) in shown {
        let Some(known) = told.get(&id) else { continue };
        let Some(value) = known.told.as_ref().and_then(Shows::quantities) else { continue };
        let here = levels.into_iter().map(|(place, quantity)| (place.unwrap_or_default(), quantity));
        let here = Told(here.filter(|(place, _)| value.0.contains_key(place)).collect());
        let differs = here.0.iter().any(|(place, quantity)| value.0.get(place) != Some(quantity));
        // While something is on its way, the difference may only be that.
        if !differs || known.version != known.sent_version || picture.is_overtaken(known.told_at) {
            continue;
        }
        if here.0.iter().any(|(place, quantity)| value.0.get(place).is_some_and(|told| quantity < told)) {
            fewer.insert(id.clone());
        }
        let trusted = here.0.len() == value.0.len() && picture.is_newer(known.told_at);
        drifted.push((
            trusted,
            drift(ctx, connection, id, Field::Stock, picture, (Shows::Quantities(value.clone()), Shows::Quantities(here))),
        ));
    }
    tell_again(tx, ctx, connection, Field::Stock, &drifted).await?;
    for listing in &fewer {
        store::raise_not_before(tx, ctx, listing, STOCK, ctx.now_ms() + SALE_UNDERWAY_MS).await?;
    }
    Ok(())
}

/// The channel's own price of a listing.
pub fn price_of(listing: &ChannelListing) -> Option<Money> {
    price::exact(listing.price.as_ref()?)
}

/// Prices of the channel's lists are in no picture of a listing.
pub async fn heal_prices(
    tx: &mut WriteTx,
    ctx: &Ctx,
    connection: &Connection,
    shown: Vec<(ListingId, Money)>,
    picture: Picture,
) -> Result<(), Error> {
    if !connection.may_push() || shown.is_empty() || !pricing::pushes(tx, &ctx.tenant, &connection.id).await? {
        return Ok(());
    }
    let ids: Vec<ListingId> = shown.iter().map(|(id, _)| id.clone()).collect();
    let told = store::told_of(tx, &ctx.tenant, Field::Price.as_str(), &ids).await?;
    let mut drifted = Vec::new();
    for (id, price) in shown {
        let Some(known) = told.get(&id) else { continue };
        let Some(value) = known.told.as_ref().and_then(Shows::prices) else { continue };
        let differs = value.0.get("").is_some_and(|told| *told != price);
        if !differs || known.version != known.sent_version || picture.is_overtaken(known.told_at) {
            continue;
        }
        let mut here: Prices = value.clone();
        here.0.insert(String::new(), price);
        let found = (Shows::Prices(value.clone()), Shows::Prices(here));
        drifted.push((picture.is_newer(known.told_at), drift(ctx, connection, id, Field::Price, picture, found)));
    }
    tell_again(tx, ctx, connection, Field::Price, &drifted).await
}

fn drift(ctx: &Ctx, connection: &Connection, listing: ListingId, field: Field, picture: Picture, (told, found): (Shows, Shows)) -> Drift {
    let was_read = picture != Picture::Carried;
    tracing::info!(connection = %connection.name, %listing, field = field.as_str(), %told, %found, was_read, "a channel shows something else than it was told");
    Drift { connection: connection.id.clone(), listing, field: field.as_str().to_owned(), seen_at: ctx.now_ms(), told, found, was_read }
}

/// With whether what was found is what the channel shows.
async fn tell_again(tx: &mut WriteTx, ctx: &Ctx, connection: &Connection, field: Field, drifted: &[(bool, Drift)]) -> Result<(), Error> {
    if drifted.is_empty() {
        return Ok(());
    }
    let due: Vec<_> = drifted.iter().map(|(_, drift)| (&drift.listing, &connection.id)).collect();
    fanout::want(tx, ctx, field, &due).await?;
    for (trusted, drift) in drifted {
        store::told_is(tx, ctx, &drift.listing, field.as_str(), trusted.then_some(&drift.found)).await?;
        store::put_drift(tx, ctx, drift).await?;
    }
    Ok(())
}
