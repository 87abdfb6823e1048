//! What the sandbox costs: a call into a fresh instance against the same mapping in plain Rust, and an instance alone.

use std::path::Path;
use std::time::Instant;

use entrepot::clock::Clock;
use entrepot::ctx::Tenant;
use entrepot::plugins::package::Build;
use entrepot::plugins::services::Nothing;
use entrepot::plugins::wire::{Context, webhooks::Delivery};
use entrepot::plugins::{Caller, Engine, Limits, engine};
use wasmtime::component::{Component, Linker};

use crate::baselines::map;

/// The WooCommerce connector, compiled and packed as `plugin build` does it.
pub fn connector(folder: &Path) -> Vec<u8> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/woocommerce");
    let out = folder.join("woocommerce.wasm");
    Build { dir: &dir, out: Some(&out), target_dir: None }.run().unwrap();
    std::fs::read(out).unwrap()
}

/// Median time of one webhook body through the connector, each in an instance of its own, with everything that the hub does
/// around a call.
pub async fn fresh_call_us(component: &[u8], rounds: usize) -> f64 {
    let engine = Engine::new().unwrap();
    let compiled = Component::new(engine.raw(), component).unwrap();
    let caller = Caller {
        loaded: engine.load(&compiled, Limits::default()).unwrap(),
        services: Nothing::services(Clock::system()),
        tenant: Tenant::main(),
        connection: None,
        plugin: "woocommerce".into(),
        dry_run: true,
    };
    let body = String::from_utf8(map::SAMPLE.to_vec()).unwrap();
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let delivery =
            Delivery { topic: "order.updated".into(), headers: Vec::new(), body: body.clone(), received_at: "2026-10-03T09:22:10Z".into() };
        let began = Instant::now();
        let events = caller.webhooks_translate(context(), delivery).await.unwrap();
        times.push(began.elapsed());
        assert!(!events.is_empty(), "the connector made nothing of the sample order");
    }
    median_us(&mut times)
}

/// Median time to make and drop an instance, under the hub's engine configuration.
pub async fn instantiate_us(component: &[u8], rounds: usize) -> f64 {
    let engine = wasmtime::Engine::new(&engine::config()).unwrap();
    let compiled = Component::new(&engine, component).unwrap();
    let mut linker = Linker::<()>::new(&engine);
    linker.define_unknown_imports_as_traps(&compiled).unwrap();
    let prepared = linker.instantiate_pre(&compiled).unwrap();
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let began = Instant::now();
        let mut store = wasmtime::Store::new(&engine, ());
        store.set_epoch_deadline(u64::MAX / 2);
        std::hint::black_box(prepared.instantiate_async(&mut store).await.unwrap());
        drop(store);
        times.push(began.elapsed());
    }
    median_us(&mut times)
}

fn median_us(times: &mut [std::time::Duration]) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e6
}

fn context() -> Context {
    Context {
        connection: "measure".into(),
        config_json: r#"{"origin":"https://shop.example"}"#.into(),
        trace: "measure".into(),
        attempt: 1,
        idempotency_key: "measure".into(),
        dry_run: true,
        extras: Vec::new(),
    }
}
