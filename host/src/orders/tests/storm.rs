//! Sixteen threads at once on one shelf: pictures of orders in any order, twice, late and overtaken; counts, receipts, moves,
//! kits and rules that change meanwhile. What must hold is looked at all the while and, once more and whole, at the end.

use std::ops::RangeInclusive;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use tokio::runtime::Runtime;

use super::*;
use crate::ctx::Tenant;
use crate::stock::tests::dice::{Dice, Played, seeds};
use crate::stock::{Allocation, Rule, Serving, Split};
use crate::store::Sql;

const THREADS: usize = 16;
/// Of each thread: some two hundred in all.
const OPERATIONS: usize = 13;
const CASES: u64 = 4;
const ORDERS: usize = 24;
const SKUS: [&str; 6] = ["CUP", "PLATE", "BOWL", "SPOON", "SET", "TABLE"];
/// The first of them are counted, the rest are kits.
const COUNTED: usize = 4;

/// What the channel thinks of one order.
#[derive(Clone, Default)]
struct Known {
    lines: Vec<Said>,
    cancelled: bool,
    paid: bool,
    version: i64,
}

impl Known {
    fn picture(&self, name: usize) -> ChannelOrder {
        let status = if self.cancelled { Status::Cancelled } else { Status::Placed };
        let payment = if self.paid { Payment::Paid } else { Payment::Pending };
        ChannelOrder { status, payment, ..picture(&name.to_string(), self.version, &self.lines) }
    }

    /// What happens next at the channel.
    fn change(&mut self, dice: &Dice) {
        self.version += 1;
        if self.lines.is_empty() {
            self.lines = (0..dice.units(1, 3)).map(|_| sold(SKUS[dice.roll(SKUS.len())], dice.units(1, 4))).collect();
            self.paid = dice.roll(2) == 0;
            return;
        }
        let at = dice.roll(self.lines.len());
        let line = &mut self.lines[at];
        let open = (line.quantity - line.fulfilled - line.released).max(0);
        match dice.roll(8) {
            0 => line.quantity = (line.fulfilled + line.released + dice.units(0, 3)).max(1),
            1 | 2 => line.fulfilled += dice.units(0, open),
            3 => line.released += dice.units(0, open),
            // A refund first counts against what never left.
            4 => line.restocked = dice.units(line.restocked, line.released + line.fulfilled),
            5 => self.cancelled = !self.cancelled,
            6 => self.paid = true,
            _ => self.lines.push(sold(SKUS[dice.roll(SKUS.len())], dice.units(1, 4))),
        }
    }
}

struct Storm {
    shop: Workshop,
    goods: Vec<VariantId>,
    places: Vec<LocationId>,
    orders: Vec<Mutex<Known>>,
    /// Units booked as received, and as adjusted.
    received: AtomicI64,
    adjusted: AtomicI64,
    lost: AtomicUsize,
}

/// Nothing that a merchant cannot cause by asking for the impossible.
fn is_refusal(error: &Error) -> bool {
    matches!(
        error,
        Error::TooMany { .. }
            | Error::NotOut { .. }
            | Error::NoSuchLine { .. }
            | Error::Stock(stock::Error::BelowReserved { .. } | stock::Error::LimitTooLow { .. })
    )
}

fn is_passing(error: &Error) -> bool {
    let store = match error {
        Error::Store(error)
        | Error::Stock(stock::Error::Store(error) | stock::Error::Catalog(catalog::Error::Store(error)))
        | Error::Catalog(catalog::Error::Store(error)) => error,
        _ => return false,
    };
    matches!(store, crate::store::Error::Contended(_) | crate::store::Error::Duplicate(_))
}

impl Storm {
    async fn open(db: TestDb) -> Self {
        let shop = Workshop::open(db).await;
        let mut goods = Vec::new();
        for (n, sku) in SKUS.iter().enumerate() {
            goods.push(shop.good(sku, if n < COUNTED { 12 } else { 0 }).await);
        }
        shop.kit(&goods[4], &[(&goods[0], 2), (&goods[1], 1)]).await.unwrap();
        shop.kit(&goods[5], &[(&goods[4], 2), (&goods[2], 1)]).await.unwrap();
        let other =
            shop.write(|tx, ctx| Box::pin(async move { Ok(locations::add(tx, &ctx, "Attic").await.map_err(stock::Error::from)?.id) }));
        let places = vec![shop.place.clone(), other.await.unwrap()];
        let orders = (0..ORDERS).map(|_| Mutex::new(Known::default())).collect();
        let opening = 12 * COUNTED as i64;
        Self { shop, goods, places, orders, received: opening.into(), adjusted: 0.into(), lost: 0.into() }
    }

    /// Does it, again while another unit of work stands in the way; `None` if it was refused.
    async fn insist<T>(&self, mut work: impl AsyncFnMut() -> Result<T, Error>) -> Option<T> {
        loop {
            match work().await {
                Ok(done) => return Some(done),
                Err(error) if is_passing(&error) => drop(self.lost.fetch_add(1, Ordering::Relaxed)),
                Err(error) if is_refusal(&error) => return None,
                Err(error) => panic!("{}", crate::store::chain(&error)),
            }
        }
    }

    async fn id_of(&self, name: usize) -> Option<OrderId> {
        let mut conn = self.shop.db.store.read().await.unwrap();
        find_external(&mut conn, &self.shop.ctx.tenant, &self.shop.connection, &name.to_string()).await.unwrap()
    }

    async fn step(&self, dice: &Dice) {
        let name = dice.roll(ORDERS);
        let (good, place) = (self.goods[dice.roll(COUNTED)].clone(), dice.pick(&self.places).clone());
        match dice.roll(20) {
            0..=7 => {
                let said = {
                    let mut known = self.orders[name].lock().unwrap();
                    known.change(dice);
                    known.picture(name)
                };
                // Some are on their way for long, and overtaken.
                if dice.roll(4) == 0 {
                    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
                }
                for _ in 0..dice.units(1, 2) {
                    self.insist(async || self.shop.take(&said).await).await;
                }
            }
            8 | 9 => {
                let said = self.orders[name].lock().unwrap().picture(name);
                if !said.lines.is_empty() {
                    self.insist(async || self.shop.take(&said).await).await;
                }
            }
            10 | 11 => {
                let (units, reference) = (dice.units(1, 4), self.shop.ctx.ids.body());
                let booked = self.booked(&good, &place, Booking::Receive(units), &reference).await;
                let twice = self.booked(&good, &place, Booking::Receive(units), &reference).await;
                assert_eq!((booked, twice), (Some(true), Some(false)), "one receipt books once");
                self.received.fetch_add(units, Ordering::Relaxed);
            }
            12 => {
                let units = -dice.units(1, 3);
                if self.booked(&good, &place, Booking::Adjust(units), &self.shop.ctx.ids.body()).await == Some(true) {
                    self.adjusted.fetch_add(units, Ordering::Relaxed);
                }
            }
            13 => drop(
                self.booked(&good, &place, Booking::Transfer(self.places[0].clone(), dice.units(1, 3)), &self.shop.ctx.ids.body()).await,
            ),
            14 => drop(self.booked(&good, &place, Booking::Backorder(dice.units(0, 2)), "").await),
            15 => {
                let parts: Vec<(&VariantId, i64)> = vec![(&self.goods[dice.roll(2)], dice.units(1, 2)), (&self.goods[2], 1)];
                self.insist(async || self.shop.kit(&self.goods[4], &parts).await).await;
            }
            16 => {
                let serving = Serving {
                    allocation: *dice.pick(&[Allocation::Priority, Allocation::Nearest, Allocation::MostStock]),
                    split: *dice.pick(&[Split::Free, Split::Avoid, Split::Never]),
                };
                self.insist(async || {
                    self.shop
                        .write(move |tx, ctx| {
                            Box::pin(async move { Ok(stock::set_rule(tx, &ctx, None, &Rule { serving, unpaid_ms: None }).await?) })
                        })
                        .await
                })
                .await;
            }
            act => {
                if let Some(order) = self.id_of(name).await {
                    self.by_hand(act, &order, dice).await;
                }
            }
        }
    }

    async fn by_hand(&self, act: usize, order: &OrderId, dice: &Dice) {
        let (line, first) = (dice.roll(3).to_string(), dice.pick(&self.places).clone());
        self.insist(async || {
            let (order, line, first) = (order.clone(), line.clone(), first.clone());
            self.shop
                .write(move |tx, ctx| {
                    Box::pin(async move {
                        let change = match act {
                            17 => note_shipped_here(tx, &ctx, &order, &[(line, 1)]).await?,
                            18 => note_returned_here(tx, &ctx, &order, &[(line, 1)], true).await?,
                            _ => serve_again(tx, &ctx, &order, &stock::Again { first: Some(first) }).await?,
                        };
                        fill_short(tx, &ctx, &change.freed).await
                    })
                })
                .await
        })
        .await;
    }

    async fn booked(&self, good: &VariantId, place: &LocationId, booking: Booking, reference: &str) -> Option<bool> {
        self.insist(async || {
            let (variants, place, booking, reference) = ([good.clone()], place.clone(), booking.clone(), reference.to_owned());
            self.shop
                .write(move |tx, ctx| {
                    Box::pin(async move {
                        let booked = match booking {
                            Booking::Receive(units) => stock::receive(tx, &ctx, &variants[0], &place, units, &reference).await?,
                            Booking::Adjust(units) => stock::adjust(tx, &ctx, &variants[0], &place, units, &reference).await?,
                            Booking::Transfer(from, _) if from == place => false,
                            Booking::Transfer(from, units) => {
                                stock::transfer(tx, &ctx, &variants[0], (&from, &place), units, &reference).await?
                            }
                            Booking::Backorder(limit) => {
                                stock::set_backorder_limit(tx, &ctx, &variants[0], &place, limit).await.map(|()| true)?
                            }
                        };
                        fill_short(tx, &ctx, &variants).await?;
                        Ok(booked)
                    })
                })
                .await
        })
        .await
    }

    async fn audit(&self) {
        let problems = stock::audit(&mut self.shop.db.store.read().await.unwrap(), &self.shop.ctx.tenant).await.unwrap();
        assert!(problems.is_empty(), "{problems:#?}");
    }

    /// Every order, against what the channel last said of it.
    async fn settled(&self) {
        let mut wanted = 0;
        for name in 0..ORDERS {
            let mut known = self.orders[name].lock().unwrap().clone();
            if known.lines.is_empty() {
                continue;
            }
            wanted += 1;
            self.insist(async || self.shop.take(&known.picture(name)).await).await;
            let order = self.id_of(name).await.unwrap();
            // What left by hand after the last picture comes on top of what that said; the next picture knows of it, or is believed.
            self.check(&known, &order, |said, here| said.max(here)..=said + here).await;
            known.version += 1;
            self.insist(async || self.shop.take(&known.picture(name)).await).await;
            self.check(&known, &order, |said, here| said.max(here)..=said.max(here)).await;
            *self.orders[name].lock().unwrap() = known;
        }
        let all = list(&mut self.shop.db.store.read().await.unwrap(), &self.shop.ctx.tenant, &Filter::default(), None, 500).await.unwrap();
        assert_eq!(all.len(), wanted, "each order once, however often it was told");
    }

    /// `left`: how many units may have left, by what the channel said and what was shipped here.
    async fn check(&self, known: &Known, order: &OrderId, left: impl Fn(i64, i64) -> RangeInclusive<i64>) {
        let id = order.clone();
        let stored = self.shop.write(move |tx, ctx| Box::pin(async move { store::lock(tx, &ctx, &id).await })).await.unwrap().unwrap();
        let mut conn = self.shop.db.store.read().await.unwrap();
        let sql = "SELECT line, variant, CAST(SUM(quantity) AS BIGINT), CAST(SUM(shipped - returned) AS BIGINT) FROM reservation \
                   WHERE tenant = $1 AND order_id = $2 GROUP BY line, variant";
        let rows = conn.fetch_all(sql, crate::args![&self.shop.ctx.tenant, order]).await.unwrap();
        let held: BTreeMap<(String, VariantId), (i64, i64)> =
            rows.iter().map(|row| ((row.get(0).unwrap(), row.get(1).unwrap()), (row.get(2).unwrap(), row.get(3).unwrap()))).collect();
        let lacks = stock::shortage(&mut conn, &self.shop.ctx.tenant, order).await.unwrap();
        assert_eq!(stored.lines.len(), known.lines.len());
        for (line, said) in stored.lines.iter().zip(&known.lines) {
            assert_eq!((line.quantity, line.released), (said.quantity, said.released));
            assert!(left(said.fulfilled, line.shipped_here).contains(&line.fulfilled) && line.returned <= line.fulfilled);
            let open = if known.cancelled { 0 } else { (line.quantity - line.fulfilled - line.released).max(0) };
            for (variant, per_unit) in line.parts() {
                let (promised, gone) = held.get(&(line.external_id.clone(), variant.clone())).copied().unwrap_or_default();
                let lack = lacks.iter().find(|l| l.line == line.external_id && l.variant == variant).map_or(0, |lack| lack.units);
                assert_eq!(promised + lack, open * per_unit, "every unit of demand is promised or known to be short");
                assert_eq!(gone, (line.fulfilled - line.returned) * per_unit, "what is gone is what left and did not return");
            }
        }
    }

    /// Everything cancelled and returned: the shelves hold what was put on them.
    async fn undone(&self) {
        for name in 0..ORDERS {
            let mut known = self.orders[name].lock().unwrap().clone();
            if let Some(order) = self.id_of(name).await {
                known.version += 1;
                known.cancelled = true;
                self.insist(async || self.shop.take(&known.picture(name)).await).await;
                let out: Vec<(String, i64)> = {
                    let view = self.shop.view(&order).await;
                    view.lines
                        .iter()
                        .map(|line| (line.external_id.clone(), line.fulfilled - line.returned))
                        .filter(|(_, out)| *out > 0)
                        .collect()
                };
                self.insist(async || {
                    let (order, out) = (order.clone(), out.clone());
                    self.shop.write(move |tx, ctx| Box::pin(async move { note_returned_here(tx, &ctx, &order, &out, true).await })).await
                })
                .await;
            }
        }
        let mut conn = self.shop.db.store.read().await.unwrap();
        let found = stock::availability(&mut conn, &self.shop.ctx.tenant, &self.goods).await.unwrap();
        let (on_hand, reserved) = found.values().fold((0, 0), |(a, b), stock| (a + stock.on_hand, b + stock.reserved));
        let sums = "SELECT kind, CAST(SUM(on_hand) AS BIGINT) FROM movement WHERE tenant = $1 GROUP BY kind";
        let rows = conn.fetch_all(sums, crate::args![&self.shop.ctx.tenant]).await.unwrap();
        let by_kind: BTreeMap<String, i64> = rows.iter().map(|row| (row.get(0).unwrap(), row.get(1).unwrap())).collect();
        let of = |kind: &str| by_kind.get(kind).copied().unwrap_or(0);
        assert_eq!(of("receive"), self.received.load(Ordering::Relaxed), "no receipt was lost");
        assert_eq!(of("adjust"), self.adjusted.load(Ordering::Relaxed), "no adjustment was lost");
        assert_eq!((of("transfer"), of("ship") + of("return")), (0, 0), "orders gave back exactly what they took");
        assert_eq!((on_hand, reserved), (of("receive") + of("adjust") + of("found"), 0));
    }
}

#[derive(Clone)]
enum Booking {
    Receive(i64),
    Adjust(i64),
    Transfer(LocationId, i64),
    Backorder(i64),
}

/// Every row of another merchant's stock and orders.
async fn rows_of(shop: &Workshop) -> Vec<String> {
    let mut conn = shop.db.store.read().await.unwrap();
    let mut rows = Vec::new();
    for sql in [
        "SELECT variant || location || CAST(on_hand AS TEXT) || '/' || CAST(reserved AS TEXT) || '/' || CAST(version AS TEXT) FROM stock WHERE tenant = $1 ORDER BY 1",
        "SELECT id || kind || ref || line FROM movement WHERE tenant = $1 ORDER BY 1",
        "SELECT order_id || line || CAST(quantity AS TEXT) FROM reservation WHERE tenant = $1 ORDER BY 1",
        "SELECT order_id || line || CAST(units AS TEXT) FROM shortage WHERE tenant = $1 ORDER BY 1",
        "SELECT id || holds || CAST(revision AS TEXT) FROM orders WHERE tenant = $1 ORDER BY 1",
    ] {
        rows.extend(conn.fetch_all(sql, crate::args![&shop.ctx.tenant]).await.unwrap().iter().map(|row| row.get::<String>(0).unwrap()));
    }
    rows
}

fn play(runtime: &Runtime, db: TestDb, seed: u64) {
    let _played = Played("the storm of orders", seed);
    let (storm, neighbour, before) = runtime.block_on(async {
        let storm = Storm::open(db).await;
        // Another merchant with the same SKUs in the same tables.
        let ctx = Ctx { tenant: Tenant::named("other"), ..storm.shop.ctx.clone() };
        let neighbour = Workshop::of(storm.shop.db.clone(), ctx).await;
        neighbour.good("CUP", 7).await;
        neighbour.placed("0", &[sold("CUP", 9)]).await;
        let before = rows_of(&neighbour).await;
        (storm, neighbour, before)
    });
    std::thread::scope(|scope| {
        for n in 0..THREADS {
            let storm = &storm;
            scope.spawn(move || {
                let dice = Dice::of(seed * 1_000 + n as u64);
                runtime.block_on(async {
                    for step in 0..OPERATIONS {
                        storm.step(&dice).await;
                        if step % 8 == n % 8 {
                            storm.audit().await;
                        }
                    }
                });
            });
        }
    });
    runtime.block_on(async {
        storm.audit().await;
        storm.settled().await;
        storm.audit().await;
        storm.undone().await;
        storm.audit().await;
        let short = "SELECT COUNT(*) FROM shortage WHERE tenant = $1";
        let mut conn = storm.shop.db.store.read().await.unwrap();
        let left: i64 = conn.fetch_one(short, crate::args![&storm.shop.ctx.tenant]).await.unwrap().get(0).unwrap();
        assert_eq!(left, 0, "nothing is missing to orders that are all cancelled");
        assert_eq!(rows_of(&neighbour).await, before, "one merchant's storm touched another's rows");
    });
    let (dialect, lost) = (storm.shop.db.store.dialect().name(), storm.lost.load(Ordering::Relaxed));
    println!("seed {seed}, {dialect}: {} operations, {lost} units of work done again", THREADS * OPERATIONS);
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
fn sixteen_threads_on_one_shelf_lose_nothing_and_promise_nothing_twice_sqlite() {
    let runtime = runtime();
    for seed in seeds(CASES) {
        if let Some(db) = runtime.block_on(TestDb::sqlite()) {
            play(&runtime, db, seed);
        }
    }
}

#[test]
fn sixteen_threads_on_one_shelf_lose_nothing_and_promise_nothing_twice_postgres() {
    let runtime = runtime();
    for seed in seeds(CASES) {
        if let Some(db) = runtime.block_on(TestDb::postgres()) {
            play(&runtime, db, seed);
        }
    }
}
