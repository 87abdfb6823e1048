//! Answers a quote question from a JSON file in words: `cargo run --example quote -- FILE`.

use entrepot_crossborder::fx::RateTable;
use entrepot_crossborder::quote::{QuoteInput, quote};
use entrepot_crossborder::rules::RuleSet;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("name a JSON file with the question")?;
    let input: QuoteInput = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let rules = RuleSet::builtin()?;
    for line in quote(&rules, &RateTable::embedded()?, &input)?.words(&rules) {
        println!("{line}");
    }
    Ok(())
}
