//! Databases of another version of the program: the one before this, and one to come.
//!
//! Nothing has been released, so that the version before is made: the schema as all migrations but the last leave it, with
//! every row of a present database that it has room for. It is made from the files of `migrations/`, as that version was.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use entrepot::args;
use entrepot::store::{Error, FromCell, Sql as _, Store, Value};
use sha2::{Digest, Sha256};

/// Each version writes down here which migrations ran.
const LIST: &str = "schema_migration";
const LIST_SQL: &str = "CREATE TABLE schema_migration (name TEXT PRIMARY KEY, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)";
/// A migration of a version to come.
pub const LATER: &str = "9999_later";

/// Name and text of each migration, in their order.
fn migrations(dialect: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("migrations").join(dialect);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: &PathBuf| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(path).unwrap());
    paths.iter().map(read).collect()
}

/// The migration that the version before does not have.
pub fn last() -> String {
    migrations("sqlite").pop().unwrap().0
}

/// What the version before ran, with the checksums it wrote down.
fn former(dialect: &str) -> Vec<(String, String, String)> {
    let mut all = migrations(dialect);
    all.pop();
    let hex = |text: &str| Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    all.into_iter().map(|(name, text)| (hex(&text), name, text)).map(|(sum, name, text)| (name, text, sum)).collect()
}

/// Makes a file of the version before out of a present one that nobody uses.
pub fn step_back_file(present: &Path, to: &Path) {
    let file = rusqlite::Connection::open(to).unwrap();
    file.execute_batch("PRAGMA journal_mode = WAL; PRAGMA foreign_keys = OFF; BEGIN").unwrap();
    for (_, text, _) in former("sqlite") {
        file.execute_batch(&text).unwrap();
    }
    file.execute_batch(LIST_SQL).unwrap();
    for (name, _, sum) in former("sqlite") {
        file.execute("INSERT INTO schema_migration VALUES (?1, ?2, 0)", [name, sum]).unwrap();
    }
    file.execute_batch("COMMIT").unwrap();
    file.execute("ATTACH ?1 AS present", [present.to_str().unwrap()]).unwrap();
    let texts = |sql: &str| -> Vec<String> {
        let mut statement = file.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let tables =
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite^_%' ESCAPE '^' AND name <> 'schema_migration'";
    for table in texts(tables) {
        let both = format!(
            "SELECT '\"' || a.name || '\"' FROM pragma_table_info('{table}', 'main') a JOIN pragma_table_info('{table}', 'present') b USING (name)"
        );
        let columns = texts(&both).join(", ");
        if !columns.is_empty() {
            file.execute_batch(&format!("INSERT INTO main.{table} ({columns}) SELECT {columns} FROM present.{table}")).unwrap();
        }
    }
}

/// Makes a present database on a server one of the version before.
pub async fn step_back_server(store: &Store) {
    let stepped = store.write(|tx| {
        Box::pin(async move {
            let mut run = async |sql: String| tx.execute_built(sql, &[]).await.map(drop);
            run("CREATE SCHEMA former".into()).await?;
            run("SET LOCAL search_path TO former".into()).await?;
            for (_, text, _) in former("postgres") {
                for statement in statements(&text) {
                    run(statement).await?;
                }
            }
            run(LIST_SQL.into()).await?;
            for (name, _, sum) in former("postgres") {
                run(format!("INSERT INTO schema_migration VALUES ('{name}', '{sum}', 0)")).await?;
            }
            let common = "SELECT CAST(a.table_name AS TEXT), string_agg(quote_ident(a.column_name), ', ')
                          FROM information_schema.columns a JOIN information_schema.columns b USING (table_name, column_name)
                          WHERE a.table_schema = 'former' AND b.table_schema = 'public' AND a.table_name <> 'schema_migration'
                          GROUP BY a.table_name";
            for row in tx.fetch_all(common, &[]).await? {
                let (table, columns): (String, String) = (row.get(0)?, row.get(1)?);
                tx.execute_built(format!("INSERT INTO former.{table} ({columns}) SELECT {columns} FROM public.{table}"), &[]).await?;
            }
            for sql in ["DROP SCHEMA public CASCADE", "ALTER SCHEMA former RENAME TO public"] {
                tx.execute(sql, &[]).await?;
            }
            Ok::<_, Error>(())
        })
    });
    stepped.await.unwrap();
}

/// A text of migrations has no semicolon but at the end of a statement.
fn statements(text: &str) -> Vec<String> {
    let bare: Vec<&str> = text.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
    bare.join("\n").split(';').map(|statement| statement.trim().to_owned()).filter(|statement| !statement.is_empty()).collect()
}

/// A later version migrates with these statements, and writes down that it did.
pub async fn migrate_later(store: &Store, statements: &'static [&'static str]) {
    let migrated = store.write(move |tx| {
        Box::pin(async move {
            for statement in statements {
                tx.execute(statement, &[]).await?;
            }
            tx.execute("INSERT INTO schema_migration VALUES ($1, 'later', 0)", args![LATER]).await?;
            Ok::<_, Error>(())
        })
    });
    migrated.await.unwrap();
}

/// Every row of every table, sorted, with the table's columns; what ran when is left out.
#[derive(Debug, PartialEq, Eq)]
pub struct Contents(BTreeMap<String, (Vec<String>, Vec<Vec<Value>>)>);

/// One cell, whatever it holds; NULL has no type, for databases differ in whether it does.
struct Any(Value);

impl FromCell for Any {
    fn from_cell(cell: &Value) -> Option<Self> {
        Some(Self(match cell {
            Value::Text(None) | Value::Bytes(None) => Value::Int(None),
            present => present.clone(),
        }))
    }
}

impl Contents {
    pub async fn of(store: &Store) -> Self {
        Self::picked(store, None).await
    }

    /// Of the tables and columns of `like` only; fails where one is missing.
    pub async fn like(&self, store: &Store) -> Self {
        Self::picked(store, Some(self)).await
    }

    async fn picked(store: &Store, like: Option<&Self>) -> Self {
        let mut contents = BTreeMap::new();
        let found = store.tables().await.unwrap();
        let tables: Vec<(String, Vec<String>)> = match like {
            Some(like) => like.0.iter().map(|(table, (columns, _))| (table.clone(), columns.clone())).collect(),
            None => found.into_iter().map(|table| (table.name, table.columns.into_iter().map(|column| column.name).collect())).collect(),
        };
        let mut conn = store.read().await.unwrap();
        for (table, columns) in tables.into_iter().filter(|(table, _)| table != LIST) {
            let list = columns.iter().map(|column| format!("\"{column}\"")).collect::<Vec<_>>().join(", ");
            let rows = conn.fetch_built(format!("SELECT {list} FROM {table}"), &[]).await.unwrap();
            let cells = |row: &entrepot::store::Row| (0..columns.len()).map(|n| row.get::<Any>(n).unwrap().0).collect::<Vec<_>>();
            let mut rows: Vec<Vec<Value>> = rows.iter().map(cells).collect();
            rows.sort();
            contents.insert(table, (columns, rows));
        }
        Self(contents)
    }

    pub fn rows(&self) -> usize {
        self.0.values().map(|(_, rows)| rows.len()).sum()
    }

    /// The tables of which `after`, which has the same, lacks rows.
    pub fn lost(&self, after: &Self) -> Vec<String> {
        let lost = |(table, (_, rows)): (&String, &(Vec<String>, Vec<Vec<Value>>))| {
            let kept: std::collections::HashSet<String> = after.0[table].1.iter().map(|row| format!("{row:?}")).collect();
            rows.iter().any(|row| !kept.contains(&format!("{row:?}"))).then(|| table.clone())
        };
        self.0.iter().filter_map(lost).collect()
    }
}
