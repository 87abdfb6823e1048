#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::io::Read;
use std::path::PathBuf;

use jiff::civil::{Date, date};
use proptest::prelude::*;

use super::*;
use crate::money::{Currency, Money, RoundingMode};

fn specs() -> PathBuf {
    std::env::var_os("ENTREPOT_SPECS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/specs"), PathBuf::from)
}

fn read(name: &str) -> Option<Vec<u8>> {
    let path = specs().join("rates").join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(_) => {
            println!("skipped: {} is not there; set ENTREPOT_SPECS", path.display());
            None
        }
    }
}

fn history() -> Option<RateTable> {
    let bytes = read("ecb/eurofxref-hist.csv.gz")?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).unwrap();
    Some(RateTable::from_ecb_csv(&text).unwrap())
}

const SMALL: &str = "date,USD,GBP,RUB\n2026-01-02,1.10,0.85,\n2026-01-05,1.20,,\n2021-01-04,1.22,0.90,90.1\n";

#[test]
fn a_cross_needs_one_day_on_which_both_have_a_value() {
    let table = RateTable::from_ecb_csv(SMALL).unwrap();
    let found = table.rate_on("USD", "GBP", date(2026, 1, 6), Policy::LatestOnOrBefore, None).unwrap();
    assert_eq!(found.rate_date, date(2026, 1, 2));
    let after = table.rate_on("USD", "GBP", date(2026, 1, 3), Policy::FirstOnOrAfter, None);
    assert!(matches!(after, Err(Error::NoRate { .. })));
    let stale = table.rate_on("EUR", "RUB", date(2026, 1, 5), Policy::LatestOnOrBefore, Some(30));
    assert!(matches!(stale, Err(Error::Stale { .. })));
}

#[test]
fn a_zero_rate_or_a_broken_file_is_refused_with_its_line() {
    let error = RateTable::from_ecb_csv("date,USD\n2026-01-02,0\n").unwrap_err().to_string();
    assert!(error.contains("line 2"), "{error}");
    assert!(RateTable::from_ecb_csv("date,USD\n2026-13-02,1\n").is_err());
    assert!(RateTable::from_ecb_csv("date,USD\n2026-01-02,1,2\n").is_err());
    assert!(RateTable::from_ecb_xml("<Envelope></Envelope>").is_err());
    assert!(RateTable::from_ecb_xml("<Cube currency='USD' rate='1'/>").is_err());
    assert!(RateTable::from_openexchangerates_json("{}").is_err());
}

#[test]
fn the_xml_layouts_and_the_history_agree_where_they_overlap() {
    let Some(history) = history() else { return };
    for name in ["ecb/eurofxref-daily-2018-06-11.xml", "ecb/eurofxref-hist-90d.xml"] {
        let Some(bytes) = read(name) else { return };
        let table = RateTable::from_ecb_xml(std::str::from_utf8(&bytes).unwrap()).unwrap();
        let mut compared = 0;
        for (day, currency, rate) in table.rows() {
            let known = history.rate_on("EUR", currency, day, Policy::LatestOnOrBefore, Some(0)).unwrap();
            assert_eq!(known.rate.to_decimal(10, RoundingMode::HalfUp).unwrap(), rate, "{day} {currency}");
            compared += 1;
        }
        assert!(compared > 20);
    }
}

#[test]
fn an_openexchangerates_file_crosses_through_its_own_base() {
    let Some(bytes) = read("openexchangerates/latest.json") else {
        return;
    };
    let text = std::str::from_utf8(&bytes).unwrap();
    let table = RateTable::from_openexchangerates_json(text).unwrap();
    let day = table.last_day().unwrap();
    let there = table.rate_on("EUR", "JPY", day, Policy::LatestOnOrBefore, Some(0)).unwrap();
    let back = table.rate_on("JPY", "EUR", day, Policy::LatestOnOrBefore, Some(0)).unwrap();
    let one = there.rate.mul(back.rate).unwrap();
    assert!(one.compare(crate::money::Exact::ONE).unwrap().is_eq());
}

#[test]
fn the_whole_history_loads_and_every_published_value_answers_on_its_day() {
    let Some(table) = history() else { return };
    assert_eq!(table.first_day(), Some(date(1999, 1, 4)));
    let mut values = 0_u32;
    for (day, currency, rate) in table.rows() {
        let found = table.rate_on("EUR", currency, day, Policy::LatestOnOrBefore, Some(0)).unwrap();
        assert_eq!(found.rate_date, day);
        assert_eq!(found.rate.to_decimal(10, RoundingMode::HalfUp).unwrap(), rate);
        values += 1;
    }
    println!("{values} values");
    assert!(values > 200_000);
}

#[test]
fn the_customs_rate_day_is_a_wednesday_in_the_month_before() {
    assert_eq!(second_last_wednesday(date(2026, 11, 10)), Some(date(2026, 10, 21)));
    assert_eq!(second_last_wednesday(date(2026, 1, 31)), Some(date(2025, 12, 24)));
    assert_eq!(second_last_wednesday(date(2024, 3, 1)), Some(date(2024, 2, 21)));
}

fn small() -> RateTable {
    RateTable::from_ecb_csv("date,USD,JPY,GBP\n2026-10-30,1.1172,175.68,0.8338\n").unwrap()
}

proptest! {
    #[test]
    fn any_day_of_the_history_answers_from_the_right_side(offset in 0_i32..12_000) {
        thread_local! {
            static HISTORY: Option<RateTable> = history();
        }
        let day: Date = date(1998, 1, 1).checked_add(jiff::Span::new().days(offset)).unwrap();
        HISTORY.with(|table| {
            let Some(table) = table else { return Ok(()) };
            for currency in ["USD", "BGN", "HRK", "RUB", "SKK"] {
                if let Ok(before) = table.rate_on("EUR", currency, day, Policy::LatestOnOrBefore, None) {
                    prop_assert!(before.rate_date <= day);
                    prop_assert!(!before.rate.is_zero() && !before.rate.is_negative());
                }
                if let Ok(after) = table.rate_on("EUR", currency, day, Policy::FirstOnOrAfter, None) {
                    prop_assert!(after.rate_date >= day);
                }
                if let Ok(fresh) = table.rate_on("EUR", currency, day, Policy::LatestOnOrBefore, Some(5)) {
                    prop_assert!(day.since(fresh.rate_date).unwrap().get_days() <= 5);
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn converting_there_and_back_stays_within_the_coarser_unit(minor in -10_i64.pow(10)..10_i64.pow(10)) {
        let table = small();
        let usd = Currency::from_code("USD").unwrap();
        let gbp = Currency::from_code("GBP").unwrap();
        let day = date(2026, 10, 30);
        let money = Money::new(minor, usd);
        let convert = |m: Money, to| table
            .convert(m, to, day, Policy::LatestOnOrBefore, None, RoundingMode::HalfUp).unwrap().0;
        let back = convert(convert(money, gbp), usd);
        prop_assert!((back.minor() - minor).abs() <= 2);
        prop_assert_eq!(convert(money.checked_neg().unwrap(), gbp), convert(money, gbp).checked_neg().unwrap());
    }

    #[test]
    fn refunding_everything_in_parts_reverses_exactly_the_charge(charged in 1_i64..10_i64.pow(9), part in 0_u64..=100) {
        let usd = Currency::from_code("USD").unwrap();
        let eur = Currency::from_code("EUR").unwrap();
        let whole = Money::new(charged, usd);
        let parts = whole.allocate(&[part, 100 - part]).unwrap();
        let rate = crate::money::Decimal::new(11355, 4);
        let first = refund(parts[0], whole, Money::zero(usd), rate, rate, eur).unwrap();
        let second = refund(parts[1], whole, parts[0], rate, rate, eur).unwrap();
        prop_assert_eq!(first.refund.checked_add(second.refund).unwrap(), whole);
        prop_assert!(first.fx_gain_loss.is_zero() && second.fx_gain_loss.is_zero());
        let more = Money::new(parts[1].minor() + 1, usd);
        let over = matches!(refund(more, whole, parts[0], rate, rate, eur), Err(Error::OverRefund { .. }));
        prop_assert!(over);
    }
}
