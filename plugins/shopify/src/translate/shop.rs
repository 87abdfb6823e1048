//! The shop itself: account, locations, webhook subscriptions.

use serde_json::Value;

use super::graph::required;
use crate::contract::{Account, Document, Subscription};
use crate::json::{Doc, Refusal};

/// `country` comes from a query of its own, which an app may not be allowed.
pub fn account(data: &Value, country: Option<String>) -> Result<Account, Refusal> {
    let doc = Doc::new(data)?;
    let shop = doc.object("shop")?.ok_or_else(|| Refusal::new("shop", "expected the shop, found none"))?;
    let scopes = match doc.object("currentAppInstallation")? {
        Some(app) => app.each("accessScopes", |scope| required(scope, "handle"))?,
        None => Vec::new(),
    };
    let text = |key: &str| shop.text(key).map_err(|refusal| refusal.within("shop"));
    Ok(Account {
        external_id: text("myshopifyDomain")?.map_or_else(|| required(shop, "id"), Ok)?,
        name: text("name")?.unwrap_or_default(),
        currency: text("currencyCode")?,
        country,
        time_zone: text("ianaTimezone")?,
        scopes,
        extras: shop.rest(&["myshopifyDomain", "name", "currencyCode", "ianaTimezone"]),
    })
}

pub fn location(document: &Value) -> Result<Document, Refusal> {
    let doc = Doc::new(document)?;
    let id = required(doc, "id")?;
    Ok(Document { title: doc.text("name")?.unwrap_or_else(|| id.clone()), external_id: id, extras: doc.rest(&["id", "name"]) })
}

pub fn subscription(document: &Value) -> Result<Subscription, Refusal> {
    let doc = Doc::new(document)?;
    Ok(Subscription {
        external_id: required(doc, "id")?,
        topic: doc.text("topic")?.map(|word| topic(&word)).unwrap_or_default(),
        callback_url: doc.text("uri")?.unwrap_or_default(),
        // Shopify deletes a subscription instead of switching it off.
        active: true,
    })
}

/// `orders/create` as the API's enumeration has it.
pub fn topic_name(topic: &str) -> String {
    topic.replace(['/', '.'], "_").to_uppercase()
}

/// Resources whose own name has an underscore; the first underscore after it stands for the slash.
const LONG_RESOURCES: [&str; 10] = [
    "inventory_levels",
    "inventory_items",
    "fulfillment_orders",
    "fulfillment_events",
    "order_transactions",
    "draft_orders",
    "customer_groups",
    "product_listings",
    "bulk_operations",
    "app_subscriptions",
];

/// The form that deliveries use.
fn topic(word: &str) -> String {
    let word = word.to_lowercase();
    let long = LONG_RESOURCES.iter().find_map(|resource| Some((*resource, word.strip_prefix(resource)?.strip_prefix('_')?)));
    match long.or_else(|| word.split_once('_')) {
        Some((resource, change)) => format!("{resource}/{change}"),
        None => word,
    }
}

#[cfg(test)]
mod tests {
    use super::{topic, topic_name};

    #[test]
    fn a_topic_survives_the_way_to_the_api_and_back() {
        for name in [
            "orders/create",
            "orders/partially_fulfilled",
            "inventory_levels/update",
            "refunds/create",
            "app/uninstalled",
            "products/delete",
        ] {
            assert_eq!(topic(&topic_name(name)), name);
        }
    }
}
