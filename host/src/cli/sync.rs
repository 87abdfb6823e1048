//! `sync`: first plans, runs by hand, what stands still.

use clap::Subcommand;
use serde_json::{Value, json};

use super::hub::Hub;
use super::{Stop, part, print};

#[derive(Subcommand)]
pub enum Command {
    /// What a push would change now.
    Plan { connection: String },
    /// Accept a plan; its connection goes live.
    Apply { plan: String },
    /// Run now: orders-in, listings-in, webhooks, push or fulfilment.
    Run {
        connection: String,
        #[arg(default_value = "orders-in", value_parser = ["orders-in", "listings-in", "webhooks", "push", "fulfilment"])]
        what: String,
    },
    /// What the hub is busy with, what was not sent, what was refused.
    Status,
    /// Recent deliveries.
    Deliveries {
        #[arg(long)]
        connection: Option<String>,
        /// new, done, ignored or refused.
        #[arg(long)]
        state: Option<String>,
    },
    /// Translate deliveries again: one, or those that fit.
    Replay {
        delivery: Option<String>,
        #[arg(long, conflicts_with = "delivery")]
        connection: Option<String>,
        /// new, done, ignored or refused.
        #[arg(long, conflicts_with = "delivery")]
        state: Option<String>,
        /// What arrived at this time or later, RFC 3339.
        #[arg(long, value_name = "TIME", conflicts_with = "delivery")]
        since: Option<String>,
        /// What arrived before this time, RFC 3339.
        #[arg(long, value_name = "TIME", conflicts_with = "delivery")]
        until: Option<String>,
    },
    /// Lanes that stand still; with a lane: let it run again.
    Dead { lane: Option<String> },
}

pub async fn run(hub: &Hub, command: Command, json: bool) -> Result<(), Stop> {
    match command {
        Command::Plan { connection } => {
            let plan = hub.ask("POST", &format!("/connections/{}/plan", part(&connection)), &json!({})).await?;
            if json {
                say!("{plan}");
                return Ok(());
            }
            print::table(
                items(&plan, "changes"),
                &[("SKU", "sku"), ("TITLE", "title"), ("SHOWS", "shows"), ("WOULD SHOW", "would_show"), ("WHY", "reason")],
            );
            say!("\n{} unchanged, {} parked, {} would go to zero", plan["unchanged"], plan["parked"], plan["to_zero"]);
            say!("accept it: entrepot sync apply {}", plan["id"].as_str().unwrap_or_default());
        }
        Command::Apply { plan } => {
            print::answer(json, &hub.ask("POST", &format!("/plans/{}/accept", part(&plan)), &json!({})).await?, &[]);
            hub.work().await?;
        }
        Command::Run { connection, what } => {
            print::answer(json, &hub.ask("POST", "/sync/run", &json!({ "connection": connection, "run": what })).await?, &[]);
            hub.work().await?;
        }
        Command::Status => status(&hub.get("/sync/status").await?, json),
        Command::Deliveries { connection, state } => {
            let list = hub.get(&format!("/deliveries{}", super::query(&[("connection", connection), ("state", state)]))).await?;
            print::answer(
                json,
                &list,
                &[("ID", "id"), ("TOPIC", "topic"), ("RECEIVED", "received_at"), ("STATE", "state"), ("WHY", "reason")],
            );
        }
        Command::Replay { delivery: None, connection, state, since, until } => {
            let span = json!({ "connection": connection, "state": state, "since": since, "until": until });
            print::answer(json, &hub.ask("POST", "/deliveries/replay", &span).await?, &[]);
            hub.work().await?;
        }
        Command::Replay { delivery: Some(delivery), .. } => {
            print::answer(json, &hub.ask("POST", &format!("/deliveries/{}/replay", part(&delivery)), &json!({})).await?, &[]);
            hub.work().await?;
        }
        Command::Dead { lane: None } => {
            let list = hub.get("/sync/lanes?quarantined=true").await?;
            print::answer(json, &list, &[("LANE", "lane"), ("SINCE", "quarantined_at"), ("FAILURES", "failures"), ("WHY", "reason")]);
        }
        Command::Dead { lane: Some(lane) } => {
            print::answer(json, &hub.ask("POST", "/sync/lanes/release", &json!({ "lane": lane })).await?, &[]);
            hub.work().await?;
        }
    }
    Ok(())
}

fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

fn status(found: &Value, json: bool) {
    if json {
        return say!("{found}");
    }
    let lanes: print::Columns = &[
        ("LANES", "kind"),
        ("CONNECTION", "connection"),
        ("DUE", "due"),
        ("RUNNING", "running"),
        ("FAILING", "failing"),
        ("STILL", "quarantined"),
    ];
    print::table(items(found, "lanes"), lanes);
    for (title, name, columns) in [
        ("failing", "failing", &[("LANE", "lane"), ("FAILURES", "failures"), ("WHY", "reason")] as print::Columns),
        ("not sent", "unsent", &[("LISTING", "listing"), ("FIELD", "field"), ("WHY", "problem"), ("AGAIN", "retry_at")]),
        ("refused", "refusals", &[("KIND", "kind"), ("CHANNEL'S ID", "external_id"), ("WHY", "reason"), ("SEEN", "seen_at")]),
    ] {
        say!("\n{title}:");
        print::table(items(found, name), columns);
    }
}
