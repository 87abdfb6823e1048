//! From what is due to the batch that goes out: stored as an effect, with its idempotency key, before anything is called.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::field::handles;
use super::{Change, Field, Shows, Want, raises};
use crate::connections::Connection;
use crate::ctx::Ctx;
use crate::hex::hex;
use crate::id::{EffectId, ListingId};
use crate::lanes::{self, Claim, LaneKey};
use crate::listings::Listing;
use crate::pricing::PricedFor;
use crate::sync::guards::Guard;
use crate::sync::store::{self, Desired, Effect};
use crate::sync::{Error, Sync, poll_lane};

/// A sale that makes a quantity wait has usually been reported by then. A shop that sells all the time is asked this often at most.
const ASK_AFTER_MS: i64 = 8_000;

/// What is to become of everything that was due.
#[derive(Default)]
pub struct Sorted {
    changes: Vec<Change>,
    /// Shown already.
    known: Vec<(ListingId, i64, Shows, BTreeMap<String, PricedFor>)>,
    /// Not ours to tell any more: unlinked, or no longer counted by the shop.
    gone: Vec<(ListingId, i64, Option<Shows>)>,
    held: Vec<(ListingId, Shows, String)>,
    /// More than is shown, too soon after the channel showed less than it was told.
    waiting: Vec<(ListingId, i64)>,
    refused: Vec<(ListingId, i64, String)>,
    /// Listings that the changes take to zero.
    emptied: Vec<ListingId>,
}

impl Sorted {
    fn listings(&self) -> impl Iterator<Item = &ListingId> {
        let known = self.known.iter().map(|(listing, ..)| listing);
        let gone = self.gone.iter().map(|(listing, ..)| listing);
        let held = self.held.iter().map(|(listing, ..)| listing);
        let waiting = self.waiting.iter().map(|(listing, _)| listing);
        let refused = self.refused.iter().map(|(listing, ..)| listing);
        self.changes.iter().map(|change| &change.listing).chain(known).chain(gone).chain(held).chain(waiting).chain(refused)
    }
}

/// `None`: there is nothing to tell.
pub async fn compose(
    sync: &Sync,
    ctx: &Ctx,
    claim: &Claim,
    connection: &Connection,
    field: Field,
    sorted: Sorted,
) -> Result<Option<Effect>, Error> {
    let effect = if sorted.changes.is_empty() { None } else { Some(effect(ctx, connection, field, &sorted.changes)?) };
    let (waiting, owned, id) = (!sorted.waiting.is_empty(), ctx.clone(), connection.id.clone());
    let (ctx, claim, connection, stored) = (ctx.clone(), claim.clone(), connection.id.clone(), effect.clone());
    sync.store
        .write(move |tx| {
            Box::pin(async move {
                lanes::fence(tx, &claim).await?;
                let name = field.as_str();
                store::take_rows(tx, &ctx, name, sorted.listings().collect()).await?;
                for (listing, version, told) in &sorted.gone {
                    store::already_shows(tx, &ctx, listing, name, *version, told.as_ref()).await?;
                }
                for (listing, version, value, priced) in &sorted.known {
                    store::already_shows(tx, &ctx, listing, name, *version, Some(value)).await?;
                    Field::shown(tx, &ctx, &connection, value, priced).await?;
                }
                for (listing, value, why) in &sorted.held {
                    store::hold(tx, &ctx, listing, name, value, why).await?;
                }
                for (listing, version) in &sorted.waiting {
                    store::wait_to_raise(tx, &ctx, listing, name, *version).await?;
                }
                for (listing, version, why) in &sorted.refused {
                    store::not_told(tx, &ctx, listing, name, why, 0, Some(*version)).await?;
                }
                store::put_zeroed(tx, &ctx, &connection, &sorted.emptied).await?;
                if let Some((effect, hash)) = &stored {
                    store::put_effect(tx, &ctx, &connection, name, effect, hash).await?;
                    let listings: Vec<ListingId> = sorted.changes.iter().map(|change| change.listing.clone()).collect();
                    store::mark_in_effect(tx, &ctx, &listings, name, &effect.id).await?;
                }
                Ok::<_, Error>(())
            })
        })
        .await?;
    if waiting {
        ask_for_orders(sync, owned, poll_lane(&id)).await?;
    }
    Ok(effect.map(|(effect, _)| effect))
}

/// In a unit of work of its own: a poll locks its lane before that of a push.
async fn ask_for_orders(sync: &Sync, ctx: Ctx, poll: LaneKey) -> Result<(), Error> {
    sync.store.write(move |tx| Box::pin(async move { Ok(lanes::make_due(tx, &ctx, &poll, ctx.now_ms() + ASK_AFTER_MS).await?) })).await
}

pub fn sort(due: Vec<Desired>, mut wants: BTreeMap<ListingId, Want>, mut guard: Guard, now_ms: i64) -> Sorted {
    let mut sorted = Sorted::default();
    for desired in due {
        match wants.remove(&desired.listing) {
            None => sorted.gone.push((desired.listing, desired.version, desired.told)),
            Some(Want::Nothing { reason, .. }) => sorted.refused.push((desired.listing, desired.version, reason)),
            Some(Want::Show { value, priced, .. }) if desired.told.as_ref() == Some(&value) => {
                sorted.known.push((desired.listing, desired.version, value, priced));
            }
            Some(Want::Show { value, .. }) if desired.raise_at > now_ms && raises(&value, desired.told.as_ref()) => {
                sorted.waiting.push((desired.listing, desired.version));
            }
            Some(Want::Show { listing, value, closed, priced, .. }) => match guard.objects(&desired, &listing, &value, closed) {
                Some(why) => sorted.held.push((desired.listing, value, why)),
                None => sorted.changes.push(change(desired, listing, value, priced)),
            },
        }
    }
    sorted.emptied = guard.emptied();
    sorted
}

fn change(desired: Desired, listing: Listing, value: Shows, priced: BTreeMap<String, PricedFor>) -> Change {
    Change {
        listing: desired.listing,
        version: desired.version,
        handles: handles(&listing),
        external_id: listing.external_id,
        parent: listing.parent,
        sku: listing.sku,
        value,
        previous: desired.told,
        priced,
    }
}

fn effect(ctx: &Ctx, connection: &Connection, field: Field, changes: &[Change]) -> Result<(Effect, String), Error> {
    let id = EffectId::new(&ctx.ids);
    let request = serde_json::to_string(changes)?;
    let hash = hex(Sha256::digest(request.as_bytes()));
    let name = field.as_str();
    let key = hex(Sha256::digest(format!("{}|{}|{name}|{id}", ctx.tenant.as_str(), connection.id)))[..32].to_owned();
    Ok((Effect { id, idempotency_key: key, request, unknown: false, attempts: 0 }, hash))
}
