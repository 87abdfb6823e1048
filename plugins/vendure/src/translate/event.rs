//! A verified event of the relay to what the hub should look at. The shop's events tell that something happened, not all of
//! what, so everything is read afterwards.

use serde_json::Value;

use super::facts::required;
use crate::contract::{Delivery, Event, Failure, OrderHint};
use crate::json::{self, Doc, Refusal};

pub fn delivery(delivery: &Delivery) -> Result<Vec<Event>, Failure> {
    let read: fn(Doc<'_>) -> Result<Vec<Event>, Refusal> = match delivery.topic.as_str() {
        "order.placed" => order,
        "order.state" => order_state,
        "stock.moved" => stock_moved,
        "variant.created" | "variant.updated" => variants,
        "variant.deleted" => variants_gone,
        "fulfillment.state" => return ignored("the event of its order says it"),
        "refund.state" => return ignored("it names no order by its id; the next poll reads what was paid back"),
        other => return ignored(&format!("the topic \"{other}\" concerns neither orders nor stock nor variants")),
    };
    let body: Value = json::parse(&delivery.body).map_err(|error| {
        Failure::invalid(format!("The body of a {} delivery is not JSON: {error}", delivery.topic)).with_code("not-json")
    })?;
    let data = Doc::new(&body).and_then(|body| body.object("data")?.ok_or_else(|| Refusal::new("data", "expected an object, found none")));
    let events = data.and_then(|data| read(data).map_err(|refusal| refusal.within("data")));
    events.map_err(|refusal| refusal.into_failure(&delivery.topic))
}

fn ignored(why: &str) -> Result<Vec<Event>, Failure> {
    Ok(vec![Event::Ignored(why.to_owned())])
}

fn order(data: Doc<'_>) -> Result<Vec<Event>, Refusal> {
    Ok(vec![Event::OrderChanged(OrderHint { external_id: required(data, "id")?, updated_at: None })])
}

/// On its way to the checkout a cart changes its state as well.
fn order_state(data: Doc<'_>) -> Result<Vec<Event>, Refusal> {
    match data.text("to")?.as_deref() {
        Some(state @ ("Created" | "Draft" | "AddingItems" | "ArrangingPayment")) => {
            Ok(vec![Event::Ignored(format!("a cart in the state {state} is no order yet"))])
        }
        _ => order(data),
    }
}

/// What moves with an order is told by the order. The rest was counted or corrected by somebody, perhaps by us.
fn stock_moved(data: Doc<'_>) -> Result<Vec<Event>, Refusal> {
    let kind = required(data, "kind")?;
    if kind != "ADJUSTMENT" {
        return Ok(vec![Event::Ignored(format!("a movement of the kind {kind} is told by its order"))]);
    }
    let moved = data.each("moves", |one| required(one, "variant"))?;
    Ok(if moved.is_empty() {
        vec![Event::Ignored("nothing moved".to_owned())]
    } else {
        moved.into_iter().map(Event::ListingChanged).collect()
    })
}

fn variants(data: Doc<'_>) -> Result<Vec<Event>, Refusal> {
    each(data, Event::ListingChanged)
}

fn variants_gone(data: Doc<'_>) -> Result<Vec<Event>, Refusal> {
    each(data, Event::ListingRemoved)
}

fn each(data: Doc<'_>, event: fn(String) -> Event) -> Result<Vec<Event>, Refusal> {
    let ids = data.list("ids")?.iter().map(|id| match id {
        Value::String(id) if !id.is_empty() => Ok(id.clone()),
        Value::Number(id) => Ok(id.to_string()),
        other => Err(Refusal::new("ids", format!("expected ids of variants, found {other}"))),
    });
    let events: Vec<Event> = ids.map(|id| id.map(event)).collect::<Result<_, _>>()?;
    Ok(if events.is_empty() { vec![Event::Ignored("it names no variant".to_owned())] } else { events })
}
