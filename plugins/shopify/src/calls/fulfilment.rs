//! Shipped goods to the shop, and back for comparison.
//!
//! The shop splits an order into fulfilment orders, one per place of work. A parcel is told against their lines, and all
//! parts of one fulfilment leave one location. The shop keeps no reference of ours, so a repeat is recognised by what was
//! told: the same tracking numbers, or the same lines where there is no number.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Shop, complete, concerns_connection, list, next_page, order_parts, text};
use crate::answer;
use crate::contract::{Dispatch, Failure, Outcome, Shipment, ShipmentLine};
use crate::gid;
use crate::requests;
use crate::translate;

/// (fulfilment orders, lines of each), from the usual to the smallest.
const SIZES: [(u32, u32); 4] = [(10, 20), (5, 20), (5, 10), (2, 10)];
const LINES: u32 = 50;

pub fn dispatch(shop: &Shop<'_>, dispatches: &[Dispatch]) -> Result<Vec<Outcome>, Failure> {
    let mut outcomes = Vec::new();
    for dispatch in dispatches {
        if shop.is_nearly_spent() {
            outcomes.push(Outcome::failed(
                &dispatch.key,
                Failure::throttled("More shipments than fit into one run; the rest follows in the next one.", None),
            ));
            continue;
        }
        outcomes.push(match ship(shop, dispatch) {
            Ok(Shipped::Now(id)) => Outcome::done(&dispatch.key, id),
            Ok(Shipped::Before) => Outcome::unchanged(&dispatch.key),
            Err(failure) if concerns_connection(&failure) && outcomes.is_empty() => return Err(failure),
            Err(failure) => Outcome::failed(&dispatch.key, failure),
        });
    }
    Ok(outcomes)
}

enum Shipped {
    Now(String),
    Before,
}

fn ship(shop: &Shop<'_>, dispatch: &Dispatch) -> Result<Shipped, Failure> {
    if !gid::is("Order", &dispatch.order) {
        return Err(Failure::missing(format!("\"{}\" is not an order of this shop.", dispatch.order)));
    }
    let order = read_order(shop, &dispatch.order)?;
    let shipped = if order.has_fulfillments { shipped(shop, &dispatch.order)? } else { Vec::new() };
    if shipped.iter().any(|shipment| is_same(shipment, dispatch)) {
        return Ok(Shipped::Before);
    }
    if order.cancelled {
        return Err(
            Failure::conflict(format!("Order {} is cancelled in the shop; it cannot be shipped.", dispatch.order)).with_code("cancelled")
        );
    }
    let groups = allocate(dispatch, &order.parts, &shipped)?;
    let mut made = Vec::new();
    for parts in groups {
        match create(shop, dispatch, &parts) {
            Ok(id) => made.push(id),
            // A part of the parcel is told; the host reads back what.
            Err(failure) if !made.is_empty() => return Err(failure.with_sent(crate::contract::Sent::Maybe)),
            Err(failure) => return Err(failure),
        }
    }
    Ok(Shipped::Now(made.join(",")))
}

fn create(shop: &Shop<'_>, dispatch: &Dispatch, parts: &[(String, Vec<(String, u32)>)]) -> Result<String, Failure> {
    let answer = shop.ask(&requests::create_fulfillment(dispatch, parts))?;
    let (payload, errors) = answer::payload(&answer.data, "fulfillmentCreate", "userErrors")?;
    if let Some(error) = errors.first() {
        return Err(Failure::invalid(format!("The shop refuses the shipment: {}", error.message)).with_code("user-error"));
    }
    Ok(text(payload, &["fulfillment", "id"]).unwrap_or_default().to_owned())
}

/// One fulfilment order's share of the work.
struct Part {
    id: String,
    status: String,
    location: String,
    /// (its line, the order's line, units left).
    lines: Vec<(String, String, u32)>,
}

struct OpenOrder {
    cancelled: bool,
    has_fulfillments: bool,
    parts: Vec<Part>,
}

fn read_order(shop: &Shop<'_>, id: &str) -> Result<OpenOrder, Failure> {
    let (mut after, mut size) = (None::<String>, 0);
    let mut order = OpenOrder { cancelled: false, has_fulfillments: false, parts: Vec::new() };
    loop {
        let (answer, at) =
            shop.ask_sized(&SIZES, size, |(first, lines)| requests::fulfillment_orders(id, after.as_deref(), first, lines))?;
        size = at;
        let document = answer.data.get("order").filter(|order| order.is_object());
        let document = document.ok_or_else(|| Failure::missing(format!("The shop has no order {id}.")))?;
        order.cancelled = text(document, &["cancelledAt"]).is_some();
        let count = document.get("fulfillmentsCount").and_then(|count| count.get("count")).and_then(Value::as_u64);
        order.has_fulfillments = count.is_none_or(|count| count > 0);
        for part in list(document, &["fulfillmentOrders", "nodes"]) {
            order.parts.push(read_part(shop, part.clone())?);
        }
        after = document.get("fulfillmentOrders").and_then(next_page);
        if after.is_none() {
            return Ok(order);
        }
    }
}

fn read_part(shop: &Shop<'_>, mut document: Value) -> Result<Part, Failure> {
    let id = text(&document, &["id"]).unwrap_or_default().to_owned();
    complete(&mut document, "lineItems", |after| {
        let answer = shop.ask(&requests::fulfillment_order_lines(&id, after, LINES))?;
        Ok(answer.data.get("node").and_then(|node| node.get("lineItems")).cloned().unwrap_or(Value::Null))
    })?;
    let line = |line: &Value| {
        let left = line.get("remainingQuantity").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok())?;
        Some((text(line, &["id"])?.to_owned(), text(line, &["lineItem", "id"])?.to_owned(), left))
    };
    Ok(Part {
        status: text(&document, &["status"]).unwrap_or_default().to_owned(),
        location: text(&document, &["assignedLocation", "location", "id"]).unwrap_or_default().to_owned(),
        lines: list(&document, &["lineItems", "nodes"]).iter().filter_map(line).collect(),
        id,
    })
}

/// The same parcel told before: by its numbers, or, without any, by exactly its lines.
fn is_same(shipment: &Shipment, dispatch: &Dispatch) -> bool {
    let numbers =
        |trackings: &[crate::contract::Tracking]| trackings.iter().map(|t| t.number.clone()).collect::<std::collections::BTreeSet<_>>();
    if !dispatch.tracking.is_empty() {
        return numbers(&shipment.tracking).is_superset(&numbers(&dispatch.tracking));
    }
    let lines = |lines: &[ShipmentLine]| lines.iter().map(|l| (l.line.clone(), l.quantity)).collect::<BTreeMap<_, _>>();
    shipment.tracking.is_empty() && !dispatch.lines.is_empty() && lines(&shipment.lines) == lines(&dispatch.lines)
}

type Group = Vec<(String, Vec<(String, u32)>)>;

/// Which lines of which fulfilment orders the parcel takes, one group per location. A parcel without lines takes all that is
/// open.
fn allocate(dispatch: &Dispatch, parts: &[Part], shipped: &[Shipment]) -> Result<Vec<Group>, Failure> {
    let is_open = |part: &&Part| matches!(part.status.as_str(), "OPEN" | "IN_PROGRESS");
    let mut wanted: BTreeMap<&str, u32> = BTreeMap::new();
    for line in &dispatch.lines {
        *wanted.entry(&line.line).or_default() += line.quantity;
    }
    let everything = wanted.is_empty();
    let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
    for part in parts.iter().filter(is_open) {
        let mut taken = Vec::new();
        for (id, line, left) in &part.lines {
            let want = if everything { *left } else { wanted.get(line.as_str()).copied().unwrap_or(0) };
            let take = want.min(*left);
            if take > 0 {
                taken.push((id.clone(), take));
                wanted.entry(line).and_modify(|want| *want -= take);
            }
        }
        if !taken.is_empty() {
            groups.entry(&part.location).or_default().push((part.id.clone(), taken));
        }
    }
    if let Some((line, missing)) = wanted.iter().find(|(_, want)| **want > 0) {
        let held: Vec<&str> = parts.iter().filter(|part| !is_open(part)).map(|part| part.status.as_str()).collect();
        let gone: u32 = shipped.iter().flat_map(|s| &s.lines).filter(|l| l.line == *line).map(|l| l.quantity).sum();
        return Err(Failure::conflict(format!(
            "{missing} more units of {line} are to be shipped than the shop has open ({gone} shipped there before; other work: {}).",
            if held.is_empty() { "none".to_owned() } else { held.join(", ").to_lowercase() }
        ))
        .with_code("not-open"));
    }
    if groups.is_empty() {
        return Err(Failure::conflict(format!("Nothing of order {} is left to ship in the shop.", dispatch.order)).with_code("not-open"));
    }
    Ok(groups.into_values().collect())
}

/// What has left, as the shop has it; cancelled and failed fulfilments left nothing.
pub fn shipped(shop: &Shop<'_>, order: &str) -> Result<Vec<Shipment>, Failure> {
    if !gid::is("Order", order) {
        return Err(Failure::missing(format!("\"{order}\" is not an order of this shop.")));
    }
    let mut shipments = Vec::new();
    for document in order_parts::fulfillments(shop, order)? {
        let shipment = translate::fulfillment(&document).map_err(|refusal| refusal.into_failure(&format!("order {order}")))?;
        if translate::has_left(shipment.status.as_deref()) {
            shipments.push(shipment);
        }
    }
    Ok(shipments)
}
