//! Store tests run on both databases: `on_both!` makes one test per database from one body.

#![allow(clippy::unwrap_used)]

use super::*;

/// A database of its own for one test; removed when dropped.
pub struct TestDb {
    pub store: Store,
    pub clock: Clock,
    ids: crate::id::Ids,
    _folder: Option<tempfile::TempDir>,
    _database: Option<entrepot_test_postgres::Database>,
}

impl TestDb {
    pub async fn sqlite() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(1_700_000_000_000);
        let store = Store::open(&Location::File(folder.path().join("test.db")), &clock).await.unwrap();
        Some(Self { store, ids: seeded_ids(&clock), clock, _folder: Some(folder), _database: None })
    }

    /// `None`, loudly, where no server can be started.
    pub async fn postgres() -> Option<Self> {
        let database = entrepot_test_postgres::fresh_database().await?;
        let clock = Clock::manual(1_700_000_000_000);
        let store = Store::open(&Location::Postgres(database.url().to_owned()), &clock).await.unwrap();
        Some(Self { store, ids: seeded_ids(&clock), clock, _folder: None, _database: Some(database) })
    }

    /// The store as another process on the same database has it; SQLite allows only one.
    pub async fn another_process(&self) -> Option<Store> {
        let database = self._database.as_ref()?;
        Some(Store::connect(&Location::Postgres(database.url().to_owned())).await.unwrap())
    }

    pub fn ctx(&self) -> crate::ctx::Ctx {
        crate::ctx::Ctx { tenant: crate::ctx::Tenant::main(), clock: self.clock.clone(), ids: self.ids.clone(), actor: "test".into() }
    }
}

/// One source for the whole test: a context taken twice must not make the same ids twice.
fn seeded_ids(clock: &Clock) -> crate::id::Ids {
    crate::id::Ids::new(clock.clone(), crate::id::Entropy::seeded(7))
}

#[macro_export]
macro_rules! on_both {
    ($($(#[$meta:meta])* async fn $name:ident($db:ident: TestDb) $body:block)*) => {$(
        mod $name {
            use super::*;
            async fn body($db: $crate::store::tests::TestDb) $body
            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                if let Some(db) = $crate::store::tests::TestDb::sqlite().await { body(db).await }
            }
            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                if let Some(db) = $crate::store::tests::TestDb::postgres().await { body(db).await }
            }
        }
    )*};
}

async fn put(store: &Store, name: &'static str, value: &'static str) -> Result<(), Error> {
    store
        .write(move |tx| {
            Box::pin(async move {
                tx.execute("INSERT INTO setting (tenant, name, value) VALUES ($1, $2, $3)", args!["main", name, value]).await?;
                Ok(())
            })
        })
        .await
}

async fn names(store: &Store) -> Vec<String> {
    let mut conn = store.read().await.unwrap();
    let rows = conn.fetch_all("SELECT name FROM setting ORDER BY name", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0).unwrap()).collect()
}

on_both! {
    async fn a_failed_unit_of_work_undoes_itself_and_nothing_else(db: TestDb) {
        put(&db.store, "a", "1").await.unwrap();
        let failed = put(&db.store, "a", "2");
        let (failed, ok) = tokio::join!(failed, put(&db.store, "b", "3"));
        assert!(matches!(failed, Err(Error::Duplicate(_))));
        ok.unwrap();
        assert_eq!(names(&db.store).await, ["a", "b"]);
    }

    async fn a_panic_inside_a_unit_of_work_leaves_the_store_usable(db: TestDb) {
        let broken: Result<(), Error> = db.store.write(|_| Box::pin(async { panic!("on purpose") })).await;
        assert!(matches!(broken, Err(Error::Panicked)));
        put(&db.store, "after", "1").await.unwrap();
        assert_eq!(names(&db.store).await, ["after"]);
    }

    async fn hooks_run_after_the_commit_and_never_after_an_undo(db: TestDb) {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        for fail in [true, false] {
            let sender = sender.clone();
            let _: Result<(), Error> = db.store.write(move |tx| Box::pin(async move {
                tx.after_commit(move || sender.send(fail).unwrap());
                if fail { Err(Error::Closed) } else { Ok(()) }
            })).await;
        }
        assert_eq!(receiver.recv().await, Some(false));
        assert!(receiver.try_recv().is_err());
    }

    async fn a_text_with_the_character_nul_can_be_stored_and_found(db: TestDb) {
        put(&db.store, "a\0b", "1").await.unwrap();
        let mut conn = db.store.read().await.unwrap();
        let row = conn.fetch_one("SELECT name FROM setting WHERE tenant = $1 AND name = $2", args!["main", "a\0b"]).await.unwrap();
        let expected = if db.store.dialect() == Dialect::Sqlite { "a\0b" } else { "a\u{fffd}b" };
        assert_eq!(row.get::<String>(0).unwrap(), expected);
    }

    async fn nulls_and_bytes_come_back_as_they_went_in(db: TestDb) {
        db.store.write(|tx| Box::pin(async move {
            tx.execute("INSERT INTO data_key (tenant, id, purpose, wrapped, created_at, destroyed_at) VALUES ($1, $2, $3, $4, $5, $6)",
                args!["main", "k", "p", vec![0u8, 255], 5i64, None::<i64>]).await?;
            Ok::<_, Error>(())
        })).await.unwrap();
        let mut conn = db.store.read().await.unwrap();
        let row = conn.fetch_one("SELECT wrapped, created_at, destroyed_at FROM data_key", &[]).await.unwrap();
        assert_eq!(row.get::<Vec<u8>>(0).unwrap(), vec![0, 255]);
        assert_eq!(row.get::<i64>(1).unwrap(), 5);
        assert_eq!(row.get::<Option<i64>>(2).unwrap(), None);
    }

    async fn many_writers_lose_nothing(db: TestDb) {
        let writes = (0..50).map(|i| {
            let store = db.store.clone();
            tokio::spawn(async move { put(&store, Box::leak(format!("n{i:02}").into_boxed_str()), "x").await })
        });
        for write in futures::future::join_all(writes).await {
            write.unwrap().unwrap();
        }
        assert_eq!(names(&db.store).await.len(), 50);
    }

    async fn a_following_clock_is_set_by_a_database_with_a_clock_of_its_own(db: TestDb) {
        let clock = Clock::following();
        clock.anchor(1_000);
        db.store.steer(&clock).await.unwrap();
        let off = (Clock::system().now_ms() - clock.now_ms()).abs();
        match db.store.dialect() {
            Dialect::Sqlite => assert!(clock.now_ms() < 60_000),
            Dialect::Postgres => assert!(off < 5_000, "{off} ms off"),
        }
        db.store.steer(&db.clock).await.unwrap();
        assert_eq!(db.clock.now_ms(), 1_700_000_000_000, "a clock that follows nobody stays");
    }

    async fn a_newer_database_is_refused_by_name(db: TestDb) {
        db.store.write(|tx| Box::pin(async move {
            tx.execute("INSERT INTO schema_migration (name, checksum, applied_at) VALUES ('9999_future', 'x', 0)", &[]).await?;
            Ok::<_, Error>(())
        })).await.unwrap();
        let refused = db.store.migrate(&db.clock).await.unwrap_err();
        assert_eq!(chain(&refused).matches("9999_future").count(), 1, "said once: {}", chain(&refused));
    }
}

/// Two units of work of one group find the disk full, or the file read-only: neither leaves a trace, and the process may go on.
async fn refuses(db: &TestDb, shut: &'static str) {
    put(&db.store, "before", "1").await.unwrap();
    pragma(db, shut).await;
    let (full, neighbour) = tokio::join!(put(&db.store, "full", large()), put(&db.store, "neighbour", large()));
    for refused in [full, neighbour] {
        assert!(matches!(refused, Err(Error::Unwritable { .. })), "{refused:?}");
        assert!(is_away(&refused.unwrap_err()));
    }
    assert!(!db.store.is_poisoned(), "nothing was half written");
    assert_eq!(names(&db.store).await, ["before"]);
}

async fn pragma(db: &TestDb, sql: &'static str) {
    db.store.write(move |tx| Box::pin(async move { tx.fetch_all(sql, &[]).await })).await.unwrap();
}

fn large() -> &'static str {
    Box::leak("x".repeat(4 << 20).into_boxed_str())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_without_a_trace_and_recovers_by_itself() {
    let db = TestDb::sqlite().await.unwrap();
    refuses(&db, "PRAGMA max_page_count = 1").await;
    pragma(&db, "PRAGMA max_page_count = 1000000").await;
    put(&db.store, "full", large()).await.unwrap();
    assert_eq!(names(&db.store).await, ["before", "full"]);
}

/// Who stops the hub and copies its file has all of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_was_closed_is_whole_without_its_log() {
    let db = TestDb::sqlite().await.unwrap();
    put(&db.store, "last", "1").await.unwrap();
    db.store.close().await;
    let folder = db._folder.as_ref().unwrap().path();
    std::fs::copy(folder.join("test.db"), folder.join("copy.db")).unwrap();
    let copy = Store::connect(&Location::File(folder.join("copy.db"))).await.unwrap();
    assert_eq!(names(&copy).await, ["last"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_may_not_be_written_refuses_without_a_trace() {
    refuses(&TestDb::sqlite().await.unwrap(), "PRAGMA query_only = 1").await;
}
