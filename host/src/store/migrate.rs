//! Schema versions. Released migrations are never edited; until the first release they may be.

use sha2::{Digest, Sha256};

use super::{Dialect, Sql, Store, copy};
use crate::args;
use crate::clock::Clock;
use crate::hex::hex;

struct Migration {
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

macro_rules! migrations {
    ($($name:literal),* $(,)?) => {
        &[$(Migration {
            name: $name,
            sqlite: include_str!(concat!("../../../migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!("../../../migrations/postgres/", $name, ".sql")),
        }),*]
    };
}

/// In the order they run; a number once used stays.
const MIGRATIONS: &[Migration] = migrations![
    "0001_spine",
    "0002_plugins",
    "0003_access",
    "0004_crossborder",
    "0005_rates",
    "0006_pricing",
    "0007_stock",
    "0008_operate"
];

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "the database knows the migration `{0}`, which this program does not; hint: it was written by a newer entrepot, use that version or restore a backup"
    )]
    Newer(String),
    #[error("the migration `{0}` was changed after it ran on this database; hint: before the first release, start from an empty database")]
    Changed(&'static str),
    #[error("the migration `{name}` failed")]
    Failed { name: &'static str, source: Box<super::Error> },
    #[error("the table of migrations cannot be read")]
    Unreadable(#[source] Box<super::Error>),
}

pub async fn run(store: &Store, clock: &Clock) -> Result<Vec<&'static str>, Error> {
    let unreadable = |e: super::Error| Error::Unreadable(Box::new(e));
    let now = clock.now_ms();
    store
        .write(|tx| {
            Box::pin(async move {
                if tx.dialect() == Dialect::Postgres {
                    // One node migrates while the others wait here; the lock ends with the transaction.
                    tx.fetch_all("SELECT CAST(pg_advisory_xact_lock(727274) AS TEXT)", &[]).await?;
                }
                tx.execute(
                    "CREATE TABLE IF NOT EXISTS schema_migration (name TEXT PRIMARY KEY, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)",
                    &[],
                )
                .await?;
                Ok(())
            })
        })
        .await
        .map_err(unreadable)?;
    let pending = pending(store).await?;
    if let Some(first) = pending.first().filter(|_| pending.len() < MIGRATIONS.len()) {
        copy::keep_before(store, first).await.map_err(|source| Error::Failed { name: first, source: Box::new(source) })?;
    }
    let mut ran = Vec::new();
    for migration in MIGRATIONS.iter().filter(|m| pending.contains(&m.name)) {
        let applied: Result<bool, super::Error> = store
            .write(move |tx| {
                Box::pin(async move {
                    if tx.dialect() == Dialect::Postgres {
                        tx.fetch_all("SELECT CAST(pg_advisory_xact_lock(727274) AS TEXT)", &[]).await?;
                    }
                    let known = tx.fetch_optional("SELECT 1 FROM schema_migration WHERE name = $1", args![migration.name]).await?;
                    if known.is_some() {
                        // Another process was faster.
                        return Ok(false);
                    }
                    let text = text(migration, tx.dialect());
                    tx.raw(text).await?;
                    tx.execute(
                        "INSERT INTO schema_migration (name, checksum, applied_at) VALUES ($1, $2, $3)",
                        args![migration.name, checksum(text), now],
                    )
                    .await?;
                    Ok(true)
                })
            })
            .await;
        if applied.map_err(|source| Error::Failed { name: migration.name, source: Box::new(source) })? {
            ran.push(migration.name);
        }
    }
    if ran.len() < pending.len() {
        // Whoever was faster may be of a later version.
        self::pending(store).await?;
    }
    Ok(ran)
}

/// What this program has and the database lacks; refuses a database it does not understand.
pub async fn pending(store: &Store) -> Result<Vec<&'static str>, Error> {
    let unreadable = |e: super::Error| Error::Unreadable(Box::new(e));
    if !is_ours(store).await? {
        return Ok(MIGRATIONS.iter().map(|m| m.name).collect());
    }
    let mut conn = store.read().await.map_err(unreadable)?;
    let mut missing: Vec<&'static str> = MIGRATIONS.iter().map(|m| m.name).collect();
    for row in conn.fetch_all("SELECT name, checksum FROM schema_migration ORDER BY name", &[]).await.map_err(unreadable)? {
        let (name, sum): (String, String) = (row.get(0).map_err(unreadable)?, row.get(1).map_err(unreadable)?);
        let Some(ours) = MIGRATIONS.iter().find(|m| m.name == name) else { return Err(Error::Newer(name)) };
        if checksum(text(ours, store.dialect())) != sum {
            return Err(Error::Changed(ours.name));
        }
        missing.retain(|m| *m != name);
    }
    Ok(missing)
}

/// Whether the table of migrations is there.
pub async fn is_ours(store: &Store) -> Result<bool, Error> {
    let unreadable = |e: super::Error| Error::Unreadable(Box::new(e));
    let mut conn = store.read().await.map_err(unreadable)?;
    let table = match store.dialect() {
        Dialect::Sqlite => "SELECT 1 FROM sqlite_master WHERE name = 'schema_migration'",
        Dialect::Postgres => "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'schema_migration'",
    };
    Ok(conn.fetch_optional(table, &[]).await.map_err(unreadable)?.is_some())
}

fn text(migration: &Migration, dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => migration.sqlite,
        Dialect::Postgres => migration.postgres,
    }
}

fn checksum(text: &str) -> String {
    hex(Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_databases_get_the_same_text_but_for_bytes_trees_and_statistics() {
        for migration in MIGRATIONS {
            let sqlite = migration.sqlite.replace("BLOB", "BYTEA").replace(") WITHOUT ROWID;", ");");
            let postgres: Vec<&str> = migration.postgres.lines().filter(|line| !line.contains(" SET STATISTICS ")).collect();
            assert_eq!(sqlite.lines().collect::<Vec<_>>(), postgres, "{}", migration.name);
        }
    }
}
