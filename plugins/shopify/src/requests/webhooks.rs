//! The shop itself and its webhook subscriptions.

use serde_json::json;

use super::Query;
use crate::graphql;
use crate::translate::topic_name;

pub fn shop() -> Query {
    Query::read(graphql::SHOP, 10, json!({}))
}

pub fn shop_address() -> Query {
    Query::read(graphql::SHOP_ADDRESS, 2, json!({}))
}

pub fn currency() -> Query {
    Query::read(graphql::CURRENCY, 1, json!({}))
}

pub fn locations(after: Option<&str>) -> Query {
    Query::read(graphql::LOCATIONS, 50, json!({ "after": after }))
}

pub fn webhooks(after: Option<&str>) -> Query {
    Query::read(graphql::WEBHOOKS, 50, json!({ "after": after }))
}

pub fn create_webhook(topic: &str, callback_url: &str) -> Query {
    let subscription = json!({ "uri": callback_url, "format": "JSON" });
    Query::write(graphql::CREATE_WEBHOOK, json!({ "topic": topic_name(topic), "subscription": subscription }))
}

pub fn delete_webhook(id: &str) -> Query {
    Query::write(graphql::DELETE_WEBHOOK, json!({ "id": id }))
}
