//! Bringing an order's reservations to what its lines ask for.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Kind, Level, Movement};
use super::store::{self, Held};
use super::{Change, Error};
use crate::ctx::Ctx;
use crate::id::{LocationId, OrderId, VariantId};
use crate::store::WriteTx;

/// What one line of an order should come to. All counts are totals, not differences.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// The line's key inside the order.
    pub line: String,
    pub variant: VariantId,
    /// Units to keep promised.
    pub open: i64,
    /// Units that have left, ever.
    pub shipped: i64,
    /// Shipped units that are back on the shelf.
    pub returned: i64,
}

impl Target {
    /// Units that are neither here nor coming back.
    fn gone(&self) -> i64 {
        (self.shipped - self.returned).max(0)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Units that could not be promised, by line; only lines that lack some.
    pub short: BTreeMap<String, i64>,
    pub change: Change,
}

/// Books the difference between what the order holds and `targets`. A line without a target gives back everything.
/// `revision` is the order's and grows with every stored change: it keeps the ledger's keys apart.
pub async fn settle(tx: &mut WriteTx, ctx: &Ctx, order: &OrderId, revision: i64, targets: &[Target]) -> Result<Settled, Error> {
    let held = store::held(tx, ctx, order).await?;
    if targets.is_empty() && held.is_empty() {
        return Ok(Settled::default());
    }
    let variants: BTreeSet<VariantId> = targets.iter().map(|t| t.variant.clone()).chain(held.iter().map(|h| h.variant.clone())).collect();
    let (places, levels) = lock(tx, ctx, &variants).await?;
    let mut desk = Desk {
        order: order.to_string(),
        revision,
        places,
        levels,
        held: held.into_iter().map(|h| ((h.line.clone(), h.variant.clone(), h.location.clone()), h)).collect(),
        movements: Vec::new(),
        touched: BTreeSet::new(),
    };
    let short = desk.settle(targets);
    store::book(tx, ctx, &desk.movements).await?;
    let touched: Vec<Held> = desk.touched.iter().filter_map(|key| desk.held.get(key).cloned()).collect();
    store::put_held(tx, ctx, order, &touched).await?;
    let changed: BTreeSet<VariantId> = desk.movements.iter().map(|m| m.variant.clone()).collect();
    Ok(Settled { short, change: Change { variants: changed.into_iter().collect() } })
}

/// Levels by (variant, place).
type Levels = BTreeMap<(VariantId, LocationId), Level>;

/// Locks these variants at every place, in the order in which everybody does. A unit of work that settles several orders
/// locks the variants of all of them first. Returns the places in the order in which they are asked.
pub async fn lock(tx: &mut WriteTx, ctx: &Ctx, variants: &BTreeSet<VariantId>) -> Result<(Vec<LocationId>, Levels), Error> {
    let places = store::places(tx, ctx).await?;
    let mut keys: Vec<(VariantId, LocationId)> = variants.iter().flat_map(|v| places.iter().map(move |p| (v.clone(), p.clone()))).collect();
    keys.sort();
    let levels = store::lock(tx, ctx, &keys).await?;
    Ok((places, keys.into_iter().zip(levels).collect()))
}

type HeldKey = (String, VariantId, LocationId);

/// The arithmetic, on locked rows in memory; what it decides is booked in one go afterwards.
struct Desk {
    order: String,
    revision: i64,
    /// In the order in which places are asked.
    places: Vec<LocationId>,
    levels: Levels,
    held: BTreeMap<HeldKey, Held>,
    movements: Vec<Movement>,
    touched: BTreeSet<HeldKey>,
}

impl Desk {
    fn settle(&mut self, targets: &[Target]) -> BTreeMap<String, i64> {
        let wanted: BTreeSet<(&str, &VariantId)> = targets.iter().map(|t| (t.line.as_str(), &t.variant)).collect();
        let orphans: Vec<HeldKey> =
            self.held.keys().filter(|(line, variant, _)| !wanted.contains(&(line.as_str(), variant))).cloned().collect();
        // First everything that gives back, so that what one line frees another of the same order may take.
        for key in orphans {
            let units = self.held[&key].quantity;
            self.release(&key, units);
        }
        for target in targets {
            self.ship_up_to(target);
            self.return_up_to(target);
            self.release_down_to(target);
        }
        targets.iter().filter_map(|target| self.reserve_up_to(target).map(|units| (target.line.clone(), units))).collect()
    }

    fn ship_up_to(&mut self, target: &Target) {
        let mut left = target.gone() - self.sum(target, Held::gone);
        for place in self.places.clone() {
            let key = (target.line.clone(), target.variant.clone(), place);
            let units = self.held.get(&key).map_or(0, |h| h.quantity).min(left);
            if units > 0 {
                self.ship(&key, units, units);
                left -= units;
            }
        }
        if left > 0 {
            self.ship_unpromised(target, left);
        }
    }

    /// Goods that left without having been promised: first from what is free, then from what the hub did not know of.
    fn ship_unpromised(&mut self, target: &Target, mut left: i64) {
        for place in self.places.clone() {
            let free = self.level(&target.variant, &place).map_or(0, Level::reservable).min(left);
            if free > 0 {
                self.ship(&(target.line.clone(), target.variant.clone(), place), free, 0);
                left -= free;
            }
        }
        if let (true, Some(place)) = (left > 0, self.places.first().cloned()) {
            let key = (target.line.clone(), target.variant.clone(), place);
            self.book(&key, Kind::Found, left, 0);
            self.ship(&key, left, 0);
        }
    }

    fn ship(&mut self, key: &HeldKey, units: i64, promised: i64) {
        self.book(key, Kind::Ship, -units, -promised);
        let held = self.entry(key);
        held.quantity -= promised;
        held.shipped += units;
    }

    /// Also books the goods of a shipment that the channel has taken back.
    fn return_up_to(&mut self, target: &Target) {
        let mut left = self.sum(target, Held::gone) - target.gone();
        for place in self.places.clone() {
            let key = (target.line.clone(), target.variant.clone(), place);
            let units = self.held.get(&key).map_or(0, Held::gone).min(left);
            if units > 0 {
                self.book(&key, Kind::Return, units, 0);
                self.entry(&key).returned += units;
                left -= units;
            }
        }
    }

    fn release_down_to(&mut self, target: &Target) {
        let mut surplus = self.sum(target, |h| h.quantity) - target.open.max(0);
        for place in self.places.clone().into_iter().rev() {
            let key = (target.line.clone(), target.variant.clone(), place);
            let units = self.held.get(&key).map_or(0, |h| h.quantity).min(surplus);
            if units > 0 {
                self.release(&key, units);
                surplus -= units;
            }
        }
    }

    fn release(&mut self, key: &HeldKey, units: i64) {
        if units > 0 {
            self.book(key, Kind::Release, 0, -units);
            self.entry(key).quantity -= units;
        }
    }

    /// Returns what is still missing, if anything is.
    fn reserve_up_to(&mut self, target: &Target) -> Option<i64> {
        let mut left = target.open - self.sum(target, |h| h.quantity);
        for place in self.places.clone() {
            let units = self.level(&target.variant, &place).map_or(0, Level::reservable).min(left);
            if units > 0 {
                let key = (target.line.clone(), target.variant.clone(), place);
                self.book(&key, Kind::Reserve, 0, units);
                self.entry(&key).quantity += units;
                left -= units;
            }
        }
        (left > 0).then_some(left)
    }

    fn sum(&self, target: &Target, part: impl Fn(&Held) -> i64) -> i64 {
        self.places.iter().filter_map(|place| self.held.get(&(target.line.clone(), target.variant.clone(), place.clone()))).map(part).sum()
    }

    fn level(&self, variant: &VariantId, place: &LocationId) -> Option<&Level> {
        self.levels.get(&(variant.clone(), place.clone()))
    }

    fn entry(&mut self, key: &HeldKey) -> &mut Held {
        self.touched.insert(key.clone());
        self.held.entry(key.clone()).or_insert_with(|| Held {
            line: key.0.clone(),
            variant: key.1.clone(),
            location: key.2.clone(),
            quantity: 0,
            shipped: 0,
            returned: 0,
        })
    }

    fn book(&mut self, key: &HeldKey, kind: Kind, on_hand: i64, reserved: i64) {
        if let Some(level) = self.levels.get_mut(&(key.1.clone(), key.2.clone())) {
            level.on_hand += on_hand;
            level.reserved += reserved;
        }
        let line = format!("{}@{}", key.0, self.revision);
        // One row per cause and kind: a second booking of the same kind in this settlement adds to the first.
        let same = self.movements.iter_mut().find(|m| m.kind == kind && m.line == line && m.variant == key.1 && m.location == key.2);
        match same {
            Some(movement) => {
                movement.on_hand += on_hand;
                movement.reserved += reserved;
            }
            None => self.movements.push(Movement {
                variant: key.1.clone(),
                location: key.2.clone(),
                kind,
                on_hand,
                reserved,
                reference: self.order.clone(),
                line,
            }),
        }
    }
}
