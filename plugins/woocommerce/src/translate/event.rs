//! A verified webhook body to events.

use serde_json::Value;

use super::listing::{Offered, Units, listing};
use super::order::order;
use crate::contract::{Delivery, Event, Failure, Fault, OrderHint, failure};
use crate::json::{self, Doc, Refusal};
use crate::settings::Settings;

/// The events of one delivery. The body of an order or product is the same document that the REST API gives.
pub fn delivery(delivery: &Delivery, settings: &Settings) -> Result<Vec<Event>, Failure> {
    let (resource, change) = delivery.topic.split_once('.').unwrap_or((delivery.topic.as_str(), ""));
    if !matches!(resource, "order" | "product") || !matches!(change, "created" | "updated" | "restored" | "deleted") {
        return Ok(vec![Event::Ignored(format!("the topic \"{}\" concerns neither orders nor products", delivery.topic))]);
    }
    let body: Value = json::parse(&delivery.body).map_err(|error| {
        failure(Fault::Invalid, Some("not-json"), format!("The body of a {} delivery is not JSON: {error}", delivery.topic))
    })?;
    let events = match (resource, change) {
        ("order", "deleted") => order_removed(&body),
        ("order", _) => order_changed(&body, settings),
        (_, "deleted") => product_removed(&body),
        _ => product_changed(&body, settings),
    };
    events.map_err(|refusal| refusal.into_failure(&delivery.topic))
}

/// The body of a deletion carries only the id.
fn order_removed(body: &Value) -> Result<Vec<Event>, Refusal> {
    Ok(vec![Event::OrderRemoved(Doc::new(body)?.required_id("id")?)])
}

/// The body of an order with refunds tells their sums but not what was refunded, so the order is fetched.
fn order_changed(body: &Value, settings: &Settings) -> Result<Vec<Event>, Refusal> {
    let doc = Doc::new(body)?;
    if doc.list("refunds")?.is_empty() {
        return Ok(vec![Event::Order(order(body, None, settings)?)]);
    }
    let updated_at = doc.instant("date_modified_gmt")?;
    Ok(vec![Event::OrderChanged(OrderHint { external_id: doc.required_id("id")?, updated_at })])
}

/// A deleted variation does not say whose it was; both forms of its id end in its number, and the host knows which it has.
fn product_removed(body: &Value) -> Result<Vec<Event>, Refusal> {
    let doc = Doc::new(body)?;
    let id = doc.required_id("id")?;
    Ok(vec![Event::ListingRemoved(match doc.id("parent_id")? {
        Some(parent) => format!("{parent}/{id}"),
        None => id,
    })])
}

fn product_changed(body: &Value, settings: &Settings) -> Result<Vec<Event>, Refusal> {
    let doc = Doc::new(body)?;
    let units = Units { currency: settings.currency.clone(), weight: settings.weight_unit };
    let mut events = Vec::new();
    match listing(body, None, &units)? {
        Offered::Listing(listing) => {
            // Without the shop's currency the price is missing from the record; the host then reads the listing.
            let incomplete = listing.price.is_none() && doc.decimal("price")?.is_some();
            let id = listing.external_id.clone();
            events.push(Event::Listing(*listing));
            events.extend(incomplete.then_some(Event::ListingChanged(id)));
        }
        Offered::NotSellable(why) if doc.list("variations")?.is_empty() => events.push(Event::Ignored(why.to_owned())),
        Offered::NotSellable(_) => {}
    }
    // A change of a variable product (a name, a state) is a change of each of its variations.
    let product = doc.required_id("id")?;
    for variation in doc.list("variations")? {
        if let Some(variation) = variation.as_u64() {
            events.push(Event::ListingChanged(format!("{product}/{variation}")));
        }
    }
    Ok(events)
}
