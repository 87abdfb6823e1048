//! Everything a database holds, into an empty one: how a hub on a file moves to a server.
//!
//! The whole move is one transaction of the target, so that it ends with all or with nothing. Rows go in batches in the order of
//! their keys; afterwards each table is read back, counted and compared by a sum over its rows that does not depend on their
//! order, because databases sort texts differently. The source is only read.

use sha2::{Digest, Sha256};

use super::tables::{Column, Kind, Table};
use super::{Error as StoreError, Row, Sql, Store, Value, WriteTx, migrate, placeholders};
use crate::clock::Clock;

/// Rows of a batch; of tables with bytes, which may be large, fewer.
const ROWS: usize = 500;
const ROWS_WITH_BYTES: usize = 16;

/// Each database has a list of migrations of its own.
const OF_ITS_OWN: &str = "schema_migration";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the schema of the present database is older than this program ({missing}); hint: `entrepot migrate` brings it up to date", missing = .0.join(", "))]
    Behind(Vec<&'static str>),
    #[error("the present database is not a hub's; hint: check data.folder and database.url")]
    NotOurs,
    #[error("the other database holds tables of something else, such as `{0}`; hint: create a database for the hub alone")]
    Foreign(String),
    #[error("the other database is not empty: `{0}` has rows; hint: create a new one, a move replaces nothing")]
    NotEmpty(String),
    #[error("the table `{0}` is not the same in both databases; hint: it was changed by hand, or one of them is of another version")]
    Different(String),
    #[error("the table `{table}` did not arrive as it left ({left} rows left, {arrived} arrived); nothing was kept")]
    Corrupted { table: String, left: u64, arrived: u64 },
    #[error("the rows of `{table}` could not be moved; nothing was kept")]
    Table { table: String, source: Box<StoreError> },
    #[error("{0}")]
    Store(#[from] StoreError),
}

/// What became of one table.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Moved {
    pub table: String,
    pub rows: u64,
    /// Over the rows in any order, hexadecimal.
    pub checksum: String,
}

/// Copies every row of `from` into the empty `to`. Nobody may write to `from` meanwhile.
pub async fn run(from: &Store, to: &Store, clock: &Clock) -> Result<Vec<Moved>, Error> {
    if !from.is_ours().await? {
        return Err(Error::NotOurs);
    }
    let missing = from.pending_migrations().await?;
    if !missing.is_empty() {
        return Err(Error::Behind(missing));
    }
    if !to.is_ours().await?
        && let Some(table) = to.tables().await?.into_iter().next()
    {
        return Err(Error::Foreign(table.name));
    }
    migrate::run(to, clock).await.map_err(StoreError::from)?;
    let tables = same_tables(from.tables().await?, to.tables().await?)?;
    let source = from.clone();
    to.write(move |tx| {
        Box::pin(async move {
            for table in &tables {
                let sql = format!("SELECT 1 FROM {} LIMIT 1", table.name);
                if !tx.fetch_built(sql, &[]).await?.is_empty() {
                    return Err(Error::NotEmpty(table.name.clone()));
                }
            }
            let mut moved = Vec::with_capacity(tables.len());
            for table in &tables {
                moved.push(move_table(&source, tx, table).await?);
            }
            if tx.dialect() == super::Dialect::Postgres {
                // Otherwise the first hours are planned as if every table were empty.
                tx.execute("ANALYZE", &[]).await?;
            }
            Ok(moved)
        })
    })
    .await
}

/// The tables to move, which both must have with the same columns.
fn same_tables(from: Vec<Table>, to: Vec<Table>) -> Result<Vec<Table>, Error> {
    let ours = |table: &Table| table.name != OF_ITS_OWN;
    let (from, to): (Vec<Table>, Vec<Table>) = (from.into_iter().filter(ours).collect(), to.into_iter().filter(ours).collect());
    let odd = from.iter().find(|table| !to.contains(table)).or_else(|| to.iter().find(|table| !from.contains(table)));
    match odd {
        Some(table) => Err(Error::Different(table.name.clone())),
        None => Ok(from),
    }
}

async fn move_table(from: &Store, to: &mut WriteTx, table: &Table) -> Result<Moved, Error> {
    let failed = |source: StoreError| Error::Table { table: table.name.clone(), source: Box::new(source) };
    let mut left = Sum::default();
    let mut conn = from.read().await?;
    let mut after: Option<Row> = None;
    loop {
        let batch = page(&mut conn, table, after.as_ref()).await.map_err(failed)?;
        insert(to, table, &batch).await.map_err(failed)?;
        batch.iter().for_each(|row| left.add(table, row));
        match batch.len() == batch_of(table) {
            true => after = batch.into_iter().next_back(),
            false => break,
        }
    }
    let mut arrived = Sum::default();
    let mut after: Option<Row> = None;
    loop {
        let batch = page(to, table, after.as_ref()).await.map_err(failed)?;
        batch.iter().for_each(|row| arrived.add(table, row));
        match batch.len() == batch_of(table) {
            true => after = batch.into_iter().next_back(),
            false => break,
        }
    }
    if left != arrived {
        return Err(Error::Corrupted { table: table.name.clone(), left: left.rows, arrived: arrived.rows });
    }
    Ok(Moved { table: table.name.clone(), rows: left.rows, checksum: left.hex() })
}

fn batch_of(table: &Table) -> usize {
    if table.columns.iter().any(|column| column.kind == Kind::Bytes) { ROWS_WITH_BYTES } else { ROWS }
}

fn names<'a>(columns: impl Iterator<Item = &'a Column>) -> String {
    columns.map(|column| format!("\"{}\"", column.name)).collect::<Vec<_>>().join(", ")
}

/// The rows that follow one in the order of the primary key, as this database sorts it.
async fn page(conn: &mut impl Sql, table: &Table, after: Option<&Row>) -> Result<Vec<Row>, StoreError> {
    let key = || table.columns.iter().filter(|column| column.key);
    let (values, behind) = match after {
        None => (Vec::new(), String::new()),
        Some(row) => {
            let values: Vec<Value> = typed(table, row).into_iter().zip(&table.columns).filter(|(_, c)| c.key).map(|(v, _)| v).collect();
            let behind = format!("WHERE ({}) > {}", names(key()), placeholders(1, values.len()));
            (values, behind)
        }
    };
    let sql =
        format!("SELECT {} FROM {} {behind} ORDER BY {} LIMIT {}", names(table.columns.iter()), table.name, names(key()), batch_of(table));
    conn.fetch_built(sql, &values).await
}

async fn insert(to: &mut WriteTx, table: &Table, rows: &[Row]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let values: Vec<Value> = rows.iter().flat_map(|row| typed(table, row)).collect();
    let columns = table.columns.len();
    let sql = format!("INSERT INTO {} ({}) VALUES {}", table.name, names(table.columns.iter()), placeholders(rows.len(), columns));
    to.execute_built(sql, &values).await?;
    Ok(())
}

/// A row's cells, each NULL with the type of its column.
fn typed(table: &Table, row: &Row) -> Vec<Value> {
    let null = |kind| match kind {
        Kind::Int => Value::Int(None),
        Kind::Text | Kind::Other => Value::Text(None),
        Kind::Bytes => Value::Bytes(None),
    };
    let cell = |(value, column): (&Value, &Column)| match value {
        Value::Int(None) | Value::Text(None) | Value::Bytes(None) => null(column.kind),
        present => present.clone(),
    };
    row.0.iter().zip(&table.columns).map(cell).collect()
}

/// Rows counted, and their digests added up.
#[derive(Default, PartialEq, Eq)]
struct Sum {
    rows: u64,
    digest: [u64; 4],
}

impl Sum {
    fn add(&mut self, table: &Table, row: &Row) {
        let mut hash = Sha256::new();
        for value in typed(table, row) {
            let (tag, bytes): (u8, Option<Vec<u8>>) = match value {
                Value::Int(v) => (1, v.map(|v| v.to_be_bytes().to_vec())),
                Value::Text(v) => (2, v.map(String::into_bytes)),
                Value::Bytes(v) => (3, v),
            };
            hash.update([tag, u8::from(bytes.is_some())]);
            hash.update((bytes.as_ref().map_or(0, Vec::len) as u64).to_be_bytes());
            hash.update(bytes.unwrap_or_default());
        }
        for (sum, part) in self.digest.iter_mut().zip(hash.finalize().chunks_exact(8)) {
            *sum = sum.wrapping_add(part.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)));
        }
        self.rows += 1;
    }

    fn hex(&self) -> String {
        self.digest.iter().map(|part| format!("{part:016x}")).collect()
    }
}

#[cfg(test)]
mod tests;
