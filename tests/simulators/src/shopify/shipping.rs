//! Parcels leave, and sometimes come back before they left.

use crate::shopify::model::{Fulfillment, LevelWriter, Parcel};
use crate::shopify::state::{Resource, State};

/// What a fulfilment asks for: per fulfillment order, (its line, units); no lines means everything left.
pub(crate) struct Shipment {
    pub(crate) parts: Vec<(i64, Vec<(i64, i64)>)>,
    pub(crate) parcel: Parcel,
    pub(crate) notified: bool,
}

impl State {
    /// Ships; the shipment was checked before. Returns the fulfillment.
    pub(crate) fn ship(&mut self, order_id: i64, shipment: Shipment, now: i64) -> i64 {
        let id = self.next_id();
        let mut shipped: Vec<(i64, i64, i64)> = Vec::new();
        let mut location = 0;
        let parts: Vec<i64> = shipment.parts.iter().map(|(part, _)| *part).collect();
        for (part, wanted) in &shipment.parts {
            let Some(opened) = self.fulfillment_orders.get_mut(part) else {
                continue;
            };
            location = opened.location;
            let mut took = Vec::new();
            for line in &mut opened.lines {
                let units = if wanted.is_empty() {
                    line.remaining
                } else {
                    wanted.iter().find(|(id, _)| *id == line.id).map_or(0, |(_, units)| *units)
                };
                line.remaining -= units;
                if units > 0 {
                    took.push((line.line, units));
                }
            }
            let done = opened.lines.iter().all(|line| line.remaining == 0);
            opened.status = if done { "CLOSED" } else { "IN_PROGRESS" };
            opened.updated_at = now;
            for (line, units) in took {
                shipped.push((self.next_id(), line, units));
            }
        }
        for (_, line_id, units) in &shipped {
            let Some(order) = self.orders.get_mut(&order_id) else {
                continue;
            };
            let Some(line) = order.lines.iter_mut().find(|line| line.id == *line_id) else {
                continue;
            };
            line.fulfilled += units;
            let item = self.variants.get(&line.variant).map(|variant| variant.item);
            if let Some(item) = item.filter(|item| self.items.get(item).is_some_and(|item| item.tracked)) {
                self.move_level(item, location, 0, -units, LevelWriter::Order(order_id), now);
            }
        }
        let Some(order) = self.orders.get_mut(&order_id) else {
            return id;
        };
        order.fulfillments.push(id);
        let fulfillment = Fulfillment {
            id,
            order: order_id,
            fulfillment_orders: parts,
            name: format!("{}-F{}", order.name(), order.fulfillments.len()),
            status: "SUCCESS",
            location,
            parcel: shipment.parcel,
            lines: shipped,
            notified: shipment.notified,
            created_at: now,
            updated_at: now,
        };
        let done = order.fulfillment_status() == "FULFILLED";
        if done {
            order.closed_at = Some(now);
        }
        self.fulfillments.insert(id, fulfillment);
        self.announce("FULFILLMENTS_CREATE", Resource::Fulfillment(id));
        let topic = if done { "ORDERS_FULFILLED" } else { "ORDERS_PARTIALLY_FULFILLED" };
        self.announce(topic, Resource::Order(order_id));
        self.touch_order(order_id, now);
        id
    }

    /// Undoes a fulfillment: its units wait again in the fulfillment orders they came from.
    pub(crate) fn unship(&mut self, id: i64, now: i64) {
        let Some(fulfillment) = self.fulfillments.get_mut(&id) else {
            return;
        };
        fulfillment.status = "CANCELLED";
        fulfillment.updated_at = now;
        let (order_id, location, lines) = (fulfillment.order, fulfillment.location, fulfillment.lines.clone());
        let parts = fulfillment.fulfillment_orders.clone();
        for (_, line_id, units) in lines {
            for part in &parts {
                let Some(opened) = self.fulfillment_orders.get_mut(part) else {
                    continue;
                };
                if let Some(line) = opened.lines.iter_mut().find(|line| line.line == line_id) {
                    line.remaining += units;
                    opened.status = "OPEN";
                    opened.updated_at = now;
                    break;
                }
            }
            let Some(order) = self.orders.get_mut(&order_id) else {
                continue;
            };
            order.closed_at = None;
            let Some(line) = order.lines.iter_mut().find(|line| line.id == line_id) else {
                continue;
            };
            line.fulfilled -= units;
            let item = self.variants.get(&line.variant).map(|variant| variant.item);
            if let Some(item) = item.filter(|item| self.items.get(item).is_some_and(|item| item.tracked)) {
                self.move_level(item, location, 0, units, LevelWriter::Order(order_id), now);
            }
        }
        self.announce("FULFILLMENTS_UPDATE", Resource::Fulfillment(id));
        self.touch_order(order_id, now);
    }
}
