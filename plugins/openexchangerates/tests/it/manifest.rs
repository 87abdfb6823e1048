//! The manifest fits its form, and requests go only where it says, with the credential it declares.

use entrepot_openexchangerates::requests;
use entrepot_openexchangerates::settings::Settings;
use serde_json::{Value, json};

fn manifest() -> Value {
    serde_json::from_str(include_str!("../../manifest.json")).unwrap()
}

#[test]
fn the_manifest_fits_the_published_schema() {
    let schema: Value = serde_json::from_str(include_str!("../../../../wit/v1/manifest.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let problems: Vec<String> = validator.iter_errors(&manifest()).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(problems.is_empty(), "{problems:?}");
}

#[test]
fn every_request_names_the_declared_credential_and_never_a_value() {
    let origin = manifest()["settings"]["properties"]["origin"]["default"].clone();
    let given = json!({ "origin": origin, "base": "EUR", "history-from": "2026-01-01" });
    let settings = Settings::parse(&given.to_string()).unwrap();
    assert_eq!(settings.history_from, Some(20_454));
    let declared = manifest()["credentials"][0]["name"].as_str().unwrap().to_owned();
    for (request, url) in [
        (requests::latest(&settings), "https://openexchangerates.org/api/latest.json?base=EUR"),
        (requests::historical(&settings, 20_454), "https://openexchangerates.org/api/historical/2026-01-01.json?base=EUR"),
    ] {
        let raw = request.raw();
        assert_eq!((raw.url.as_str(), raw.credentials.as_slice(), raw.mutating), (url, &[declared.clone()][..], false));
    }
    let plain = Settings::parse(r#"{"origin": "https://a.example/"}"#).unwrap();
    assert_eq!(requests::latest(&plain).raw().url, "https://a.example/api/latest.json");
    for bad in ["{}", r#"{"origin": "https://a.example", "history-from": "2026-02-30"}"#, "[]"] {
        assert!(Settings::parse(bad).is_err(), "{bad}");
    }
}
