//! Products and variants out of listings that nothing in the catalogue matches, when a person asks for it.

use std::collections::BTreeMap;

use super::error::Error;
use super::linking::propose;
use super::matching::Verdict;
use super::model::{Link, Listing};
use super::store;
use crate::catalog::{self, Country, Facts, Gtin, HsCode, Sku};
use crate::ctx::Ctx;
use crate::id::{ConnectionId, ListingId, ProductId, VariantId};
use crate::store::WriteTx;

/// What [`create_missing`] did.
#[derive(Clone, Debug, Default)]
pub struct Missing {
    /// Listings that are linked now; their variants are new.
    pub created: Vec<(ListingId, VariantId)>,
    pub products: Vec<ProductId>,
    pub refused: Vec<(ListingId, String)>,
}

/// Makes a variant of each of these listings, and a product of each parent they share, and links them. Siblings join the
/// product that a linked sibling already belongs to. What the channel says about weight, customs code, origin and GTIN is
/// taken over where it is valid. One that matches a variant, or has no usable SKU, is refused with the reason.
pub async fn create_missing(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, ids: &[ListingId]) -> Result<Missing, Error> {
    let mut outcome = Missing::default();
    let listings: Vec<Listing> =
        store::find_many(tx, &ctx.tenant, ids).await?.into_iter().filter(|l| l.connection == *connection).collect();
    let proposals = propose(tx, &ctx.tenant, &listings).await?;
    let mut families: BTreeMap<String, Vec<(&Listing, Facts)>> = BTreeMap::new();
    for (listing, proposal) in listings.iter().zip(&proposals) {
        match usable(listing, &proposal.verdict, &proposal.why) {
            Err(why) => outcome.refused.push((listing.id.clone(), why)),
            Ok(facts) => {
                // Without a parent a listing is a family of its own; no parent's id begins with a NUL.
                let family = listing.parent.clone().unwrap_or_else(|| format!("\0{}", listing.external_id));
                families.entry(family).or_default().push((listing, facts));
            }
        }
    }
    let parents: Vec<&str> = families.keys().map(String::as_str).filter(|family| !family.starts_with('\0')).collect();
    let siblings = store::linked_sibling(tx, &ctx.tenant, connection, &parents).await?;
    let known = catalog::find_many(tx, &ctx.tenant, &siblings.values().cloned().collect::<Vec<_>>()).await?;
    let mut made: BTreeMap<String, (Sku, VariantId)> = BTreeMap::new();
    for (family, members) in families {
        let mut product = siblings.get(&family).and_then(|variant| known.get(variant)).map(|variant| variant.product.clone());
        let title = family_title(&members.iter().map(|(listing, _)| *listing).collect::<Vec<_>>());
        for (listing, facts) in members {
            let variant = match made.get(&facts.sku.key()) {
                Some((sku, variant)) if *sku == facts.sku => variant.clone(),
                Some((sku, _)) => {
                    outcome
                        .refused
                        .push((listing.id.clone(), format!("SKU `{}` is `{sku}` of another listing but for case and blanks", facts.sku)));
                    continue;
                }
                None => {
                    let product = match &product {
                        Some(product) => product.clone(),
                        None => {
                            let new = catalog::create_product(tx, ctx, &title).await?.id;
                            outcome.products.push(new.clone());
                            product.insert(new).clone()
                        }
                    };
                    let sku = facts.sku.clone();
                    let variant = catalog::create_variant(tx, ctx, &product, facts).await?.id;
                    made.insert(sku.key(), (sku, variant.clone()));
                    variant
                }
            };
            store::set_link(tx, ctx, &listing.id, Some(&variant), Link::Linked, Some("made from this listing")).await?;
            outcome.created.push((listing.id.clone(), variant));
        }
    }
    Ok(outcome)
}

fn usable(listing: &Listing, verdict: &Verdict, why: &str) -> Result<Facts, String> {
    match (listing.link, verdict) {
        (Link::Linked, _) => return Err("it is linked already".into()),
        (Link::Ignored, _) => return Err("it is ignored; hint: unlink it first to take that back".into()),
        (_, Verdict::Link(_) | Verdict::Ambiguous) => {
            return Err(format!("the catalogue has a variant for it: {why}; hint: link it instead"));
        }
        (_, Verdict::NoMatch) => {}
    }
    let Some(sku) = &listing.sku else {
        return Err("it has no SKU; hint: give it one in the shop and read the listings again, or link it by hand".into());
    };
    let sku = Sku::parse(sku).map_err(|problem| problem.to_string())?;
    let details = &listing.details;
    let values: Vec<String> = details.options.iter().map(|(_, value)| one_line(value)).filter(|value| !value.is_empty()).collect();
    Ok(Facts {
        gtin: listing.gtin.as_deref().and_then(|text| Gtin::parse(text).ok()),
        title: values.join(" / ").chars().take(500).collect(),
        weight_g: details.weight_g.map(i64::from).filter(|grams| (1..=1_000_000_000).contains(grams)),
        hs_code: details.hs_code.as_deref().and_then(|text| HsCode::parse(text).ok()),
        origin: details.origin.as_deref().and_then(|text| Country::parse(text).ok()),
        ..Facts::of(sku)
    })
}

fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// What the titles of siblings have in common, without their options; never empty.
fn family_title(members: &[&Listing]) -> String {
    let mut bases = members.iter().map(|listing| without_options(listing));
    let first = bases.next().unwrap_or_default();
    let common = bases.fold(first.clone(), |common, next| {
        let same = common.chars().zip(next.chars()).take_while(|(a, b)| a == b).count();
        common.chars().take(same).collect()
    });
    let common = trimmed(&common);
    let title = if common.chars().count() >= 3 { common } else { trimmed(&first) };
    let title: String = title.chars().take(500).collect();
    match (title.is_empty(), members.first()) {
        (true, Some(listing)) => {
            format!("Listing {}", listing.external_id.chars().filter(|c| !c.is_control()).take(80).collect::<String>())
        }
        _ => title,
    }
}

fn without_options(listing: &Listing) -> String {
    let mut title = one_line(&listing.title);
    for (_, value) in listing.details.options.iter().rev() {
        match title.strip_suffix(&one_line(value)).map(trimmed) {
            Some(rest) if !rest.is_empty() && !value.trim().is_empty() => title = rest,
            _ => {}
        }
    }
    title
}

fn trimmed(text: &str) -> String {
    text.trim_end_matches(|c: char| c.is_whitespace() || "-–—/|,;:(".contains(c)).trim_start().to_owned()
}
