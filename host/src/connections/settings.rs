//! Settings against the JSON Schema of a connector's manifest. Pure: a schema never fetches another.

use std::fmt;

use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value as Json;

use super::error::Error;

/// One setting that cannot stay as it is.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Problem {
    /// `origin`, `pages/0/size`; empty for the whole.
    pub field: String,
    /// As JSON, cut short; absent where a secret might have been put by mistake.
    pub value: Option<String>,
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = if self.field.is_empty() { "the settings".to_owned() } else { format!("setting `{}`", self.field) };
        match &self.value {
            Some(value) => write!(f, "{field} cannot be {value}; hint: {}", self.remedy),
            None => write!(f, "{field} is refused; hint: {}", self.remedy),
        }
    }
}

/// The settings with the defaults of required fields that were left out.
pub fn completed(schema: &Json, settings: &Json) -> Json {
    let mut settings = settings.clone();
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str);
    if let Some(given) = settings.as_object_mut() {
        for name in required {
            if let (false, Some(default)) = (given.contains_key(name), schema["properties"][name].get("default")) {
                given.insert(name.to_owned(), default.clone());
            }
        }
    }
    settings
}

/// Fields that the schema does not name are refused, as everywhere in the hub, unless the schema says how to treat them.
pub fn check_settings(schema: &Json, settings: &Json) -> Result<(), Error> {
    let schema = closed(schema);
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .map_err(|error| Error::Schema { why: error.masked().to_string().chars().take(200).collect() })?;
    let mut problems: Vec<Problem> = validator.iter_errors(settings).flat_map(|error| problems_of(&error, &schema)).collect();
    problems.sort_by(|a, b| a.field.cmp(&b.field));
    if problems.is_empty() { Ok(()) } else { Err(Error::Settings(problems)) }
}

fn closed(schema: &Json) -> Json {
    let mut schema = schema.clone();
    if let Some(object) = schema.as_object_mut() {
        let says = ["additionalProperties", "patternProperties", "unevaluatedProperties", "allOf", "anyOf", "oneOf", "$ref", "if"];
        if !says.iter().any(|word| object.contains_key(*word)) {
            object.insert("additionalProperties".into(), Json::Bool(false));
        }
    }
    schema
}

fn problems_of(error: &jsonschema::ValidationError<'_>, schema: &Json) -> Vec<Problem> {
    let base = error.instance_path().as_str().trim_start_matches('/').replace("~1", "/").replace("~0", "~");
    let under = |name: &str| if base.is_empty() { name.to_owned() } else { format!("{base}/{name}") };
    match error.kind() {
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            vec![Problem { field: under(name), value: Some("left out".into()), remedy: described(schema, name, "give it a value") }]
        }
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            let known: Vec<&str> = schema["properties"].as_object().map(|p| p.keys().map(String::as_str).collect()).unwrap_or_default();
            let remedy =
                format!("there is no such setting; known are {}; a password or key is given as a credential, not here", known.join(", "));
            unexpected.iter().map(|name| Problem { field: under(name), value: None, remedy: remedy.clone() }).collect()
        }
        kind => {
            vec![Problem { value: Some(short(error.instance())), remedy: described(schema, &base, &remedy_of(kind, error)), field: base }]
        }
    }
}

fn remedy_of(kind: &Kind, error: &jsonschema::ValidationError<'_>) -> String {
    match kind {
        Kind::Enum { options } => format!("give one of {options}"),
        Kind::Constant { expected_value } => format!("give {expected_value}"),
        Kind::Pattern { pattern } => format!("it must look like {pattern}"),
        Kind::Format { format } => format!("give a {format}"),
        Kind::Minimum { limit } => format!("give {limit} or more"),
        Kind::Maximum { limit } => format!("give {limit} or less"),
        Kind::ExclusiveMinimum { limit } => format!("give more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("give less than {limit}"),
        Kind::MinLength { limit } => format!("give {limit} characters or more"),
        Kind::MaxLength { limit } => format!("give {limit} characters or fewer"),
        _ => error.masked().to_string(),
    }
}

/// Adds the schema's own description of a top-level field.
fn described(schema: &Json, field: &str, remedy: &str) -> String {
    match schema["properties"][field]["description"].as_str() {
        Some(text) => format!("{remedy} ({})", text.trim_end_matches('.')),
        None => remedy.to_owned(),
    }
}

fn short(value: &Json) -> String {
    let text = value.to_string();
    if text.chars().count() <= 60 { text } else { text.chars().take(57).chain("...".chars()).collect() }
}
