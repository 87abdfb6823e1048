//! Prices: computed from the price lists of the day, published only where they leave the band or no longer pay their costs.

use std::collections::BTreeMap;

use super::field::{Field, Readings, Want, reference, reference_of};
use super::{Change, Shows};
use crate::connections::Connection;
use crate::ctx::Ctx;
use crate::id::{ListingId, VariantId};
use crate::lanes::{self, Claim};
use crate::listings::{self, Link, Listing};
use crate::money::{Currency, Money};
use crate::plugins::wire::{self, prices_out};
use crate::pricing::{self, Quoted};
use crate::store::Sql;
use crate::sync::store::Desired;
use crate::sync::{Error, Sync, fanout, poll};

/// How often it is looked whether a new day or newer rates ask for other prices.
pub const LOOK_MS: i64 = 3_600_000;

pub async fn wants(conn: &mut impl Sql, ctx: &Ctx, connection: &Connection, due: &[Desired]) -> Result<BTreeMap<ListingId, Want>, Error> {
    let ids: Vec<ListingId> = due.iter().map(|desired| desired.listing.clone()).collect();
    let listings = listings::find_many(conn, &ctx.tenant, &ids).await?;
    let shown = due.iter().filter_map(|desired| Some((desired.listing.clone(), desired.told.as_ref()?.price()?))).collect();
    wants_of(conn, ctx, connection, listings, &shown).await
}

/// What these listings should cost, given what they show now.
pub async fn wants_of(
    conn: &mut impl Sql,
    ctx: &Ctx,
    connection: &Connection,
    listings: Vec<Listing>,
    shown: &BTreeMap<ListingId, Money>,
) -> Result<BTreeMap<ListingId, Want>, Error> {
    let variants: Vec<VariantId> = listings.iter().filter_map(|listing| listing.variant.clone()).collect();
    let asked = pricing::standard(conn, ctx, connection).await?;
    let quotes = pricing::quote(conn, ctx, &asked, &variants).await?;
    let mut wants = BTreeMap::new();
    for listing in listings.into_iter().filter(|listing| listing.link == Link::Linked) {
        let Some((variant, quoted)) = listing.variant.as_ref().and_then(|variant| quotes.get_key_value(variant)) else { continue };
        let id = listing.id.clone();
        let want = match quoted {
            Quoted::Refused { reason } => Want::Nothing { listing, reason: reason.clone() },
            Quoted::Price { priced, .. } => {
                let kept = pricing::keeps(shown.get(&id).copied(), priced, &asked.policy);
                let price = if kept.is_some() { shown.get(&id).copied().unwrap_or(priced.price) } else { priced.price };
                let reason = priced.steps.iter().map(String::as_str).chain(kept).collect::<Vec<_>>().join("; ");
                Want::Show { listing, value: Shows::Price(price), reason, priced: Some(asked.of(variant)) }
            }
        };
        wants.insert(id, want);
    }
    Ok(wants)
}

/// The price a channel showed when its listing was last read.
pub fn seen(listing: &Listing) -> Option<Money> {
    let (amount, currency) = listing.price.as_ref()?;
    Money::parse(amount, Currency::from_code(currency).ok()?).ok()
}

pub(super) fn wire_changes(changes: &[Change]) -> Vec<prices_out::PriceChange> {
    let one = |change: &Change| {
        let price = change.value.price()?;
        Some(prices_out::PriceChange {
            key: change.listing.to_string(),
            listing: reference(change),
            price: wire::Money { amount: price.to_decimal_string(), currency: price.currency().code().to_owned() },
            compare_at: None,
            price_list: None,
        })
    };
    changes.iter().filter_map(one).collect()
}

pub(super) fn readings(changes: &[Change], readings: Vec<prices_out::Reading>) -> Readings {
    let of = |change: &Change| {
        let reading = readings.iter().find(|reading| reading.listing == change.external_id)?;
        Some((change.listing.clone(), reading.price.as_ref().and_then(read_price).map(Shows::Price)))
    };
    changes.iter().filter_map(of).collect()
}

/// What the channel shows where that is not known. A quantity is compared by the connector before it is written; a price is
/// not, so it is asked for here, and nothing is repeated blindly.
pub(super) async fn ask(sync: &Sync, ctx: &Ctx, connection: &Connection, due: &mut [Desired]) -> Result<(), Error> {
    let unknown: Vec<ListingId> = due.iter().filter(|desired| desired.told.is_none()).map(|desired| desired.listing.clone()).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let listings = listings::find_many(&mut sync.store.read().await?, &ctx.tenant, &unknown).await?;
    let session = sync.connectors.session(sync, ctx, connection).await?;
    let references = listings.iter().map(reference_of).collect();
    let readings = match session.caller.prices_read(session.context(1, ""), references, None).await {
        Ok(readings) => readings,
        Err(error) => {
            let error = Error::from(error);
            poll::note_health(sync, ctx, connection, Some(&error)).await?;
            return Err(error);
        }
    };
    for listing in listings {
        let reading = readings.iter().find(|reading| reading.listing == listing.external_id);
        let price = reading.and_then(|reading| read_price(reading.price.as_ref()?));
        if let Some(desired) = due.iter_mut().find(|desired| desired.listing == listing.id) {
            desired.told = price.map(Shows::Price);
        }
    }
    Ok(())
}

fn read_price(price: &wire::Money) -> Option<Money> {
    Money::parse(&price.amount, Currency::from_code(&price.currency).ok()?).ok()
}

/// A new day may begin or end the validity of a price, newer rates may move it: then every listing is looked at again.
pub async fn look_again(sync: &Sync, ctx: &Ctx, claim: &Claim, connection: &Connection) -> Result<(), Error> {
    let mut conn = sync.store.read().await?;
    let Some(occasion) = pricing::new_occasion(&mut conn, ctx, &connection.id).await? else { return Ok(()) };
    drop(conn);
    let (ctx, claim, connection) = (ctx.clone(), claim.clone(), connection.id.clone());
    sync.store
        .write(move |tx| {
            Box::pin(async move {
                lanes::fence(tx, &claim).await?;
                pricing::note_occasion(tx, &ctx, &connection, &occasion).await?;
                fanout::all_of(tx, &ctx, &connection, Field::Price).await
            })
        })
        .await
}
