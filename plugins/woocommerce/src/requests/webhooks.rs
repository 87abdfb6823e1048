//! Webhook subscriptions. The host writes the signing secret into the body; it never passes through here.

use serde_json::json;

use super::{Call, PAGE_MAX};

const SECRET: &[&str] = &["webhook-secret"];

pub fn webhooks_page(page: u32) -> Call {
    Call::get("/wc/v3/webhooks")
        .query("status", "all")
        .query("orderby", "id")
        .query("order", "asc")
        .query("page", page.to_string())
        .query("per_page", PAGE_MAX.to_string())
}

pub fn create_webhook(topic: &str, callback_url: &str) -> Call {
    let body = json!({
        "name": format!("Entrepot {topic}"),
        "topic": topic,
        "delivery_url": callback_url,
        "status": "active",
        "secret": "",
    });
    Call { credentials: SECRET, ..Call::send("POST", "/wc/v3/webhooks", body) }
}

/// Switches a paused or disabled subscription on again and gives it our secret.
pub fn revive_webhook(id: &str) -> Call {
    Call { credentials: SECRET, ..Call::send("PUT", format!("/wc/v3/webhooks/{id}"), json!({ "status": "active", "secret": "" })) }
}

pub fn delete_webhook(id: &str) -> Call {
    Call::get(format!("/wc/v3/webhooks/{id}")).query("force", "true").with_method("DELETE")
}
