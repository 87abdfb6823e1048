//! What many did at once to stock and to lanes could have been done one after the other.
//!
//! Every unit of work writes down what it left. The versions of a shelf give the order of the units on it: each must have
//! found what the one before it left, and the orders of all shelves together must not contradict each other (no circle). On
//! a lane, what its holders commit comes in the order of their epochs, and each finds what the one before it left.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use entrepot::args;
use entrepot::catalog::{self, Facts, Sku};
use entrepot::clock::Clock;
use entrepot::ctx::{Ctx, Tenant};
use entrepot::id::{ConnectionId, Entropy, Ids, LocationId, OrderId, VariantId};
use entrepot::lanes::{self, Claim, Handler, HandlerError, Handlers, LaneKey, LaneKind, Runner};
use entrepot::locations;
use entrepot::stock::{self, Sale, Target};
use entrepot::store::{Sql as _, Store, WriteTx};
use entrepot_tests::chance::{Dice, Seed, count, seeds};
use entrepot_tests::hub::Place;
use entrepot_tests::on_both;

const HANDS: u64 = 16;
const SHELVES: usize = 5;
const START_MS: i64 = 1_795_176_000_000;

/// One unit of work on one shelf: how it changed it, and what it left.
#[derive(Clone, Debug)]
struct Mark {
    unit: u64,
    version: i64,
    left: (i64, i64),
    by: (i64, i64),
}

type History = BTreeMap<VariantId, Vec<Mark>>;

async fn open(place: &Place, seed: u64) -> (Store, Ctx) {
    let clock = Clock::manual(START_MS);
    let store = Store::open(&place.location(), &clock).await.unwrap();
    let ids = Ids::new(clock.clone(), Entropy::seeded(seed));
    (store, Ctx { tenant: Tenant::main(), clock, ids, actor: "test".into() })
}

async fn furnish(store: &Store, ctx: &Ctx, seed: u64) -> (LocationId, Vec<VariantId>) {
    let ctx = ctx.clone();
    let furnished = store.write(move |tx| {
        Box::pin(async move {
            let place = locations::ensure_default(tx, &ctx).await.unwrap();
            let product = catalog::create_product(tx, &ctx, "Article").await?;
            let mut variants = Vec::new();
            for n in 0..SHELVES {
                let facts = Facts::of(Sku::parse(&format!("SKU-{seed}-{n}")).unwrap());
                variants.push(catalog::create_variant(tx, &ctx, &product.id, facts).await?.id);
            }
            Ok::<_, catalog::Error>((place, variants))
        })
    });
    furnished.await.unwrap()
}

/// Goods come in for one variant, or an order takes up to three.
async fn work(
    tx: &mut WriteTx,
    ctx: &Ctx,
    place: &LocationId,
    unit: u64,
    mut picked: Vec<VariantId>,
    units: i64,
) -> Result<History, stock::Error> {
    let mut by: BTreeMap<VariantId, (i64, i64)> = BTreeMap::new();
    if picked.len() == 1 {
        let variant = picked.remove(0);
        stock::receive(tx, ctx, &variant, place, units, &format!("receipt {unit}")).await?;
        by.insert(variant, (units, 0));
    } else {
        let target = |(n, variant): (usize, &VariantId)| Target {
            line: n.to_string(),
            variant: variant.clone(),
            open: units,
            shipped: None,
            returned: 0,
        };
        let targets: Vec<Target> = picked.iter().enumerate().map(target).collect();
        let order = OrderId::new(&ctx.ids);
        let sale = Sale { order: &order, revision: 1, connection: None, country: None, again: None, only: None };
        let settled = stock::settle(tx, ctx, sale, &targets).await?;
        for target in targets {
            let short = settled.short.get(&(target.line, target.variant.clone())).copied().unwrap_or(0);
            by.insert(target.variant, (0, units - short));
        }
    }
    let mut marks = History::new();
    for (variant, by) in by.into_iter().filter(|(_, by)| *by != (0, 0)) {
        let sql = "SELECT version, on_hand, reserved FROM stock WHERE tenant = $1 AND variant = $2";
        let row = tx.fetch_one(sql, args![&ctx.tenant, &variant]).await?;
        let mark = Mark { unit, version: row.get(0)?, left: (row.get(1)?, row.get(2)?), by };
        marks.entry(variant).or_default().push(mark);
    }
    Ok(marks)
}

/// What is wrong with it; nothing, if it could have happened one after the other.
fn contradictions(history: &mut History) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut after: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for (variant, marks) in history {
        marks.sort_by_key(|mark| mark.version);
        let mut left = (0, 0);
        for mark in marks.iter() {
            if mark.left != (left.0 + mark.by.0, left.1 + mark.by.1) {
                wrong.push(format!("{variant}: {left:?} was left, then {mark:?}"));
            }
            if mark.left.1 > mark.left.0 {
                wrong.push(format!("{variant}: more is promised than there is: {mark:?}"));
            }
            left = mark.left;
        }
        for pair in marks.windows(2) {
            if pair[0].version == pair[1].version {
                wrong.push(format!("{variant}: two units left the same version: {pair:?}"));
            }
            after.entry(pair[0].unit).or_default().insert(pair[1].unit);
        }
    }
    wrong.extend(circle(&after).map(|unit| format!("unit {unit} comes before itself")));
    wrong
}

/// A unit that follows from itself: what is left when everything that follows nothing is taken away again and again.
fn circle(after: &BTreeMap<u64, BTreeSet<u64>>) -> Option<u64> {
    let mut left = after.clone();
    loop {
        let followers: BTreeSet<u64> = left.values().flatten().copied().collect();
        let first: Vec<u64> = left.keys().filter(|unit| !followers.contains(unit)).copied().collect();
        if first.is_empty() {
            return left.keys().next().copied();
        }
        first.iter().for_each(|unit| drop(left.remove(unit)));
    }
}

#[test]
fn a_history_that_nobody_could_have_lived_is_found() {
    let shelf = |n| VariantId::new(&Ids::new(Clock::manual(START_MS + n), Entropy::seeded(1)));
    let mark = |unit, version, left, by| Mark { unit, version, left, by };
    let mut fine = History::from([(shelf(1), vec![mark(2, 2, (5, 2), (0, 2)), mark(1, 1, (5, 0), (5, 0))])]);
    assert!(contradictions(&mut fine).is_empty());
    let mut lost = History::from([(shelf(1), vec![mark(1, 1, (5, 0), (5, 0)), mark(2, 2, (3, 0), (3, 0))])]);
    assert_eq!(contradictions(&mut lost).len(), 1);
    let both = |first, second| vec![mark(first, 1, (5, 0), (5, 0)), mark(second, 2, (10, 0), (5, 0))];
    let mut crossed = History::from([(shelf(1), both(1, 2)), (shelf(2), both(2, 1))]);
    assert_eq!(contradictions(&mut crossed), ["unit 1 comes before itself"]);
}

on_both! {
    async fn what_many_do_to_stock_could_have_been_done_one_after_the_other(place: Place) {
        for seed in seeds(2, 200) {
            let _seed = Seed(seed);
            let (store, ctx) = open(&place, seed).await;
            let (location, variants) = furnish(&store, &ctx, seed).await;
            let history = Arc::new(Mutex::new(History::new()));
            let each = count(20, 5_000 / HANDS);
            let hands = (0..HANDS).map(|hand| {
                let (store, ctx, location, variants, history) = (store.clone(), ctx.clone(), location.clone(), variants.clone(), history.clone());
                let dice = Dice::new(seed * 1_000 + hand);
                tokio::spawn(async move {
                    for n in 0..each {
                        let mut picked = variants.clone();
                        dice.shuffle(&mut picked);
                        picked.truncate(usize::try_from(dice.between(1, 3)).unwrap());
                        let (unit, units) = (hand * each + n, i64::try_from(dice.between(1, 4)).unwrap());
                        // A server may ask to try again; the marks of an attempt that was undone are undone with it.
                        let marks = loop {
                            let (ctx, location, picked) = (ctx.clone(), location.clone(), picked.clone());
                            match store.write(move |tx| Box::pin(async move { work(tx, &ctx, &location, unit, picked, units).await })).await {
                                Ok(marks) => break marks,
                                Err(stock::Error::Store(entrepot::store::Error::Contended(_))) => {}
                                Err(error) => panic!("{error:?}"),
                            }
                        };
                        let mut history = history.lock().unwrap();
                        marks.into_iter().for_each(|(variant, mut more)| history.entry(variant).or_default().append(&mut more));
                    }
                })
            });
            for hand in hands.collect::<Vec<_>>() {
                hand.await.unwrap();
            }
            let mut history = std::mem::take(&mut *history.lock().unwrap());
            assert!(history.values().map(Vec::len).sum::<usize>() as u64 > HANDS * each / 2, "nearly nothing happened");
            assert_eq!(contradictions(&mut history), [""; 0]);
            store.close().await;
        }
    }
}

/// Appends its epoch to what the lane's holders before it committed.
struct Appender(Store, Arc<Mutex<Vec<(i64, usize)>>>);

type Running<'a> = Pin<Box<dyn Future<Output = Result<(), HandlerError>> + Send + 'a>>;

impl Handler for Appender {
    fn run<'a>(&'a self, _: &'a Ctx, claim: &'a Claim) -> Running<'a> {
        Box::pin(async move {
            let (mine, log) = (claim.clone(), self.1.clone());
            let seen = log.lock().unwrap().len();
            let committed = self.0.write(move |tx| {
                Box::pin(async move {
                    lanes::fence(tx, &mine).await?;
                    tx.after_commit(move || log.lock().unwrap().push((mine.epoch(), seen)));
                    Ok::<_, lanes::Error>(())
                })
            });
            committed.await.map_err(HandlerError::from)
        })
    }
}

on_both! {
    async fn what_holders_of_a_lane_commit_comes_in_the_order_of_their_epochs(place: Place) {
        let (store, ctx) = open(&place, 1).await;
        let lane = LaneKey::new(LaneKind::Reconcile, &ConnectionId::new(&ctx.ids), "history");
        let log = Arc::new(Mutex::new(Vec::new()));
        let rounds = usize::try_from(count(60, 5_000)).unwrap();
        for _ in 0..rounds {
            let (c, wished) = (ctx.clone(), lane.clone());
            store.write(move |tx| Box::pin(async move { lanes::make_due(tx, &c, &wished, c.now_ms()).await })).await.unwrap();
            let node = || {
                let handlers = Handlers::new().with(LaneKind::Reconcile, Appender(store.clone(), log.clone()));
                let mut runner = Runner::new(store.clone(), ctx.clone(), handlers, lanes::Limits::default());
                tokio::spawn(async move { runner.run_until_idle().await })
            };
            for node in [node(), node(), node(), node()] {
                node.await.unwrap().unwrap();
            }
        }
        let log = log.lock().unwrap();
        assert_eq!(log.len(), rounds, "every wish was granted once");
        assert!(log.windows(2).all(|pair| pair[0].0 < pair[1].0), "epochs: {log:?}");
        assert!(log.iter().enumerate().all(|(n, (_, seen))| n == *seen), "somebody did not see what was committed before: {log:?}");
    }
}
