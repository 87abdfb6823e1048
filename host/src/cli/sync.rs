//! `sync`: plans, limits and pauses of pushes, runs by hand, what stands still.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::hub::Hub;
use super::{Stop, part, print};

#[derive(Subcommand)]
pub enum Command {
    /// What a push would change now, and what is held.
    Plan { connection: String },
    /// Accept a plan: its connection goes live, or what it shows as held goes out.
    Apply { plan: String },
    /// How much may be pushed to a CONNECTION without a person looking; with options: change it.
    Guards {
        connection: String,
        /// Share of its listings that may go to zero within an hour, in percent.
        #[arg(long, value_name = "PERCENT")]
        zero_share: Option<u32>,
        /// As many listings always may.
        #[arg(long, value_name = "LISTINGS")]
        zero_free: Option<u32>,
        /// Largest change of one price, in percent of what the channel shows.
        #[arg(long, value_name = "PERCENT")]
        price_move: Option<u32>,
    },
    /// Push nothing to all connections of a channel, to one connection (which reads nothing either), or to one listing; stop a
    /// connection's import after the page at hand; without any: what is paused.
    Pause(Target),
    /// Push there again; go on with the import where it stopped.
    Resume(Target),
    /// How far the first reading of each connection has come, or a later one that takes more than a page.
    Imports { connection: Option<String> },
    /// Run now: orders-in, listings-in, webhooks, rates-in, push, prices or fulfilment.
    Run {
        connection: String,
        #[arg(default_value = "orders-in", value_parser = ["orders-in", "listings-in", "webhooks", "rates-in", "push", "prices", "fulfilment"])]
        what: String,
    },
    /// What the hub is busy with, what was not sent, what was refused.
    Status,
    /// What channels showed and had not been told, newest first.
    Drift {
        #[arg(long)]
        connection: Option<String>,
        /// At this time or later, RFC 3339.
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        #[arg(long)]
        limit: Option<u32>,
    },
    /// Recent deliveries.
    Deliveries {
        #[command(flatten)]
        which: Which,
        /// new, done, ignored or refused.
        #[arg(long)]
        state: Option<String>,
    },
    /// Translate deliveries again: one, or those that fit.
    Replay {
        #[arg(conflicts_with_all = ["state", "connection", "cause", "since", "until"])]
        delivery: Option<String>,
        #[command(flatten)]
        which: Which,
        /// new, done, ignored or refused.
        #[arg(long)]
        state: Option<String>,
    },
    /// What is not tried again until somebody says so: lanes that stand still, and deliveries that were refused.
    Dead {
        #[command(flatten)]
        which: Which,
        /// Of lanes: inbound, poll, push, fulfilment, …
        #[arg(long)]
        kind: Option<String>,
    },
    /// Let lanes that stand still run again: one, or those that fit.
    Retry {
        #[arg(conflicts_with_all = ["kind", "connection", "cause", "since", "until"])]
        lane: Option<String>,
        #[command(flatten)]
        which: Which,
        /// inbound, poll, push, fulfilment, …
        #[arg(long)]
        kind: Option<String>,
    },
    /// Drop what is not needed: deliveries, lanes with what waits on them, or the refused deliveries that fit.
    Skip {
        #[arg(conflicts_with_all = ["connection", "cause", "since", "until"])]
        what: Vec<String>,
        #[command(flatten)]
        which: Which,
    },
}

/// What is meant; without any: all.
#[derive(Args)]
pub struct Which {
    #[arg(long)]
    connection: Option<String>,
    /// Part of the reason, word for word.
    #[arg(long, value_name = "TEXT")]
    cause: Option<String>,
    /// What arrived or stands still since this time or later, RFC 3339.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// What arrived or stands still since before this time, RFC 3339.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

impl Which {
    fn query(&self, name: &str, more: Option<String>) -> String {
        super::query(&[
            ("connection", self.connection.clone()),
            ("cause", self.cause.clone()),
            ("since", self.since.clone()),
            ("until", self.until.clone()),
            (name, more),
        ])
    }

    fn body(self, name: &str, more: Option<String>) -> Value {
        json!({ "connection": self.connection, "cause": self.cause, "since": self.since, "until": self.until, name: more })
    }
}

const DELIVERIES: print::Columns = &[("ID", "id"), ("TOPIC", "topic"), ("RECEIVED", "received_at"), ("STATE", "state"), ("WHY", "reason")];

const IMPORTS: print::Columns = &[
    ("CONNECTION", "connection"),
    ("STREAM", "stream"),
    ("STATE", "state"),
    ("DONE", "done"),
    ("OF", "total"),
    ("PER CENT", "per_cent"),
    ("A MINUTE", "per_minute"),
    ("ENDS ABOUT", "ends_at"),
    ("PROBLEM", "problem"),
];

pub async fn run(hub: &Hub, command: Command, json: bool) -> Result<(), Stop> {
    match command {
        Command::Plan { connection } => {
            let plan = hub.ask("POST", &format!("/connections/{}/plan", part(&connection)), &json!({})).await?;
            if json {
                say!("{plan}");
                return Ok(());
            }
            say_plan(&plan, "sync");
        }
        Command::Guards { connection, zero_share, zero_free, price_move } => {
            let address = format!("/connections/{}/guards", part(&connection));
            let mut change = serde_json::Map::new();
            let given = [
                ("zero_share_bps", zero_share.map(|percent| i64::from(percent) * 100)),
                ("zero_free", zero_free.map(i64::from)),
                ("price_move_bps", price_move.map(|percent| i64::from(percent) * 100)),
            ];
            change.extend(given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?)))));
            if change.is_empty() {
                print::answer(json, &hub.get(&address).await?, &[]);
                return Ok(());
            }
            print::answer(json, &hub.ask("PATCH", &address, &Value::Object(change)).await?, &[]);
            hub.work().await?;
        }
        Command::Pause(Target { channel: None, connection: None, listing: None, import: None }) => {
            let list = hub.get("/sync/pauses").await?;
            print::answer(json, &list, &[("SCOPE", "scope"), ("SUBJECT", "subject"), ("SINCE", "since_at"), ("BY", "actor")]);
        }
        Command::Pause(target) => print::answer(json, &target.ask(hub, true).await?, &[]),
        Command::Resume(target) => {
            print::answer(json, &target.ask(hub, false).await?, &[]);
            hub.work().await?;
        }
        Command::Apply { plan } => {
            print::answer(json, &hub.ask("POST", &format!("/plans/{}/accept", part(&plan)), &json!({})).await?, &[]);
            hub.work().await?;
        }
        Command::Run { connection, what } => {
            print::answer(json, &hub.ask("POST", "/sync/run", &json!({ "connection": connection, "run": what })).await?, &[]);
            hub.work().await?;
        }
        Command::Imports { connection } => {
            let list = hub.get(&format!("/sync/imports{}", super::query(&[("connection", connection)]))).await?;
            print::answer(json, &list, IMPORTS);
        }
        Command::Status => status(&hub.get("/sync/status").await?, json),
        Command::Drift { connection, since, limit } => {
            let which = [("connection", connection), ("since", since), ("limit", limit.map(|limit| limit.to_string()))];
            let list = hub.get(&format!("/sync/drift{}", super::query(&which))).await?;
            print::answer(
                json,
                &list,
                &[
                    ("SEEN", "seen_at"),
                    ("CONNECTION", "connection"),
                    ("SKU", "sku"),
                    ("FIELD", "field"),
                    ("TOLD", "told"),
                    ("SHOWED", "found"),
                    ("READ", "was_read"),
                ],
            );
        }
        Command::Deliveries { which, state } => {
            print::answer(json, &hub.get(&format!("/deliveries{}", which.query("state", state))).await?, DELIVERIES);
        }
        Command::Replay { delivery: None, which, state } => {
            print::answer(json, &hub.ask("POST", "/deliveries/replay", &which.body("state", state)).await?, &[]);
            hub.work().await?;
        }
        Command::Replay { delivery: Some(delivery), .. } => {
            print::answer(json, &hub.ask("POST", &format!("/deliveries/{}/replay", part(&delivery)), &json!({})).await?, &[]);
            hub.work().await?;
        }
        Command::Dead { which, kind } => {
            let lanes = hub.get(&format!("/sync/dead{}", which.query("kind", kind))).await?;
            let deliveries = hub.get(&format!("/deliveries{}", which.query("state", Some("refused".into())))).await?;
            dead(&lanes, &deliveries, json);
        }
        Command::Retry { lane: Some(lane), .. } => {
            print::answer(json, &hub.ask("POST", "/sync/lanes/release", &json!({ "lane": lane })).await?, &[]);
            hub.work().await?;
        }
        Command::Retry { lane: None, which, kind } => {
            print::answer(json, &hub.ask("POST", "/sync/lanes/retry", &which.body("kind", kind)).await?, &[]);
            hub.work().await?;
        }
        Command::Skip { what, which } if what.is_empty() => {
            print::answer(json, &hub.ask("POST", "/deliveries/skip", &which.body("state", None)).await?, &[]);
        }
        Command::Skip { what, .. } => {
            for what in what {
                let done = match what.contains('/') {
                    true => hub.ask("POST", "/sync/lanes/skip", &json!({ "lane": what })).await?,
                    false => hub.ask("POST", &format!("/deliveries/{}/skip", part(&what)), &json!({})).await?,
                };
                print::answer(json, &done, &[]);
            }
        }
    }
    Ok(())
}

/// One of them.
#[derive(Args)]
#[group(multiple = false)]
pub struct Target {
    /// The connector's name, such as shopify.
    #[arg(long)]
    channel: Option<String>,
    #[arg(long)]
    connection: Option<String>,
    #[arg(long)]
    listing: Option<String>,
    /// What a connection reads for the first time, or in many pages; webhooks and pushes go on.
    #[arg(long, value_name = "CONNECTION")]
    import: Option<String>,
}

impl Target {
    async fn ask(self, hub: &Hub, pause: bool) -> Result<Value, Stop> {
        let (scope, subject) = match self {
            Self { connection: Some(name), .. } => {
                let verb = if pause { "pause" } else { "resume" };
                return hub.ask("POST", &format!("/connections/{}/{verb}", part(&name)), &json!({})).await;
            }
            Self { channel: Some(name), .. } => ("channel", name),
            Self { listing: Some(id), .. } => ("listing", id),
            Self { import: Some(name), .. } => ("import", name),
            Self { .. } => return Err(Stop::usage("nothing is named; hint: give --channel, --connection, --listing or --import")),
        };
        match pause {
            true => hub.ask("POST", "/sync/pauses", &json!({ "scope": scope, "subject": subject })).await,
            false => {
                let what = super::query(&[("scope", Some(scope.to_owned())), ("subject", Some(subject))]);
                hub.ask("DELETE", &format!("/sync/pauses{what}"), &json!({})).await
            }
        }
    }
}

/// A plan for people; `noun` is the command that applies it.
pub fn say_plan(plan: &Value, noun: &str) {
    let columns: print::Columns =
        &[("SKU", "sku"), ("TITLE", "title"), ("SHOWS", "shows"), ("WOULD SHOW", "would_show"), ("WHY", "reason"), ("HELD", "held")];
    let prices: print::Columns = &[
        ("SKU", "sku"),
        ("TITLE", "title"),
        ("LIST", "list"),
        ("SHOWS", "shows"),
        ("WOULD SHOW", "would_show"),
        ("WHY", "reason"),
        ("HELD", "held"),
    ];
    if plan["purpose"] != json!("prices") {
        print::table(items(plan, "changes"), columns);
    }
    if plan["purpose"] != json!("first") {
        say!("\nprices:");
        print::table(items(plan, "prices"), prices);
    }
    if !items(plan, "no_price").is_empty() {
        say!("\nno price:");
        print::table(items(plan, "no_price"), &[("SKU", "sku"), ("TITLE", "title"), ("WHY", "reason")]);
    }
    say!("\n{} unchanged, {} parked, {} would go to zero", plan["unchanged"], plan["parked"], plan["to_zero"]);
    say!("accept it: entrepot {noun} apply {}", plan["id"].as_str().unwrap_or_default());
}

fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

fn dead(lanes: &Value, deliveries: &Value, json: bool) {
    if json {
        return say!("{}", json!({ "lanes": lanes, "deliveries": deliveries }));
    }
    print::table(items(lanes, "items"), &[("LANE", "lane"), ("SINCE", "quarantined_at"), ("FAILURES", "failures"), ("WHY", "reason")]);
    say!("\nrefused deliveries:");
    print::table(items(deliveries, "items"), DELIVERIES);
    if [lanes, deliveries].iter().any(|list| list["next_cursor"].is_string()) {
        say!("\nthere are more; narrow the list with --connection, --cause, --since or --until");
    }
    say!("\n`sync retry` lets lanes run again, `sync replay` translates deliveries again, `sync skip` drops what is not needed");
}

/// A cause with its money as one text.
fn in_words(cause: &Value) -> Value {
    let mut told = cause.clone();
    let money = |value: &Value| {
        let currency = crate::money::Currency::from_code(value["currency"].as_str()?).ok()?;
        Some(crate::money::Money::new(value["amount_minor"].as_i64()?, currency).to_string())
    };
    let mut amounts: Vec<String> = items(cause, "at_risk").iter().filter_map(money).collect();
    if let Some(more) = cause["unvalued"].as_i64().filter(|more| *more > 0) {
        amounts.push(format!("{more} of unknown value"));
    }
    told["at_risk"] = Value::String(amounts.join(", "));
    told
}

fn status(found: &Value, json: bool) {
    if json {
        return say!("{found}");
    }
    let causes: Vec<Value> = items(found, "causes").iter().map(in_words).collect();
    let columns: print::Columns = &[
        ("WHAT", "what"),
        ("KIND", "kind"),
        ("CONNECTION", "connection"),
        ("COUNT", "count"),
        ("STILL", "stands_still"),
        ("ORDERS", "orders"),
        ("AT RISK", "at_risk"),
        ("CAUSE", "cause"),
        ("DO", "remedy"),
    ];
    say!("causes:");
    print::table(&causes, columns);
    say!("");
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
        ("imports", "imports", IMPORTS),
        ("failing", "failing", &[("LANE", "lane"), ("FAILURES", "failures"), ("WHY", "reason")] as print::Columns),
        ("not sent", "unsent", &[("LISTING", "listing"), ("FIELD", "field"), ("HELD", "held"), ("WHY", "problem"), ("AGAIN", "retry_at")]),
        ("refused", "refusals", &[("KIND", "kind"), ("CHANNEL'S ID", "external_id"), ("WHY", "reason"), ("SEEN", "seen_at")]),
    ] {
        say!("\n{title}:");
        print::table(items(found, name), columns);
    }
}
