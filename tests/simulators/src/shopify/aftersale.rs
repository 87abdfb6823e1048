//! Refunds, cancellations and returns.

use rust_decimal::Decimal;

use crate::shopify::catalogue::ShopifyRefused;
use crate::shopify::model::{LevelWriter, Order, Refund, RefundLine, Return, Transaction};
use crate::shopify::state::{Resource, State};

impl State {
    /// Books a refund of `units` per line. `restock` puts shipped units back on the shelf; unshipped ones always go back.
    pub(crate) fn refund(
        &mut self,
        id: i64,
        lines: &[(i64, i64)],
        restock: bool,
        with_shipping: bool,
        now: i64,
    ) -> Result<i64, ShopifyRefused> {
        let refund_id = self.next_id();
        let order = self.orders.get(&id).ok_or(ShopifyRefused::NoSuchOrder(id))?.clone();
        let mut booked = Vec::new();
        let mut amount = if with_shipping {
            order.shipping + if order.taxes_included { Decimal::ZERO } else { order.shipping_tax }
        } else {
            Decimal::ZERO
        };
        for (line_id, units) in lines {
            let Some(line) = order.line(*line_id) else {
                continue;
            };
            let unshipped = (*units).min(line.unfulfilled());
            let subtotal = Order::share(line, line.original_total() - line.discount, *units);
            let tax = Order::share(line, line.tax, *units);
            amount += subtotal + if order.taxes_included { Decimal::ZERO } else { tax };
            let kind = match (unshipped == *units, restock) {
                (true, _) => "CANCEL",
                (false, true) => "RETURN",
                (false, false) => "NO_RESTOCK",
            };
            booked.push(RefundLine { id: self.next_id(), line: *line_id, quantity: *units, restock: kind, subtotal, tax });
            self.commit(id, line.variant, -unshipped, now);
            self.take_off_fulfillment_orders(&order.fulfillment_orders, *line_id, unshipped, now);
            let returned = *units - unshipped;
            let item = self.variants.get(&line.variant).map(|variant| variant.item);
            if let Some(item) = item.filter(|_| restock && returned > 0) {
                self.move_level(item, order.location, returned, 0, LevelWriter::Order(id), now);
            }
            let Some(line) = self.orders.get_mut(&id).and_then(|order| order.lines.iter_mut().find(|l| l.id == *line_id)) else {
                continue;
            };
            line.refunded += units;
            line.current -= units;
            // Units that came back count neither as shipped nor as open.
            line.fulfilled -= returned;
        }
        let amount = if order.paid { amount.min(order.received() - order.refunded()) } else { Decimal::ZERO };
        let transaction = self.next_id();
        if let Some(order) = self.orders.get_mut(&id) {
            order.refunds.push(refund_id);
            if amount > Decimal::ZERO {
                order.transactions.push(Transaction { id: transaction, kind: "REFUND", amount, at: now });
            }
        }
        let refund = Refund { id: refund_id, order: id, note: String::new(), lines: booked, amount, created_at: now };
        self.refunds.insert(refund_id, refund);
        self.announce("REFUNDS_CREATE", Resource::Refund(refund_id));
        self.touch_order(id, now);
        Ok(refund_id)
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

    /// Cancels an order nothing of which was shipped: everything goes back, what was paid is paid back.
    pub(crate) fn cancel(&mut self, id: i64, reason: &'static str, now: i64) -> Result<(), ShopifyRefused> {
        let order = self.orders.get(&id).ok_or(ShopifyRefused::NoSuchOrder(id))?;
        if order.cancelled_at.is_some() || order.lines.iter().any(|line| line.fulfilled > 0) {
            return Err(ShopifyRefused::NotCancellable(id));
        }
        let lines: Vec<(i64, i64)> = order.lines.iter().map(|line| (line.id, line.current)).collect();
        let parts = order.fulfillment_orders.clone();
        self.refund(id, &lines, true, true, now)?;
        if let Some(order) = self.orders.get_mut(&id) {
            order.cancelled_at = Some(now);
            order.cancel_reason = Some(reason);
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
