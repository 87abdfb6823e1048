//! `stock` beyond counting, `product kit`: places, kits, who is served from where and shown what.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::hub::Hub;
use super::{Page, Stop, part, print, query};

#[derive(Subcommand)]
pub enum Shelves {
    /// Move goods from one of our places to another.
    Transfer {
        variant: String,
        units: i64,
        #[arg(long)]
        from: String,
        #[arg(long)]
        to: String,
        /// The same reference books once.
        #[arg(long)]
        reference: Option<String>,
    },
    /// Units never published from a place.
    Safety(Mark),
    /// Units that may be promised before they exist.
    Backorder(Mark),
    /// Compare sums, ledger and reservations. Exit code 1 if they differ.
    Audit,
    /// Compare the sums with the ledger, and with --apply write them anew. Exit code 1 if they differ.
    Rebuild {
        #[arg(long)]
        apply: bool,
    },
    /// How orders are served: all rules; with options, set the one of a connection or, without --connection, of all others.
    Rule(Rule),
    /// How much of a variant a connection may show: all rows; with --connection and options, set one.
    Allot(Allot),
}

#[derive(Args)]
pub struct Mark {
    variant: String,
    units: i64,
    /// The place that is asked first, if not given.
    #[arg(long)]
    location: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Allocation {
    Priority,
    Nearest,
    MostStock,
}

#[derive(Clone, Copy, ValueEnum)]
enum Split {
    Free,
    Avoid,
    Never,
}

#[derive(Args)]
pub struct Rule {
    #[arg(long)]
    connection: Option<String>,
    /// Which place is asked first.
    #[arg(long)]
    allocation: Option<Allocation>,
    /// Whether one order may be served from several places.
    #[arg(long)]
    split: Option<Split>,
    /// How long an order holds stock without being paid; `none`: for ever.
    #[arg(long, value_name = "HOURS")]
    unpaid_hours: Option<String>,
    /// Take the rule away.
    #[arg(long, conflicts_with_all = ["allocation", "split", "unpaid_hours"])]
    remove: bool,
}

#[derive(Args)]
pub struct Allot {
    #[arg(long)]
    connection: Option<String>,
    /// By id or SKU; without it, for all variants that have no row of their own.
    #[arg(long, requires = "connection")]
    variant: Option<String>,
    /// The last units are shown on this connection only.
    #[arg(long, requires = "connection", value_name = "UNITS")]
    at_least: Option<i64>,
    #[arg(long, requires = "connection", value_name = "UNITS")]
    at_most: Option<i64>,
    /// Part of what can be shown, in 1/10000.
    #[arg(long, requires = "connection")]
    share_bps: Option<i64>,
    /// Take the row away.
    #[arg(long, requires = "connection", conflicts_with_all = ["at_least", "at_most", "share_bps"])]
    remove: bool,
}

fn word(value: Option<impl ValueEnum>) -> Value {
    value.and_then(|value| value.to_possible_value()).map_or(Value::Null, |name| name.get_name().into())
}

pub async fn run(hub: &Hub, command: Shelves, json: bool) -> Result<(), Stop> {
    match command {
        Shelves::Transfer { variant, units, from, to, reference } => {
            let body = json!({ "units": units, "from": from, "to": to, "reference": reference });
            print::answer(json, &hub.ask("POST", &format!("/stock/{}/transfer", part(&variant)), &body).await?, &[]);
        }
        Shelves::Safety(mark) => set(hub, "safety", mark, json).await?,
        Shelves::Backorder(mark) => set(hub, "backorder", mark, json).await?,
        Shelves::Audit => {
            let found = hub.get("/stock/audit").await?;
            print::answer(json, &found, &[("PROBLEM", "")]);
            return none_of(&found["items"], "the books do not add up; hint: `entrepot stock rebuild` shows what the ledger says");
        }
        Shelves::Rebuild { apply } => {
            let found = hub.ask("POST", "/stock/rebuild", &json!({ "apply": apply })).await?;
            let columns = &[
                ("VARIANT", "variant"),
                ("LOCATION", "location"),
                ("ON HAND", "on_hand"),
                ("LEDGER", "ledger_on_hand"),
                ("RESERVED", "reserved"),
                ("LEDGER", "ledger_reserved"),
            ];
            match json {
                true => print::answer(json, &found, &[]),
                false => print::table(found["differences"].as_array().map_or(&[], Vec::as_slice), columns),
            }
            hub.work().await?;
            return match apply {
                true => Ok(()),
                false => none_of(&found["differences"], "the sums differ from the ledger; hint: `--apply` writes them anew"),
            };
        }
        Shelves::Rule(wanted) => rule(hub, wanted, json).await?,
        Shelves::Allot(wanted) => allot(hub, wanted, json).await?,
    }
    hub.work().await
}

fn none_of(found: &Value, message: &str) -> Result<(), Stop> {
    if found.as_array().is_none_or(Vec::is_empty) { Ok(()) } else { Err(Stop::failed(message)) }
}

async fn set(hub: &Hub, what: &str, mark: Mark, json: bool) -> Result<(), Stop> {
    let body = json!({ "units": mark.units, "location": mark.location });
    print::answer(json, &hub.ask("PUT", &format!("/stock/{}/{what}", part(&mark.variant)), &body).await?, &[]);
    Ok(())
}

async fn rule(hub: &Hub, wanted: Rule, json: bool) -> Result<(), Stop> {
    if wanted.remove {
        let query = query(&[("connection", wanted.connection)]);
        print::answer(json, &hub.ask("DELETE", &format!("/stock/rules{query}"), &json!({})).await?, &[]);
        return Ok(());
    }
    let mut body = json!({ "connection": wanted.connection });
    match wanted.unpaid_hours.as_deref() {
        None => {}
        Some("none") => body["unpaid_hours"] = Value::Null,
        Some(text) => {
            let hours: i64 = text.parse().map_err(|_| Stop::usage(format!("`{text}` is not a number of hours; hint: or `none`")))?;
            body["unpaid_hours"] = hours.into();
        }
    }
    for (name, value) in [("allocation", word(wanted.allocation)), ("split", word(wanted.split))] {
        if !value.is_null() {
            body[name] = value;
        }
    }
    if body.as_object().is_some_and(|fields| fields.len() == 1) {
        let columns = &[("CONNECTION", "connection"), ("ALLOCATION", "allocation"), ("SPLIT", "split"), ("UNPAID HOURS", "unpaid_hours")];
        print::answer(json, &hub.get("/stock/rules").await?, columns);
        return Ok(());
    }
    print::answer(json, &hub.ask("PUT", "/stock/rules", &body).await?, &[]);
    Ok(())
}

async fn allot(hub: &Hub, wanted: Allot, json: bool) -> Result<(), Stop> {
    let target = wanted.connection.as_deref().map(|connection| format!("/connections/{}/allotments", part(connection)));
    let named = wanted.at_least.is_some() || wanted.at_most.is_some() || wanted.share_bps.is_some();
    match target {
        Some(target) if wanted.remove => {
            let query = query(&[("variant", wanted.variant)]);
            print::answer(json, &hub.ask("DELETE", &format!("{target}{query}"), &json!({})).await?, &[]);
        }
        Some(target) if named => {
            let mut body = json!({ "variant": wanted.variant, "at_least": wanted.at_least.unwrap_or(0), "at_most": wanted.at_most });
            if let Some(share) = wanted.share_bps {
                body["share_bps"] = share.into();
            }
            print::answer(json, &hub.ask("PUT", &target, &body).await?, &[]);
        }
        _ => {
            let columns =
                &[("CONNECTION", "connection"), ("SKU", "sku"), ("AT LEAST", "at_least"), ("AT MOST", "at_most"), ("SHARE", "share_bps")];
            print::answer(json, &hub.get(&format!("/allotments{}", query(&[("connection", wanted.connection)]))).await?, columns);
        }
    }
    Ok(())
}

/// Variants that are made of others.
#[derive(Subcommand)]
pub enum Kit {
    List(Page),
    /// What a kit is made of.
    Show {
        kit: String,
    },
    /// Say what a kit is made of, as SKU or SKU=UNITS. Open orders keep what they took.
    Set {
        kit: String,
        #[arg(required = true, value_name = "COMPONENT[=UNITS]")]
        components: Vec<String>,
    },
    /// It is no kit any more.
    Clear {
        kit: String,
    },
}

pub async fn kit(hub: &Hub, command: Kit, json: bool) -> Result<(), Stop> {
    let at = |kit: &str| format!("/variants/{}/components", part(kit));
    let columns = &[("SKU", "sku"), ("UNITS", "quantity"), ("ID", "component")];
    match command {
        Kit::List(page) => {
            let list = hub.get(&format!("/kits{}", page.with(&[]))).await?;
            print::answer(json, &list, &[("SKU", "sku"), ("COMPONENTS", "components"), ("ID", "kit")]);
        }
        Kit::Show { kit } => shown(json, &hub.get(&at(&kit)).await?, columns),
        Kit::Set { kit, components } => {
            let parts = components.iter().map(|text| one_part(text)).collect::<Result<Vec<_>, _>>()?;
            shown(json, &hub.ask("PUT", &at(&kit), &json!({ "components": parts })).await?, columns);
            hub.work().await?;
        }
        Kit::Clear { kit } => {
            shown(json, &hub.ask("PUT", &at(&kit), &json!({ "components": [] })).await?, columns);
            hub.work().await?;
        }
    }
    Ok(())
}

fn shown(json: bool, answer: &Value, columns: print::Columns) {
    match json {
        true => print::answer(json, answer, &[]),
        false => print::table(answer["components"].as_array().map_or(&[], Vec::as_slice), columns),
    }
}

/// A SKU may hold an equals sign: what stands behind the last one counts only if it is a number.
fn one_part(text: &str) -> Result<Value, Stop> {
    let (sku, units) = match text.rsplit_once('=') {
        Some((sku, units)) => units.parse().map_or((text, 1i64), |units| (sku, units)),
        None => (text, 1),
    };
    if sku.is_empty() {
        return Err(Stop::usage(format!("`{text}` names no component; hint: write SKU=UNITS")));
    }
    Ok(json!({ "component": sku, "quantity": units }))
}
