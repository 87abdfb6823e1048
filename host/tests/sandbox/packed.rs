//! What can be told from the bytes alone, before anything is compiled.

use entrepot::plugins::artifact::{self, Error};
use entrepot::plugins::package;
use serde_json::{Value, json};

use crate::rig::{bytes, hello, hostile, hostile_module};

fn manifest() -> Value {
    serde_json::from_str(include_str!("../../../tests/plugins/hostile/manifest.json")).unwrap()
}

fn packed_with(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut manifest = manifest();
    change(&mut manifest);
    package::pack(&hostile_module(), manifest.to_string().as_bytes()).unwrap()
}

/// Replaces a name by another one of the same length wherever it stands.
fn renamed(mut wasm: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut found = 0;
    for at in 0..wasm.len() - from.len() {
        if &wasm[at..at + from.len()] == from.as_bytes() {
            wasm[at..at + from.len()].copy_from_slice(to.as_bytes());
            found += 1;
        }
    }
    assert!(found > 0, "{from} is not in the file");
    wasm
}

#[test]
fn a_packed_connector_says_what_it_is_without_running() {
    let inspected = artifact::inspect(&bytes(hello())).unwrap();
    assert_eq!((inspected.manifest.name.as_str(), inspected.requires.to_string().as_str()), ("hello", "1.0.0"));
    assert_eq!(inspected.exports, ["entrepot:channel/connection@1.0.0", "entrepot:channel/webhooks@1.0.0"]);
    // Only what it calls: it has no use for state, blobs or the vault.
    assert!(
        inspected.imports.iter().all(|name| name.starts_with("entrepot:types/") || name == "entrepot:host/http@1.0.0"),
        "{:?}",
        inspected.imports
    );
}

#[test]
fn packing_is_reproducible_and_carries_no_paths_of_this_machine() {
    let wasm = bytes(hostile());
    let again = package::pack(&hostile_module(), include_bytes!("../../../tests/plugins/hostile/manifest.json")).unwrap();
    assert_eq!(artifact::digest(&wasm), artifact::digest(&again));
    let home = std::env::home_dir().unwrap();
    for place in [crate::rig::workspace(), home.join(".cargo")] {
        let place = place.to_str().unwrap().as_bytes().to_vec();
        assert!(!wasm.windows(place.len()).any(|window| window == place), "{}", String::from_utf8_lossy(&place));
    }
}

#[test]
fn declared_and_exported_capabilities_must_be_the_same() {
    let less = packed_with(|manifest| manifest["capabilities"] = json!(["connection", "webhooks"]));
    assert!(matches!(artifact::inspect(&less), Err(Error::NotDeclared(capability)) if capability.as_str() == "stock-out"));
    let more = packed_with(|manifest| manifest["capabilities"] = json!(["connection", "stock-out", "webhooks", "refunds"]));
    assert!(matches!(artifact::inspect(&more), Err(Error::NotExported(capability)) if capability.as_str() == "refunds"));
}

#[test]
fn an_import_that_does_not_exist_here_is_named() {
    let wasm = renamed(bytes(hostile()), "entrepot:host/clock@1.0.0", "entrepot:host/cloak@1.0.0");
    let error = artifact::inspect(&wasm).unwrap_err();
    assert!(matches!(&error, Error::Incompatible { missing, .. } if missing == "entrepot:host/cloak@1.0.0"), "{error}");
    let wasm = renamed(bytes(hostile()), "entrepot:host/clock@1.0.0", "wasi:filesystem/typs@1.0.");
    assert!(artifact::inspect(&wasm).is_err());
}

#[test]
fn a_newer_contract_is_refused_with_the_version_it_needs() {
    let wasm = renamed(bytes(hostile()), "entrepot:host/clock@1.0.0", "entrepot:host/clock@1.3.0");
    assert!(matches!(artifact::inspect(&wasm), Err(Error::TooNew { needs }) if needs.to_string() == "1.3.0"));
    let wasm = renamed(bytes(hostile()), "entrepot:host/clock@1.0.0", "entrepot:host/clock@2.0.0");
    assert!(artifact::inspect(&wasm).is_err());
}

#[test]
fn a_function_the_host_lacks_is_named_when_linking() {
    let wasm = renamed(bytes(hostile()), "remaining-ms", "remaining-hs");
    let engine = crate::rig::engine();
    let component = tokio::runtime::Runtime::new().unwrap().block_on(crate::rig::uncached(&engine).component(&wasm)).unwrap();
    let linked = engine.load(&component, entrepot::plugins::Limits::default());
    let Err(error) = linked else { panic!("it must not link") };
    assert_eq!(error.code(), "incompatible");
    assert!(error.to_string().contains("remaining-hs"), "{error}");
}

#[test]
fn files_that_are_not_connectors_are_refused_in_words() {
    for (bytes, words) in [
        (Vec::new(), "not a WebAssembly component"),
        (b"\0asm\x01\0\0\0".to_vec(), "not a WebAssembly component"),
        (hostile_module(), "not a WebAssembly component"),
        (b"\0asm\x0d\0\x01\0".to_vec(), "no manifest"),
        (vec![0; artifact::MAX_BYTES + 1], "at most"),
    ] {
        let error = artifact::inspect(&bytes).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let whole = bytes(hostile());
    for end in [9, 100, whole.len() / 2, whole.len() - 1] {
        assert!(artifact::inspect(&whole[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn a_second_manifest_is_refused() {
    let mut wasm = bytes(hostile());
    package::append(&mut wasm, artifact::MANIFEST_SECTION, manifest().to_string().as_bytes());
    assert!(artifact::inspect(&wasm).unwrap_err().to_string().contains("two manifests"));
}
