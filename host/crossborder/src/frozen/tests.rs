#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::fx::RateTable;
use crate::money::Currency;
use crate::quote::quote;
use crate::rules::RuleSet;

fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::from_code("EUR").unwrap())
}

fn sale() -> Quote {
    let input = serde_json::from_str(
        r#"{"date":"2026-03-10","ship_from":"CN","ship_to":"DE","buyer":"consumer","channel":"marketplace",
        "currency":"EUR","lines":[{"sku":"A","unit_minor":4000,"qty":2,"kind":"ordinary"}],"shipping_minor":500}"#,
    )
    .unwrap();
    quote(&RuleSet::builtin().unwrap(), &RateTable::embedded().unwrap(), &input).unwrap()
}

#[test]
fn a_quote_kept_on_an_order_reads_back_as_it_was() {
    let kept = serde_json::to_string(&sale()).unwrap();
    assert_eq!(serde_json::from_str::<Quote>(&kept).unwrap(), sale());
}

#[test]
fn a_difference_is_named_and_a_rounding_is_not() {
    let ours = sale();
    let says = |tax: Option<i64>, collector: Option<&str>| {
        let channel = ChannelTax { tax: tax.map(eur), collector: collector.map(str::to_owned) };
        compare(&channel, &ours, 1)
    };
    assert!(says(Some(1615), Some("marketplace")).is_empty());
    assert!(says(Some(1614), None).is_empty());
    assert!(matches!(says(Some(1600), None)[..], [Difference::Amount { difference, .. }] if difference == eur(-15)));
    assert!(matches!(says(None, None)[..], [Difference::NotReported { .. }]));
    assert!(matches!(says(Some(1615), Some("seller"))[..], [Difference::Collector { .. }]));
    assert!(says(Some(1600), Some("seller")).iter().all(|d| !d.words().is_empty()));
}

proptest! {
    #[test]
    fn refunds_in_any_steps_give_back_exactly_the_tax(
        taxable in 1_i64..1_000_000, tax in 0_i64..300_000, steps in proptest::collection::vec(1_i64..400_000, 1..12),
    ) {
        let line = LineTax { sku: None, taxable: eur(taxable), tax: eur(tax), by_rate: Vec::new() };
        let mut before = Refunded::nothing(&line);
        for step in steps.into_iter().chain([taxable]) {
            let left = taxable - before.taxable.minor();
            if left == 0 {
                break;
            }
            let part = eur(step.min(left));
            let given = refund_line(&line, part, before).unwrap();
            prop_assert!(given.minor() >= 0);
            before = Refunded {
                taxable: before.taxable.checked_add(part).unwrap(),
                tax: before.tax.checked_add(given).unwrap(),
            };
        }
        prop_assert_eq!(before, Refunded { taxable: line.taxable, tax: line.tax });
        let more = refund_line(&line, eur(1), before);
        let refused = matches!(more, Err(Error::OverRefund { .. }));
        prop_assert!(refused);
    }
}
