//! Refunds, cancellations and returns.

use rust_decimal::Decimal;

use crate::shopify::catalogue::ShopifyRefused;
use crate::shopify::model::{LevelWriter, Line, Order, Refund, RefundLine, Restock, Return, Transaction};
use crate::shopify::state::{Resource, State};

/// A refund before it is booked.
pub(crate) struct RefundPlan {
    /// (line, units, what becomes of them)
    pub(crate) lines: Vec<(i64, i64, Restock)>,
    /// Money to move; what the lines and the shipping are worth when unset.
    pub(crate) amount: Option<Decimal>,
    /// The shipping is refunded too.
    pub(crate) shipping: bool,
    pub(crate) note: String,
}

pub(crate) struct Cancellation {
    /// As the API names it.
    pub(crate) reason: String,
    pub(crate) restock: bool,
    pub(crate) refund: bool,
    pub(crate) staff_note: Option<String>,
}

impl State {
    /// Books a refund and does with each line's units what the plan says.
    pub(crate) fn refund(&mut self, id: i64, plan: RefundPlan, now: i64) -> Result<i64, ShopifyRefused> {
        let refund_id = self.next_id();
        let order = self.orders.get(&id).ok_or(ShopifyRefused::NoSuchOrder(id))?.clone();
        let with_tax = |net: Decimal, tax: Decimal| if order.taxes_included { net } else { net + tax };
        let shipping = if plan.shipping { (order.shipping, order.shipping_tax) } else { Default::default() };
        let mut worth = with_tax(shipping.0, shipping.1);
        let mut booked = Vec::new();
        for (line_id, units, restock) in &plan.lines {
            let Some(line) = order.line(*line_id) else { continue };
            let subtotal = Order::share(line, line.original_total() - line.discount, *units);
            let tax = Order::share(line, line.tax, *units);
            worth += with_tax(subtotal, tax);
            let id_of_line = self.next_id();
            booked.push(RefundLine { id: id_of_line, line: *line_id, quantity: *units, restock: *restock, subtotal, tax });
            self.move_refunded(&order, line, *units, *restock, now);
        }
        let most = order.received() - order.refunded();
        let amount = if order.paid { plan.amount.unwrap_or(worth).min(most) } else { Decimal::ZERO };
        let transaction = self.next_id();
        if let Some(order) = self.orders.get_mut(&id) {
            order.refunds.push(refund_id);
            if amount > Decimal::ZERO {
                order.transactions.push(Transaction { id: transaction, kind: "REFUND", amount, at: now });
            }
        }
        let refund = Refund { id: refund_id, order: id, note: plan.note, lines: booked, amount, shipping, created_at: now };
        self.refunds.insert(refund_id, refund);
        self.announce("REFUNDS_CREATE", Resource::Refund(refund_id));
        self.touch_order(id, now);
        Ok(refund_id)
    }

    /// Shipped and unshipped units of a line, split as a refund of `units` meets them: the unshipped ones first.
    fn move_refunded(&mut self, order: &Order, line: &Line, units: i64, restock: Restock, now: i64) {
        let unshipped = if restock == Restock::Return { 0 } else { units.min(line.unfulfilled()) };
        let returned = units - unshipped;
        match restock {
            Restock::Cancel => self.commit(order.id, line.variant, -unshipped, now),
            Restock::Drop => self.uncommit(order, line.variant, unshipped, now),
            Restock::Return | Restock::No => {}
        }
        if matches!(restock, Restock::Cancel | Restock::Drop) {
            self.take_off_fulfillment_orders(&order.fulfillment_orders, line.id, unshipped, now);
        }
        let back_on_shelf = returned > 0 && matches!(restock, Restock::Return | Restock::Cancel);
        let item = self.variants.get(&line.variant).map(|variant| variant.item);
        if let Some(item) = item.filter(|_| back_on_shelf) {
            self.move_level(item, order.location, returned, 0, LevelWriter::Order(order.id), now);
        }
        let line_id = line.id;
        let lines = self.orders.get_mut(&order.id).map(|order| &mut order.lines);
        if let Some(line) = lines.and_then(|lines| lines.iter_mut().find(|line| line.id == line_id)) {
            line.refunded += units;
            line.current -= units;
            line.returned += returned;
            line.kept += if restock == Restock::No { unshipped } else { 0 };
        }
    }

    /// Units leave the shelf without having been shipped.
    fn uncommit(&mut self, order: &Order, variant: i64, units: i64, now: i64) {
        let item = self.variants.get(&variant).map(|variant| variant.item);
        if let Some(item) = item.filter(|item| self.items.get(item).is_some_and(|item| item.tracked)) {
            self.move_level(item, order.location, 0, -units, LevelWriter::Order(order.id), now);
        }
    }

    /// The merchant's refund: unshipped units are no longer owed, shipped ones go back on the shelf if `restock`.
    pub(crate) fn plan_refund(&self, order: &Order, lines: &[(i64, i64)], restock: bool, shipping: bool) -> RefundPlan {
        let mut planned = Vec::new();
        for (id, units) in lines {
            let unshipped = order.line(*id).map_or(0, |line| line.unfulfilled().min(*units));
            if unshipped > 0 {
                planned.push((*id, unshipped, Restock::Cancel));
            }
            if *units > unshipped {
                planned.push((*id, units - unshipped, if restock { Restock::Return } else { Restock::No }));
            }
        }
        RefundPlan { lines: planned, amount: None, shipping, note: String::new() }
    }

    fn take_off_fulfillment_orders(&mut self, parts: &[i64], line_id: i64, units: i64, now: i64) {
        let mut left = units;
        for part in parts {
            let Some(opened) = self.fulfillment_orders.get_mut(part) else {
                continue;
            };
            for line in opened.lines.iter_mut().filter(|line| line.line == line_id) {
                let take = left.min(line.remaining);
                line.remaining -= take;
                line.total -= take;
                left -= take;
            }
            opened.updated_at = now;
            if opened.lines.iter().all(|line| line.remaining == 0) {
                opened.status = "CLOSED";
            }
        }
    }

    /// Cancels an order nothing of which was shipped.
    pub(crate) fn cancel(&mut self, id: i64, how: Cancellation, now: i64) -> Result<(), ShopifyRefused> {
        let order = self.orders.get(&id).ok_or(ShopifyRefused::NoSuchOrder(id))?;
        if order.cancelled_at.is_some() || order.lines.iter().any(|line| line.fulfilled > 0) {
            return Err(ShopifyRefused::NotCancellable(id));
        }
        let restock = if how.restock { Restock::Cancel } else { Restock::Drop };
        let lines = order.lines.iter().map(|line| (line.id, line.current, restock)).collect();
        let amount = (!how.refund).then_some(Decimal::ZERO);
        let parts = order.fulfillment_orders.clone();
        self.refund(id, RefundPlan { lines, amount, shipping: how.refund, note: String::new() }, now)?;
        if let Some(order) = self.orders.get_mut(&id) {
            order.cancelled_at = Some(now);
            order.cancel_reason = Some(how.reason);
            order.staff_note = how.staff_note;
            order.closed_at = Some(now);
        }
        for part in parts {
            if let Some(opened) = self.fulfillment_orders.get_mut(&part) {
                opened.status = "CANCELLED";
                opened.updated_at = now;
            }
        }
        self.announce("ORDERS_CANCELLED", Resource::Order(id));
        self.touch_order(id, now);
        Ok(())
    }

    /// The buyer announces a return of shipped units.
    pub(crate) fn open_return(&mut self, id: i64, sku: &str, units: i64, now: i64) -> Result<i64, ShopifyRefused> {
        let order = self.orders.get(&id).ok_or(ShopifyRefused::NoSuchOrder(id))?;
        let no_line = || ShopifyRefused::NoSuchLine { order: id, sku: sku.to_owned() };
        let line = order.lines.iter().find(|line| line.sku == sku && line.fulfilled >= units).ok_or_else(no_line)?.id;
        let shipped = order.fulfillments.iter().filter_map(|known| self.fulfillments.get(known));
        let with = shipped.flat_map(|known| known.lines.iter()).find(|(_, of, _)| *of == line).ok_or_else(no_line)?.0;
        let name = format!("{}-R{}", order.name(), order.returns.len() + 1);
        let (return_id, return_line) = (self.next_id(), self.next_id());
        let lines = vec![(return_line, line, units, with)];
        self.returns.insert(return_id, Return { id: return_id, order: id, name, status: "OPEN", lines, created_at: now });
        if let Some(order) = self.orders.get_mut(&id) {
            order.returns.push(return_id);
        }
        self.touch_order(id, now);
        Ok(return_id)
    }
}
