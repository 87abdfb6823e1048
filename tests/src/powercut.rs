//! A disk for SQLite whose power can be cut: what was not synced by then may be there, or half of it, or nothing. With its power on
//! it may be in [`Trouble`].
//!
//! A [`Disk`] is a folder whose databases are opened through the VFS [`VFS`] (see [`Disk::address`]). It remembers of every
//! file what the last sync made durable and what was written since. At a chosen operation the power goes: that operation and
//! every later one fails, and [`Disk::wreck`] writes what a machine that starts again might find. Writes survive by sectors of
//! 512 bytes, each for itself; of what was not synced some may also be noise. Names of files that were made or removed since the
//! folder was last synced come in their order, as a file system with a journal keeps them, and any number of the last may be
//! missing. The shared memory beside a log (`-shm`) is gone.
//!
//! One thing is taken for granted, as SQLite does on every file system of today (`SQLITE_IOCAP_POWERSAFE_OVERWRITE`): a write
//! that is cut short damages nothing beside the bytes it was about.

mod vfs;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::watch;

use crate::chance::Dice;

/// The name that SQLite knows it by.
pub const VFS: &str = "powercut";
const SECTOR: usize = 512;
const SYNC: &str = "a sync of";

/// Cheap to clone.
#[derive(Clone)]
pub struct Disk(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    state: Mutex<State>,
    off: watch::Sender<bool>,
}

struct State {
    /// What names stand for now.
    names: BTreeMap<String, usize>,
    /// What names stood for when the folder was last synced, and what became of them since.
    durable_names: BTreeMap<String, usize>,
    renames: Vec<Rename>,
    contents: Vec<Content>,
    operations: u64,
    syncs: u64,
    /// Operations on anything but a log.
    of_database: u64,
    moment: Moment,
    honest: bool,
    trouble: Option<Trouble>,
    cut_in: Option<String>,
}

/// When the power goes. Writes, truncations, syncs, new and removed files count as operations.
#[derive(Clone, Copy, Debug)]
pub enum Moment {
    Operation(u64),
    Sync(u64),
    /// Of those that are not on the log, as when its content is carried over into the file.
    OfDatabase(u64),
    Never,
}

enum Rename {
    Made(String, usize),
    Removed(String),
}

#[derive(Default)]
struct Content {
    durable: Vec<u8>,
    since: Vec<Change>,
}

enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Truncate(usize),
}

/// How much of what was not synced is found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Survival {
    Nothing,
    Everything,
    /// All until some moment, and then nothing: a disk that works in order.
    Prefix,
    /// Each sector with this chance in 8; with noise, a lost one may hold anything.
    Sectors {
        eighths: u64,
        noise: bool,
    },
}

/// What a disk with power refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It has no room: writes fail, and say why.
    Full,
    /// Writes fail.
    Write,
    /// What was written does not become durable.
    Sync,
}

/// The power is gone.
pub(crate) struct Dead;

impl Disk {
    /// A disk in this folder. What lies there is durable.
    pub fn new(folder: &Path, moment: Moment) -> Self {
        vfs::register();
        let state = State {
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            renames: Vec::new(),
            contents: Vec::new(),
            operations: 0,
            syncs: 0,
            of_database: 0,
            moment,
            honest: true,
            trouble: None,
            cut_in: None,
        };
        let folder = folder.canonicalize().unwrap();
        let disk = Self(Arc::new(Inner { folder, state: Mutex::new(state), off: watch::Sender::new(false) }));
        let mut disks = lock(&DISKS);
        disks.retain(|disk| disk.strong_count() > 0);
        disks.push(Arc::downgrade(&disk.0));
        disk
    }

    /// A disk that says it has synced and has not.
    pub fn lying(folder: &Path, moment: Moment) -> Self {
        let disk = Self::new(folder, moment);
        lock(&disk.0.state).honest = false;
        disk
    }

    /// What a database file of this disk is opened by, in place of its path.
    pub fn address(file: &Path) -> PathBuf {
        PathBuf::from(format!("file:{}?vfs={VFS}", file.display()))
    }

    /// Returns when the power is gone.
    pub async fn dark(&self) {
        let _ = self.0.off.subscribe().wait_for(|off| *off).await;
    }

    pub fn is_dark(&self) -> bool {
        *self.0.off.borrow()
    }

    /// The power goes now.
    pub fn cut(&self) {
        self.0.off.send_replace(true);
    }

    /// From now on; `None`: none any more.
    pub fn set_trouble(&self, trouble: Option<Trouble>) {
        lock(&self.0.state).trouble = trouble;
    }

    pub fn operations(&self) -> u64 {
        lock(&self.0.state).operations
    }

    /// In what operation the power went, for people.
    pub fn cut_in(&self) -> Option<String> {
        lock(&self.0.state).cut_in.clone()
    }

    /// Writes what is found after the cut into an empty folder; returns how the dice fell, for people.
    pub fn wreck(&self, into: &Path, dice: &Dice) -> String {
        assert!(self.is_dark(), "the power is still on");
        let state = lock(&self.0.state);
        let mut names = state.durable_names.clone();
        let kept = dice.between(0, state.renames.len() as u64) as usize;
        for rename in state.renames.iter().take(kept) {
            rename.apply(&mut names);
        }
        let survival = Survival::any(dice);
        for (name, content) in &names {
            std::fs::write(into.join(name), state.contents[*content].found(survival, dice)).unwrap();
        }
        let unsynced: usize = state.contents.iter().map(|content| content.since.len()).sum();
        format!("{unsynced} changes were not synced, survived: {survival:?}; {kept} of {} names", state.renames.len())
    }

    // What the VFS tells.

    pub(crate) fn trouble(&self) -> Option<Trouble> {
        lock(&self.0.state).trouble
    }

    /// The disk that keeps this file, and the file's name there.
    pub(crate) fn of(path: &Path) -> Option<(Self, String)> {
        let (folder, name) = (path.parent()?, path.file_name()?.to_str()?);
        let disk = lock(&DISKS).iter().filter_map(Weak::upgrade).find(|disk| disk.folder == folder)?;
        Some((Self(disk), name.to_owned()))
    }

    /// Called when it is open: `made` if it was not there before. Returns what its content goes by.
    pub(crate) fn opened(&self, name: &str, made: bool) -> Result<usize, Dead> {
        if made {
            self.step("making", name)?;
        }
        let mut state = lock(&self.0.state);
        if let Some(content) = state.names.get(name) {
            return Ok(*content);
        }
        let content = state.contents.len();
        state.names.insert(name.to_owned(), content);
        if made {
            state.contents.push(Content::default());
            state.renames.push(Rename::Made(name.to_owned(), content));
        } else {
            let durable = std::fs::read(self.0.folder.join(name)).unwrap();
            state.contents.push(Content { durable, since: Vec::new() });
            state.durable_names.insert(name.to_owned(), content);
        }
        Ok(content)
    }

    /// Of a write that meets the end of the power nobody knows what arrived.
    pub(crate) fn wrote(&self, content: usize, at: usize, bytes: &[u8]) -> Result<(), Dead> {
        self.changed(content, Change::Write { at, bytes: bytes.to_vec() }, "a write of")
    }

    pub(crate) fn truncated(&self, content: usize, to: usize) -> Result<(), Dead> {
        self.changed(content, Change::Truncate(to), "a truncation of")
    }

    fn changed(&self, content: usize, change: Change, what: &str) -> Result<(), Dead> {
        if self.is_dark() {
            return Err(Dead);
        }
        lock(&self.0.state).contents[content].since.push(change);
        self.step(what, &self.name_of(content))
    }

    /// `with_folder`: the names in the folder are synced as well.
    pub(crate) fn synced(&self, content: usize, with_folder: bool) -> Result<(), Dead> {
        self.step(SYNC, &self.name_of(content))?;
        let mut state = lock(&self.0.state);
        if state.honest {
            state.contents[content].settle();
            if with_folder {
                state.settle_names();
            }
        }
        Ok(())
    }

    pub(crate) fn removed(&self, name: &str, with_folder: bool) -> Result<(), Dead> {
        self.step("removing", name)?;
        let mut state = lock(&self.0.state);
        if state.names.remove(name).is_none() && !state.durable_names.contains_key(name) {
            return Ok(());
        }
        state.renames.push(Rename::Removed(name.to_owned()));
        if with_folder && state.honest {
            state.settle_names();
        }
        Ok(())
    }

    /// Counts an operation, in which the power may go.
    fn step(&self, what: &str, name: &str) -> Result<(), Dead> {
        if self.is_dark() {
            return Err(Dead);
        }
        let goes = {
            let mut state = lock(&self.0.state);
            let (sync, of_database) = (what == SYNC, !name.ends_with("-wal"));
            state.operations += 1;
            state.syncs += u64::from(sync);
            state.of_database += u64::from(of_database);
            let goes = match state.moment {
                Moment::Operation(n) => state.operations == n,
                Moment::Sync(n) => sync && state.syncs == n,
                Moment::OfDatabase(n) => of_database && state.of_database == n,
                Moment::Never => false,
            };
            if goes {
                state.cut_in = Some(format!("{what} {name}"));
            }
            goes
        };
        if goes {
            self.cut();
            return Err(Dead);
        }
        Ok(())
    }

    fn name_of(&self, content: usize) -> String {
        let state = lock(&self.0.state);
        state.names.iter().find(|(_, of)| **of == content).map_or_else(|| "a removed file".into(), |(name, _)| name.clone())
    }
}

static DISKS: Mutex<Vec<Weak<Inner>>> = Mutex::new(Vec::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn settle_names(&mut self) {
        for rename in std::mem::take(&mut self.renames) {
            rename.apply(&mut self.durable_names);
        }
    }
}

impl Rename {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Made(name, content) => names.insert(name.clone(), *content),
            Self::Removed(name) => names.remove(name),
        };
    }
}

impl Survival {
    fn any(dice: &Dice) -> Self {
        match dice.below(8) {
            0 => Self::Nothing,
            1 => Self::Everything,
            2 | 3 => Self::Prefix,
            _ => Self::Sectors { eighths: [1, 4, 7][dice.below(3) as usize], noise: dice.below(3) == 0 },
        }
    }
}

impl Content {
    fn settle(&mut self) {
        for change in std::mem::take(&mut self.since) {
            change.apply(&mut self.durable);
        }
    }

    fn found(&self, survival: Survival, dice: &Dice) -> Vec<u8> {
        let mut found = self.durable.clone();
        match survival {
            Survival::Nothing => {}
            Survival::Everything => self.since.iter().for_each(|change| change.apply(&mut found)),
            Survival::Prefix => {
                let whole = dice.between(0, self.since.len() as u64) as usize;
                self.since.iter().take(whole).for_each(|change| change.apply(&mut found));
                if let Some(Change::Write { at, bytes }) = self.since.get(whole) {
                    let sectors = dice.below(bytes.len().div_ceil(SECTOR) as u64 + 1) as usize;
                    put(&mut found, *at, &bytes[..bytes.len().min(sectors * SECTOR)]);
                }
            }
            Survival::Sectors { eighths, noise } => {
                for change in &self.since {
                    match change {
                        Change::Write { at, bytes } => scatter(&mut found, *at, bytes, dice, eighths, noise),
                        Change::Truncate(_) if dice.below(8) < eighths => change.apply(&mut found),
                        Change::Truncate(_) => {}
                    }
                }
            }
        }
        found
    }
}

/// The part of a write that lies in one sector arrives or does not.
fn scatter(file: &mut Vec<u8>, at: usize, bytes: &[u8], dice: &Dice, eighths: u64, noise: bool) {
    let mut from = 0;
    while from < bytes.len() {
        let to = bytes.len().min(from + SECTOR - (at + from) % SECTOR);
        if dice.below(8) < eighths {
            put(file, at + from, &bytes[from..to]);
        } else if noise && dice.below(4) == 0 {
            let any: Vec<u8> = (from..to).map(|_| dice.below(256) as u8).collect();
            put(file, at + from, &any);
        }
        from = to;
    }
}

/// What was never written between the old end and `at` reads as zeros.
fn put(file: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    if file.len() < at + bytes.len() {
        file.resize(at + bytes.len(), 0);
    }
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

impl Change {
    fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => put(file, *at, bytes),
            Self::Truncate(to) => file.resize(*to, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content() -> Content {
        Content { durable: vec![1; 1_024], since: vec![Change::Write { at: 500, bytes: vec![2; 600] }, Change::Truncate(1_050)] }
    }

    #[test]
    fn what_was_synced_stays_and_the_rest_comes_by_sectors() {
        let dice = Dice::new(1);
        assert_eq!(content().found(Survival::Nothing, &dice), vec![1; 1_024]);
        let all = content().found(Survival::Everything, &dice);
        assert_eq!((all.len(), &all[498..502]), (1_050, &[1u8, 1, 2, 2][..]));
        let mut torn = 0;
        for _ in 0..50 {
            let found = content().found(Survival::Sectors { eighths: 4, noise: false }, &dice);
            assert_eq!(found[..500], vec![1; 500], "what was not written stays");
            let part = |range: std::ops::Range<usize>| found.get(range).map(|bytes| bytes.iter().all(|byte| *byte == bytes[0]));
            assert!(part(500..512) == Some(true) && part(512..1_024) == Some(true), "a sector is old or new");
            torn += usize::from(found[511] != found[512]);
        }
        assert!(torn > 10, "a write is torn now and then, not {torn} times of 50");
    }

    #[test]
    fn a_name_is_durable_once_its_folder_is_synced() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::new(folder.path(), Moment::Never);
        let content = disk.opened("log", true).ok().unwrap();
        assert!(disk.wrote(content, 0, b"text").is_ok() && disk.synced(content, false).is_ok());
        assert!(lock(&disk.0.state).durable_names.is_empty());
        assert!(disk.synced(content, true).is_ok());
        assert_eq!(lock(&disk.0.state).durable_names["log"], content);
        assert!(disk.removed("log", false).is_ok());
        assert_eq!(lock(&disk.0.state).durable_names.len(), 1);
        disk.cut();
        assert!(disk.wrote(content, 0, b"more").is_err());
    }
}
