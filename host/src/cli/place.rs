//! Which hub is meant: flags that every command about a hub takes, and how the answer is printed.

use std::path::PathBuf;

use clap::Args;

use crate::config::{Config, Error, Sources};

#[derive(Args, Clone, Debug)]
pub struct Place {
    /// The configuration file; default: entrepot.toml here or in the user's configuration folder.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Change one option; may be repeated.
    #[arg(long, value_name = "SECTION.OPTION=VALUE", global = true)]
    set: Vec<String>,
    /// Folder of the database file and caches.
    #[arg(long, value_name = "FOLDER", global = true)]
    data: Option<String>,
    /// `postgres://…` or a path to a SQLite file.
    #[arg(long, value_name = "URL", global = true)]
    database: Option<String>,
    /// File of the master key.
    #[arg(long, value_name = "FILE", global = true)]
    master_key_file: Option<String>,
    /// A running hub elsewhere; its key is taken from ENTREPOT_API_KEY.
    #[arg(long, value_name = "URL", global = true)]
    pub hub: Option<String>,
    /// Print JSON.
    #[arg(long, global = true)]
    pub json: bool,
}

/// What was found out before anything is opened.
pub struct Found {
    pub config: Config,
    /// From the environment.
    pub key: Option<String>,
    pub hub: Option<String>,
}

impl Place {
    /// `more`: options that a command has flags of its own for.
    pub fn load(&self, more: &[(&str, Option<String>)]) -> Result<Found, Error> {
        let mut flags = Vec::new();
        for text in &self.set {
            let (key, value) = text.split_once('=').unwrap_or((text, ""));
            flags.push((key.to_owned(), value.to_owned()));
        }
        let own = [("data.folder", &self.data), ("database.url", &self.database), ("secrets.master_key_file", &self.master_key_file)];
        flags.extend(own.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?))));
        flags.extend(more.iter().filter_map(|(key, value)| Some(((*key).to_owned(), value.clone()?))));
        let sources = Sources::of_process(self.config.clone(), flags);
        let read = |name: &str| sources.environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let hub = self.hub.clone().or_else(|| read("ENTREPOT_URL"));
        Ok(Found { config: Config::load(&sources)?, key: read("ENTREPOT_API_KEY"), hub })
    }
}
