//! Fulfilments of the shop to shipments.

use crate::contract::{Shipment, ShipmentLine, Tracking};
use crate::json::{Doc, Refusal};

use super::facts::{required, whole};
use crate::requests::NUMBERS_APART;

const MAPPED: [&str; 6] = ["id", "state", "method", "trackingCode", "createdAt", "lines"];

/// A fulfilment is made first, shipped later, and may be called off in between.
pub fn has_left(state: &str) -> bool {
    matches!(state, "Shipped" | "Delivered")
}

pub fn shipment(doc: Doc<'_>) -> Result<Shipment, Refusal> {
    let carrier = doc.text("method")?;
    let code = doc.text("trackingCode")?.unwrap_or_default();
    let tracking = numbers(&code).map(|number| Tracking { number: number.to_owned(), carrier: carrier.clone(), url: None });
    let lines = doc.each("lines", |line| Ok(ShipmentLine { line: required(line, "orderLineId")?, quantity: whole(line, "quantity")? }))?;
    Ok(Shipment {
        external_id: required(doc, "id")?,
        // When it was shipped the shop tells only in its history; the time of change moves on with the delivery.
        shipped_at: doc.instant("createdAt")?,
        tracking: tracking.collect(),
        lines,
        location: None,
        status: doc.text("state")?,
        extras: doc.rest(&MAPPED).into_iter().filter(|extra| extra.key != "updatedAt").collect(),
    })
}

/// The numbers in the shop's one text for them.
pub fn numbers(code: &str) -> impl Iterator<Item = &str> {
    code.split(NUMBERS_APART).map(str::trim).filter(|number| !number.is_empty())
}
