//! Where the shop's documents are. They are not part of the repository; without them a test says so and passes.

use std::path::PathBuf;

use entrepot_documents::json;
use serde_json::Value;

/// The folder of the WooCommerce documents.
pub fn folder() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/specs");
    let root = std::env::var_os("ENTREPOT_SPECS").map_or(beside, PathBuf::from);
    let folder = root.join("woocommerce");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no documents at {}; set ENTREPOT_SPECS", folder.display());
    None
}

/// Every document of one kind, by file and place, lists and batches taken apart.
pub fn samples(kind: &str) -> Vec<(String, Value)> {
    let Some(folder) = folder() else { return Vec::new() };
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder.join("samples").join(kind)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut documents = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let value = json::parse(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let parts = match &value {
            Value::Array(items) => items.clone(),
            Value::Object(members) if members.keys().all(|key| matches!(key.as_str(), "create" | "update" | "delete")) => {
                members.values().flat_map(|list| list.as_array().unwrap().clone()).collect()
            }
            _ => vec![value],
        };
        documents.extend(parts.into_iter().enumerate().map(|(at, part)| (format!("{kind}/{name}[{at}]"), part)));
    }
    documents
}

/// The property tables of one page.
pub fn table(page: &str) -> Option<Value> {
    let file = folder()?.join("fields").join(format!("{page}.json"));
    Some(serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap())
}
