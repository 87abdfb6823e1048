//! The command line. One file per subcommand; none of them contains SQL.
//!
//! Exit code 2: wrong usage or configuration. 1: refused, failed or unreachable. A subcommand may have more, and says so.

#[cfg(feature = "demo")]
mod demo;
mod plugin;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// One catalogue, one stock, many channels.
#[derive(Parser)]
#[command(name = "entrepot", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The real hub between two simulated shops, on a bare machine.
    #[cfg(feature = "demo")]
    Demo(demo::Options),
    /// Pack, look at and try connectors.
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Compiles one connector for the hub that started it; not for people.
    #[command(hide = true)]
    PluginCompileChild,
}

pub fn main() -> ExitCode {
    match Cli::parse().command {
        #[cfg(feature = "demo")]
        Command::Demo(options) => demo::run(options),
        Command::Plugin(command) => plugin::run(command),
        Command::PluginCompileChild => crate::plugins::compile::child(),
    }
}
