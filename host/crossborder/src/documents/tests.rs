#![allow(clippy::unwrap_used)]

use jiff::civil::date;

use super::*;
use crate::money::Currency;

#[test]
fn the_form_follows_the_value_in_sdr_and_the_way_of_transport() {
    let rules = RuleSet::builtin().unwrap();
    let form = |post, letter, minor| {
        let value = Money::new(minor, Currency::from_code("EUR").unwrap());
        customs_form(&rules, date(2026, 1, 1), post, letter, value, Decimal::new(12, 1)).unwrap().0
    };
    assert_eq!(form(true, true, 36_000), Form::Cn22);
    assert_eq!(form(true, true, 36_001), Form::Cn23);
    assert_eq!(form(true, false, 100), Form::Cn23);
    assert_eq!(form(false, true, 100), Form::CommercialInvoice);
}

#[test]
fn a_product_identifier_is_missing_only_from_the_day_it_is_mandatory() {
    let rules = RuleSet::builtin().unwrap();
    let row = rules.document("H7").unwrap();
    let given: BTreeSet<&str> = row.fields.iter().map(String::as_str).filter(|f| *f != "product_identifier").collect();
    assert!(missing_fields(&rules, "H7", date(2026, 10, 31), &given).unwrap().is_empty());
    assert_eq!(missing_fields(&rules, "H7", date(2026, 11, 1), &given).unwrap(), ["product_identifier"]);
    assert!(missing_fields(&rules, "H9", date(2026, 11, 1), &given).is_err());
}

#[test]
fn descriptions_that_customs_reject_are_refused_and_real_ones_are_not() {
    let rules = RuleSet::builtin().unwrap();
    for bad in ["", "gift", "GIFT!", "Sample", "accessories", "12345", "various goods", "A 7"] {
        assert!(lint_description(&rules, bad).is_err(), "{bad:?}");
    }
    for good in ["cotton T-shirt", "gift box of soap", "phone accessories", "Edelstahlmesser", "棉质衬衫"] {
        assert_eq!(lint_description(&rules, good), Ok(()), "{good}");
    }
}
