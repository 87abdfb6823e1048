//! The manifest fits its form, and requests go only where it says.

use entrepot_ecb::requests;
use entrepot_ecb::settings::{History, Settings};
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
fn what_the_settings_schema_allows_can_be_read() {
    let properties = &manifest()["settings"]["properties"];
    let origin = properties["origin"]["default"].as_str().unwrap();
    for (word, history) in [("all", History::All), ("90-days", History::NinetyDays), ("none", History::None)] {
        assert!(properties["history"]["enum"].as_array().unwrap().contains(&json!(word)));
        let settings = Settings::parse(&json!({ "origin": origin, "history": word }).to_string()).unwrap();
        assert_eq!(settings, Settings { origin: origin.into(), history });
    }
    assert!(Settings::parse("{}").is_err());
    assert!(Settings::parse(r#"{"origin": "https://a.example", "history": "some"}"#).is_err());
}

#[test]
fn every_request_stays_under_the_path_that_is_asked_for() {
    let settings = Settings { origin: "https://www.ecb.europa.eu".into(), history: History::All };
    let path = manifest()["hosts"][0]["paths"][0].as_str().unwrap().to_owned();
    for request in [requests::daily(&settings), requests::ninety_days(&settings), requests::history(&settings)] {
        let raw = request.raw();
        assert!(raw.url.starts_with(&format!("https://www.ecb.europa.eu{path}")), "{}", raw.url);
        assert!(!raw.mutating && raw.credentials.is_empty());
    }
}
