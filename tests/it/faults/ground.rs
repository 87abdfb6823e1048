//! A hub that trades with two simulated shops, as it was closed: rounds of a fault begin with a copy of its file.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use entrepot::app::App;
use entrepot::clock::Clock;
use entrepot::store::Sql as _;
use entrepot_simulators::woo::NewProduct;
use entrepot_simulators::{WooConfig, WooShop};
use entrepot_tests::baselines::signed;
use entrepot_tests::hub::pumped;
use entrepot_tests::post::Post;
use entrepot_tests::sale;
use entrepot_tests::site::{self, OPENING, Site};
use tempfile::TempDir;

use super::kill::{ARTICLES, busy, failing, sold};

/// Steps of five seconds in which a hub that came back must be done: what the dead one held is held for half a minute.
const STEPS: usize = 60;

pub struct Ground {
    site: Site,
    shops: Vec<WooShop>,
    path: String,
}

impl Ground {
    pub async fn lay(now_ms: i64) -> Self {
        let site = Site::file();
        let clock = Clock::manual(now_ms);
        let app = site.open_at(clock.clone(), None).await;
        let variants = site::stocked(&app, ARTICLES).await;
        let (mut shops, mut path) = (Vec::new(), String::new());
        for n in 0..2 {
            let shop = open_shop(n, now_ms).await;
            let connection = site::trading(&app, &format!("Shop {n}"), &shop.origin(), &variants).await;
            if n == 0 {
                path = format!("/webhooks/{}", connection.webhook_path);
            }
            shops.push(shop);
        }
        let ground = Self { site, shops, path };
        ground.rest(&app).await;
        app.store.close().await;
        ground
    }

    pub fn file(&self) -> PathBuf {
        self.site.data().join("entrepot.db")
    }

    /// What the shops show of each article.
    pub fn shown(&self) -> Vec<Vec<i64>> {
        self.shops.iter().map(|shop| (0..ARTICLES).map(|n| shop.stock_of(&site::sku(n)).unwrap()).collect()).collect()
    }

    /// Sets the shops back.
    pub fn show(&self, shown: &[Vec<i64>]) {
        for (shop, shown) in self.shops.iter().zip(shown) {
            shown.iter().enumerate().for_each(|(n, units)| shop.set_stock(&site::sku(n), *units).unwrap());
        }
    }

    /// A folder with a copy, and shops that show what it says.
    pub fn copy(&self) -> TempDir {
        self.show(&vec![vec![OPENING; ARTICLES]; self.shops.len()]);
        let folder = empty();
        std::fs::copy(self.file(), folder.path().join("data").join("entrepot.db")).unwrap();
        folder
    }

    /// Tells the hub at this address of an order of the first shop, as the shop does; returns the status, if there is an answer.
    pub async fn deliver(&self, order: u64, hub: SocketAddr) -> Option<u16> {
        let body = sale::order(order, sale::articles(order, ARTICLES));
        let post = Post::to(&self.path).header(signed::HEADER, &signed::sign(&body)).header("x-wc-webhook-topic", "order.created");
        post.header("content-type", "application/json").body(body).try_send(hub).await
    }

    /// Works until nothing is left to do and the second shop shows what the orders left.
    pub async fn rest(&self, app: &App) {
        let mut runner = app.runner();
        for _ in 0..STEPS {
            pumped(&app.ctx.clock, runner.run_until_idle()).await.unwrap();
            if !busy(app).await && !deliveries_wait(app).await {
                let sold = sold(app).await;
                if sold.iter().all(|(sku, units)| self.shops[1].stock_of(sku) == Some(OPENING - units)) {
                    return;
                }
            }
            app.ctx.clock.advance(5_000);
        }
        panic!("it did not come to rest: {:#?}", failing(app).await);
    }
}

/// Whether a delivery is not worked off, be it that its lane is due later.
async fn deliveries_wait(app: &App) -> bool {
    let row = app.store.read().await.unwrap().fetch_one("SELECT COUNT(*) FROM inbox WHERE state = 'new'", &[]).await.unwrap();
    row.get::<i64>(0).unwrap() > 0
}

async fn open_shop(seed: u64, now_ms: i64) -> WooShop {
    let keys = WooConfig { consumer_key: "ck".into(), consumer_secret: "cs".into(), ..WooConfig::seeded(seed) };
    let shop = WooShop::start(WooConfig { clock: Arc::new(move || now_ms), ..keys }).await.unwrap();
    for n in 0..ARTICLES {
        shop.add_product(NewProduct::new(site::sku(n), format!("Article {n}"), "12.50".parse().unwrap()).stock(OPENING));
    }
    shop
}

/// A site's folder without a database.
pub fn empty() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    folder
}
