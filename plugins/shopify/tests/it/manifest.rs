//! The manifest fits its form and says what the component does.

use entrepot_shopify::translate;
use serde_json::Value;

fn manifest() -> Value {
    serde_json::from_str(include_str!("../../manifest.json")).unwrap()
}

#[test]
fn the_manifest_fits_the_published_schema() {
    let schema: Value = serde_json::from_str(include_str!("../../../../wit/v1/manifest.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let manifest = manifest();
    let problems: Vec<String> = validator.iter_errors(&manifest).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(problems.is_empty(), "{problems:?}");
}

#[test]
fn every_topic_the_manifest_asks_for_is_understood_and_known_to_the_channel() {
    let schema = super::specs::schema();
    for topic in manifest()["webhooks"]["topics"].as_array().unwrap() {
        let topic = topic.as_str().unwrap();
        if let Some(schema) = &schema {
            assert!(schema.contains(&format!("\n  {}\n", translate::topic_name(topic))), "{topic}");
        }
        let delivery = entrepot_shopify::contract::Delivery {
            topic: topic.into(),
            headers: Vec::new(),
            body: "{}".into(),
            received_at: "2026-11-21T10:00:00Z".into(),
        };
        let understood = !matches!(translate::delivery(&delivery).as_deref(), Ok([entrepot_shopify::contract::Event::Ignored(why)]) if why.contains("topic"));
        assert!(understood, "{topic} is asked for and then ignored");
    }
}
