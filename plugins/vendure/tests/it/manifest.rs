//! The manifest fits its form.

use serde_json::Value;

#[test]
fn the_manifest_fits_the_published_schema() {
    let schema: Value = serde_json::from_str(include_str!("../../../../wit/v1/manifest.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let manifest: Value = serde_json::from_str(include_str!("../../manifest.json")).unwrap();
    let problems: Vec<String> = validator.iter_errors(&manifest).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(problems.is_empty(), "{problems:?}");
}
