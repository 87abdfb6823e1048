//! Listings: what our connections offer, and which variant of ours each offer is.
//!
//! A listing is what the channel says ([`ChannelListing`], stored by [`upsert_seen`]) and what we decided about it: its
//! link to a variant and how much of our stock it may show. Reading the channel again never touches our decisions, and a
//! listing that is not seen any more is never deleted: absence proves nothing.
//!
//! Links: *unmatched* and *ambiguous* listings are parked with a reason, *ignored* ones are parked by a person. Matching
//! ([`propose_links`]) is a dry run; [`apply_links`] takes what it proposed and never touches a link made by hand.
//!
//! Several listings of one connection may lead to one variant; each then shows its own part. Quantities are whole pieces;
//! shares are in 1/10000 and round down. What a whole connection may show of a variant is its allotment. Callers make the outbound lanes of changed listings due in the same transaction.

mod allotment;
mod create;
mod error;
mod linking;
mod matching;
mod model;
mod store;

use std::collections::BTreeMap;

pub use allotment::{Allotment, Allotments, Allotted, allotments, list_allotments, set_allotment};
pub use create::{Missing, create_missing};
pub use error::Error;
pub use linking::{Applied, LinkProposal, apply_links, link_matching, propose_links, shared_variants};
pub use matching::{Candidate, Verdict};
pub use model::{
    Brief, ChannelListing, Details, Filter, Link, Listing, Publication, Refused, Seen, SeenLevel, Status, Tracking, published,
};

use crate::catalog;
use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, ListingId, VariantId};
use crate::page::{Page, PageRequest};
use crate::store::{Sql, WriteTx};

/// Stores what the channel showed. New listings begin unmatched. A record that cannot be kept is refused alone. One that is shown
/// unchanged is stored again only if it was seen longer ago than `unchanged_ms`.
pub async fn upsert_seen(
    tx: &mut WriteTx,
    ctx: &Ctx,
    connection: &ConnectionId,
    seen: &[ChannelListing],
    unchanged_ms: i64,
) -> Result<Seen, Error> {
    // One statement cannot touch a row twice: the last record of an id wins, as a later page would.
    let mut wanted: BTreeMap<&str, &ChannelListing> = BTreeMap::new();
    let mut outcome = Seen::default();
    for listing in seen {
        match listing.problem() {
            Some(why) => outcome.refused.push(Refused { external_id: listing.external_id.chars().take(80).collect(), why: why.to_owned() }),
            None => drop(wanted.insert(&listing.external_id, listing)),
        }
    }
    let wanted: Vec<&ChannelListing> = wanted.into_values().collect();
    for chunk in wanted.chunks(store::UPSERT_ROWS) {
        let known = store::known(tx, ctx, connection, chunk).await?;
        let mut changed = Vec::new();
        for listing in chunk {
            let digest = listing.digest();
            match known.get(&listing.external_id) {
                Some(known) if known.digest == digest && known.seen_at > ctx.now_ms() - unchanged_ms => {
                    outcome.ids.insert(listing.external_id.clone(), known.id.clone());
                }
                _ => changed.push((*listing, digest)),
            }
        }
        if changed.is_empty() {
            continue;
        }
        let stored = store::upsert(tx, ctx, connection, &changed).await?;
        store::replace_levels(tx, ctx, &changed, &stored.ids).await?;
        outcome.created.extend(stored.created);
        outcome.stored.extend(stored.ids.values().cloned());
        outcome.ids.extend(stored.ids);
    }
    Ok(outcome)
}

pub async fn find(conn: &mut impl Sql, tenant: &Tenant, id: &ListingId) -> Result<Option<Listing>, Error> {
    Ok(store::find_many(conn, tenant, std::slice::from_ref(id)).await?.pop())
}

pub async fn get(conn: &mut impl Sql, tenant: &Tenant, id: &ListingId) -> Result<Listing, Error> {
    find(conn, tenant, id).await?.ok_or_else(|| Error::Unknown { id: id.clone() })
}

/// In the order of their ids; the ones that are not known are missing.
pub async fn find_many(conn: &mut impl Sql, tenant: &Tenant, ids: &[ListingId]) -> Result<Vec<Listing>, Error> {
    store::find_many(conn, tenant, ids).await
}

/// Those of a connection that are linked to nothing and ignored by nobody.
pub async fn parked(conn: &mut impl Sql, tenant: &Tenant, connection: &ConnectionId) -> Result<Vec<ListingId>, Error> {
    let filter = Filter { connection: Some(connection.clone()), link: Some(Link::Unmatched), variant: None };
    let (mut found, mut request) = (Vec::new(), PageRequest::first(crate::page::MAX_LIMIT));
    loop {
        let page = store::list(conn, tenant, &filter, &request).await?;
        found.extend(page.items.into_iter().map(|listing| listing.id));
        match page.next_cursor {
            Some(cursor) => request.cursor = Some(cursor),
            None => return Ok(found),
        }
    }
}

/// By the channel's ids; the ones that are not known are missing.
pub async fn find_external(
    conn: &mut impl Sql,
    tenant: &Tenant,
    connection: &ConnectionId,
    external_ids: &[&str],
) -> Result<BTreeMap<String, Listing>, Error> {
    store::find_external(conn, tenant, connection, external_ids).await
}

/// [`find_external`], in brief.
pub async fn brief_external(
    conn: &mut impl Sql,
    tenant: &Tenant,
    connection: &ConnectionId,
    external_ids: &[&str],
) -> Result<BTreeMap<String, Brief>, Error> {
    store::brief_external(conn, tenant, connection, external_ids).await
}

/// [`listings_of_variants`], in brief.
pub async fn brief_of_variants(conn: &mut impl Sql, tenant: &Tenant, variants: &[VariantId]) -> Result<Vec<Brief>, Error> {
    store::brief_of_variants(conn, tenant, variants).await
}

/// Every listing, of any connection, linked to one of these variants: where a change of their stock must be shown.
pub async fn listings_of_variants(conn: &mut impl Sql, tenant: &Tenant, variants: &[VariantId]) -> Result<Vec<Listing>, Error> {
    store::of_variants(conn, tenant, variants).await
}

/// Oldest first.
pub async fn list(conn: &mut impl Sql, tenant: &Tenant, filter: &Filter, request: &PageRequest) -> Result<Page<Listing>, Error> {
    store::list(conn, tenant, filter, request).await
}

/// How many listings of a connection are in which state of linking.
pub async fn count_links(conn: &mut impl Sql, tenant: &Tenant, connection: &ConnectionId) -> Result<BTreeMap<Link, i64>, Error> {
    store::count_links(conn, tenant, connection).await
}

/// What the channel held at each of its locations when it was last read.
pub async fn levels(conn: &mut impl Sql, tenant: &Tenant, ids: &[ListingId]) -> Result<BTreeMap<ListingId, Vec<SeenLevel>>, Error> {
    store::levels(conn, tenant, ids).await
}

/// Links by hand. Also takes back [`ignore`].
pub async fn link(tx: &mut WriteTx, ctx: &Ctx, id: &ListingId, variant: &VariantId) -> Result<Listing, Error> {
    if catalog::find(tx, &ctx.tenant, variant).await?.is_none() {
        return Err(Error::UnknownVariant { variant: variant.clone() });
    }
    set_link(tx, ctx, id, Some(variant), Link::Linked, Some(&format!("by {}", ctx.actor))).await
}

/// Parks the listing again; matching may propose it anew.
pub async fn unlink(tx: &mut WriteTx, ctx: &Ctx, id: &ListingId) -> Result<Listing, Error> {
    set_link(tx, ctx, id, None, Link::Unmatched, Some(&format!("unlinked by {}", ctx.actor))).await
}

/// Parks the listing for good: it is never proposed and never pushed to.
pub async fn ignore(tx: &mut WriteTx, ctx: &Ctx, id: &ListingId, reason: &str) -> Result<Listing, Error> {
    set_link(tx, ctx, id, None, Link::Ignored, Some(reason)).await
}

async fn set_link(
    tx: &mut WriteTx,
    ctx: &Ctx,
    id: &ListingId,
    variant: Option<&VariantId>,
    link: Link,
    reason: Option<&str>,
) -> Result<Listing, Error> {
    let mut listing = get(tx, &ctx.tenant, id).await?;
    store::set_link(tx, ctx, id, variant, link, reason).await?;
    (listing.variant, listing.link, listing.link_reason) = (variant.cloned(), link, reason.map(str::to_owned));
    Ok(listing)
}

/// How much of our stock this listing may show. Returns whether that is a change.
pub async fn set_publication(tx: &mut WriteTx, ctx: &Ctx, id: &ListingId, publication: &Publication) -> Result<bool, Error> {
    publication.check()?;
    let before = get(tx, &ctx.tenant, id).await?.publication;
    if before == *publication {
        return Ok(false);
    }
    store::set_publication(tx, ctx, id, publication).await?;
    Ok(true)
}

/// When a connection is removed: its listings go, orders keep what they sold.
pub async fn forget_connection(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId) -> Result<u64, Error> {
    store::allotment::remove_of(tx, ctx, connection).await?;
    store::delete_of(tx, ctx, connection).await
}

#[cfg(test)]
mod tests;
