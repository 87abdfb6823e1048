//! `rate`: exchange rates.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::hub::Hub;
use super::{Page, Stop, part, print, query, read};

#[derive(Subcommand)]
pub enum Command {
    /// Series of rates, how far they reach, and which one answers for what.
    Sources,
    /// What a series says of a currency, newest day first, corrections with what they correct.
    List {
        currency: String,
        /// SOURCE/KIND/BASE; default: the one that answers for prices.
        #[arg(long)]
        series: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// The rate of a day, such as `rate show 2026-10-30 USD`.
    Show {
        date: String,
        currency: String,
        /// Default: the series' own.
        #[arg(long)]
        base: Option<String>,
        /// prices, tax or orders.
        #[arg(long, conflicts_with = "series")]
        purpose: Option<String>,
        /// SOURCE/KIND/BASE.
        #[arg(long)]
        series: Option<String>,
        /// Where the day has no rate: the one before it, or the one after it.
        #[arg(long, default_value = "before", value_parser = ["before", "after"])]
        take: String,
        #[arg(long)]
        max_age_days: Option<u32>,
    },
    /// Write down a rate of your own, such as `rate set EUR/USD 1.0850`.
    Set {
        /// BASE/QUOTE: the value is units of the second per one of the first.
        pair: String,
        value: String,
        /// mid, bid, ask, customs or fixed.
        #[arg(long, default_value = "fixed")]
        kind: String,
        /// The day it is of; default: today.
        #[arg(long, value_name = "DATE")]
        on: Option<String>,
    },
    /// Read a file: the ECB's CSV or XML, openexchangerates' JSON, or CSV of your own with date, base, quote, value, kind.
    Import {
        file: PathBuf,
        /// Another name than the layout stands for.
        #[arg(long)]
        source: Option<String>,
    },
    /// Say which series answers for prices, tax or orders, and how old its rates may be.
    Use {
        purpose: String,
        /// SOURCE/KIND/BASE; left out: the series of middle rates that came first.
        series: Option<String>,
        /// Left out: any age.
        #[arg(long)]
        max_age_days: Option<u32>,
    },
}

pub async fn run(hub: &Hub, command: Command, json: bool) -> Result<(), Stop> {
    match command {
        Command::Sources => {
            let (series, uses) = (hub.get("/rates/series").await?, hub.get("/rates/uses").await?);
            if json {
                say!("{}", json!({ "series": series["items"], "uses": uses["items"] }));
                return Ok(());
            }
            print::answer(
                json,
                &series,
                &[
                    ("SERIES", "series"),
                    ("SOURCE", "title"),
                    ("FROM", "first_on"),
                    ("TO", "last_on"),
                    ("RATES", "count"),
                    ("CHANGED", "changed_at"),
                    ("READY", "ready_at"),
                ],
            );
            say!("");
            print::answer(
                json,
                &uses,
                &[("FOR", "purpose"), ("SERIES", "series"), ("SOURCE", "title"), ("TO", "last_on"), ("AT MOST DAYS OLD", "max_age_days")],
            );
        }
        Command::List { currency, series, page } => {
            let list = hub.get(&format!("/rates{}", page.with(&[("quote", Some(currency)), ("series", series)]))).await?;
            print::answer(
                json,
                &list,
                &[
                    ("DAY", "published_on"),
                    ("CURRENCY", "quote"),
                    ("VALUE", "value"),
                    ("REVISION", "revision"),
                    ("KNOWN SINCE", "fetched_at"),
                ],
            );
        }
        Command::Show { date, currency, base, purpose, series, take, max_age_days } => {
            let policy = if take == "after" { "first_on_or_after" } else { "latest_on_or_before" };
            let asked = query(&[
                ("date", Some(date)),
                ("quote", Some(currency)),
                ("base", base),
                ("purpose", purpose),
                ("series", series),
                ("policy", Some(policy.to_owned())),
                ("max_age_days", max_age_days.map(|days| days.to_string())),
            ]);
            print::answer(json, &hub.get(&format!("/rates/lookup{asked}")).await?, &[]);
        }
        Command::Set { pair, value, kind, on } => {
            let (base, quote) = pair
                .split_once('/')
                .ok_or_else(|| Stop::usage(format!("`{pair}` is not a pair; hint: write BASE/QUOTE, such as EUR/USD")))?;
            let own = json!({ "base": base, "quote": quote, "value": value, "kind": kind, "date": on });
            print::answer(json, &hub.ask("POST", "/rates", &own).await?, &[]);
        }
        Command::Import { file, source } => {
            let target = format!("/rates/import{}", query(&[("source", source)]));
            let done = hub.send("POST", &target, "application/octet-stream", read(&file)?).await?;
            print::answer(
                json,
                &done,
                &[("SERIES", "series"), ("VALUES", "observations"), ("NEW", "new"), ("CORRECTED", "corrected"), ("KNOWN", "unchanged")],
            );
        }
        Command::Use { purpose, series, max_age_days } => {
            let chosen = json!({ "series": series, "max_age_days": max_age_days });
            print::answer(json, &hub.ask("PUT", &format!("/rates/uses/{}", part(&purpose)), &chosen).await?, &[]);
        }
    }
    Ok(())
}
