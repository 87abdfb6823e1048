//! `price`: base prices, price lists, and telling them to channels.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::hub::Hub;
use super::{Page, Stop, part, print, query, read};
use crate::money::{Currency, Money};

#[derive(Subcommand)]
pub enum Command {
    /// Lines of price lists.
    List {
        #[arg(long)]
        connection: Option<String>,
        /// By id or SKU.
        #[arg(long)]
        variant: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// What a variant costs at every connection, step by step.
    Show {
        variant: String,
        #[arg(long)]
        connection: Option<String>,
        /// For buyers there, instead of the shop's own country.
        #[arg(long)]
        country: Option<String>,
        #[arg(long)]
        group: Option<String>,
    },
    /// The base price of a VARIANT; with --connection, --country, --group or days: a fixed price for those.
    Set {
        variant: String,
        /// Such as 12.99.
        amount: String,
        /// ISO 4217, such as EUR.
        currency: String,
        #[command(flatten)]
        reach: Reach,
    },
    /// What one piece of a VARIANT costs us.
    Cost { variant: String, amount: String, currency: String },
    /// A line that moves base prices: of one variant, or of all.
    Adjust {
        /// Percent to add; negative to take off.
        #[arg(allow_hyphen_values = true)]
        percent: String,
        #[arg(long)]
        variant: Option<String>,
        /// Prices end so: 0.99 with --charm-step 1 makes 4.99, 5.99 …
        #[arg(long, requires = "charm_step")]
        charm_ending: Option<String>,
        #[arg(long, requires = "charm_ending")]
        charm_step: Option<String>,
        #[arg(long, default_value = "nearest", value_parser = ["nearest", "up", "down"])]
        charm_direction: String,
        #[command(flatten)]
        reach: Reach,
    },
    /// Remove a line.
    Remove { line: String },
    /// Read a CSV file of base prices, costs and fixed prices.
    Import {
        file: PathBuf,
        /// Only say what would change.
        #[arg(long)]
        dry_run: bool,
    },
    /// How a CONNECTION prices; with NAME=VALUE: change it, an empty value clears.
    Channel {
        connection: String,
        /// currency, country, group, fee_rate, fixed_fee, shipping, tax_rate, min_margin_rate, band, locked_rate, markup_bps, max_age_days.
        #[arg(value_name = "NAME=VALUE")]
        options: Vec<String>,
    },
    /// Price lists of a channel beside its own prices, for other markets or groups of customers; without LIST they are shown.
    Lists {
        connection: String,
        /// The channel's id of the list, such as gid://shopify/PriceList/1.
        list: Option<String>,
        /// ISO 4217, in which the list is.
        #[arg(long, requires = "list")]
        currency: Option<String>,
        #[arg(long, requires = "list")]
        country: Option<String>,
        #[arg(long, requires = "list")]
        group: Option<String>,
        /// Tell this list no prices any more.
        #[arg(long, requires = "list", conflicts_with_all = ["currency", "country", "group"])]
        remove: bool,
    },
    /// What prices a connection's listings would show.
    Plan { connection: String },
    /// Apply a plan; from then on the connection's prices are pushed.
    Apply { plan: String },
    /// Push no prices to a connection any more.
    Stop { connection: String },
    /// Prices that channels took.
    History {
        variant: String,
        #[arg(long)]
        connection: Option<String>,
        #[arg(long)]
        limit: Option<u32>,
    },
}

/// For whom and when a line holds; what is left out means any.
#[derive(Args)]
pub struct Reach {
    #[arg(long)]
    connection: Option<String>,
    #[arg(long)]
    country: Option<String>,
    #[arg(long)]
    group: Option<String>,
    /// First day.
    #[arg(long, value_name = "DAY")]
    from: Option<String>,
    /// First day after.
    #[arg(long, value_name = "DAY")]
    until: Option<String>,
}

impl Reach {
    fn is_any(&self) -> bool {
        [&self.connection, &self.country, &self.group, &self.from, &self.until].iter().all(|part| part.is_none())
    }

    fn line(self) -> Map<String, Value> {
        let parts = [
            ("connection", self.connection),
            ("country", self.country),
            ("group", self.group),
            ("valid_from", self.from),
            ("valid_to", self.until),
        ];
        parts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?)))).collect()
    }
}

pub(super) fn money(amount: &str, currency: &str) -> Result<Value, Stop> {
    let currency = Currency::from_code(&currency.to_uppercase()).map_err(|error| Stop::usage(error.to_string()))?;
    let money = Money::parse(amount, currency).map_err(|error| Stop::usage(error.to_string()))?;
    serde_json::to_value(money).map_err(|error| Stop::failed(error.to_string()))
}

pub(super) fn fraction(percent: &str) -> Result<String, Stop> {
    let number = crate::money::decimal_from_text(percent.trim_end_matches('%').trim());
    let number = number.map_err(|_| Stop::usage(format!("`{percent}` is no percentage; hint: write 5 or -2.5")))?;
    Ok((number / crate::money::Decimal::ONE_HUNDRED).normalize().to_string())
}

pub async fn run(hub: &Hub, command: Command, json: bool) -> Result<(), Stop> {
    let at = |connection: &str, rest: &str| format!("/prices/channels/{}{rest}", part(connection));
    let done = match command {
        Command::List { connection, variant, page } => {
            let list = hub.get(&format!("/prices{}", page.with(&[("connection", connection), ("variant", variant)]))).await?;
            let columns: print::Columns = &[
                ("ID", "id"),
                ("VARIANT", "variant"),
                ("CONNECTION", "connection"),
                ("COUNTRY", "country"),
                ("GROUP", "group"),
                ("FIXED", "fixed"),
                ("ADJUSTED", "adjustment"),
                ("FROM", "valid_from"),
                ("UNTIL", "valid_to"),
            ];
            print::answer(json, &list, columns);
            return Ok(());
        }
        Command::Show { variant, connection, country, group } => {
            let which = query(&[("connection", connection), ("country", country), ("group", group)]);
            let found = hub.get(&format!("/prices/variants/{}{which}", part(&variant))).await?;
            if !json {
                show(&found);
                return Ok(());
            }
            found
        }
        Command::Set { variant, amount, currency, reach } if reach.is_any() => {
            set_base(hub, &variant, "price", money(&amount, &currency)?).await?
        }
        Command::Set { variant, amount, currency, reach } => {
            let mut line = reach.line();
            line.insert("variant".into(), variant.into());
            line.insert("fixed".into(), money(&amount, &currency)?);
            worked(hub, hub.ask("POST", "/prices", &Value::Object(line)).await?).await?
        }
        Command::Cost { variant, amount, currency } => set_base(hub, &variant, "cost", money(&amount, &currency)?).await?,
        Command::Adjust { percent, variant, charm_ending, charm_step, charm_direction, reach } => {
            let mut line = reach.line();
            line.insert("adjustment".into(), fraction(&percent)?.into());
            if let Some(variant) = variant {
                line.insert("variant".into(), variant.into());
            }
            if let (Some(ending), Some(step)) = (charm_ending, charm_step) {
                line.insert("charm".into(), json!({ "ending": ending, "step": step, "direction": charm_direction }));
            }
            worked(hub, hub.ask("POST", "/prices", &Value::Object(line)).await?).await?
        }
        Command::Remove { line } => worked(hub, hub.ask("DELETE", &format!("/prices/{}", part(&line)), &json!({})).await?).await?,
        Command::Import { file, dry_run } => return import(hub, &file, dry_run, json).await,
        Command::Channel { connection, options } if options.is_empty() => hub.get(&at(&connection, "")).await?,
        Command::Channel { connection, options } => {
            let changed = policy(hub.get(&at(&connection, "")).await?, &options)?;
            worked(hub, hub.ask("PUT", &at(&connection, ""), &changed).await?).await?
        }
        Command::Lists { connection, list: None, .. } => {
            let lists = hub.get(&at(&connection, "")).await?["lists"].take();
            let columns: print::Columns = &[("LIST", "id"), ("CURRENCY", "currency"), ("COUNTRY", "country"), ("GROUP", "group")];
            print::answer(json, &json!({ "items": lists }), columns);
            return Ok(());
        }
        Command::Lists { connection, list: Some(list), currency, country, group, remove } => {
            let mut changed = policy(hub.get(&at(&connection, "")).await?, &[])?;
            if let Some(lists) = changed["lists"].as_array_mut() {
                let known = lists.len();
                lists.retain(|known| known["id"] != json!(list));
                match (remove, currency) {
                    (true, _) if lists.len() == known => {
                        return Err(Stop::failed(format!("`{list}` is told no prices; hint: `entrepot price lists` shows which are")));
                    }
                    (true, _) => {}
                    (false, None) => return Err(Stop::usage("say in which currency the list is: --currency EUR")),
                    (false, Some(currency)) => {
                        let currency = currency.to_uppercase();
                        lists.push(json!({ "id": list, "currency": currency, "country": country, "group": group }));
                    }
                }
            }
            worked(hub, hub.ask("PUT", &at(&connection, ""), &changed).await?).await?
        }
        Command::Plan { connection } => {
            let plan = hub.ask("POST", &at(&connection, "/plan"), &json!({})).await?;
            if !json {
                super::sync::say_plan(&plan, "price");
                return Ok(());
            }
            plan
        }
        Command::Apply { plan } => worked(hub, hub.ask("POST", &format!("/plans/{}/accept", part(&plan)), &json!({})).await?).await?,
        Command::Stop { connection } => hub.ask("POST", &at(&connection, "/stop"), &json!({})).await?,
        Command::History { variant, connection, limit } => {
            let which = query(&[("variant", Some(variant)), ("connection", connection), ("limit", limit.map(|limit| limit.to_string()))]);
            let list = hub.get(&format!("/prices/history{which}")).await?;
            print::answer(
                json,
                &list,
                &[("SINCE", "at"), ("CONNECTION", "connection"), ("COUNTRY", "country"), ("PRICE", "price"), ("BY", "actor")],
            );
            return Ok(());
        }
    };
    print::answer(json, &done, &[]);
    Ok(())
}

async fn worked(hub: &Hub, done: Value) -> Result<Value, Stop> {
    hub.work().await?;
    Ok(done)
}

async fn set_base(hub: &Hub, variant: &str, what: &str, money: Value) -> Result<Value, Stop> {
    worked(hub, hub.ask("PATCH", &format!("/prices/variants/{}", part(variant)), &json!({ what: money })).await?).await
}

/// The whole policy with what was named changed; what is only shown is left out.
fn policy(shown: Value, options: &[String]) -> Result<Value, Stop> {
    let mut fields = shown.as_object().cloned().unwrap_or_default();
    for shown in ["connection", "pushed", "shown_in", "shown_to"] {
        fields.remove(shown);
    }
    for text in options {
        let (name, value) = super::pair(text)?;
        let value = match (name, value) {
            (_, "") => Value::Null,
            ("max_age_days", days) => days.parse::<u32>().map(Value::from).unwrap_or_else(|_| days.into()),
            (_, text) => text.into(),
        };
        fields.insert(name.to_owned(), value);
    }
    // A field that is cleared goes back to its default.
    fields.retain(|_, value| !value.is_null());
    Ok(Value::Object(fields))
}

fn show(found: &Value) {
    let word = |value: &Value| serde_json::from_value::<Money>(value.clone()).map_or_else(|_| "-".to_owned(), |money| money.to_string());
    say!("{}  base {}  cost {}", found["sku"].as_str().unwrap_or_default(), word(&found["base"]), word(&found["cost"]));
    for channel in found["channels"].as_array().into_iter().flatten() {
        let pushed = if channel["pushed"] == json!(true) { "pushed" } else { "not pushed" };
        say!("\n{}: {} ({pushed})", channel["connection"].as_str().unwrap_or_default(), word(&channel["price"]));
        for step in channel["steps"].as_array().into_iter().flatten() {
            say!("  {}", step.as_str().unwrap_or_default());
        }
        if !channel["lowest_of_30_days"].is_null() {
            say!("  lowest of the last 30 days: {}", word(&channel["lowest_of_30_days"]));
        }
    }
}

async fn import(hub: &Hub, file: &std::path::Path, dry_run: bool, json: bool) -> Result<(), Stop> {
    let report = hub.send("POST", &format!("/prices/import?dry_run={dry_run}"), "text/csv", read(file)?).await?;
    print::answer(json, &report, &[]);
    let refused = report["refused_lines"].as_u64().unwrap_or_default();
    if refused > 0 {
        let others = if dry_run { "only looked at" } else { "taken" };
        return Err(Stop::failed(format!("{refused} lines were refused; the others were {others}")));
    }
    hub.work().await
}
