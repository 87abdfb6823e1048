//! T12: how many listings of a sweep are held against what is known of them, a second and core, when nothing has changed.
//!
//! Pages as a connector hands them over, one after another, through the operation that the sweep itself uses: what was seen is
//! stored, and quantities are compared with what the channel was told. A channel gives its pages far slower than that.

use std::time::Instant;

use entrepot::app::App;
use entrepot::connections::Connection;
use entrepot::listings::ChannelListing;
use entrepot::sync;
use entrepot::sync::drift::Picture;

use super::median;
use crate::report::{Figure, Report};
use crate::site::{self, Site};

const LISTINGS: usize = 100_000;
const PAGE: usize = 100;
const ROUNDS: usize = 3;

pub async fn measure(report: &mut Report) {
    let site = Site::file();
    let app = site.open().await;
    let variants = site::stocked(&app, LISTINGS).await;
    let connection = site::trading(&app, "Shop", site::NOWHERE, &variants).await;
    acknowledge(&site);
    let offers: Vec<ChannelListing> = (0..LISTINGS).map(site::offer).collect();
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        rates.push(sweep(&app, &connection, &offers).await);
    }
    assert_eq!(drifts(&site), 0, "a sweep in which nothing had changed found a difference");
    let what = format!("listings a second held against {LISTINGS} known ones, nothing changed, pages of {PAGE}");
    report.figures.push(Figure::at_least("T12", what, median(rates), 50_000.0, 200_000.0));
}

/// As after the first push: the shop shows what it was told. Written past the hub, which would have to tell it.
fn acknowledge(site: &Site) {
    let connection = rusqlite::Connection::open(site.data().join("entrepot.db")).unwrap();
    let told = format!(r#"{{"":{}}}"#, site::OPENING);
    connection.execute("UPDATE desired SET sent_version = version, told = ?1, told_at = 0 WHERE field = 'stock'", [told]).unwrap();
}

fn drifts(site: &Site) -> i64 {
    let connection = rusqlite::Connection::open(site.data().join("entrepot.db")).unwrap();
    connection.query_row("SELECT COUNT(*) FROM drift", [], |row| row.get(0)).unwrap()
}

async fn sweep(app: &App, connection: &Connection, offers: &[ChannelListing]) -> f64 {
    let began = Instant::now();
    for page in offers.chunks(PAGE) {
        let (ctx, connection, page) = (app.ctx.clone(), connection.clone(), page.to_vec());
        let picture = Picture::Swept { since_ms: ctx.now_ms() };
        let seen = app.store.write(move |tx| Box::pin(async move { sync::listings::seen(tx, &ctx, &connection, &page, picture).await }));
        seen.await.unwrap();
    }
    offers.len() as f64 / began.elapsed().as_secs_f64()
}
