//! T15: what a quiet shop notices of one that sends as much as the hub takes.
//!
//! From the moment an order is sent until it is worked off, by what the hub's own record says. One process serves one merchant,
//! so it is the connections that must not stand in each other's way.

use std::sync::Arc;
use std::time::Duration;

use entrepot::args;
use entrepot::inbox;
use entrepot::lanes::LaneKey;
use entrepot::store::Sql as _;
use entrepot_simulators::system_clock;

use super::median;
use super::orders::Office;
use crate::load::{self, Load};
use crate::report::{Figure, Report};
use crate::site::Site;

/// Orders a second of the quiet shop, and for how long.
const RATE: u64 = 20;
const SECONDS: u64 = 8;
const ROUNDS: usize = 3;
/// Connections of the shop that floods, each sending as fast as it is answered.
const FLOOD: u64 = 32;

pub async fn measure(report: &mut Report) {
    let mut office = Office::open(Site::file()).await;
    let _stop = office.start().await;
    let (mut alone, mut beside, mut flooded) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push(quiet(&mut office).await);
        let began = office.taken().await;
        let flood = flood(&mut office);
        beside.push(quiet(&mut office).await);
        flood.abort();
        flooded.push((office.taken().await - began) as f64 / SECONDS as f64);
        office.rest().await;
    }
    let (alone, beside) = (median(alone), median(beside));
    report.baseline("T15", format!("p99 of a quiet shop's orders at {RATE} a second, alone"), alone, "ms");
    report.baseline("T15", "orders a second meanwhile, with the flood", median(flooded), "orders/s");
    let what = format!("p99 of a quiet shop's orders beside a flood ({beside:.0} ms), against twice what it is alone and 100 ms");
    report.figures.push(Figure::at_most("T15", what, beside / (2.0 * alone + 100.0), 1.0, 0.75));
}

/// The p99, in milliseconds, of orders sent evenly to the first shop.
async fn quiet(office: &mut Office) -> f64 {
    let count = RATE * SECONDS;
    let (first, sales) = office.sales_of(0, count);
    let sales = Arc::new(sales);
    let began_ms = system_clock()();
    let requests: load::Requests = Arc::new(move |n| sales[usize::try_from(n).unwrap()].clone());
    let load = Load { rate: Some(RATE), ..Load::full(8, count) };
    let outcome = load::run(office.address, &load, requests).await;
    assert_eq!(outcome.failed, 0, "orders of the quiet shop were refused");
    let ended = ended(office, first, count).await;
    let mut times: Vec<i64> = ended.iter().map(|(n, at_ms)| at_ms - began_ms - (n * 1_000 / RATE) as i64).collect();
    times.sort_unstable();
    times[(times.len() - 1) * 99 / 100] as f64
}

/// When each of them was worked off; waits until all are.
async fn ended(office: &Office, first: u64, count: u64) -> Vec<(u64, i64)> {
    loop {
        let mut conn = office.app.store.read().await.unwrap();
        let sql = "SELECT lane, done_at FROM inbox WHERE tenant = $1 AND connection = $2 AND done_at IS NOT NULL";
        let rows = conn.fetch_all(sql, args![&office.app.ctx.tenant, &office.shops[0].id]).await.unwrap();
        let all = rows.iter().map(|row| {
            let lane = LaneKey::parse(&row.get::<String>(0).unwrap()).unwrap();
            (inbox::order_of(&lane).unwrap().parse::<u64>().unwrap(), row.get::<i64>(1).unwrap())
        });
        let ended: Vec<_> =
            all.filter(|(order, _)| (first..first + count).contains(order)).map(|(order, at)| (order - first, at)).collect();
        if ended.len() as u64 == count {
            return ended;
        }
        drop(conn);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Orders of another shop, as fast as they are acknowledged, until it is aborted.
fn flood(office: &mut Office) -> tokio::task::JoinHandle<()> {
    let (address, sales) = (office.address, office.sales_of(1, 10_000).1);
    tokio::spawn(async move {
        let count = sales.len() as u64;
        let requests: load::Requests = Arc::new(move |n| sales[usize::try_from(n).unwrap()].clone());
        load::run(address, &Load::full(FLOOD, count), requests).await;
    })
}
