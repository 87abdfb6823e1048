//! Copies and the way back, without a hub around them.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::args;
use crate::clock::Clock;
use crate::id::Entropy;
use crate::store::Sql;

fn vault(seed: u64) -> Vault {
    Vault::new(MasterKey::random(&Entropy::seeded(seed)), Vec::new(), Entropy::seeded(seed + 1))
}

async fn note(store: &Store, n: i64) {
    let written = store.write(move |tx| {
        Box::pin(async move {
            for half in ["a", "b"] {
                let name = format!("{n:04}{half}");
                tx.execute("INSERT INTO setting (tenant, name, value) VALUES ('note', $1, '')", args![name]).await?;
            }
            Ok::<_, crate::store::Error>(())
        })
    });
    written.await.unwrap();
}

async fn notes(store: &Store) -> Vec<String> {
    let rows = store.read().await.unwrap().fetch_all("SELECT name FROM setting WHERE tenant = 'note' ORDER BY name", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0).unwrap()).collect()
}

fn names_in(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_made_under_writes_holds_whole_units_of_work_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let (clock, vault) = (Clock::manual(1), vault(7));
    let store = Store::open(&Location::File(folder.path().join("hub.db")), &clock).await.unwrap();
    vault.check(&store).await.unwrap();
    for n in 0..100 {
        note(&store, n).await;
    }
    let writing = tokio::spawn({
        let store = store.clone();
        async move {
            for n in 100..400 {
                note(&store, n).await;
            }
        }
    });
    let file = folder.path().join("kept.backup");
    assert!(copy(&store, &file).await.unwrap() > 4096);
    writing.await.unwrap();
    store.close().await;
    assert!(!with_ending(&file, ".partial").exists());

    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    std::fs::write(empty.join("hub.lock"), "").unwrap();
    let database = empty.join("entrepot.db");
    let wish = Wish { file: &file, database: &database, data_folder: &empty, may_lie_there: &["hub.lock"] };
    restore(&wish, &vault).await.unwrap();
    let back = Store::open(&Location::File(database.clone()), &clock).await.unwrap();
    let found = notes(&back).await;
    assert!(found.len() >= 200 && found.len() % 2 == 0, "{}", found.len());
    assert!(found.chunks(2).all(|pair| pair[0][..4] == pair[1][..4]), "half a unit of work");
    back.close().await;
    let refused = restore(&wish, &vault).await.unwrap_err().to_string();
    assert!(refused.contains("entrepot.db") && refused.contains("not empty"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_restored_is_refused_by_name_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (clock, right, wrong) = (Clock::manual(1), vault(7), vault(9));
    let store = Store::open(&Location::File(folder.path().join("hub.db")), &clock).await.unwrap();
    right.check(&store).await.unwrap();
    let (good, newer) = (folder.path().join("good"), folder.path().join("newer"));
    copy(&store, &good).await.unwrap();
    let future = "INSERT INTO schema_migration (name, checksum, applied_at) VALUES ('9999_future', 'x', 0)";
    store.write(move |tx| Box::pin(async move { tx.execute(future, &[]).await })).await.unwrap();
    copy(&store, &newer).await.unwrap();
    store.close().await;
    let text = folder.path().join("text");
    std::fs::write(&text, "not a database at all, but long enough to look like something".repeat(40)).unwrap();
    let cut = folder.path().join("cut");
    let whole = std::fs::read(&good).unwrap();
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();

    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let database = empty.join("entrepot.db");
    let absent = folder.path().join("absent");
    for (file, vault, words) in [
        (&newer, &right, ["9999_future", "newer"]),
        (&good, &wrong, [right.master().fingerprint(), wrong.master().fingerprint()]),
        (&text, &right, ["no backup", "text"]),
        (&cut, &right, ["no backup", "cut"]),
        (&absent, &right, ["absent", "cannot be used"]),
    ] {
        let wish = Wish { file, database: &database, data_folder: &empty, may_lie_there: &[] };
        let refused = restore(&wish, vault).await.unwrap_err().to_string();
        assert!(words.iter().all(|word| refused.contains(word)), "{refused}");
        assert_eq!(names_in(&empty), 0, "{refused}");
    }
}
