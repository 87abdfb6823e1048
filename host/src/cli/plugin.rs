//! `plugin build|inspect`: for authors, without a hub.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use crate::plugins::artifact::{self, Inspected};
use crate::plugins::package::Build;

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
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show what a packed connector is and wants, without running it.
    Inspect {
        file: PathBuf,
        #[arg(long)]
        json: bool,
    },
}

pub fn run(command: Command) -> ExitCode {
    let result = match command {
        Command::Build { dir, out, target_dir, json } => build(&dir, out.as_deref(), target_dir.as_deref(), json),
        Command::Inspect { file, json } => inspect(&file, json),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn build(dir: &Path, out: Option<&Path>, target_dir: Option<&Path>, json: bool) -> Result<(), String> {
    let package = Build { dir, out, target_dir }.run().map_err(|error| error.to_string())?;
    if json {
        let mut value = describe(&package.inspected);
        value["path"] = json!(package.path);
        value["core_bytes"] = json!(package.core_bytes);
        println!("{value}");
    } else {
        println!("{}", package.path.display());
        println!("module {} bytes, packed {} bytes", package.core_bytes, package.inspected.bytes);
        print(&package.inspected);
    }
    Ok(())
}

fn inspect(file: &Path, json: bool) -> Result<(), String> {
    let bytes = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let inspected = artifact::inspect(&bytes).map_err(|error| error.to_string())?;
    if json {
        println!("{}", describe(&inspected));
    } else {
        print(&inspected);
    }
    Ok(())
}

fn print(inspected: &Inspected) {
    let manifest = &inspected.manifest;
    println!("{} {} ({})", manifest.name, manifest.version, manifest.title);
    println!("sha256 {}", inspected.digest);
    println!("needs contract {}", inspected.requires);
    println!("imports {}", inspected.imports.join(", "));
    println!("exports {}", inspected.exports.join(", "));
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
