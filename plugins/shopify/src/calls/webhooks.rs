//! Webhook subscriptions. The shop deletes one after too many failed deliveries; each run makes it anew. It signs with the
//! app's own secret, so no secret is given.

use super::{Shop, list, next_page, text};
use crate::answer;
use crate::contract::{Failure, Subscription};
use crate::gid;
use crate::requests;
use crate::translate;

pub fn ensure(shop: &Shop<'_>, callback_url: &str, topics: &[String]) -> Result<Vec<Subscription>, Failure> {
    let mut mine = Vec::new();
    for subscription in all(shop)?.into_iter().filter(|subscription| subscription.callback_url == callback_url) {
        let is_double = mine.iter().any(|other: &Subscription| other.topic == subscription.topic);
        if is_double { delete(shop, &subscription.external_id)? } else { mine.push(subscription) }
    }
    for topic in topics {
        if mine.iter().any(|subscription| subscription.topic == *topic) {
            continue;
        }
        let answer = shop.ask(&requests::create_webhook(topic, callback_url))?;
        let (payload, errors) = answer::payload(&answer.data, "webhookSubscriptionCreate", "userErrors")?;
        if let Some(error) = errors.first() {
            return Err(Failure::invalid(format!("The shop refuses a subscription to {topic}: {}", error.message)).with_code("user-error"));
        }
        let document = payload.get("webhookSubscription").filter(|document| document.is_object());
        let document = document.ok_or_else(|| Failure::remote(format!("The shop made no subscription to {topic}.")))?;
        mine.push(translate::subscription(document).map_err(|refusal| refusal.into_failure("webhook subscription"))?);
    }
    Ok(mine)
}

/// How many are gone afterwards; one that was gone before counts.
pub fn remove(shop: &Shop<'_>, ids: &[String]) -> Result<u32, Failure> {
    let mut gone = 0;
    for id in ids.iter().filter(|id| gid::is("WebhookSubscription", id)) {
        delete(shop, id)?;
        gone += 1;
    }
    Ok(gone)
}

/// The shop answers with an error to an id it no longer has: then it is gone, too.
fn delete(shop: &Shop<'_>, id: &str) -> Result<(), Failure> {
    let answer = shop.ask(&requests::delete_webhook(id))?;
    answer::payload(&answer.data, "webhookSubscriptionDelete", "userErrors").map(|_| ())
}

fn all(shop: &Shop<'_>) -> Result<Vec<Subscription>, Failure> {
    let mut subscriptions = Vec::new();
    let mut after = None::<String>;
    loop {
        let answer = shop.ask(&requests::webhooks(after.as_deref()))?;
        for document in list(&answer.data, &["webhookSubscriptions", "nodes"]) {
            if text(document, &["format"]).is_none_or(|format| format == "JSON") {
                subscriptions.push(translate::subscription(document).map_err(|refusal| refusal.into_failure("webhook subscription"))?);
            }
        }
        after = answer.data.get("webhookSubscriptions").and_then(next_page);
        if after.is_none() {
            return Ok(subscriptions);
        }
    }
}
