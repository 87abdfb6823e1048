#![allow(clippy::unwrap_used)]

use jiff::civil::date;
use proptest::prelude::*;

use super::*;

fn eur() -> Currency {
    Currency::from_code("EUR").unwrap()
}

fn money(minor: i64) -> Money {
    Money::new(minor, eur())
}

fn decimal(text: &str) -> Decimal {
    crate::money::decimal_from_text(text).unwrap()
}

fn costs(cost: i64) -> Costs {
    Costs {
        cost: money(cost),
        shipping: money(350),
        fixed_fee: money(30),
        fee_rate: decimal("0.15"),
        tax_rate: decimal("0.19"),
        min_margin_rate: decimal("0.10"),
    }
}

#[test]
fn a_charm_price_is_never_zero_or_negative() {
    let charm = |direction| Charm { step: decimal("1"), ending: decimal("0.99"), direction };
    let price = |direction, text| charm(direction).apply(Exact::parse(text).unwrap(), eur()).unwrap().minor();
    assert_eq!(price(Direction::Down, "0.10"), 99);
    assert_eq!(price(Direction::Nearest, "0"), 99);
    assert_eq!(price(Direction::Nearest, "1.49"), 99);
    assert_eq!(price(Direction::Up, "1.99"), 199);
    assert_eq!(price(Direction::Up, "2.00"), 299);
    let nines = Charm { step: decimal("1"), ending: decimal("9.99"), direction: Direction::Down };
    assert_eq!(nines.apply(Exact::parse("3.50").unwrap(), eur()).unwrap().minor(), 299);
    let zero = Charm { step: decimal("5"), ending: decimal("0"), direction: Direction::Down };
    assert_eq!(zero.apply(Exact::parse("2").unwrap(), eur()).unwrap().minor(), 500);
}

#[test]
fn a_price_below_the_floor_is_raised_to_the_next_charm_price_with_its_reason() {
    let listing = Listing {
        fixed: None,
        base: money(2000),
        rate: Exact::ONE,
        currency: eur(),
        adjustment: decimal("0.05"),
        charm: Some(Charm { step: decimal("1"), ending: decimal("0.99"), direction: Direction::Nearest }),
        costs: Some(costs(1200)),
    };
    let priced = price(&listing).unwrap();
    assert_eq!(priced.price.minor(), 2699);
    assert_eq!(priced.floor, Some(money(2606)));
    assert!(priced.steps.iter().any(|s| s.contains("floor")), "{:?}", priced.steps);
    let mut hopeless = listing;
    hopeless.costs = Some(Costs { fee_rate: decimal("0.9"), ..costs(1200) });
    assert_eq!(price(&hopeless).unwrap_err(), Error::Unreachable);
}

#[test]
fn a_small_move_stays_inside_the_band_and_a_broken_floor_does_not() {
    let band = decimal("0.015");
    let decide = |new, floor: Option<i64>| reprice(Some(money(10_000)), money(new), floor.map(money), band).unwrap();
    assert_eq!(decide(10_150, None), Reprice::InsideBand);
    assert_eq!(decide(10_151, None), Reprice::OutsideBand);
    assert_eq!(decide(9_849, None), Reprice::OutsideBand);
    assert_eq!(decide(10_000, None), Reprice::Unchanged);
    assert_eq!(decide(10_020, Some(10_010)), Reprice::FloorBroken);
    assert_eq!(reprice(None, money(1), None, band).unwrap(), Reprice::First);
}

#[test]
fn the_lowest_price_of_30_days_counts_prices_in_force_not_only_changes() {
    let history = [(date(2026, 1, 1), money(900)), (date(2026, 3, 1), money(1200)), (date(2026, 3, 20), money(1100))];
    let lowest = |day| lowest_of_30_days(&history, day).unwrap().map(|m| m.minor());
    assert_eq!(lowest(date(2026, 3, 25)), Some(900));
    assert_eq!(lowest(date(2026, 4, 10)), Some(1100));
    assert_eq!(lowest(date(2026, 3, 31)), Some(1100));
    assert_eq!(lowest(date(2026, 3, 30)), Some(900));
    assert_eq!(lowest(date(2025, 12, 1)), None);
}

#[test]
fn the_most_specific_entry_of_the_day_answers() {
    let entries: Vec<Entry> = serde_json::from_str(
        r#"[{"adjustment":"0.01"},{"channel":"shop","adjustment":"0.02"},{"channel":"shop","country":"FR","adjustment":"0.03"},
        {"variant":"A","adjustment":"0.04","valid_from":"2026-05-01","valid_to":"2026-06-01"},{"group":"trade","adjustment":"-0.1"}]"#,
    )
    .unwrap();
    let asked = |variant, country, group| Asked { variant, channel: "shop", country, group };
    let picked = |asked: Asked<'_>, day| pick(&entries, &asked, day).unwrap().adjustment.to_string();
    assert_eq!(picked(asked("B", None, None), date(2026, 1, 1)), "0.02");
    assert_eq!(picked(asked("B", Some("FR"), None), date(2026, 1, 1)), "0.03");
    assert_eq!(picked(asked("B", Some("FR"), Some("trade")), date(2026, 1, 1)), "-0.1");
    assert_eq!(picked(asked("A", Some("FR"), None), date(2026, 5, 31)), "0.04");
    assert_eq!(picked(asked("A", Some("FR"), None), date(2026, 6, 1)), "0.03");
    assert!(pick(&[], &asked("A", None, None), date(2026, 6, 1)).is_none());
}

proptest! {
    #[test]
    fn the_floor_pays_its_costs_and_a_cent_less_does_not(
        cost in 1_i64..1_000_000, fee in 0_u32..30, tax in 0_u32..27, margin in 0_u32..40,
    ) {
        let c = Costs {
            fee_rate: Decimal::new(i64::from(fee), 2),
            tax_rate: Decimal::new(i64::from(tax), 2),
            min_margin_rate: Decimal::new(i64::from(margin), 2),
            ..costs(cost)
        };
        let outlay = cost + 380;
        // Everything times (100 + tax) x 100 to stay in integers.
        let pays = |gross: i64| {
            let net = i128::from(gross) * 100 * 100;
            let fees = i128::from(gross) * i128::from(fee) * i128::from(100 + tax);
            let all = i128::from(outlay) * 100 * i128::from(100 + tax);
            net - fees - all >= net * i128::from(margin) / 100
        };
        match c.floor() {
            Ok(floor) => {
                prop_assert!(pays(floor.minor()));
                prop_assert!(!pays(floor.minor() - 1));
            }
            Err(Error::Unreachable) => prop_assert!(!pays(10_i64.pow(14))),
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    #[test]
    fn charm_candidates_surround_the_value(value in 1_i64..1_000_000, step in 1_i64..5_000, ending in 0_i64..5_000) {
        let charm = |direction| Charm { step: Decimal::new(step, 2), ending: Decimal::new(ending, 2), direction };
        let exact = money(value).exact();
        let up = charm(Direction::Up).apply(exact, eur()).unwrap().minor();
        let down = charm(Direction::Down).apply(exact, eur()).unwrap().minor();
        let nearest = charm(Direction::Nearest).apply(exact, eur()).unwrap().minor();
        prop_assert!(up >= value && up - value < step.max(up));
        prop_assert!(down <= value || down <= step);
        prop_assert!(nearest == up || nearest == down);
        prop_assert!((nearest - value).abs() <= (up - value).abs() && up > 0 && down > 0);
        prop_assert_eq!((up - ending).rem_euclid(step), 0);
    }
}
