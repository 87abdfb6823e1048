//! `serve`: the hub, until somebody stops it.

use clap::Args;

use super::hub::{leave_key, lock};
use super::place::Place;
use super::{CONFIGURATION, Stop};
use crate::access::{self, Scope};
use crate::api;
use crate::app::{App, Options};
use crate::telemetry;

#[derive(Args)]
pub struct Serve {
    #[command(flatten)]
    place: Place,
    /// Address and port.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Where the internet reaches this hub.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
}

pub async fn run(serve: Serve) -> Result<(), Stop> {
    let found = serve.place.load(&[("server.listen", serve.listen), ("server.public_url", serve.public_url)])?;
    let config = found.config;
    telemetry::start(&config.log);
    let _lock = lock(&config)?;
    let address = config.server.listen;
    let listener = tokio::net::TcpListener::bind(address).await.map_err(|source| crate::app::Error::Listen { address, source })?;
    let address = listener.local_addr().map_err(|source| crate::app::Error::Listen { address, source })?;
    let app = App::open(Options::of(&config)?).await?;
    leave_key(&app, &config.data_folder, address).await?;
    let ctx = app.ctx.clone();
    let link = app.store.write(move |tx| Box::pin(async move { access::create_link(tx, &ctx, Scope::Admin).await })).await;
    let link = link.map_err(|error| Stop::failed(crate::store::chain(&error)))?;
    use std::io::Write as _;
    let mut out = std::io::stdout();
    let _ = writeln!(out, "hub listening on http://{address}");
    let _ = writeln!(
        out,
        "master key {} (keep {} safe: without it the credentials in the database cannot be read)",
        app.vault.master().fingerprint(),
        config.secrets.master_key_file.display()
    );
    if address.ip().is_loopback() {
        let _ = writeln!(
            out,
            "open the pages (works once, for ten minutes): http://{address}/login?token={}",
            link.expose_text().unwrap_or_default()
        );
    }
    let _ = out.flush();
    let router = api::router(&app);
    Ok(app.run(listener, router, stopped()).await?)
}

/// Ctrl-C, or the word of a service manager.
async fn stopped() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// `migrate`: brings the database up to date, or only says what would run.
#[derive(Args)]
pub struct Migrate {
    #[command(flatten)]
    place: Place,
    /// Only list what would run; exit code 1 if anything would.
    #[arg(long)]
    check: bool,
}

pub async fn migrate(wish: Migrate) -> Result<(), Stop> {
    let config = wish.place.load(&[])?.config;
    let _lock = lock(&config)?;
    let options = Options::of(&config)?;
    let failed = |error: crate::store::Error| Stop::failed(crate::store::chain(&error));
    let store = crate::store::Store::connect(&options.database).await.map_err(failed)?;
    let names = if wish.check { store.pending_migrations().await } else { store.migrate(&options.clock).await }.map_err(failed)?;
    store.close().await;
    if wish.place.json {
        say!("{}", serde_json::json!({ "migrations": names, "ran": !wish.check }));
    } else if names.is_empty() {
        say!("the database is up to date");
    } else {
        names.iter().for_each(|name| say!("{} {name}", if wish.check { "would run" } else { "ran" }));
    }
    match wish.check && !names.is_empty() {
        true => Err(Stop {
            code: CONFIGURATION - 1,
            ..Stop::failed(format!("{} migrations have not run; hint: `entrepot migrate`", names.len()))
        }),
        false => Ok(()),
    }
}
