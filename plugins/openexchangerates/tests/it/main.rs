//! The connector against the service's own document and against a service that answers with rates of ours.
#![allow(clippy::unwrap_used)]

mod behaviour;
mod document;
mod manifest;
