//! Prices: computed from the price lists of the day, published only where they leave the band or no longer pay their costs.

use std::collections::{BTreeMap, BTreeSet};

use super::field::{Field, Readings, Want, key, reference, reference_of};
use super::{Change, Prices, Shows};
use crate::connections::Connection;
use crate::ctx::Ctx;
use crate::id::{ListingId, VariantId};
use crate::lanes::{self, Claim};
use crate::listings::{self, Link, Listing};
use crate::money::{Currency, Money};
use crate::plugins::CallError;
use crate::plugins::wire::{self, Fault, commerce, prices_out};
use crate::pricing::{self, Quoted};
use crate::store::Sql;
use crate::sync::store::Desired;
use crate::sync::{Error, Session, Sync, fanout, health};

/// How often it is looked whether a new day or newer rates ask for other prices.
pub const LOOK_MS: i64 = 3_600_000;

pub async fn wants(conn: &mut impl Sql, ctx: &Ctx, connection: &Connection, due: &[Desired]) -> Result<BTreeMap<ListingId, Want>, Error> {
    let ids: Vec<ListingId> = due.iter().map(|desired| desired.listing.clone()).collect();
    let listings = listings::find_many(conn, &ctx.tenant, &ids).await?;
    let shown = due.iter().filter_map(|desired| Some((desired.listing.clone(), desired.told.as_ref()?.prices()?.clone()))).collect();
    wants_of(conn, ctx, connection, listings, &shown).await
}

/// What these listings should cost in every price list, given what they show now.
pub async fn wants_of(
    conn: &mut impl Sql,
    ctx: &Ctx,
    connection: &Connection,
    listings: Vec<Listing>,
    shown: &BTreeMap<ListingId, Prices>,
) -> Result<BTreeMap<ListingId, Want>, Error> {
    let variants: Vec<VariantId> = listings.iter().filter_map(|listing| listing.variant.clone()).collect();
    let mut quoted = Vec::new();
    for (list, asked) in pricing::of_lists(conn, ctx, connection).await? {
        quoted.push((list, pricing::quote(conn, ctx, &asked, &variants).await?, asked));
    }
    let mut wants = BTreeMap::new();
    for listing in listings.into_iter().filter(|listing| listing.link == Link::Linked) {
        let Some(variant) = listing.variant.clone() else { continue };
        let (mut value, mut priced_for, mut reasons) = (Prices::default(), BTreeMap::new(), Vec::new());
        for (list, quotes, asked) in &quoted {
            let of = if list.is_empty() { String::new() } else { format!("{list}: ") };
            match quotes.get(&variant) {
                None => {}
                Some(Quoted::Refused { reason }) => reasons.push(format!("{of}{reason}")),
                Some(Quoted::Price { priced, .. }) => {
                    let before = shown.get(&listing.id).and_then(|prices| prices.0.get(list)).copied();
                    let kept = pricing::keeps(before, priced, &asked.policy);
                    let price = before.filter(|_| kept.is_some()).unwrap_or(priced.price);
                    let steps = priced.steps.iter().map(String::as_str).chain(kept).collect::<Vec<_>>().join("; ");
                    reasons.push(format!("{of}{steps}"));
                    value.0.insert(list.clone(), price);
                    priced_for.insert(list.clone(), asked.of(&variant));
                }
            }
        }
        let (id, reason) = (listing.id.clone(), reasons.join(". "));
        match value.0.is_empty() {
            true if reasons.is_empty() => continue,
            true => wants.insert(id, Want::Nothing { listing, reason }),
            false => wants.insert(id, Want::Show { listing, value: Shows::Prices(value), reason, closed: None, priced: priced_for }),
        };
    }
    Ok(wants)
}

/// The price a channel showed when its listing was last read.
pub fn seen(listing: &Listing) -> Option<Money> {
    exact(listing.price.as_ref()?)
}

/// From amount and currency as a channel wrote them.
pub fn exact((amount, currency): &(String, String)) -> Option<Money> {
    Money::parse(amount, Currency::from_code(currency).ok()?).ok()
}

pub(super) fn wire_changes(changes: &[Change]) -> Vec<prices_out::PriceChange> {
    let one = |change: &Change, list: &String, price: &Money| prices_out::PriceChange {
        key: key(change, list),
        listing: reference(change),
        price: wire::Money { amount: price.to_decimal_string(), currency: price.currency().code().to_owned() },
        compare_at: None,
        price_list: Some(list.clone()).filter(|list| !list.is_empty()),
    };
    let each = |change| Change::prices(change).map(move |(list, price)| one(change, list, price));
    changes.iter().flat_map(each).collect()
}

/// Only the lists that a change was about count.
pub(super) async fn read_lists(session: &Session, changes: &[Change], listings: Vec<commerce::ListingRef>) -> Result<Readings, CallError> {
    let lists: BTreeSet<&String> = changes.iter().flat_map(|change| Change::prices(change).map(|(list, _)| list)).collect();
    let shown = shown(session, lists.into_iter().cloned().collect(), listings).await?;
    let of = |change: &Change| {
        let mut found = shown.get(&change.external_id)?.clone();
        found.0.retain(|list, _| Change::prices(change).any(|(known, _)| known == list));
        Some((change.listing.clone(), Some(Shows::Prices(found)).filter(|found| found.prices().is_some_and(|prices| !prices.0.is_empty()))))
    };
    Ok(changes.iter().filter_map(of).collect())
}

/// What the channel shows in these lists, by its id of the listing; a listing that is there and shows no price has none.
async fn shown(session: &Session, lists: Vec<String>, listings: Vec<commerce::ListingRef>) -> Result<BTreeMap<String, Prices>, CallError> {
    let mut shown: BTreeMap<String, Prices> = BTreeMap::new();
    for list in lists {
        let wanted = Some(list.clone()).filter(|list| !list.is_empty());
        let read = match session.caller.prices_read(session.context(1, ""), listings.clone(), wanted).await {
            // A list that the channel has not got keeps nobody from being told its own prices; writing to it will say so.
            Err(CallError::Failed(failure)) if !list.is_empty() && matches!(failure.fault, Fault::Unsupported | Fault::Missing) => {
                Vec::new()
            }
            read => read?,
        };
        for reading in read {
            let prices = shown.entry(reading.listing).or_default();
            if let Some(price) = reading.price.as_ref().and_then(read_price) {
                prices.0.insert(list.clone(), price);
            }
        }
    }
    Ok(shown)
}

impl Change {
    /// By price list.
    fn prices(&self) -> impl Iterator<Item = (&String, &Money)> {
        self.value.prices().into_iter().flat_map(|prices| &prices.0)
    }
}

/// What the channel shows where that is not known: nothing is repeated blindly, and no band is judged from nothing.
pub(super) async fn ask(sync: &Sync, ctx: &Ctx, connection: &Connection, due: &mut [Desired]) -> Result<(), Error> {
    let unknown: Vec<ListingId> = due.iter().filter(|desired| desired.told.is_none()).map(|desired| desired.listing.clone()).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let mut conn = sync.store.read().await?;
    let listings = listings::find_many(&mut conn, &ctx.tenant, &unknown).await?;
    let lists = pricing::of_lists(&mut conn, ctx, connection).await?.into_iter().map(|(list, _)| list).collect();
    drop(conn);
    let session = sync.connectors.session(sync, ctx, connection).await?;
    let shown = shown(&session, lists, listings.iter().map(reference_of).collect()).await;
    let mut shown = health::heard(sync, ctx, connection, shown).await?;
    for listing in listings {
        let prices = shown.remove(&listing.external_id).filter(|prices| !prices.0.is_empty());
        if let Some(desired) = due.iter_mut().find(|desired| desired.listing == listing.id) {
            desired.told = prices.map(Shows::Prices);
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
