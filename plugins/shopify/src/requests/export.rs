//! The shop's own export of its variants: how many there are, the operation, and parts of its file.

use serde_json::json;

use super::Query;
use crate::contract::{BodyForm, Request};
use crate::graphql;

pub fn catalogue_size() -> Query {
    Query::read(graphql::CATALOGUE_SIZE, 2, json!({}))
}

/// Changes nothing that the shop sells, but is a mutation to the shop: dry runs do not make it.
pub fn run_export() -> Query {
    Query::write(graphql::RUN_EXPORT, json!({ "query": graphql::EXPORTED_VARIANTS }))
}

pub fn export_state(id: &str) -> Query {
    Query::read(graphql::EXPORT_STATE, 1, json!({ "id": id }))
}

/// A part of the file, both ends in it. The address is signed and lies outside of the API: no credential, no pace. As bytes,
/// because a part may end within a letter.
pub fn export_part(url: &str, from: u64, length: u64) -> Request {
    let to = from.saturating_add(length).saturating_sub(1);
    Request::get(url).header("range", format!("bytes={from}-{to}")).want(BodyForm::Bytes)
}
