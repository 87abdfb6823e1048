//! Copies of a database file. A server's database has tools of its own for that.

use std::path::Path;

use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

use super::sqlite::Sqlite;
use super::{Backend, Error, Store};

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
    let mut conn = db.reader().await?;
    sqlx::query("VACUUM INTO $1").bind(path.to_string_lossy().into_owned()).execute(&mut *conn).await?;
    Ok(())
}

/// What the own check of a database file that nobody uses finds wrong, if anything. Changes nothing and leaves nothing beside it.
pub async fn damage(path: &Path) -> Result<Option<String>, Error> {
    let mut conn = SqliteConnectOptions::new().filename(path).read_only(true).immutable(true).connect().await?;
    let found: String = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut conn).await?;
    sqlx::Connection::close(conn).await?;
    Ok(Some(found).filter(|found| found != "ok"))
}
