//! How a runner learns that something became due: at once from its own process, shortly after from others on the same
//! database. A wake-up is a hint; the sweep finds what a lost one meant.

use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::watch;

use crate::ctx::Ctx;
use crate::store::{Error, Sql, Store};

pub trait Wake: Send {
    /// Returns when there may be something to do. Dropping the future loses nothing.
    fn wait(&mut self) -> BoxFuture<'_, ()>;
}

const CHANNEL: &str = "entrepot_lanes";
/// One notification stands for all commits of this span: PostgreSQL serialises transactions that notify, so they must be few.
const DEBOUNCE: Duration = Duration::from_millis(20);
const RECONNECT: Duration = Duration::from_secs(1);

/// The wake that fits the database. Belongs in every process that writes, so that its commits are heard elsewhere.
pub async fn connect(store: &Store, ctx: &Ctx) -> Result<Box<dyn Wake>, Error> {
    let local = Local(store.rings());
    let Some(mut listener) = store.listen(CHANNEL).await? else { return Ok(Box::new(local)) };
    let node = ctx.ids.body();
    let (heard, remote) = watch::channel(0u64);
    let tell = tokio::spawn(tell_others(store.clone(), node.clone()));
    let listen = tokio::spawn(async move {
        loop {
            match listener.next().await {
                Ok(from) if from == node => {}
                Ok(_) => heard.send_modify(|count| *count = count.wrapping_add(1)),
                Err(Error::Closed) => return,
                Err(error) => {
                    tracing::warn!(error = %crate::store::chain(&error), "wake-ups from other processes are lost until the database answers; the sweep goes on");
                    tokio::time::sleep(RECONNECT).await;
                }
            }
        }
    });
    Ok(Box::new(Shared { local, remote, tasks: [tell.abort_handle(), listen.abort_handle()] }))
}

/// Commits of this process.
pub struct Local(watch::Receiver<u64>);

impl Local {
    pub fn new(store: &Store) -> Self {
        Self(store.rings())
    }
}

impl Wake for Local {
    fn wait(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(changed(&mut self.0))
    }
}

/// Commits of every process on one PostgreSQL database.
struct Shared {
    local: Local,
    remote: watch::Receiver<u64>,
    tasks: [tokio::task::AbortHandle; 2],
}

impl Wake for Shared {
    fn wait(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            tokio::select! {
                () = changed(&mut self.local.0) => {}
                () = changed(&mut self.remote) => {}
            }
        })
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::AbortHandle::abort);
    }
}

async fn changed(bell: &mut watch::Receiver<u64>) {
    if bell.changed().await.is_err() {
        // Nobody can ring any more; the sweep is all that is left.
        std::future::pending::<()>().await;
    }
}

/// Outside any unit of work: a commit must not wait for the lock that a notification takes.
async fn tell_others(store: Store, node: String) {
    let mut rings = store.rings();
    while rings.changed().await.is_ok() {
        let told = async {
            let mut conn = store.read().await?;
            conn.fetch_all("SELECT CAST(pg_notify($1, $2) AS TEXT)", crate::args![CHANNEL, &node]).await
        };
        if let Err(error) = told.await {
            tracing::debug!(error = %crate::store::chain(&error), "could not wake the other processes");
        }
        tokio::time::sleep(DEBOUNCE).await;
    }
}
