//! `person`: buyers who ask what is kept of them, or to be forgotten.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::hub::Hub;
use super::{Page, Stop, print, read};
use crate::sync::erasure;

#[derive(Subcommand)]
pub enum Command {
    /// Print everything that is kept of a buyer, as JSON.
    Export(Named),
    /// Destroy the key of a buyer's data, in the orders of all times and in every copy restored later.
    #[command(group(clap::ArgGroup::new("whom").required(true).args(["order", "customer", "email", "log"])))]
    Erase {
        #[command(flatten)]
        named: Named,
        /// Everybody whom a log of erasures names: after a database on PostgreSQL was restored.
        #[arg(long, value_name = "FILE")]
        log: Option<PathBuf>,
    },
    /// Who was erased, by ids that nothing else carries any more.
    Erased(Page),
}

/// One buyer.
#[derive(Args)]
pub struct Named {
    /// The buyer of this order.
    #[arg(long)]
    order: Option<String>,
    /// The id of the customer at the connection.
    #[arg(long, requires = "connection")]
    customer: Option<String>,
    #[arg(long, requires = "customer")]
    connection: Option<String>,
    /// On every connection.
    #[arg(long)]
    email: Option<String>,
}

impl Named {
    fn wanted(&self, persons: Option<Vec<String>>) -> Value {
        json!({ "order": self.order, "connection": self.connection, "customer": self.customer, "email": self.email, "persons": persons })
    }
}

pub async fn run(hub: &Hub, command: Command, json: bool) -> Result<(), Stop> {
    match command {
        Command::Export(named) => {
            let kept = hub.ask("POST", "/persons/export", &named.wanted(None)).await?;
            if kept["items"].as_array().is_none_or(Vec::is_empty) {
                return Err(nobody());
            }
            say!("{kept:#}");
        }
        Command::Erase { named, log } => {
            let persons = match log {
                Some(log) => {
                    let text = String::from_utf8(read(&log)?).map_err(|_| Stop::usage(format!("{} is not text", log.display())))?;
                    let named = erasure::named(&text).map_err(|error| Stop::usage(error.to_string()))?;
                    Some(named.iter().map(ToString::to_string).collect())
                }
                None => None,
            };
            let done = hub.ask("POST", "/persons/erase", &named.wanted(persons)).await?;
            print::answer(json, &done, &[]);
            if done["erased"] == 0 {
                return Err(nobody());
            }
            if !json {
                say!("\nthe channels still know this buyer: erase there too; copies made before forget when they are restored here");
            }
        }
        Command::Erased(page) => {
            let list = hub.get(&format!("/persons/erased{}", page.with(&[]))).await?;
            print::answer(json, &list, &[("PERSON", "person"), ("ERASED", "erased_at"), ("BY", "actor")]);
        }
    }
    Ok(())
}

fn nobody() -> Stop {
    Stop::failed("nobody was found; hint: an erased buyer is not found again, `entrepot order show` tells whether an order has one")
}
