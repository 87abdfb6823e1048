//! The channels' documents, read in place. A test that needs one says so and passes when the folder is not there.

use std::path::PathBuf;

pub fn folder() -> PathBuf {
    let default = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/specs");
    std::env::var_os("ENTREPOT_SPECS").map_or(default, PathBuf::from)
}

/// The bytes of one document, or nothing (said aloud) when it is missing.
pub fn read(path: &str) -> Option<Vec<u8>> {
    let full = folder().join(path);
    let bytes = std::fs::read(&full).ok();
    if bytes.is_none() {
        println!("skipped: {} is not there; set ENTREPOT_SPECS to the folder of channel documents", full.display());
    }
    bytes
}

pub fn json(path: &str) -> Option<serde_json::Value> {
    read(path).map(|bytes| serde_json::from_slice(&bytes).unwrap())
}
