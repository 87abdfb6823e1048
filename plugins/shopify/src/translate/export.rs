//! The file of an export: JSON lines, a variant and after it its levels, each with the id of what it belongs to.

use serde_json::{Value, json};

use crate::json;

const PARENT: &str = "__parentId";

/// What is whole in a part of the file.
#[derive(Debug, Default, PartialEq)]
pub struct Cut {
    /// In the shape in which the API gives variants.
    pub variants: Vec<Value>,
    /// Bytes that need not be read again.
    pub taken: usize,
}

/// The file is not what was ordered.
#[derive(Debug, PartialEq)]
pub struct Spoilt(pub String);

/// Up to `most` variants of a part that begins with one. The last variant of a part is not whole before the next one begins or
/// the file ends: its levels may go on in the next part.
pub fn cut(part: &[u8], is_last: bool, most: usize) -> Result<Cut, Spoilt> {
    let mut cut = Cut::default();
    let mut open: Option<(Value, Vec<Value>)> = None;
    let mut at = 0;
    while let Some(rest) = part.get(at..).filter(|rest| !rest.is_empty()) {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let Some(length) = end.or(is_last.then_some(rest.len())) else { break };
        let line = rest.get(..length).unwrap_or_default();
        let begins = at;
        at += length + usize::from(end.is_some());
        if line.trim_ascii().is_empty() {
            continue;
        }
        let mut line = parsed(line)?;
        let parent = line.as_object_mut().and_then(|members| members.remove(PARENT));
        match (parent, &mut open) {
            (None, _) => {
                if let Some(whole) = open.replace((line, Vec::new())) {
                    cut.variants.push(assembled(whole));
                    cut.taken = begins;
                }
                if cut.variants.len() >= most {
                    return Ok(cut);
                }
            }
            (Some(parent), Some((variant, levels))) if belongs(&parent, variant) => levels.push(line),
            (Some(parent), _) => return Err(Spoilt(format!("a line of {parent} does not stand below it"))),
        }
    }
    if is_last {
        cut.variants.extend(open.map(assembled));
        cut.taken = part.len();
    }
    Ok(cut)
}

fn parsed(line: &[u8]) -> Result<Value, Spoilt> {
    let text = std::str::from_utf8(line).map_err(|_| Spoilt("a line is not UTF-8".to_owned()))?;
    match json::parse(text) {
        Ok(object @ Value::Object(_)) => Ok(object),
        _ => Err(Spoilt(format!("a line is not a JSON object: {}", text.chars().take(80).collect::<String>()))),
    }
}

/// Levels hang on the inventory item, which is no line of its own; some files name it, some the variant.
fn belongs(parent: &Value, variant: &Value) -> bool {
    let item = variant.get("inventoryItem").and_then(|item| item.get("id"));
    [variant.get("id"), item].into_iter().flatten().any(|id| id == parent)
}

fn assembled((mut variant, levels): (Value, Vec<Value>)) -> Value {
    if let Some(Value::Object(item)) = variant.get_mut("inventoryItem") {
        item.insert("inventoryLevels".to_owned(), json!({ "nodes": levels }));
    }
    variant
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variant(id: u64) -> String {
        format!(r#"{{"id":"V{id}","title":"Größe","inventoryItem":{{"id":"I{id}"}}}}"#)
    }

    fn level(of: &str, quantity: i64) -> String {
        format!(r#"{{"quantities":[{{"name":"available","quantity":{quantity}}}],"__parentId":"{of}"}}"#)
    }

    fn levels(variant: &Value) -> usize {
        variant["inventoryItem"]["inventoryLevels"]["nodes"].as_array().map_or(0, Vec::len)
    }

    fn file() -> String {
        [variant(1), level("V1", 3), level("I1", 4), variant(2), variant(3), level("V3", 1), String::new()].join("\n")
    }

    #[test]
    fn a_part_gives_what_is_whole_in_it_wherever_it_is_cut() {
        let file = file();
        for piece in 60..=file.len() {
            let (mut offset, mut seen) = (0, Vec::new());
            while offset < file.len() {
                let mut length = piece;
                loop {
                    let part = &file.as_bytes()[offset..file.len().min(offset + length)];
                    let cut = cut(part, offset + length >= file.len(), 10).unwrap();
                    if cut.taken > 0 {
                        offset += cut.taken;
                        seen.extend(cut.variants);
                        break;
                    }
                    length *= 2;
                }
            }
            let shape: Vec<_> =
                seen.iter().map(|variant| (variant["id"].as_str().unwrap_or_default().to_owned(), levels(variant))).collect();
            assert_eq!(shape, [("V1".to_owned(), 2), ("V2".to_owned(), 0), ("V3".to_owned(), 1)], "in pieces of {piece}");
        }
    }

    #[test]
    fn no_more_are_taken_than_asked_for_and_the_next_part_begins_there() {
        let file = file();
        let first = cut(file.as_bytes(), true, 2).unwrap_or_default();
        assert_eq!(first.variants.len(), 2);
        let rest = cut(&file.as_bytes()[first.taken..], true, 2).unwrap_or_default();
        assert_eq!((rest.variants.len(), &rest.variants[0]["id"], first.taken + rest.taken), (1, &json!("V3"), file.len()));
        assert_eq!(cut(b"", true, 2), Ok(Cut::default()));
    }

    #[test]
    fn what_was_not_ordered_is_said() {
        let ungrouped = [variant(1), variant(2), level("V1", 3), String::new()].join("\n");
        assert!(cut(ungrouped.as_bytes(), true, 10).is_err());
        assert!(cut(level("V1", 3).as_bytes(), true, 10).is_err());
        assert!(cut(b"<html>\n", true, 10).is_err());
        assert!(cut(b"\xff\xfe\n", true, 10).is_err());
    }
}
