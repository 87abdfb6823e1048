//! The doors over HTTP: marketplaces' webhooks, the API for machines, the pages for people.

pub mod answer;
pub mod error;
pub mod explain;
pub mod listen;
mod local;
pub mod request;
mod routes;
mod source;
mod v1;
pub mod webhooks;

#[cfg(test)]
mod tests;

pub use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;

pub use local::ask;

use crate::app::App;

/// Who may open the pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pages {
    /// Whoever came through a one-time link.
    ByLink,
    /// Everybody who reaches the port: a demonstration on this machine.
    Open,
}

/// Every route of the hub.
pub fn router(app: &App) -> Router {
    with_pages(app, Pages::ByLink)
}

pub fn with_pages(app: &App, pages: Pages) -> Router {
    app.doors
        .clone()
        .router()
        .merge(v1::router(app))
        .merge(crate::admin::router(app, pages))
        .merge(Router::new().route("/healthz", get(|| async { "ok" })).route("/readyz", get(ready)).with_state(app.clone()))
}

/// Ready: the database answers and takes writes.
async fn ready(State(app): State<App>) -> (StatusCode, &'static str) {
    match app.store.read().await {
        Ok(_) if !app.store.is_poisoned() => (StatusCode::OK, "ready"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer"),
    }
}
