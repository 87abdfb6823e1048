//! Moves between files, and onto a server where there is one.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::args;
use crate::store::tests::TestDb;
use crate::store::{Location, Value, chain};

const NOISE: i64 = 1_203;

/// Keys that databases sort differently, empty and absent cells, bytes of all values, numbers at both ends.
async fn fill(db: &TestDb) {
    let filled = db.store.write(|tx| {
        Box::pin(async move {
            for (n, name) in ["b", "B", "ä", "a b", "a-b", "Ab", "ab", "", "a'b", "z\u{1F4E6}"].iter().enumerate() {
                let value = format!("{n} € {name}");
                tx.execute("INSERT INTO setting (tenant, name, value) VALUES ('t', $1, $2)", args![*name, value]).await?;
            }
            for n in 0..NOISE {
                let name = format!("n{}", n * 7919 % NOISE);
                tx.execute("INSERT INTO setting (tenant, name, value) VALUES ('noise', $1, '')", args![name]).await?;
            }
            let bytes: Vec<u8> = (0..=255).collect();
            for n in 0..40_i64 {
                let wrapped = Value::from((n % 3 > 0).then(|| bytes.clone()));
                let (id, at) = (format!("key{n}"), if n == 0 { i64::MIN } else { i64::MAX - n });
                tx.execute(
                    "INSERT INTO data_key (tenant, id, purpose, wrapped, created_at, destroyed_at) VALUES ('t', $1, $1, $2, $3, $4)",
                    args![id, wrapped, at, Value::Int((n % 3 == 0).then_some(n))],
                )
                .await?;
            }
            Ok::<_, StoreError>(())
        })
    });
    filled.await.unwrap();
}

fn rows_of(moved: &[Moved], table: &str) -> u64 {
    moved.iter().find(|moved| moved.table == table).unwrap().rows
}

async fn moves(to: TestDb) {
    let from = TestDb::sqlite().await.unwrap();
    fill(&from).await;
    let moved = run(&from.store, &to.store, &from.clock).await.unwrap();
    assert_eq!(moved.len(), from.store.tables().await.unwrap().len() - 1, "every table but the list of migrations");
    assert_eq!((rows_of(&moved, "setting"), rows_of(&moved, "data_key"), rows_of(&moved, "orders")), (NOISE as u64 + 10, 40, 0));
    let sum = |moved: &[Moved], table: &str| moved.iter().find(|moved| moved.table == table).unwrap().checksum.clone();
    assert_ne!(sum(&moved, "setting"), sum(&moved, "data_key"));

    let refused = run(&from.store, &to.store, &from.clock).await.unwrap_err();
    assert!(matches!(&refused, Error::NotEmpty(table) if table == "data_key"), "{refused}");
    // There and back again is the same.
    let back = TestDb::sqlite().await.unwrap();
    assert_eq!(run(&to.store, &back.store, &from.clock).await.unwrap(), moved);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_arrives_in_another_file() {
    moves(TestDb::sqlite().await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_arrives_on_a_server() {
    if let Some(server) = TestDb::postgres().await {
        moves(server).await;
    }
}

async fn execute(db: &TestDb, sql: &'static str) {
    db.store.write(move |tx| Box::pin(async move { tx.execute(sql, &[]).await })).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_is_refused_by_name_and_nothing_is_moved() {
    let (from, clock) = (TestDb::sqlite().await.unwrap(), crate::clock::Clock::manual(1));
    fill(&from).await;
    let folder = tempfile::tempdir().unwrap();
    let bare = async |name: &str| Store::connect(&Location::File(folder.path().join(name))).await.unwrap();

    let other = bare("other.db").await;
    other.write(|tx| Box::pin(async move { tx.execute("CREATE TABLE guests (name VARCHAR(20))", &[]).await })).await.unwrap();
    assert!(matches!(run(&from.store, &other, &clock).await.unwrap_err(), Error::Foreign(table) if table == "guests"));
    assert!(matches!(run(&other, &from.store, &clock).await.unwrap_err(), Error::NotOurs));

    let odd = TestDb::sqlite().await.unwrap();
    execute(&odd, "ALTER TABLE location ADD COLUMN floor TEXT").await;
    assert!(matches!(run(&from.store, &odd.store, &clock).await.unwrap_err(), Error::Different(table) if table == "location"));
    assert!(odd.store.read().await.unwrap().fetch_all("SELECT 1 FROM setting", &[]).await.unwrap().is_empty());

    execute(&from, "DELETE FROM schema_migration WHERE name = '0008_operate'").await;
    let refused = run(&from.store, &bare("empty.db").await, &clock).await.unwrap_err();
    assert!(matches!(&refused, Error::Behind(names) if names == &["0008_operate"]), "{refused}");
    execute(&from, "INSERT INTO schema_migration (name, checksum, applied_at) VALUES ('9999_future', '', 0)").await;
    let refused = chain(&run(&from.store, &bare("empty.db").await, &clock).await.unwrap_err());
    assert!(refused.contains("9999_future") && refused.contains("newer"), "{refused}");
}
