//! `connection`: our accounts at channels.

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::hub::Hub;
use super::{Page, Stop, pair, part, print, query, read};

#[derive(Subcommand)]
pub enum Command {
    /// Add an account; it only observes until a plan is accepted.
    Add {
        /// The connector.
        plugin: String,
        #[arg(long)]
        name: String,
        /// A setting; the value is JSON, or else text.
        #[arg(long = "setting", visible_alias = "with", value_name = "KEY=VALUE")]
        settings: Vec<String>,
        /// A secret; `name=@FILE` reads it from a file.
        #[arg(long = "secret", value_name = "NAME=VALUE")]
        secrets: Vec<String>,
        /// An origin beyond the connector's manifest, private addresses included.
        #[arg(long = "grant-origin", value_name = "URL")]
        origins: Vec<String>,
        /// Orders before this time never reserve; RFC 3339, default now.
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
    },
    List(Page),
    Show {
        connection: String,
    },
    /// Do the credentials work, and whose are they?
    Check {
        connection: String,
    },
    /// Allow an origin by hand.
    Grant {
        connection: String,
        origin: String,
    },
    Revoke {
        connection: String,
        origin: String,
    },
    /// Store a secret; `name=@FILE` reads it from a file.
    Secret {
        connection: String,
        secret: String,
    },
    Pause {
        connection: String,
    },
    Resume {
        connection: String,
    },
    /// Units held back on every listing of it.
    Buffer {
        connection: String,
        units: i64,
    },
    /// When it reads by itself; with RUN and CRON: set that.
    Schedule {
        connection: String,
        run: Option<String>,
        cron: Option<String>,
    },
    Remove {
        connection: String,
        /// Although work is open.
        #[arg(long)]
        force: bool,
    },
}

fn secret(text: &str) -> Result<(String, Value), Stop> {
    let (name, value) = pair(text)?;
    let value = match value.strip_prefix('@') {
        Some(path) => {
            let text = String::from_utf8(read(std::path::Path::new(path))?).map_err(|_| Stop::usage(format!("{path} is not text")))?;
            text.trim_end_matches(['\r', '\n']).to_owned()
        }
        None => value.to_owned(),
    };
    Ok((name.to_owned(), value.into()))
}

fn setting(text: &str) -> Result<(String, Value), Stop> {
    let (name, value) = pair(text)?;
    Ok((name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| value.into())))
}

pub async fn run(hub: &Hub, command: Command, json: bool) -> Result<(), Stop> {
    let at = |name: &str, rest: &str| format!("/connections/{}{rest}", part(name));
    let done = match command {
        Command::Add { plugin, name, settings, secrets, origins, since } => {
            let settings = settings.iter().map(|text| setting(text)).collect::<Result<Map<_, _>, _>>()?;
            let secrets = secrets.iter().map(|text| secret(text)).collect::<Result<Map<_, _>, _>>()?;
            let new =
                json!({ "plugin": plugin, "name": name, "settings": settings, "secrets": secrets, "origins": origins, "since_at": since });
            hub.ask("POST", "/connections", &new).await?
        }
        Command::List(page) => {
            let list = hub.get(&format!("/connections{}", page.with(&[]))).await?;
            print::answer(
                json,
                &list,
                &[("ID", "id"), ("NAME", "name"), ("PLUGIN", "plugin"), ("STATE", "state"), ("HEALTH", "health"), ("WHY", "health_reason")],
            );
            return Ok(());
        }
        Command::Show { connection } => hub.get(&at(&connection, "")).await?,
        Command::Check { connection } => hub.ask("POST", &at(&connection, "/check"), &json!({})).await?,
        Command::Grant { connection, origin } => hub.ask("POST", &at(&connection, "/origins"), &json!({ "origin": origin })).await?,
        Command::Revoke { connection, origin } => {
            hub.ask("DELETE", &at(&connection, &format!("/origins{}", query(&[("origin", Some(origin))]))), &json!({})).await?
        }
        Command::Secret { connection, secret: text } => {
            let (name, value) = secret(&text)?;
            hub.ask("PUT", &at(&connection, &format!("/secrets/{}", part(&name))), &json!({ "value": value })).await?
        }
        Command::Pause { connection } => hub.ask("POST", &at(&connection, "/pause"), &json!({})).await?,
        Command::Resume { connection } => hub.ask("POST", &at(&connection, "/resume"), &json!({})).await?,
        Command::Buffer { connection, units } => hub.ask("PATCH", &at(&connection, ""), &json!({ "buffer": units })).await?,
        Command::Schedule { connection, run: Some(run), cron: Some(cron) } => {
            hub.ask("PUT", &at(&connection, &format!("/schedules/{}", part(&run))), &json!({ "cron": cron })).await?
        }
        Command::Schedule { run: Some(_), cron: None, .. } => {
            return Err(Stop::usage("the times are missing; hint: five cron fields in quotes"));
        }
        Command::Schedule { connection, .. } => {
            let list = hub.get(&at(&connection, "/schedules")).await?;
            print::answer(json, &list, &[("RUN", "run"), ("CRON", "cron"), ("ON", "enabled"), ("NEXT", "next_at")]);
            return Ok(());
        }
        Command::Remove { connection, force } => hub.ask("DELETE", &at(&connection, &format!("?force={force}")), &json!({})).await?,
    };
    print::answer(json, &done, &[]);
    Ok(())
}
