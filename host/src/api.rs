//! The doors over HTTP: marketplaces' webhooks and the API for machines.

pub mod webhooks;
