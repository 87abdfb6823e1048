//! The arithmetic of settling against a book kept beside it: any orders of kits and single goods, any places and rules, any
//! order of events; what must hold is looked at after every one of them.

use std::collections::{BTreeMap, BTreeSet};

use super::dice::{Dice, Played, seeds};
use crate::clock::Clock;
use crate::id::{Entropy, Ids, LocationId, OrderId, VariantId};
use crate::stock::allocate::{Allocation, Place, Serving, Split};
use crate::stock::desk::{Desk, HeldKey};
use crate::stock::model::{Kind, Level, Movement};
use crate::stock::settle::{Short, Target};
use crate::stock::store::Held;

const OPERATIONS: usize = 200;
const THREADS: usize = 16;
const CASES: u64 = 2_000;

type Recipe = BTreeMap<VariantId, i64>;

struct Line {
    recipe: Recipe,
    quantity: i64,
    fulfilled: i64,
    released: i64,
    returned: i64,
}

impl Line {
    fn open(&self, cancelled: bool) -> i64 {
        if cancelled { 0 } else { (self.quantity - self.fulfilled - self.released).max(0) }
    }
}

struct Order {
    id: OrderId,
    revision: i64,
    cancelled: bool,
    lines: BTreeMap<String, Line>,
    held: BTreeMap<HeldKey, Held>,
    short: Short,
}

struct Shop {
    ids: Ids,
    places: Vec<Place>,
    /// What is sold, and what it is made of; a single good is made of itself.
    items: Vec<Recipe>,
    levels: BTreeMap<(VariantId, LocationId), Level>,
    ledger: Vec<Movement>,
    booked: BTreeSet<(String, String, &'static str, VariantId, LocationId)>,
    orders: Vec<Order>,
    serving: Serving,
}

impl Shop {
    fn open(dice: &Dice) -> Self {
        let ids = Ids::new(Clock::manual(1), Entropy::seeded(dice.roll(1 << 30) as u64));
        let places: Vec<Place> =
            (0..dice.units(1, 3)).map(|n| Place { id: LocationId::new(&ids), priority: n, distance: dice.roll(3) as u8 }).collect();
        let goods: Vec<VariantId> = (0..4).map(|_| VariantId::new(&ids)).collect();
        let mut items: Vec<Recipe> = goods.iter().map(|good| Recipe::from([(good.clone(), 1)])).collect();
        items.extend((0..2).map(|_| any_kit(dice, &goods)));
        let level = |location: &LocationId| Level { location: location.clone(), on_hand: 0, reserved: 0, backorder_limit: 0, safety: 0 };
        let levels =
            goods.iter().flat_map(|good| places.iter().map(|place| ((good.clone(), place.id.clone()), level(&place.id)))).collect();
        Self { ids, places, items, levels, ledger: Vec::new(), booked: BTreeSet::new(), orders: Vec::new(), serving: Serving::default() }
    }

    fn book(&mut self, movements: &[Movement]) {
        for m in movements {
            let key = (m.reference.clone(), m.line.clone(), m.kind.as_str(), m.variant.clone(), m.location.clone());
            assert!(self.booked.insert(key), "the ledger would refuse a second row of this cause: {m:?}");
            let level = self.levels.get_mut(&(m.variant.clone(), m.location.clone())).unwrap();
            level.on_hand += m.on_hand;
            level.reserved += m.reserved;
        }
        self.ledger.extend_from_slice(movements);
    }

    /// A change by hand, refused where the real one is.
    fn by_hand(&mut self, key: &(VariantId, LocationId), kind: Kind, units: i64) {
        let level = &self.levels[key];
        if level.on_hand + units - level.reserved >= -level.backorder_limit {
            let (variant, location) = key.clone();
            let reference = self.ids.body();
            self.book(&[Movement { variant, location, kind, on_hand: units, reserved: 0, reference, line: String::new() }]);
        }
    }

    fn settle(&mut self, at: usize, anew: bool) {
        let order = &mut self.orders[at];
        order.revision += 1;
        let targets: Vec<Target> = order
            .lines
            .iter()
            .flat_map(|(name, line)| {
                let open = line.open(order.cancelled);
                line.recipe.iter().map(move |(variant, per_unit)| Target {
                    line: name.clone(),
                    variant: variant.clone(),
                    open: open * per_unit,
                    shipped: Some(line.fulfilled * per_unit),
                    returned: line.returned * per_unit,
                })
            })
            .collect();
        let mut desk = Desk {
            order: order.id.to_string(),
            revision: order.revision,
            places: self.places.clone(),
            serving: if anew { Serving::default() } else { self.serving },
            anew,
            levels: self.levels.clone(),
            held: std::mem::take(&mut order.held),
            used: BTreeSet::new(),
            movements: Vec::new(),
            touched: BTreeSet::new(),
        };
        let split = desk.serving.split;
        order.short = desk.settle(&targets);
        order.held = desk.held;
        let after = desk.levels;
        self.book(&desk.movements);
        assert_eq!(self.levels, after, "what was decided on is what was booked");
        if split != Split::Never {
            for (_, variant) in self.orders[at].short.keys() {
                let free: i64 = self.levels.iter().filter(|((v, _), _)| v == variant).map(|(_, level)| level.reservable()).sum();
                assert_eq!(free, 0, "an order lacks units that lie on a shelf");
            }
        }
    }

    /// The whole ledger added up anew.
    fn check_ledger(&self) {
        let mut sums: BTreeMap<(VariantId, LocationId), (i64, i64)> = self.levels.keys().map(|key| (key.clone(), (0, 0))).collect();
        for m in &self.ledger {
            let sum = sums.get_mut(&(m.variant.clone(), m.location.clone())).unwrap();
            *sum = (sum.0 + m.on_hand, sum.1 + m.reserved);
        }
        for (key, level) in &self.levels {
            assert_eq!((level.on_hand, level.reserved), sums[key], "sums are what the ledger adds up to");
        }
    }

    fn check(&self) {
        let mut promised: BTreeMap<(VariantId, LocationId), i64> = BTreeMap::new();
        for held in self.orders.iter().flat_map(|order| order.held.values()) {
            assert!(held.quantity >= 0 && held.gone() >= 0, "{held:?}");
            *promised.entry((held.variant.clone(), held.location.clone())).or_default() += held.quantity;
        }
        for (key, level) in &self.levels {
            assert_eq!(level.reserved, promised.get(key).copied().unwrap_or(0), "what is reserved is what orders hold");
            assert!(level.on_hand - level.reserved >= -level.backorder_limit && level.reserved >= 0, "{level:?}");
        }
        for order in &self.orders {
            for (name, line) in &order.lines {
                for (variant, per_unit) in &line.recipe {
                    let of = |part: fn(&Held) -> i64| -> i64 {
                        order.held.iter().filter(|((l, v, _), _)| l == name && v == variant).map(|(_, held)| part(held)).sum()
                    };
                    let lack = order.short.get(&(name.clone(), variant.clone())).copied().unwrap_or(0);
                    let open = line.open(order.cancelled) * per_unit;
                    assert_eq!(of(|held| held.quantity) + lack, open, "every unit of demand is promised or known to be short");
                    assert_eq!(of(Held::gone), (line.fulfilled - line.returned) * per_unit, "what is gone is what left and did not return");
                }
            }
        }
    }
}

fn any_kit(dice: &Dice, goods: &[VariantId]) -> Recipe {
    (0..dice.units(1, 3)).map(|_| (dice.pick(goods).clone(), dice.units(1, 3))).collect()
}

fn play(seed: u64) {
    let _played = Played("the model of stock", seed);
    let dice = Dice::of(seed);
    let mut shop = Shop::open(&dice);
    let keys: Vec<(VariantId, LocationId)> = shop.levels.keys().cloned().collect();
    let goods: Vec<VariantId> = keys.iter().map(|(good, _)| good.clone()).collect::<BTreeSet<_>>().into_iter().collect();
    for _ in 0..OPERATIONS {
        step(&dice, &mut shop, &keys, &goods);
        shop.check();
    }
    shop.check_ledger();
    // Whatever happened before: cancelled, returned and let go, nothing is promised and nothing is missing.
    for at in 0..shop.orders.len() {
        let order = &mut shop.orders[at];
        order.cancelled = true;
        order.lines.values_mut().for_each(|line| line.returned = line.fulfilled);
        shop.settle(at, false);
    }
    shop.check();
    shop.check_ledger();
    let by_orders: i64 = shop.ledger.iter().filter(|m| matches!(m.kind, Kind::Ship | Kind::Return | Kind::Found)).map(|m| m.on_hand).sum();
    let found: i64 = shop.ledger.iter().filter(|m| m.kind == Kind::Found).map(|m| m.on_hand).sum();
    assert_eq!(by_orders, found, "orders gave back exactly what they took");
    assert!(shop.levels.values().all(|level| level.reserved == 0));
}

fn step(dice: &Dice, shop: &mut Shop, keys: &[(VariantId, LocationId)], goods: &[VariantId]) {
    let key = dice.pick(keys).clone();
    match dice.roll(16) {
        0 | 1 => shop.by_hand(&key, Kind::Receive, dice.units(1, 9)),
        2 => shop.by_hand(&key, Kind::Adjust, dice.units(-4, 4)),
        3 => {
            let counted = dice.units(0, 9);
            let difference = counted - shop.levels[&key].on_hand;
            shop.by_hand(&key, Kind::Count, difference);
        }
        4 => {
            let limit = dice.units(0, 3);
            let level = shop.levels.get_mut(&key).unwrap();
            if level.on_hand - level.reserved >= -limit {
                level.backorder_limit = limit;
            }
        }
        5 => {
            shop.serving = Serving {
                allocation: *dice.pick(&[Allocation::Priority, Allocation::Nearest, Allocation::MostStock]),
                split: *dice.pick(&[Split::Free, Split::Avoid, Split::Never]),
            };
        }
        6 => {
            // A kit is made of something else from now on; orders keep the recipe they were placed with.
            let kit = goods.len() + dice.roll(2);
            shop.items[kit] = any_kit(dice, goods);
        }
        7..=9 => {
            let line = |n: i64| {
                let line =
                    Line { recipe: dice.pick(&shop.items).clone(), quantity: dice.units(1, 5), fulfilled: 0, released: 0, returned: 0 };
                (n.to_string(), line)
            };
            let lines = (0..dice.units(1, 3)).map(line).collect();
            let id = OrderId::new(&shop.ids);
            shop.orders.push(Order { id, revision: 0, cancelled: false, lines, held: BTreeMap::new(), short: Short::new() });
            shop.settle(shop.orders.len() - 1, false);
        }
        _ if shop.orders.is_empty() => {}
        10 => {
            // The same again changes nothing.
            let at = dice.roll(shop.orders.len());
            shop.settle(at, false);
            let before = shop.ledger.len();
            shop.settle(at, false);
            assert_eq!(shop.ledger.len(), before, "settling twice books once");
        }
        11 => shop.settle_anew(dice),
        _ => {
            let at = dice.roll(shop.orders.len());
            change(dice, &mut shop.orders[at]);
            shop.settle(at, false);
        }
    }
}

impl Shop {
    fn settle_anew(&mut self, dice: &Dice) {
        self.settle(dice.roll(self.orders.len()), true);
    }
}

/// What a channel may say about a line next.
fn change(dice: &Dice, order: &mut Order) {
    let names: Vec<String> = order.lines.keys().cloned().collect();
    let line = order.lines.get_mut(dice.pick(&names)).unwrap();
    let open = (line.quantity - line.fulfilled - line.released).max(0);
    match dice.roll(8) {
        0 => line.quantity = dice.units(0, 6).max(line.fulfilled + line.released),
        1 | 2 => line.fulfilled += dice.units(0, open),
        3 => line.released += dice.units(0, open),
        4 => line.returned += dice.units(0, line.fulfilled - line.returned),
        // A shipment is taken back.
        5 => line.fulfilled -= dice.units(0, line.fulfilled - line.returned),
        6 => order.cancelled = true,
        _ => order.cancelled = false,
    }
}

#[test]
fn whatever_happens_nothing_is_lost_doubled_or_promised_twice() {
    let seeds = seeds(CASES);
    let share = seeds.len().div_ceil(THREADS).max(1);
    std::thread::scope(|scope| {
        for part in seeds.chunks(share) {
            scope.spawn(move || part.iter().for_each(|seed| play(*seed)));
        }
    });
}
