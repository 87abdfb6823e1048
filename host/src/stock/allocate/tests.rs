#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::clock::Clock;
use crate::id::{Entropy, Ids};

struct World {
    places: Vec<Place>,
    variants: Vec<VariantId>,
}

fn world() -> World {
    let ids = Ids::new(Clock::manual(0), Entropy::seeded(3));
    let place = |(priority, distance): (usize, u8)| Place { id: LocationId::new(&ids), priority: priority as i64, distance };
    World { places: [2u8, 0, 1].into_iter().enumerate().map(place).collect(), variants: (0..3).map(|_| VariantId::new(&ids)).collect() }
}

impl World {
    fn free(&self, units: &[[i64; 3]]) -> Free {
        let row = |(v, row): (usize, &[i64; 3])| -> Vec<((VariantId, LocationId), i64)> {
            row.iter().zip(&self.places).map(|(units, place)| ((self.variants[v].clone(), place.id.clone()), *units)).collect()
        };
        units.iter().enumerate().flat_map(row).collect()
    }

    fn need(&self, line: &str, variant: usize, units: i64) -> Need {
        Need { line: line.into(), variant: self.variants[variant].clone(), units }
    }

    /// (need, place, units)
    fn serve(&self, allocation: Allocation, split: Split, used: &[usize], free: &[[i64; 3]], needs: &[Need]) -> Vec<(usize, usize, i64)> {
        let used = used.iter().map(|place| self.places[*place].id.clone()).collect();
        let takes = allocate(Serving { allocation, split }, &self.places, &used, self.free(free), needs);
        let place = |id: &LocationId| self.places.iter().position(|place| place.id == *id).unwrap();
        takes.iter().map(|take| (take.need, place(&take.place), take.units)).collect()
    }
}

#[test]
fn by_priority_the_first_place_gives_until_it_is_empty() {
    let w = world();
    assert_eq!(w.serve(Allocation::Priority, Split::Free, &[], &[[2, 5, 9]], &[w.need("1", 0, 4)]), [(0, 0, 2), (0, 1, 2)]);
}

#[test]
fn the_nearest_place_gives_first_and_the_fullest_gives_first() {
    let w = world();
    assert_eq!(w.serve(Allocation::Nearest, Split::Free, &[], &[[9, 1, 1]], &[w.need("1", 0, 3)]), [(0, 1, 1), (0, 2, 1), (0, 0, 1)]);
    assert_eq!(w.serve(Allocation::MostStock, Split::Free, &[], &[[2, 5, 9]], &[w.need("1", 0, 4)]), [(0, 2, 4)]);
}

#[test]
fn an_order_that_one_place_can_serve_alone_is_not_split_where_that_is_to_be_avoided() {
    let w = world();
    let needs = [w.need("1", 0, 2), w.need("2", 1, 2)];
    let free = [[2, 2, 5], [0, 0, 5]];
    assert_eq!(w.serve(Allocation::Priority, Split::Avoid, &[], &free, &needs), [(0, 2, 2), (1, 2, 2)]);
    assert_eq!(w.serve(Allocation::Priority, Split::Free, &[], &free, &needs), [(0, 0, 2), (1, 2, 2)]);
}

#[test]
fn where_no_place_has_all_lines_each_line_stays_whole_if_it_can() {
    let w = world();
    let needs = [w.need("1", 0, 4), w.need("2", 1, 2)];
    assert_eq!(w.serve(Allocation::Priority, Split::Avoid, &[], &[[3, 4, 0], [2, 0, 0]], &needs), [(0, 1, 4), (1, 0, 2)]);
    assert_eq!(w.serve(Allocation::Priority, Split::Avoid, &[], &[[3, 2, 0], [0, 0, 2]], &needs), [(0, 0, 3), (0, 1, 1), (1, 2, 2)]);
}

#[test]
fn an_order_that_is_never_split_lacks_what_its_one_place_lacks() {
    let w = world();
    let needs = [w.need("1", 0, 5)];
    assert_eq!(w.serve(Allocation::Priority, Split::Never, &[], &[[3, 4, 4]], &needs), [(0, 1, 4)], "the first of those that serve most");
    assert_eq!(w.serve(Allocation::Priority, Split::Never, &[2], &[[9, 9, 1]], &needs), [(0, 2, 1)], "it stays where it began");
}

#[test]
fn two_lines_never_take_the_same_unit() {
    let w = world();
    for split in [Split::Free, Split::Avoid, Split::Never] {
        let takes = w.serve(Allocation::Priority, split, &[], &[[3, 0, 0]], &[w.need("1", 0, 2), w.need("2", 0, 2)]);
        assert_eq!(takes.iter().map(|take| take.2).sum::<i64>(), 3, "{split:?}");
    }
}

fn rules() -> impl Strategy<Value = (Allocation, Split)> {
    (
        prop_oneof![Just(Allocation::Priority), Just(Allocation::Nearest), Just(Allocation::MostStock)],
        prop_oneof![Just(Split::Free), Just(Split::Avoid), Just(Split::Never)],
    )
}

proptest! {
    #[test]
    fn whatever_the_rule_nothing_is_taken_twice_and_nobody_gets_more_than_they_need(
        (allocation, split) in rules(),
        free in proptest::array::uniform3(proptest::array::uniform3(-2i64..8)),
        wanted in proptest::collection::vec((0usize..3, 0usize..3, 0i64..9), 0..6),
        used in proptest::collection::vec(0usize..3, 0..3),
    ) {
        let w = world();
        let needs: Vec<Need> = wanted.iter().map(|(line, variant, units)| w.need(&line.to_string(), *variant, *units)).collect();
        let takes = w.serve(allocation, split, &used, &free, &needs);
        for (variant, row) in free.iter().enumerate() {
            for (place, units) in row.iter().enumerate() {
                let taken: i64 = takes.iter().filter(|t| wanted[t.0].1 == variant && t.1 == place).map(|t| t.2).sum();
                prop_assert!(taken <= (*units).max(0));
            }
            // Unless it may not be split, an order lacks only what lies nowhere.
            if split != Split::Never {
                let asked: i64 = needs.iter().zip(&wanted).filter(|(_, w)| w.1 == variant).map(|(need, _)| need.units).sum();
                let got: i64 = takes.iter().filter(|t| wanted[t.0].1 == variant).map(|t| t.2).sum();
                prop_assert_eq!(got, asked.min(row.iter().map(|units| (*units).max(0)).sum()));
            }
        }
        for (index, need) in needs.iter().enumerate() {
            let got: i64 = takes.iter().filter(|t| t.0 == index).map(|t| t.2).sum();
            prop_assert!(got <= need.units);
        }
        if split == Split::Never && used.is_empty() {
            let places: BTreeSet<usize> = takes.iter().map(|t| t.1).collect();
            prop_assert!(places.len() <= 1);
        }
    }
}
