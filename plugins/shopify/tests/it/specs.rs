//! Where the channel's documents are. They are not part of the repository; without them a test says so and passes.

use std::io::Read;
use std::path::PathBuf;

use entrepot_documents::json;
use serde_json::Value;

pub fn folder() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/specs");
    let root = std::env::var_os("ENTREPOT_SPECS").map_or(beside, PathBuf::from);
    let folder = root.join("shopify");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no documents at {}; set ENTREPOT_SPECS", folder.display());
    None
}

/// One REST document without its wrapping member.
pub fn sample(name: &str) -> Option<Value> {
    let file = folder()?.join("rest-samples").join(format!("{name}.json"));
    let value = json::parse(&std::fs::read_to_string(file).unwrap()).unwrap();
    Some(match value {
        Value::Object(members) if members.len() == 1 => members.into_iter().next().unwrap().1,
        other => other,
    })
}

/// All REST documents by name.
pub fn samples() -> Vec<(String, Value)> {
    let Some(folder) = folder() else { return Vec::new() };
    let mut names: Vec<String> = std::fs::read_dir(folder.join("rest-samples"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names.into_iter().map(|name| (name.clone(), sample(&name).unwrap())).collect()
}

/// The schema the documents are written for.
pub fn schema() -> Option<String> {
    let file = folder()?.join(format!("admin-{}.graphql.gz", entrepot_shopify::graphql::VERSION));
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(file).unwrap()).read_to_string(&mut text).unwrap();
    Some(text)
}
