//! T6, T7, T8: what the sandbox costs. A call of the real connector against the same connector compiled for this machine and called
//! as a function (B5), in a fresh instance with everything that the hub does around a call, and in an instance that is kept (which
//! the hub never does); then an instance alone, a call alone, and what each weighs in memory.

use std::process::Command;
use std::time::{Duration, Instant};

use entrepot::clock::Clock;
use entrepot::ctx::Tenant;
use entrepot::id::Entropy;
use entrepot::plugins::compile::Compiler;
use entrepot::plugins::services::Nothing;
use entrepot::plugins::wire::{self, webhooks::Delivery};
use entrepot::plugins::{Caller, Engine, Limits, engine};
use entrepot_woocommerce::settings::Settings;
use entrepot_woocommerce::{contract, translate};
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Store, component};

use super::{Asked, median};
use crate::baselines::map;
use crate::child::memory;
use crate::connectors;
use crate::report::{Figure, Report};

const ROUNDS: usize = 5;
const CALLS: usize = 1_000;

/// A connector's translation alone, for calling an instance more than once.
mod kept {
    wasmtime::component::bindgen!({
        path: ["../wit/v1/types", "../wit/v1/host", "../wit/v1/channel"],
        inline: "
            package entrepot:measure;
            world translates { export entrepot:channel/webhooks@1.0.0; }
        ",
        world: "entrepot:measure/translates",
        exports: { default: async },
    });
    pub use self::entrepot::types::base::Context;
    pub use self::exports::entrepot::channel::webhooks::Delivery;
}

pub async fn measure(asked: &Asked, report: &mut Report) {
    let built = tokio::task::spawn_blocking(connectors::ready).await.unwrap();
    let wasm = &built.packed.iter().find(|(name, _)| *name == "woocommerce").unwrap().1;
    if asked.wants("T6") {
        calls(wasm, report).await;
    }
    if asked.wants("T7") {
        instances(wasm, report).await;
    }
    if asked.wants("T8") {
        report.figures.push(Figure::at_most(
            "T8",
            "MiB of a loaded connector without an instance",
            weighed("loaded") / 1_048_576.0,
            4.0,
            2.0,
        ));
        report.figures.push(Figure::at_most(
            "T8",
            "KiB of an instance that has made a call and is kept",
            weighed("instances") / 1_024.0,
            256.0,
            96.0,
        ));
    }
}

/// Bytes, as [`weigh`] says in a process of its own.
fn weighed(what: &str) -> f64 {
    let output = Command::new(std::env::current_exe().unwrap()).args(["weigh", what]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or_else(|_| panic!("{what} could not be weighed: {output:?}"))
}

/// Bytes that one more of them takes in this process.
pub async fn weigh(what: &str) -> u64 {
    const LOADED: u64 = 20;
    const INSTANCES: u64 = 200;
    let built = tokio::task::spawn_blocking(connectors::ready).await.unwrap();
    let wasm = &built.packed[0].1;
    let resident = || memory(std::process::id(), "VmRSS:");
    let per = |before: u64, count: u64| resident().saturating_sub(before) / count;
    if what == "loaded" {
        let engine = Engine::new().unwrap();
        let cache = built.data_folder.join("compiled");
        let compiler = Compiler::new(&engine, &cache, &connectors::master(), connectors::program(), Entropy::system()).unwrap();
        let mut kept = vec![engine.load(&compiler.component(wasm).await.unwrap(), Limits::default()).unwrap()];
        let before = resident();
        for _ in 0..LOADED {
            kept.push(engine.load(&compiler.component(wasm).await.unwrap(), Limits::default()).unwrap());
        }
        return per(before, LOADED);
    }
    let prepared = bare(wasm);
    let mut kept = vec![Kept::new(&prepared).await];
    kept[0].call().await;
    let before = resident();
    for _ in 0..INSTANCES {
        let mut instance = Kept::new(&prepared).await;
        instance.call().await;
        kept.push(instance);
    }
    per(before, INSTANCES)
}

/// An instance that lives longer than its call.
struct Kept {
    store: Store<()>,
    guest: kept::Translates,
}

impl Kept {
    async fn new(prepared: &InstancePre<()>) -> Self {
        let mut store = new_store(prepared);
        let guest = kept::TranslatesPre::new(prepared.clone()).unwrap().instantiate_async(&mut store).await.unwrap();
        Self { store, guest }
    }

    /// How long one translation took.
    async fn call(&mut self) -> Duration {
        let wire::Context { connection, config_json, trace, attempt, idempotency_key, dry_run, .. } = context();
        let context = kept::Context { connection, config_json, trace, attempt, idempotency_key, dry_run, extras: Vec::new() };
        let delivery = kept::Delivery { topic: TOPIC.into(), headers: Vec::new(), body: body(), received_at: RECEIVED.into() };
        let began = Instant::now();
        let events = self.guest.entrepot_channel_webhooks().call_translate(&mut self.store, &context, &delivery).await.unwrap().unwrap();
        let took = began.elapsed();
        assert!(!events.is_empty(), "the connector made nothing of the sample order");
        took
    }
}

async fn calls(wasm: &[u8], report: &mut Report) {
    let (mut native, mut fresh, mut warm, mut few) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (caller, prepared) = (caller(wasm), bare(wasm));
    for _ in 0..ROUNDS {
        native.push(native_us());
        few.push(few_fields_us());
        fresh.push(fresh_us(&caller).await);
        warm.push(warm_us(&prepared).await);
    }
    let ratio = |of: &[f64]| median(of.iter().zip(&native).map(|(of, native)| of / native).collect());
    let what = format!("connector call in a kept instance, {:.1} us, against native mapping (B5)", median(warm.clone()));
    report.figures.push(Figure::at_most("T6", what, ratio(&warm), 3.0, 2.2));
    let what = format!("connector call in a fresh instance, {:.1} us, against native mapping (B5)", median(fresh.clone()));
    report.figures.push(Figure::at_most("T6", what, ratio(&fresh), 12.0, 9.0));
    report.baseline("B5", format!("the connector's own mapping of an order of {} bytes, native", map::SAMPLE.len()), median(native), "us");
    report.baseline("T6", "for comparison: twenty of its fields copied and nothing checked", median(few), "us");
}

async fn instances(wasm: &[u8], report: &mut Report) {
    let prepared = bare(wasm);
    let mut times = Vec::with_capacity(CALLS * ROUNDS);
    for _ in 0..CALLS * ROUNDS {
        let began = Instant::now();
        let mut store = new_store(&prepared);
        std::hint::black_box(prepared.instantiate_async(&mut store).await.unwrap());
        drop(store);
        times.push(began.elapsed());
    }
    report.figures.push(Figure::at_most(
        "T7",
        "microseconds to make and drop an instance of a connector, median",
        median_us(times),
        20.0,
        10.0,
    ));
    let us = median(each_round(boundary_us).await);
    report.figures.push(Figure::at_most("T7", "microseconds of a call that adds one to a number, median", us, 1.0, 0.6));
}

async fn each_round(once: impl AsyncFn() -> f64) -> Vec<f64> {
    let mut all = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        all.push(once().await);
    }
    all
}

fn caller(wasm: &[u8]) -> Caller {
    let engine = Engine::new().unwrap();
    let compiled = Component::new(engine.raw(), wasm).unwrap();
    Caller {
        loaded: engine.load(&compiled, Limits::default()).unwrap(),
        services: Nothing::services(Clock::system()),
        tenant: Tenant::main(),
        connection: None,
        plugin: "woocommerce".into(),
        dry_run: true,
    }
}

/// The connector without the hub's services: whatever it would reach is a trap.
fn bare(wasm: &[u8]) -> InstancePre<()> {
    let engine = wasmtime::Engine::new(&engine::config()).unwrap();
    let compiled = Component::new(&engine, wasm).unwrap();
    let mut linker = Linker::<()>::new(&engine);
    linker.define_unknown_imports_as_traps(&compiled).unwrap();
    linker.instantiate_pre(&compiled).unwrap()
}

fn new_store(prepared: &InstancePre<()>) -> Store<()> {
    let mut store = Store::new(prepared.engine(), ());
    store.set_epoch_deadline(u64::MAX / 2);
    store
}

fn native_us() -> f64 {
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let delivery = contract::Delivery { topic: TOPIC.into(), headers: Vec::new(), body: body(), received_at: RECEIVED.into() };
        let began = Instant::now();
        let settings = Settings::parse(SETTINGS).unwrap();
        std::hint::black_box(translate::delivery(std::hint::black_box(&delivery), &settings).unwrap());
        times.push(began.elapsed());
    }
    median_us(times)
}

fn few_fields_us() -> f64 {
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let began = Instant::now();
        std::hint::black_box(map::order(std::hint::black_box(map::SAMPLE)).unwrap());
        times.push(began.elapsed());
    }
    median_us(times)
}

const TOPIC: &str = "order.updated";
const RECEIVED: &str = "2026-10-03T09:22:10Z";
const SETTINGS: &str = r#"{"origin":"https://shop.example"}"#;

fn body() -> String {
    String::from_utf8(map::SAMPLE.to_vec()).unwrap()
}

async fn fresh_us(caller: &Caller) -> f64 {
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let delivery = Delivery { topic: TOPIC.into(), headers: Vec::new(), body: body(), received_at: RECEIVED.into() };
        let began = Instant::now();
        let events = caller.webhooks_translate(context(), delivery).await.unwrap();
        times.push(began.elapsed());
        assert!(!events.is_empty(), "the connector made nothing of the sample order");
    }
    median_us(times)
}

async fn warm_us(prepared: &InstancePre<()>) -> f64 {
    let mut instance = Kept::new(prepared).await;
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        times.push(instance.call().await);
    }
    median_us(times)
}

/// Timed in runs, because one call is shorter than what the clock can tell.
async fn boundary_us() -> f64 {
    const RUN: u32 = 1_000;
    let engine = wasmtime::Engine::new(&engine::config()).unwrap();
    let compiled = Component::new(&engine, SUCCESSOR).unwrap();
    let mut store = Store::new(&engine, ());
    store.set_epoch_deadline(u64::MAX / 2);
    let instance = Linker::<()>::new(&engine).instantiate_async(&mut store, &compiled).await.unwrap();
    let next: component::TypedFunc<(u32,), (u32,)> = instance.get_typed_func(&mut store, "next").unwrap();
    let mut times = Vec::new();
    for _ in 0..CALLS {
        let (began, mut n) = (Instant::now(), 0);
        for _ in 0..RUN {
            (n,) = next.call_async(&mut store, (n,)).await.unwrap();
        }
        assert_eq!(n, RUN);
        times.push(began.elapsed() / RUN);
    }
    let mut nanos: Vec<f64> = times.into_iter().map(|time| time.as_nanos() as f64).collect();
    nanos.sort_unstable_by(f64::total_cmp);
    median(nanos) / 1_000.0
}

/// A component with one function, `next(n: u32) -> u32`, which adds one.
const SUCCESSOR: &[u8] = &[
    0x00, 0x61, 0x73, 0x6d, 0x0d, 0x00, 0x01, 0x00, // component
    0x01, 0x29, // core module:
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, //
    0x01, 0x06, 0x01, 0x60, 0x01, 0x7f, 0x01, 0x7f, //   type (i32) -> i32
    0x03, 0x02, 0x01, 0x00, //   one function of it
    0x07, 0x08, 0x01, 0x04, b'n', b'e', b'x', b't', 0x00, 0x00, //   exported
    0x0a, 0x09, 0x01, 0x07, 0x00, 0x20, 0x00, 0x41, 0x01, 0x6a, 0x0b, //   argument, 1, add
    0x02, 0x04, 0x01, 0x00, 0x00, 0x00, // core instance of it
    0x06, 0x0a, 0x01, 0x00, 0x00, 0x01, 0x00, 0x04, b'n', b'e', b'x', b't', // its function
    0x07, 0x08, 0x01, 0x40, 0x01, 0x01, b'n', 0x79, 0x00, 0x79, // type (n: u32) -> u32
    0x08, 0x06, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, // lifted
    0x0b, 0x0a, 0x01, 0x00, 0x04, b'n', b'e', b'x', b't', 0x01, 0x00, 0x00, // exported
];

fn median_us(times: Vec<Duration>) -> f64 {
    median(times.into_iter().map(|time| time.as_secs_f64() * 1e6).collect())
}

fn context() -> wire::Context {
    wire::Context {
        connection: "measure".into(),
        config_json: SETTINGS.into(),
        trace: "measure".into(),
        attempt: 1,
        idempotency_key: "measure".into(),
        dry_run: true,
        extras: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_smallest_component_is_a_component() {
        assert!(boundary_us().await > 0.0);
    }
}
