//! The manifest fits its form and says what the component is.

use serde_json::Value;

#[test]
fn the_manifest_fits_the_published_schema() {
    let schema: Value = serde_json::from_str(include_str!("../../../../wit/v1/manifest.schema.json")).unwrap();
    let manifest: Value = serde_json::from_str(include_str!("../../manifest.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let problems: Vec<String> = validator.iter_errors(&manifest).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(problems.is_empty(), "{problems:?}");
}

#[test]
fn every_credential_a_request_names_is_declared() {
    let manifest: Value = serde_json::from_str(include_str!("../../manifest.json")).unwrap();
    let declared: Vec<&str> = manifest["credentials"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    let call = entrepot_woocommerce::requests::create_webhook("order.updated", "https://hub.example/webhooks/x");
    let settings = super::documents::settings();
    for name in &call.request(&settings).unwrap().raw().credentials {
        assert!(declared.contains(&name.as_str()), "{name}");
    }
}
