//! The simulator's part of the Admin API against the published schema: nothing may be invented, and what is there must
//! have the same type.

use std::io::Read;

use apollo_compiler::Schema;
use apollo_compiler::ast::InputValueDefinition;
use apollo_compiler::schema::ExtendedType;
use entrepot_simulators::shopify::SCHEMA;

use crate::specs;

fn published() -> Option<Schema> {
    let packed = specs::read("shopify/admin-2026-10.graphql.gz")?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
    Some(Schema::parse(text, "admin-2026-10.graphql").unwrap_or_else(|wrong| wrong.partial))
}

fn argument_text(argument: &InputValueDefinition) -> String {
    let default = argument.default_value.as_ref().map(|value| format!(" = {value}")).unwrap_or_default();
    format!("{}{default}", argument.ty)
}

#[test]
fn every_type_field_argument_and_value_stands_in_the_published_schema_with_the_same_type() {
    let Some(published) = published() else { return };
    let ours = Schema::parse_and_validate(SCHEMA, "schema.graphql").unwrap();
    let mut wrong = Vec::new();
    let mut checked = 0;
    for (name, ours) in ours.types.iter().filter(|(_, ours)| !ours.is_built_in()) {
        let Some(theirs) = published.types.get(name) else {
            wrong.push(format!("{name} does not exist"));
            continue;
        };
        let mut same = |what: String, ours: Option<String>, theirs: Option<String>| {
            checked += 1;
            if theirs.is_none() || ours != theirs {
                wrong.push(format!("{what}: ours {ours:?}, theirs {theirs:?}"));
            }
        };
        let fields = match (ours, theirs) {
            (ExtendedType::Object(ours), ExtendedType::Object(theirs)) => (&ours.fields, &theirs.fields),
            (ExtendedType::Interface(ours), ExtendedType::Interface(theirs)) => (&ours.fields, &theirs.fields),
            (ExtendedType::InputObject(ours), ExtendedType::InputObject(theirs)) => {
                for (field, ours) in &ours.fields {
                    let theirs = theirs.fields.get(field).map(|theirs| argument_text(theirs));
                    same(format!("{name}.{field}"), Some(argument_text(ours)), theirs);
                }
                for (field, theirs) in theirs.fields.iter().filter(|(_, theirs)| theirs.is_required()) {
                    same(
                        format!("{name}.{field} is required"),
                        ours.fields.get(field).map(|ours| argument_text(ours)),
                        Some(argument_text(theirs)),
                    );
                }
                continue;
            }
            (ExtendedType::Enum(ours), ExtendedType::Enum(theirs)) => {
                let names = |values: Vec<String>| Some(values.join(" "));
                same(
                    name.to_string(),
                    names(ours.values.keys().map(ToString::to_string).collect()),
                    names(theirs.values.keys().map(ToString::to_string).collect()),
                );
                continue;
            }
            (ExtendedType::Union(ours), ExtendedType::Union(theirs)) => {
                for member in &ours.members {
                    let known = theirs.members.contains(member).then(String::new);
                    same(format!("{name} | {member}"), Some(String::new()), known);
                }
                continue;
            }
            (ExtendedType::Scalar(_), ExtendedType::Scalar(_)) => continue,
            _ => {
                wrong.push(format!("{name} is of another kind"));
                continue;
            }
        };
        for (field, ours) in fields.0 {
            let theirs = fields.1.get(field);
            same(format!("{name}.{field}"), Some(ours.ty.to_string()), theirs.map(|theirs| theirs.ty.to_string()));
            for argument in &ours.arguments {
                let known = theirs.and_then(|theirs| theirs.argument_by_name(&argument.name));
                same(format!("{name}.{field}({})", argument.name), Some(argument_text(argument)), known.map(|known| argument_text(known)));
            }
        }
    }
    let ours = &ours.directive_definitions["idempotent"];
    let theirs = &published.directive_definitions["idempotent"];
    assert_eq!(ours.locations, theirs.locations);
    assert_eq!(argument_text(&ours.arguments[0]), argument_text(&theirs.arguments[0]));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked > 800, "only {checked} things were compared");
}
