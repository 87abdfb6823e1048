//! One database for one test; dropped behind the test's back when it is done.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// Databases of processes that were killed are removed at most this many at a time, so that no test run waits for long.
const LEFTOVERS: usize = 64;

/// An empty database. Dropping this drops it, connections or not.
pub struct Database {
    url: String,
    server: String,
    name: String,
}

impl Database {
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Another database with the same content; nobody may be connected to this one meanwhile.
    pub async fn copy(&self) -> Self {
        Self::create_from(&self.server, &self.name).await
    }

    pub(crate) async fn create(server: &str) -> Self {
        Self::create_from(server, "template0").await
    }

    async fn create_from(server: &str, template: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("entrepot_test_{}_{number}", std::process::id());
        let mut admin = connect(server).await;
        if number == 0 {
            drop_leftovers(&mut admin).await;
        }
        // A number of an earlier process may come round again on a server that outlives both.
        for statement in [format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"), format!("CREATE DATABASE {name} TEMPLATE {template}")] {
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut admin).await.unwrap();
        }
        let _ = admin.close().await;
        let mut url = url::Url::parse(server).unwrap();
        url.set_path(&name);
        Self { url: url.into(), server: server.to_owned(), name }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        static JANITOR: OnceLock<Sender<(String, String)>> = OnceLock::new();
        let janitor = JANITOR.get_or_init(|| {
            let (sender, work) = channel::<(String, String)>();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                for (server, name) in work {
                    runtime.block_on(async {
                        let Ok(mut admin) = PgConnection::connect(&server).await else { return };
                        drop_database(&mut admin, &name).await;
                    });
                }
            });
            sender
        });
        let _ = janitor.send((self.server.clone(), self.name.clone()));
    }
}

async fn connect(server: &str) -> PgConnection {
    match PgConnection::connect(server).await {
        Ok(connection) => connection,
        Err(error) => panic!("cannot reach the PostgreSQL server of the tests at {server}: {error}; hint: check ENTREPOT_TEST_POSTGRES"),
    }
}

async fn drop_database(admin: &mut PgConnection, name: &str) {
    // Another process may be dropping the same one.
    let _ = sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))).execute(admin).await;
}

/// Removes what killed test processes of this machine left on a server that outlives them.
async fn drop_leftovers(admin: &mut PgConnection) {
    if !std::path::Path::new("/proc/self").exists() {
        return;
    }
    let names: Vec<String> = sqlx::query_scalar("SELECT CAST(datname AS TEXT) FROM pg_database WHERE datname LIKE 'entrepot\\_test\\_%'")
        .fetch_all(&mut *admin)
        .await
        .unwrap();
    let dead = |name: &&String| {
        let pid = name.split('_').nth(2).and_then(|pid| pid.parse::<u32>().ok());
        pid.is_some_and(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists())
    };
    for name in names.iter().filter(dead).take(LEFTOVERS) {
        drop_database(admin, name).await;
    }
}
