//! The connector against the bank's own files and against a bank that answers with tables of ours.
#![allow(clippy::unwrap_used)]

mod behaviour;
mod files;
mod manifest;
