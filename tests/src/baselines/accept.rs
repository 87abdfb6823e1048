//! B2 and B3: a delivery is in SQLite, synced to the disk, before it is answered. B2 commits every request on its own; B3
//! commits whatever waits while one commit runs.

use std::path::Path;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use tokio::sync::{mpsc, oneshot};

/// The header that names a delivery.
pub const HEADER: &str = "x-wc-webhook-delivery-id";

/// How many requests may share a commit.
#[derive(Clone, Copy)]
pub enum Commit {
    Each,
    Groups,
}

struct Delivery {
    key: String,
    body: Bytes,
    done: oneshot::Sender<bool>,
}

pub fn router(file: &Path, commit: Commit) -> Router {
    let connection = open(file);
    let (sender, queue) = mpsc::channel(4_096);
    let group = match commit {
        Commit::Each => 1,
        Commit::Groups => 256,
    };
    std::thread::spawn(move || write(connection, queue, group));
    Router::new().route("/webhooks/{token}", post(accept)).with_state(sender)
}

async fn accept(State(writer): State<mpsc::Sender<Delivery>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let key = headers.get(HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (done, stored) = oneshot::channel();
    let _ = writer.send(Delivery { key, body, done }).await;
    if stored.await.unwrap_or(false) { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

pub fn open(file: &Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(file).unwrap();
    connection.pragma_update(None, "journal_mode", "wal").unwrap();
    connection.pragma_update(None, "synchronous", "full").unwrap();
    connection.execute_batch("CREATE TABLE inbox (key TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID").unwrap();
    connection
}

fn write(mut connection: rusqlite::Connection, mut queue: mpsc::Receiver<Delivery>, group: usize) {
    let mut waiting = Vec::with_capacity(group);
    while queue.blocking_recv_many(&mut waiting, group) > 0 {
        let stored = store(&mut connection, &waiting).is_ok();
        for delivery in waiting.drain(..) {
            let _ = delivery.done.send(stored);
        }
    }
}

fn store(connection: &mut rusqlite::Connection, deliveries: &[Delivery]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    let mut insert = transaction.prepare_cached("INSERT INTO inbox (key, body) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
    for delivery in deliveries {
        insert.execute(rusqlite::params![delivery.key, &delivery.body[..]])?;
    }
    drop(insert);
    transaction.commit()
}
