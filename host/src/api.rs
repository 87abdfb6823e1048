//! The doors over HTTP: marketplaces' webhooks and the API for machines.

pub mod webhooks;

/// Every route of the hub.
pub fn router(app: &crate::app::App) -> axum::Router {
    app.doors.clone().router()
}
