//! `entrepot demo`: see [`crate::demo`].

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::config::{Log, LogFormat};
use crate::demo::{Summary, Wish, run as play};

#[derive(Args)]
pub struct Options {
    /// Play this many orders without a person and print one summary; exit code 1 if anything was lost, doubled or oversold.
    #[arg(long, value_name = "N")]
    orders: Option<u32>,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
    /// Let webhooks get lost and late, and shops stumble.
    #[arg(long)]
    faults: bool,
    /// The same seed tells the same story.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// `postgres://…`: an empty database on a server; default: a file in a folder that is removed afterwards.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Where the hub listens; port 0 takes any free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: std::net::SocketAddr,
    /// What is logged to standard error, such as `info` or `entrepot=debug`.
    #[arg(long, default_value = "error", value_name = "FILTER")]
    log: String,
}

pub fn run(options: Options) -> ExitCode {
    crate::telemetry::start(&Log { format: LogFormat::Text, filter: options.log.clone() });
    let folder = std::env::temp_dir().join(format!("entrepot-demo-{}", std::process::id()));
    let wish = wish(&options, folder.clone());
    let outcome = runtime().and_then(|runtime| {
        let say = |text: &str| drop(writeln!(std::io::stderr(), "{text}"));
        runtime
            .block_on(play(&wish, |app| crate::api::with_pages(app, crate::api::Pages::Open), say))
            .map_err(|error| crate::store::chain(&error))
    });
    // The folder holds nothing that is worth keeping.
    let _ = std::fs::remove_dir_all(folder);
    match outcome {
        Ok(summary) => tell(&summary, options.json),
        Err(text) => {
            let _ = writeln!(std::io::stderr(), "demo: {text}");
            ExitCode::FAILURE
        }
    }
}

fn wish(options: &Options, folder: PathBuf) -> Wish {
    Wish {
        orders: options.orders,
        seed: options.seed,
        database: options.database.clone(),
        folder,
        listen: options.listen,
        faults: options.faults,
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| format!("the runtime could not start: {error}"))
}

fn tell(summary: &Summary, json: bool) -> ExitCode {
    let text = match json {
        true => serde_json::to_string(summary).unwrap_or_default(),
        false => serde_json::to_string_pretty(summary).unwrap_or_default(),
    };
    let _ = writeln!(std::io::stdout(), "{text}");
    if summary.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
