//! `plugin`: packing and trying for authors, without a hub; installing and removing, with one.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use super::hub::Hub;
use super::{Stop, part, print, query};
use crate::clock::{self, Clock};
use crate::ctx::Tenant;
use crate::id::Entropy;
use crate::plugins::artifact::{self, Inspected};
use crate::plugins::compile::Compiler;
use crate::plugins::grant::Grant;
use crate::plugins::package::Build;
use crate::plugins::services::Nothing;
use crate::plugins::trial::{Delivery, Tried};
use crate::plugins::{Engine, Registry};

#[derive(Subcommand)]
pub enum Command {
    /// Compile a connector crate and pack it with its manifest into one file.
    Build {
        /// Folder with Cargo.toml and manifest.json.
        #[arg(default_value = ".")]
        dir: PathBuf,
        /// Where to write the packed connector.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Where cargo keeps its work; default: `plugins` inside the workspace's target directory.
        #[arg(long, value_name = "DIR")]
        target_dir: Option<PathBuf>,
    },
    /// Run one piece of a connector in the sandbox, without a connection and without a network.
    Try {
        /// A packed connector (a file), or the name of an installed one.
        plugin: PathBuf,
        #[command(subcommand)]
        what: Trial,
    },
    /// Show what a packed connector is and wants, without running it.
    Inspect { file: PathBuf },
    /// Install a packed connector after showing what it asks for.
    Install {
        file: PathBuf,
        /// What is allowed, as JSON in the manifest's words.
        #[arg(long, value_name = "FILE", conflicts_with = "yes")]
        grant: Option<PathBuf>,
        /// Allow all it asks for.
        #[arg(long)]
        yes: bool,
    },
    /// Installed connectors.
    List,
    /// What an installed connector is and may do.
    Show { name: String },
    /// Remove one that no connection uses.
    Remove { name: String },
}

impl Command {
    /// Whether it needs no hub.
    pub fn alone(self) -> Result<Self, Self> {
        match self {
            Self::Build { .. } | Self::Inspect { .. } => Ok(self),
            Self::Try { ref plugin, .. } if plugin.exists() => Ok(self),
            other => Err(other),
        }
    }
}

/// The commands about a hub.
pub async fn at(hub: &Hub, command: Command, json: bool) -> Result<(), Stop> {
    match command {
        Command::List => {
            let list = hub.get("/plugins").await?;
            print::answer(
                json,
                &list,
                &[("NAME", "name"), ("VERSION", "version"), ("LOADED", "loaded"), ("INSTALLED", "installed_at"), ("BY", "installed_by")],
            );
        }
        Command::Show { name } => print::answer(json, &hub.get(&format!("/plugins/{}", part(&name))).await?, &[]),
        Command::Remove { name } => print::answer(json, &hub.ask("DELETE", &format!("/plugins/{}", part(&name)), &json!({})).await?, &[]),
        Command::Install { file, grant, yes } => {
            let bytes = std::fs::read(&file).map_err(|error| Stop::usage(format!("{} cannot be read: {error}", file.display())))?;
            let asked = hub.send("POST", "/plugins/inspect", "application/octet-stream", bytes.clone()).await?;
            if !json {
                say!("{} {} asks to:", asked["title"].as_str().unwrap_or_default(), asked["version"].as_str().unwrap_or_default());
                for permission in asked["permissions"].as_array().into_iter().flatten() {
                    say!("  - {}", permission["sentence"].as_str().unwrap_or_default());
                }
            }
            let grant = match (grant, yes) {
                (Some(path), _) => String::from_utf8(
                    std::fs::read(&path).map_err(|error| Stop::usage(format!("{} cannot be read: {error}", path.display())))?,
                )
                .map_err(|_| Stop::usage(format!("{} is not text", path.display())))?,
                (None, true) => "all".to_owned(),
                (None, false) => agreed()?,
            };
            let target = format!("/plugins{}", query(&[("grant", Some(grant))]));
            print::answer(json, &hub.send("POST", &target, "application/octet-stream", bytes).await?, &[]);
        }
        Command::Try { plugin, what } => {
            let name = plugin.display().to_string();
            let bytes = hub.bytes("GET", &format!("/plugins/{}/artifact", part(&name)), "application/json", Vec::new()).await?;
            let Trial::Translate { topic, headers, config, file } = what;
            let code = tokio::task::spawn_blocking(move || translate(bytes, topic, &headers, config.as_deref(), &file)).await;
            let code = code.map_err(|error| Stop::failed(error.to_string()))?.map_err(Stop::failed)?;
            if code != 0 {
                return Err(Stop { code, ..Stop::failed("the connector refused this delivery, see above") });
            }
        }
        Command::Build { .. } | Command::Inspect { .. } => return Err(Stop::usage("this command needs no hub")),
    }
    Ok(())
}

/// Asks the person at the terminal.
fn agreed() -> Result<String, Stop> {
    if !std::io::stdin().is_terminal() {
        return Err(Stop::usage(
            "nothing was granted and nobody can be asked; hint: --yes allows all of the above, --grant FILE what the file says",
        ));
    }
    eprint!("Allow this? [y/N] ");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(|error| Stop::failed(error.to_string()))?;
    match line.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok("all".to_owned()),
        _ => Err(Stop::failed("nothing was installed")),
    }
}

#[derive(Subcommand)]
pub enum Trial {
    /// Print what the connector makes of one webhook body: its events (exit code 0), its refusal (3) or its crash (1).
    Translate {
        /// The delivery's topic.
        #[arg(long)]
        topic: String,
        /// Headers of the delivery, as `name: value`.
        #[arg(long = "header", value_name = "HEADER")]
        headers: Vec<String>,
        /// Settings of the connection, a JSON object.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// The body; `-` reads standard input.
        file: PathBuf,
    },
}

/// A typed refusal by the connector.
const REFUSED: u8 = 3;

/// The commands that need no hub.
pub fn run(command: Command, json: bool) -> ExitCode {
    let result = match command {
        Command::Build { dir, out, target_dir } => build(&dir, out.as_deref(), target_dir.as_deref(), json),
        Command::Inspect { file } => inspect(&file, json),
        Command::Try { plugin, what: Trial::Translate { topic, headers, config, file } } => {
            read(&plugin).and_then(|wasm| translate(wasm, topic, &headers, config.as_deref(), &file)).map(ExitCode::from)
        }
        Command::Install { .. } | Command::List | Command::Show { .. } | Command::Remove { .. } => {
            Err("this command needs a hub".to_owned())
        }
    };
    match result {
        Ok(code) => code,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn build(dir: &Path, out: Option<&Path>, target_dir: Option<&Path>, json: bool) -> Result<ExitCode, String> {
    let package = Build { dir, out, target_dir }.run().map_err(|error| error.to_string())?;
    if json {
        let mut value = describe(&package.inspected);
        value["path"] = json!(package.path);
        value["core_bytes"] = json!(package.core_bytes);
        say!("{value}");
    } else {
        say!("{}", package.path.display());
        say!("module {} bytes, packed {} bytes", package.core_bytes, package.inspected.bytes);
        print(&package.inspected);
    }
    Ok(ExitCode::SUCCESS)
}

fn inspect(file: &Path, json: bool) -> Result<ExitCode, String> {
    let bytes = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let inspected = artifact::inspect(&bytes).map_err(|error| error.to_string())?;
    if json {
        say!("{}", describe(&inspected));
    } else {
        print(&inspected);
    }
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let result = if file == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes).map(drop)
    } else {
        std::fs::read(file).map(|all| bytes = all)
    };
    result.map(|()| bytes).map_err(|error| format!("{}: {error}", file.display()))
}

/// `name: value` pairs, names in lower case.
fn parse_headers(headers: &[String]) -> Result<Vec<(String, String)>, String> {
    let parse = |header: &String| match header.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_ascii_lowercase(), value.trim().to_owned())),
        _ => Err(format!("`{header}` is not a header; write `name: value`")),
    };
    headers.iter().map(parse).collect()
}

fn translate(wasm: Vec<u8>, topic: String, headers: &[String], config: Option<&Path>, file: &Path) -> Result<u8, String> {
    let text = |path: &Path| String::from_utf8(read(path)?).map_err(|_| format!("{} is not UTF-8", path.display()));
    let config = config.map_or_else(|| Ok("{}".to_owned()), text)?;
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&config)
        .map_err(|error| format!("the settings are not a JSON object: {error}"))?;
    let clock = Clock::system();
    let delivery = Delivery { topic, headers: parse_headers(headers)?, body: text(file)?, received_at: clock::to_rfc3339(clock.now_ms()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let tried = runtime.block_on(async {
        let engine = Engine::new().map_err(|error| error.to_string())?;
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let compiler = Compiler::uncached(&engine, program, Entropy::system());
        let registry = Registry::new(engine, compiler);
        let prepared = registry.prepare(wasm).await.map_err(|error| error.to_string())?;
        let tenant = Tenant::main();
        let plugin = registry.enable(&tenant, &prepared, Grant::all(&prepared.inspected.manifest));
        let caller = plugin.caller(Nothing::services(clock), tenant, None, true);
        Ok::<_, String>(caller.try_translate(&config, &delivery).await)
    })?;
    match tried {
        Tried::Mapped(events) => say!("{events:#}"),
        Tried::Refused(failure) => {
            say!("{failure:#}");
            return Ok(REFUSED);
        }
        Tried::Crashed(error) => return Err(format!("{}: {error}", error.code())),
    }
    Ok(0)
}

fn print(inspected: &Inspected) {
    let manifest = &inspected.manifest;
    say!("{} {} ({})", manifest.name, manifest.version, manifest.title);
    say!("sha256 {}", inspected.digest);
    say!("needs contract {}", inspected.requires);
    say!("imports {}", inspected.imports.join(", "));
    say!("exports {}", inspected.exports.join(", "));
}

fn describe(inspected: &Inspected) -> serde_json::Value {
    json!({
        "manifest": inspected.manifest,
        "sha256": inspected.digest,
        "requires": inspected.requires.to_string(),
        "imports": inspected.imports,
        "exports": inspected.exports,
        "bytes": inspected.bytes,
    })
}
