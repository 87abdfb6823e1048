//! An upgrade that is interrupted is finished by the next start and loses nothing; a database of a later version is refused;
//! versions that meet on one database do each other no harm.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use entrepot::api::listen;
use entrepot::app::App;
use entrepot::clock::Clock;
use entrepot::store::{Location, Sql as _, Store, kept_before, transfer};
use entrepot_tests::chance::{Dice, Seed, count, seeds};
use entrepot_tests::child;
use entrepot_tests::connectors;
use entrepot_tests::former::{self, Contents, LATER};
use entrepot_tests::powercut::{Disk, Moment};
use entrepot_tests::site::Site;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::ground::{Ground, empty};
use super::kill::{Scene, check};

/// Orders worked off before the upgrade, and orders that were only acknowledged.
const DONE: u64 = 6;
const WAITING: u64 = 6;
const KILLS: u64 = 5;
/// How long a process may take that has nothing to wait for.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the version before left: deliveries that are not worked off yet among its rows.
struct Former {
    ground: Ground,
    folder: TempDir,
    server: Option<entrepot_test_postgres::Database>,
    acknowledged: Vec<u64>,
    /// What the shops showed at its end.
    shown: Vec<Vec<i64>>,
}

impl Former {
    async fn on_a_file() -> Self {
        // Processes of their own, which know no other time, will work on it.
        let ground = Ground::lay(Clock::system().now_ms()).await;
        let folder = ground.copy();
        let app = open(&Site::at(folder.path())).await;
        let mut acknowledged = deliver(&ground, &app, 1..=DONE).await;
        ground.rest(&app).await;
        acknowledged.extend(deliver(&ground, &app, DONE + 1..=DONE + WAITING).await);
        app.store.close().await;
        let shown = ground.shown();
        let former = Self { ground, folder, server: None, acknowledged, shown };
        former::step_back_file(&former.present(), &former.file());
        former
    }

    /// None, loudly, where there is no server.
    async fn on_a_server() -> Option<Self> {
        let database = entrepot_test_postgres::fresh_database().await?;
        let mut former = Self::on_a_file().await;
        let (from, to) = (store(&Location::File(former.present())).await, store(&Location::Postgres(database.url().into())).await);
        transfer::run(&from, &to, &Clock::system()).await.unwrap();
        former::step_back_server(&to).await;
        from.close().await;
        to.close().await;
        former.server = Some(database);
        Some(former)
    }

    fn present(&self) -> std::path::PathBuf {
        self.folder.path().join("data/entrepot.db")
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("former.db")
    }

    /// A site on a copy of its own, with the folder that must outlive it.
    async fn site(&self) -> (Site, TempDir) {
        let folder = empty();
        let site = match &self.server {
            Some(database) => Site::on(database.copy().await),
            None => {
                std::fs::copy(self.file(), folder.path().join("data/entrepot.db")).unwrap();
                Site::at(folder.path())
            }
        };
        let built = tokio::task::spawn_blocking(connectors::ready).await.unwrap();
        site.prepare_folder(built);
        (site, folder)
    }

    async fn contents(&self) -> Contents {
        let (site, _folder) = self.site().await;
        let store = store(site.location()).await;
        let contents = Contents::of(&store).await;
        store.close().await;
        assert!(contents.rows() > 200, "hardly anything is kept that could be lost: {} rows", contents.rows());
        contents
    }

    /// The hub opens, finishes what the version before left undone, and its books add up.
    async fn goes_on(&self, site: &Site) {
        self.ground.show(&self.shown);
        let app = open(site).await;
        self.ground.rest(&app).await;
        check(&app, &self.acknowledged).await;
        app.store.close().await;
    }
}

async fn open(site: &Site) -> App {
    site.try_open_at(Clock::manual(Clock::system().now_ms()), None).await.unwrap()
}

/// Opens a database as it is.
async fn store(location: &Location) -> Store {
    Store::connect(location).await.unwrap()
}

/// Tells the hub of orders; it does not work on them.
async fn deliver(ground: &Ground, app: &App, orders: std::ops::RangeInclusive<u64>) -> Vec<u64> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let door = tokio::spawn(listen::serve(listener, entrepot::api::router(app), listen::Pace::default(), std::future::pending()));
    for order in orders.clone() {
        assert_eq!(ground.deliver(order, address).await, Some(200));
    }
    door.abort();
    orders.collect()
}

/// The product's own program, about to do something with this site.
fn program(site: &Site, wish: &[&str]) -> Command {
    let mut command = child::program();
    command.args(wish).arg("--data").arg(site.data()).arg("--database").arg(site.database());
    command.arg("--master-key-file").arg(site.key_file());
    command.args(["--set", "log.filter=error", "--set", "tenant.name=Site", "--set", "tenant.zone=UTC"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

async fn is_migrated(site: &Site) -> bool {
    let store = store(site.location()).await;
    let pending = store.pending_migrations().await.unwrap();
    store.close().await;
    pending.is_empty()
}

/// Nothing is half done, and every row is there; returns whether the migration ran.
async fn whole(site: &Site, before: &Contents) -> bool {
    let store = store(site.location()).await;
    let pending = store.pending_migrations().await.unwrap();
    assert_eq!(before.lost(&before.like(&store).await), [""; 0], "tables that lost rows, or have others");
    if let Location::File(_) = site.location() {
        let row = store.read().await.unwrap().fetch_one("PRAGMA integrity_check", &[]).await.unwrap();
        assert_eq!(row.get::<String>(0).unwrap(), "ok");
    }
    store.close().await;
    assert!(pending.is_empty() || pending == [former::last()], "{pending:?}");
    pending.is_empty()
}

/// A file is kept beside as it was; a server has backups of its own.
async fn is_kept(site: &Site, before: &Contents) {
    let Location::File(path) = site.location() else { return };
    let kept = store(&Location::File(kept_before(path, &former::last()))).await;
    assert_eq!(kept.pending_migrations().await.unwrap(), [former::last()]);
    assert_eq!(before.lost(&before.like(&kept).await), [""; 0], "tables that lost rows, or have others");
    kept.close().await;
}

async fn killed_again_and_again(former: Former) {
    let before = former.contents().await;
    let (first, _folder) = former.site().await;
    let began = Instant::now();
    let done = output(program(&first, &["migrate"])).await;
    let span = u64::try_from(began.elapsed().as_micros()).unwrap();
    assert_eq!((said(&done.stdout), done.status.code()), (format!("ran {}", former::last()), Some(0)), "{}", said(&done.stderr));
    assert!(whole(&first, &before).await);
    is_kept(&first, &before).await;
    let (mut kills, mut finished) = (0, 0);
    for seed in seeds(3, 20) {
        let (_seed, dice) = (Seed(seed), Dice::new(seed));
        let (mut site, mut _folder) = former.site().await;
        for _ in 0..KILLS {
            let wish: &[&str] = if dice.below(2) == 0 { &["migrate"] } else { &["serve", "--listen", "127.0.0.1:0"] };
            let mut child = program(&site, wish).spawn().unwrap();
            tokio::time::sleep(Duration::from_micros(dice.below(span))).await;
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
            if is_migrated(&site).await {
                // A hub that went beyond its migration began to work; what that left must be good to go on from.
                finished += 1;
                former.goes_on(&site).await;
                (site, _folder) = former.site().await;
            } else {
                assert!(!whole(&site, &before).await);
            }
        }
        let last = output(program(&site, &["migrate"])).await;
        assert!(last.status.success(), "{}", said(&last.stderr));
        assert!(is_migrated(&site).await, "the next start finishes it");
        is_kept(&site, &before).await;
        former.goes_on(&site).await;
    }
    eprintln!("{kills} kills, {finished} of them after the migration was done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_that_is_killed_is_finished_by_the_next_start_on_a_file() {
    killed_again_and_again(Former::on_a_file().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_that_is_killed_is_finished_by_the_next_start_on_a_server() {
    if let Some(former) = Former::on_a_server().await {
        killed_again_and_again(former).await;
    }
}

/// At every single operation of the disk that an upgrade takes, one after the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_survives_a_power_cut_at_every_moment() {
    let former = Former::on_a_file().await;
    let before = former.contents().await;
    for seed in 1..=count(1, 20) {
        let (_seed, dice) = (Seed(seed), Dice::new(seed));
        let (mut cut_at, mut undone) = (1, 0);
        loop {
            let (site, folder) = former.site().await;
            let disk = Disk::new(&folder.path().join("data"), Moment::Operation(cut_at));
            let Location::File(path) = site.location() else { unreachable!() };
            let opened = Store::open(&Location::File(Disk::address(path)), &Clock::system()).await;
            let mut survived = opened.is_ok();
            if let Ok(store) = opened {
                store.close().await;
            }
            survived &= !disk.is_dark();
            disk.cut();
            let wreck = empty();
            disk.wreck(&wreck.path().join("data"), &dice);
            let site = Site::at(wreck.path());
            undone += u64::from(!whole(&site, &before).await);
            let store = Store::open(site.location(), &Clock::system()).await.unwrap();
            store.close().await;
            assert!(whole(&site, &before).await, "the next start finishes it; the power went at operation {cut_at}");
            if survived {
                break;
            }
            cut_at += 1;
        }
        assert!(cut_at > 5 && undone > 2, "the cuts met no migration: {cut_at} operations, {undone} cuts before its commit");
    }
}

/// Holds a lock that stops a migration when all of it is done and only its entry in the list is missing.
struct Barrier {
    open: tokio::sync::oneshot::Sender<()>,
    held: tokio::task::JoinHandle<()>,
}

impl Barrier {
    async fn shut(store: &Store) -> Self {
        let (open, opened) = tokio::sync::oneshot::channel();
        let (shut, is_shut) = tokio::sync::oneshot::channel();
        let store = store.clone();
        let held = tokio::spawn(async move {
            let locked = store.write(|tx| {
                Box::pin(async move {
                    tx.execute("LOCK TABLE schema_migration IN SHARE MODE", &[]).await?;
                    shut.send(()).unwrap();
                    let _ = opened.await;
                    Ok::<_, entrepot::store::Error>(())
                })
            });
            locked.await.unwrap();
        });
        is_shut.await.unwrap();
        Self { open, held }
    }

    /// Returns when so many wait, at the lock or behind the one that waits there.
    async fn waiting(&self, store: &Store, processes: i64) {
        let sql = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        eventually(async || store.read().await.unwrap().fetch_one(sql, &[]).await.unwrap().get::<i64>(0).unwrap() >= processes).await;
    }

    async fn lift(self) {
        let _ = self.open.send(());
        self.held.await.unwrap();
    }
}

async fn eventually(mut held: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !held().await {
        assert!(Instant::now() < deadline, "it did not come true");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_in_the_middle_of_its_migration_leaves_nothing_of_it_on_a_server() {
    let Some(former) = Former::on_a_server().await else { return };
    let before = former.contents().await;
    let (site, _folder) = former.site().await;
    let onlooker = store(site.location()).await;
    for wish in [&["migrate"][..], &["serve", "--listen", "127.0.0.1:0"], &["migrate"]] {
        let barrier = Barrier::shut(&onlooker).await;
        let mut child = program(&site, wish).spawn().unwrap();
        barrier.waiting(&onlooker, 1).await;
        child.kill().unwrap();
        child.wait().unwrap();
        barrier.lift().await;
        assert!(!whole(&site, &before).await, "a migration without its entry in the list does not count");
    }
    let done = output(program(&site, &["migrate"])).await;
    assert!(done.status.success(), "{}", said(&done.stderr));
    assert!(whole(&site, &before).await);
    former.goes_on(&site).await;
    onlooker.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_processes_that_migrate_at_once_one_does_it_and_the_others_wait() {
    let Some(former) = Former::on_a_server().await else { return };
    let before = former.contents().await;
    for _ in 0..count(2, 20) {
        let (site, _folder) = former.site().await;
        let onlooker = store(site.location()).await;
        let barrier = Barrier::shut(&onlooker).await;
        let children: Vec<_> = (0..4).map(|_| tokio::spawn(output(program(&site, &["migrate"])))).collect();
        barrier.waiting(&onlooker, 4).await;
        barrier.lift().await;
        let mut words = Vec::new();
        for child in children {
            let done = child.await.unwrap();
            assert!(done.status.success(), "{}", said(&done.stderr));
            words.push(said(&done.stdout));
        }
        words.sort();
        let ran = format!("ran {}", former::last());
        assert_eq!(words, [ran.as_str(), "the database is up to date", "the database is up to date", "the database is up to date"]);
        assert!(whole(&site, &before).await);
        former.goes_on(&site).await;
        onlooker.close().await;
    }
}

async fn refused(site: &Site) {
    let database = store(site.location()).await;
    former::migrate_later(&database, &["CREATE TABLE later (id TEXT PRIMARY KEY)"]).await;
    let before = Contents::of(&database).await;
    database.close().await;
    for wish in [&["migrate"][..], &["migrate", "--check"], &["serve", "--listen", "127.0.0.1:0"]] {
        let ended = output(program(site, wish)).await;
        let (out, err) = (said(&ended.stdout), said(&ended.stderr));
        assert_eq!((ended.status.code(), out.as_str()), (Some(1), ""), "{wish:?}: {err}");
        let once = |part: &str| err.matches(part).count() == 1;
        assert!(once(LATER) && once("hint:") && once("newer") && err.lines().count() == 1, "{wish:?} says: {err}");
    }
    let database = store(site.location()).await;
    assert!(before == Contents::of(&database).await, "a refusal changes nothing");
    database.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_a_later_version_is_refused_in_one_sentence_on_a_file() {
    let former = Former::on_a_file().await;
    let (site, _folder) = former.site().await;
    assert!(output(program(&site, &["migrate"])).await.status.success());
    refused(&site).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_a_later_version_is_refused_in_one_sentence_on_a_server() {
    let Some(former) = Former::on_a_server().await else { return };
    let (site, _folder) = former.site().await;
    assert!(output(program(&site, &["migrate"])).await.status.success());
    refused(&site).await;
}

/// A process of this version is at work while a later one migrates: by what it does not notice, and by what it stumbles over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_at_work_while_a_later_version_migrates_goes_on_or_says_that_it_cannot() {
    let Some(site) = Site::server().await else { return };
    let mut scene = Scene::set(site).await;
    let hub = scene.start();
    scene.sell(Duration::from_millis(400)).await;
    let later = store(scene.site().location()).await;
    let added = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let more = &[
            "ALTER TABLE orders ADD COLUMN later TEXT",
            "ALTER TABLE inbox ADD COLUMN later BIGINT NOT NULL DEFAULT 0",
            "CREATE TABLE later (id TEXT PRIMARY KEY)",
        ];
        former::migrate_later(&later, more).await;
    };
    tokio::join!(scene.sell(Duration::from_millis(600)), added);
    assert!(scene.answers(900_001, 200).await, "what was added does not concern it");

    let run = async |sql: &'static str| {
        later.write(move |tx| Box::pin(async move { tx.execute(sql, &[]).await })).await.unwrap();
    };
    run("ALTER TABLE inbox RENAME TO received").await;
    assert!(scene.answers(900_002, 503).await, "what it cannot keep it does not acknowledge");
    run("ALTER TABLE received RENAME TO inbox").await;
    scene.sell(Duration::from_millis(300)).await;

    let again = output(program(scene.site(), &["serve", "--listen", "127.0.0.1:0"])).await;
    assert_eq!(again.status.code(), Some(1), "started again, it is refused: {}", said(&again.stderr));
    // By hand, for the check that follows: only what was added is taken away.
    for sql in [
        "DROP TABLE later",
        "ALTER TABLE orders DROP COLUMN later",
        "ALTER TABLE inbox DROP COLUMN later",
        "DELETE FROM schema_migration WHERE checksum = 'later'",
    ] {
        run(sql).await;
    }
    later.close().await;
    scene.settle_and_check([hub]).await;
}
