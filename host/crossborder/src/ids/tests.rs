#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

thread_local! {
    static RULES: RuleSet = RuleSet::builtin().unwrap();
}

fn reason(scheme: &str, value: &str) -> Reason {
    RULES.with(|rules| validate(rules, scheme, value).unwrap().reason)
}

#[test]
fn documented_numbers_of_every_scheme_pass_and_a_changed_digit_does_not() {
    // Numbers printed in public documentation of the schemes, or built from the rule.
    let good = [
        ("eu_vat", "BE0428759497"),
        ("eu_vat", "DK13585628"),
        ("eu_vat", "FI20774740"),
        ("eu_vat", "PT501964843"),
        ("eu_vat", "SE123456789701"),
        ("eu_vat", "LU15027442"),
        ("eu_vat", "EL094259216"),
        ("jp_invoice", "T7000012050002"),
        ("br_cnpj", "16.727.230/0001-97"),
        ("gtin", "96385074"),
        ("hs6", "6109.10"),
        ("no_voec", "2024567"),
    ];
    for (scheme, value) in good {
        assert_eq!(reason(scheme, value), Reason::Ok, "{scheme} {value}");
    }
    for (scheme, value) in good.iter().filter(|(s, _)| !matches!(*s, "hs6" | "no_voec")) {
        let at = value.rfind(|c: char| c.is_ascii_digit()).unwrap();
        let at = if *scheme == "eu_vat" && value.starts_with("SE") { at - 2 } else { at };
        let digit = value[at..=at].parse::<u8>().unwrap();
        let changed = format!("{}{}{}", &value[..at], (digit + 1) % 10, &value[at + 1..]);
        assert_eq!(reason(scheme, &changed), Reason::CheckDigit, "{scheme} {changed}");
    }
}

#[test]
fn formats_without_a_check_and_countries_without_a_format_say_so() {
    assert_eq!(reason("hs6", "990000"), Reason::CheckDigit);
    assert_eq!(reason("hs6", "61091"), Reason::Format);
    assert_eq!(reason("eori", "GB12345"), Reason::Format);
    assert_eq!(reason("eori", "DE1234567"), Reason::Ok);
    assert_eq!(reason("eu_vat", "ESB12345678"), Reason::NotCovered);
    assert_eq!(reason("eu_vat", "US12345678"), Reason::Format);
    assert_eq!(reason("eu_vat", ""), Reason::Format);
    assert!(RULES.with(|rules| validate(rules, "moon", "1").is_err()));
}

proptest! {
    #[test]
    fn any_text_is_judged_without_a_crash(value in "\\PC{0,24}") {
        for scheme in ["eu_vat", "gb_vat", "in_gstin", "br_cnpj", "upu_s10", "eori", "gtin", "jp_invoice"] {
            let _ = reason(scheme, &value);
        }
    }

    #[test]
    fn one_wrong_digit_in_a_gtin_is_always_found(body in 0_u64..1_000_000_000_000, at in 0_usize..12, by in 1_u64..10) {
        let digits: Vec<u64> = format!("{body:012}").bytes().map(|b| u64::from(b - b'0')).collect();
        let sum: u64 = digits.iter().rev().zip([3, 1].into_iter().cycle()).map(|(d, w)| d * w).sum();
        let check = (10 - sum % 10) % 10;
        prop_assert_eq!(reason("gtin", &format!("{body:012}{check}")), Reason::Ok);
        let mut wrong = digits;
        wrong[at] = (wrong[at] + by) % 10;
        let text: String = wrong.iter().map(u64::to_string).collect();
        prop_assert_eq!(reason("gtin", &format!("{text}{check}")), Reason::CheckDigit);
    }
}
