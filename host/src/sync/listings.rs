//! Reading what exists on a channel: at first, on a schedule, and when a webhook says that something changed.
//!
//! While a connection is live, a quantity that differs from what the channel was told is drift: it is taken as what the channel
//! shows, and the listing is due again.

use futures::future::BoxFuture;

use super::error::ending;
use super::push::{STOCK, Told};
use super::{Error, Session, Sync, convert, on_behalf, poll, push_lane, store};
use crate::connections::{self, Connection};
use crate::ctx::Ctx;
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
                seen(tx, &ctx, &connection, &found).await?;
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

/// Stores what the channel showed, and heals drift while the connection is live.
pub async fn seen(tx: &mut WriteTx, ctx: &Ctx, connection: &Connection, found: &[ChannelListing]) -> Result<(), Error> {
    if found.is_empty() {
        return Ok(());
    }
    let kept = listings::upsert_seen(tx, ctx, &connection.id, found).await?;
    for refused in &kept.refused {
        store::refuse(tx, ctx, &connection.id, "listing", &refused.external_id, &refused.why).await?;
    }
    if !connection.may_push() {
        return Ok(());
    }
    let told = store::told_of(tx, &ctx.tenant, &connection.id, STOCK).await?;
    let mut drifted = Vec::new();
    for listing in found {
        let Some(id) = kept.ids.get(&listing.external_id) else { continue };
        let Some((version, sent, Some(known))) = told.get(id) else { continue };
        let shown = |place: &String| listing.levels.iter().find(|(at, _)| at.as_deref().unwrap_or_default() == place).map(|(_, q)| (place.clone(), *q));
        let shown = Told(known.0.keys().filter_map(shown).collect());
        // While something is on its way, the difference may only be that.
        if version == sent && shown != *known && shown.0.len() == known.0.len() {
            tracing::info!(connection = %connection.name, listing = %id, told = ?known.0, found = ?shown.0, "the channel shows another quantity than it was told");
            store::told_is(tx, ctx, id, STOCK, Some(&shown)).await?;
            drifted.push(id.clone());
        }
    }
    if drifted.is_empty() {
        return Ok(());
    }
    let due: Vec<_> = drifted.iter().map(|id| (id, &connection.id)).collect();
    store::want(tx, ctx, STOCK, &due).await?;
    lanes::make_due(tx, ctx, &push_lane(&connection.id), ctx.now_ms()).await?;
    Ok(())
}
