//! How an order comes to be and is edited. What it adds up to is in `amounts.rs`, how it leaves in `shipping.rs`, what comes
//! after in `aftersale.rs`.

use rust_decimal::Decimal;

use crate::shopify::catalogue::{Basket, ShopifyRefused};
use crate::shopify::model::{FulfillmentOrder, FulfillmentOrderLine, LevelWriter, Line, Order, Transaction};
use crate::shopify::state::{Resource, State};

const FIRST_ORDER_NUMBER: i64 = 1001;

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
            returned: 0,
            kept: 0,
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
            returned: 0,
            kept: 0,
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
            staff_note: None,
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
    pub(crate) fn commit(&mut self, order: i64, variant: i64, units: i64, now: i64) {
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
        if order.cancelled_at.is_some() {
            return Err(ShopifyRefused::Cancelled(id));
        }
        let at = order.lines.iter().position(|line| line.sku == sku);
        let fulfillment_order = order.fulfillment_orders.last().copied().unwrap_or_default();
        let (line_id, variant, difference) = match at {
            Some(index) => {
                let line = &order.lines[index];
                let units = units.max(line.fulfilled - line.returned);
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
        let line = self.orders.get(&id).and_then(|order| order.line(line_id));
        let more_tax = line.filter(|line| line.taxable && line.current + difference > line.quantity).map(|line| {
            let units = Decimal::from(line.current + difference);
            self.tax_of(line.price * units - line.discount)
        });
        if let Some(order) = self.orders.get_mut(&id) {
            order.edited = true;
            order.closed_at = order.closed_at.filter(|_| difference <= 0);
            if let Some(line) = order.lines.iter_mut().find(|line| line.id == line_id) {
                line.current += difference;
                line.quantity = line.quantity.max(line.current);
                line.tax = more_tax.unwrap_or(line.tax);
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
            let open = opened.lines.iter().any(|line| line.remaining > 0);
            opened.status = match opened.status {
                "CLOSED" if open => "OPEN",
                "OPEN" | "IN_PROGRESS" if !open => "CLOSED",
                status => status,
            };
        }
        self.commit(id, variant, difference, now);
        self.announce("ORDERS_EDITED", Resource::Order(id));
        self.touch_order(id, now);
        Ok(())
    }
}
