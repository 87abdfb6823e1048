//! The arithmetic of settling an order, on locked rows in memory. Pure: what it decides is booked in one go afterwards.

use std::collections::{BTreeMap, BTreeSet};

use super::allocate::{Free, Need, Place, Serving, allocate};
use super::model::{Kind, Level, Movement};
use super::settle::{Short, Target};
use super::store::Held;
use crate::id::{LocationId, VariantId};

pub(super) type HeldKey = (String, VariantId, LocationId);

pub(super) struct Desk {
    pub order: String,
    /// Keeps the ledger's keys of two settlements apart.
    pub revision: i64,
    /// In the order in which they are asked.
    pub places: Vec<Place>,
    pub serving: Serving,
    /// Let go of what is promised first, and serve the order from scratch.
    pub anew: bool,
    pub levels: BTreeMap<(VariantId, LocationId), Level>,
    pub held: BTreeMap<HeldKey, Held>,
    /// Places that serve the order with what is not settled here.
    pub used: BTreeSet<LocationId>,
    pub movements: Vec<Movement>,
    pub touched: BTreeSet<HeldKey>,
}

impl Desk {
    pub fn settle(&mut self, targets: &[Target]) -> Short {
        let wanted: BTreeSet<(&str, &VariantId)> = targets.iter().map(|t| (t.line.as_str(), &t.variant)).collect();
        let orphans: Vec<HeldKey> =
            self.held.keys().filter(|(line, variant, _)| !wanted.contains(&(line.as_str(), variant))).cloned().collect();
        // First everything that gives back, so that what one line frees another of the same order may take.
        for key in orphans {
            let units = self.held[&key].quantity;
            self.release(&key, units);
        }
        for target in targets {
            let gone = self.gone(target);
            self.ship_up_to(target, gone);
            self.return_up_to(target, gone);
            self.release_down_to(target, if self.anew { 0 } else { target.open.max(0) });
        }
        self.reserve(targets)
    }

    /// Units that should be neither here nor coming back.
    fn gone(&self, target: &Target) -> i64 {
        match target.shipped {
            Some(shipped) => (shipped - target.returned).max(0),
            None => (self.sum(target, |h| h.shipped) - target.returned.max(self.sum(target, |h| h.returned))).max(0),
        }
    }

    fn ship_up_to(&mut self, target: &Target, gone: i64) {
        let mut left = gone - self.sum(target, Held::gone);
        for key in self.keys_of(target) {
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
        for key in self.keys_of(target) {
            let free = self.level(&target.variant, &key.2).map_or(0, Level::reservable).min(left);
            if free > 0 {
                self.ship(&key, free, 0);
                left -= free;
            }
        }
        if let (true, Some(key)) = (left > 0, self.keys_of(target).into_iter().next()) {
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
    fn return_up_to(&mut self, target: &Target, gone: i64) {
        let mut left = self.sum(target, Held::gone) - gone;
        for key in self.keys_of(target) {
            let units = self.held.get(&key).map_or(0, Held::gone).min(left);
            if units > 0 {
                self.book(&key, Kind::Return, units, 0);
                self.entry(&key).returned += units;
                left -= units;
            }
        }
    }

    fn release_down_to(&mut self, target: &Target, open: i64) {
        let mut surplus = self.sum(target, |h| h.quantity) - open;
        for key in self.keys_of(target).into_iter().rev() {
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

    /// Returns what is still missing.
    fn reserve(&mut self, targets: &[Target]) -> Short {
        let need = |target: &Target| {
            let units = target.open - self.sum(target, |h| h.quantity);
            (units > 0).then(|| Need { line: target.line.clone(), variant: target.variant.clone(), units })
        };
        let needs: Vec<Need> = targets.iter().filter_map(need).collect();
        if needs.is_empty() {
            return Short::new();
        }
        let wanted: BTreeSet<&VariantId> = needs.iter().map(|need| &need.variant).collect();
        let free: Free = self
            .levels
            .iter()
            .filter(|((variant, _), _)| wanted.contains(variant))
            .map(|(key, level)| (key.clone(), level.reservable()))
            .collect();
        let used = self.held.iter().filter(|(_, held)| held.quantity > 0 || held.gone() > 0).map(|(key, _)| key.2.clone());
        let used = used.chain(self.used.iter().cloned()).collect();
        let mut short: Short = needs.iter().map(|need| ((need.line.clone(), need.variant.clone()), need.units)).collect();
        for take in allocate(self.serving, &self.places, &used, free, &needs) {
            let need = &needs[take.need];
            let key = (need.line.clone(), need.variant.clone(), take.place);
            self.book(&key, Kind::Reserve, 0, take.units);
            self.entry(&key).quantity += take.units;
            if let Some(left) = short.get_mut(&(key.0, key.1)) {
                *left -= take.units;
            }
        }
        short.retain(|_, left| *left > 0);
        short
    }

    fn keys_of(&self, target: &Target) -> Vec<HeldKey> {
        self.places.iter().map(|place| (target.line.clone(), target.variant.clone(), place.id.clone())).collect()
    }

    fn sum(&self, target: &Target, part: impl Fn(&Held) -> i64) -> i64 {
        self.keys_of(target).iter().filter_map(|key| self.held.get(key)).map(part).sum()
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
