#![allow(clippy::unwrap_used)]

use jiff::civil::date;
use proptest::prelude::*;

use super::*;

fn eur() -> Currency {
    Currency::from_code("EUR").unwrap()
}

#[test]
fn every_row_of_the_currency_file_is_in_the_table() {
    let text = include_str!("../../data/currencies.csv");
    let mut with_unit = 0;
    for record in csv::Reader::from_reader(text.as_bytes()).records() {
        let record = record.unwrap();
        let code = &record[0];
        if record[3].is_empty() {
            assert_eq!(Currency::from_code(code), Err(Error::NoMinorUnit { code: code.into() }));
        } else {
            let currency = Currency::from_code(code).unwrap();
            assert_eq!(currency.name(), &record[2]);
            assert_eq!(currency.exponent().to_string(), record[3]);
            with_unit += 1;
        }
    }
    assert_eq!(with_unit, Currency::all().count());
}

#[test]
fn text_with_a_real_extra_decimal_is_refused_and_named() {
    let error = Money::parse("19.999", eur()).unwrap_err().to_string();
    assert!(error.contains("19.999") && error.contains("EUR") && error.contains("(2)"), "{error}");
    assert_eq!(Money::parse("19.9", eur()).unwrap().minor(), 1990);
    assert_eq!(Money::parse("19.9900", eur()).unwrap().minor(), 1999);
    assert!(Money::parse_strict("19.9900", eur()).is_err());
    let yen = Currency::from_code("JPY").unwrap();
    assert_eq!(Money::parse("1500.00", yen).unwrap().minor(), 1500);
    assert_eq!(Money::parse("-0.05", eur()).unwrap().minor(), -5);
}

#[test]
fn text_that_is_not_a_plain_decimal_is_refused() {
    for text in ["", "-", "1,5", "1e3", "+1", ".5", "5.", " 1", "1 ", "0x1", "1_0", "--1", "1.2.3", "NaN", "١"] {
        assert!(matches!(Money::parse(text, eur()), Err(Error::BadNumber { .. })), "{text:?}");
    }
    let long = "9".repeat(60);
    assert!(Money::parse(&long, eur()).is_err());
    assert_eq!(Money::parse("92233720368547758.08", eur()), Err(Error::OutOfRange));
    assert_eq!(Money::parse("92233720368547758.07", eur()).unwrap().minor(), i64::MAX);
}

#[test]
fn a_withdrawn_currency_serves_history_but_not_a_later_date() {
    assert!(Currency::from_code("BGN").is_ok());
    assert!(Currency::parse("BGN", date(2025, 12, 31)).is_ok());
    let refused = Currency::parse("BGN", date(2026, 1, 1)).unwrap_err();
    assert!(refused.to_string().contains("EUR"));
    assert!(Currency::from_code("eur").is_err());
}

#[test]
fn money_reads_and_writes_its_json_form_only() {
    let money = Money::new(1999, eur());
    let json = serde_json::to_string(&money).unwrap();
    assert_eq!(json, r#"{"amount_minor":1999,"currency":"EUR"}"#);
    assert_eq!(serde_json::from_str::<Money>(&json).unwrap(), money);
    assert!(serde_json::from_str::<Money>(r#"{"amount_minor":19.99,"currency":"EUR"}"#).is_err());
    assert!(serde_json::from_str::<Money>(r#"{"amount_minor":1,"currency":"EURO"}"#).is_err());
    assert_eq!(money.to_string(), "19.99 EUR");
}

#[test]
fn two_currencies_never_mix() {
    let yen = Money::new(1, Currency::from_code("JPY").unwrap());
    assert!(matches!(Money::new(1, eur()).checked_add(yen), Err(Error::CurrencyMismatch { .. })));
}

#[test]
fn an_exact_number_survives_a_division_that_a_decimal_would_not() {
    let third = Exact::ratio(1, 3).unwrap();
    let one = third.mul(Exact::from_int(3)).unwrap();
    assert_eq!(one.compare(Exact::ONE).unwrap(), std::cmp::Ordering::Equal);
    assert_eq!(Exact::ONE.div(Exact::ZERO).unwrap_err(), Error::DivisionByZero);
}

fn modes() -> impl Strategy<Value = RoundingMode> {
    prop_oneof![
        Just(RoundingMode::HalfUp),
        Just(RoundingMode::HalfDown),
        Just(RoundingMode::HalfEven),
        Just(RoundingMode::Up),
        Just(RoundingMode::Down),
        Just(RoundingMode::Ceil),
        Just(RoundingMode::Floor),
    ]
}

fn currencies() -> impl Strategy<Value = Currency> {
    proptest::sample::select(Currency::all().collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn written_amounts_read_back(minor in any::<i64>(), currency in currencies()) {
        let money = Money::new(minor, currency);
        prop_assert_eq!(Money::parse_strict(&money.to_decimal_string(), currency).unwrap(), money);
    }

    #[test]
    fn allocation_keeps_the_sum_stays_within_a_unit_and_mirrors(
        total in -10_i64.pow(15)..10_i64.pow(15),
        weights in proptest::collection::vec(0_u64..1_000_000, 1..12),
    ) {
        prop_assume!(weights.iter().any(|w| *w > 0));
        let money = Money::new(total, eur());
        let parts = money.allocate(&weights).unwrap();
        prop_assert_eq!(Money::sum(&parts, eur()).unwrap(), money);
        let sum: i128 = weights.iter().map(|w| i128::from(*w)).sum();
        for (part, weight) in parts.iter().zip(&weights) {
            let exact_times_sum = i128::from(total) * i128::from(*weight);
            prop_assert!((i128::from(part.minor()) * sum - exact_times_sum).abs() < sum);
            if *weight == 0 {
                prop_assert_eq!(part.minor(), 0);
            }
        }
        let mirrored = money.checked_neg().unwrap().allocate(&weights).unwrap();
        for (part, mirror) in parts.iter().zip(&mirrored) {
            prop_assert_eq!(part.checked_neg().unwrap(), *mirror);
        }
    }

    #[test]
    fn rounding_stays_within_a_unit_and_halves_within_half_a_unit(
        num in -10_i64.pow(12)..10_i64.pow(12), den in 1_i64..1_000_000, mode in modes(),
    ) {
        let rounded = Exact::ratio(num, den).unwrap().scaled(0, mode).unwrap();
        let off = rounded * i128::from(den) - i128::from(num);
        prop_assert!(off.abs() < i128::from(den));
        match mode {
            RoundingMode::HalfUp | RoundingMode::HalfDown | RoundingMode::HalfEven =>
                prop_assert!(2 * off.abs() <= i128::from(den)),
            RoundingMode::Ceil => prop_assert!(off >= 0),
            RoundingMode::Floor => prop_assert!(off <= 0),
            RoundingMode::Up => prop_assert!(rounded.abs() * i128::from(den) >= i128::from(num).abs()),
            RoundingMode::Down => prop_assert!(rounded.abs() * i128::from(den) <= i128::from(num).abs()),
        }
    }
}
