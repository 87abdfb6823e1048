//! Copies of a database file. A server's database has tools of its own for that.

use std::path::{Path, PathBuf};

use super::sqlite::{Direct, Sqlite, aside};
use super::{Backend, Error, Store, Text, Value, chain};

impl Store {
    /// Writes the database as it is at one instant into a new file, while others read and write. A setup error where
    /// a server keeps the data.
    pub async fn copy_to(&self, path: &Path) -> Result<(), Error> {
        match &*self.0 {
            Backend::Sqlite(db) => copy(db, path).await,
            Backend::Postgres(_) => Err(Error::Setup {
                what: "the database is not a file".into(),
                hint: "pg_dump copies a database on PostgreSQL while it runs".into(),
            }),
        }
    }
}

/// A reader's connection keeps its view while it copies; nobody waits for it.
async fn copy(db: &Sqlite, path: &Path) -> Result<(), Error> {
    let to = Value::from(path.to_string_lossy().into_owned());
    db.reader().await?.ask(move |conn| conn.execute(Text::Static("VACUUM INTO $1"), &[to])).await?;
    Ok(())
}

/// Where the database as it was before a migration is kept: beside the file, until somebody removes it.
pub fn kept_before(file: &Path, migration: &str) -> PathBuf {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    file.with_file_name(format!("{name}.before-{migration}"))
}

/// Keeps the database as it is before `migration` runs; one that was kept before and may be half of it is replaced. A server's database,
/// and one on a file system of its own, are left to whoever keeps them.
pub(super) async fn keep_before(store: &Store, migration: &str) -> Result<(), Error> {
    let Backend::Sqlite(db) = &*store.0 else { return Ok(()) };
    if !db.path().is_file() {
        return Ok(());
    }
    let kept = kept_before(db.path(), migration);
    let part = kept.with_added_extension("part");
    let failed = |error: &dyn std::error::Error| Error::Setup {
        what: format!("the database could not be copied to {} before its schema changes: {}", kept.display(), chain(error)),
        hint: "make room for a second copy of it on that disk, and start again".into(),
    };
    let fresh = part.clone();
    aside(move || Ok(std::fs::remove_file(fresh))).await?.or_else(absent_is_fine).map_err(|error| failed(&error))?;
    copy(db, &part).await.map_err(|error| failed(&error))?;
    let (part, target) = (part.clone(), kept.clone());
    aside(move || Ok(make_durable(&part, &target))).await?.map_err(|error| failed(&error))?;
    tracing::info!(kept = %kept.display(), "the database as it was before its schema changes");
    Ok(())
}

fn absent_is_fine(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn make_durable(part: &Path, kept: &Path) -> std::io::Result<()> {
    std::fs::File::open(part)?.sync_all()?;
    std::fs::rename(part, kept)?;
    sync_folder(kept);
    Ok(())
}

/// A new name in a folder is durable only when the folder is; best effort, as some file systems refuse it.
pub fn sync_folder(file: &Path) {
    if let Some(folder) = file.parent().and_then(|folder| std::fs::File::open(folder).ok()) {
        let _ = folder.sync_all();
    }
}

/// What the own check of a database file that nobody uses finds wrong, if anything. Changes nothing and leaves nothing beside it.
pub async fn damage(path: &Path) -> Result<Option<String>, Error> {
    let path = path.to_owned();
    let rows = aside(move || Direct::untouched(&path)?.fetch(Text::Static("PRAGMA integrity_check(1)"), &[])).await?;
    let found: String = rows.first().map_or(Ok("nothing was said".into()), |row| row.get(0))?;
    Ok(Some(found).filter(|found| found != "ok"))
}
