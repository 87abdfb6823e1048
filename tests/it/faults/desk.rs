//! A hub whose door and whose work are apart: what came in is worked off when the test says so.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use entrepot::api::listen;
use entrepot::app::App;
use entrepot::clock::Clock;
use entrepot::connections::Connection;
use entrepot::lanes::{self, Handlers, LaneKind, Runner};
use entrepot::stock;
use entrepot::store::Sql as _;
use entrepot::sync::inbound::Inbound;
use entrepot_tests::load::{self, Load};
use entrepot_tests::sale;
use entrepot_tests::site::{self, NOWHERE, Site};

/// 2026-11-20T12:00:00Z.
pub const NOON: i64 = 1_795_176_000_000;
pub const ARTICLES: usize = 40;

/// A hub on a manual clock whose deliveries wait until [`Desk::work`].
pub struct Desk {
    pub app: App,
    pub clock: Clock,
    shop: Connection,
    address: SocketAddr,
    _site: Site,
}

impl Desk {
    pub async fn open(site: Site) -> Self {
        let clock = Clock::manual(NOON);
        let app = site.open_at(clock.clone(), None).await;
        let variants = site::stocked(&app, ARTICLES).await;
        let shop = site::trading(&app, "Shop", NOWHERE, &variants).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(listen::serve(listener, entrepot::api::router(&app), listen::Pace::default(), std::future::pending()));
        Self { app, clock, shop, address, _site: site }
    }

    /// Every one is acknowledged, new or not.
    pub async fn deliver(&self, bodies: Vec<Vec<u8>>, connections: u64) {
        let path = format!("/webhooks/{}", self.shop.webhook_path);
        let count = bodies.len() as u64;
        let requests: load::Requests = Arc::new(move |n| sale::post(&path, "order.updated", &bodies[usize::try_from(n).unwrap()]));
        let outcome = load::run(self.address, &Load::full(connections, count), requests).await;
        assert_eq!(outcome.failed, 0, "deliveries were refused");
    }

    pub async fn work(&self) {
        let handlers = Handlers::new().with(LaneKind::Inbound, Inbound(self.app.sync.clone()));
        let mut runner = Runner::new(self.app.store.clone(), self.app.ctx.clone(), handlers, lanes::Limits::default());
        runner.run_until_idle().await.unwrap();
    }

    /// Orders with their lines, and what is on the shelf and promised: everything a person could see of it.
    pub async fn state(&self) -> BTreeMap<String, String> {
        let mut conn = self.app.store.read().await.unwrap();
        let problems = stock::audit(&mut conn, &self.app.ctx.tenant).await.unwrap();
        assert!(problems.is_empty(), "the books do not add up: {problems:#?}");
        let mut state = BTreeMap::new();
        let sql = "SELECT o.external_id, l.external_id, o.status, o.channel_status, o.holds, o.updated_at, l.quantity, l.fulfilled, l.released, l.short \
                   FROM orders o JOIN order_line l ON l.tenant = o.tenant AND l.order_id = o.id";
        for row in conn.fetch_all(sql, &[]).await.unwrap() {
            let text = |column| row.get::<String>(column).unwrap();
            let number = |column| row.get::<i64>(column).unwrap();
            let what =
                format!("{} {} {} at {}: {} {} {} {}", text(2), text(3), text(4), number(5), number(6), number(7), number(8), number(9));
            state.insert(format!("order {} line {}", text(0), text(1)), what);
        }
        let sql = "SELECT v.sku, CAST(SUM(s.on_hand) AS BIGINT), CAST(SUM(s.reserved) AS BIGINT) FROM stock s \
                   JOIN variant v ON v.tenant = s.tenant AND v.id = s.variant GROUP BY v.sku";
        for row in conn.fetch_all(sql, &[]).await.unwrap() {
            let what = format!("{} on hand, {} reserved", row.get::<i64>(1).unwrap(), row.get::<i64>(2).unwrap());
            state.insert(row.get(0).unwrap(), what);
        }
        state
    }
}
