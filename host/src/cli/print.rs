//! Answers for people: aligned tables of chosen columns, or everything under its name.

use serde_json::Value;

/// Columns as (heading, JSON pointer without the first slash).
pub type Columns = &'static [(&'static str, &'static str)];

pub fn answer(json: bool, value: &Value, columns: Columns) {
    if json {
        return say!("{value}");
    }
    match value["items"].as_array() {
        Some(items) => {
            table(items, columns);
            if let Some(cursor) = value["next_cursor"].as_str() {
                say!("\nmore: --cursor {cursor}");
            }
        }
        None => fields(value),
    }
}

pub fn table(items: &[Value], columns: Columns) {
    if items.is_empty() {
        return say!("none");
    }
    let rows: Vec<Vec<String>> = items.iter().map(|item| columns.iter().map(|(_, path)| cell(item, path)).collect()).collect();
    let widths: Vec<usize> = (0..columns.len())
        .map(|n| rows.iter().map(|row| row[n].chars().count()).chain([columns[n].0.len()]).max().unwrap_or_default())
        .collect();
    let line = |cells: Vec<&str>| {
        let padded: Vec<String> = cells.iter().zip(&widths).map(|(text, width)| format!("{text:<width$}")).collect();
        say!("{}", padded.join("  ").trim_end());
    };
    line(columns.iter().map(|(head, _)| *head).collect());
    rows.iter().for_each(|row| line(row.iter().map(String::as_str).collect()));
}

fn cell(item: &Value, path: &str) -> String {
    let value = if path.is_empty() { Some(item) } else { item.pointer(&format!("/{path}")) };
    let text = plain(value.unwrap_or(&Value::Null));
    if text.chars().count() > 60 { text.chars().take(59).chain(['…']).collect() } else { text }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => text.replace('\n', " "),
        Value::Object(money) if money.len() == 2 && money.contains_key("amount_minor") => {
            match serde_json::from_value::<crate::money::Money>(value.clone()) {
                Ok(money) => money.to_string(),
                Err(_) => value.to_string(),
            }
        }
        other => other.to_string(),
    }
}

fn fields(value: &Value) {
    let Some(object) = value.as_object() else { return say!("{}", plain(value)) };
    let width = object.keys().map(String::len).max().unwrap_or_default();
    for (name, value) in object {
        match value {
            Value::Array(items) if items.iter().any(Value::is_object) => {
                say!("{name}:");
                items.iter().for_each(|item| say!("  {}", inline(item)));
            }
            Value::Object(_) if value.get("amount_minor").is_none() => say!("{name:<width$}  {}", inline(value)),
            _ => say!("{name:<width$}  {}", plain(value)),
        }
    }
}

fn inline(value: &Value) -> String {
    let Some(object) = value.as_object() else { return plain(value) };
    object
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| format!("{name}={}", plain(value)))
        .collect::<Vec<_>>()
        .join("  ")
}
