#![allow(clippy::unwrap_used)]

use jiff::civil::date;

use super::*;

fn gates(offer: &Offer<'_>, to: &str) -> Vec<String> {
    let rules = RuleSet::builtin().unwrap();
    let closed = publication_gates(&rules, offer, to, date(2026, 3, 1)).unwrap();
    assert!(closed.iter().all(|c| !c.reason.is_empty()));
    closed.into_iter().map(|c| c.gate).collect()
}

fn shown() -> Offer<'static> {
    let fields = [
        "manufacturer_name",
        "manufacturer_postal_address",
        "manufacturer_electronic_address",
        "product_picture",
        "product_type",
        "product_identifier",
        "warnings_in_market_language",
    ];
    Offer {
        fields: fields.into_iter().map(|f| (f, "x")).collect(),
        manufacturer_country: Some("DE"),
        consumer_product: true,
        hs: Some("610910"),
        registrations: BTreeSet::from(["de.lucid"]),
        ..Offer::default()
    }
}

#[test]
fn an_offer_to_the_eu_needs_the_safety_fields_and_a_responsible_person_for_foreign_makers() {
    assert!(gates(&shown(), "DE").is_empty());
    let foreign = Offer { manufacturer_country: Some("CN"), ..shown() };
    assert_eq!(gates(&foreign, "DE"), ["gpsr"]);
    let unknown = Offer { manufacturer_country: None, ..shown() };
    assert_eq!(gates(&unknown, "AT"), ["gpsr"]);
    assert!(gates(&foreign, "US").is_empty());
    let mut blank = shown();
    blank.fields.insert("product_picture", "  ");
    assert_eq!(gates(&blank, "AT"), ["gpsr"]);
}

#[test]
fn a_restriction_opens_with_the_registration_it_needs_and_an_unknown_code_keeps_it_closed() {
    let mut offer = shown();
    offer.registrations = BTreeSet::new();
    assert_eq!(gates(&offer, "DE"), ["de.packaging"]);
    let drill = Offer { hs: Some("846721"), ..shown() };
    assert_eq!(gates(&drill, "DE"), ["de.weee"]);
    let uncoded = Offer { hs: None, ..shown() };
    assert!(gates(&uncoded, "DE").contains(&"de.weee".to_owned()));
    let gum = Offer { hs: Some("17041000"), ..shown() };
    assert_eq!(gates(&gum, "SG"), ["sg.chewing_gum"]);
}

#[test]
fn a_battery_flies_only_with_known_facts_inside_the_limits() {
    let rules = RuleSet::builtin().unwrap();
    let battery = |packing, mode, wh: Option<i64>, soc: Option<i64>, day| {
        dangerous_goods(
            &rules,
            &Battery {
                un: if packing == "PI965" { "UN3480" } else { "UN3481" },
                packing,
                mode,
                watt_hours: wh.map(|w| Decimal::new(w, 1)),
                state_of_charge_percent: soc.map(Decimal::from),
                date: day,
            },
        )
    };
    let day = date(2026, 1, 1);
    assert_eq!(battery("PI965", "air_passenger", Some(10), Some(10), day), Ok(DangerousReason::ForbiddenOnPassengerAircraft));
    assert_eq!(battery("PI965", "air_cargo", None, Some(31), day), Ok(DangerousReason::StateOfCharge));
    assert_eq!(battery("PI966", "air_cargo", Some(27), Some(60), day), Ok(DangerousReason::Ok));
    assert_eq!(battery("PI966", "air_cargo", Some(28), Some(60), day), Ok(DangerousReason::StateOfCharge));
    assert_eq!(battery("PI966", "air_cargo", Some(28), Some(60), date(2025, 12, 31)), Ok(DangerousReason::Ok));
    assert_eq!(battery("PI966", "road", Some(280), Some(60), day), Ok(DangerousReason::Ok));
    assert!(battery("PI966", "air_cargo", Some(28), None, day).is_err());
    assert!(battery("PI000", "air_cargo", None, None, day).is_err());
}
