//! What the workspace is built from: permissive licences, one registry. `deny.toml` says the same to cargo-deny; this runs
//! wherever the tests run.

#![allow(clippy::unwrap_used)]

use entrepot_test_layering::workspace;
use serde_json::Value;

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Packages that name no licence but carry its text; read by a person.
const BY_TEXT: &[(&str, &str)] = &[("jsonpath-rust", "MIT")];

/// Everything that is linked into something on this platform.
fn packages() -> Vec<Value> {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let mut command = std::process::Command::new(cargo);
    command.args(["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform", platform()]).current_dir(workspace());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn platform() -> &'static str {
    if cfg!(target_os = "macos") {
        "aarch64-apple-darwin"
    } else if cfg!(windows) {
        "x86_64-pc-windows-msvc"
    } else if cfg!(target_arch = "aarch64") {
        "aarch64-unknown-linux-gnu"
    } else {
        "x86_64-unknown-linux-gnu"
    }
}

/// The list in `deny.toml`.
fn allowed() -> Vec<String> {
    let text = std::fs::read_to_string(workspace().join("deny.toml")).unwrap();
    let list = text.split("allow = [").nth(1).unwrap().split(']').next().unwrap().to_owned();
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// `A OR B` needs one, `A AND B` needs both; `/` is an old way to write OR.
fn permitted(expression: &str, allowed: &[String]) -> bool {
    let plain = expression.replace(['(', ')'], "").replace('/', " OR ");
    let needs = plain.split(" AND ").map(|part| part.split(" OR ").any(|licence| allowed.iter().any(|known| known == licence.trim())));
    needs.into_iter().all(|met| met)
}

#[test]
fn every_package_has_a_permissive_licence_and_comes_from_the_registry_or_from_here() {
    let allowed = allowed();
    let mut broken = Vec::new();
    for package in packages() {
        let name = format!("{} {}", package["name"].as_str().unwrap(), package["version"].as_str().unwrap());
        let by_text = BY_TEXT.iter().find(|(known, _)| package["name"] == *known).map(|(_, licence)| *licence);
        match package["license"].as_str().or(by_text) {
            Some(expression) if permitted(expression, &allowed) => {}
            other => broken.push(format!("{name}: licence {}", other.unwrap_or("missing"))),
        }
        if package["source"].as_str().is_some_and(|source| source != REGISTRY) {
            broken.push(format!("{name}: comes from {}", package["source"]));
        }
    }
    assert!(broken.is_empty(), "packages that deny.toml does not allow:\n  {}\n", broken.join("\n  "));
}

#[test]
fn copyleft_alone_is_refused_and_a_choice_is_not() {
    let allowed = allowed();
    assert!(permitted("MIT OR LGPL-2.1-or-later", &allowed));
    assert!(permitted("(MIT OR Apache-2.0) AND Unicode-3.0", &allowed));
    assert!(!permitted("GPL-3.0-only", &allowed));
    assert!(!permitted("MIT AND AGPL-3.0-only", &allowed));
}
