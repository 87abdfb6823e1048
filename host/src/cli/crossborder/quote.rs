//! `quote` and `check`: a question answered here or by a hub, and files of cases.

use std::path::PathBuf;

use clap::Args;
use entrepot_crossborder::check;
use entrepot_crossborder::quote::{QuoteInput, quote};
use serde_json::{Value, json};

use super::super::hub::Hub;
use super::super::place::Place;
use super::super::{Stop, query, read};
use crate::clock::Clock;
use crate::crossborder as room;
use crate::money::{Currency, Money};

/// The question as JSON from FILE, from `-` (standard input), or put together from flags.
#[derive(Args)]
pub struct Quote {
    /// JSON; `-` is standard input, which is read too when no flag says where the goods go.
    file: Option<PathBuf>,
    /// Country (ISO 3166-1 alpha-2) the goods go to.
    #[arg(long, value_name = "COUNTRY")]
    to: Option<String>,
    /// Country they leave from.
    #[arg(long, value_name = "COUNTRY")]
    from: Option<String>,
    /// State, province or special territory.
    #[arg(long)]
    region: Option<String>,
    #[arg(long, value_name = "CODE")]
    postal_code: Option<String>,
    /// Price of one piece, as 49.90.
    #[arg(long)]
    price: Option<String>,
    #[arg(long, default_value = "EUR")]
    currency: String,
    #[arg(long, default_value_t = 1)]
    qty: u32,
    #[arg(long)]
    shipping: Option<String>,
    #[arg(long)]
    insurance: Option<String>,
    /// The prices contain the tax.
    #[arg(long)]
    including_tax: bool,
    /// The day payment is accepted; today.
    #[arg(long)]
    date: Option<String>,
    /// consumer or business.
    #[arg(long)]
    buyer: Option<String>,
    /// own_store or marketplace.
    #[arg(long)]
    channel: Option<String>,
    /// Country the seller is established in.
    #[arg(long, value_name = "COUNTRY")]
    seller: Option<String>,
    /// A registration of the seller such as eu.oss or us.TX; may be repeated, `none` for none.
    #[arg(long = "registered", value_name = "REGISTRATION")]
    registrations: Vec<String>,
    /// The seller's EU distance sales of the year so far, net, in euros.
    #[arg(long, value_name = "EUROS")]
    year_so_far: Option<String>,
    /// Tax category such as books.
    #[arg(long)]
    category: Option<String>,
    /// ordinary, excise, food or restricted.
    #[arg(long)]
    kind: Option<String>,
    /// Tariff code, as many digits as are known.
    #[arg(long)]
    hs: Option<String>,
    /// Country the goods were made in.
    #[arg(long, value_name = "COUNTRY")]
    origin: Option<String>,
    /// Duty rate as a fraction, if known: 0.12.
    #[arg(long, value_name = "RATE")]
    duty: Option<String>,
    /// courier, post or freight.
    #[arg(long)]
    mode: Option<String>,
    /// DAP or DDP.
    #[arg(long)]
    incoterm: Option<String>,
    /// On behalf of a legal entity of the hub, with its registrations and running total.
    #[arg(long)]
    entity: Option<String>,
    /// Own rule files over the embedded ones, for this answer; asks no hub.
    #[arg(long, value_name = "FILE")]
    rules: Vec<PathBuf>,
    /// Ask no hub: the embedded rules and rates answer.
    #[arg(long, conflicts_with = "entity")]
    alone: bool,
}

pub fn check_files(files: &[PathBuf], rates: Option<PathBuf>, json: bool) -> Result<(), Stop> {
    let options = check::Options { rates, rules: None };
    let mut kept = Vec::new();
    let ran = match json {
        true => check::run(files, &options, &mut kept),
        false => check::run(files, &options, &mut std::io::stdout().lock()),
    };
    let summary = match ran {
        Ok(summary) => summary,
        Err(error @ check::Error::File { .. }) => {
            return Err(Stop::usage(format!("{error}; hint: name readable JSON files with a list `vectors`")));
        }
        Err(error) => return Err(Stop::failed(crate::store::chain(&error))),
    };
    if json {
        let text = String::from_utf8_lossy(&kept);
        let lines: Vec<&str> = text.lines().collect();
        say!("{}", json!({ "passed": summary.passed, "failed": summary.failed, "lines": lines }));
    }
    // The lines have said it all.
    if summary.failed == 0 { Ok(()) } else { Err(Stop::silent()) }
}

pub async fn ask(wish: Quote, place: &Place) -> Result<(), Stop> {
    let json = place.json;
    let (entity, files, alone) = (wish.entity.clone(), wish.rules.clone(), wish.alone || !wish.rules.is_empty());
    let question = wish.question()?;
    let hub = if alone { None } else { Hub::existing(place, entity.is_some()).await? };
    let answer = match hub {
        Some(hub) => {
            let answer = hub.ask("POST", &format!("/crossborder/quote{}", query(&[("entity", entity)])), &question).await;
            hub.close().await;
            answer?
        }
        None => here(question, &files)?,
    };
    if json {
        say!("{answer}");
    } else {
        answer["words"].as_array().into_iter().flatten().for_each(|line| say!("{}", line.as_str().unwrap_or_default()));
    }
    Ok(())
}

/// Without a hub: the embedded rules and rates.
fn here(question: Value, files: &[PathBuf]) -> Result<Value, Stop> {
    let mut texts = Vec::new();
    for file in files {
        let text = String::from_utf8(read(file)?).map_err(|_| Stop::usage(format!("{} is not UTF-8 text", file.display())))?;
        texts.push((name_of(file), text));
    }
    let failed = |error: room::Error| Stop::failed(error.to_string());
    let rules = room::from_files(&texts).map_err(failed)?;
    let rates = room::embedded_rates().map_err(failed)?;
    let question: QuoteInput = serde_path_to_error::deserialize(question)
        .map_err(|error| Stop::usage(format!("the question cannot be read at `{}`: {}", error.path(), error.inner())))?;
    let found = quote(&rules, &rates, &question).map_err(|error| Stop::failed(error.to_string()))?;
    let mut answer = serde_json::to_value(&found).map_err(|error| Stop::failed(error.to_string()))?;
    answer["tax_line"] = json!(found.tax_line());
    answer["words"] = json!(found.words(&rules));
    Ok(answer)
}

pub fn name_of(file: &std::path::Path) -> String {
    file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Minor units of an amount as people write it.
pub fn minor(what: &str, text: &str, currency: Currency) -> Result<i64, Stop> {
    let amount = Money::parse(text.trim(), currency).map_err(|error| Stop::usage(format!("{what}: {error}")))?;
    Ok(amount.minor())
}

impl Quote {
    fn question(self) -> Result<Value, Stop> {
        let Some(to) = &self.to else {
            let source = self.file.unwrap_or_else(|| PathBuf::from("-"));
            let bytes = read(&source)?;
            return serde_json::from_slice(&bytes).map_err(|error| {
                Stop::usage(format!("{} is not JSON: {error}; hint: give a file, or --to COUNTRY and --price AMOUNT", source.display()))
            });
        };
        if self.file.is_some() {
            return Err(Stop::usage("a file and flags cannot both ask; hint: leave out one of them"));
        }
        let currency = Currency::from_code(&self.currency.to_ascii_uppercase()).map_err(|error| Stop::usage(error.to_string()))?;
        let Some(price) = &self.price else { return Err(Stop::usage("what does one piece cost? hint: --price 49.90")) };
        let today = || room::day(Clock::system().now_ms(), &jiff::tz::TimeZone::system()).to_string();
        let upper = |text: &Option<String>| text.as_deref().map(str::to_ascii_uppercase);
        let amount = |what: &str, text: &Option<String>| text.as_deref().map_or(Ok(0), |text| minor(what, text, currency));
        let euro = Currency::from_code("EUR").map_err(|error| Stop::failed(error.to_string()))?;
        let year = self.year_so_far.as_deref().map(|text| minor("--year-so-far", text, euro)).transpose()?;
        let mut question = json!({
            "date": self.date.clone().unwrap_or_else(today),
            "ship_to": to.to_ascii_uppercase(),
            "ship_from": upper(&self.from),
            "region": self.region,
            "postal_code": self.postal_code,
            "buyer": self.buyer,
            "channel": self.channel,
            "mode": self.mode,
            "incoterm": upper(&self.incoterm),
            "currency": currency.code(),
            "prices_include_tax": self.including_tax,
            "shipping_minor": amount("--shipping", &self.shipping)?,
            "insurance_minor": amount("--insurance", &self.insurance)?,
            "seller": {
                "country": upper(&self.seller),
                "registrations": registrations(&self.registrations),
                "year_to_date_eur_minor": year,
            },
            "lines": [{
                "unit_minor": minor("--price", price, currency)?,
                "qty": self.qty,
                "category": self.category,
                "kind": self.kind,
                "hs": self.hs,
                "origin": upper(&self.origin),
                "duty_rate": self.duty,
            }],
        });
        drop_nulls(&mut question);
        Ok(question)
    }
}

/// None given = not known; `none` = none.
pub fn registrations(given: &[String]) -> Option<Vec<String>> {
    (!given.is_empty()).then(|| given.iter().filter(|text| *text != "none").cloned().collect())
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
