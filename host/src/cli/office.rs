//! `doctor`, `explain`, `config`, `login`, `key`, `secrets`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::hub::Hub;
use super::{Page, Stop, part, print};
use crate::api::error::Code;

#[derive(Args)]
pub struct Explain {
    /// The code in an error's brackets; none: list them all.
    code: Option<String>,
}

pub fn explain(wish: &Explain) -> ExitCode {
    let Some(code) = &wish.code else {
        Code::ALL.iter().for_each(|code| say!("{}", code.word()));
        return ExitCode::SUCCESS;
    };
    match crate::api::explain::page(code) {
        Some(page) => {
            print!("{page}");
            ExitCode::SUCCESS
        }
        None => {
            eprintln!("error: there is no code `{code}`; hint: `entrepot explain` lists them");
            ExitCode::from(super::CONFIGURATION)
        }
    }
}

#[derive(Subcommand)]
pub enum Config {
    /// Every option with its default, its unit and what it may be: a file to begin with.
    Default {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

pub fn defaults(json: bool) -> ExitCode {
    let text = crate::config::DEFAULTS;
    match json.then(|| toml::from_str::<toml::Table>(text)) {
        None => say!("{}", text.trim_end()),
        Some(Ok(table)) => say!("{}", json!(table)),
        Some(Err(error)) => {
            eprintln!("error: {error}");
            return ExitCode::from(super::CONFIGURATION);
        }
    }
    ExitCode::SUCCESS
}

#[derive(Subcommand)]
pub enum Secrets {
    /// Wrap under the present master key what former ones still wrap; the hub goes on meanwhile.
    Rewrap,
}

pub async fn secrets(hub: &Hub, command: Secrets, json: bool) -> Result<(), Stop> {
    match command {
        Secrets::Rewrap => print::answer(json, &hub.ask("POST", "/secrets/rewrap", &json!({})).await?, &[]),
    }
    Ok(())
}

pub async fn doctor(hub: &Hub, json: bool) -> Result<(), Stop> {
    let found = hub.get("/doctor").await?;
    if json {
        say!("{found}");
    } else {
        print::table(
            found["checks"].as_array().map_or(&[], Vec::as_slice),
            &[("OK", "ok"), ("CHECK", "check"), ("FOUND", "about"), ("DO", "remedy")],
        );
    }
    if found["ok"] == true { Ok(()) } else { Err(Stop::failed("not everything is as it should be; hint: see the lines marked false")) }
}

pub async fn login(hub: &Hub, json: bool) -> Result<(), Stop> {
    let Hub::Running { url, .. } = hub else {
        return Err(Stop::failed("no hub is running; hint: start it with `entrepot serve`, which prints a link"));
    };
    let made = hub.ask("POST", "/login-links", &json!({})).await?;
    let link = format!("{}{}", url.trim_end_matches('/'), made["path"].as_str().unwrap_or_default());
    if json {
        say!("{}", json!({ "link": link }))
    } else {
        say!("{link}")
    }
    Ok(())
}

#[derive(Subcommand)]
pub enum Key {
    /// Make a key; it is shown once.
    Create {
        name: String,
        /// read, write or admin; each includes the ones before.
        #[arg(long, default_value = "read")]
        scope: String,
        /// RFC 3339.
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
    },
    List(Page),
    /// Stop a key at once.
    Revoke {
        id: String,
    },
}

pub async fn key(hub: &Hub, command: Key, json: bool) -> Result<(), Stop> {
    match command {
        Key::Create { name, scope, expires } => {
            let made = hub.ask("POST", "/keys", &json!({ "name": name, "scope": scope, "expires_at": expires })).await?;
            if json {
                say!("{made}");
            } else {
                say!("{}", made["secret"].as_str().unwrap_or_default());
                eprintln!("{} with scope {scope}; this key is not shown again", made["key"]["id"].as_str().unwrap_or_default());
            }
        }
        Key::List(page) => {
            let keys = hub.get(&format!("/keys{}", page.with(&[]))).await?;
            print::answer(
                json,
                &keys,
                &[
                    ("ID", "id"),
                    ("NAME", "name"),
                    ("BEGINS", "start"),
                    ("SCOPE", "scope"),
                    ("LAST USED", "last_used_at"),
                    ("EXPIRES", "expires_at"),
                    ("REVOKED", "revoked_at"),
                ],
            );
        }
        Key::Revoke { id } => {
            print::answer(json, &hub.send("DELETE", &format!("/keys/{}", part(&id)), "application/json", Vec::new()).await?, &[])
        }
    }
    Ok(())
}
