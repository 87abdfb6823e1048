//! A buyer who wants to be forgotten: nothing of them is found afterwards, here or in a copy that is brought back.

use std::path::Path;
use std::sync::{Arc, Mutex};

use entrepot::app::{Tuning, backup};
use entrepot::args;
use entrepot::id::{Entropy, OrderId};
use entrepot::orders::{self, Personal, persons::Whom};
use entrepot::secrets::Vault;
use entrepot::store::{Location, Sql, Store};
use entrepot::sync::erasure;
use entrepot_simulators::Buyer;
use entrepot_test_postgres::{Durability, private_cluster};
use entrepot_tests::connectors;
use entrepot_tests::hub::{Place, TestHub};
use entrepot_tests::on_both;
use entrepot_tests::post::{Post, secret, topic_header};
use entrepot_tests::shop::{Kind, LAMP, MUG};
use tracing_subscriber::fmt::MakeWriter;

/// What must be found nowhere: name, street, mail and telephone of one buyer.
const CANARIES: [&str; 4] = ["Quetzalcoatlus", "Canary Row 97531", "canary.quetzal@example.org", "+4699975312468"];

fn canary() -> Buyer {
    let [name, street, mail, phone] = CANARIES.map(str::to_owned);
    Buyer { last_name: name, address_1: street, email: mail, phone, ..Buyer::number(2) }
}

/// Everything this thread logs, of whatever level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

/// Files of a folder that hold these bytes.
fn holding(folder: &Path, needle: &[u8]) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    entries.filter(|path| contains(&std::fs::read(path).unwrap(), needle)).map(|path| path.display().to_string()).collect()
}

/// Files of a server's folder and the folders below that hold these bytes. Empty pages, of which its log has many, are left out.
fn holding_below(folder: &Path, needle: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(holding_below(&path, needle));
        // A running server takes files away.
        } else if let Ok(bytes) = std::fs::read(&path) {
            let kept: Vec<u8> = bytes.chunks(512).filter(|page| page.iter().any(|byte| *byte != 0)).flatten().copied().collect();
            if contains(&kept, needle) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

/// Every row of every table, as a dump of the database has it; bytes as hexadecimal digits and as they are.
async fn dump(store: &Store) -> Vec<u8> {
    let mut out = Vec::new();
    for table in store.tables().await.unwrap() {
        let rows = store.read().await.unwrap().fetch_built(format!("SELECT * FROM {}", table.name), &[]).await.unwrap();
        for row in rows {
            for column in 0..table.columns.len() {
                match row.get::<Option<Vec<u8>>>(column) {
                    Ok(bytes) => out.extend(bytes.unwrap_or_default()),
                    Err(_) => out.extend(row.get::<Option<String>>(column).map(Option::unwrap_or_default).unwrap_or_default().into_bytes()),
                }
                out.push(b'\t');
            }
        }
    }
    out
}

async fn personal(store: &Store, hub: &TestHub, vault: &Vault, order: &OrderId) -> Option<Personal> {
    orders::personal(&mut store.read().await.unwrap(), &hub.app.ctx, vault, order).await.unwrap()
}

/// The wrapped keys of buyers.
async fn keys(hub: &TestHub) -> Vec<Vec<u8>> {
    let sql = "SELECT wrapped FROM data_key WHERE tenant = $1 AND purpose LIKE 'person:%' AND wrapped IS NOT NULL ORDER BY id";
    let rows = hub.read().await.fetch_all(sql, args![&hub.app.ctx.tenant]).await.unwrap();
    rows.iter().map(|row| row.get(0).unwrap()).collect()
}

async fn with_both_shops(place: Place, log: &Path) -> TestHub {
    let mut hub = TestHub::tuned(place, Tuning { erasure_log: Some(log.to_owned()), ..Tuning::default() }).await;
    for article in [MUG, LAMP] {
        hub.add_variant(&article).await;
    }
    hub.join(Kind::Woo, &[MUG, LAMP]).await;
    hub.join(Kind::Shopify, &[MUG, LAMP]).await;
    hub.go_live().await;
    hub
}

// On one thread, so that every log line of the hub is seen.
#[tokio::test]
async fn an_erased_buyer_is_in_no_file_no_log_and_stays_erased_when_an_older_copy_comes_back() {
    let lines = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).with_writer(lines.clone()).finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let kept = tempfile::tempdir().unwrap();
    let log = kept.path().join("erasures.log");
    let mut hub = with_both_shops(Place::file(), &log).await;
    let folder = hub.database_file().parent().unwrap().to_owned();

    tracing::trace!("the search of the log works");

    // Told by webhook, read by poll, changed, shipped.
    let mut sold = Vec::new();
    for kind in [Kind::Woo, Kind::Shopify] {
        let number = hub.shop(kind).sell_to("MUG", 2, canary()).unwrap();
        hub.run().await;
        hub.ship(kind, number, "JJD0001").await;
        hub.poll(kind).await;
        hub.run().await;
        let order = hub.order(kind, number).await;
        let known = personal(&hub.app.store, &hub, &hub.app.vault, &order.id).await.unwrap();
        assert_eq!(known.buyer.unwrap().email.as_deref(), Some(CANARIES[2]), "{kind:?}");
        sold.push((kind, number, order));
    }
    // Told wrongly: the reason is kept and shown, and must not repeat what it was told.
    let [name, street, mail, phone] = CANARIES;
    let wrong = serde_json::json!({
        "id": 999_001, "total": "ten", "customer_note": name,
        "billing": { "last_name": name, "address_1": street, "email": mail, "phone": phone },
    });
    let post = Post::to(&hub.webhook_path(Kind::Woo).await).header(topic_header(Kind::Woo), "order.created");
    assert_eq!(post.signed(Kind::Woo, &secret(&hub.shop(Kind::Woo)), &wrong.to_string()).send(hub.address()).await, 200);
    hub.run().await;
    assert!(hub.deliveries().await.iter().any(|row| row.state == "refused" && row.reason.is_some()));
    let exported = serde_json::to_string(&hub.app.export(&hub.app.ctx, &Whom::Email(CANARIES[2].into())).await.unwrap()).unwrap();
    assert!(CANARIES.iter().all(|canary| exported.contains(canary)), "the buyer may read it all: {exported}");
    let old_keys = keys(&hub).await;
    assert_eq!(old_keys.len(), 2, "one a connection");
    assert!(old_keys.iter().all(|key| !holding(&folder, key).is_empty()), "the search finds what is there");
    backup::start(&hub.app, kept.path().join("before.backup")).unwrap();
    let backup::State::Done { file: copy, .. } = hub.app.backup.ended().await else { panic!("{:?}", hub.app.backup.state()) };

    let erased = hub.app.erase(&hub.app.ctx, Whom::Email(format!(" {} ", CANARIES[2].to_uppercase()))).await.unwrap();
    assert_eq!(erased.iter().map(|erased| erased.orders.len()).collect::<Vec<_>>(), [1, 1]);
    assert!(keys(&hub).await.is_empty());
    for key in &old_keys {
        assert_eq!(holding(&folder, key), Vec::<String>::new(), "a destroyed key");
    }
    for (kind, number, before) in &sold {
        assert!(personal(&hub.app.store, &hub, &hub.app.vault, &before.id).await.is_none());
        assert_eq!(hub.order(*kind, *number).await.total, before.total, "what was sold stays");
        let path = hub.connection(*kind).await;
        let lane = entrepot::inbox::order_lane(&path.id, &hub.shop(*kind).external_id(*number));
        let bodies = "SELECT 1 FROM inbox i JOIN inbox_body b ON b.tenant = i.tenant AND b.id = i.id WHERE i.tenant = $1 AND i.lane = $2";
        let told = "SELECT 1 FROM inbox WHERE tenant = $1 AND lane = $2";
        let mut conn = hub.read().await;
        assert!(!conn.fetch_all(told, args![&hub.app.ctx.tenant, lane.id()]).await.unwrap().is_empty(), "{kind:?} told of it");
        assert!(conn.fetch_all(bodies, args![&hub.app.ctx.tenant, lane.id()]).await.unwrap().is_empty(), "{kind:?}: what it told is gone");
    }
    let noted = std::fs::read_to_string(&log).unwrap();
    assert!(noted.starts_with("per_") && noted.lines().count() == 2, "{noted}");
    assert!(hub.app.erase(&hub.app.ctx, Whom::Email(CANARIES[2].into())).await.unwrap().is_empty(), "nobody is found any more");

    // The channels go on telling of the old orders.
    for (kind, number, before) in &sold {
        hub.shop(*kind).refund(*number, &[("MUG", 1)], false);
        hub.run().await;
        hub.poll(*kind).await;
        hub.run().await;
        assert!(
            personal(&hub.app.store, &hub, &hub.app.vault, &before.id).await.is_none(),
            "{kind:?}: not taken in again with an old order"
        );
    }
    assert!(keys(&hub).await.is_empty());

    // The hub, its copy and what came back from it.
    let place = kept.path().join("restored");
    std::fs::create_dir(&place).unwrap();
    let database = place.join("hub.db");
    let wish = backup::Wish { file: &copy, database: &database, data_folder: &place, may_lie_there: &[] };
    backup::restore(&wish, &hub.app.vault).await.unwrap();
    let store = Store::open(&Location::File(database), &hub.clock).await.unwrap();
    // Another vault: the hub's own still has keys in memory.
    let vault = Vault::new(connectors::master(), Vec::new(), Entropy::system());
    assert!(personal(&store, &hub, &vault, &sold[0].2.id).await.is_some(), "the copy is from before");
    for person in erasure::named(&noted).unwrap() {
        assert!(erasure::erase(&store, &vault, &hub.app.ctx, Whom::Person(person), None).await.unwrap()[0].new);
    }
    assert!(personal(&store, &hub, &vault, &sold[0].2.id).await.is_none());
    assert!(old_keys.iter().all(|key| holding(&place, key).is_empty()));
    store.close().await;
    let logged = lines.0.lock().unwrap().clone();
    assert!(contains(&logged, b"the search of the log works"));
    for canary in CANARIES {
        for place in [&folder, &place, &kept.path().to_owned()] {
            assert_eq!(holding(place, canary.as_bytes()), Vec::<String>::new());
        }
        assert!(!contains(&logged, canary.as_bytes()), "`{canary}` was logged");
    }
    hub.finish().await;
}

on_both! {
    async fn a_buyer_is_found_by_order_or_customer_and_comes_back_as_somebody_new(place: Place) {
        let kept = tempfile::tempdir().unwrap();
        let mut hub = with_both_shops(place, &kept.path().join("erasures.log")).await;
        let (woo, shopify) = (hub.shop(Kind::Woo), hub.shop(Kind::Shopify));
        let first = woo.sell_to("MUG", 1, canary()).unwrap();
        let other = shopify.sell_to("LAMP", 1, canary()).unwrap();
        hub.run().await;
        let dumped = dump(&hub.app.store).await;
        let before = keys(&hub).await;
        assert!(before.iter().all(|key| contains(&dumped, key)), "the search finds what is there");
        for canary in CANARIES {
            assert!(!contains(&dumped, canary.as_bytes()), "`{canary}` is in clear in a dump");
        }
        let order = hub.order(Kind::Woo, first).await;
        let erased = hub.app.erase(&hub.app.ctx, Whom::Order(order.id.clone())).await.unwrap();
        assert_eq!(erased.len(), 1);
        assert!(hub.app.export(&hub.app.ctx, &Whom::Order(order.id.clone())).await.unwrap()[0].orders[0].personal.is_none());
        let after = keys(&hub).await;
        assert_eq!((before.len(), after.len()), (2, 1), "the other connection's buyer is another row");
        let dumped = dump(&hub.app.store).await;
        assert!(before.iter().all(|key| contains(&dumped, key) == after.contains(key)), "the destroyed key is nowhere");

        let again = woo.sell_to("LAMP", 1, canary()).unwrap();
        hub.run().await;
        let again = hub.order(Kind::Woo, again).await;
        let known = personal(&hub.app.store, &hub, &hub.app.vault, &again.id).await.unwrap();
        assert_eq!(known.buyer.unwrap().email.as_deref(), Some(CANARIES[2]), "a new order is a new beginning");
        assert!(personal(&hub.app.store, &hub, &hub.app.vault, &order.id).await.is_none());

        let other = hub.order(Kind::Shopify, other).await;
        let known = personal(&hub.app.store, &hub, &hub.app.vault, &other.id).await.unwrap();
        let external_id = known.buyer.unwrap().external_id.unwrap();
        let customer = Whom::Customer { connection: hub.connection(Kind::Shopify).await.id, external_id };
        assert_eq!(hub.app.erase(&hub.app.ctx, customer).await.unwrap().len(), 1);
        assert!(personal(&hub.app.store, &hub, &hub.app.vault, &other.id).await.is_none());
        let noted = orders::persons::erasures(&mut hub.read().await, &hub.app.ctx.tenant, None, 10).await.unwrap();
        assert_eq!(noted.len(), 2);
        hub.finish().await;
    }

    async fn shopify_asks_for_buyers_by_webhook_and_nothing_of_the_question_is_kept(place: Place) {
        let kept = tempfile::tempdir().unwrap();
        let mut hub = with_both_shops(place, &kept.path().join("erasures.log")).await;
        let shop = hub.shop(Kind::Shopify);
        let mut orders = Vec::new();
        for buyer in [canary(), Buyer::number(4), Buyer::number(5)] {
            let number = shop.sell_to("MUG", 1, buyer).unwrap();
            hub.run().await;
            orders.push(hub.order(Kind::Shopify, number).await);
        }
        let elsewhere = hub.shop(Kind::Woo).sell_to("LAMP", 1, canary()).unwrap();
        hub.run().await;
        let known = async |hub: &TestHub| {
            let mut known = Vec::new();
            for order in &orders {
                known.push(personal(&hub.app.store, hub, &hub.app.vault, &order.id).await.is_some());
            }
            known
        };
        let customer = personal(&hub.app.store, &hub, &hub.app.vault, &orders[0].id).await.unwrap().buyer.unwrap().external_id.unwrap();
        let number = |id: &str| id.rsplit('/').next().unwrap().parse::<u64>().unwrap();
        let asks = async |hub: &TestHub, topic: &str, body: serde_json::Value| {
            let post = Post::to(&hub.webhook_path(Kind::Shopify).await).header(topic_header(Kind::Shopify), topic);
            let secret = secret(&hub.shop(Kind::Shopify));
            assert_eq!(post.signed(Kind::Shopify, &secret, &body.to_string()).send(hub.address()).await, 200, "{topic}");
        };
        let who = serde_json::json!({ "id": number(&customer), "email": CANARIES[2], "phone": CANARIES[3] });

        asks(&hub, "customers/data_request", serde_json::json!({ "customer": who, "orders_requested": [], "data_request": { "id": 1 } })).await;
        hub.run().await;
        let waits = hub.deliveries().await.into_iter().find(|row| row.topic == "customers/data_request").unwrap();
        assert_eq!(waits.state, "refused", "somebody must answer it");
        assert!(waits.reason.unwrap().contains(&format!("--customer {customer}")));
        assert_eq!(known(&hub).await, [true, true, true]);

        let redact = [number(&orders[0].external_id), number(&orders[1].external_id)];
        asks(&hub, "customers/redact", serde_json::json!({ "customer": who, "orders_to_redact": redact })).await;
        hub.run().await;
        assert_eq!(known(&hub).await, [false, false, true], "the customer, and the order that is named beside");
        let told = hub.deliveries().await.into_iter().find(|row| row.topic == "customers/redact").unwrap();
        assert_eq!(told.state, "done");
        let bodies = "SELECT 1 FROM inbox_body b JOIN inbox i ON i.tenant = b.tenant AND i.id = b.id WHERE i.topic LIKE 'customers/%'";
        assert!(hub.read().await.fetch_all(bodies, &[]).await.unwrap().is_empty(), "the question named a person too");

        asks(&hub, "shop/redact", serde_json::json!({ "shop_id": 1, "shop_domain": "a.myshopify.com" })).await;
        hub.run().await;
        assert_eq!(known(&hub).await, [false, false, false]);
        let elsewhere = hub.order(Kind::Woo, elsewhere).await;
        assert!(personal(&hub.app.store, &hub, &hub.app.vault, &elsewhere.id).await.is_some(), "another shop's buyers are its own");
        let noted = std::fs::read_to_string(kept.path().join("erasures.log")).unwrap();
        let noted: std::collections::BTreeSet<_> = erasure::named(&noted).unwrap().into_iter().map(|person| person.to_string()).collect();
        assert_eq!(noted.len(), 3);
        hub.finish().await;
    }
}

/// What OPERATING.md says of a server's own files: no buyer is in them in clear, ever; a destroyed key may stay in dead rows until
/// its table is written anew. The log keeps it until its files are used again, which nobody can force.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_files_of_a_server_hold_no_buyer_and_lose_a_destroyed_key_when_its_table_is_rewritten() {
    let Some(cluster) = private_cluster(Durability::SurvivesProcessCrash).await else { return };
    let kept = tempfile::tempdir().unwrap();
    let mut hub = with_both_shops(Place::Server(cluster.fresh_database().await), &kept.path().join("erasures.log")).await;
    hub.shop(Kind::Woo).sell_to("MUG", 1, canary()).unwrap();
    hub.run().await;
    let (tables, log) = (cluster.data_folder().join("base"), cluster.data_folder().join("pg_wal"));
    // Outside of a unit of work, where the server would refuse it.
    let tell = async |sql: &'static str| drop(hub.read().await.fetch_all(sql, &[]).await.unwrap());
    // The hub and the server both have tables counted in their own time; what was counted is in the files too.
    for sql in ["ANALYZE", "CHECKPOINT"] {
        tell(sql).await;
    }
    let old = keys(&hub).await.remove(0);
    assert!(!holding_below(&tables, &old).is_empty() && !holding_below(&log, &old).is_empty(), "the search finds what is there");
    hub.app.erase(&hub.app.ctx, Whom::Email(CANARIES[2].into())).await.unwrap();
    for sql in ["VACUUM FULL data_key", "CHECKPOINT"] {
        tell(sql).await;
    }
    assert_eq!(holding_below(&tables, &old), Vec::<String>::new());
    for canary in CANARIES {
        assert_eq!(holding_below(&cluster.data_folder(), canary.as_bytes()), Vec::<String>::new());
    }
    hub.finish().await;
}
