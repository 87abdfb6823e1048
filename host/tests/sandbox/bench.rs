//! Not a test: prints what a fresh instance costs. `cargo test --release --test sandbox -- --ignored --nocapture`.

use std::time::Instant;

use entrepot::plugins::Limits;

use crate::rig::{caller, context};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints figures"]
async fn cost_of_a_fresh_instance() {
    let caller = caller(Limits::default()).await;
    for _ in 0..200 {
        caller.check(context()).await.unwrap();
    }
    let mut times: Vec<u128> = Vec::new();
    for _ in 0..2_000 {
        let began = Instant::now();
        caller.check(context()).await.unwrap();
        times.push(began.elapsed().as_micros());
    }
    times.sort_unstable();
    println!("store, instance, call, drop: p50 {} us, p99 {} us", times[1_000], times[1_980]);
}
