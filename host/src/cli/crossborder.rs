//! `crossborder`: what a sale abroad costs and owes. `quote` and `check` need no database ([`quote`]); what the merchant has told
//! the hub is in [`merchant`]; the rest asks the hub about orders, totals and goods.

mod merchant;
mod quote;

use std::io::Write as _;
use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Value, json};

use merchant::{ChannelCommand, EntityCommand, GoodsCommand, ListsCommand, RulesCommand, channel, entity, goods, lists, rules};
use quote::{Quote, ask, check_files};

use super::hub::Hub;
use super::place::Place;
use super::price::{fraction, money};
use super::{Page, Stop, part, print, query};

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
    /// Book what an order in another currency than the books was paid out at; the gain or loss against its lock is kept.
    Payout {
        order: String,
        /// The name the payout has with whoever paid it.
        reference: String,
        #[arg(long, value_name = "DATE")]
        on: String,
        /// In the order's currency, such as 49.90; all that is left if not given.
        #[arg(long)]
        amount: Option<String>,
        /// Units of the order's currency per unit of the books'; the rate of the day if not given.
        #[arg(long)]
        rate: Option<String>,
        /// Percent of what came in.
        #[arg(long, default_value = "0")]
        conversion_fee: String,
        /// In the currency of the books.
        #[arg(long)]
        remittance_fee: Option<String>,
    },
    /// What rates gained and lost on payouts and refunds of a period.
    Gains {
        /// 2026, 2026-Q4 or 2026-11.
        #[arg(long)]
        period: String,
        #[arg(long)]
        entity: Option<String>,
        /// Print CSV.
        #[arg(long)]
        csv: bool,
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

fn money_in(amount: &str, currency: Option<&str>) -> Result<Value, Stop> {
    let Some(currency) = currency else {
        return Err(Stop::failed("the order is in the currency of its books, so nothing is gained or lost"));
    };
    money(amount, currency)
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
        Command::Payout { order, reference, on, amount, rate, conversion_fee, remittance_fee } => {
            let at = format!("/orders/{}", part(&order));
            let lock = hub.get(&format!("{at}/tax")).await?["exchange"].take();
            let money = |name: &str, text: Option<String>| text.map(|text| money_in(&text, lock[name].as_str())).transpose();
            let body = json!({
                "reference": reference,
                "on": on,
                "amount": money("quote", amount)?,
                "rate": rate,
                "conversion_fee_rate": fraction(&conversion_fee)?,
                "remittance_fee": money("base", remittance_fee)?,
            });
            print::answer(json, &hub.ask("POST", &format!("{at}/payouts"), &body).await?, &[]);
            Ok(())
        }
        Command::Gains { period, entity, csv } => {
            let format = csv.then(|| "csv".to_owned());
            let target = format!("/crossborder/gains{}", query(&[("period", Some(period)), ("entity", entity), ("format", format)]));
            if csv {
                let bytes = hub.bytes("GET", &target, "text/csv", Vec::new()).await?;
                return std::io::stdout().write_all(&bytes).map_err(|error| Stop::failed(error.to_string()));
            }
            let gains = hub.get(&target).await?;
            print::answer(
                json,
                &gains,
                &[
                    ("ENTITY", "entity"),
                    ("WHAT", "what"),
                    ("ENTRIES", "entries"),
                    ("AMOUNT", "amount"),
                    ("AT LOCK", "at_lock"),
                    ("AT DAY", "at_day"),
                    ("FEES", "fees"),
                    ("GAIN", "gain"),
                ],
            );
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
