//! The hub's options, read and checked once at start. `config.default.toml` documents every one and is also where the
//! defaults come from. Nothing else in the hub reads the environment.

mod error;
mod layers;
mod values;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

pub use error::Error;
pub use values::{Database, LogFormat, Network, PublicUrl};

/// The documented defaults: what `entrepot config default` prints.
pub const DEFAULTS: &str = include_str!("../config.default.toml");

/// Everything, checked. Paths that were left empty are filled in.
#[derive(Clone, Debug)]
pub struct Config {
    pub tenant: Tenant,
    pub server: Server,
    pub data_folder: PathBuf,
    pub reserve_bytes: u64,
    pub database: Database,
    pub secrets: Secrets,
    pub egress: Egress,
    pub plugins: Plugins,
    pub lanes: Lanes,
    pub retention: Retention,
    pub log: Log,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
}

#[derive(Clone, Debug)]
pub struct Tenant {
    pub name: String,
    pub zone: String,
}

#[derive(Clone, Debug)]
pub struct Server {
    pub listen: std::net::SocketAddr,
    pub public_url: Option<PublicUrl>,
    pub trusted_proxies: Vec<Network>,
    pub webhook_body_bytes: usize,
    pub api_body_bytes: usize,
    pub request: Duration,
    pub accept: Duration,
}

#[derive(Clone, Debug)]
pub struct Secrets {
    pub master_key_file: PathBuf,
    pub former_master_key_files: Vec<PathBuf>,
    /// The key itself, from `ENTREPOT_MASTER_KEY`: then no file is made or read.
    pub master_key: Option<Hidden>,
}

/// A text from the environment that no debug output shows.
#[derive(Clone)]
pub struct Hidden(zeroize::Zeroizing<String>);

impl Hidden {
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[hidden]")
    }
}

#[derive(Clone, Debug)]
pub struct Egress {
    pub connect: Duration,
    pub first_byte: Duration,
    pub between_bytes: Duration,
    pub total: Duration,
    pub request_bytes: usize,
    pub response_bytes: usize,
    pub extra_ca_file: Option<PathBuf>,
}

#[derive(Clone, Debug)]
pub struct Plugins {
    pub folder: PathBuf,
    pub cpu: Duration,
    pub wall: Duration,
    pub concurrency: usize,
}

#[derive(Clone, Debug)]
pub struct Lanes {
    pub workers: usize,
    pub lease: Duration,
    pub sweep: Duration,
}

#[derive(Clone, Debug)]
pub struct Retention {
    pub delivery_body_days: u32,
    pub dedupe_days: u32,
    pub effect_days: u32,
}

#[derive(Clone, Debug)]
pub struct Log {
    pub format: LogFormat,
    pub filter: String,
}

/// Where options come from, each source over the one before. Built from the process by [`Sources::of_process`], or by a test.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// `--config`. A file named here must exist.
    pub file: Option<PathBuf>,
    /// Looked for when none is named.
    pub usual_files: Vec<PathBuf>,
    pub environment: Vec<(String, String)>,
    /// `--set key=value` and the options that have a flag of their own.
    pub flags: Vec<(String, String)>,
    pub folders: Folders,
}

/// Where a user's things usually are.
#[derive(Clone, Debug, Default)]
pub struct Folders {
    pub config: PathBuf,
    pub data: PathBuf,
    /// Beside the running program.
    pub program: PathBuf,
}

impl Sources {
    #[allow(clippy::disallowed_methods)] // the one place that reads the environment
    pub fn of_process(file: Option<PathBuf>, flags: Vec<(String, String)>) -> Self {
        let read = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = read("HOME").or_else(|| read("USERPROFILE")).unwrap_or_default();
        let config = read("XDG_CONFIG_HOME").or_else(|| read("APPDATA")).unwrap_or_else(|| home.join(".config")).join("entrepot");
        let data = read("XDG_DATA_HOME").or_else(|| read("LOCALAPPDATA")).unwrap_or_else(|| home.join(".local/share")).join("entrepot");
        let program = std::env::current_exe().ok().and_then(|path| path.parent().map(Path::to_owned)).unwrap_or_default();
        Self {
            file: file.or_else(|| read("ENTREPOT_CONFIG")),
            usual_files: vec![PathBuf::from("entrepot.toml"), config.join("entrepot.toml")],
            environment: std::env::vars().filter(|(name, _)| name.starts_with("ENTREPOT_")).collect(),
            flags,
            folders: Folders { config, data, program },
        }
    }
}

impl Config {
    pub fn load(sources: &Sources) -> Result<Self, Error> {
        let (file, text) = match &sources.file {
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|source| Error::Unreadable { path: path.clone(), source })?;
                (Some(path.clone()), text)
            }
            None => sources
                .usual_files
                .iter()
                .find_map(|path| std::fs::read_to_string(path).ok().map(|text| (Some(path.clone()), text)))
                .unwrap_or_default(),
        };
        let mut layers = layers::Layers::of_defaults()?;
        if let Some(path) = &file {
            layers.add_file(path, &text)?;
        }
        layers.add_environment(&sources.environment)?;
        for (key, value) in &sources.flags {
            layers.add_flag(key, value)?;
        }
        let master_key =
            sources.environment.iter().find(|(name, _)| name == "ENTREPOT_MASTER_KEY").map(|(_, value)| Hidden(value.clone().into()));
        values::check(&layers, file, &sources.folders, master_key)
    }
}

/// The shape of `config.default.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    tenant: RawTenant,
    server: RawServer,
    data: RawData,
    database: RawDatabase,
    secrets: RawSecrets,
    egress: RawEgress,
    plugins: RawPlugins,
    lanes: RawLanes,
    retention: RawRetention,
    log: RawLog,
}

macro_rules! raw {
    ($($name:ident { $($field:ident: $kind:ty),* $(,)? })*) => {$(
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct $name { $($field: $kind),* }
    )*};
}

raw! {
    RawTenant { name: String, zone: String }
    RawServer { listen: String, public_url: String, trusted_proxies: Vec<String>, webhook_body_bytes: i64, api_body_bytes: i64, request_ms: i64, accept_ms: i64 }
    RawData { folder: String, reserve_bytes: i64 }
    RawDatabase { url: String }
    RawSecrets { master_key_file: String, former_master_key_files: Vec<String> }
    RawEgress { connect_ms: i64, first_byte_ms: i64, between_bytes_ms: i64, total_ms: i64, request_bytes: i64, response_bytes: i64, extra_ca_file: String }
    RawPlugins { folder: String, cpu_ms: i64, wall_ms: i64, concurrency: i64 }
    RawLanes { workers: i64, lease_ms: i64, sweep_ms: i64 }
    RawRetention { delivery_body_days: i64, dedupe_days: i64, effect_days: i64 }
    RawLog { format: String, filter: String }
}

#[cfg(test)]
mod tests;
