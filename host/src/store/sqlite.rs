//! SQLite: one writer that commits in groups, a few readers.
//!
//! Group commit: whatever is queued while one group runs shares the next commit, so that a busy hub pays one fsync for
//! many units of work and a quiet one pays it at once. Each unit of work has a savepoint of its own.

use std::path::{Path, PathBuf};

use futures::FutureExt;
use futures::future::BoxFuture;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous};
use sqlx::{Column as _, Row as _, SqlStr, TypeInfo as _, ValueRef as _};
use tokio::sync::{Mutex, mpsc, oneshot, watch};

use super::{Bell, Conn, Error, Row, Value, WRITE_OPEN, WriteTx, chain, dialect};

/// Units of work that may share one commit. More only adds latency: the fsync is already spread thin.
const GROUP: usize = 256;
const QUEUE: usize = 4_096;
const READERS: u32 = 4;

pub struct Sqlite {
    readers: SqlitePool,
    jobs: Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
    sender: mpsc::WeakSender<Box<dyn Job>>,
    writer: Mutex<Option<tokio::task::JoinHandle<()>>>,
    poisoned: watch::Receiver<bool>,
    options: SqliteConnectOptions,
    folder: PathBuf,
}

impl Sqlite {
    pub async fn open(path: &Path, bell: Bell) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(std::time::Duration::from_secs(5))
            .statement_cache_capacity(512)
            .pragma("temp_store", "memory")
            .pragma("cache_size", "-16000")
            // What is deleted or replaced is overwritten in its page: a destroyed key must not be found in the file.
            .pragma("secure_delete", "fast");
        let setup = |error: sqlx::Error| Error::Setup {
            what: format!("cannot open the database file {}: {error}", path.display()),
            hint: "check that the folder exists, is writable, and that the file is a SQLite database".into(),
        };
        let writers = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await.map_err(setup)?;
        let writer = writers.acquire().await.map_err(setup)?;
        let readers =
            SqlitePoolOptions::new().max_connections(READERS).connect_with(options.clone().read_only(true)).await.map_err(setup)?;
        let (sender, queue) = mpsc::channel(QUEUE);
        let (poison, poisoned) = watch::channel(false);
        let task = tokio::spawn(write_loop(WriteTx::new(Conn::Sqlite(writer), bell), queue, poison));
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        let (sender, jobs, writer) = (sender.downgrade(), Mutex::new(Some(sender)), Mutex::new(Some(task)));
        let sqlite = Self { readers, sender, jobs, writer, poisoned, options, folder };
        sqlite.refuse_old_library().await?;
        Ok(sqlite)
    }

    async fn refuse_old_library(&self) -> Result<(), Error> {
        let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&self.readers).await?;
        let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        let mut next = || parts.next().unwrap_or(0);
        if (next(), next(), next()) < dialect::OLDEST_SQLITE {
            return Err(Error::Setup {
                what: format!("SQLite {version} can corrupt its log when two connections write at once"),
                hint: "build with the bundled library (libsqlite3-sys 0.37, SQLite 3.51.3 or newer)".into(),
            });
        }
        Ok(())
    }

    pub async fn reader(&self) -> Result<sqlx::pool::PoolConnection<sqlx::Sqlite>, Error> {
        Ok(self.readers.acquire().await?)
    }

    /// Waits for readers and the writer as long as a busy database may be waited for; what is still in use then stays for the
    /// next time.
    pub async fn scrub(&self) -> Result<(), Error> {
        use sqlx::ConnectOptions as _;
        let mut conn = self.options.clone().create_if_missing(false).connect().await?;
        sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut conn).await?;
        Ok(sqlx::Connection::close(conn).await?)
    }

    pub fn is_poisoned(&self) -> bool {
        *self.poisoned.borrow()
    }

    pub async fn poisoned(&self) {
        let mut poisoned = self.poisoned.clone();
        if poisoned.wait_for(|poisoned| *poisoned).await.is_err() {
            // The writer ended in order.
            std::future::pending::<()>().await;
        }
    }

    pub fn free_bytes(&self) -> Option<u64> {
        fs4::available_space(&self.folder).ok()
    }

    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut WriteTx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        if self.is_poisoned() {
            return Err(Error::Poisoned.into());
        }
        let (reply, answer) = oneshot::channel();
        let job = Box::new(TypedJob { work: Some(work), result: None, reply });
        let sender = self.sender.upgrade().ok_or(Error::Closed)?;
        sender.send(job).await.map_err(|_| Error::Closed)?;
        answer.await.unwrap_or(Err(Error::Closed.into()))
    }

    /// Afterwards the file alone is all of it, for whoever copies it while no hub runs.
    pub async fn close(&self) {
        self.jobs.lock().await.take();
        let Some(task) = self.writer.lock().await.take() else { return self.readers.close().await };
        let _ = task.await;
        self.readers.close().await;
        if self.is_poisoned() {
            return;
        }
        if let Err(error) = self.scrub().await {
            tracing::debug!(error = %chain(&error), "the log was not carried over into the file; the next start does it");
        }
    }
}

/// A unit of work whose result type the writer need not know.
trait Job: Send {
    fn run<'t>(&'t mut self, tx: &'t mut WriteTx) -> BoxFuture<'t, bool>;
    fn finish(self: Box<Self>, ending: &Ending);
}

/// How a group ended, for each of its units.
enum Ending {
    Committed,
    /// Nothing was written; the disk is full, or the file may not be written.
    Unwritable(String),
    /// Nobody knows what of it was written.
    Poisoned,
}

impl Ending {
    /// What a failed commit, or a statement that failed below SQL, means for the group.
    fn of(error: &Error, committing: bool) -> Self {
        match error {
            // A full disk is found out before anything is synced; after any other failure of a commit nothing is sure.
            Error::Unwritable { why } => Self::Unwritable(why.clone()),
            Error::Driver(inner) if !committing && !inner.as_database_error().is_some_and(dialect::is_disk_failure) => {
                Self::Unwritable(chain(error))
            }
            Error::Contended(_) if !committing => Self::Unwritable(chain(error)),
            _ => {
                tracing::error!(error = %chain(error), "the disk failed under a write");
                Self::Poisoned
            }
        }
    }
}

struct TypedJob<F, T, E> {
    work: Option<F>,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Job for TypedJob<F, T, E>
where
    F: for<'t> FnOnce(&'t mut WriteTx) -> BoxFuture<'t, Result<T, E>> + Send,
    T: Send,
    E: From<Error> + Send,
{
    fn run<'t>(&'t mut self, tx: &'t mut WriteTx) -> BoxFuture<'t, bool> {
        Box::pin(async move {
            let Some(work) = self.work.take() else { return false };
            let outcome = std::panic::AssertUnwindSafe(WRITE_OPEN.scope((), work(tx))).catch_unwind().await;
            self.result = outcome.ok();
            matches!(self.result, Some(Ok(_)))
        })
    }

    fn finish(self: Box<Self>, ending: &Ending) {
        // A dropped receiver means that the caller went away; the work stands all the same.
        let _ = self.reply.send(match (self.result, ending) {
            (Some(Err(error)), _) => Err(error),
            (_, Ending::Poisoned) => Err(Error::Poisoned.into()),
            (_, Ending::Unwritable(why)) => Err(Error::Unwritable { why: why.clone() }.into()),
            (Some(done), Ending::Committed) => done,
            (None, Ending::Committed) => Err(Error::Closed.into()),
        });
    }
}

async fn write_loop(mut tx: WriteTx, mut queue: mpsc::Receiver<Box<dyn Job>>, poison: watch::Sender<bool>) {
    while let Some(first) = queue.recv().await {
        let mut group = Vec::new();
        let mut hooks = Vec::new();
        let begun = tx.raw("BEGIN IMMEDIATE").await;
        let mut broken = begun.err().map(|error| Ending::of(&error, false));
        let mut next = Some(first);
        while let Some(mut job) = next {
            if broken.is_none() {
                broken = run_in_savepoint(job.as_mut(), &mut tx, &mut hooks).await;
            }
            group.push(job);
            next = if group.len() < GROUP { queue.try_recv().ok() } else { None };
        }
        let ending = match broken {
            Some(ending) => ending,
            None => tx.raw("COMMIT").await.map_or_else(|error| Ending::of(&error, true), |()| Ending::Committed),
        };
        match &ending {
            Ending::Committed => hooks.into_iter().for_each(|hook| hook()),
            Ending::Unwritable(why) => tracing::error!(why, units = group.len(), "a group of writes found no room"),
            Ending::Poisoned => tracing::error!(units = group.len(), "a group of writes could not be made durable"),
        }
        if !matches!(ending, Ending::Committed) {
            tx.after_commit.clear();
            let _ = tx.raw("ROLLBACK").await;
        }
        if matches!(ending, Ending::Poisoned) {
            // Before the units hear of it: nobody may think that the next one will do better.
            poison.send_replace(true);
        }
        for job in group {
            job.finish(&ending);
        }
        if *poison.borrow() {
            return;
        }
    }
}

/// `Some` when the group's transaction is gone: SQLite undoes all of it when its disk fails.
async fn run_in_savepoint(job: &mut dyn Job, tx: &mut WriteTx, hooks: &mut Vec<Box<dyn FnOnce() + Send>>) -> Option<Ending> {
    if let Err(error) = tx.raw("SAVEPOINT work").await {
        return Some(Ending::of(&error, false));
    }
    let ended = if job.run(tx).await {
        hooks.append(&mut tx.after_commit);
        tx.raw("RELEASE work").await
    } else {
        tx.after_commit.clear();
        tx.raw("ROLLBACK TO work; RELEASE work").await
    };
    ended.err().map(|error| Ending::of(&error, false))
}

/// A statement with its parameters by position (`?`): SQLite looks every other kind up by its name, from the front of a list.
struct Positional {
    sql: String,
    /// For each `?`, which argument it is.
    order: Vec<usize>,
}

impl Positional {
    /// `$n` outside of quotes is the nth argument.
    fn of(sql: &str) -> Self {
        let mut out = Self { sql: String::with_capacity(sql.len()), order: Vec::new() };
        let (mut rest, mut quoted) = (sql, false);
        while let Some(at) = rest.find(['$', '\'']) {
            let (before, found) = rest.split_at(at);
            out.sql.push_str(before);
            let digits = found[1..].bytes().take_while(u8::is_ascii_digit).count();
            match found[1..=digits].parse::<usize>() {
                Ok(n) if n > 0 && !quoted && found.starts_with('$') => {
                    out.sql.push('?');
                    out.order.push(n - 1);
                    rest = &found[1 + digits..];
                }
                _ => {
                    quoted ^= found.starts_with('\'');
                    out.sql.push_str(&found[..1]);
                    rest = &found[1..];
                }
            }
        }
        out.sql.push_str(rest);
        out
    }

    fn bind(self, args: &[Value]) -> sqlx::query::Query<'_, sqlx::Sqlite, sqlx::sqlite::SqliteArguments> {
        let sql = sqlx::SqlSafeStr::into_sql_str(sqlx::AssertSqlSafe(self.sql));
        // An argument that is missing stays unbound, which is NULL to SQLite; PostgreSQL, on which every store test runs too, refuses it.
        self.order.iter().map_while(|n| args.get(*n)).fold(sqlx::query(sql), |query, arg| match arg {
            Value::Int(v) => query.bind(*v),
            Value::Text(v) => query.bind(v.as_deref()),
            Value::Bytes(v) => query.bind(v.as_deref()),
        })
    }
}

pub async fn execute(conn: &mut sqlx::SqliteConnection, sql: SqlStr, args: &[Value]) -> Result<u64, Error> {
    Ok(Positional::of(sql.as_str()).bind(args).execute(conn).await?.rows_affected())
}

pub async fn fetch(conn: &mut sqlx::SqliteConnection, sql: SqlStr, args: &[Value]) -> Result<Vec<Row>, Error> {
    Positional::of(sql.as_str()).bind(args).fetch_all(conn).await?.iter().map(to_row).collect()
}

fn to_row(row: &SqliteRow) -> Result<Row, Error> {
    let cell = |i: usize| -> Result<Value, Error> {
        let raw = row.try_get_raw(i)?;
        let (null, stored) = (raw.is_null(), raw.type_info());
        // A NULL carries no type of its own; the declared one, if any, does not matter to the reader.
        Ok(match if null { "NULL" } else { stored.name() } {
            "INTEGER" => Value::Int(row.try_get_unchecked(i)?),
            "TEXT" => Value::Text(row.try_get_unchecked(i)?),
            "BLOB" => Value::Bytes(row.try_get_unchecked(i)?),
            "NULL" => Value::Int(None),
            other => return Err(Error::Shape { column: row.column(i).ordinal(), found: other.to_owned() }),
        })
    };
    (0..row.len()).map(cell).collect::<Result<_, _>>().map(Row)
}

#[test]
fn parameters_go_by_position_except_in_quotes() {
    let positional = Positional::of("SELECT 'it''s $1', $2 FROM t WHERE a = $1 AND b = $2 AND c = $12 AND d = '$'");
    assert_eq!(positional.sql, "SELECT 'it''s $1', ? FROM t WHERE a = ? AND b = ? AND c = ? AND d = '$'");
    assert_eq!(positional.order, [1, 0, 1, 11]);
}
