//! `fields.toml` says what becomes of every field, and it is true: a mapped or kept field changes the result when it
//! changes, an ignored one does not.

use std::collections::BTreeMap;

use entrepot_woocommerce::settings::WeightUnit;
use entrepot_woocommerce::translate::{self, Units};
use serde_json::{Value, json};

use super::documents::settings;
use super::specs;

type Rules = BTreeMap<String, String>;

fn rules(kind: &str) -> Rules {
    let all: BTreeMap<String, Rules> = toml::from_str(include_str!("../../fields.toml")).unwrap();
    all[kind].clone()
}

/// The most exact line for a path: the path itself, else the longest prefix with a star.
fn rule<'a>(rules: &'a Rules, path: &str) -> Option<&'a str> {
    let exact = rules.get(path);
    let starred = || {
        let fits = rules.iter().filter(|(pattern, _)| pattern.strip_suffix('*').is_some_and(|prefix| path.starts_with(prefix)));
        fits.max_by_key(|(pattern, _)| pattern.len()).map(|(_, rule)| rule)
    };
    exact.or_else(starred).map(String::as_str)
}

/// JSON pointers of all leaves with their pattern paths; an empty list or object is a leaf.
fn leaves(value: &Value, pointer: &str, path: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, member) in members {
                let dotted = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                leaves(member, &format!("{pointer}/{key}"), &dotted, found);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                leaves(item, &format!("{pointer}/{at}"), &format!("{path}[]"), found);
            }
        }
        _ => found.push((pointer.to_owned(), path.to_owned())),
    }
}

/// Other values a field might hold; at least one of them must make a difference where the field matters.
fn others(value: &Value) -> Vec<Value> {
    match value {
        Value::Bool(flag) => vec![json!(!flag)],
        Value::Number(_) => vec![json!(7777)],
        Value::String(text) if text.parse::<f64>().is_ok() => vec![json!("77.77"), json!("7777")],
        Value::String(_) | Value::Null => {
            vec![json!("2001-02-03T04:05:06"), json!("7.5"), json!("zz-other"), json!("DE"), json!("_refunded_item_id")]
        }
        Value::Array(_) => vec![
            json!([7777]),
            json!([{"id": 7777, "key": "k", "value": "v", "code": "c", "total": "7.00", "quantity": 1, "name": "n", "option": "o"}]),
        ],
        Value::Object(_) => vec![json!({"k": "v"})],
    }
}

fn check(kind: &str, documents: &[(String, Value)], translate: impl Fn(&Value) -> Result<Value, String>) {
    if documents.is_empty() {
        return;
    }
    let rules = rules(kind);
    let mut mattered: BTreeMap<String, bool> = BTreeMap::new();
    let mut missing = Vec::new();
    for (name, document) in documents {
        let Ok(before) = translate(document) else { panic!("{name} is refused") };
        let mut found = Vec::new();
        leaves(document, "", "", &mut found);
        for (pointer, path) in found {
            if rule(&rules, &path).is_none() {
                missing.push(path.clone());
                continue;
            }
            let value = document.pointer(&pointer).unwrap();
            let differs = others(value).into_iter().filter(|other| other != value).any(|other| {
                let mut changed = document.clone();
                *changed.pointer_mut(&pointer).unwrap() = other;
                translate(&changed) != Ok(before.clone())
            });
            *mattered.entry(path).or_default() |= differs;
        }
    }
    missing.sort();
    missing.dedup();
    assert!(missing.is_empty(), "{kind}: fields without a line in fields.toml: {missing:?}");
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (path, mattered) in &mattered {
        let rule = rule(&rules, path).unwrap();
        let word = rule.split(':').next().unwrap();
        *counts.entry(word).or_default() += 1;
        match word {
            "mapped" | "extras" => assert!(mattered, "{kind}: {path} is said to be {word}, but the result does not depend on it"),
            "ignored" => assert!(!mattered, "{kind}: {path} is said to be ignored, but the result depends on it"),
            other => panic!("{kind}: {path} has an unknown rule {other}"),
        }
    }
    println!("{kind}: {} documents, fields {counts:?}, none without a home", documents.len());
}

fn units() -> Units {
    Units { currency: Some("USD".to_owned()), weight: WeightUnit::Kilogram }
}

fn shown(value: impl std::fmt::Debug) -> Value {
    Value::from(format!("{value:?}"))
}

#[test]
fn no_field_of_an_order_is_silently_dropped() {
    check("order", &specs::samples("orders"), |document| {
        translate::order(document, None, &settings()).map(shown).map_err(|refusal| refusal.to_string())
    });
}

#[test]
fn no_field_of_a_product_is_silently_dropped() {
    // A variable product has no listing of its own unless it counts stock for its variations; a simple one always has.
    let documents: Vec<(String, Value)> = (specs::samples("products").into_iter())
        .map(|(name, mut document)| {
            document["type"] = json!("simple");
            document["manage_stock"] = json!(true);
            (name, document)
        })
        .collect();
    check("product", &documents, |document| translate::listing(document, None, &units()).map(shown).map_err(|refusal| refusal.to_string()));
}

#[test]
fn no_field_of_a_variation_is_silently_dropped() {
    let documents: Vec<(String, Value)> = (specs::samples("product-variations").into_iter())
        .map(|(name, mut document)| {
            document["manage_stock"] = json!(true);
            (name, document)
        })
        .collect();
    check("variation", &documents, |document| {
        translate::listing(document, None, &units()).map(shown).map_err(|refusal| refusal.to_string())
    });
}

#[test]
fn no_field_of_a_refund_is_silently_dropped() {
    let order = json!({"id": 723, "currency": "USD"});
    check("refund", &specs::samples("order-refunds"), |document| {
        translate::refunds(std::slice::from_ref(document), &order).map(shown).map_err(|refusal| refusal.to_string())
    });
}

#[test]
fn every_documented_property_has_a_line() {
    let pages = [
        ("orders", "order", "Order properties"),
        ("products", "product", "Product properties"),
        ("product-variations", "variation", "Product variation properties"),
        ("order-refunds", "refund", "Order refund properties"),
    ];
    for (page, kind, heading) in pages {
        let Some(table) = specs::table(page) else { return };
        let rules = rules(kind);
        for row in table[heading].as_array().unwrap() {
            let name = row["name"].as_str().unwrap();
            let listed = rules
                .keys()
                .any(|pattern| pattern == name || pattern.starts_with(&format!("{name}.")) || pattern.starts_with(&format!("{name}[")));
            assert!(listed, "{page}: {name} is documented but has no line in fields.toml");
        }
    }
}
