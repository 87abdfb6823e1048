#![allow(clippy::unwrap_used)]

use jiff::civil::date;
use proptest::prelude::*;

use super::*;

fn line(day: Date, country: &str, ccy: &str, taxable: i64, amount: i64) -> TaxLine {
    let currency = Currency::from_code(ccy).unwrap();
    TaxLine {
        order: "ord_1".to_owned(),
        date: day,
        corrects: None,
        scheme: "eu.oss".to_owned(),
        collector: "seller".to_owned(),
        country: country.to_owned(),
        tax: "VAT".to_owned(),
        rate: Decimal::new(20, 2),
        taxable: Money::new(taxable, currency),
        amount: Money::new(amount, currency),
    }
}

fn eur() -> Currency {
    Currency::from_code("EUR").unwrap()
}

#[test]
fn a_return_in_pounds_uses_the_last_day_of_the_quarter_or_the_next_publication() {
    let rates = RateTable::embedded().unwrap();
    let lines = [line(date(2022, 12, 1), "FR", "GBP", 10_000, 2_000)];
    let report = vat_return(&lines, date(2022, 10, 1), date(2022, 12, 31), eur(), &rates).unwrap();
    // 20.00 / 0.88630 of 2023-01-02.
    assert_eq!(report.rows[0].return_amount.minor(), 2257);
    assert!(report.to_csv().contains("2022-10-01,2022-12-31,eu.oss,seller,FR,VAT,0.2,,1,GBP,100.00,20.00,EUR"));
}

#[test]
fn a_refund_of_an_earlier_month_is_a_row_of_its_own_and_other_collectors_are_apart() {
    let rates = RateTable::embedded().unwrap();
    let mut refund = line(date(2026, 4, 10), "FR", "EUR", -1000, -200);
    refund.corrects = Some(date(2026, 3, 2));
    let mut market = line(date(2026, 4, 10), "FR", "EUR", 5000, 1000);
    market.collector = "marketplace".to_owned();
    let lines = [line(date(2026, 4, 2), "FR", "EUR", 1000, 200), refund, market];
    let report = vat_return(&lines, date(2026, 4, 1), date(2026, 6, 30), eur(), &rates).unwrap();
    assert_eq!(report.rows.len(), 3);
    assert_eq!(report.owed_by("seller").unwrap().minor(), 0);
    assert_eq!(report.owed_by("marketplace").unwrap().minor(), 1000);
    assert!(report.rows.iter().any(|r| r.corrected_month.as_deref() == Some("2026-03")));
}

#[test]
fn a_cell_that_a_spreadsheet_would_run_is_disarmed() {
    assert_eq!(cell("=1+1"), "'=1+1");
    assert_eq!(cell("-12.50"), "-12.50");
    assert_eq!(cell("a,\"b\""), "\"a,\"\"b\"\"\"");
}

proptest! {
    #[test]
    fn the_report_adds_up_to_the_lines_and_refunding_everything_leaves_nothing(
        amounts in proptest::collection::vec((0_usize..4, 1_i64..100_000, 0_i32..91), 1..40),
    ) {
        let rates = RateTable::embedded().unwrap();
        let countries = ["FR", "IT", "ES", "PL"];
        let start = date(2026, 1, 1);
        let mut lines: Vec<TaxLine> = amounts.iter().map(|(c, amount, day)| {
            let day = start.checked_add(jiff::Span::new().days(*day)).unwrap();
            line(day, countries[*c], "EUR", amount * 5, *amount)
        }).collect();
        let end = date(2026, 3, 31);
        let whole = vat_return(&lines, start, end, eur(), &rates).unwrap();
        let inside: Vec<_> = lines.iter().filter(|l| l.date <= end).cloned().collect();
        let sum: i64 = inside.iter().map(|l| l.amount.minor()).sum();
        prop_assert_eq!(whole.owed_by("seller").unwrap().minor(), sum);
        prop_assert_eq!(whole.rows.iter().map(|r| r.lines).sum::<usize>(), inside.len());
        lines = inside;
        let mirrored: Vec<_> = lines.iter().map(|l| TaxLine {
            taxable: l.taxable.checked_neg().unwrap(),
            amount: l.amount.checked_neg().unwrap(),
            corrects: Some(l.date),
            ..l.clone()
        }).collect();
        lines.extend(mirrored);
        let nothing = vat_return(&lines, start, end, eur(), &rates).unwrap();
        prop_assert!(nothing.rows.iter().all(|r| r.amount.is_zero() && r.taxable.is_zero()));
    }
}
