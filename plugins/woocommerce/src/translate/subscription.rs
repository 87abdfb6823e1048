//! The shop's own webhook records.

use serde_json::Value;

use crate::contract::Subscription;
use crate::json::{Doc, Refusal};

pub fn subscription(document: &Value) -> Result<Subscription, Refusal> {
    let doc = Doc::new(document)?;
    Ok(Subscription {
        external_id: doc.required_id("id")?,
        topic: doc.text("topic")?.ok_or_else(|| Refusal::new("topic", "expected a topic, found none"))?,
        callback_url: doc.text("delivery_url")?.unwrap_or_default(),
        active: doc.text("status")?.as_deref() == Some("active"),
    })
}
