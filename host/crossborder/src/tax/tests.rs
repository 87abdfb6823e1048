#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::money::{Currency, Decimal, Money, RoundingMode};

fn document(units: &[(i64, i64)], rate: i64, level: Level, price_mode: PriceMode) -> Document {
    Document {
        currency: Currency::from_code("EUR").unwrap(),
        price_mode,
        level,
        mode: RoundingMode::HalfUp,
        lines: units
            .iter()
            .map(|(unit, qty)| DocumentLine { unit: Decimal::new(*unit, 2), qty: Decimal::from(*qty), rate_key: "S".to_owned() })
            .collect(),
        rates: BTreeMap::from([("S".to_owned(), BTreeMap::from([("VAT".to_owned(), Decimal::new(rate, 4))]))]),
    }
}

fn modes() -> impl Strategy<Value = PriceMode> {
    prop_oneof![Just(PriceMode::Exclusive), Just(PriceMode::Inclusive)]
}

proptest! {
    #[test]
    fn the_levels_differ_by_at_most_half_a_cent_for_each_rounding_they_add(
        units in proptest::collection::vec((1_i64..100_000, 1_i64..9), 1..12), rate in 0_i64..3_000, mode in modes(),
    ) {
        let tax = |level| document_tax(&document(&units, rate, level, mode)).unwrap();
        let whole = tax(Level::Document).tax.minor();
        let per_rate = tax(Level::DocumentPerRate).tax.minor();
        let per_line = tax(Level::Line).tax.minor();
        let per_unit = tax(Level::Unit).tax.minor();
        let pieces: i64 = units.iter().map(|(_, qty)| qty).sum();
        prop_assert_eq!(whole, per_rate);
        prop_assert!(2 * (per_line - whole).abs() <= 1 + i64::try_from(units.len()).unwrap());
        prop_assert!(2 * (per_unit - whole).abs() <= 1 + pieces);
        let lines: i64 = units.iter().map(|(unit, qty)| unit * qty).sum();
        let total = tax(Level::Line).total.minor();
        prop_assert_eq!(total, if mode == PriceMode::Exclusive { lines + per_line } else { lines });
    }

    #[test]
    fn refunding_every_line_takes_back_all_the_tax(
        units in proptest::collection::vec((1_i64..100_000, 1_i64..9), 1..12), rate in 0_i64..3_000, mode in modes(),
    ) {
        let back: Vec<(i64, i64)> = units.iter().map(|(unit, qty)| (-unit, *qty)).collect();
        for level in [Level::Unit, Level::Line, Level::DocumentPerRate, Level::Document] {
            let sale = document_tax(&document(&units, rate, level, mode)).unwrap();
            let refund = document_tax(&document(&back, rate, level, mode)).unwrap();
            prop_assert_eq!(sale.tax.checked_add(refund.tax).unwrap().minor(), 0);
            prop_assert_eq!(sale.total.checked_add(refund.total).unwrap().minor(), 0);
        }
    }

    #[test]
    fn the_two_sides_of_a_gross_price_always_add_up(gross in -1_000_000_i64..1_000_000, rate in 0_i64..5_000) {
        let gross = Money::new(gross, Currency::from_code("EUR").unwrap());
        for round in [InclusiveRound::Net, InclusiveRound::Tax] {
            let (net, tax) = split_gross(gross, Decimal::new(rate, 4), round, RoundingMode::HalfUp).unwrap();
            prop_assert_eq!(net.checked_add(tax).unwrap(), gross);
        }
    }

    #[test]
    fn a_cash_total_is_a_multiple_of_the_increment_within_half_of_it(minor in -100_000_i64..100_000) {
        let rules = crate::rules::RuleSet::builtin().unwrap();
        let row = rules.cash_rounding("CH", "CHF").unwrap();
        let total = Money::new(minor, Currency::from_code("CHF").unwrap());
        let (payable, difference) = cash_round(total, row, None).unwrap();
        prop_assert_eq!(payable.minor() % 5, 0);
        prop_assert!(2 * difference.minor().abs() <= 5);
        prop_assert_eq!(total.checked_add(difference).unwrap(), payable);
    }
}
