//! Copies of a hub's database file, made while it works, and the way back.
//!
//! A backup is one file: the database as it was at one instant. The master key is never in it, so that a copy alone opens no
//! credential and no buyer. Caches are made anew. A database on PostgreSQL is copied by PostgreSQL's own tools.

use std::path::{Path, PathBuf};

use serde::Serialize;
use tokio::sync::watch;

use super::App;
use crate::clock::to_rfc3339;
use crate::secrets::{MasterKey, Vault};
use crate::store::{self, Dialect, Location, Store, chain};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "the database is on PostgreSQL, whose own tool copies it while it runs; hint: pg_dump --format=custom --file={file} DATABASE-URL, and keep the master key {master_key} and the configuration elsewhere: without that key no credential and no buyer in the copy can be read",
        file = .file.display()
    )]
    OtherTool { file: PathBuf, master_key: String },
    #[error("{path} exists already; hint: name a file that does not", path = .0.display())]
    Exists(PathBuf),
    #[error("{path} is not a path from the root; hint: the hub may run in another folder than you", path = .0.display())]
    Relative(PathBuf),
    #[error("a backup into {path} is being made; hint: wait for it", path = .0.display())]
    Busy(PathBuf),
}

/// What became of the last backup that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum State {
    None,
    Running { file: PathBuf, started_at: i64 },
    Done { file: PathBuf, started_at: i64, finished_at: i64, bytes: u64, master_key: String },
    Failed { file: PathBuf, started_at: i64, problem: String },
}

/// One backup at a time; a copy of a large file outlasts a request.
#[derive(Clone)]
pub struct Desk(watch::Sender<State>);

impl Default for Desk {
    fn default() -> Self {
        Self(watch::Sender::new(State::None))
    }
}

impl Desk {
    pub fn state(&self) -> State {
        self.0.borrow().clone()
    }

    /// When no backup is being made any more.
    pub async fn ended(&self) -> State {
        let mut states = self.0.subscribe();
        let ended = states.wait_for(|state| !matches!(state, State::Running { .. })).await;
        // The desk itself keeps the sender.
        ended.map_or(State::None, |state| state.clone())
    }

    fn begin(&self, file: &Path, started_at: i64) -> Result<State, Error> {
        let running = State::Running { file: file.to_owned(), started_at };
        let mut busy = None;
        self.0.send_if_modified(|state| match state {
            State::Running { file, .. } => {
                busy = Some(file.clone());
                false
            }
            State::None | State::Done { .. } | State::Failed { .. } => {
                *state = running.clone();
                true
            }
        });
        busy.map_or(Ok(running), |file| Err(Error::Busy(file)))
    }
}

/// Begins a copy into a file that does not exist yet, or into a new one of a folder that does; [`Desk::state`] tells how it goes.
pub fn start(app: &App, place: PathBuf) -> Result<State, Error> {
    let (master_key, started_at) = (app.vault.master().fingerprint().to_owned(), app.ctx.now_ms());
    if app.store.dialect() == Dialect::Postgres {
        return Err(Error::OtherTool { file: place, master_key });
    }
    if !place.is_absolute() {
        return Err(Error::Relative(place));
    }
    let file = if place.is_dir() { place.join(name_at(started_at)) } else { place };
    if file.exists() {
        return Err(Error::Exists(file));
    }
    let running = app.backup.begin(&file, started_at)?;
    let (desk, store, clock) = (app.backup.clone(), app.store.clone(), app.ctx.clock.clone());
    tokio::spawn(async move {
        let ended = match copy(&store, &file).await {
            Ok(bytes) => State::Done { file, started_at, finished_at: clock.now_ms(), bytes, master_key },
            Err(problem) => {
                tracing::error!(file = %file.display(), problem, "the backup failed");
                State::Failed { file, started_at, problem }
            }
        };
        desk.0.send_replace(ended);
    });
    Ok(running)
}

/// `entrepot-20261120T120000Z.backup`
fn name_at(at_ms: i64) -> String {
    let digits: String = to_rfc3339(at_ms).chars().take_while(|c| *c != '.').filter(|c| c.is_ascii_digit() || *c == 'T').collect();
    format!("entrepot-{digits}Z.backup")
}

/// Whole, checked and on the disk under its name, or not there.
async fn copy(store: &Store, file: &Path) -> Result<u64, String> {
    let aside = with_ending(file, ".partial");
    let copied = async {
        // Of a hub that died while it copied.
        let _ = std::fs::remove_file(&aside);
        store.copy_to(&aside).await.map_err(|error| chain(&error))?;
        if let Some(damage) = store::damage(&aside).await.map_err(|error| chain(&error))? {
            return Err(format!("the copy is damaged, and so may be the database: {damage}"));
        }
        let written = std::fs::File::open(&aside).and_then(|copy| copy.sync_all().map(|()| copy));
        let bytes = written.and_then(|copy| copy.metadata()).map_err(|error| error.to_string())?.len();
        std::fs::rename(&aside, file).map_err(|error| error.to_string())?;
        crate::store::sync_folder(file);
        Ok(bytes)
    };
    let copied: Result<u64, String> = copied.await;
    if copied.is_err() {
        let _ = std::fs::remove_file(&aside);
    }
    copied
}

fn with_ending(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("the folder {folder} is not empty: it holds `{found}`; hint: restore into an empty one (--data FOLDER)", folder = .folder.display())]
    NotEmpty { folder: PathBuf, found: String },
    #[error("the database {path} exists; hint: move it away, a restore replaces nothing", path = .0.display())]
    Exists(PathBuf),
    #[error("the file {path} cannot be used: {source}", path = .path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("{path} is no backup of a hub: {why}; hint: name a file that `entrepot backup` made", path = .path.display())]
    NoBackup { path: PathBuf, why: String },
    #[error("{path} cannot be restored by this program: {source}", path = .path.display())]
    Newer { path: PathBuf, source: crate::store::Error },
    #[error("{path} cannot be restored with this master key: {source}", path = .path.display())]
    Key { path: PathBuf, source: crate::secrets::Error },
}

/// What a restore needs to know.
pub struct Wish<'a> {
    pub file: &'a Path,
    /// Where the database goes.
    pub database: &'a Path,
    pub data_folder: &'a Path,
    /// Names in the data folder that do not matter.
    pub may_lie_there: &'a [&'a str],
}

/// Puts a backup where there is no hub. Everything is looked at before the database gets its name, so that a refusal leaves
/// the folder as it was; older schemas are brought up to date when the hub opens.
pub async fn restore(wish: &Wish<'_>, vault: &Vault) -> Result<(), Refused> {
    let unusable = |path: &Path| {
        let path = path.to_owned();
        move |source| Refused::File { path, source }
    };
    for entry in std::fs::read_dir(wish.data_folder).map_err(unusable(wish.data_folder))? {
        let found = entry.map_err(unusable(wish.data_folder))?.file_name().to_string_lossy().into_owned();
        if !wish.may_lie_there.contains(&found.as_str()) {
            return Err(Refused::NotEmpty { folder: wish.data_folder.to_owned(), found });
        }
    }
    if wish.database.exists() {
        return Err(Refused::Exists(wish.database.to_owned()));
    }
    let aside = with_ending(wish.database, ".partial");
    let restored = async {
        std::fs::copy(wish.file, &aside).map_err(unusable(wish.file))?;
        look_at(wish.file, &aside, vault).await?;
        std::fs::File::open(&aside).and_then(|copy| copy.sync_all()).map_err(unusable(&aside))?;
        std::fs::rename(&aside, wish.database).map_err(unusable(wish.database))?;
        crate::store::sync_folder(wish.database);
        Ok(())
    };
    let restored: Result<(), Refused> = restored.await;
    for ending in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(with_ending(&aside, ending));
    }
    restored
}

/// Whether the copy is whole, a hub's, not of a newer program, and sealed with this master key.
async fn look_at(file: &Path, copy: &Path, vault: &Vault) -> Result<(), Refused> {
    let none = |why: String| Refused::NoBackup { path: file.to_owned(), why };
    if let Some(damage) = store::damage(copy).await.map_err(|error| none(chain(&error)))? {
        return Err(none(format!("it is damaged ({damage})")));
    }
    let store = Store::connect(&Location::File(copy.to_owned())).await.map_err(|error| none(chain(&error)))?;
    let looked = async {
        if !store.is_ours().await.map_err(|error| none(chain(&error)))? {
            return Err(none("it is a database of something else".into()));
        }
        store.pending_migrations().await.map_err(|source| Refused::Newer { path: file.to_owned(), source })?;
        vault.check(&store).await.map_err(|source| Refused::Key { path: file.to_owned(), source })
    };
    let looked: Result<(), Refused> = looked.await;
    store.close().await;
    looked
}

/// The master key as it lies there; a restore makes none, for a new one opens nothing.
pub fn existing_master(config: &crate::config::Config) -> Result<MasterKey, crate::secrets::MasterKeyError> {
    match &config.secrets.master_key {
        Some(text) => MasterKey::from_text(text.expose(), "the environment"),
        None => MasterKey::load(&config.secrets.master_key_file),
    }
}

#[cfg(test)]
mod tests;
