//! The connector against the shop's own documents and against a shop that answers by them.
#![allow(clippy::unwrap_used)]

mod behaviour;
mod documents;
mod fields;
mod manifest;
mod pages;
mod requests;
mod specs;
