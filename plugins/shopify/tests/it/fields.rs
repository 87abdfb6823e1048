//! `fields.toml` says what becomes of every field, and it is true: a mapped or kept field changes the result when it
//! changes, an ignored one does not.

use std::collections::BTreeMap;

use entrepot_shopify::translate;
use serde_json::{Value, json};

use super::documents::deliver;
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
        Value::String(_) | Value::Null => vec![
            json!("2001-02-03T04:05:06Z"),
            json!("7.5"),
            json!("zz-other"),
            json!("DE"),
            json!(7777),
            json!("gid://shopify/Order/7777"),
        ],
        Value::Array(_) => vec![json!([7777]), json!(["text"])],
        Value::Object(_) => vec![json!({"k": "v"})],
    }
}

fn check(kind: &str, documents: &[Value], translate: impl Fn(&Value) -> Result<Value, String>) {
    let rules = rules(kind);
    let mut mattered: BTreeMap<String, bool> = BTreeMap::new();
    let mut missing = Vec::new();
    for document in documents {
        let before = translate(document).unwrap();
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
    let mut wrong = Vec::new();
    for (path, mattered) in &mattered {
        let word = rule(&rules, path).unwrap().split(':').next().unwrap();
        *counts.entry(word).or_default() += 1;
        if matches!(word, "mapped" | "extras") != *mattered {
            wrong.push(format!("{path} ({word})"));
        }
    }
    assert!(wrong.is_empty(), "{kind}: the result says something else than fields.toml: {wrong:?}");
    println!("{kind}: {} documents, fields {counts:?}, none without a home", documents.len());
}

fn shown(value: impl std::fmt::Debug) -> Value {
    Value::from(format!("{value:?}"))
}

fn all(names: &[&str]) -> Vec<Value> {
    let documents = names.iter().filter_map(|name| specs::sample(name));
    documents.flat_map(|document| document.as_array().cloned().unwrap_or_else(|| vec![document])).collect()
}

/// The same document as a buyer with another currency would have made it.
fn abroad(mut document: Value) -> Value {
    for member in document.as_object_mut().unwrap().values_mut() {
        if let Some(money) = member.get_mut("presentment_money") {
            money["currency_code"] = json!("CAD");
        }
    }
    document
}

#[test]
fn no_field_of_an_order_is_silently_dropped() {
    // The second sample has no lines; with an empty list it is an order like any other.
    let documents: Vec<Value> = (all(&["order", "orders"]).into_iter())
        .map(|mut document| {
            if document.get("line_items").is_none() {
                document["line_items"] = json!([]);
            }
            // A fulfilment that failed is kept whole beside the record; one that left is mapped.
            if let Some(fulfillment) = document.pointer_mut("/fulfillments/0") {
                fulfillment["status"] = json!("success");
            }
            document
        })
        .flat_map(|document| [abroad(document.clone()), document])
        .collect();
    check("order", &documents, |document| translate::rest_order(document).map(shown).map_err(|refusal| refusal.to_string()));
}

#[test]
fn no_field_of_a_refund_is_silently_dropped() {
    check("refund", &all(&["refund"]), |document| {
        translate::rest_refund(document, "USD").map(|parts| shown(parts.refund)).map_err(|refusal| refusal.to_string())
    });
}

#[test]
fn no_field_of_a_fulfilment_is_silently_dropped() {
    check("fulfillment", &all(&["fulfillment"]), |document| {
        translate::rest_fulfillment(document).map(shown).map_err(|refusal| refusal.to_string())
    });
}

#[test]
fn no_field_of_an_inventory_level_is_silently_dropped() {
    check("inventory_level", &all(&["inventory_level", "inventory_levels"]), |document| {
        deliver("inventory_levels/update", document).map(shown).map_err(|failure| failure.message)
    });
}
