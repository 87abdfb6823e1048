//! A packed connector as bytes: a component with our two sections. Read without running or compiling anything.

use std::collections::BTreeSet;
use std::fmt;

use sha2::{Digest, Sha256};
use wasmparser::{CanonicalFunction, CanonicalOption, Parser, Payload};

use super::manifest::{self, Capability, Manifest};

use crate::hex::hex;

/// Holds the manifest, JSON.
pub const MANIFEST_SECTION: &str = "entrepot:manifest";
/// Holds the contract version needed: major, minor and patch, two bytes each, big endian.
pub const REQUIRES_SECTION: &str = "entrepot:requires";

/// Larger files are refused before they are looked at.
pub const MAX_BYTES: usize = 32 * 1024 * 1024;

/// The newest contract this hub links. Same major and no newer minor: fits.
pub const CONTRACT: Version = Version(1, 0, 0);

/// What plugins may import; everything else does not exist here.
pub(super) const IMPORTS: &[&str] = &["entrepot:types/base", "entrepot:types/commerce"];
pub(super) const HOST_INTERFACES: &[&str] = &["http", "pacing", "vault", "state", "blobs", "log", "clock"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u16, pub u16, pub u16);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '.').map(|part| part.parse().ok());
        Some(Self(parts.next()??, parts.next()??, parts.next()??))
    }

    pub(super) fn to_bytes(self) -> Vec<u8> {
        [self.0, self.1, self.2].iter().flat_map(|part| part.to_be_bytes()).collect()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let [a, b, c, d, e, f] = *bytes else { return None };
        Some(Self(u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]), u16::from_be_bytes([e, f])))
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the file has {0} bytes; at most {MAX_BYTES} are accepted")]
    TooLarge(usize),
    #[error("this is not a packed connector: {0}. `entrepot plugin build` makes one")]
    NotAPlugin(String),
    #[error("{0}")]
    Manifest(#[from] manifest::Error),
    /// The linker would refuse it; said before any compile.
    #[error("this hub has no `{missing}`, which the connector imports; {remedy}")]
    Incompatible { missing: String, remedy: &'static str },
    #[error("the connector needs contract {needs}, this hub offers {CONTRACT}; update the hub")]
    TooNew { needs: Version },
    #[error("the manifest declares `{0}` but the component does not export it; remove it from `capabilities` or export it")]
    NotExported(Capability),
    #[error("the component exports `{0}` but the manifest does not declare it; add it to `capabilities`")]
    NotDeclared(Capability),
    #[error("the component exports `{0}`, which this hub does not know; update the hub or remove it")]
    UnknownExport(String),
    #[error("the component passes text as {0}; only UTF-8 is accepted")]
    Encoding(&'static str),
}

/// What can be read off the bytes.
#[derive(Clone, Debug)]
pub struct Inspected {
    pub manifest: Manifest,
    pub requires: Version,
    /// Imported instances with versions, sorted.
    pub imports: Vec<String>,
    /// Exported names, sorted.
    pub exports: Vec<String>,
    /// SHA-256 of the whole file, hex.
    pub digest: String,
    pub bytes: usize,
}

/// Names and sections of a component's outermost level.
pub(super) struct Outline {
    pub imports: BTreeSet<String>,
    pub exports: BTreeSet<String>,
    manifest: Option<Vec<u8>>,
    requires: Option<Version>,
}

/// Checks everything that can be checked without compiling.
pub fn inspect(bytes: &[u8]) -> Result<Inspected, Error> {
    if bytes.len() > MAX_BYTES {
        return Err(Error::TooLarge(bytes.len()));
    }
    let outline = outline(bytes)?;
    let section = outline.manifest.as_deref().ok_or_else(|| Error::NotAPlugin("it has no manifest".into()))?;
    let manifest = Manifest::parse(section)?;
    let needed = requires(&outline);
    let requires = outline.requires.unwrap_or(needed).max(needed);
    if requires.0 != CONTRACT.0 || requires.1 > CONTRACT.1 {
        return Err(Error::TooNew { needs: requires });
    }
    check_imports(outline.imports.iter())?;
    check_exports(&manifest, &outline)?;
    Ok(Inspected {
        manifest,
        requires,
        imports: outline.imports.into_iter().collect(),
        exports: outline.exports.into_iter().collect(),
        digest: digest(bytes),
        bytes: bytes.len(),
    })
}

pub fn digest(bytes: &[u8]) -> String {
    hex(Sha256::digest(bytes))
}

pub(super) fn outline(bytes: &[u8]) -> Result<Outline, Error> {
    let damaged = |error: wasmparser::BinaryReaderError| Error::NotAPlugin(format!("it is damaged: {error}"));
    if !Parser::is_component(bytes) {
        return Err(Error::NotAPlugin("it is not a WebAssembly component".into()));
    }
    let mut outline = Outline { imports: BTreeSet::new(), exports: BTreeSet::new(), manifest: None, requires: None };
    let mut depth = 0u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(damaged)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(reader) if depth == 0 => {
                for import in reader {
                    outline.imports.insert(import.map_err(damaged)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(reader) if depth == 0 => {
                for export in reader {
                    outline.exports.insert(export.map_err(damaged)?.name.name.to_owned());
                }
            }
            Payload::ComponentCanonicalSection(reader) => {
                for function in reader {
                    check_encoding(&function.map_err(damaged)?)?;
                }
            }
            Payload::CustomSection(section) if depth == 0 && section.name() == MANIFEST_SECTION => {
                let earlier = outline.manifest.replace(section.data().to_vec());
                if earlier.is_some() {
                    return Err(Error::NotAPlugin("it has two manifests".into()));
                }
            }
            Payload::CustomSection(section) if depth == 0 && section.name() == REQUIRES_SECTION => {
                let version = Version::from_bytes(section.data());
                outline.requires = Some(version.ok_or_else(|| Error::NotAPlugin(format!("its section {REQUIRES_SECTION} is damaged")))?);
            }
            _ => {}
        }
    }
    Ok(outline)
}

/// Old advisories sit in the lifting of the other encodings; no tool chain we support uses them.
fn check_encoding(function: &CanonicalFunction) -> Result<(), Error> {
    let options = match function {
        CanonicalFunction::Lift { options, .. } | CanonicalFunction::Lower { options, .. } => options,
        _ => return Ok(()),
    };
    options.iter().try_for_each(|option| match option {
        CanonicalOption::UTF16 => Err(Error::Encoding("UTF-16")),
        CanonicalOption::CompactUTF16 => Err(Error::Encoding("Latin-1 or UTF-16")),
        _ => Ok(()),
    })
}

/// `entrepot:host/http@1.0.0` as name and version.
fn versioned(name: &str) -> (&str, Option<Version>) {
    match name.split_once('@') {
        Some((name, version)) => (name, Version::parse(version)),
        None => (name, None),
    }
}

/// The newest contract version that the component really touches.
pub(super) fn requires(outline: &Outline) -> Version {
    outline
        .imports
        .iter()
        .chain(&outline.exports)
        .filter(|name| name.starts_with("entrepot:"))
        .filter_map(|name| versioned(name).1)
        .max()
        .unwrap_or(CONTRACT)
}

pub(super) fn check_imports<'a>(names: impl Iterator<Item = &'a String>) -> Result<(), Error> {
    for full in names {
        let (name, version) = versioned(full);
        let known =
            IMPORTS.contains(&name) || name.strip_prefix("entrepot:host/").is_some_and(|interface| HOST_INTERFACES.contains(&interface));
        if known && version.is_some_and(|version| version.0 == CONTRACT.0) {
            continue;
        }
        let remedy = if name.starts_with("wasi:") || name.starts_with("wasi_") {
            "build for wasm32-unknown-unknown and drop what needs files, clocks or randomness of its own"
        } else if name.starts_with("entrepot:") {
            "it was made for another contract"
        } else {
            "a dependency expects a browser or an operating system; drop it"
        };
        return Err(Error::Incompatible { missing: full.clone(), remedy });
    }
    Ok(())
}

pub(super) fn check_exports(manifest: &Manifest, outline: &Outline) -> Result<(), Error> {
    let mut exported = BTreeSet::new();
    for full in &outline.exports {
        let (name, version) = versioned(full);
        // Other tool chains leave exports of their own; only ours are compared.
        if !name.starts_with("entrepot:") {
            continue;
        }
        let capability = Capability::ALL.iter().find(|capability| {
            name.split_once('/').is_some_and(|(package, interface)| package == capability.package() && interface == capability.as_str())
        });
        match (capability, version) {
            (Some(capability), Some(version)) if version.0 == CONTRACT.0 => exported.insert(*capability),
            _ => return Err(Error::UnknownExport(full.clone())),
        };
    }
    for capability in &manifest.capabilities {
        if !exported.contains(capability) {
            return Err(Error::NotExported(*capability));
        }
    }
    match exported.iter().find(|capability| !manifest.has(**capability)) {
        Some(capability) => Err(Error::NotDeclared(*capability)),
        None => Ok(()),
    }
}
