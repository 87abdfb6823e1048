#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;

const HELLO: &str = include_str!("../../../../examples/hello-connector/manifest.json");

fn hello() -> Value {
    serde_json::from_str(HELLO).unwrap()
}

fn refused(change: impl FnOnce(&mut Value)) -> String {
    let mut value = hello();
    change(&mut value);
    Manifest::parse(value.to_string().as_bytes()).unwrap_err().to_string()
}

#[test]
fn the_example_is_read_and_written_back_unchanged_in_meaning() {
    let manifest = Manifest::parse(HELLO.as_bytes()).unwrap();
    assert_eq!(manifest.capabilities, [Capability::Connection, Capability::Webhooks]);
    let again = serde_json::to_vec(&manifest).unwrap();
    assert_eq!(Manifest::parse(&again).unwrap(), manifest);
}

#[test]
fn every_refusal_names_its_key() {
    for (message, change) in [
        ("colour", (|v: &mut Value| v["colour"] = json!("red")) as fn(&mut Value)),
        ("hosts[0]", |v| v["hosts"][0]["path"] = json!("/")),
        ("`sekret`", |v| v["credentials"][0]["secret"] = json!("sekret")),
        ("credential `api`", |v| v["credentials"][0]["extra"] = json!(1)),
        ("credential `api`", |v| v["credentials"][0]["kind"] = json!("cookie")),
        ("/name", |v| v["name"] = json!("Hello World")),
        ("hole `{shop}`", |v| v["hosts"][0]["origin"] = json!("https://{shop}.example.com")),
        ("left-most", |v| v["hosts"][0]["origin"] = json!("https://a.*.example.com")),
        ("not in `hosts`", |v| v["credentials"][0]["hosts"] = json!(["https://elsewhere.example"])),
        ("`connection` is missing", |v| v["capabilities"] = json!(["webhooks"])),
        ("capabilities[0]", |v| v["capabilities"] = json!(["teleport"])),
        ("come together", |v| v["capabilities"] = json!(["connection"])),
        ("has 6 fields", |v| v["schedules"][0]["cron"] = json!("0 7 * * * *")),
        ("schedules[0].cron", |v| v["schedules"][0]["cron"] = json!("61 * * * *")),
        ("`orders-in` is not among", |v| v["schedules"][0]["run"] = json!("orders-in")),
        ("declared twice", |v| v["secrets"][1]["name"] = json!("token")),
        ("timestamp", |v| v["webhooks"]["verify"]["signed"] = json!("timestamp.body")),
        ("/webhooks/verify", |v| v["webhooks"]["verify"] = json!({"scheme": "unsigned"})),
        ("/manifest", |v| v["manifest"] = json!(2)),
        ("additionalProperties", |v| v["settings"] = json!({"type": "object"})),
        ("contract", |v| v["kind"] = json!("carrier")),
    ] {
        let error = refused(change);
        assert!(error.contains(message), "expected `{message}` in: {error}");
    }
}

#[test]
fn settings_are_checked_with_the_manifests_own_schema() {
    let manifest = Manifest::parse(HELLO.as_bytes()).unwrap();
    assert_eq!(manifest.check_settings(&json!({"origin": "https://shop.example"})), Ok(()));
    let problems = manifest.check_settings(&json!({"origin": "shop.example", "colour": 1})).unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:?}");
}

#[test]
fn a_whole_hole_takes_an_origin_and_nothing_more() {
    let fill = |origin: &str| origin::fill("{origin}", &json!({ "origin": origin }));
    assert_eq!(fill("https://Shop.Example").unwrap().to_string(), "https://shop.example");
    assert_eq!(fill("http://127.0.0.1:8080").unwrap().to_string(), "http://127.0.0.1:8080");
    for bad in [
        "shop.example",
        "https://shop.example/path",
        "https://a@b.example",
        "https://*.example.com",
        "ftp://a.example",
        "https://",
        "https://a.example/?x",
        "file:///etc",
    ] {
        assert!(fill(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_label_hole_cannot_move_the_request_to_another_host() {
    let fill = |shop: &str| origin::fill("https://{shop}.example.com", &json!({ "shop": shop }));
    assert_eq!(fill("My-Shop").unwrap().to_string(), "https://my-shop.example.com");
    for bad in ["evil.test/", "evil.test#", "a.b", "a@b", "", "-a", "a_b", "ä", "a:1"] {
        assert!(fill(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_wildcard_stands_for_labels_in_front_only() {
    let origin = Origin::parse("https://*.example.com").unwrap();
    let matches = |url: &str| origin.matches(&url::Url::parse(url).unwrap());
    assert!(matches("https://a.example.com/x"));
    assert!(matches("https://a.b.example.com/"));
    for other in [
        "https://example.com/",
        "http://a.example.com/",
        "https://a.example.com:444/",
        "https://aexample.com/",
        "https://a.example.com.evil.test/",
    ] {
        assert!(!matches(other), "{other}");
    }
    assert!(Origin::parse("https://*.com").is_err());
}
