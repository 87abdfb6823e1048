//! Quotes per second on one core, and how they compare with a bare look-up and multiplication.
//!
//! `cargo bench -p entrepot-crossborder`. Aims: 100,000 simple and 20,000 full quotes per second.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Instant;

use entrepot_crossborder::fx::RateTable;
use entrepot_crossborder::quote::{QuoteInput, quote};
use entrepot_crossborder::rules::RuleSet;

const SIMPLE: &str = r#"{
    "date": "2026-03-10", "ship_from": "CN", "ship_to": "DE", "buyer": "consumer", "channel": "marketplace",
    "currency": "EUR", "incoterm": "DDP", "shipping_minor": 500,
    "lines": [{"sku": "A", "unit_minor": 4000, "qty": 2, "kind": "ordinary", "category": "standard"}]
}"#;

const FULL: &str = r#"{
    "date": "2026-01-30", "ship_from": "CN", "ship_to": "FR", "buyer": "consumer", "channel": "own_store",
    "seller": {"country": "CN", "registrations": []}, "mode": "courier", "incoterm": "DAP", "currency": "USD",
    "shipping_minor": 4500, "insurance_minor": 900, "onward_minor": 700,
    "fees": [{"code": "clearance", "minor": 1500}, {"code": "disbursement", "minor": 600}],
    "lines": [
        {"sku": "A", "unit_minor": 9000, "qty": 2, "hs": "610910", "origin": "CN", "duty_rate": "0.12"},
        {"sku": "B", "unit_minor": 4500, "qty": 3, "hs": "640399", "origin": "VN", "duty_rate": "0.08"},
        {"sku": "C", "unit_minor": 12000, "qty": 1, "hs": "851830", "origin": "CN", "duty_rate": "0.02"}
    ]
}"#;

/// Runs `work` for about a second and returns how often per second.
fn per_second(mut work: impl FnMut()) -> u128 {
    for _ in 0..1_000 {
        work();
    }
    let mut done = 0_u128;
    let start = Instant::now();
    while start.elapsed().as_millis() < 1_000 {
        for _ in 0..500 {
            work();
        }
        done += 500;
    }
    done * 1_000_000 / start.elapsed().as_micros().max(1)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rules = RuleSet::builtin()?;
    let rates = RateTable::embedded()?;
    let mut table: HashMap<&str, i64> = HashMap::new();
    for (country, basis_points) in [("DE", 1900), ("FR", 2000), ("IT", 2200), ("ES", 2100)] {
        table.insert(country, basis_points);
    }
    let bare = per_second(|| {
        let rate = table.get(black_box("DE")).copied().unwrap_or(0);
        black_box((black_box(8_500_i64) * rate + 5_000) / 10_000);
    });
    println!("bare look-up and multiply: {bare} per second");
    for (name, text, aim) in [("simple", SIMPLE, 100_000), ("full", FULL, 20_000)] {
        let input: QuoteInput = serde_json::from_str(text)?;
        let answer = quote(&rules, &rates, &input)?;
        if !answer.is_complete() {
            return Err(format!("the {name} quote is incomplete: {:?}", answer.missing).into());
        }
        let speed = per_second(|| {
            let _ = black_box(quote(&rules, &rates, black_box(&input)));
        });
        let verdict = if speed >= aim { "reached" } else { "missed" };
        println!("{name} quote: {speed} per second on one core (aim {aim}: {verdict}), 1 : {} of the bare one", bare / speed.max(1));
    }
    Ok(())
}
