//! `entrepot demo`: the real hub between two simulated shops, on a bare machine.
//!
//! Nothing in it is a mock-up: connectors are compiled to WebAssembly and installed through the ordinary path, the hub talks
//! real HTTP with simulators that speak the shops' true wire formats and signatures, and the catalogue, the opening stock and
//! the first plan come about as they do for a merchant. [`run`] plays a bounded story and counts what happened.

mod shops;
mod stage;
mod story;

use std::path::PathBuf;
use std::sync::Arc;

pub use stage::Stage;
pub use story::Summary;

/// What the command line asks for.
#[derive(Clone, Debug)]
pub struct Wish {
    /// None: sell until somebody stops it.
    pub orders: Option<u32>,
    pub seed: u64,
    /// `postgres://…`; otherwise a file in `folder`.
    pub database: Option<String>,
    pub folder: PathBuf,
    pub listen: std::net::SocketAddr,
    /// Webhooks get lost, doubled, late and out of order, and shops stumble.
    pub faults: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    App(#[from] crate::app::Error),
    #[error("{0}")]
    Sync(#[from] crate::sync::Error),
    #[error("{0}")]
    Store(#[from] crate::store::Error),
    #[error("{0}")]
    Catalog(#[from] crate::catalog::Error),
    #[error("{0}")]
    Listing(#[from] crate::listings::Error),
    #[error("{0}")]
    Connection(#[from] crate::connections::Error),
    #[error("{0}")]
    Crossborder(#[from] crate::crossborder::Error),
    #[error("{0}")]
    Order(#[from] crate::orders::Error),
    #[error("{0}")]
    Package(#[from] crate::plugins::package::Error),
    #[error("{0}")]
    Plugin(#[from] crate::plugins::registry::Error),
    #[error("{0}")]
    Setting(String),
    #[error("a simulated shop could not start: {0}")]
    Shop(std::io::Error),
    #[error("the hub did not come to rest within {seconds} s: {undone}; hint: run again with --log debug")]
    Restless { seconds: u64, undone: String },
}

/// Sets the stage, plays, and cleans up. `router` serves the pages beside the webhooks.
pub async fn run(
    wish: &Wish,
    router: impl FnOnce(&crate::app::App) -> axum::Router,
    say: impl Fn(&str) + Send + std::marker::Sync + 'static,
) -> Result<Summary, Error> {
    let say: Arc<dyn Fn(&str) + Send + std::marker::Sync> = Arc::new(say);
    let stage = Stage::set(wish, router, &say).await?;
    let summary = match wish.orders {
        Some(orders) => story::bounded(&stage, wish, orders).await,
        None => story::endless(&stage, wish, &say).await,
    };
    stage.strike().await;
    summary
}
