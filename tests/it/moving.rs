//! A hub on a file moves to a server and goes on there.

use std::collections::BTreeMap;

use entrepot::args;
use entrepot::clock::Clock;
use entrepot::store::{Location, Sql, Store, transfer};
use entrepot_tests::hub::{Place, TestHub};
use entrepot_tests::shop::Kind;

async fn counts(store: &Store) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for table in store.tables().await.unwrap() {
        let sql = format!("SELECT COUNT(*) FROM {}", table.name);
        let count = store.read().await.unwrap().fetch_built(sql, &[]).await.unwrap()[0].get(0).unwrap();
        counts.insert(table.name, count);
    }
    counts
}

/// (variant, location, on hand, reserved) by the ledger.
async fn ledger(hub: &TestHub) -> Vec<(String, String, i64, i64)> {
    let sql = "SELECT variant, location, CAST(SUM(on_hand) AS BIGINT), CAST(SUM(reserved) AS BIGINT) FROM movement \
               WHERE tenant = $1 GROUP BY variant, location";
    let rows = hub.read().await.fetch_all(sql, args![&hub.app.ctx.tenant]).await.unwrap();
    let mut sums: Vec<_> =
        rows.iter().map(|row| (row.get(0).unwrap(), row.get(1).unwrap(), row.get(2).unwrap(), row.get(3).unwrap())).collect();
    sums.sort();
    sums
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_moves_from_a_file_to_a_server_and_its_lanes_go_on() {
    let Some(server) = Place::server().await else { return };
    let mut hub = TestHub::trading(Place::file()).await;
    let (woo, shopify) = (hub.shop(Kind::Woo), hub.shop(Kind::Shopify));
    let shipped = woo.sell("LAMP", 1).unwrap();
    let edited = shopify.sell("MUG", 3).unwrap();
    hub.run().await;
    hub.ship(Kind::Woo, shipped, "JJD0003").await;
    shopify.edit(edited, "MUG", 2);
    woo.oversell("MUG", 40);
    hub.run().await;
    // Taken in, and not worked off when the hub stops.
    let waiting = woo.sell("LAMP", 1).unwrap();
    hub.shops_settled().await;
    assert!(hub.find_order(Kind::Woo, waiting).await.is_none());
    let (before, sums) = (counts(&hub.app.store).await, ledger(&hub).await);
    assert!(before["movement"] > 4 && before["inbox_body"] > 0 && before["plugin_chunk"] > 0 && before["order_line"] > 2, "{before:?}");

    let file = hub.database_file();
    hub.app.store.close().await;
    let from = Store::connect(&Location::File(file)).await.unwrap();
    let to = Store::connect(&server.location()).await.unwrap();
    let moved = transfer::run(&from, &to, &Clock::system()).await.unwrap();
    let told: BTreeMap<String, i64> = moved.iter().map(|table| (table.table.clone(), i64::try_from(table.rows).unwrap())).collect();
    assert!(told.iter().all(|(table, rows)| before[table] == *rows) && told.len() == before.len() - 1, "{told:?}");
    assert_eq!(counts(&to).await, before);
    assert_eq!(counts(&from).await, before, "the file is as it was");
    from.close().await;
    to.close().await;

    let mut hub = hub.crash_into(server).await;
    assert_eq!(ledger(&hub).await, sums);
    hub.run().await;
    assert_eq!(hub.order(Kind::Woo, waiting).await.holds, "stock", "what waited is worked off on the server");
    let later = shopify.sell("LAMP", 1).unwrap();
    hub.pass(3 * 60_000).await;
    assert_eq!(hub.order(Kind::Shopify, later).await.holds, "stock");
    hub.finish().await;
}
