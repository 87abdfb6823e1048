#![allow(clippy::unwrap_used)]

use jiff::civil::date;

use super::*;
use crate::money::Currency;

fn sale(day: Date, to: &str, minor: i64, ccy: &str) -> Sale {
    Sale {
        date: day,
        ship_from: "DE".to_owned(),
        ship_to: to.to_owned(),
        us_state: None,
        consumer: true,
        marketplace_is_taxpayer: false,
        net: Money::new(minor, Currency::from_code(ccy).unwrap()),
        transactions: u64::from(minor >= 0),
    }
}

#[test]
fn the_eu_total_counts_cross_border_consumer_sales_of_all_channels_and_keeps_the_crossing_day() {
    let rules = RuleSet::builtin().unwrap();
    let mut sales = vec![
        sale(date(2026, 1, 5), "FR", 500_000, "EUR"),
        sale(date(2026, 2, 5), "DE", 900_000, "EUR"),
        sale(date(2026, 3, 5), "US", 900_000, "EUR"),
        sale(date(2025, 3, 5), "FR", 900_000, "EUR"),
    ];
    sales.push(Sale { consumer: false, ..sale(date(2026, 3, 6), "IT", 900_000, "EUR") });
    let standing = oss(&rules, "DE", 2026, &sales).unwrap();
    assert_eq!((standing.total.minor(), standing.level), (500_000, Level::Below));
    sales.push(sale(date(2026, 4, 1), "MC", 300_000, "EUR"));
    assert_eq!(oss(&rules, "DE", 2026, &sales).unwrap().level, Level::Near);
    sales.push(sale(date(2026, 5, 1), "XI", 200_000, "EUR"));
    assert_eq!(oss(&rules, "DE", 2026, &sales).unwrap().level, Level::Near);
    sales.push(sale(date(2026, 5, 2), "PL", 1, "EUR"));
    // A refund later does not undo the crossing.
    sales.push(sale(date(2026, 5, 3), "PL", -100_000, "EUR"));
    let standing = oss(&rules, "DE", 2026, &sales).unwrap();
    assert_eq!(standing.level, Level::Exceeded);
    assert_eq!(standing.crossed_on, Some(date(2026, 5, 2)));
}

#[test]
fn nexus_looks_at_twelve_months_of_one_state() {
    let rules = RuleSet::builtin().unwrap();
    let mut sales: Vec<Sale> =
        (0..200).map(|_| Sale { us_state: Some("GA".to_owned()), ..sale(date(2026, 1, 5), "US", 1_000, "USD") }).collect();
    let (found, total, count) = nexus(&rules, "GA", date(2026, 6, 1), &sales).unwrap();
    assert!(found.nexus);
    assert_eq!((total.minor(), count), (200_000, 200));
    sales.pop();
    assert!(!nexus(&rules, "GA", date(2026, 6, 1), &sales).unwrap().0.nexus);
    assert_eq!(nexus(&rules, "GA", date(2027, 6, 1), &sales).unwrap().2, 0);
    assert!(nexus(&rules, "ZZ", date(2026, 6, 1), &sales).is_err());
}

#[test]
fn a_foreign_turnover_is_measured_in_the_currency_of_its_programme() {
    let rules = RuleSet::builtin().unwrap();
    let sales = [sale(date(2026, 1, 5), "AU", 7_500_001, "AUD")];
    let standing = turnover(&rules, "au.lvig", "yearly_turnover", 2026, &sales).unwrap();
    assert_eq!(standing.level, Level::Exceeded);
    let euros = [sale(date(2026, 1, 5), "AU", 1, "EUR")];
    assert!(turnover(&rules, "au.lvig", "yearly_turnover", 2026, &euros).is_err());
}
