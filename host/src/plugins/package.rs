//! The packer behind `plugin build`: crate and `manifest.json` in, one self-describing component out.
//!
//! Guests are built for `wasm32-unknown-unknown`: there are no WASI imports to link, and a dependency that wants some is
//! refused by the name of the import. `link_section` of a crate does not reach the component's outermost level, so the
//! sections are written here.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use wasm_encoder::{CustomSection, Encode, Module, RawSection, Section};
use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

use super::artifact::{self, Inspected, MANIFEST_SECTION, REQUIRES_SECTION};
use super::manifest::Manifest;

const TARGET: &str = "wasm32-unknown-unknown";

/// Settings of the surrounding build that would change or break the guest's.
const CLEARED: &[&str] = &[
    "RUSTFLAGS",
    "RUSTDOCFLAGS",
    "RUSTC",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
    "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "CARGO_INCREMENTAL",
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_PRIMARY_PACKAGE",
    "TARGET",
    "HOST",
    "PROFILE",
    "OPT_LEVEL",
    "DEBUG",
    "OUT_DIR",
    "NUM_JOBS",
];

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("`cargo` could not be started: {0}. A Rust toolchain with the target {TARGET} is needed (rustup target add {TARGET})")]
    NoCargo(std::io::Error),
    #[error("the Rust target {TARGET} is missing and rustup could not add it; hint: rustup target add {TARGET}")]
    NoTarget,
    #[error("cargo could not build {dir}; its own words are above")]
    Cargo { dir: PathBuf },
    #[error("cargo made no module of {dir}; a connector is a library crate: it needs a src/lib.rs")]
    NoLibrary { dir: PathBuf },
    #[error(
        "the crate imports `{module}` / `{name}`, which does not exist in the sandbox; find the dependency that needs it and drop it or its feature"
    )]
    ForeignImport { module: String, name: String },
    #[error("the module cannot become a component: {0}")]
    Component(String),
    #[error("{0}")]
    Manifest(#[from] super::manifest::Error),
    #[error("{0}")]
    Artifact(#[from] artifact::Error),
}

/// What to build.
pub struct Build<'a> {
    /// Folder with `Cargo.toml` and `manifest.json`.
    pub dir: &'a Path,
    /// Where to write; default `TARGET/plugins/NAME.wasm`.
    pub out: Option<&'a Path>,
    /// Target directory; default a folder `plugins` inside the workspace's own, so that cargo never waits for itself.
    pub target_dir: Option<&'a Path>,
}

/// A packed connector and what it is made of.
#[derive(Debug)]
pub struct Package {
    pub path: PathBuf,
    pub core_bytes: usize,
    pub inspected: Inspected,
}

impl Build<'_> {
    pub fn run(&self) -> Result<Package, Error> {
        let manifest_path = self.dir.join("manifest.json");
        let manifest = std::fs::read(&manifest_path).map_err(|source| Error::File { path: manifest_path, source })?;
        let name = Manifest::parse(&manifest)?.name;
        let metadata = self.metadata()?;
        let target_dir = self.target_dir.map_or_else(|| metadata.target_dir.join("plugins"), Path::to_path_buf);
        let module = self.compile(&target_dir, &metadata)?;
        let core = std::fs::read(&module).map_err(|source| Error::File { path: module, source })?;
        let component = pack(&core, &manifest)?;
        let inspected = artifact::inspect(&component)?;
        let path = self.out.map_or_else(|| target_dir.join(format!("{name}.wasm")), Path::to_path_buf);
        std::fs::write(&path, &component).map_err(|source| Error::File { path: path.clone(), source })?;
        Ok(Package { path, core_bytes: core.len(), inspected })
    }

    fn metadata(&self) -> Result<Metadata, Error> {
        let failed = || Error::Cargo { dir: self.dir.to_path_buf() };
        let output = Command::new("cargo")
            .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
            .arg(self.dir.join("Cargo.toml"))
            .stderr(Stdio::inherit())
            .output()
            .map_err(Error::NoCargo)?;
        let text: Value = serde_json::from_slice(&output.stdout).map_err(|_| failed())?;
        let path = |key: &str| text[key].as_str().map(PathBuf::from).ok_or_else(failed);
        Ok(Metadata { target_dir: path("target_directory")?, workspace: path("workspace_root")? })
    }

    /// Connectors need a target that a fresh toolchain may lack; rustup fetches it once.
    fn ensure_target(&self) -> Result<(), Error> {
        let sysroot = Command::new("rustc").args(["--print", "sysroot"]).current_dir(self.dir).output().map_err(Error::NoCargo)?;
        let sysroot = PathBuf::from(String::from_utf8_lossy(&sysroot.stdout).trim());
        if sysroot.join("lib/rustlib").join(TARGET).is_dir() {
            return Ok(());
        }
        eprintln!("the Rust target {TARGET} is missing: rustup target add {TARGET}");
        let added = Command::new("rustup").args(["target", "add", TARGET]).current_dir(self.dir).stdin(Stdio::null()).status();
        if added.is_ok_and(|status| status.success()) { Ok(()) } else { Err(Error::NoTarget) }
    }

    /// Runs cargo and returns the path of the core module.
    fn compile(&self, target_dir: &Path, metadata: &Metadata) -> Result<PathBuf, Error> {
        self.ensure_target()?;
        let mut command = Command::new("cargo");
        for name in CLEARED {
            command.env_remove(name);
        }
        let mut remap = vec![format!("--remap-path-prefix={}=/connector", metadata.workspace.display())];
        if let Some(home) = std::env::home_dir() {
            remap.push(format!("--remap-path-prefix={}=/home", home.display()));
        }
        command
            // The crate type is ours to say: a native `cdylib` with a component's export names does not link.
            .args(["rustc", "--release", "--locked", "--lib", "--crate-type", "cdylib", "--target", TARGET])
            .args(["--message-format", "json-render-diagnostics"])
            .arg("--manifest-path")
            .arg(self.dir.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(target_dir)
            // Same source, same bytes, wherever it is built; and no machine's paths in what is shipped.
            .env("CARGO_ENCODED_RUSTFLAGS", remap.join("\u{1f}"))
            .env("CARGO_PROFILE_RELEASE_LTO", "fat")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
            .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
            .env("CARGO_PROFILE_RELEASE_DEBUG", "false")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let mut child = command.spawn().map_err(Error::NoCargo)?;
        let mut module = None;
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                module = library(&line).or(module);
            }
        }
        let status = child.wait().map_err(Error::NoCargo)?;
        if !status.success() {
            return Err(Error::Cargo { dir: self.dir.to_path_buf() });
        }
        module.ok_or_else(|| Error::NoLibrary { dir: self.dir.to_path_buf() })
    }
}

struct Metadata {
    target_dir: PathBuf,
    workspace: PathBuf,
}

/// The module in one line of cargo's messages. The last one is the crate asked for.
fn library(line: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    if message["reason"] != "compiler-artifact" {
        return None;
    }
    message["filenames"].as_array()?.iter().filter_map(Value::as_str).find(|name| name.ends_with(".wasm")).map(PathBuf::from)
}

/// Makes a component of a core module that carries `component-type` sections, and adds ours.
pub fn pack(core: &[u8], manifest: &[u8]) -> Result<Vec<u8>, Error> {
    let module = strip(core)?;
    let mut component = ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(|error| Error::Component(format!("{error:#}")))?;
    let outline = artifact::outline(&component)?;
    artifact::check_imports(outline.imports.iter())?;
    append(&mut component, MANIFEST_SECTION, manifest);
    append(&mut component, REQUIRES_SECTION, &artifact::requires(&outline).to_bytes());
    Ok(component)
}

/// Adds a section to a finished component: after its last section is as good a place as any.
pub fn append(component: &mut Vec<u8>, name: &str, data: &[u8]) {
    let section = CustomSection { name: name.into(), data: data.into() };
    component.push(section.id());
    section.encode(component);
}

/// Drops names, debug information and producer notes; keeps what describes the component. Foreign imports are refused here,
/// where both of their names are still known.
fn strip(core: &[u8]) -> Result<Vec<u8>, Error> {
    let damaged = |error: wasmparser::BinaryReaderError| Error::Component(error.to_string());
    let mut out = Module::new();
    for payload in Parser::new(0).parse_all(core) {
        let payload = payload.map_err(damaged)?;
        match &payload {
            Payload::CustomSection(section) => {
                if section.name().starts_with("component-type") {
                    out.section(&CustomSection { name: section.name().into(), data: section.data().into() });
                }
                continue;
            }
            Payload::ImportSection(reader) => {
                for import in reader.clone().into_imports() {
                    let import = import.map_err(damaged)?;
                    if !import.module.trim_start_matches("[export]").starts_with("entrepot:") {
                        return Err(Error::ForeignImport { module: import.module.into(), name: import.name.into() });
                    }
                }
            }
            _ => {}
        }
        if let Some((id, range)) = payload.as_section() {
            out.section(&RawSection { id, data: &core[range] });
        }
    }
    Ok(out.finish())
}
