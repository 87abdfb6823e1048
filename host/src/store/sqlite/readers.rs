//! Connections that read. Each has a thread of its own, so that a long look at everything holds up nobody else.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::Direct;
use crate::store::Error;

const READERS: u32 = 4;

pub struct Readers {
    path: PathBuf,
    places: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Line>>>,
}

/// To one connection.
struct Line {
    questions: mpsc::Sender<Question>,
    thread: JoinHandle<()>,
}

type Question = Box<dyn FnOnce(&mut Direct) + Send>;

impl Readers {
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), places: Arc::new(Semaphore::new(READERS as usize)), idle: Arc::default() }
    }

    /// Opens one only when all that there are are in use.
    pub async fn acquire(&self) -> Result<Reader, Error> {
        let place = self.places.clone().acquire_owned().await.map_err(|_| Error::Closed)?;
        let idle = lock(&self.idle).pop();
        let line = match idle {
            Some(line) => line,
            None => self.start().await?,
        };
        Ok(Reader { line: Some(line), idle: self.idle.clone(), _place: place })
    }

    async fn start(&self) -> Result<Line, Error> {
        let path = self.path.clone();
        let mut conn = super::aside(move || Direct::reading(&path)).await?;
        let (questions, asked) = mpsc::channel::<Question>();
        let thread = std::thread::Builder::new().name("database-reader".into());
        let thread = thread.spawn(move || asked.into_iter().for_each(|question| question(&mut conn)));
        let none = |error| Error::Setup { what: format!("no thread for a reader: {error}"), hint: "raise the limit of threads".into() };
        Ok(Line { questions, thread: thread.map_err(none)? })
    }

    /// Waits for those in use.
    pub async fn close(&self) {
        let _all = self.places.acquire_many(READERS).await;
        self.places.close();
        let threads: Vec<_> = lock(&self.idle).drain(..).map(|line| line.thread).collect();
        let ended = tokio::task::spawn_blocking(move || threads.into_iter().for_each(|thread| drop(thread.join())));
        let _ = ended.await;
    }
}

/// Goes back when it is dropped.
pub struct Reader {
    line: Option<Line>,
    idle: Arc<Mutex<Vec<Line>>>,
    _place: OwnedSemaphorePermit,
}

impl Reader {
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Direct) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let line = self.line.as_ref().ok_or(Error::Closed)?;
        // Whoever asked may have gone away.
        line.questions.send(Box::new(move |conn| drop(reply.send(question(conn))))).map_err(|_| Error::Closed)?;
        answer.await.unwrap_or(Err(Error::Closed))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        lock(&self.idle).extend(self.line.take());
    }
}

fn lock(idle: &Mutex<Vec<Line>>) -> MutexGuard<'_, Vec<Line>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}
