//! `crossborder`: what a sale abroad costs and owes. `quote` and `check` need no database; the rest asks the hub.

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use entrepot_crossborder::check;
use entrepot_crossborder::quote::{QuoteInput, quote};
use serde_json::{Map, Value, json};

use super::hub::Hub;
use super::place::Place;
use super::{Page, Stop, pair, part, print, query, read};
use crate::clock::Clock;
use crate::crossborder as room;
use crate::money::{Currency, Money};

#[derive(Subcommand)]
pub enum Command {
    /// Who owes the tax on a sale, how much, what it costs landed, and which rule said so.
    Quote(Box<Quote>),
    /// Check files of cases; exit code 1 if any fails, 2 if a file cannot be read.
    Check {
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// ECB rates as CSV, instead of those beside the cases or in the program.
        #[arg(long, value_name = "FILE")]
        rates: Option<PathBuf>,
    },
    /// The tax of an order in words for an accountant.
    Explain { order: String },
    /// Legal entities: who sells, where it is registered.
    #[command(subcommand)]
    Entity(EntityCommand),
    /// Whose sales a connection makes, and whether it collects the tax.
    #[command(subcommand)]
    Channel(ChannelCommand),
    /// Own rule files over the embedded ones.
    #[command(subcommand)]
    Rules(RulesCommand),
    /// What tax, customs and safety ask of a variant.
    #[command(subcommand)]
    Goods(GoodsCommand),
    /// How orders stand.
    Orders {
        /// Only those whose answer lacks something.
        #[arg(long)]
        incomplete: bool,
        #[command(flatten)]
        page: Page,
    },
    /// Work out anew the orders that lack something, or one; earlier versions are kept.
    Again { order: Option<String> },
    /// Where channels charged otherwise than we calculate.
    Differences {
        /// Those that were looked at, too.
        #[arg(long)]
        settled: bool,
        #[command(flatten)]
        page: Page,
    },
    /// Somebody has looked at the differences of an order.
    Settle {
        order: String,
        /// amount, collector, not_reported, currency or over_refund; all if left out.
        #[arg(long)]
        kind: Option<String>,
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Running totals per legal entity against the lines the law draws.
    Thresholds {
        #[arg(long)]
        entity: Option<String>,
        /// Day to look back from.
        #[arg(long, value_name = "DATE")]
        as_of: Option<String>,
    },
    /// The VAT return of a period.
    Report {
        /// 2026, 2026-Q4 or 2026-11.
        #[arg(long)]
        period: String,
        #[arg(long)]
        country: Option<String>,
        #[arg(long)]
        entity: Option<String>,
        /// Of the return.
        #[arg(long, default_value = "EUR")]
        currency: String,
        /// Print CSV.
        #[arg(long)]
        csv: bool,
    },
    /// What keeps an offer of a variant off channels that sell into a country; exit code 1 if something does.
    Gates {
        variant: String,
        #[arg(long, value_name = "COUNTRY")]
        to: String,
        /// Whose registrations open gates.
        #[arg(long)]
        entity: Option<String>,
        /// air_passenger, air_cargo, road …: for batteries.
        #[arg(long)]
        mode: Option<String>,
    },
    /// The customs paper an order's parcel needs, and what it lacks.
    Papers {
        order: String,
        /// post or courier.
        #[arg(long, default_value = "courier")]
        by: String,
        /// Letter-class mail.
        #[arg(long)]
        letter: bool,
        /// Units of the order's currency per special drawing right.
        #[arg(long)]
        per_sdr: Option<String>,
    },
    /// Sanction lists that were imported.
    #[command(subcommand)]
    Lists(ListsCommand),
    /// Look a name up in the lists; exit code 1 unless it is clear.
    Screen {
        name: String,
        #[arg(long)]
        country: Option<String>,
    },
}

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

#[derive(Subcommand)]
pub enum EntityCommand {
    List,
    Show {
        entity: String,
    },
    /// Make one or change what is given.
    Set {
        name: String,
        /// Where it is established.
        #[arg(long)]
        country: Option<String>,
        /// Such as eu.oss, eu.ioss, gb.vat, us.TX, de.lucid; all of them, `none` for none.
        #[arg(long = "registered", value_name = "REGISTRATION", value_delimiter = ',')]
        registrations: Vec<String>,
        #[arg(long, value_name = "COUNTRY")]
        ships_from: Option<String>,
        /// Established in, or shipping from, several EU member states.
        #[arg(long)]
        several_states: Option<bool>,
        /// courier, post or freight.
        #[arg(long)]
        mode: Option<String>,
        /// DAP or DDP.
        #[arg(long)]
        incoterm: Option<String>,
        /// EU distance sales that the hub has not seen, net: 2026=812.50.
        #[arg(long = "elsewhere", value_name = "YEAR=EUROS")]
        elsewhere: Vec<String>,
    },
    /// Remove one that no connection sells for.
    Remove {
        entity: String,
    },
}

#[derive(Subcommand)]
pub enum ChannelCommand {
    List,
    Set {
        connection: String,
        #[arg(long)]
        entity: String,
        /// own_store or marketplace.
        #[arg(long)]
        kind: Option<String>,
        /// Whether the channel pays the tax itself: always, by_law or never.
        #[arg(long, default_value = "by_law")]
        collects: String,
        /// Where its goods leave from, if elsewhere than the entity's.
        #[arg(long, value_name = "COUNTRY")]
        ships_from: Option<String>,
    },
}

#[derive(Subcommand)]
pub enum RulesCommand {
    /// What is in force, when it was last checked, which rows are unverified.
    List,
    Show {
        name: String,
    },
    /// Put a file in force; it is refused by name if the set does not load.
    Set {
        file: PathBuf,
        /// Which file of the rule set it is; its own name if left out.
        #[arg(long)]
        name: Option<String>,
    },
    Remove {
        name: String,
    },
}

#[derive(Subcommand)]
pub enum GoodsCommand {
    Show {
        variant: String,
    },
    /// Change what is given; an empty value clears.
    Set {
        variant: String,
        #[arg(long)]
        category: Option<String>,
        #[arg(long)]
        kind: Option<String>,
        /// What customs are told the goods are.
        #[arg(long)]
        description: Option<String>,
        #[arg(long, value_name = "COUNTRY")]
        manufacturer_country: Option<String>,
        /// What an offer must show: manufacturer_name=…, product_picture=… .
        #[arg(long = "field", value_name = "NAME=TEXT")]
        fields: Vec<String>,
        /// Not sold to consumers.
        #[arg(long)]
        professional: Option<bool>,
        /// UN number and packing instruction, and if known watt hours and charge: UN3481,PI966,99,30; `none` for none.
        #[arg(long)]
        battery: Option<String>,
    },
}

#[derive(Subcommand)]
pub enum ListsCommand {
    List,
    /// CSV with the columns id and name, and if there are any aliases (separated by `;`) and country.
    Import {
        file: PathBuf,
        /// Its own name if left out.
        #[arg(long)]
        name: Option<String>,
    },
    Remove {
        name: String,
    },
}

impl Command {
    /// Runs what needs no hub; gives back what does.
    pub async fn run(self, place: &Place) -> Result<(), Stop> {
        let json = place.json;
        match self {
            Self::Check { files, rates } => check_files(&files, rates, json),
            Self::Quote(wish) => ask(*wish, place).await,
            other => {
                let hub = Hub::find(place).await?;
                let done = at(&hub, other, json).await;
                hub.close().await;
                done
            }
        }
    }
}

fn check_files(files: &[PathBuf], rates: Option<PathBuf>, json: bool) -> Result<(), Stop> {
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

async fn ask(wish: Quote, place: &Place) -> Result<(), Stop> {
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

fn name_of(file: &std::path::Path) -> String {
    file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Minor units of an amount as people write it.
fn minor(what: &str, text: &str, currency: Currency) -> Result<i64, Stop> {
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
fn registrations(given: &[String]) -> Option<Vec<String>> {
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

async fn at(hub: &Hub, command: Command, json: bool) -> Result<(), Stop> {
    match command {
        // Run without a hub.
        Command::Quote(_) | Command::Check { .. } => Ok(()),
        Command::Explain { order } => {
            let told = hub.get(&format!("/orders/{}/tax", part(&order))).await?;
            if json {
                say!("{told}");
            } else {
                told["words"].as_array().into_iter().flatten().for_each(|line| say!("{}", line.as_str().unwrap_or_default()));
            }
            Ok(())
        }
        Command::Entity(command) => entity(hub, command, json).await,
        Command::Channel(command) => channel(hub, command, json).await,
        Command::Rules(command) => rules(hub, command, json).await,
        Command::Goods(command) => goods(hub, command, json).await,
        Command::Orders { incomplete, page } => {
            let list = hub.get(&format!("/crossborder/orders{}", page.with(&[("incomplete", incomplete.then(|| "true".into()))]))).await?;
            print::answer(
                json,
                &list,
                &[
                    ("NUMBER", "number"),
                    ("SOLD ON", "sold_on"),
                    ("TO", "ship_to"),
                    ("NET", "net"),
                    ("TAX", "tax"),
                    ("COLLECTED BY", "collector"),
                    ("COMPLETE", "complete"),
                    ("VERIFIED", "verified"),
                    ("ORDER", "order"),
                ],
            );
            Ok(())
        }
        Command::Again { order } => {
            print::answer(json, &hub.ask("POST", "/crossborder/again", &json!({ "order": order })).await?, &[]);
            hub.work().await
        }
        Command::Differences { settled, page } => {
            let list = hub.get(&format!("/crossborder/differences{}", page.with(&[("settled", settled.then(|| "true".into()))]))).await?;
            print::answer(
                json,
                &list,
                &[
                    ("NUMBER", "number"),
                    ("FOUND", "found_at"),
                    ("KIND", "kind"),
                    ("WHAT", "words"),
                    ("SETTLED", "settled_at"),
                    ("ORDER", "order"),
                ],
            );
            Ok(())
        }
        Command::Settle { order, kind, note } => {
            let body = json!({ "order": order, "kind": kind, "note": note });
            print::answer(json, &hub.ask("POST", "/crossborder/differences/settle", &body).await?, &[]);
            Ok(())
        }
        Command::Thresholds { entity, as_of } => {
            let list = hub.get(&format!("/crossborder/thresholds{}", query(&[("entity", entity), ("as_of", as_of)]))).await?;
            print::answer(
                json,
                &list,
                &[
                    ("ENTITY", "entity"),
                    ("LINE", "name"),
                    ("FROM", "from"),
                    ("TO", "to"),
                    ("TOTAL", "total"),
                    ("THRESHOLD", "threshold"),
                    ("LEVEL", "level"),
                    ("CROSSED", "crossed_on"),
                    ("VERIFIED", "verified"),
                ],
            );
            Ok(())
        }
        Command::Report { period, country, entity, currency, csv } => {
            let format = csv.then(|| "csv".to_owned());
            let pairs =
                [("period", Some(period)), ("country", country), ("entity", entity), ("currency", Some(currency)), ("format", format)];
            let target = format!("/crossborder/report{}", query(&pairs));
            if csv {
                let bytes = hub.bytes("GET", &target, "text/csv", Vec::new()).await?;
                return std::io::stdout().write_all(&bytes).map_err(|error| Stop::failed(error.to_string()));
            }
            let report = hub.get(&target).await?;
            if json {
                say!("{report}");
                return Ok(());
            }
            print::table(
                report["rows"].as_array().map_or(&[], Vec::as_slice),
                &[
                    ("RETURN", "scheme"),
                    ("COLLECTED BY", "collector"),
                    ("COUNTRY", "country"),
                    ("TAX", "tax"),
                    ("RATE", "rate"),
                    ("CORRECTS", "corrected_month"),
                    ("NET", "return_taxable"),
                    ("TAX DUE", "return_amount"),
                    ("PROVISIONAL", "provisional"),
                ],
            );
            for (name, what) in
                [("unknown_orders", "orders of the period whose tax is not known"), ("unpaid_orders", "orders that are not paid yet")]
            {
                match report[name].as_i64() {
                    Some(count) if count > 0 => say!("not in it: {count} {what}"),
                    _ => {}
                }
            }
            say!("{}", report["notice"].as_str().unwrap_or_default());
            Ok(())
        }
        Command::Gates { variant, to, entity, mode } => {
            let pairs = [("to", Some(to)), ("entity", entity), ("mode", mode)];
            let gates = hub.get(&format!("/variants/{}/gates{}", part(&variant), query(&pairs))).await?;
            let closed = gates["closed"].as_array().map_or(&[][..], Vec::as_slice);
            if json {
                say!("{gates}");
            } else {
                for gate in closed {
                    say!("closed: {} ({})", gate["reason"].as_str().unwrap_or_default(), gate["gate"].as_str().unwrap_or_default());
                    if let Some(source) = gate["citation"]["sources"].as_array().filter(|list| !list.is_empty()) {
                        say!(
                            "  source {}; {}",
                            source.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
                            gate["citation"]["verification"].as_str().unwrap_or_default()
                        );
                    } else if !gate["citation"].is_null() {
                        say!("  no source; {} (UNVERIFIED)", gate["citation"]["verification"].as_str().unwrap_or_default());
                    }
                }
                say!("{}", gates["notice"].as_str().unwrap_or_default());
            }
            match closed.len() {
                0 => Ok(()),
                many => Err(Stop::failed(format!(
                    "{many} gates are closed; hint: `entrepot crossborder goods set` and `entity set` open those that can be"
                ))),
            }
        }
        Command::Papers { order, by, letter, per_sdr } => {
            let pairs = [("by", Some(by)), ("letter", letter.then(|| "true".into())), ("per_sdr", per_sdr)];
            print::answer(json, &hub.get(&format!("/orders/{}/papers{}", part(&order), query(&pairs))).await?, &[]);
            Ok(())
        }
        Command::Lists(command) => lists(hub, command, json).await,
        Command::Screen { name, country } => {
            let found = hub.ask("POST", "/crossborder/screen", &json!({ "name": name, "country": country })).await?;
            if json {
                say!("{found}");
            } else {
                print::table(
                    found["hits"].as_array().map_or(&[], Vec::as_slice),
                    &[
                        ("LIST", "list"),
                        ("ENTRY", "entry"),
                        ("NAME", "listed_name"),
                        ("SCORE", "score"),
                        ("OTHER COUNTRY", "country_differs"),
                    ],
                );
            }
            match found["outcome"].as_str() {
                Some("clear") => Ok(()),
                outcome => {
                    let none = found["looked_at"].as_array().is_none_or(Vec::is_empty);
                    let hint = if none { "; hint: no list was imported yet, `entrepot crossborder lists import FILE`" } else { "" };
                    Err(Stop::failed(format!("the outcome is {}{hint}", outcome.unwrap_or("not known"))))
                }
            }
        }
    }
}

async fn entity(hub: &Hub, command: EntityCommand, json: bool) -> Result<(), Stop> {
    let at = |name: &str| format!("/crossborder/entities/{}", part(name));
    match command {
        EntityCommand::List => {
            let list = hub.get("/crossborder/entities").await?;
            print::answer(
                json,
                &list,
                &[("NAME", "name"), ("COUNTRY", "country"), ("REGISTERED", "registrations"), ("SHIPS FROM", "ships_from"), ("ID", "id")],
            );
        }
        EntityCommand::Show { entity } => print::answer(json, &hub.get(&at(&entity)).await?, &[]),
        EntityCommand::Set { name, country, registrations: given, ships_from, several_states, mode, incoterm, elsewhere } => {
            let known = known(hub, &at(&name)).await?;
            let mut facts: Map<String, Value> =
                known.into_iter().filter(|(field, _)| !matches!(field.as_str(), "id" | "name" | "created_at" | "updated_at")).collect();
            let euro = Currency::from_code("EUR").map_err(|error| Stop::failed(error.to_string()))?;
            let mut years = facts.remove("eu_sales_elsewhere").unwrap_or_else(|| json!({}));
            for text in &elsewhere {
                let (year, amount) = pair(text)?;
                years[year] = json!(minor("--elsewhere", amount, euro)?);
            }
            facts.insert("eu_sales_elsewhere".into(), years);
            for (field, value) in [("country", country), ("ships_from", ships_from), ("mode", mode), ("incoterm", incoterm)] {
                if let Some(value) = value {
                    facts.insert(field.into(), if value.is_empty() { Value::Null } else { value.into() });
                }
            }
            if let Some(several) = several_states {
                facts.insert("several_states".into(), several.into());
            }
            if let Some(list) = registrations(&given) {
                facts.insert("registrations".into(), json!(list));
            }
            print::answer(json, &hub.ask("PUT", &at(&name), &Value::Object(facts)).await?, &[]);
        }
        EntityCommand::Remove { entity } => print::answer(json, &hub.ask("DELETE", &at(&entity), &json!({})).await?, &[]),
    }
    Ok(())
}

/// What is there already; nothing if it is not.
async fn known(hub: &Hub, target: &str) -> Result<Map<String, Value>, Stop> {
    match hub.get(target).await {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Ok(Map::new()),
        Err(stop) if stop.is("not-found") => Ok(Map::new()),
        Err(stop) => Err(stop),
    }
}

async fn channel(hub: &Hub, command: ChannelCommand, json: bool) -> Result<(), Stop> {
    match command {
        ChannelCommand::List => {
            let list = hub.get("/crossborder/channels").await?;
            print::answer(
                json,
                &list,
                &[
                    ("CONNECTION", "connection"),
                    ("ENTITY", "entity"),
                    ("KIND", "kind"),
                    ("COLLECTS", "collects"),
                    ("SHIPS FROM", "ships_from"),
                ],
            );
        }
        ChannelCommand::Set { connection, entity, kind, collects, ships_from } => {
            let body = json!({ "entity": entity, "kind": kind, "collects": collects, "ships_from": ships_from });
            print::answer(json, &hub.ask("PUT", &format!("/connections/{}/tax", part(&connection)), &body).await?, &[]);
        }
    }
    Ok(())
}

async fn rules(hub: &Hub, command: RulesCommand, json: bool) -> Result<(), Stop> {
    let at = |name: &str| format!("/crossborder/rules/{}", part(name));
    match command {
        RulesCommand::List => print::answer(json, &hub.get("/crossborder/rules").await?, &[]),
        RulesCommand::Show { name } => {
            let bytes = hub.bytes("GET", &at(&name), "text/plain", Vec::new()).await?;
            match json {
                true => say!("{}", json!({ "name": name, "text": String::from_utf8_lossy(&bytes) })),
                false => std::io::stdout().write_all(&bytes).map_err(|error| Stop::failed(error.to_string()))?,
            }
        }
        RulesCommand::Set { file, name } => {
            let name = name.unwrap_or_else(|| name_of(&file));
            print::answer(json, &hub.send("PUT", &at(&name), "text/plain", read(&file)?).await?, &[]);
        }
        RulesCommand::Remove { name } => print::answer(json, &hub.ask("DELETE", &at(&name), &json!({})).await?, &[]),
    }
    Ok(())
}

async fn goods(hub: &Hub, command: GoodsCommand, json: bool) -> Result<(), Stop> {
    let at = |variant: &str| format!("/variants/{}/tax", part(variant));
    match command {
        GoodsCommand::Show { variant } => print::answer(json, &hub.get(&at(&variant)).await?, &[]),
        GoodsCommand::Set { variant, category, kind, description, manufacturer_country, fields, professional, battery } => {
            let mut facts = known(hub, &at(&variant)).await?;
            let texts =
                [("category", category), ("kind", kind), ("description", description), ("manufacturer_country", manufacturer_country)];
            for (field, value) in texts {
                if let Some(value) = value {
                    facts.insert(field.into(), if value.is_empty() { Value::Null } else { value.into() });
                }
            }
            let mut shown = facts.remove("fields").unwrap_or_else(|| json!({}));
            for text in &fields {
                let (name, value) = pair(text)?;
                if let Some(shown) = shown.as_object_mut() {
                    match value {
                        "" => drop(shown.remove(name)),
                        value => drop(shown.insert(name.to_owned(), value.into())),
                    }
                }
            }
            facts.insert("fields".into(), shown);
            if let Some(professional) = professional {
                facts.insert("professional".into(), professional.into());
            }
            if let Some(text) = battery {
                facts.insert("battery".into(), self::battery(&text)?);
            }
            print::answer(json, &hub.ask("PUT", &at(&variant), &Value::Object(facts)).await?, &[]);
        }
    }
    Ok(())
}

fn battery(text: &str) -> Result<Value, Stop> {
    if text == "none" {
        return Ok(Value::Null);
    }
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let (un, packing) = match parts[..] {
        [un, packing, ..] if parts.len() <= 4 => (un, packing),
        _ => {
            return Err(Stop::usage(format!("`{text}` is no battery; hint: UN3481,PI966,99,30 (watt hours and charge if known), or none")));
        }
    };
    Ok(
        json!({ "un": un.to_ascii_uppercase(), "packing": packing.to_ascii_uppercase(), "watt_hours": parts.get(2), "charge_percent": parts.get(3) }),
    )
}

async fn lists(hub: &Hub, command: ListsCommand, json: bool) -> Result<(), Stop> {
    let at = |name: &str| format!("/crossborder/lists/{}", part(name));
    match command {
        ListsCommand::List => {
            let list = hub.get("/crossborder/lists").await?;
            print::answer(
                json,
                &list,
                &[("NAME", "name"), ("VERSION", "version"), ("ENTRIES", "entries"), ("IMPORTED", "imported_at"), ("BY", "imported_by")],
            );
        }
        ListsCommand::Import { file, name } => {
            let name = name.unwrap_or_else(|| name_of(&file));
            print::answer(json, &hub.send("PUT", &at(&name), "text/csv", read(&file)?).await?, &[]);
        }
        ListsCommand::Remove { name } => print::answer(json, &hub.ask("DELETE", &at(&name), &json!({})).await?, &[]),
    }
    Ok(())
}
