//! Webhook subscriptions. The shop switches one off after five failed deliveries and never says so; each run puts it back.

use super::Shop;
use super::orders::{is_id, rows};
use crate::contract::{Failure, Fault, Subscription};
use crate::requests::{self, PAGE_MAX};
use crate::translate;

/// Pages read of the shop's subscriptions; a shop with more has a fault of its own.
const PAGES_MAX: u32 = 20;

pub fn ensure(shop: &Shop<'_>, callback_url: &str, topics: &[String]) -> Result<Vec<Subscription>, Failure> {
    let mut mine: Vec<Subscription> = all(shop)?.into_iter().filter(|subscription| subscription.callback_url == callback_url).collect();
    for topic in topics {
        let active = mine.iter().any(|subscription| subscription.topic == *topic && subscription.active);
        if active {
            continue;
        }
        match mine.iter_mut().find(|subscription| subscription.topic == *topic) {
            Some(asleep) => {
                shop.ask(&requests::revive_webhook(&asleep.external_id))?;
                asleep.active = true;
            }
            None => {
                let made = shop.ask(&requests::create_webhook(topic, callback_url))?;
                mine.push(translate::subscription(&made.document).map_err(|refusal| refusal.into_failure("webhook"))?);
            }
        }
    }
    without_doubles(shop, mine)
}

/// Two subscriptions of one topic would send everything twice; the older one stays.
fn without_doubles(shop: &Shop<'_>, subscriptions: Vec<Subscription>) -> Result<Vec<Subscription>, Failure> {
    let mut kept: Vec<Subscription> = Vec::new();
    let (active, asleep): (Vec<_>, Vec<_>) = subscriptions.into_iter().partition(|subscription| subscription.active);
    for subscription in active.into_iter().chain(asleep) {
        if kept.iter().any(|other| other.topic == subscription.topic) {
            shop.ask(&requests::delete_webhook(&subscription.external_id))?;
        } else {
            kept.push(subscription);
        }
    }
    Ok(kept)
}

/// How many are gone afterwards; one that was gone before counts.
pub fn remove(shop: &Shop<'_>, ids: &[String]) -> Result<u32, Failure> {
    let mut gone = 0;
    for id in ids.iter().filter(|id| is_id(id)) {
        match shop.ask(&requests::delete_webhook(id)) {
            Ok(_) => gone += 1,
            Err(failure) if failure.fault == Fault::Missing => gone += 1,
            Err(failure) => return Err(failure),
        }
    }
    Ok(gone)
}

fn all(shop: &Shop<'_>) -> Result<Vec<Subscription>, Failure> {
    let mut subscriptions = Vec::new();
    for page in 1..=PAGES_MAX {
        let answer = shop.ask(&requests::webhooks_page(page))?;
        let documents = rows(&answer)?;
        for document in documents {
            subscriptions.push(translate::subscription(document).map_err(|refusal| refusal.into_failure("webhook"))?);
        }
        if documents.len() < PAGE_MAX as usize {
            break;
        }
    }
    Ok(subscriptions)
}
