//! What a listing should show now: from stock as it is, less everything that is held back.
//!
//! `max(0, min(floor(listing's share × connection's part) - buffers, cap))`, where the connection's part is what can be shown of
//! the variant at the places the connection sells from, less what is kept safe and what is kept for other connections, and then
//! what its allotment says ([`crate::listings::Allotment::pool`]). A kit is worth what its scarcest component allows. Over the
//! channel's places the quantity is spread from our first place on, each up to what lies there.

use std::collections::{BTreeMap, BTreeSet};

use super::push::{Told, Wanted};
use super::{Error, gates};
use crate::catalog;
use crate::connections::Connection;
use crate::ctx::Ctx;
use crate::id::{ListingId, LocationId, VariantId};
use crate::listings::{self, Listing, Tracking};
use crate::locations;
use crate::stock::{self, Sellable};
use crate::store::Sql;

pub async fn wanted_of(
    conn: &mut impl Sql,
    ctx: &Ctx,
    connection: &Connection,
    listings: Vec<Listing>,
) -> Result<BTreeMap<ListingId, Wanted>, Error> {
    let variants: Vec<VariantId> =
        listings.iter().filter_map(|listing| listing.variant.clone()).collect::<BTreeSet<_>>().into_iter().collect();
    let safety = catalog::safety_of(conn, &ctx.tenant, &variants).await?;
    let sellable = stock::sellable(conn, &ctx.tenant, &variants).await?;
    let counted: BTreeSet<VariantId> = sellable.values().flat_map(Sellable::counted).chain(&variants).cloned().collect();
    let counted: Vec<VariantId> = counted.into_iter().collect();
    let allotted = listings::allotments(conn, &ctx.tenant, &connection.id, &counted).await?;
    let places = mapped(conn, ctx, connection).await?;
    let among: Option<BTreeSet<LocationId>> = (!places.is_empty()).then(|| places.iter().map(|(_, ours)| ours.clone()).collect());
    let ids: Vec<ListingId> = listings.iter().map(|listing| listing.id.clone()).collect();
    let seen = listings::levels(conn, &ctx.tenant, &ids).await?;
    let closed = gates::closed(conn, ctx, connection, &variants).await?;
    let mut wanted = BTreeMap::new();
    for listing in listings.into_iter().filter(|listing| listing.tracking == Tracking::Tracked) {
        let Some((variant, sellable)) = listing.variant.as_ref().and_then(|variant| sellable.get_key_value(variant)) else { continue };
        let safety = safety.get(variant).copied().unwrap_or(0);
        let available = sellable.total(among.as_ref(), |_| 0);
        let mut left = sellable.total(among.as_ref(), |counted| allotted.kept_for_others(counted));
        if sellable.is_kit() {
            left -= allotted.kept_for_others(variant);
        }
        let part = allotted.of(variant).pool(left - safety);
        let shown = listing.publication.quantity(part, 0, connection.buffer);
        let value = match &among {
            Some(_) => spread(shown, &places, sellable),
            None => {
                // Without a mapping, everything goes to the channel's only or first location.
                let place = seen.get(&listing.id).and_then(|levels| levels.first()).and_then(|level| level.location.clone());
                BTreeMap::from([(place.unwrap_or_default(), shown)])
            }
        };
        let mut reason = format!("{available} available, {safety} kept safe, {} held back", listing.publication.buffer + connection.buffer);
        if left < available {
            reason.push_str(&format!(", {} kept for other channels", available - left));
        }
        if part < (left - safety).max(0) {
            reason.push_str(&format!(", {part} for this channel"));
        }
        let closed = closed.get(variant).cloned();
        wanted.insert(listing.id.clone(), Wanted { listing, value: Told(value), reason, closed });
    }
    Ok(wanted)
}

/// The channel's places that are ours, in the order in which ours are asked.
async fn mapped(conn: &mut impl Sql, ctx: &Ctx, connection: &Connection) -> Result<Vec<(String, LocationId)>, Error> {
    let mapped = locations::mapped(conn, &ctx.tenant, &connection.id).await?;
    if mapped.is_empty() {
        return Ok(Vec::new());
    }
    let order: Vec<LocationId> = locations::list(conn, &ctx.tenant).await?.into_iter().map(|location| location.id).collect();
    let mut places: Vec<(String, LocationId)> = mapped.into_iter().collect();
    places.sort_by_key(|(external, ours)| (order.iter().position(|known| known == ours), external.clone()));
    Ok(places)
}

/// Every place of the channel gets a number, zero included. Two of its places may be one of ours, which is given out once.
fn spread(shown: i64, places: &[(String, LocationId)], sellable: &Sellable) -> BTreeMap<String, i64> {
    let mut rest: BTreeMap<&LocationId, i64> = places.iter().map(|(_, ours)| (ours, sellable.at(ours).max(0))).collect();
    let mut left = shown;
    let mut give = |(external, ours): &(String, LocationId)| {
        let here = rest.get_mut(ours);
        let units = here.as_ref().map_or(0, |here| left.min(**here));
        if let Some(here) = here {
            *here -= units;
        }
        left -= units;
        (external.clone(), units)
    };
    places.iter().map(&mut give).collect()
}
