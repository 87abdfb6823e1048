//! The command line. One file per subcommand; none of them contains SQL.
//!
//! Every command about a hub is a client of its API: of the running hub's, or of the same routes in this process ([`hub`]).
//! Exit code 2: wrong usage or configuration. 1: refused, failed or unreachable. A subcommand may have more, and says so.

/// Prints a line; a reader who has gone away, as `head` does, is no failure.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout(), $($text)*);
    }};
}

mod backup;
mod catalogue;
mod connection;
mod crossborder;
mod database;
#[cfg(feature = "demo")]
mod demo;
mod hub;
mod office;
mod person;
mod place;
mod plugin;
mod price;
mod print;
mod rate;
mod sales;
mod serve;
mod shelves;
mod sync;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use hub::Hub;
use place::Place;

/// One catalogue, one stock, many channels.
#[derive(Parser)]
#[command(name = "entrepot", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Commands of one noun, with the flags that say which hub is meant.
#[derive(Args)]
struct Noun<C: Subcommand> {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: C,
}

#[derive(Subcommand)]
enum Command {
    /// Run the hub.
    Serve(serve::Serve),
    /// The real hub between two simulated shops, on a bare machine.
    #[cfg(feature = "demo")]
    Demo(demo::Options),
    /// Is everything as it should be? Exit code 1 if not.
    Doctor(Place),
    /// Bring the database up to date.
    Migrate(serve::Migrate),
    /// Copy the database into one file while the hub works; the master key is not in it.
    Backup(backup::Backup),
    /// Put such a copy where there is no hub.
    Restore(backup::Restore),
    /// The database as a whole.
    Database(Noun<database::Command>),
    /// What an error code means and what to do.
    Explain(office::Explain),
    /// The configuration.
    Config {
        #[command(subcommand)]
        command: office::Config,
    },
    /// A one-time link that opens the pages.
    Login(Place),
    /// Pack, try, install and remove connectors.
    Plugin(Noun<plugin::Command>),
    /// Our accounts at channels.
    Connection(Noun<connection::Command>),
    /// The catalogue.
    Product(Noun<catalogue::Product>),
    /// What channels offer, and which variant of ours each offer is.
    Listing(Noun<catalogue::Listing>),
    /// What is on the shelf and what is promised.
    Stock(Noun<sales::Stock>),
    /// Base prices, price lists, and telling them to channels.
    Price(Noun<price::Command>),
    /// What was sold.
    Order(Noun<sales::Order>),
    /// Buyers who ask what is kept of them, or to be forgotten.
    Person(Noun<person::Command>),
    /// Exchange rates.
    Rate(Noun<rate::Command>),
    /// Where goods lie.
    Location(Noun<sales::Location>),
    /// Tax, duty and landed cost: who owes what by which rule.
    Crossborder(Noun<crossborder::Command>),
    /// Plans, limits and pauses of pushes, runs by hand, repairs.
    Sync(Noun<sync::Command>),
    /// API keys.
    Key(Noun<office::Key>),
    /// What seals credentials and personal data.
    Secrets(Noun<office::Secrets>),
    /// Compiles one connector for the hub that started it; not for people.
    #[command(hide = true)]
    PluginCompileChild,
}

const CONFIGURATION: u8 = 2;

/// Why a command ends early.
#[derive(Debug)]
pub struct Stop {
    code: u8,
    message: String,
    refusal: Option<Value>,
}

impl Stop {
    fn failed(message: impl Into<String>) -> Self {
        Self { code: 1, message: message.into(), refusal: None }
    }

    /// What had to be said was printed already.
    fn silent() -> Self {
        Self { code: 1, message: String::new(), refusal: None }
    }

    /// Whether the hub refused with this code.
    fn is(&self, code: &str) -> bool {
        self.refusal.as_ref().is_some_and(|refusal| refusal["code"] == code)
    }

    fn usage(message: impl Into<String>) -> Self {
        Self { code: CONFIGURATION, message: message.into(), refusal: None }
    }
}

impl From<crate::config::Error> for Stop {
    fn from(error: crate::config::Error) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<crate::app::Error> for Stop {
    fn from(error: crate::app::Error) -> Self {
        use crate::app::Error as App;
        let message = crate::store::chain(&error);
        match error {
            App::Sync(_) => Self::failed(message),
            App::MasterKey(_) | App::Secrets(crate::secrets::Error::WrongMasterKey { .. }) | App::Folder { .. } | App::Tls(_) => {
                Self::usage(message)
            }
            App::Store(crate::store::Error::Driver(_)) => {
                Self::failed(format!("the database cannot be reached: {message}; hint: check database.url and that its server runs"))
            }
            App::Store(_)
            | App::Secrets(_)
            | App::Sandbox(_)
            | App::Compiler(_)
            | App::Plugin(_)
            | App::Listen { .. }
            | App::Program(_) => Self::failed(message),
        }
    }
}

pub fn main() -> ExitCode {
    match Cli::parse().command {
        #[cfg(feature = "demo")]
        Command::Demo(options) => demo::run(options),
        Command::PluginCompileChild => crate::plugins::compile::child(),
        Command::Explain(wish) => office::explain(&wish),
        Command::Config { command: office::Config::Default { json } } => office::defaults(json),
        Command::Plugin(noun) => match noun.command.alone() {
            Ok(command) => plugin::run(command, noun.place.json),
            Err(command) => finish(with_hub(noun.place, async |hub, json| plugin::at(hub, command, json).await)),
        },
        Command::Serve(wish) => finish(block(serve::run(wish))),
        Command::Migrate(wish) => finish(block(serve::migrate(wish))),
        Command::Backup(wish) => finish(with_hub(wish.place, async |hub, json| backup::run(hub, wish.file, json).await)),
        Command::Database(noun) => {
            let json = noun.place.json;
            finish(block(database::run(noun.place, noun.command)).map_err(|(stop, _)| (stop, json)))
        }
        Command::Restore(wish) => finish(block(backup::restore(wish))),
        Command::Doctor(place) => finish(with_hub(place, office::doctor)),
        Command::Login(place) => finish(with_hub(place, office::login)),
        Command::Connection(noun) => finish(with_hub(noun.place, async |hub, json| connection::run(hub, noun.command, json).await)),
        Command::Product(noun) => finish(with_hub(noun.place, async |hub, json| catalogue::product(hub, noun.command, json).await)),
        Command::Listing(noun) => finish(with_hub(noun.place, async |hub, json| catalogue::listing(hub, noun.command, json).await)),
        Command::Stock(noun) => finish(with_hub(noun.place, async |hub, json| sales::stock(hub, noun.command, json).await)),
        Command::Price(noun) => finish(with_hub(noun.place, async |hub, json| price::run(hub, noun.command, json).await)),
        Command::Order(noun) => finish(with_hub(noun.place, async |hub, json| sales::order(hub, noun.command, json).await)),
        Command::Person(noun) => finish(with_hub(noun.place, async |hub, json| person::run(hub, noun.command, json).await)),
        Command::Rate(noun) => finish(with_hub(noun.place, async |hub, json| rate::run(hub, noun.command, json).await)),
        Command::Location(noun) => finish(with_hub(noun.place, async |hub, json| sales::location(hub, noun.command, json).await)),
        Command::Crossborder(noun) => {
            let json = noun.place.json;
            finish(block(async move { noun.command.run(&noun.place).await }).map_err(|(stop, _)| (stop, json)))
        }
        Command::Sync(noun) => finish(with_hub(noun.place, async |hub, json| sync::run(hub, noun.command, json).await)),
        Command::Key(noun) => finish(with_hub(noun.place, async |hub, json| office::key(hub, noun.command, json).await)),
        Command::Secrets(noun) => finish(with_hub(noun.place, async |hub, json| office::secrets(hub, noun.command, json).await)),
    }
}

fn block(work: impl Future<Output = Result<(), Stop>>) -> Result<(), (Stop, bool)> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| (Stop::failed(format!("the runtime could not start: {error}")), false))?;
    runtime.block_on(work).map_err(|stop| (stop, false))
}

fn with_hub(place: Place, work: impl AsyncFnOnce(&Hub, bool) -> Result<(), Stop>) -> Result<(), (Stop, bool)> {
    let json = place.json;
    let whole = async {
        let hub = Hub::find(&place).await?;
        let done = work(&hub, json).await;
        hub.close().await;
        done
    };
    block(whole).map_err(|(stop, _)| (stop, json))
}

fn finish(done: Result<(), (Stop, bool)>) -> ExitCode {
    let Err((stop, json)) = done else { return ExitCode::SUCCESS };
    match &stop.refusal {
        Some(refusal) if json => say!("{refusal}"),
        _ if stop.message.is_empty() => {}
        _ => eprintln!("error: {}", stop.message),
    }
    ExitCode::from(stop.code)
}

/// One segment of an address.
fn part(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// `?a=1&b=2` of those that are given.
fn query(pairs: &[(&str, Option<String>)]) -> String {
    let given: Vec<String> = pairs.iter().filter_map(|(name, value)| Some(format!("{name}={}", part(value.as_deref()?)))).collect();
    if given.is_empty() { String::new() } else { format!("?{}", given.join("&")) }
}

/// `name=value`.
fn pair(text: &str) -> Result<(&str, &str), Stop> {
    text.split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| Stop::usage(format!("`{text}` has no `=`; hint: write NAME=VALUE")))
}

/// A file, or standard input for `-`.
fn read(path: &std::path::Path) -> Result<Vec<u8>, Stop> {
    let mut bytes = Vec::new();
    let read = match path == std::path::Path::new("-") {
        true => std::io::Read::read_to_end(&mut std::io::stdin(), &mut bytes).map(drop),
        false => std::fs::read(path).map(|all| bytes = all),
    };
    read.map(|()| bytes).map_err(|error| Stop::usage(format!("{} cannot be read: {error}", path.display())))
}

/// Which page of a list.
#[derive(Args)]
struct Page {
    /// Where it begins: what the page before said.
    #[arg(long)]
    cursor: Option<String>,
    /// How many, up to 500.
    #[arg(long)]
    limit: Option<u32>,
}

impl Page {
    fn with(self, more: &[(&str, Option<String>)]) -> String {
        let mut pairs = more.to_vec();
        pairs.extend([("cursor", self.cursor), ("limit", self.limit.map(|limit| limit.to_string()))]);
        query(&pairs)
    }
}
