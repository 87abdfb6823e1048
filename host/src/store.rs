//! The database: SQLite in one file, or PostgreSQL 15+. The only room that names a driver.
//!
//! One SQL text serves both (`$1`, BIGINT, TEXT, BLOB|BYTEA, `ON CONFLICT`, `RETURNING`); what differs is in
//! [`dialect`]. Reads take a [`ReadConn`] and never wait for writes. A write is a closure over [`WriteTx`]: on SQLite it
//! runs in a savepoint of the one writer, which commits whole groups with one fsync; on PostgreSQL in a transaction of
//! its own. The closure's error undoes exactly that closure. When [`Store::write`] returns `Ok`, the data is durable.

mod copy;
pub mod dialect;
mod error;
mod migrate;
mod postgres;
mod sqlite;
mod tables;
pub mod transfer;
mod value;

use std::path::PathBuf;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::watch;

pub use copy::{damage, kept_before, sync_folder};
pub use dialect::Dialect;
pub use error::{Cause, Error, chain, is_away, is_contended, may_pass};
pub use postgres::Listener;
pub use value::{FromCell, Row, Value};

use crate::clock::Clock;

/// A list of bound parameters: `args![&ctx.tenant, id, 5i64]`.
#[macro_export]
macro_rules! args {
    ($($value:expr),* $(,)?) => { &$crate::cells![$($value),*] };
}

/// The parameters of one row among several, to be appended to a list.
#[macro_export]
macro_rules! cells {
    ($($value:expr),* $(,)?) => { [$($crate::store::Value::from($value)),*] };
}

/// Which database, where.
#[derive(Clone, Debug)]
pub enum Location {
    File(PathBuf),
    /// `postgres://user:password@host/database`; the password never reaches a log.
    Postgres(String),
}

/// A handle to the database; cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Backend>, Bell);

/// Counts the units of work that called [`WriteTx::ring`] and became durable in this process.
type Bell = watch::Sender<u64>;

enum Backend {
    Sqlite(Box<sqlite::Sqlite>),
    Postgres(postgres::Postgres),
}

impl Store {
    /// Opens (and creates, for a file) the database and brings its schema up to date.
    pub async fn open(location: &Location, clock: &Clock) -> Result<Self, Error> {
        let store = Self::connect(location).await?;
        store.steer(clock).await?;
        migrate::run(&store, clock).await?;
        Ok(store)
    }

    /// Opens without touching the schema; `migrate` and `doctor` use it.
    pub async fn connect(location: &Location) -> Result<Self, Error> {
        let bell = Bell::new(0);
        let backend = match location {
            Location::File(path) => Backend::Sqlite(Box::new(sqlite::Sqlite::open(path, bell.clone()).await?)),
            Location::Postgres(url) => Backend::Postgres(postgres::Postgres::connect(url, bell.clone()).await?),
        };
        Ok(Self(Arc::new(backend), bell))
    }

    /// Brings the schema up to date; returns the names of the migrations that ran.
    pub async fn migrate(&self, clock: &Clock) -> Result<Vec<&'static str>, Error> {
        Ok(migrate::run(self, clock).await?)
    }

    /// Names of migrations this program has and the database lacks.
    pub async fn pending_migrations(&self) -> Result<Vec<&'static str>, Error> {
        Ok(migrate::pending(self).await?)
    }

    /// Writes the log of a database file into it and empties it, so that what was overwritten is on the disk nowhere. A server's
    /// database does so in its own time.
    pub async fn scrub(&self) -> Result<(), Error> {
        match &*self.0 {
            Backend::Sqlite(db) => db.scrub().await,
            Backend::Postgres(_) => Ok(()),
        }
    }

    /// Whether a hub's schema lies in it, of whatever version.
    pub async fn is_ours(&self) -> Result<bool, Error> {
        Ok(migrate::is_ours(self).await?)
    }

    pub fn dialect(&self) -> Dialect {
        match &*self.0 {
            Backend::Sqlite(_) => Dialect::Sqlite,
            Backend::Postgres(_) => Dialect::Postgres,
        }
    }

    /// What the database calls itself, for people: `SQLite 3.51.3`.
    pub async fn version(&self) -> Result<String, Error> {
        let mut conn = self.read().await?;
        let row = conn.fetch_one(dialect::version_sql(self.dialect()), &[]).await?;
        Ok(format!("{} {}", self.dialect().name(), row.get::<String>(0)?))
    }

    pub async fn read(&self) -> Result<ReadConn, Error> {
        Ok(ReadConn(match &*self.0 {
            Backend::Sqlite(db) => Conn::Reader(db.reader().await?),
            Backend::Postgres(db) => Conn::Postgres(db.acquire().await?),
        }))
    }

    /// Runs one unit of work and makes it durable. `Err` undoes all of it.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut WriteTx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        match &*self.0 {
            Backend::Sqlite(db) => db.write(work).await,
            Backend::Postgres(db) => db.write(work).await,
        }
    }

    /// Tells a following clock the database's time, which several processes share; SQLite has none of its own.
    pub async fn steer(&self, clock: &Clock) -> Result<(), Error> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(());
        }
        let mut conn = self.read().await?;
        let asked_at = clock.now_ms();
        let row = conn.fetch_one("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)", &[]).await?;
        let travelled_ms = clock.now_ms().saturating_sub(asked_at);
        clock.anchor(row.get::<i64>(0)?.saturating_add(travelled_ms / 2));
        Ok(())
    }

    /// Changes after every commit of this process that rang; see [`WriteTx::ring`].
    pub fn rings(&self) -> watch::Receiver<u64> {
        self.1.subscribe()
    }

    /// Hears what any process sends to `channel` with `pg_notify`; `None` on SQLite, which one process owns alone.
    pub async fn listen(&self, channel: &str) -> Result<Option<Listener>, Error> {
        match &*self.0 {
            Backend::Sqlite(_) => Ok(None),
            Backend::Postgres(db) => Ok(Some(db.listen(channel).await?)),
        }
    }

    /// Whether a commit failed on its way to the disk; from then on nothing may be acknowledged.
    pub fn is_poisoned(&self) -> bool {
        match &*self.0 {
            Backend::Sqlite(db) => db.is_poisoned(),
            Backend::Postgres(_) => false,
        }
    }

    /// Resolves when [`Store::is_poisoned`] becomes true, and never otherwise.
    pub async fn poisoned(&self) {
        match &*self.0 {
            Backend::Sqlite(db) => db.poisoned().await,
            Backend::Postgres(_) => std::future::pending().await,
        }
    }

    /// Bytes left on the disk of the database file; `None` where a server keeps the data, or nobody knows.
    pub fn free_bytes(&self) -> Option<u64> {
        match &*self.0 {
            Backend::Sqlite(db) => db.free_bytes(),
            Backend::Postgres(_) => None,
        }
    }

    /// Finishes queued writes and closes.
    pub async fn close(&self) {
        match &*self.0 {
            Backend::Sqlite(db) => db.close().await,
            Backend::Postgres(db) => db.close().await,
        }
    }
}

/// A connection for reading: sees everything committed before it was taken.
pub struct ReadConn(Conn);

/// A unit of work. Only the store opens and commits one.
pub struct WriteTx {
    conn: Conn,
    after_commit: Vec<Box<dyn FnOnce() + Send>>,
    bell: Bell,
}

enum Conn {
    /// Of a database file.
    Reader(sqlite::Reader),
    /// Of a database file.
    Writer(Box<sqlite::Direct>),
    Postgres(sqlx::pool::PoolConnection<sqlx::Postgres>),
}

impl WriteTx {
    fn new(conn: Conn, bell: Bell) -> Self {
        Self { conn, after_commit: Vec::new(), bell }
    }

    /// Runs when, and only when, this unit of work is durable.
    pub fn after_commit(&mut self, hook: impl FnOnce() + Send + 'static) {
        self.after_commit.push(Box::new(hook));
    }

    /// Once this unit of work is durable, tells whoever watches [`Store::rings`] that there may be something to do.
    pub fn ring(&mut self) {
        let bell = self.bell.clone();
        self.after_commit(move || bell.send_modify(|count| *count = count.wrapping_add(1)));
    }

    /// Units of work about one thing that has no row to lock yet, such as an order about to be stored, take turns. Callers
    /// that take several names take them in one order.
    pub async fn claim_name(&mut self, name: &str) -> Result<(), Error> {
        if let Some(sql) = self.dialect().claim_name() {
            self.fetch_all(sql, args![name]).await?;
        }
        Ok(())
    }

    pub fn dialect(&self) -> Dialect {
        self.conn.dialect()
    }

    /// Returns the number of rows touched.
    pub async fn execute(&mut self, sql: &'static str, args: &[Value]) -> Result<u64, Error> {
        self.conn.execute(Text::Static(sql), args).await
    }

    /// For texts with a variable number of rows or list items; never build one from data.
    pub async fn execute_built(&mut self, sql: String, args: &[Value]) -> Result<u64, Error> {
        self.conn.execute(Text::Built(sql), args).await
    }

    async fn raw(&mut self, sql: &'static str) -> Result<(), Error> {
        self.conn.raw(sql).await
    }
}

/// Queries, on a reading connection or inside a unit of work.
pub trait Sql: Send {
    #[doc(hidden)]
    fn conn(&mut self) -> &mut impl Fetch;

    fn fetch_all(&mut self, sql: &'static str, args: &[Value]) -> impl Future<Output = Result<Vec<Row>, Error>> + Send {
        self.conn().fetch(Text::Static(sql), args)
    }

    /// For texts with a variable number of list items; never build one from data.
    fn fetch_built(&mut self, sql: String, args: &[Value]) -> impl Future<Output = Result<Vec<Row>, Error>> + Send {
        self.conn().fetch(Text::Built(sql), args)
    }

    fn fetch_optional(&mut self, sql: &'static str, args: &[Value]) -> impl Future<Output = Result<Option<Row>, Error>> + Send {
        let rows = self.fetch_all(sql, args);
        async move { Ok(rows.await?.into_iter().next()) }
    }

    fn fetch_one(&mut self, sql: &'static str, args: &[Value]) -> impl Future<Output = Result<Row, Error>> + Send {
        let row = self.fetch_optional(sql, args);
        async move { row.await?.ok_or(Error::Driver(sqlx::Error::RowNotFound.into())) }
    }
}

/// A statement's text.
#[doc(hidden)]
pub enum Text {
    /// Of the program.
    Static(&'static str),
    /// With a number of rows or list items that only the call knew.
    Built(String),
}

impl From<Text> for sqlx::SqlStr {
    fn from(text: Text) -> Self {
        match text {
            Text::Static(sql) => Self::from_static(sql),
            Text::Built(sql) => sqlx::SqlSafeStr::into_sql_str(sqlx::AssertSqlSafe(sql)),
        }
    }
}

#[doc(hidden)]
pub trait Fetch: Send {
    fn fetch(&mut self, text: Text, args: &[Value]) -> impl Future<Output = Result<Vec<Row>, Error>> + Send;
}

impl Fetch for Conn {
    async fn fetch(&mut self, text: Text, args: &[Value]) -> Result<Vec<Row>, Error> {
        match self {
            Conn::Reader(conn) => {
                let args = args.to_vec();
                conn.ask(move |conn| conn.fetch(text, &args)).await
            }
            Conn::Writer(conn) => conn.fetch(text, args),
            Conn::Postgres(conn) => postgres::fetch(conn, text, args).await,
        }
    }
}

impl Conn {
    fn dialect(&self) -> Dialect {
        match self {
            Conn::Reader(_) | Conn::Writer(_) => Dialect::Sqlite,
            Conn::Postgres(_) => Dialect::Postgres,
        }
    }

    async fn execute(&mut self, text: Text, args: &[Value]) -> Result<u64, Error> {
        match self {
            Conn::Reader(conn) => {
                let args = args.to_vec();
                conn.ask(move |conn| conn.execute(text, &args)).await
            }
            Conn::Writer(conn) => conn.execute(text, args),
            Conn::Postgres(conn) => postgres::execute(conn, text, args).await,
        }
    }

    async fn raw(&mut self, sql: &'static str) -> Result<(), Error> {
        match self {
            Conn::Reader(conn) => conn.ask(move |conn| conn.raw(sql)).await?,
            Conn::Writer(conn) => conn.raw(sql)?,
            Conn::Postgres(conn) => sqlx::raw_sql(sql).execute(&mut **conn).await.map(drop)?,
        }
        Ok(())
    }
}

impl Sql for ReadConn {
    fn conn(&mut self) -> &mut impl Fetch {
        &mut self.0
    }
}

impl Sql for WriteTx {
    fn conn(&mut self) -> &mut impl Fetch {
        &mut self.conn
    }
}

tokio::task_local! {
    static WRITE_OPEN: ();
}

/// No network or plugin call may happen while a unit of work is open. Called at the entry of both rooms.
pub fn assert_no_write_open() {
    debug_assert!(WRITE_OPEN.try_with(|()| ()).is_err(), "a network or plugin call inside a unit of work");
}

/// `($1, $2), ($3, $4)` for a statement of many rows.
pub fn placeholders(rows: usize, columns: usize) -> String {
    let mut out = String::with_capacity(rows * columns * 5);
    for row in 0..rows {
        out.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns {
            if column > 0 {
                out.push_str(", ");
            }
            out.push('$');
            out.push_str(&(row * columns + column + 1).to_string());
        }
        out.push(')');
    }
    out
}

#[cfg(test)]
pub mod tests;
