//! A copy of a hub that is busy, and the hub that comes back from it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use entrepot::app::backup::{self, State, Wish};
use entrepot::args;
use entrepot::store::Sql;
use entrepot_tests::hub::{Place, TestHub};
use entrepot_tests::post::{Post, secret, topic_header};
use entrepot_tests::shop::Kind;

/// Deliveries acknowledged before the copy begins, and while it is made at least.
const BEFORE: usize = 60;
const SENDERS: usize = 4;

/// Shops that never stop telling of products, and what the hub acknowledged.
#[derive(Clone, Default)]
struct Load {
    acknowledged: Arc<Mutex<BTreeSet<usize>>>,
    next: Arc<AtomicUsize>,
    enough: Arc<AtomicBool>,
}

impl Load {
    async fn send(self, hub: std::net::SocketAddr, path: String, secret: String) {
        while !self.enough.load(Ordering::SeqCst) {
            let n = self.next.fetch_add(1, Ordering::SeqCst);
            let body = format!(r#"{{"id":{}}}"#, 900_000 + n);
            let post = Post::to(&path).header(topic_header(Kind::Woo), "product.deleted").signed(Kind::Woo, &secret, &body);
            if post.send(hub).await == 200 {
                self.acknowledged.lock().unwrap().insert(n);
            }
        }
    }

    fn acknowledged(&self) -> BTreeSet<usize> {
        self.acknowledged.lock().unwrap().clone()
    }

    async fn until(&self, count: usize) {
        while self.acknowledged.lock().unwrap().len() < count {
            tokio::task::yield_now().await;
        }
    }
}

/// The numbers of the deliveries that a hub has stored.
async fn stored(hub: &TestHub) -> BTreeSet<usize> {
    let sql = "SELECT lane FROM inbox WHERE tenant = $1 AND topic = 'product.deleted'";
    let rows = hub.read().await.fetch_all(sql, args![&hub.app.ctx.tenant]).await.unwrap();
    let number = |lane: String| lane.rsplit(|c: char| !c.is_ascii_digit()).next().and_then(|id| id.parse::<usize>().ok());
    rows.iter().filter_map(|row| number(row.get(0).unwrap())).map(|id| id - 900_000).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_before_a_backup_began_is_in_it_and_its_lanes_go_on() {
    let mut hub = TestHub::trading(Place::file()).await;
    let (woo, shopify) = (hub.shop(Kind::Woo), hub.shop(Kind::Shopify));
    let done = shopify.sell("LAMP", 1).unwrap();
    hub.run().await;
    // Taken in, and not worked off when the copy is made.
    let waiting = woo.sell("MUG", 2).unwrap();
    hub.shops_settled().await;
    assert!(hub.find_order(Kind::Woo, waiting).await.is_none());

    let (load, path, secret) = (Load::default(), hub.webhook_path(Kind::Woo).await, secret(&woo));
    let senders: Vec<_> = (0..SENDERS).map(|_| tokio::spawn(load.clone().send(hub.address(), path.clone(), secret.clone()))).collect();
    load.until(BEFORE).await;
    let before = load.acknowledged();
    let copies = tempfile::tempdir().unwrap();
    backup::start(&hub.app, copies.path().to_owned()).unwrap();
    let State::Done { file, bytes, .. } = hub.app.backup.ended().await else { panic!("{:?}", hub.app.backup.state()) };
    let during = load.acknowledged().len();
    load.until(during + 1).await;
    load.enough.store(true, Ordering::SeqCst);
    for sender in senders {
        sender.await.unwrap();
    }
    assert_eq!(bytes, std::fs::metadata(&file).unwrap().len());
    assert!(file.file_name().unwrap().to_str().unwrap().starts_with("entrepot-20261120T12"), "{}", file.display());

    // The hub goes on, sells and dies; what came after the copy is not in it.
    hub.run().await;
    assert_eq!(hub.order(Kind::Woo, waiting).await.holds, "stock");
    let later = shopify.sell("MUG", 1).unwrap();
    hub.run().await;
    let place = Place::file();
    let database = place.database_file();
    let wish = Wish { file: &file, database: &database, data_folder: database.parent().unwrap(), may_lie_there: &[] };
    backup::restore(&wish, &hub.app.vault).await.unwrap();
    let mut hub = hub.crash_into(place).await;

    let kept = stored(&hub).await;
    assert!(before.is_subset(&kept), "lost: {:?}", before.difference(&kept).collect::<Vec<_>>());
    assert!(hub.find_order(Kind::Woo, waiting).await.is_none() && hub.find_order(Kind::Shopify, later).await.is_none());
    assert_eq!(hub.order(Kind::Shopify, done).await.holds, "stock");
    hub.run().await;
    assert_eq!(hub.order(Kind::Woo, waiting).await.holds, "stock", "what waited in the copy is worked off");
    hub.pass(3 * 60_000).await;
    assert_eq!(hub.order(Kind::Shopify, later).await.holds, "stock", "what was told after it is read again");
    assert_eq!(hub.books("MUG").await, (10, 3));
    hub.finish().await;
}
