//! What a merchant has told the hub: legal entities, channels, rule files of their own, facts of goods, sanction lists.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::super::hub::Hub;
use super::super::{Stop, pair, part, print, read};
use super::quote::{minor, name_of, registrations};
use crate::money::Currency;

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
        /// In which its books are kept.
        #[arg(long)]
        currency: Option<String>,
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
        /// Countries it offers goods to: what the law keeps off one of them is not put on sale.
        #[arg(long, value_name = "COUNTRY", value_delimiter = ',')]
        sells_to: Vec<String>,
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

pub async fn entity(hub: &Hub, command: EntityCommand, json: bool) -> Result<(), Stop> {
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
        EntityCommand::Set { name, country, registrations: given, ships_from, several_states, mode, incoterm, currency, elsewhere } => {
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
            let currency = currency.map(|code| code.trim().to_ascii_uppercase());
            let texts = [("country", country), ("ships_from", ships_from), ("mode", mode), ("incoterm", incoterm), ("currency", currency)];
            for (field, value) in texts {
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

pub async fn channel(hub: &Hub, command: ChannelCommand, json: bool) -> Result<(), Stop> {
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
                    ("SELLS TO", "sells_to"),
                ],
            );
        }
        ChannelCommand::Set { connection, entity, kind, collects, ships_from, sells_to } => {
            let body = json!({ "entity": entity, "kind": kind, "collects": collects, "ships_from": ships_from, "sells_to": sells_to });
            print::answer(json, &hub.ask("PUT", &format!("/connections/{}/tax", part(&connection)), &body).await?, &[]);
        }
    }
    Ok(())
}

pub async fn rules(hub: &Hub, command: RulesCommand, json: bool) -> Result<(), Stop> {
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

pub async fn goods(hub: &Hub, command: GoodsCommand, json: bool) -> Result<(), Stop> {
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

pub async fn lists(hub: &Hub, command: ListsCommand, json: bool) -> Result<(), Stop> {
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
