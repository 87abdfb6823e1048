//! Defaults, file, environment, flags: one table, and for every option the place it was last set.

use std::collections::BTreeMap;
use std::path::Path;

use toml::{Table, Value};

use super::{DEFAULTS, Error, Raw};

/// Variables with our prefix that are not options.
const NOT_OPTIONS: &[&str] =
    &["ENTREPOT_CONFIG", "ENTREPOT_MASTER_KEY", "ENTREPOT_API_KEY", "ENTREPOT_URL", "ENTREPOT_SPECS", "ENTREPOT_VECTORS", "ENTREPOT_DATA"];
/// Ours too, for tests and tools.
const NOT_OPTIONS_PREFIX: &[&str] = &["ENTREPOT_TEST_", "ENTREPOT_REAL_"];

pub(super) struct Layers {
    table: Table,
    places: BTreeMap<String, String>,
}

impl Layers {
    pub fn of_defaults() -> Result<Self, Error> {
        let table = DEFAULTS.parse::<Table>().map_err(|error| Error::Defaults(error.message().to_owned()))?;
        Ok(Self { table, places: BTreeMap::new() })
    }

    pub fn add_file(&mut self, path: &Path, text: &str) -> Result<(), Error> {
        let given: Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            Error::NotToml { path: path.to_owned(), line, problem: error.message().lines().next().unwrap_or_default().to_owned() }
        })?;
        let place = format!("the file {}", path.display());
        for (section, value) in given {
            let Value::Table(options) = value else {
                return Err(self.unknown(&place, &section));
            };
            if self.table.get(&section).is_none() {
                return Err(self.unknown(&place, &section));
            }
            for (option, value) in options {
                self.set(&place, &format!("{section}.{option}"), value)?;
            }
        }
        Ok(())
    }

    pub fn add_environment(&mut self, variables: &[(String, String)]) -> Result<(), Error> {
        let names: BTreeMap<String, String> =
            self.keys().map(|key| (format!("ENTREPOT_{}", key.replace('.', "_").to_uppercase()), key)).collect();
        for (name, text) in variables {
            if NOT_OPTIONS.contains(&name.as_str()) || NOT_OPTIONS_PREFIX.iter().any(|prefix| name.starts_with(prefix)) {
                continue;
            }
            let place = "the environment";
            let Some(key) = names.get(name) else {
                let hint = nearest(name, names.keys().map(String::as_str));
                return Err(Error::UnknownKey { place: place.into(), key: name.clone(), hint });
            };
            self.set_text(&format!("{place} ({name})"), key, text)?;
        }
        Ok(())
    }

    pub fn add_flag(&mut self, key: &str, text: &str) -> Result<(), Error> {
        self.set_text("the command line", key, text)
    }

    pub fn read(&self) -> Result<Raw, Error> {
        self.table.clone().try_into().map_err(|error: toml::de::Error| Error::Defaults(error.message().to_owned()))
    }

    /// Where an option got its value.
    pub fn place(&self, key: &str) -> String {
        self.places.get(key).cloned().unwrap_or_else(|| "the defaults".into())
    }

    fn keys(&self) -> impl Iterator<Item = String> {
        let sections = self.table.iter().filter_map(|(section, value)| Some((section, value.as_table()?)));
        sections.flat_map(|(section, options)| options.keys().map(move |option| format!("{section}.{option}")))
    }

    fn slot(&mut self, key: &str) -> Option<&mut Value> {
        let (section, option) = key.split_once('.')?;
        self.table.get_mut(section)?.as_table_mut()?.get_mut(option)
    }

    fn unknown(&self, place: &str, key: &str) -> Error {
        let keys: Vec<String> = self.keys().collect();
        Error::UnknownKey { place: place.to_owned(), key: key.to_owned(), hint: nearest(key, keys.iter().map(String::as_str)) }
    }

    fn set(&mut self, place: &str, key: &str, value: Value) -> Result<(), Error> {
        let Some(slot) = self.slot(key) else { return Err(self.unknown(place, key)) };
        let fits = match (&*slot, &value) {
            (Value::Array(_), Value::Array(items)) => items.iter().all(Value::is_str),
            (old, new) => old.same_type(new),
        };
        if !fits {
            let wanted = kind(slot);
            return Err(Error::WrongType { place: place.to_owned(), key: key.to_owned(), found: shown(&value), wanted });
        }
        *slot = value;
        self.places.insert(key.to_owned(), place.to_owned());
        Ok(())
    }

    /// The option's own type says how a text is read.
    fn set_text(&mut self, place: &str, key: &str, text: &str) -> Result<(), Error> {
        let Some(slot) = self.slot(key) else { return Err(self.unknown(place, key)) };
        let wanted = kind(slot);
        let value = match slot {
            Value::Integer(_) => text.trim().parse().ok().map(Value::Integer),
            Value::Boolean(_) => text.trim().parse().ok().map(Value::Boolean),
            Value::Array(_) => Some(Value::Array(
                text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(|item| Value::String(item.into())).collect(),
            )),
            _ => Some(Value::String(text.to_owned())),
        };
        let value =
            value.ok_or_else(|| Error::WrongType { place: place.to_owned(), key: key.to_owned(), found: format!("`{text}`"), wanted })?;
        self.set(place, key, value)
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) => "a whole number",
        Value::Boolean(_) => "true or false",
        Value::Array(_) => "a list of texts",
        _ => "a text in quotes",
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.len() > 60 { "something else".into() } else { format!("`{text}`") }
}

/// A hint for a misspelt key.
fn nearest<'a>(key: &str, known: impl Iterator<Item = &'a str>) -> String {
    let near = known.map(|name| (distance(key, name), name)).min();
    match near {
        Some((apart, name)) if apart <= key.len() / 3 + 1 => format!("did you mean `{name}`?"),
        _ => "`entrepot config default` lists every option".into(),
    }
}

/// Edits from one text to the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let cost = if x == *y { corner } else { 1 + corner.min(row[j]).min(row[j + 1]) };
            corner = row[j + 1];
            row[j + 1] = cost;
        }
    }
    row.last().copied().unwrap_or_default()
}
