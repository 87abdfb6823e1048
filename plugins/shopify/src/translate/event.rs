//! A verified webhook body to events.

use serde_json::Value;

use super::graph::global;
use super::listing::INVENTORY_ITEM;
use super::rest;
use crate::contract::{Delivery, Event, Failure, Level, ListingLevels, OrderHint};
use crate::gid;
use crate::json::{self, Doc, Refusal};

pub fn delivery(delivery: &Delivery) -> Result<Vec<Event>, Failure> {
    let read: fn(Doc<'_>, &Value) -> Result<Vec<Event>, Refusal> = match delivery.topic.as_str() {
        "orders/create" | "orders/updated" | "orders/paid" | "orders/cancelled" | "orders/fulfilled" | "orders/partially_fulfilled" => {
            order
        }
        "orders/edited" => order_edited,
        "orders/delete" => order_removed,
        "refunds/create" | "fulfillments/create" | "fulfillments/update" => part_of_order,
        "products/create" | "products/update" => product_changed,
        "products/delete" => product_removed,
        "inventory_levels/update" | "inventory_levels/connect" => level,
        "app/uninstalled" => uninstalled,
        other => return Ok(vec![Event::Ignored(format!("the topic \"{other}\" concerns neither orders nor stock nor products"))]),
    };
    let body: Value = json::parse(&delivery.body).map_err(|error| {
        Failure::invalid(format!("The body of a {} delivery is not JSON: {error}", delivery.topic)).with_code("not-json")
    })?;
    let events = Doc::new(&body).and_then(|doc| read(doc, &body));
    events.map_err(|refusal| refusal.into_failure(&delivery.topic))
}

fn order(doc: Doc<'_>, body: &Value) -> Result<Vec<Event>, Refusal> {
    if rest::incomplete(body)?.is_some() {
        let hint = OrderHint { external_id: rest::own_id(doc, "Order")?, updated_at: doc.instant("updated_at")? };
        return Ok(vec![Event::OrderChanged(hint)]);
    }
    Ok(vec![Event::Order(rest::order(body)?)])
}

/// The body lists what was changed, not the order.
fn order_edited(doc: Doc<'_>, _: &Value) -> Result<Vec<Event>, Refusal> {
    let edit = doc.object("order_edit")?.unwrap_or(doc);
    changed(edit)
}

fn part_of_order(doc: Doc<'_>, _: &Value) -> Result<Vec<Event>, Refusal> {
    changed(doc)
}

fn changed(doc: Doc<'_>) -> Result<Vec<Event>, Refusal> {
    let external_id = global(doc, "order_id", "Order")?.ok_or_else(|| Refusal::new("order_id", "expected the order's id, found none"))?;
    Ok(vec![Event::OrderChanged(OrderHint { external_id, updated_at: None })])
}

fn order_removed(doc: Doc<'_>, _: &Value) -> Result<Vec<Event>, Refusal> {
    Ok(vec![Event::OrderRemoved(rest::own_id(doc, "Order")?)])
}

/// The body has the product's variants, but their stock only as one sum and without locations, so each is read.
fn product_changed(doc: Doc<'_>, _: &Value) -> Result<Vec<Event>, Refusal> {
    let mut variants = doc.each("variants", |variant| rest::own_id(variant, "ProductVariant"))?;
    // Products with very many variants list the rest by id alone.
    for more in doc.each("variant_gids", |variant| variant.text("admin_graphql_api_id"))?.into_iter().flatten() {
        if !variants.contains(&more) {
            variants.push(more);
        }
    }
    if variants.is_empty() {
        return Ok(vec![Event::Ignored(format!("the product {} has no variants in this body", rest::own_id(doc, "Product")?))]);
    }
    Ok(variants.into_iter().map(Event::ListingChanged).collect())
}

/// Only the product's id is left: it is the `parent` of the listings that are gone.
fn product_removed(doc: Doc<'_>, _: &Value) -> Result<Vec<Event>, Refusal> {
    Ok(vec![Event::ListingRemoved(rest::own_id(doc, "Product")?)])
}

fn level(doc: Doc<'_>, _: &Value) -> Result<Vec<Event>, Refusal> {
    let item = doc.required_id("inventory_item_id")?;
    let location = global(doc, "location_id", "Location")?.ok_or_else(|| Refusal::new("location_id", "expected a location, found none"))?;
    let Some(available) = doc.text("available")? else {
        return Ok(vec![Event::Ignored(format!("the shop does not count item {item}"))]);
    };
    let quantity =
        available.parse().map_err(|_| Refusal::new("available", format!("expected a whole number of units, found {available}")))?;
    Ok(vec![Event::Levels(ListingLevels {
        listing: format!("{INVENTORY_ITEM}={}", gid::of("InventoryItem", &item)),
        levels: vec![Level { location: Some(location), quantity }],
        updated_at: doc.instant("updated_at")?,
    })])
}

fn uninstalled(doc: Doc<'_>, _: &Value) -> Result<Vec<Event>, Refusal> {
    let shop = doc.loose_text("myshopify_domain").or_else(|| doc.loose_text("domain")).unwrap_or_else(|| "the shop".to_owned());
    Ok(vec![Event::AccessRevoked(format!("The app was uninstalled at {shop}. Install it again and renew the credentials."))])
}
