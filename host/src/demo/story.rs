//! What happens on stage, and the account of it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::shops::Shop;
use super::{Error, Stage, Wish};
use crate::id::Entropy;
use crate::orders;

/// The account of a bounded story. Times are milliseconds from an order in one shop to the new quantity in the other.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Summary {
    pub orders_sent: u64,
    pub webhooks_sent: u64,
    pub duplicates_sent: u64,
    pub orders_ingested: u64,
    /// Orders that the hub has more than once.
    pub doubled: u64,
    /// Units sold beyond what there was.
    pub oversold: i64,
    /// Orders of a shop that the hub does not have.
    pub lost: u64,
    /// Listings that do not show what they should at the end.
    pub wrong: u64,
    pub stock_pushes: u64,
    pub cancelled: u64,
    pub time_to_channel_ms: Percentiles,
}

#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct Percentiles {
    pub p50: i64,
    pub p99: i64,
}

impl Summary {
    pub fn is_good(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.oversold == 0 && self.wrong == 0
    }
}

/// One sale, as the shop saw it.
struct Sale {
    shop: usize,
    sku: String,
    order: i64,
    units: i64,
    at_ms: i64,
    cancelled: bool,
}

/// Every twentieth order is cancelled in the shop's own admin.
const CANCEL_EVERY: u64 = 20;
const PACE: Duration = Duration::from_millis(10);

fn stumble(stage: &Stage, wish: &Wish) {
    for (shop, _) in &stage.shops {
        shop.faults(|faults| {
            faults.webhook_duplicate_per_mille = 150;
            if wish.faults {
                faults.webhook_drop_per_mille = 30;
                faults.webhook_delay_per_mille = 50;
                faults.webhook_delay_ms = 300;
                faults.webhook_reorder_per_mille = 50;
                faults.server_error_per_mille = 10;
                faults.throttle_per_mille = 10;
                faults.throttle_retry_after_s = Some(1);
                faults.lose_answer_per_mille = 10;
            }
        });
    }
}

pub async fn bounded(stage: &Stage, wish: &Wish, orders: u32) -> Result<Summary, Error> {
    stumble(stage, wish);
    let dice = Entropy::seeded(wish.seed);
    let mut sales = Vec::new();
    for n in 0..u64::from(orders) {
        sell(stage, &dice, n, &mut sales);
        tokio::time::sleep(PACE).await;
    }
    stage.quiet(120).await?;
    for (shop, _) in &stage.shops {
        shop.faults(|faults| faults.clear());
    }
    // What a dropped webhook did not tell, the poll does.
    stage.poll().await?;
    stage.quiet(120).await?;
    account(stage, &sales).await
}

/// Sells until the process is stopped, and heals a shop that fails now and then.
pub async fn endless(stage: &Stage, wish: &Wish, say: &std::sync::Arc<dyn Fn(&str) + Send + Sync>) -> Result<Summary, Error> {
    stumble(stage, wish);
    let dice = Entropy::seeded(wish.seed);
    let mut sales = Vec::new();
    let mut n = 0;
    say(&format!("open http://{}/ and watch: orders come in, stock moves; press Ctrl-C to end", stage.address));
    let stop = tokio::signal::ctrl_c();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            _ = &mut stop => break,
            () = tokio::time::sleep(Duration::from_millis(700)) => {}
        }
        sell(stage, &dice, n, &mut sales);
        n += 1;
        match n % 60 {
            30 => {
                say(&format!("the {} is down for maintenance", stage.shops[1].0.name()));
                stage.shops[1].0.faults(|faults| faults.maintenance = true);
            }
            45 => {
                say(&format!("the {} is back", stage.shops[1].0.name()));
                stage.shops[1].0.faults(|faults| faults.maintenance = false);
            }
            _ => {}
        }
    }
    for (shop, _) in &stage.shops {
        shop.faults(|faults| faults.clear());
    }
    stage.poll().await?;
    stage.quiet(120).await?;
    account(stage, &sales).await
}

fn pick(dice: &Entropy, below: usize) -> usize {
    let mut bytes = [0u8; 8];
    dice.fill(&mut bytes);
    (u64::from_le_bytes(bytes) % below.max(1) as u64) as usize
}

fn sell(stage: &Stage, dice: &Entropy, n: u64, sales: &mut Vec<Sale>) {
    let shop = pick(dice, stage.shops.len());
    let article = &stage.articles[pick(dice, stage.articles.len())];
    let units = 1 + pick(dice, 3) as i64;
    let Some(order) = stage.shops[shop].0.sell(&article.sku, units, n) else { return };
    let at_ms = stage.app.ctx.now_ms();
    sales.push(Sale { shop, sku: article.sku.clone(), order, units, at_ms, cancelled: false });
    if n % CANCEL_EVERY == CANCEL_EVERY - 1 {
        let back = pick(dice, sales.len());
        let sale = &mut sales[back];
        sale.cancelled |= stage.shops[sale.shop].0.cancel(sale.order);
    }
}

async fn account(stage: &Stage, sales: &[Sale]) -> Result<Summary, Error> {
    let mut summary = Summary { orders_sent: sales.len() as u64, ..Summary::default() };
    let mut conn = stage.app.store.read().await?;
    for (shop, connection) in &stage.shops {
        let (sent, doubled) = shop.webhooks();
        summary.webhooks_sent += sent;
        summary.duplicates_sent += doubled;
        summary.stock_pushes += shop.arrivals().len() as u64;
        let theirs = shop.orders();
        for order in &theirs {
            let found = orders::find_external(&mut conn, &stage.app.ctx.tenant, &connection.id, &shop.external_id(*order)).await?;
            match found {
                Some(_) => summary.orders_ingested += 1,
                None => summary.lost += 1,
            }
        }
        let filter = orders::Filter { connection: Some(connection.id.clone()), ..orders::Filter::default() };
        let ours = count(&mut conn, stage, &filter).await?;
        summary.doubled += ours.saturating_sub(theirs.len() as u64);
    }
    drop(conn);
    summary.cancelled = sales.iter().filter(|sale| sale.cancelled).count() as u64;
    summary.oversold = oversold(stage, sales);
    summary.wrong = wrong(stage).await?;
    summary.time_to_channel_ms = latency(stage, sales);
    Ok(summary)
}

async fn count(conn: &mut crate::store::ReadConn, stage: &Stage, filter: &orders::Filter) -> Result<u64, Error> {
    let (mut found, mut after) = (0, None);
    loop {
        let page = orders::list(conn, &stage.app.ctx.tenant, filter, after.as_ref(), 500).await?;
        found += page.len() as u64;
        match page.last() {
            Some(last) if page.len() == 500 => after = Some((last.placed_at, last.id.clone())),
            _ => return Ok(found),
        }
    }
}

/// Both shops guard their own last unit, so a unit sold twice is the hub's doing.
fn oversold(stage: &Stage, sales: &[Sale]) -> i64 {
    let mut sold: BTreeMap<&str, i64> = BTreeMap::new();
    for sale in sales.iter().filter(|sale| !sale.cancelled) {
        *sold.entry(&sale.sku).or_default() += sale.units;
    }
    let beyond = |article: &super::shops::Article| (sold.get(article.sku.as_str()).copied().unwrap_or(0) - article.stock).max(0);
    stage.articles.iter().map(beyond).sum()
}

/// Compares what each shop shows with what the hub says it should show.
async fn wrong(stage: &Stage) -> Result<u64, Error> {
    let mut conn = stage.app.store.read().await?;
    let mut wrong = 0;
    for (shop, connection) in &stage.shops {
        let filter = crate::listings::Filter { connection: Some(connection.id.clone()), ..Default::default() };
        let page = crate::listings::list(&mut conn, &stage.app.ctx.tenant, &filter, &crate::page::PageRequest::first(500)).await?;
        let wanted = crate::sync::push::wanted_of(&mut conn, &stage.app.ctx, connection, page.items).await?;
        for wanted in wanted.values() {
            let sku = wanted.listing.sku.as_deref().unwrap_or_default();
            if shop.shows(sku) != wanted.value.0.values().next().copied() {
                wrong += 1;
            }
        }
    }
    Ok(wrong)
}

/// From each order to the first later push of its SKU that arrived in another shop.
fn latency(stage: &Stage, sales: &[Sale]) -> Percentiles {
    let arrivals: Vec<_> = stage.shops.iter().map(|(shop, _): &(Shop, _)| shop.arrivals()).collect();
    let mut times: Vec<i64> = Vec::new();
    for sale in sales {
        for (at, theirs) in arrivals.iter().enumerate().filter(|(at, _)| *at != sale.shop) {
            let _ = at;
            times.extend(theirs.iter().find(|a| a.sku == sale.sku && a.at_ms >= sale.at_ms).map(|a| a.at_ms - sale.at_ms));
        }
    }
    times.sort_unstable();
    let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len().saturating_sub(1))).copied().unwrap_or(0);
    Percentiles { p50: at(50), p99: at(99) }
}
