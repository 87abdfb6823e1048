//! How many units each listing should show, from stock as it is now.

use std::collections::BTreeMap;

use super::Error;
use super::push::{Told, Wanted};
use crate::catalog;
use crate::connections::Connection;
use crate::ctx::Ctx;
use crate::id::ListingId;
use crate::listings::{self, Listing, Tracking};
use crate::locations;
use crate::stock;
use crate::store::Sql;

pub async fn wanted_of(
    conn: &mut impl Sql,
    ctx: &Ctx,
    connection: &Connection,
    listings: Vec<Listing>,
) -> Result<BTreeMap<ListingId, Wanted>, Error> {
    let variants: Vec<_> = listings.iter().filter_map(|listing| listing.variant.clone()).collect();
    let known = catalog::find_many(conn, &ctx.tenant, &variants).await?;
    let pooled = stock::availability(conn, &ctx.tenant, &variants).await?;
    let mapped = locations::mapped(conn, &ctx.tenant, &connection.id).await?;
    let ids: Vec<ListingId> = listings.iter().map(|listing| listing.id.clone()).collect();
    let seen = listings::levels(conn, &ctx.tenant, &ids).await?;
    let mut wanted = BTreeMap::new();
    for listing in listings {
        let Some(variant) = listing.variant.clone().filter(|_| listing.tracking == Tracking::Tracked) else { continue };
        let safety = known.get(&variant).map_or(0, |variant| variant.facts.safety);
        let show = |available: i64| listing.publication.quantity(available, safety, connection.buffer);
        let mut value = Told::default();
        let available = pooled.get(&variant).copied().unwrap_or_default().available();
        if mapped.is_empty() {
            // Without a mapping, everything goes to the channel's only or first location.
            let place = seen.get(&listing.id).and_then(|levels| levels.first()).and_then(|level| level.location.clone());
            value.0.insert(place.unwrap_or_default(), show(available));
        } else {
            let levels = stock::levels(conn, &ctx.tenant, &variant).await?;
            for (external, ours) in &mapped {
                let here = levels.iter().find(|level| level.location == *ours).map_or(0, |level| level.on_hand - level.reserved);
                value.0.insert(external.clone(), show(here));
            }
        }
        let reason = format!("{available} available, {safety} kept safe, {} held back", listing.publication.buffer + connection.buffer);
        wanted.insert(listing.id.clone(), Wanted { listing, value, reason });
    }
    Ok(wanted)
}
