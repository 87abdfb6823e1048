#![allow(clippy::unwrap_used)]

use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::money::Decimal;

fn builtin() -> RuleSet {
    RuleSet::builtin().unwrap()
}

fn file<'a>(name: &'a str, text: &'a str) -> RuleFile<'a> {
    RuleFile { name, text }
}

fn rate(set: &RuleSet, day: jiff::civil::Date) -> Vec<Decimal> {
    set.rates("DE", "standard", day).iter().map(|r| r.rate).collect()
}

const HEAD: &str = "jurisdiction,tax,category,rate,valid_from,valid_to,recorded_on,verification,sources\n";

#[test]
fn the_embedded_set_loads_and_covers_the_named_destinations() {
    let set = builtin();
    assert_eq!(set.version().len(), 64);
    assert_eq!(set.version(), builtin().version());
    let day = date(2026, 11, 21);
    for country in ["EU", "GB", "NO", "CH", "AU", "NZ", "SG", "US", "CA", "MX", "BR", "CN", "JP", "KR", "IN", "TR", "TH"] {
        assert!(set.rules(country, day).count() > 0, "{country}");
    }
    assert_eq!(set.zones.iter().filter(|z| z.zone == "EU" && z.period.holds_on(day)).count(), 27 + 3);
    for country in set.zones.iter().filter(|z| z.zone == "EU") {
        assert!(!set.rates(&country.taxed_as, "standard", day).is_empty(), "{}", country.country);
    }
}

#[test]
fn every_rule_says_its_source_or_that_it_has_none() {
    let set = builtin();
    for rule in set.rules.values().flatten() {
        assert!(!rule.cite.sources.is_empty() || !rule.cite.verification.is_verified(), "{}", rule.id);
        assert!(rule.cite.sources.iter().all(|s| set.source(s).is_some()), "{}", rule.id);
    }
}

#[test]
fn a_merchant_row_corrects_its_own_period_and_leaves_the_rest() {
    let text = format!("{HEAD}DE,VAT,standard,0.20,2027-01-01,2027-07-01,,merchant,\n");
    let set = RuleSet::load(&[file("tax_rates.csv", &text)]).unwrap();
    assert_eq!(rate(&set, date(2026, 12, 31)), [Decimal::new(19, 2)]);
    assert_eq!(rate(&set, date(2027, 1, 1)), [Decimal::new(20, 2)]);
    assert_eq!(rate(&set, date(2027, 7, 1)), [Decimal::new(19, 2)]);
    assert_ne!(set.version(), builtin().version());
    assert_eq!(set.rates("DE", "standard", date(2027, 2, 1))[0].cite.verification, Verification::Merchant);
}

#[test]
fn a_late_correction_does_not_change_what_was_known_before() {
    let text = format!("{HEAD}DE,VAT,standard,0.21,2026-01-01,,2026-06-15,merchant,\n");
    let set = RuleSet::load(&[file("tax_rates.csv", &text)]).unwrap();
    let order_day = date(2026, 2, 1);
    assert_eq!(rate(&set, order_day), [Decimal::new(21, 2)]);
    assert_eq!(rate(&set.as_known_on(date(2026, 6, 14)), order_day), [Decimal::new(19, 2)]);
    assert_eq!(rate(&set.as_known_on(date(2026, 6, 15)), order_day), [Decimal::new(21, 2)]);
    assert_ne!(set.as_known_on(date(2026, 6, 14)).version(), set.version());
}

#[test]
fn overlaps_gaps_and_sources_that_do_not_exist_are_refused() {
    let both = format!("{HEAD}XX,VAT,standard,0.1,2020-01-01,,,merchant,\nXX,VAT,standard,0.2,2021-01-01,,,merchant,\n");
    let hole = format!("{HEAD}XX,VAT,standard,0.1,2020-01-01,2020-12-31,,merchant,\nXX,VAT,standard,0.2,2021-01-01,,,merchant,\n");
    let alien = format!("{HEAD}XX,VAT,standard,0.1,2020-01-01,,,official,S999\n");
    let none = format!("{HEAD}XX,VAT,standard,0.1,2020-01-01,,,official,\n");
    let percent = format!("{HEAD}XX,VAT,standard,19,2020-01-01,,,merchant,\n");
    let mark = format!("{HEAD}XX,VAT,standard,0.1,2020-01-01,,,certain,\n");
    let load = |text: &str| RuleSet::load(&[file("tax_rates.csv", text)]).unwrap_err();
    assert!(matches!(load(&both), LoadError::Overlap { .. }));
    assert!(matches!(load(&hole), LoadError::Gap { .. }));
    assert!(matches!(load(&alien), LoadError::UnknownSource { .. }));
    assert!(matches!(load(&none), LoadError::NoSource { .. }));
    assert!(load(&percent).to_string().contains("write 19 % as 0.19"));
    assert!(load(&mark).to_string().contains("certain"));
}

#[test]
fn unknown_files_columns_facts_and_programmes_are_refused_by_name() {
    let unknown = RuleSet::load(&[file("rates.csv", "")]).unwrap_err().to_string();
    assert!(unknown.contains("rates.csv") && unknown.contains("tax_rates.csv"));
    let column = format!("{},colour\nXX,VAT,standard,0.1,2020-01-01,,,merchant,,red\n", HEAD.trim());
    let column = RuleSet::load(&[file("tax_rates.csv", &column)]).unwrap_err().to_string();
    assert!(column.contains("colour"), "{column}");
    let rule = |when: &str| {
        let text = format!(
            r#"[{{"id":"xx.a","scheme":"xx.a","jurisdiction":"XX","priority":1,"when":[{when}],"collector":"seller",
            "tax_point":"sale","calculation":"sale_tax","duty":"none","words":"w","verification":"merchant"}}]"#
        );
        RuleSet::load(&[file("rules.json", &text)])
    };
    assert!(rule(r#"{"fact":"buyer","is":"consumer"}"#).is_ok());
    assert!(rule(r#"{"fact":"moon","is":"full"}"#).unwrap_err().to_string().contains("moon"));
    assert!(rule(r#"{"fact":"buyer"}"#).is_err());
    let limit = r#"{"amount":"dearest_item","at_most":{"program":"xx.none","number":"threshold"}}"#;
    assert!(rule(limit).unwrap_err().to_string().contains("xx.none"));
}

struct Nothing;

impl Facts for Nothing {
    fn any(&self, fact: Fact, test: &mut dyn FnMut(Have<'_>) -> bool) -> Option<bool> {
        match fact {
            Fact::Buyer => Some(test(Have::Text("consumer"))),
            _ => None,
        }
    }

    fn compare(&self, _: Amount, _: &Limit) -> Compared {
        Compared::Unknown
    }
}

#[test]
fn an_unknown_fact_makes_a_condition_unknown_but_a_known_no_decides() {
    let parse = |text: &str| serde_json::from_str::<Vec<Condition>>(text).unwrap();
    let unknown = parse(r#"[{"fact":"buyer","is":"consumer"},{"fact":"channel","is":"marketplace"}]"#);
    assert_eq!(Condition::all_hold(&unknown, &Nothing), Truth::Unknown);
    let no = parse(r#"[{"fact":"channel","is":"marketplace"},{"fact":"buyer","is":"business"}]"#);
    assert_eq!(Condition::all_hold(&no, &Nothing), Truth::No);
    let any = parse(r#"[{"any":[{"fact":"channel","is":"x"},{"fact":"buyer","is":"consumer"}]}]"#);
    assert_eq!(Condition::all_hold(&any, &Nothing), Truth::Yes);
    let not = parse(r#"[{"not":{"fact":"channel","is":"x"}}]"#);
    assert_eq!(Condition::all_hold(&not, &Nothing), Truth::Unknown);
}

#[test]
fn a_known_part_of_a_tariff_code_finds_the_range_below_it_and_the_whole_code_the_nearest_row() {
    let text = "destination,hs,origin,rate,valid_from,valid_to,recorded_on,retracted_on,verification,sources\n\
        EU,610910,,0.12,2020-01-01,,,,merchant,\nEU,610990,,0.08,2020-01-01,,,,merchant,\nEU,61,VN,0,2020-01-01,,,,merchant,\n";
    let set = RuleSet::load(&[file("tariff.csv", text)]).unwrap();
    let day = date(2026, 1, 1);
    let rates = |hs: &str, origin| -> Vec<Decimal> { set.duty_rates("EU", hs, origin, day).iter().map(|r| r.rate).collect() };
    assert_eq!(rates("6109", None), [Decimal::new(12, 2), Decimal::new(8, 2)]);
    assert_eq!(rates("6109100010", None), [Decimal::new(12, 2)]);
    assert_eq!(rates("6109", Some("VN")), [Decimal::ZERO]);
    assert!(rates("8501", None).is_empty());
}

proptest! {
    #[test]
    fn a_rate_is_the_same_on_every_day_inside_its_row(index in 0_usize..250, step in 0_i32..20_000) {
        thread_local! {
            static SET: RuleSet = builtin();
        }
        SET.with(|set| {
            let rows: Vec<_> = set.all_rates().collect();
            let row = rows[index % rows.len()];
            let from = row.period.valid_from.unwrap();
            let Ok(day) = from.checked_add(jiff::Span::new().days(step)) else { return Ok(()) };
            if row.period.holds_on(day) {
                let found = set.rates(&row.jurisdiction, &row.category, day);
                prop_assert!(found.iter().any(|r| r.tax == row.tax && r.rate == row.rate));
                prop_assert_eq!(found.iter().filter(|r| r.tax == row.tax).count(), 1);
            }
            Ok(())
        })?;
    }
}
