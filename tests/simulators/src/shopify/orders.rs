//! What happens to an order: placed, edited, shipped, refunded, returned, cancelled, by the buyer, the merchant or the API.

use rust_decimal::Decimal;

use crate::shopify::catalogue::{Basket, ShopifyRefused};
use crate::shopify::model::{
    Fulfillment, FulfillmentOrder, FulfillmentOrderLine, LevelWriter, Line, Order, Parcel, Refund, RefundLine, Return, Transaction,
};
use crate::shopify::state::{Resource, State};

const FIRST_ORDER_NUMBER: i64 = 1001;

impl Order {
    pub(crate) fn name(&self) -> String {
        format!("#{}", self.number)
    }

    fn share(line: &Line, amount: Decimal, units: i64) -> Decimal {
        State::round((amount * Decimal::from(units)).checked_div(Decimal::from(line.quantity)).unwrap_or_default())
    }

    /// Line prices before discount, for the units first ordered or the present ones.
    pub(crate) fn gross(&self, current: bool) -> Decimal {
        self.lines.iter().map(|line| line.price * Decimal::from(if current { line.current } else { line.quantity })).sum()
    }

    pub(crate) fn discounts(&self, current: bool) -> Decimal {
        self.lines.iter().map(|line| if current { Self::share(line, line.discount, line.current) } else { line.discount }).sum()
    }

    pub(crate) fn tax(&self, current: bool) -> Decimal {
        let lines: Decimal = self.lines.iter().map(|line| if current { Self::share(line, line.tax, line.current) } else { line.tax }).sum();
        lines + self.shipping_tax
    }

    pub(crate) fn subtotal(&self, current: bool) -> Decimal {
        self.gross(current) - self.discounts(current)
    }

    pub(crate) fn total(&self, current: bool) -> Decimal {
        let tax = if self.taxes_included { Decimal::ZERO } else { self.tax(current) };
        if current && self.cancelled_at.is_some() {
            return Decimal::ZERO;
        }
        self.subtotal(current) + self.shipping + tax
    }

    pub(crate) fn refunded(&self) -> Decimal {
        self.transactions.iter().filter(|known| known.kind == "REFUND").map(|known| known.amount).sum()
    }

    pub(crate) fn received(&self) -> Decimal {
        self.transactions.iter().filter(|known| known.kind == "SALE").map(|known| known.amount).sum()
    }

    pub(crate) fn financial_status(&self) -> &'static str {
        let refunded = self.refunded();
        match (self.paid, self.cancelled_at) {
            (false, Some(_)) => "VOIDED",
            (false, None) => "PENDING",
            (true, _) if refunded >= self.received() && refunded > Decimal::ZERO => "REFUNDED",
            (true, _) if refunded > Decimal::ZERO => "PARTIALLY_REFUNDED",
            (true, _) => "PAID",
        }
    }

    pub(crate) fn fulfillment_status(&self) -> &'static str {
        let fulfilled: i64 = self.lines.iter().map(|line| line.fulfilled).sum();
        let open: i64 = self.lines.iter().map(Line::unfulfilled).sum();
        match (fulfilled, open) {
            (0, _) => "UNFULFILLED",
            (_, 0) => "FULFILLED",
            _ => "PARTIALLY_FULFILLED",
        }
    }

    pub(crate) fn line(&self, id: i64) -> Option<&Line> {
        self.lines.iter().find(|line| line.id == id)
    }
}

/// What a fulfilment asks for: per fulfillment order, (its line, units); no lines means everything left.
pub(crate) struct Shipment {
    pub(crate) parts: Vec<(i64, Vec<(i64, i64)>)>,
    pub(crate) parcel: Parcel,
    pub(crate) notified: bool,
}

impl State {
    fn guard(&self, basket: &Basket) -> Result<(), ShopifyRefused> {
        for (sku, _) in &basket.lines {
            let wanted: i64 = basket.lines.iter().filter(|(other, _)| other == sku).map(|(_, units)| *units).sum();
            let variant = self.find_sku(sku).ok_or_else(|| ShopifyRefused::NoSuchSku(sku.clone()))?;
            if basket.oversell || variant.continue_selling {
                continue;
            }
            if let Some(left) = self.available(variant).filter(|left| *left < wanted) {
                return Err(ShopifyRefused::OutOfStock { sku: sku.clone(), wanted, left });
            }
        }
        Ok(())
    }

    /// The first location that can ship the whole basket, else the first one.
    fn assign_location(&self, basket: &Basket) -> i64 {
        let can_ship = |location: &i64| {
            basket.lines.iter().all(|(sku, units)| {
                let item = self.find_sku(sku).and_then(|variant| self.items.get(&variant.item));
                item.is_none_or(|item| !item.tracked || item.levels.get(location).is_some_and(|level| level.available >= *units))
            })
        };
        self.locations.keys().copied().find(can_ship).unwrap_or_else(|| self.first_location())
    }

    fn tax_of(&self, amount: Decimal) -> Decimal {
        let rate = Decimal::new(i64::from(self.rules.tax_bps), 4);
        if self.rules.taxes_included {
            amount - Self::round(amount.checked_div(Decimal::ONE + rate).unwrap_or(amount))
        } else {
            Self::round(amount * rate)
        }
    }

    fn line_of(&mut self, sku: &str, units: i64) -> Option<Line> {
        let variant = self.find_sku(sku)?.clone();
        let product = self.products.get(&variant.product)?;
        let (title, vendor) = (product.title.clone(), product.vendor.clone());
        let tax = if variant.taxable { self.tax_of(variant.price * Decimal::from(units)) } else { Decimal::ZERO };
        Some(Line {
            id: self.next_id(),
            variant: variant.id,
            product: variant.product,
            title,
            variant_title: (!variant.options.is_empty()).then(|| variant.title()),
            sku: variant.sku,
            vendor,
            price: variant.price,
            quantity: units,
            current: units,
            fulfilled: 0,
            refunded: 0,
            discount: Decimal::ZERO,
            tax,
            requires_shipping: variant.requires_shipping,
            gift_card: false,
            taxable: variant.taxable,
            grams: variant.grams,
        })
    }

    fn custom_line(&mut self, title: &str, price: Decimal) -> Line {
        Line {
            id: self.next_id(),
            variant: 0,
            product: 0,
            title: title.to_owned(),
            variant_title: None,
            sku: String::new(),
            vendor: String::new(),
            price,
            quantity: 1,
            current: 1,
            fulfilled: 0,
            refunded: 0,
            discount: Decimal::ZERO,
            tax: Decimal::ZERO,
            requires_shipping: false,
            gift_card: false,
            taxable: false,
            grams: 0,
        }
    }

    fn spread_discount(&self, lines: &mut [Line], amount: Decimal) {
        let whole: Decimal = lines.iter().map(Line::original_total).sum();
        let amount = amount.min(whole);
        let mut left = amount;
        let count = lines.len();
        for (index, line) in lines.iter_mut().enumerate() {
            let share = (amount * line.original_total()).checked_div(whole).unwrap_or_default();
            line.discount = if index + 1 == count { left } else { Self::round(share) };
            left -= line.discount;
            if line.taxable {
                line.tax = self.tax_of(line.original_total() - line.discount);
            }
        }
    }

    pub(crate) fn place(&mut self, basket: Basket, token: String, now: i64) -> Result<i64, ShopifyRefused> {
        self.guard(&basket)?;
        let location = self.assign_location(&basket);
        let mut lines = Vec::new();
        for (sku, units) in &basket.lines {
            lines.extend(self.line_of(sku, *units));
        }
        for (title, price) in &basket.custom {
            lines.push(self.custom_line(title, *price));
        }
        if let Some((_, amount)) = &basket.discount {
            self.spread_discount(&mut lines, *amount);
        }
        let id = self.next_id();
        let number = FIRST_ORDER_NUMBER + i64::try_from(self.orders.len()).unwrap_or_default();
        let presentment = basket.presentment.unwrap_or((self.rules.currency.clone(), Decimal::ONE));
        let mut order = Order {
            id,
            number,
            created_at: now,
            updated_at: now,
            cancelled_at: None,
            cancel_reason: None,
            closed_at: None,
            paid: basket.paid,
            test: basket.test,
            edited: false,
            presentment,
            buyer: basket.buyer,
            customer: self.next_id(),
            note: basket.note,
            tags: Vec::new(),
            lines,
            shipping: basket.shipping,
            shipping_tax: self.tax_of(basket.shipping),
            shipping_line: self.next_id(),
            discount_code: basket.discount.map(|(code, _)| code),
            tax_bps: self.rules.tax_bps,
            taxes_included: self.rules.taxes_included,
            location,
            fulfillment_orders: Vec::new(),
            fulfillments: Vec::new(),
            refunds: Vec::new(),
            returns: Vec::new(),
            transactions: Vec::new(),
            token,
        };
        if order.paid {
            let amount = order.total(false);
            order.transactions.push(Transaction { id: self.next_id(), kind: "SALE", amount, at: now });
        }
        order.fulfillment_orders.push(self.open_fulfillment_order(&order, now));
        let taken: Vec<(i64, i64)> = order.lines.iter().map(|line| (line.variant, line.quantity)).collect();
        self.orders.insert(id, order);
        for (variant, units) in taken {
            self.commit(id, variant, units, now);
        }
        self.announce("ORDERS_CREATE", Resource::Order(id));
        if basket.paid {
            self.announce("ORDERS_PAID", Resource::Order(id));
        }
        self.announce("ORDERS_UPDATED", Resource::Order(id));
        Ok(id)
    }

    fn open_fulfillment_order(&mut self, order: &Order, now: i64) -> i64 {
        let id = self.next_id();
        let lines = order
            .lines
            .iter()
            .map(|line| FulfillmentOrderLine { id: self.next_id(), line: line.id, total: line.quantity, remaining: line.quantity })
            .collect();
        let opened =
            FulfillmentOrder { id, order: order.id, location: order.location, status: "OPEN", lines, created_at: now, updated_at: now };
        self.fulfillment_orders.insert(id, opened);
        id
    }

    /// Takes `units` out of what is available for an order (gives back when negative).
    fn commit(&mut self, order: i64, variant: i64, units: i64, now: i64) {
        let Some(location) = self.orders.get(&order).map(|order| order.location) else {
            return;
        };
        let Some(item) = self.variants.get(&variant).map(|variant| variant.item) else {
            return;
        };
        if units != 0 && self.items.get(&item).is_some_and(|item| item.tracked) {
            self.move_level(item, location, -units, units, LevelWriter::Order(order), now);
        }
    }

    pub(crate) fn touch_order(&mut self, id: i64, now: i64) {
        if let Some(order) = self.orders.get_mut(&id) {
            order.updated_at = now;
        }
        self.announce("ORDERS_UPDATED", Resource::Order(id));
    }

    /// The merchant edits an order: `sku` shall now have `units` (never fewer than were shipped).
    pub(crate) fn edit(&mut self, id: i64, sku: &str, units: i64, now: i64) -> Result<(), ShopifyRefused> {
        let order = self.orders.get(&id).ok_or(ShopifyRefused::NoSuchOrder(id))?;
        let at = order.lines.iter().position(|line| line.sku == sku);
        let fulfillment_order = order.fulfillment_orders.last().copied().unwrap_or_default();
        let (line_id, variant, difference) = match at {
            Some(index) => {
                let line = &order.lines[index];
                let units = units.max(line.fulfilled);
                (line.id, line.variant, units - line.current)
            }
            None => {
                let mut line = self.line_of(sku, units).ok_or_else(|| ShopifyRefused::NoSuchSku(sku.to_owned()))?;
                // An added line was never part of the first order, but its units are all its own.
                line.current = 0;
                let (line_id, variant) = (line.id, line.variant);
                if let Some(order) = self.orders.get_mut(&id) {
                    order.lines.push(line);
                }
                (line_id, variant, units)
            }
        };
        let fresh = self.next_id();
        if let Some(order) = self.orders.get_mut(&id) {
            order.edited = true;
            if let Some(line) = order.lines.iter_mut().find(|line| line.id == line_id) {
                line.current += difference;
                line.quantity = line.quantity.max(line.current);
                line.tax = if line.quantity == line.current && difference > 0 { line.tax } else { line.tax };
            }
        }
        if let Some(opened) = self.fulfillment_orders.get_mut(&fulfillment_order) {
            match opened.lines.iter_mut().find(|line| line.line == line_id) {
                Some(line) => {
                    line.total += difference;
                    line.remaining += difference;
                }
                None => opened.lines.push(FulfillmentOrderLine { id: fresh, line: line_id, total: difference, remaining: difference }),
            }
            opened.updated_at = now;
        }
        self.commit(id, variant, difference, now);
        self.announce("ORDERS_EDITED", Resource::Order(id));
        self.touch_order(id, now);
        Ok(())
    }

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
