//! Bringing an order's reservations to what its lines ask for.

use std::collections::{BTreeMap, BTreeSet};

use super::allocate::{Allocation, Place, Serving, Split};
use super::desk::Desk;
use super::model::{Change, Level};
use super::store::{self, Held};
use super::{Error, distance};
use crate::ctx::Ctx;
use crate::id::{ConnectionId, LocationId, OrderId, VariantId};
use crate::locations;
use crate::store::WriteTx;

/// What one line of an order should come to, in one variant that is counted: a line that sold a kit has a target per
/// component. All counts are totals, not differences.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// The line's key inside the order.
    pub line: String,
    pub variant: VariantId,
    /// Units to keep promised.
    pub open: i64,
    /// Units that have left, ever. `None`: what was booked stays, and nothing more is.
    pub shipped: Option<i64>,
    /// Shipped units that are back on the shelf.
    pub returned: i64,
}

/// Whose reservations are settled.
#[derive(Clone, Copy, Debug)]
pub struct Sale<'a> {
    pub order: &'a OrderId,
    /// The order's own; grows with every stored change and keeps the ledger's keys apart.
    pub revision: i64,
    /// Whose rules say which place serves it.
    pub connection: Option<&'a ConnectionId>,
    /// Where it goes.
    pub country: Option<&'a str>,
    /// Let go of everything promised and serve it again.
    pub again: Option<&'a Again>,
    /// Settle these variants only; the others' shelves are not locked, and what the order holds of them stays.
    pub only: Option<&'a BTreeSet<VariantId>>,
}

/// How an order is served again by hand: from several places if need be.
#[derive(Clone, Debug, Default)]
pub struct Again {
    /// Asked before the others.
    pub first: Option<LocationId>,
}

/// Units that could not be promised, by line and variant; only those that lack some.
pub type Short = BTreeMap<(String, VariantId), i64>;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    pub short: Short,
    pub change: Change,
}

/// Books the difference between what the order holds and `targets`. A line without a target gives back everything.
pub async fn settle(tx: &mut WriteTx, ctx: &Ctx, sale: Sale<'_>, targets: &[Target]) -> Result<Settled, Error> {
    let held = store::held(tx, ctx, sale.order).await?;
    let meant = |variant: &VariantId| sale.only.is_none_or(|only| only.contains(variant));
    let targets: Vec<Target> = targets.iter().filter(|target| meant(&target.variant)).cloned().collect();
    let (held, others): (Vec<Held>, Vec<Held>) = held.into_iter().partition(|held| meant(&held.variant));
    let asked: Option<Vec<VariantId>> = sale.only.map(|only| only.iter().cloned().collect());
    if targets.is_empty() && held.is_empty() {
        store::rules::put_shortage(tx, ctx, sale.order, sale.revision > 1, asked.as_deref(), &Short::new()).await?;
        return Ok(Settled::default());
    }
    let variants: BTreeSet<VariantId> = targets.iter().map(|t| t.variant.clone()).chain(held.iter().map(|h| h.variant.clone())).collect();
    let places = places(tx, ctx).await?;
    let serving = serving(tx, ctx, sale, &places).await?;
    let levels = lock_at(tx, ctx, &places, &variants).await?;
    let first = sale.again.and_then(|again| again.first.as_ref());
    let place = |place: &store::KnownPlace| Place {
        id: place.id.clone(),
        priority: if first == Some(&place.id) { i64::MIN } else { place.priority },
        distance: match serving.allocation {
            Allocation::Nearest => distance::between(place.country.as_deref(), sale.country, ctx.now_ms()),
            Allocation::Priority | Allocation::MostStock => distance::SAME,
        },
    };
    let mut desk = Desk {
        order: sale.order.to_string(),
        revision: sale.revision,
        places: places.iter().map(place).collect(),
        serving,
        anew: sale.again.is_some(),
        levels,
        held: held.into_iter().map(|h| ((h.line.clone(), h.variant.clone(), h.location.clone()), h)).collect(),
        used: others.iter().filter(|held| held.quantity > 0 || held.gone() > 0).map(|held| held.location.clone()).collect(),
        movements: Vec::new(),
        touched: BTreeSet::new(),
    };
    let short = desk.settle(&targets);
    store::book(tx, ctx, &desk.movements).await?;
    let touched: Vec<Held> = desk.touched.iter().filter_map(|key| desk.held.get(key).cloned()).collect();
    store::put_held(tx, ctx, sale.order, &touched).await?;
    store::rules::put_shortage(tx, ctx, sale.order, sale.revision > 1, asked.as_deref(), &short).await?;
    Ok(Settled { short, change: Change::of(&desk.movements) })
}

/// Levels by (variant, place).
type Levels = BTreeMap<(VariantId, LocationId), Level>;

/// Locks these variants at every place, in the order in which everybody does. A unit of work that settles several orders
/// locks the variants of all of them first.
pub async fn lock(tx: &mut WriteTx, ctx: &Ctx, variants: &BTreeSet<VariantId>) -> Result<(), Error> {
    let places = places(tx, ctx).await?;
    lock_at(tx, ctx, &places, variants).await?;
    Ok(())
}

async fn lock_at(tx: &mut WriteTx, ctx: &Ctx, places: &[store::KnownPlace], variants: &BTreeSet<VariantId>) -> Result<Levels, Error> {
    let mut keys: Vec<(VariantId, LocationId)> =
        variants.iter().flat_map(|v| places.iter().map(move |p| (v.clone(), p.id.clone()))).collect();
    keys.sort();
    let levels = store::lock(tx, ctx, &keys).await?;
    Ok(keys.into_iter().zip(levels).collect())
}

/// There is always one: what leaves before anything was counted must be booked when it leaves, or the first count would lose
/// it again.
async fn places(tx: &mut WriteTx, ctx: &Ctx) -> Result<Vec<store::KnownPlace>, Error> {
    let places = store::places(tx, ctx).await?;
    if !places.is_empty() {
        return Ok(places);
    }
    locations::ensure_default(tx, ctx).await?;
    store::places(tx, ctx).await
}

/// A hub with one place has nothing to choose.
async fn serving(tx: &mut WriteTx, ctx: &Ctx, sale: Sale<'_>, places: &[store::KnownPlace]) -> Result<Serving, Error> {
    match (sale.again, places.len()) {
        (Some(_), _) => Ok(Serving { allocation: Allocation::Priority, split: Split::Free }),
        (None, ..=1) => Ok(Serving::default()),
        (None, _) => Ok(store::rules::rule(tx, &ctx.tenant, sale.connection).await?.serving),
    }
}
