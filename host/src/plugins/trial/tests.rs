//! The schema of the answer is generated from the contract, so that the two cannot drift apart.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use serde_json::{Value as Json, json};
use wit_parser::{Handle, Resolve, Type, TypeDefKind, TypeId};

use super::*;

const SCHEMA: &str = "../wit/v1/translate.schema.json";

struct Generator<'a> {
    resolve: &'a Resolve,
    definitions: serde_json::Map<String, Json>,
}

impl Generator<'_> {
    fn of(&mut self, ty: &Type) -> Json {
        match ty {
            Type::Bool => json!({"type": "boolean"}),
            Type::U8 | Type::U16 | Type::U32 => json!({"type": "integer", "minimum": 0}),
            Type::S8 | Type::S16 | Type::S32 => json!({"type": "integer"}),
            Type::Char | Type::String => json!({"type": "string"}),
            Type::Id(id) => self.named(*id),
            other => panic!("the contract has no {other:?}"),
        }
    }

    /// Types with a name become definitions; `use`d names lead to the type itself.
    fn named(&mut self, id: TypeId) -> Json {
        let ty = &self.resolve.types[id];
        let name = match (&ty.kind, &ty.name) {
            (TypeDefKind::Type(_), _) | (_, None) => return self.shape(id),
            (_, Some(name)) => name.clone(),
        };
        if !self.definitions.contains_key(&name) {
            // Reserved first, should a type ever lead back to itself.
            self.definitions.insert(name.clone(), Json::Null);
            let mut schema = self.shape(id);
            if let (Some(docs), Some(object)) = (&ty.docs.contents, schema.as_object_mut()) {
                object.insert("description".into(), docs.trim().replace('\n', " ").into());
            }
            self.definitions.insert(name.clone(), schema);
        }
        json!({"$ref": format!("#/$defs/{name}")})
    }

    fn shape(&mut self, id: TypeId) -> Json {
        let resolve = self.resolve;
        match &resolve.types[id].kind {
            TypeDefKind::Type(ty) => self.of(ty),
            TypeDefKind::Option(ty) => json!({"anyOf": [self.of(ty), {"type": "null"}]}),
            TypeDefKind::List(ty) => json!({"type": "array", "items": self.of(ty)}),
            TypeDefKind::Tuple(tuple) => {
                let items: Vec<Json> = tuple.types.iter().map(|ty| self.of(ty)).collect();
                json!({"type": "array", "minItems": items.len(), "maxItems": items.len(), "prefixItems": items})
            }
            TypeDefKind::Enum(cases) => json!({"enum": cases.cases.iter().map(|case| case.name.as_str()).collect::<Vec<_>>()}),
            TypeDefKind::Record(record) => {
                let properties: serde_json::Map<String, Json> =
                    record.fields.iter().map(|field| (field.name.clone(), self.of(&field.ty))).collect();
                let required: Vec<&str> = record.fields.iter().map(|field| field.name.as_str()).collect();
                json!({"type": "object", "additionalProperties": false, "required": required, "properties": properties})
            }
            TypeDefKind::Variant(variant) => {
                let cases: Vec<Json> = variant
                    .cases
                    .iter()
                    .map(|case| match &case.ty {
                        None => json!({"const": case.name}),
                        Some(ty) => {
                            let payload = self.of(ty);
                            json!({"type": "object", "additionalProperties": false, "required": [case.name], "properties": {&case.name: payload}})
                        }
                    })
                    .collect();
                json!({"oneOf": cases})
            }
            TypeDefKind::Handle(Handle::Own(_) | Handle::Borrow(_)) => panic!("a handle in an event"),
            other => panic!("the contract has no {other:?}"),
        }
    }
}

fn generate() -> Json {
    let mut resolve = Resolve::default();
    let mut channel = None;
    for folder in ["types", "host", "channel"] {
        channel = Some(resolve.push_path(Path::new("../wit/v1").join(folder)).unwrap().0);
    }
    let interface = resolve.packages[channel.unwrap()].interfaces["webhooks"];
    let types = &resolve.interfaces[interface].types;
    let (event, failure) = (types["event"], types["failure"]);
    let mut generator = Generator { resolve: &resolve, definitions: serde_json::Map::new() };
    let events = generator.named(event);
    let refusal = generator.named(failure);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What `entrepot plugin try NAME translate` prints",
        "description": "Either the events of one delivery (exit code 0) or the connector's refusal (exit code 3), under the names of the contract. Generated from wit/v1; a test compares them.",
        "oneOf": [
            {"type": "array", "items": events},
            refusal,
        ],
        "$defs": generator.definitions,
    })
}

#[test]
fn the_schema_in_wit_is_the_contract_s() {
    let generated = serde_json::to_string_pretty(&generate()).unwrap() + "\n";
    if std::env::var_os("ENTREPOT_BLESS").is_some() {
        std::fs::write(SCHEMA, &generated).unwrap();
    }
    let kept = std::fs::read_to_string(SCHEMA).unwrap_or_default();
    assert_eq!(
        serde_json::from_str::<Json>(&kept).ok(),
        Some(generate()),
        "the contract changed: run this test once with ENTREPOT_BLESS=1 and commit wit/v1/translate.schema.json"
    );
}

#[test]
fn values_are_written_under_the_contracts_names() {
    let value = record([
        ("external-id", text("7")),
        ("updated-at", Val::Option(None)),
        ("status", Val::Enum("gift-card".into())),
        ("state", Val::Variant("unchanged".into(), None)),
        ("event", Val::Variant("ignored".into(), Some(Box::new(text("why"))))),
        ("options", Val::List(vec![Val::Tuple(vec![text("Colour"), text("Red")])])),
        ("quantity", Val::S32(-3)),
    ]);
    let expected = json!({
        "external-id": "7", "updated-at": null, "status": "gift-card", "state": "unchanged",
        "event": {"ignored": "why"}, "options": [["Colour", "Red"]], "quantity": -3
    });
    assert_eq!(super::json(&value), expected);
}
