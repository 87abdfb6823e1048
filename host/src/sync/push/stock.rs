//! Quantities: one item of the call per listing and location.

use std::collections::BTreeMap;

use super::field::{Readings, Want, key, reference, reference_of};
use super::{Change, Shows, Told};
use crate::connections::Connection;
use crate::ctx::Ctx;
use crate::id::ListingId;
use crate::listings::{self, Listing};
use crate::plugins::wire::{commerce, stock_out};
use crate::store::Sql;
use crate::sync::store::Desired;
use crate::sync::wanted::wanted_of;
use crate::sync::{Error, Sync, health};

pub async fn wants(conn: &mut impl Sql, ctx: &Ctx, connection: &Connection, due: &[Desired]) -> Result<BTreeMap<ListingId, Want>, Error> {
    let ids: Vec<ListingId> = due.iter().map(|desired| desired.listing.clone()).collect();
    let listings = listings::find_many(conn, &ctx.tenant, &ids).await?;
    let wanted = wanted_of(conn, ctx, connection, listings).await?;
    let want = |(id, wanted): (ListingId, super::Wanted)| {
        let value = Shows::Quantities(wanted.value);
        (id, Want::Show { listing: wanted.listing, value, reason: wanted.reason, closed: wanted.closed, priced: BTreeMap::new() })
    };
    Ok(wanted.into_iter().map(want).collect())
}

/// What the channel shows where that is not known: what it shows already is not written once more, and what may not be raised
/// is known to be a raise.
pub async fn ask(
    sync: &Sync,
    ctx: &Ctx,
    connection: &Connection,
    due: &mut [Desired],
    wants: &BTreeMap<ListingId, Want>,
) -> Result<(), Error> {
    let unknown = due.iter().filter(|desired| desired.told.is_none());
    let listings: Vec<&Listing> = unknown.filter_map(|desired| wants.get(&desired.listing)?.listing()).collect();
    if listings.is_empty() {
        return Ok(());
    }
    let session = sync.connectors.session(sync, ctx, connection).await?;
    let references = listings.iter().map(|listing| reference_of(listing)).collect();
    let readings = session.caller.stock_read(session.context(1, ""), references).await;
    let readings = health::heard(sync, ctx, connection, readings).await?;
    for listing in listings {
        let reading = readings.iter().find(|reading| reading.listing == listing.external_id);
        let level = |level: &commerce::Level| (level.location.clone().unwrap_or_default(), i64::from(level.quantity));
        if let Some(desired) = due.iter_mut().find(|desired| desired.listing == listing.id) {
            desired.told = reading.map(|reading| Shows::Quantities(Told(reading.levels.iter().map(level).collect())));
        }
    }
    Ok(())
}

/// The call's list.
pub(super) fn wire_changes(changes: &[Change]) -> Vec<stock_out::StockChange> {
    let each = |change: &Change| -> Vec<stock_out::StockChange> {
        let before = change.previous.as_ref().and_then(Shows::quantities);
        let one = |(location, quantity): (&String, &i64)| stock_out::StockChange {
            key: key(change, location),
            listing: reference(change),
            location: Some(location.clone()).filter(|location| !location.is_empty()),
            quantity: u32::try_from((*quantity).max(0)).unwrap_or(u32::MAX),
            previous: before.and_then(|told| told.0.get(location)).and_then(|q| i32::try_from(*q).ok()),
        };
        change.value.quantities().into_iter().flat_map(|told| &told.0).map(one).collect()
    };
    changes.iter().flat_map(each).collect()
}

/// Only the locations that a change was about count.
pub(super) fn readings(changes: &[Change], readings: Vec<stock_out::Reading>) -> Readings {
    let of = |change: &Change| {
        let reading = readings.iter().find(|reading| reading.listing == change.external_id)?;
        let at = |location: &String| {
            let same = |level: &&commerce::Level| level.location.as_deref().unwrap_or_default() == location;
            reading.levels.iter().find(same).map(|level| (location.clone(), i64::from(level.quantity)))
        };
        let told = Told(change.value.quantities()?.0.keys().filter_map(at).collect());
        Some((change.listing.clone(), Some(Shows::Quantities(told))))
    };
    changes.iter().filter_map(of).collect()
}
