//! Checks files of cases: `cargo run --example check -- FILE...`. Exit 1 if any case fails.

use std::path::PathBuf;
use std::process::ExitCode;

use entrepot_crossborder::check::{Options, run};

fn main() -> ExitCode {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    match run(&paths, &Options::default(), &mut std::io::stdout().lock()) {
        Ok(summary) if summary.failed == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
