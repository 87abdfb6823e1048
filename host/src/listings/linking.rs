//! Matching parked listings with variants: first as a proposal, then applied.

use std::collections::BTreeMap;

use super::error::Error;
use super::matching::{Candidate, Found, Verdict, judge};
use super::model::{Filter, Link, Listing};
use super::store;
use crate::catalog::{self, Sku};
use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, ListingId, VariantId};
use crate::page::{Cursor, Page, PageRequest};
use crate::store::{Sql, WriteTx};

/// What matching would do with one parked listing.
#[derive(Clone, Debug, serde::Serialize)]
pub struct LinkProposal {
    pub listing: ListingId,
    pub external_id: String,
    pub sku: Option<String>,
    pub title: String,
    pub candidates: Vec<Candidate>,
    pub verdict: Verdict,
    pub why: String,
    /// Other listings of the connection, by the channel's id, that are or would be the same variant. That is allowed, and
    /// worth a look: each of them shows the same goods.
    pub shares_with: Vec<String>,
}

/// What [`apply_links`] did.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    pub linked: Vec<(ListingId, VariantId)>,
    pub parked: u64,
    /// No longer parked when it came to them.
    pub skipped: u64,
}

/// A dry run over the parked listings of a connection, oldest first.
pub async fn propose_links(
    conn: &mut impl Sql,
    tenant: &Tenant,
    connection: &ConnectionId,
    request: &PageRequest,
) -> Result<Page<LinkProposal>, Error> {
    let after = request.after("link-proposals", 1)?.unwrap_or_else(|| vec![String::new()]);
    let filter = Filter { connection: Some(connection.clone()), ..Filter::default() };
    let parked = store::select_after(conn, tenant, &filter, &[Link::Unmatched, Link::Ambiguous], &after[0], request.limit() + 1).await?;
    let page = Page::cut(parked, request.limit(), |last| Cursor::new("link-proposals", &[last.id.as_str()]));
    Ok(Page { items: propose(conn, tenant, &page.items).await?, next_cursor: page.next_cursor })
}

/// Links what was proposed and parks the rest with its reason. Listings that are not parked any more stay as they are.
pub async fn apply_links(tx: &mut WriteTx, ctx: &Ctx, proposals: &[LinkProposal]) -> Result<Applied, Error> {
    let mut applied = Applied::default();
    for proposal in proposals {
        let (variant, link) = match &proposal.verdict {
            Verdict::Link(variant) => (Some(variant), Link::Linked),
            Verdict::Ambiguous => (None, Link::Ambiguous),
            Verdict::NoMatch => (None, Link::Unmatched),
        };
        match (store::settle_parked(tx, ctx, &proposal.listing, variant, link, &proposal.why).await?, variant) {
            (false, _) => applied.skipped += 1,
            (true, None) => applied.parked += 1,
            (true, Some(variant)) => applied.linked.push((proposal.listing.clone(), variant.clone())),
        }
    }
    Ok(applied)
}

/// Proposes and applies one page in one unit of work; returns where the next one begins.
pub async fn link_matching(
    tx: &mut WriteTx,
    ctx: &Ctx,
    connection: &ConnectionId,
    request: &PageRequest,
) -> Result<(Applied, Option<String>), Error> {
    let page = propose_links(tx, &ctx.tenant, connection, request).await?;
    Ok((apply_links(tx, ctx, &page.items).await?, page.next_cursor))
}

/// Variants that several listings of one connection show, with the channel's ids of those.
pub async fn shared_variants(
    conn: &mut impl Sql,
    tenant: &Tenant,
    connection: &ConnectionId,
) -> Result<BTreeMap<VariantId, Vec<String>>, Error> {
    store::shared_variants(conn, tenant, connection).await
}

pub(super) async fn propose(conn: &mut impl Sql, tenant: &Tenant, listings: &[Listing]) -> Result<Vec<LinkProposal>, Error> {
    let gtins: Vec<&str> = listings.iter().filter_map(|listing| listing.gtin.as_deref()).collect();
    let skus: Vec<&str> = listings.iter().filter_map(|listing| listing.sku.as_deref()).map(str::trim).collect();
    let keys: Vec<String> = skus.iter().map(|sku| Sku::key_of(sku)).filter(|key| !key.is_empty()).collect();
    let by_gtin = catalog::find_by_gtins(conn, tenant, &gtins).await?;
    let by_sku = catalog::find_by_skus(conn, tenant, &skus).await?;
    let by_key = catalog::find_by_sku_keys(conn, tenant, &keys.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    let mut proposals: Vec<LinkProposal> = listings
        .iter()
        .map(|listing| {
            let sku = listing.sku.as_deref().map(str::trim);
            let found = Found {
                by_gtin: listing.gtin.as_ref().and_then(|gtin| by_gtin.get(gtin)).map_or(&[], Vec::as_slice),
                by_sku: sku.and_then(|sku| by_sku.get(sku)),
                by_sku_key: sku.and_then(|sku| by_key.get(&Sku::key_of(sku))).map_or(&[], Vec::as_slice),
            };
            let judgement = judge(listing, found);
            LinkProposal {
                listing: listing.id.clone(),
                external_id: listing.external_id.clone(),
                sku: listing.sku.clone(),
                title: listing.title.clone(),
                candidates: judgement.candidates,
                verdict: judgement.verdict,
                why: judgement.why,
                shares_with: Vec::new(),
            }
        })
        .collect();
    note_sharing(conn, tenant, listings, &mut proposals).await?;
    Ok(proposals)
}

async fn note_sharing(conn: &mut impl Sql, tenant: &Tenant, listings: &[Listing], proposals: &mut [LinkProposal]) -> Result<(), Error> {
    let Some(connection) = listings.first().map(|listing| listing.connection.clone()) else { return Ok(()) };
    let target = |proposal: &LinkProposal| match &proposal.verdict {
        Verdict::Link(variant) => Some(variant.clone()),
        _ => None,
    };
    let mut variants: Vec<VariantId> = proposals.iter().filter_map(target).collect();
    variants.sort_unstable();
    variants.dedup();
    let mut showing: BTreeMap<VariantId, Vec<String>> = BTreeMap::new();
    for listing in store::of_variants(conn, tenant, &variants).await?.into_iter().filter(|listing| listing.connection == connection) {
        if let Some(variant) = listing.variant {
            showing.entry(variant).or_default().push(listing.external_id);
        }
    }
    for proposal in proposals.iter() {
        if let Some(variant) = target(proposal) {
            showing.entry(variant).or_default().push(proposal.external_id.clone());
        }
    }
    for proposal in proposals {
        let all = target(proposal).and_then(|variant| showing.get(&variant));
        proposal.shares_with = all.into_iter().flatten().filter(|external| **external != proposal.external_id).cloned().collect();
    }
    Ok(())
}
