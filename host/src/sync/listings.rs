//! Reading what exists on a channel: at first, on a schedule, and when a webhook says that something changed.
//!
//! While a connection is live, a quantity or a price that differs from what the channel was told is drift; see [`super::drift`].

use std::collections::BTreeMap;

use futures::future::BoxFuture;

use super::drift::{self, Picture};
use super::error::ending;
use super::imports::{self, Turned};
use super::reading::{self, Reading};
use super::{Error, Session, Sync, convert, health, store};
use crate::clock::from_rfc3339;
use crate::connections::Connection;
use crate::ctx::Ctx;
use crate::id::ListingId;
use crate::identity::{self, Kind};
use crate::lanes::{self, Claim, Handler, HandlerError, Outcome};
use crate::listings::{self, ChannelListing};
use crate::store::WriteTx;

pub struct Listings(pub Sync);

pub(super) const STREAM: &str = "listings-in";
const PAGE: u32 = 100;

impl Handler for Listings {
    fn run<'a>(&'a self, ctx: &'a Ctx, claim: &'a Claim) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move { run(&self.0, ctx, claim).await.map_err(|error| ending(error, ctx.now_ms())) })
    }
}

async fn run(sync: &Sync, ctx: &Ctx, claim: &Claim) -> Result<(), Error> {
    let Some(Reading { ctx, connection, cursor, session }) = reading::open(sync, ctx, claim, STREAM).await? else { return Ok(()) };
    let asked_at = ctx.now_ms();
    let page = session.caller.listings_pull(session.context(1, ""), cursor, PAGE).await;
    let page = health::heard(sync, &ctx, &connection, page).await?;
    let (mut found, mut refusals) = (Vec::new(), Vec::new());
    for listing in page.listings {
        let external_id = listing.external_id.clone();
        match convert::listing(listing) {
            Ok(listing) => found.push(listing),
            Err(refusal) => refusals.push((external_id, refusal.to_string())),
        }
    }
    let turned =
        Turned { asked_at, records: found.len() + refusals.len(), more: page.more, total: page.total, again_after_ms: page.again_after_ms };
    let as_of_ms = page.as_of.as_deref().map(|text| from_rfc3339(text).unwrap_or(asked_at).min(asked_at));
    let cursor = page.cursor;
    let (store, claim) = (sync.store.clone(), claim.clone());
    store
        .write(move |tx| {
            Box::pin(async move {
                lanes::fence(tx, &claim).await?;
                let (found, picture) = match as_of_ms {
                    Some(as_of_ms) => (unread_since(tx, &ctx, &connection, found, as_of_ms).await?, Picture::Exported { as_of_ms }),
                    None => (found, Picture::Swept { since_ms: asked_at }),
                };
                seen(tx, &ctx, &connection, &found, picture).await?;
                for (external_id, why) in &refusals {
                    store::refuse(tx, &ctx, &connection.id, "listing", external_id, why).await?;
                }
                // A finished sweep starts over next time; a page of an unfinished one is never read twice.
                imports::turned(tx, &ctx, &connection.id, STREAM, &turned).await?;
                let outcome = if turned.more {
                    store::put_cursor(tx, &ctx, &connection.id, STREAM, &cursor).await?;
                    Outcome::Again { at_ms: turned.again_at(ctx.now_ms()) }
                } else {
                    store::drop_cursor(tx, &ctx, &connection.id, STREAM).await?;
                    Outcome::Done
                };
                Ok::<_, Error>(lanes::finish(tx, &ctx, &claim, outcome).await?)
            })
        })
        .await
}

/// Without those that were read after this picture of them was made.
async fn unread_since(
    tx: &mut WriteTx,
    ctx: &Ctx,
    connection: &Connection,
    found: Vec<ChannelListing>,
    since_ms: i64,
) -> Result<Vec<ChannelListing>, Error> {
    let ids: Vec<&str> = found.iter().map(|listing| listing.external_id.as_str()).collect();
    let known = listings::find_external(tx, &ctx.tenant, &connection.id, &ids).await?;
    let is_older = |listing: &ChannelListing| known.get(&listing.external_id).is_none_or(|known| known.seen_at < since_ms);
    Ok(found.into_iter().filter(is_older).collect())
}

/// These listings as they are at the channel now; ones that cannot be taken are left out.
pub async fn read(session: &Session, external_ids: Vec<String>) -> Result<Vec<ChannelListing>, Error> {
    let found = session.caller.listings_get(session.context(1, ""), external_ids).await?;
    Ok(found.into_iter().filter_map(|listing| convert::listing(listing).ok()).collect())
}

/// Stores what the channel showed, and heals drift while the connection is live.
pub async fn seen(tx: &mut WriteTx, ctx: &Ctx, connection: &Connection, found: &[ChannelListing], picture: Picture) -> Result<(), Error> {
    if found.is_empty() {
        return Ok(());
    }
    let kept = listings::upsert_seen(tx, ctx, &connection.id, found, picture.unchanged_ms()).await?;
    for refused in &kept.refused {
        store::refuse(tx, ctx, &connection.id, "listing", &refused.external_id, &refused.why).await?;
    }
    for listing in found {
        if let Some(id) = kept.ids.get(&listing.external_id).filter(|id| kept.stored.contains(id)) {
            for handle in handles(listing) {
                identity::remap(tx, ctx, Kind::ListingHandle, &connection.id, &handle, id.as_str()).await?;
            }
        }
    }
    // Two webhooks may have told of one listing in one run: the last of them counts, as it did above.
    let known = found.iter().filter_map(|listing| Some((kept.ids.get(&listing.external_id)?.clone(), listing)));
    let shown: BTreeMap<ListingId, &ChannelListing> = known.collect();
    let levels = shown.iter().map(|(id, listing)| (id.clone(), listing.levels.clone())).collect();
    drift::heal_stock(tx, ctx, connection, levels, picture).await?;
    let prices = shown.iter().filter_map(|(id, listing)| Some((id.clone(), drift::price_of(listing)?))).collect();
    drift::heal_prices(tx, ctx, connection, prices, picture).await
}

/// `key=value` of everything a connector wants back; webhooks may name a listing by one.
fn handles(listing: &ChannelListing) -> Vec<String> {
    let named = listing.handles.as_object().into_iter().flatten();
    named.filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?))).collect()
}

/// A webhook told quantities of one listing, by its id or by one of its handles.
pub async fn levels_told(
    tx: &mut WriteTx,
    ctx: &Ctx,
    connection: &Connection,
    name: &str,
    levels: &[(Option<String>, i64)],
) -> Result<(), Error> {
    let by_handle = identity::find(tx, &ctx.tenant, Kind::ListingHandle, &connection.id, name).await?;
    let id = match by_handle.and_then(|id| ListingId::parse(&id).ok()) {
        Some(id) => Some(id),
        None => listings::brief_external(tx, &ctx.tenant, &connection.id, &[name]).await?.into_values().next().map(|listing| listing.id),
    };
    match id {
        Some(id) => drift::heal_stock(tx, ctx, connection, vec![(id, levels.to_vec())], Picture::Carried).await,
        None => Ok(()),
    }
}
