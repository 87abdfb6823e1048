//! SQLite: one writer that commits in groups, a few readers, each on a thread of its own.
//!
//! Group commit: whatever is queued while one group runs shares the next commit, so that a busy hub pays one fsync for
//! many units of work and a quiet one pays it at once. Each unit of work has a savepoint of its own.

mod direct;
mod readers;

use std::path::{Path, PathBuf};

use futures::FutureExt;
use futures::executor::block_on;
use futures::future::BoxFuture;
use tokio::sync::{Mutex, mpsc, oneshot, watch};

pub use self::direct::Direct;
pub use self::readers::Reader;
use self::readers::Readers;
use super::{Bell, Conn, Error, WRITE_OPEN, WriteTx, chain, dialect};

/// Units of work that may share one commit. More only adds latency: the fsync is already spread thin.
const GROUP: usize = 256;
const QUEUE: usize = 4_096;

pub struct Sqlite {
    readers: Readers,
    jobs: Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
    sender: mpsc::WeakSender<Box<dyn Job>>,
    /// Resolves when the writer has ended.
    ended: Mutex<Option<oneshot::Receiver<()>>>,
    poisoned: watch::Receiver<bool>,
    path: PathBuf,
}

impl Sqlite {
    pub async fn open(path: &Path, bell: Bell) -> Result<Self, Error> {
        let setup = |error: &dyn std::fmt::Display| Error::Setup {
            what: format!("cannot open the database file {}: {error}", path.display()),
            hint: "check that the folder exists, is writable, and that the file is a SQLite database".into(),
        };
        refuse_old_library()?;
        let file = path.to_owned();
        let writer = aside(move || Direct::writing(&file)).await.map_err(|error| setup(&chain(&error)))?;
        let (sender, queue) = mpsc::channel(QUEUE);
        let (poison, poisoned) = watch::channel(false);
        let ended = start(WriteTx::new(Conn::Writer(Box::new(writer)), bell), queue, poison).map_err(|error| setup(&error))?;
        let (sender, jobs, ended) = (sender.downgrade(), Mutex::new(Some(sender)), Mutex::new(Some(ended)));
        Ok(Self { readers: Readers::new(path), sender, jobs, ended, poisoned, path: path.to_owned() })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub async fn reader(&self) -> Result<Reader, Error> {
        self.readers.acquire().await
    }

    /// Waits for readers and the writer as long as a busy database may be waited for; what is still in use then stays for the
    /// next time.
    pub async fn scrub(&self) -> Result<(), Error> {
        let path = self.path.clone();
        aside(move || Direct::existing(&path)?.raw("PRAGMA wal_checkpoint(TRUNCATE)")).await
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
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs4::available_space(folder).ok()
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
        let Some(ended) = self.ended.lock().await.take() else { return self.readers.close().await };
        let _ = ended.await;
        self.readers.close().await;
        if self.is_poisoned() {
            return;
        }
        if let Err(error) = self.scrub().await {
            tracing::debug!(error = %chain(&error), "the log was not carried over into the file; the next start does it");
        }
    }
}

/// What waits for the disk, on a thread that may.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Error::Closed))
}

fn refuse_old_library() -> Result<(), Error> {
    let (major, minor, patch) = dialect::OLDEST_SQLITE;
    if rusqlite::version_number() < major * 1_000_000 + minor * 1_000 + patch {
        return Err(Error::Setup {
            what: format!("SQLite {} can corrupt its log when two connections write at once", rusqlite::version()),
            hint: "build with the bundled library (libsqlite3-sys 0.37, SQLite 3.51.3 or newer)".into(),
        });
    }
    Ok(())
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
            Error::Driver(cause) if !committing && !cause.code().as_deref().is_some_and(dialect::is_disk_failure) => {
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
            (None, Ending::Committed) => Err(Error::Panicked.into()),
        });
    }
}

/// Units of work are futures, but on this thread whatever they wait for is there: a thread that is only theirs wakes once for a
/// group, not once for a statement.
fn start(tx: WriteTx, queue: mpsc::Receiver<Box<dyn Job>>, poison: watch::Sender<bool>) -> std::io::Result<oneshot::Receiver<()>> {
    let (end, ended) = oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    std::thread::Builder::new().name("database-writer".into()).spawn(move || {
        let _runtime = runtime.enter();
        write_loop(tx, queue, &poison);
        let _ = end.send(());
    })?;
    Ok(ended)
}

fn write_loop(mut tx: WriteTx, mut queue: mpsc::Receiver<Box<dyn Job>>, poison: &watch::Sender<bool>) {
    while let Some(first) = queue.blocking_recv() {
        let mut group = Vec::new();
        let mut hooks = Vec::new();
        let begun = block_on(tx.raw("BEGIN IMMEDIATE"));
        let mut broken = begun.err().map(|error| Ending::of(&error, false));
        let mut next = Some(first);
        while let Some(mut job) = next {
            if broken.is_none() {
                broken = run_in_savepoint(job.as_mut(), &mut tx, &mut hooks);
            }
            group.push(job);
            next = if group.len() < GROUP { queue.try_recv().ok() } else { None };
        }
        let ending = match broken {
            Some(ending) => ending,
            None => block_on(tx.raw("COMMIT")).map_or_else(|error| Ending::of(&error, true), |()| Ending::Committed),
        };
        match &ending {
            Ending::Committed => hooks.into_iter().for_each(|hook| hook()),
            Ending::Unwritable(why) => tracing::error!(why, units = group.len(), "a group of writes found no room"),
            Ending::Poisoned => tracing::error!(units = group.len(), "a group of writes could not be made durable"),
        }
        if !matches!(ending, Ending::Committed) {
            tx.after_commit.clear();
            let _ = block_on(tx.raw("ROLLBACK"));
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
fn run_in_savepoint(job: &mut dyn Job, tx: &mut WriteTx, hooks: &mut Vec<Box<dyn FnOnce() + Send>>) -> Option<Ending> {
    if let Err(error) = block_on(tx.raw("SAVEPOINT work")) {
        return Some(Ending::of(&error, false));
    }
    let ended = if block_on(job.run(tx)) {
        hooks.append(&mut tx.after_commit);
        block_on(tx.raw("RELEASE work"))
    } else {
        tx.after_commit.clear();
        block_on(tx.raw("ROLLBACK TO work; RELEASE work"))
    };
    ended.err().map(|error| Ending::of(&error, false))
}
