//! A wrong file, key or value: one sentence that names it and says what to do. Exit code 2.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "the configuration file {path} cannot be read ({source}); hint: name an existing file with --config, or leave it out to use the defaults"
    )]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("the configuration file {path} is not TOML at line {line}: {problem}; hint: `entrepot config default` prints a valid one")]
    NotToml { path: PathBuf, line: usize, problem: String },
    #[error("{place} sets `{key}`, which is no option; hint: {hint}")]
    UnknownKey { place: String, key: String, hint: String },
    #[error("{place} sets `{key}` to {found}, but it is {wanted}; hint: `entrepot config default` explains every option")]
    WrongType { place: String, key: String, found: String, wanted: &'static str },
    #[error("{place} sets `{key}` to `{value}`, which is not allowed; hint: {hint}")]
    WrongValue { place: String, key: String, value: String, hint: String },
    #[error("the defaults built into this program are broken: {0}")]
    Defaults(String),
}
