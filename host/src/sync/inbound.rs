//! Recorded deliveries of one thing, translated and taken in, in the order in which they arrived.

use std::collections::BTreeSet;

use futures::future::BoxFuture;

use super::drift::Picture;
use super::error::ending;
use super::intake::{self, Arrived};
use super::{Error, Session, Sync, convert, listings, on_behalf, privacy, store};
use crate::clock::to_rfc3339;
use crate::connections::{self, Connection, Health};
use crate::ctx::Ctx;
use crate::id::DeliveryId;
use crate::inbox::{self, Ending, Recorded};
use crate::lanes::{self, Claim, Handler, HandlerError, Outcome};
use crate::listings::ChannelListing;
use crate::orders::Ingested;
use crate::plugins::CallError;
use crate::plugins::wire::{Fault, orders_in, webhooks};

pub struct Inbound(pub Sync);

impl Handler for Inbound {
    fn run<'a>(&'a self, ctx: &'a Ctx, claim: &'a Claim) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move { run(&self.0, ctx, claim).await.map_err(|error| ending(error, ctx.now_ms())) })
    }
}

/// What one run of the lane has learnt, before it is stored.
#[derive(Default)]
struct Work {
    orders: Vec<Arrived>,
    /// Orders to be read from the channel.
    fetch: BTreeSet<String>,
    /// Carried by webhooks.
    listings: Vec<ChannelListing>,
    /// Read just now.
    read_listings: Vec<ChannelListing>,
    levels: Vec<(String, Vec<(Option<String>, i64)>)>,
    refetch_listings: BTreeSet<String>,
    endings: Vec<(DeliveryId, Ending)>,
    refusals: Vec<(String, String)>,
    revoked: Option<String>,
    read_since_ms: i64,
    /// More deliveries wait than one run takes.
    more: bool,
}

async fn run(sync: &Sync, ctx: &Ctx, claim: &Claim) -> Result<(), Error> {
    let Some(id) = claim.connection() else { return Ok(()) };
    let ctx = &on_behalf(ctx, id);
    let mut conn = sync.store.read().await?;
    let Some(connection) = connections::find(&mut conn, &ctx.tenant, id).await? else { return Ok(()) };
    if !connection.may_read() {
        return Ok(());
    }
    let waiting = inbox::waiting(&mut conn, ctx, &sync.vault, claim.key()).await?;
    drop(conn);
    if waiting.is_empty() {
        return Ok(());
    }
    let more = waiting.len() >= inbox::AT_ONCE;
    let session = sync.connectors.session(sync, ctx, &connection).await?;
    let mut work = Work::default();
    for delivery in waiting {
        let rules = session.manifest().webhooks.as_ref().map(|webhooks| webhooks.privacy.as_slice());
        match rules.unwrap_or_default().iter().find(|rule| rule.topic == delivery.topic) {
            Some(rule) => {
                let ending = privacy::obey(sync, ctx, claim, &connection, rule, &delivery).await?;
                work.endings.push((delivery.id, ending));
            }
            None => translate(&session, &mut work, delivery).await?,
        }
    }
    // What a later delivery carries whole need not be read for an earlier hint; what is read is newer than both.
    work.orders.retain(|arrived| !work.fetch.contains(&arrived.order.external_id));
    read_orders(&session, &mut work).await?;
    work.read_since_ms = ctx.now_ms();
    work.more = more;
    if !work.refetch_listings.is_empty() {
        let ids = work.refetch_listings.iter().cloned().collect();
        work.read_listings = listings::read(&session, ids).await?;
    }
    // A tie can only be decided by reading, so this goes round at most twice.
    loop {
        resolve_all(sync, ctx, &connection, &mut work).await?;
        let ties = commit(sync, ctx, claim, &connection, &mut work).await?;
        if ties.is_empty() {
            return Ok(());
        }
        work.fetch = ties;
        read_orders(&session, &mut work).await?;
    }
}

async fn translate(session: &Session, work: &mut Work, delivery: Recorded) -> Result<(), Error> {
    let Ok(body) = String::from_utf8(delivery.body) else {
        work.endings.push((delivery.id, Ending::Refused("the body is not UTF-8".into())));
        return Ok(());
    };
    let said = webhooks::Delivery { topic: delivery.topic, headers: delivery.headers, body, received_at: to_rfc3339(delivery.received_at) };
    let events = match session.caller.webhooks_translate(session.context(1, ""), said).await {
        Ok(events) => events,
        Err(CallError::Failed(failure)) if !matches!(failure.fault, Fault::Remote | Fault::Network | Fault::Throttled) => {
            work.endings.push((delivery.id, Ending::Refused(failure.message)));
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let mut ending = Ending::Done;
    for event in events {
        if let Some(other) = take_event(work, event) {
            ending = other;
        }
    }
    work.endings.push((delivery.id, ending));
    Ok(())
}

/// Returns how the delivery ends if that is not simply done.
fn take_event(work: &mut Work, event: webhooks::Event) -> Option<Ending> {
    match event {
        webhooks::Event::Order(order) => {
            let external_id = order.external_id.clone();
            match convert::order(order) {
                Ok(order) => work.orders.push(Arrived { order, found: Default::default(), authoritative: false }),
                Err(refusal) => {
                    work.refusals.push((external_id, refusal.to_string()));
                    return Some(Ending::Refused(refusal.to_string()));
                }
            }
        }
        webhooks::Event::OrderChanged(hint) => drop(work.fetch.insert(hint.external_id)),
        webhooks::Event::OrderRemoved(external_id) => drop(work.fetch.insert(external_id)),
        webhooks::Event::Listing(listing) => match convert::listing(listing) {
            Ok(listing) => work.listings.push(listing),
            Err(refusal) => return Some(Ending::Refused(refusal.to_string())),
        },
        webhooks::Event::ListingChanged(external_id) => drop(work.refetch_listings.insert(external_id)),
        webhooks::Event::ListingRemoved(external_id) => {
            return Some(Ending::Ignored(format!("listing {external_id} is gone at the channel; the next import shows it")));
        }
        webhooks::Event::Levels(said) => {
            let levels = said.levels.into_iter().map(|level| (level.location, i64::from(level.quantity))).collect();
            work.levels.push((said.listing, levels));
        }
        webhooks::Event::ReturnRequest(_) => return Some(Ending::Ignored("returns are not handled yet".into())),
        webhooks::Event::AccessRevoked(why) => work.revoked = Some(why),
        webhooks::Event::Ignored(why) => return Some(Ending::Ignored(why)),
    }
    None
}

/// Reads the orders the work only has hints of.
async fn read_orders(session: &Session, work: &mut Work) -> Result<(), Error> {
    let ids: Vec<String> = std::mem::take(&mut work.fetch).into_iter().collect();
    if ids.is_empty() {
        return Ok(());
    }
    work.orders.retain(|arrived| !ids.contains(&arrived.order.external_id));
    for (external_id, found) in session.caller.orders_get(session.context(1, ""), ids).await? {
        match found {
            orders_in::Found::Order(order) => match convert::order(order) {
                Ok(order) => work.orders.push(Arrived { order, found: Default::default(), authoritative: true }),
                Err(refusal) => work.refusals.push((external_id, refusal.to_string())),
            },
            // Gone at the channel proves nothing about the sale: it is shown, not cancelled.
            orders_in::Found::Absent => work.refusals.push((external_id, "the channel no longer shows this order".into())),
            orders_in::Found::Refused(failure) => work.refusals.push((external_id, failure.message)),
        }
    }
    Ok(())
}

async fn resolve_all(sync: &Sync, ctx: &Ctx, connection: &Connection, work: &mut Work) -> Result<(), Error> {
    let mut conn = sync.store.read().await?;
    for arrived in &mut work.orders {
        arrived.found = intake::resolve(&mut conn, ctx, connection, &arrived.order).await?;
    }
    Ok(())
}

/// Stores everything and ends the lane; or returns the orders that must be read first.
async fn commit(sync: &Sync, ctx: &Ctx, claim: &Claim, connection: &Connection, work: &mut Work) -> Result<BTreeSet<String>, Error> {
    let orders = std::mem::take(&mut work.orders);
    let (carried, read, levels) =
        (std::mem::take(&mut work.listings), std::mem::take(&mut work.read_listings), std::mem::take(&mut work.levels));
    let (refusals, revoked) = (std::mem::take(&mut work.refusals), work.revoked.take());
    let (since_ms, more) = (work.read_since_ms, work.more);
    let endings = work.endings.clone();
    let (sync, ctx, claim, connection) = (sync.clone(), ctx.clone(), claim.clone(), connection.clone());
    let store = sync.store.clone();
    store
        .write(move |tx| {
            Box::pin(async move {
                lanes::fence(tx, &claim).await?;
                let taken = intake::take(tx, &ctx, &sync, &connection, &orders).await?;
                let tied = orders.iter().zip(&taken).filter(|(_, ingested)| matches!(ingested, Ingested::Tie(_)));
                let ties: BTreeSet<String> = tied.map(|(arrived, _)| arrived.order.external_id.clone()).collect();
                for (external_id, why) in &refusals {
                    store::refuse(tx, &ctx, &connection.id, "order", external_id, why).await?;
                }
                listings::seen(tx, &ctx, &connection, &carried, Picture::Carried).await?;
                listings::seen(tx, &ctx, &connection, &read, Picture::Read { since_ms }).await?;
                for (name, levels) in &levels {
                    listings::levels_told(tx, &ctx, &connection, name, levels).await?;
                }
                if let Some(why) = revoked {
                    connections::record_health(tx, &ctx, &connection.id, Health::Refused, Some(&why)).await?;
                }
                if ties.is_empty() {
                    for (delivery, ending) in &endings {
                        inbox::end(tx, &ctx, delivery, ending).await?;
                    }
                    let outcome = if more { Outcome::Again { at_ms: ctx.now_ms() } } else { Outcome::Done };
                    lanes::finish(tx, &ctx, &claim, outcome).await?;
                }
                Ok::<_, Error>(ties)
            })
        })
        .await
}
