//! Reading what exists on a channel: at first, on a schedule, and when a webhook says that something changed.
//!
//! While a connection is live, a quantity that differs from what the channel was told is drift: it is taken as what the channel
//! shows, and the listing is due again.

use futures::future::BoxFuture;

use super::error::ending;
use super::push::{STOCK, Shows, Told};
use super::{Error, Session, Sync, convert, fanout, on_behalf, poll, store};
use crate::connections::{self, Connection};
use crate::ctx::Ctx;
use crate::id::ListingId;
use crate::identity::{self, Kind};
use crate::lanes::{self, Claim, Handler, HandlerError, Outcome};
use crate::listings::{self, ChannelListing};
use crate::store::WriteTx;

pub struct Listings(pub Sync);

const STREAM: &str = "listings-in";
const PAGE: u32 = 100;

impl Handler for Listings {
    fn run<'a>(&'a self, ctx: &'a Ctx, claim: &'a Claim) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move { run(&self.0, ctx, claim).await.map_err(|error| ending(error, ctx.now_ms())) })
    }
}

async fn run(sync: &Sync, ctx: &Ctx, claim: &Claim) -> Result<(), Error> {
    let Some(id) = claim.connection() else { return Ok(()) };
    let ctx = &on_behalf(ctx, id);
    let mut conn = sync.store.read().await?;
    let Some(connection) = connections::find(&mut conn, &ctx.tenant, id).await? else { return Ok(()) };
    let cursor = store::cursor(&mut conn, ctx, id, STREAM).await?;
    drop(conn);
    if !connection.may_read() {
        return Ok(());
    }
    let session = sync.connectors.session(sync, ctx, &connection).await?;
    if !session.caller.offers(STREAM) {
        return Ok(());
    }
    let since_ms = ctx.now_ms();
    let page = match session.caller.listings_pull(session.context(1, ""), cursor, PAGE).await {
        Ok(page) => page,
        Err(error) => {
            let error = Error::from(error);
            poll::note_health(sync, ctx, &connection, Some(&error)).await?;
            return Err(error);
        }
    };
    let (mut found, mut refusals) = (Vec::new(), Vec::new());
    for listing in page.listings {
        let external_id = listing.external_id.clone();
        match convert::listing(listing) {
            Ok(listing) => found.push(listing),
            Err(refusal) => refusals.push((external_id, refusal.to_string())),
        }
    }
    let (cursor, more) = (page.cursor, page.more);
    let (store, ctx, claim, connection) = (sync.store.clone(), ctx.clone(), claim.clone(), connection);
    store
        .write(move |tx| {
            Box::pin(async move {
                lanes::fence(tx, &claim).await?;
                seen(tx, &ctx, &connection, &found, Picture::Read { since_ms }).await?;
                for (external_id, why) in &refusals {
                    store::refuse(tx, &ctx, &connection.id, "listing", external_id, why).await?;
                }
                // A finished sweep starts over next time; a page of an unfinished one is never read twice.
                let outcome = if more {
                    store::put_cursor(tx, &ctx, &connection.id, STREAM, &cursor).await?;
                    Outcome::Again { at_ms: ctx.now_ms() }
                } else {
                    store::drop_cursor(tx, &ctx, &connection.id, STREAM).await?;
                    Outcome::Done
                };
                Ok::<_, Error>(lanes::finish(tx, &ctx, &claim, outcome).await?)
            })
        })
        .await
}

/// These listings as they are at the channel now; ones that cannot be taken are left out.
pub async fn read(session: &Session, external_ids: Vec<String>) -> Result<Vec<ChannelListing>, Error> {
    let found = session.caller.listings_get(session.context(1, ""), external_ids).await?;
    Ok(found.into_iter().filter_map(|listing| convert::listing(listing).ok()).collect())
}

/// How much a picture of a listing is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Picture {
    /// Read from the channel after this instant.
    Read { since_ms: i64 },
    /// Carried by a webhook, which may be late or doubled.
    Carried,
}

/// Stores what the channel showed, and heals drift while the connection is live.
pub async fn seen(tx: &mut WriteTx, ctx: &Ctx, connection: &Connection, found: &[ChannelListing], picture: Picture) -> Result<(), Error> {
    if found.is_empty() {
        return Ok(());
    }
    let kept = listings::upsert_seen(tx, ctx, &connection.id, found).await?;
    for refused in &kept.refused {
        store::refuse(tx, ctx, &connection.id, "listing", &refused.external_id, &refused.why).await?;
    }
    for listing in found {
        if let Some(id) = kept.ids.get(&listing.external_id) {
            for handle in handles(listing) {
                identity::remap(tx, ctx, Kind::ListingHandle, &connection.id, &handle, id.as_str()).await?;
            }
        }
    }
    let shown = found.iter().filter_map(|listing| Some((kept.ids.get(&listing.external_id)?.clone(), listing.levels.clone())));
    heal(tx, ctx, connection, shown.collect(), picture).await
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
        None => listings::find_external(tx, &ctx.tenant, &connection.id, &[name]).await?.into_values().next().map(|listing| listing.id),
    };
    match id {
        Some(id) => heal(tx, ctx, connection, vec![(id, levels.to_vec())], Picture::Carried).await,
        None => Ok(()),
    }
}

/// Levels by the channel's location.
type Levels = Vec<(Option<String>, i64)>;

/// Where the channel shows something else than it was told, it is told again. What was read after the last push is what the
/// channel shows; what a webhook carried only raises a doubt.
async fn heal(
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
    let mut drifted = Vec::new();
    for (id, levels) in &shown {
        let Some(known) = told.get(id) else { continue };
        let Some(value) = known.told.as_ref().and_then(Shows::quantities) else { continue };
        let here = levels.iter().filter_map(|(place, quantity)| {
            let place = place.clone().unwrap_or_default();
            value.0.contains_key(&place).then_some((place, *quantity))
        });
        let here = Told(here.collect());
        let differs = here.0.iter().any(|(place, quantity)| value.0.get(place) != Some(quantity));
        // While something is on its way, the difference may only be that.
        if !differs || known.version != known.sent_version {
            continue;
        }
        let whole = here.0.len() == value.0.len();
        let trusted = matches!(picture, Picture::Read { since_ms } if whole && known.told_at.is_none_or(|at| at < since_ms));
        tracing::info!(connection = %connection.name, listing = %id, told = ?value.0, found = ?here.0, trusted, "another quantity than the channel was told");
        drifted.push((id, trusted.then_some(Shows::Quantities(here))));
    }
    if drifted.is_empty() {
        return Ok(());
    }
    let due: Vec<_> = drifted.iter().map(|(id, _)| (*id, &connection.id)).collect();
    fanout::want(tx, ctx, &due).await?;
    for (id, here) in &drifted {
        store::told_is(tx, ctx, id, STOCK, here.as_ref()).await?;
    }
    Ok(())
}
