//! The disk is full, or fails to write, or to sync, under load: nothing is acknowledged that is not durable, senders are asked to
//! come back, and what was acknowledged before is there.
//!
//! A full disk passes by itself. After a failed sync nobody knows what the disk holds: from then on nothing is acknowledged until
//! the process is started again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use entrepot::api::listen;
use entrepot::app::App;
use entrepot::clock::Clock;
use entrepot::store::Sql as _;
use entrepot_tests::chance::{Dice, Seed, seeds};
use entrepot_tests::hub::NOON;
use entrepot_tests::powercut::{Disk, Moment, Trouble};
use entrepot_tests::site::Site;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::ground::Ground;
use super::kill::check;

const SENDERS: u64 = 4;
/// Until a sender that meets a disk in trouble is answered.
const PATIENCE: Duration = Duration::from_secs(20);

/// A hub with its door open; its lanes do not run, so that only the door writes.
struct Hub {
    app: App,
    address: std::net::SocketAddr,
    door: JoinHandle<()>,
}

impl Hub {
    async fn open(site: &Site, now_ms: i64) -> Self {
        let app = site.try_open_at(Clock::manual(now_ms), None).await.unwrap_or_else(|e| panic!("{}", entrepot::store::chain(&e)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let door = tokio::spawn(listen::serve(listener, entrepot::api::router(&app), listen::Pace::default(), std::future::pending()));
        Self { app, address, door }
    }

    /// Orders one after another from several senders; what was answered 200, and every other status.
    async fn sell(&self, ground: &Arc<Ground>, next: &Arc<AtomicU64>, orders: u64) -> (Vec<u64>, Vec<u16>) {
        let last = next.load(Ordering::Relaxed) + orders;
        let senders = (0..SENDERS).map(|_| {
            let (next, ground, address) = (next.clone(), ground.clone(), self.address);
            tokio::spawn(async move {
                let (mut acknowledged, mut refused) = (Vec::new(), Vec::new());
                loop {
                    let order = next.fetch_add(1, Ordering::Relaxed);
                    if order >= last {
                        return (acknowledged, refused);
                    }
                    match tokio::time::timeout(PATIENCE, ground.deliver(order, address)).await.expect("no answer at all") {
                        Some(200) => acknowledged.push(order),
                        other => refused.push(other.unwrap_or(0)),
                    }
                }
            })
        });
        let (mut acknowledged, mut refused) = (Vec::new(), Vec::new());
        for sender in senders.collect::<Vec<_>>() {
            let (some, others) = sender.await.unwrap();
            acknowledged.extend(some);
            refused.extend(others);
        }
        next.store(last, Ordering::Relaxed);
        (acknowledged, refused)
    }

    async fn close(self) {
        self.door.abort();
        let _ = self.door.await;
        // A store that failed its disk closes all the same.
        let _ = tokio::time::timeout(Duration::from_secs(10), self.app.store.close()).await;
    }
}

async fn round(ground: &Arc<Ground>, trouble: Trouble, seed: u64) {
    let dice = Dice::new(seed);
    let folder = ground.copy();
    let site = Site::at(folder.path()).on_disk();
    let disk = Disk::new(&folder.path().join("data"), Moment::Never);
    let next = Arc::new(AtomicU64::new(1));
    let hub = Hub::open(&site, NOON).await;
    let (mut acknowledged, refused) = hub.sell(ground, &next, dice.between(1, 30)).await;
    assert!(refused.is_empty(), "refused before there was any trouble: {refused:?}");

    disk.set_trouble(Some(trouble));
    let (none, refused) = hub.sell(ground, &next, dice.between(1, 12)).await;
    assert!(none.is_empty(), "{trouble:?}: acknowledged although nothing became durable: {none:?}");
    assert!(refused.iter().all(|status| *status == 503), "{trouble:?}: {refused:?}");
    assert!(trouble != Trouble::Full || !hub.app.store.is_poisoned(), "a full disk passes by itself");
    assert!(trouble != Trouble::Sync || hub.app.store.is_poisoned(), "nobody knows what a disk holds that failed to sync");

    disk.set_trouble(None);
    let (more, refused) = hub.sell(ground, &next, 5).await;
    match hub.app.store.is_poisoned() {
        true => assert!(more.is_empty() && refused.iter().all(|status| *status == 503), "acknowledged after a failed sync: {more:?}"),
        false => assert!(refused.is_empty(), "{trouble:?} is over: {refused:?}"),
    }
    acknowledged.extend(more);
    hub.close().await;

    // Started again, without any repair.
    let hub = Hub::open(&site, NOON + 1_000).await;
    let found: String = hub.app.store.read().await.unwrap().fetch_one("PRAGMA integrity_check", &[]).await.unwrap().get(0).unwrap();
    assert_eq!(found, "ok");
    let (more, refused) = hub.sell(ground, &next, 5).await;
    assert!(refused.is_empty(), "refused after the start: {refused:?}");
    acknowledged.extend(more);
    ground.rest(&hub.app).await;
    check(&hub.app, &acknowledged).await;
    hub.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_in_trouble_makes_senders_come_back_and_loses_nothing() {
    let ground = Arc::new(Ground::lay(NOON).await);
    for seed in seeds(6, 34) {
        let _seed = Seed(seed);
        for trouble in [Trouble::Full, Trouble::Write, Trouble::Sync] {
            round(&ground, trouble, seed).await;
        }
    }
}
