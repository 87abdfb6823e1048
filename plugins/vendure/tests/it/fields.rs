//! `fields.toml` says what becomes of every field, and it is true: a mapped or kept field changes the result when it
//! changes, an ignored one does not.

use std::collections::BTreeMap;

use entrepot_vendure::translate;
use serde_json::{Value, json};

use super::recorded::{self, facts};

type Rules = BTreeMap<String, String>;

fn rules(kind: &str) -> Rules {
    let all: BTreeMap<String, Rules> = toml::from_str(include_str!("../../fields.toml")).unwrap();
    all[kind].clone()
}

/// The most exact line for a path: the path itself, else the longest prefix with a star.
fn rule<'a>(rules: &'a Rules, path: &str) -> Option<&'a str> {
    let starred = || {
        let fits = rules.iter().filter(|(pattern, _)| pattern.strip_suffix('*').is_some_and(|prefix| path.starts_with(prefix)));
        fits.max_by_key(|(pattern, _)| pattern.len()).map(|(_, rule)| rule)
    };
    rules.get(path).or_else(starred).map(String::as_str)
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
        Value::Array(_) => vec![json!([7777]), json!([{}])],
        Value::Object(_) => vec![json!({ "k": "v" })],
        Value::String(_) | Value::Null => {
            vec![json!("2001-02-03T04:05:06.000Z"), json!("zz-other"), json!("DE"), json!("FALSE"), json!("7777")]
        }
    }
}

fn check(kind: &str, documents: &[Value], translate: impl Fn(&Value) -> String) {
    let rules = rules(kind);
    let mut mattered: BTreeMap<String, bool> = BTreeMap::new();
    let mut missing = Vec::new();
    for document in documents {
        let before = translate(document);
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
                translate(&changed) != before
            });
            *mattered.entry(path).or_default() |= differs;
        }
    }
    missing.sort();
    missing.dedup();
    assert!(missing.is_empty(), "{kind}: fields without a line in fields.toml: {missing:?}");
    let says = |path: &str| rule(&rules, path).unwrap().split(':').next().unwrap().to_owned();
    let wrong: Vec<&String> = mattered
        .iter()
        .filter(|(path, mattered)| matches!(says(path).as_str(), "mapped" | "extras") != **mattered)
        .map(|(path, _)| path)
        .collect();
    assert!(wrong.is_empty(), "{kind}: the result says something else than fields.toml: {wrong:?}");
    println!("{kind}: {} documents, {} fields, none without a home", documents.len(), mattered.len());
}

#[test]
fn no_field_of_an_order_is_silently_dropped() {
    let documents: Vec<Value> = recorded::ORDERS.iter().map(|(name, _)| recorded::order(name)).collect();
    check("order", &documents, |document| format!("{:?}", translate::order(document, &facts())));
}

#[test]
fn no_field_of_a_variant_is_silently_dropped() {
    let documents = recorded::variants()["productVariants"]["items"].as_array().unwrap().clone();
    check("variant", &documents, |document| format!("{:?}", translate::listing(document, &facts())));
}
