//! `stock`, `order`, `location`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::hub::Hub;
use super::shelves::{self, Shelves};
use super::{Page, Stop, part, print, read};

#[derive(Subcommand)]
pub enum Stock {
    List(Page),
    /// One variant's levels, by id or SKU.
    Show {
        variant: String,
    },
    /// The newest rows of its ledger.
    Ledger {
        variant: String,
    },
    /// Set what was counted.
    Count(Booking),
    /// Book goods that arrived.
    Receive(Booking),
    /// Book a difference found; below zero takes away.
    Adjust(Booking),
    /// The opening count: from one shop, or from a file (sku,units[,location]).
    #[command(group(clap::ArgGroup::new("source").required(true)))]
    Opening {
        #[arg(long, value_name = "CONNECTION", group = "source")]
        from: Option<String>,
        #[arg(long = "file", visible_alias = "csv", value_name = "FILE", group = "source")]
        file: Option<PathBuf>,
    },
    #[command(flatten)]
    Shelves(Shelves),
}

#[derive(Args)]
pub struct Booking {
    variant: String,
    #[arg(allow_negative_numbers = true)]
    units: i64,
    #[arg(long)]
    location: Option<String>,
    /// The same reference books once.
    #[arg(long)]
    reference: Option<String>,
}

pub async fn stock(hub: &Hub, command: Stock, json: bool) -> Result<(), Stop> {
    let (verb, booking) = match command {
        Stock::List(page) => {
            let list = hub.get(&format!("/stock{}", page.with(&[]))).await?;
            print::answer(
                json,
                &list,
                &[("SKU", "sku"), ("ON HAND", "on_hand"), ("RESERVED", "reserved"), ("AVAILABLE", "available"), ("LOCATION", "location")],
            );
            return Ok(());
        }
        Stock::Show { variant } => {
            print::answer(json, &hub.get(&format!("/stock/{}", part(&variant))).await?, &[]);
            return Ok(());
        }
        Stock::Ledger { variant } => {
            let list = hub.get(&format!("/stock/{}/ledger", part(&variant))).await?;
            print::answer(
                json,
                &list,
                &[
                    ("AT", "at"),
                    ("KIND", "kind"),
                    ("ON HAND", "on_hand"),
                    ("RESERVED", "reserved"),
                    ("BECAUSE OF", "reference"),
                    ("BY", "actor"),
                ],
            );
            return Ok(());
        }
        Stock::Opening { from, file } => {
            let done = match (from, file) {
                (Some(connection), _) => hub.ask("POST", &format!("/stock/opening/connection/{}", part(&connection)), &json!({})).await?,
                (None, Some(file)) => hub.send("POST", "/stock/opening/file", "text/csv", read(&file)?).await?,
                (None, None) => return Err(Stop::usage("say where the count comes from; hint: --from CONNECTION or --file FILE")),
            };
            print::answer(json, &done, &[]);
            let refused = done["refused"].as_array().map_or(0, Vec::len);
            return if refused == 0 { Ok(()) } else { Err(Stop::failed(format!("{refused} lines were refused; the others were counted"))) };
        }
        Stock::Shelves(command) => return shelves::run(hub, command, json).await,
        Stock::Count(booking) => ("count", booking),
        Stock::Receive(booking) => ("receive", booking),
        Stock::Adjust(booking) => ("adjust", booking),
    };
    let body = json!({ "units": booking.units, "location": booking.location, "reference": booking.reference });
    print::answer(json, &hub.ask("POST", &format!("/stock/{}/{verb}", part(&booking.variant)), &body).await?, &[]);
    hub.work().await
}

#[derive(Subcommand)]
pub enum Order {
    List {
        #[arg(long)]
        connection: Option<String>,
        #[arg(long)]
        status: Option<String>,
        /// Only parked or oversold ones.
        #[arg(long)]
        attention: bool,
        #[command(flatten)]
        page: Page,
    },
    Show {
        order: String,
    },
    Events {
        order: String,
    },
    /// Book what leaves (without --line: all that is open) and tell the channel.
    Ship {
        order: String,
        /// Tracking number.
        #[arg(long)]
        tracking: Option<String>,
        #[arg(long)]
        carrier: Option<String>,
        #[arg(long = "line", value_name = "LINE=UNITS")]
        lines: Vec<String>,
    },
    /// Serve it again, from several places if need be.
    Serve {
        order: String,
        /// The place that is asked before the others.
        #[arg(long)]
        from: Option<String>,
    },
    /// Book goods that came back.
    Return {
        order: String,
        #[arg(long = "line", value_name = "LINE=UNITS", required = true)]
        lines: Vec<String>,
        /// They cannot be sold again.
        #[arg(long)]
        not_to_shelf: bool,
    },
}

fn line_units(texts: &[String]) -> Result<Vec<serde_json::Value>, Stop> {
    let one = |text: &String| {
        let (line, count) = super::pair(text)?;
        let count: i64 = count.parse().map_err(|_| Stop::usage(format!("`{count}` is not a number of units")))?;
        Ok(json!({ "line": line, "quantity": count }))
    };
    texts.iter().map(one).collect()
}

pub async fn order(hub: &Hub, command: Order, json: bool) -> Result<(), Stop> {
    match command {
        Order::List { connection, status, attention, page } => {
            let query = page.with(&[("connection", connection), ("status", status), ("attention", attention.then(|| "true".into()))]);
            let list = hub.get(&format!("/orders{query}")).await?;
            print::answer(
                json,
                &list,
                &[
                    ("ID", "id"),
                    ("NUMBER", "number"),
                    ("PLACED", "placed_at"),
                    ("STATUS", "status"),
                    ("PAYMENT", "payment"),
                    ("TOTAL", "total"),
                    ("UNMAPPED", "unmapped"),
                    ("SHORT", "short"),
                ],
            );
        }
        Order::Show { order } => print::answer(json, &hub.get(&format!("/orders/{}", part(&order))).await?, &[]),
        Order::Events { order } => {
            let list = hub.get(&format!("/orders/{}/events", part(&order))).await?;
            print::answer(json, &list, &[("AT", "at"), ("WHAT", "what"), ("BY", "actor"), ("DETAIL", "detail")]);
        }
        Order::Ship { order, tracking, carrier, lines } => {
            let units = line_units(&lines)?;
            let tracking: Vec<_> =
                tracking.into_iter().map(|number| json!({ "number": number, "carrier": carrier, "url": null })).collect();
            let body = json!({ "lines": units, "tracking": tracking });
            print::answer(json, &hub.ask("POST", &format!("/orders/{}/ship", part(&order)), &body).await?, &[]);
            hub.work().await?;
        }
        Order::Serve { order, from } => {
            print::answer(json, &hub.ask("POST", &format!("/orders/{}/serve", part(&order)), &json!({ "from": from })).await?, &[]);
            hub.work().await?;
        }
        Order::Return { order, lines, not_to_shelf } => {
            let body = json!({ "lines": line_units(&lines)?, "to_shelf": !not_to_shelf });
            print::answer(json, &hub.ask("POST", &format!("/orders/{}/return", part(&order)), &body).await?, &[]);
            hub.work().await?;
        }
    }
    Ok(())
}

#[derive(Subcommand)]
pub enum Location {
    List,
    Add {
        name: String,
    },
    /// Change when a place is asked, or the country it lies in.
    Change {
        location: String,
        /// Lower is asked first.
        #[arg(long, allow_negative_numbers = true)]
        priority: Option<i64>,
        /// Two-letter ISO code; empty clears.
        #[arg(long)]
        country: Option<String>,
    },
    /// Say which of ours a channel's location is; without the last two, list what was said.
    Map {
        connection: String,
        external_id: Option<String>,
        location: Option<String>,
    },
}

pub async fn location(hub: &Hub, command: Location, json: bool) -> Result<(), Stop> {
    match command {
        Location::List => {
            let columns = &[("ID", "id"), ("NAME", "name"), ("PRIORITY", "priority"), ("COUNTRY", "country")];
            print::answer(json, &hub.get("/locations").await?, columns);
        }
        Location::Change { location, priority, country } => {
            let mut body = json!({ "priority": priority });
            if let Some(country) = country {
                body["country"] = if country.is_empty() { serde_json::Value::Null } else { country.into() };
            }
            print::answer(json, &hub.ask("PATCH", &format!("/locations/{}", part(&location)), &body).await?, &[]);
        }
        Location::Add { name } => print::answer(json, &hub.ask("POST", "/locations", &json!({ "name": name })).await?, &[]),
        Location::Map { connection, external_id: Some(external), location: Some(location) } => {
            let body = json!({ "external_id": external, "location": location });
            print::answer(json, &hub.ask("PUT", &format!("/connections/{}/locations", part(&connection)), &body).await?, &[]);
        }
        Location::Map { connection, .. } => {
            print::answer(
                json,
                &hub.get(&format!("/connections/{}/locations", part(&connection))).await?,
                &[("CHANNEL'S", "external_id"), ("OURS", "location")],
            );
        }
    }
    Ok(())
}
