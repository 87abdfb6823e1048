//! What happens to an order, and when it takes from the shop's stock and gives back.
//!
//! Invariant: for every order line, `reduced` units are missing from the owner's stock because of it, no more, no less.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use crate::woo::catalogue::{Purchase, Refused};
use crate::woo::model::{Extra, Kind, Line, Meta, Note, Order, Refund, StockWriter};
use crate::woo::state::State;

impl State {
    fn price_line(&mut self, item_id: i64, units: i64, tax_bps: u32) -> Option<Line> {
        let item = self.items.get(&item_id)?.clone();
        let gross = item.price().unwrap_or_default() * Decimal::from(units);
        let rate = Decimal::new(i64::from(tax_bps), 4);
        let subtotal = if self.rules.prices_include_tax {
            self.round(gross.checked_div(Decimal::ONE + rate).unwrap_or(gross))
        } else {
            self.round(gross)
        };
        let tax = if self.rules.prices_include_tax { gross - subtotal } else { self.round(subtotal * rate) };
        let (product, variation) = if item.kind == Kind::Variation { (item.parent, item.id) } else { (item.id, 0) };
        let mut meta = Vec::new();
        let mut name = item.name.clone();
        if item.kind == Kind::Variation {
            for (attribute, options) in &item.attributes {
                let id = self.next_id();
                let option = options.first().cloned().unwrap_or_default();
                meta.push(Meta { id, key: format!("pa_{}", attribute.to_lowercase()), value: option.into() });
            }
            let options: Vec<_> = item.attributes.iter().flat_map(|(_, options)| options.clone()).collect();
            name = format!("{} - {}", item.name, options.join(", "));
        }
        Some(Line {
            id: self.next_id(),
            name,
            product,
            variation,
            sku: item.sku,
            quantity: units,
            subtotal,
            total: subtotal,
            subtotal_tax: tax,
            total_tax: tax,
            reduced: 0,
            refunded: 0,
            restocked: 0,
            meta,
        })
    }

    fn extra(&mut self, label: &str, amount: Decimal, tax_bps: u32) -> Extra {
        let tax = self.round(amount * Decimal::new(i64::from(tax_bps), 4));
        Extra { id: self.next_id(), label: label.to_owned(), amount: self.round(amount), tax }
    }

    /// The shop's own guard: what is wanted per stock number against what is there.
    fn check_stock(&self, lines: &[(String, i64)]) -> Result<(), Refused> {
        let mut wanted: BTreeMap<i64, i64> = BTreeMap::new();
        for (sku, units) in lines {
            let item = self.find_sku(sku).ok_or_else(|| Refused::NoSuchSku(sku.clone()))?;
            let Some(owner) = self.stock_owner(item.id).and_then(|owner| self.items.get(&owner)) else {
                if item.in_stock || item.backorders_allowed() {
                    continue;
                }
                return Err(Refused::OutOfStock { sku: sku.clone(), wanted: *units, left: 0 });
            };
            let sum = wanted.entry(owner.id).or_default();
            *sum += units;
            if *sum > owner.stock && !owner.backorders_allowed() {
                return Err(Refused::OutOfStock { sku: sku.clone(), wanted: *sum, left: owner.stock });
            }
        }
        Ok(())
    }

    pub(crate) fn place(&mut self, purchase: Purchase, key: String, now: i64) -> Result<i64, Refused> {
        for (sku, _) in &purchase.lines {
            self.find_sku(sku).ok_or_else(|| Refused::NoSuchSku(sku.clone()))?;
        }
        if !purchase.oversell {
            self.check_stock(&purchase.lines)?;
        }
        let tax_bps = self.rules.tax_bps;
        let id = self.next_id();
        let mut lines = Vec::new();
        for (sku, units) in &purchase.lines {
            let item = self.find_sku(sku).map(|item| item.id).unwrap_or_default();
            lines.extend(self.price_line(item, *units, tax_bps));
        }
        let shipping = Some(self.extra("Flat rate", purchase.shipping, tax_bps));
        let fee = purchase.fee.map(|(label, amount)| self.extra(&label, amount, tax_bps));
        let coupon = purchase.coupon.map(|(code, amount)| self.discount(&mut lines, &code, amount, tax_bps));
        let tax_line = self.next_id();
        let order = Order {
            id,
            key,
            status: "pending".to_owned(),
            currency: purchase.currency.unwrap_or_else(|| self.rules.currency.clone()),
            created_via: "checkout",
            created_at: now,
            modified_at: now,
            paid_at: None,
            completed_at: None,
            buyer: purchase.buyer,
            note: purchase.note,
            transaction_id: String::new(),
            tax_bps,
            lines,
            shipping,
            fee,
            coupon,
            refunds: Vec::new(),
            notes: Vec::new(),
            meta: Vec::new(),
            tax_line,
        };
        self.orders.insert(id, order);
        self.announce("order.created", id);
        self.set_status(id, &purchase.status, now);
        Ok(id)
    }

    /// Spreads a discount over the lines by value; the last line takes what rounding left.
    fn discount(&mut self, lines: &mut [Line], code: &str, amount: Decimal, tax_bps: u32) -> Extra {
        let whole: Decimal = lines.iter().map(|line| line.subtotal).sum();
        let amount = self.round(amount).min(whole);
        let rate = Decimal::new(i64::from(tax_bps), 4);
        let mut left = amount;
        let mut tax_off = Decimal::ZERO;
        let count = lines.len();
        for (index, line) in lines.iter_mut().enumerate() {
            let share = if index + 1 == count { left } else { self.round((amount * line.subtotal).checked_div(whole).unwrap_or_default()) };
            left -= share;
            line.total = line.subtotal - share;
            line.total_tax = self.round(line.total * rate);
            tax_off += line.subtotal_tax - line.total_tax;
        }
        Extra { id: self.next_id(), label: code.to_owned(), amount, tax: tax_off }
    }

    /// Changes the status and does what WooCommerce does with it; an order that already has it only moves its date.
    pub(crate) fn set_status(&mut self, id: i64, status: &str, now: i64) {
        let note_id = self.next_id();
        let Some(order) = self.orders.get_mut(&id) else {
            return;
        };
        let before = std::mem::replace(&mut order.status, status.to_owned());
        order.modified_at = now;
        if before != status {
            let text = format!("Order status changed from {before} to {status}.");
            order.notes.push(Note { id: note_id, at: now, author: "system".into(), text, to_customer: false });
        }
        if matches!(status, "processing" | "completed") && order.paid_at.is_none() {
            order.paid_at = Some(now);
        }
        if status == "completed" && order.completed_at.is_none() {
            order.completed_at = Some(now);
        }
        match status {
            "processing" | "on-hold" | "completed" => self.take_stock(id, now),
            "cancelled" | "pending" => self.give_back(id, now),
            _ => {}
        }
        self.announce("order.updated", id);
    }

    /// Takes what the order's lines still lack.
    fn take_stock(&mut self, id: i64, now: i64) {
        let Some(order) = self.orders.get(&id) else {
            return;
        };
        let wanted: Vec<(usize, i64, i64)> = order
            .lines
            .iter()
            .enumerate()
            .map(|(index, line)| (index, line_item(line), line.quantity - line.restocked - line.reduced))
            .collect();
        for (index, item, units) in wanted {
            self.move_line_stock(id, index, item, units, now);
        }
    }

    fn give_back(&mut self, id: i64, now: i64) {
        let Some(order) = self.orders.get(&id) else {
            return;
        };
        let held: Vec<(usize, i64, i64)> =
            order.lines.iter().enumerate().map(|(index, line)| (index, line_item(line), line.reduced)).collect();
        for (index, item, units) in held {
            self.move_line_stock(id, index, item, -units, now);
        }
    }

    /// Takes `units` for a line (gives back when negative) and writes it on the line.
    fn move_line_stock(&mut self, order: i64, index: usize, item: i64, units: i64, now: i64) {
        if units == 0 {
            return;
        }
        let Some(owner) = self.stock_owner(item) else {
            return;
        };
        let Some(before) = self.items.get(&owner).map(|item| item.stock) else {
            return;
        };
        self.write_stock(owner, before - units, StockWriter::Order(order), now);
        if let Some(line) = self.orders.get_mut(&order).and_then(|order| order.lines.get_mut(index)) {
            line.reduced += units;
        }
    }

    /// The merchant changes how many of `sku` an order has (0 removes the line, a new SKU adds one), as in the shop's admin.
    pub(crate) fn edit_line(&mut self, id: i64, sku: &str, units: i64, now: i64) -> Result<(), Refused> {
        let order = self.orders.get(&id).ok_or(Refused::NoSuchOrder(id))?;
        let tax_bps = order.tax_bps;
        let counted = matches!(order.status.as_str(), "processing" | "on-hold" | "completed");
        let item = self.find_sku(sku).map(|item| item.id).ok_or_else(|| Refused::NoSuchSku(sku.to_owned()))?;
        let at = order.lines.iter().position(|line| line.sku == sku);
        let fresh = self.price_line(item, units, tax_bps).ok_or_else(|| Refused::NoSuchSku(sku.to_owned()))?;
        let index = match at {
            Some(index) => index,
            None => {
                let Some(order) = self.orders.get_mut(&id) else {
                    return Err(Refused::NoSuchOrder(id));
                };
                order.lines.push(fresh.clone());
                order.lines.len() - 1
            }
        };
        if let Some(line) = self.orders.get_mut(&id).and_then(|order| order.lines.get_mut(index)) {
            // What was refunded stays on the order.
            line.quantity = units.max(line.refunded);
            (line.subtotal, line.total) = (fresh.subtotal, fresh.total);
            (line.subtotal_tax, line.total_tax) = (fresh.subtotal_tax, fresh.total_tax);
            // An order that takes no stock (any more) may still hold some; it never takes more.
            let due = line.quantity - line.restocked;
            let target = if counted { due } else { due.min(line.reduced) };
            let difference = target - line.reduced;
            self.move_line_stock(id, index, item, difference, now);
        }
        if let Some(order) = self.orders.get_mut(&id) {
            order.lines.retain(|line| line.quantity > 0);
            order.modified_at = now;
        }
        self.announce("order.updated", id);
        Ok(())
    }

    /// Books a refund of `lines` (line id, units, net amount) or of a bare `amount`; a full one turns the order `refunded`.
    pub(crate) fn refund(&mut self, id: i64, refund: NewRefund, now: i64) -> Result<i64, Refused> {
        let refund_id = self.next_id();
        let order = self.orders.get_mut(&id).ok_or(Refused::NoSuchOrder(id))?;
        let mut back = Vec::new();
        for (line_id, units, _) in &refund.lines {
            let Some(index) = order.lines.iter().position(|line| line.id == *line_id) else {
                continue;
            };
            let line = &mut order.lines[index];
            line.refunded += units;
            if refund.restock {
                let back_units = (*units).min(line.reduced);
                line.restocked += back_units;
                back.push((index, line_item(line), back_units));
            }
        }
        order.refunds.push(Refund {
            id: refund_id,
            at: now,
            amount: refund.amount,
            reason: refund.reason,
            paid_back: refund.paid_back,
            lines: refund.lines,
        });
        order.modified_at = now;
        let paid_back: Decimal = order.refunds.iter().map(|refund| refund.amount).sum();
        let full = paid_back >= order.total();
        for (index, item, units) in back {
            self.move_line_stock(id, index, item, -units, now);
        }
        if full {
            self.set_status(id, "refunded", now);
        }
        self.announce("order.updated", id);
        Ok(refund_id)
    }
}

/// A refund before it is booked.
pub(crate) struct NewRefund {
    pub(crate) amount: Decimal,
    pub(crate) reason: String,
    pub(crate) lines: Vec<(i64, i64, Decimal)>,
    pub(crate) restock: bool,
    pub(crate) paid_back: bool,
}

pub(crate) fn line_item(line: &Line) -> i64 {
    if line.variation == 0 { line.product } else { line.variation }
}
