//! The people in the shop: buyers at the checkout, the merchant in the shop's own admin.

use rust_decimal::Decimal;
use serde_json::Value;

use crate::server::lock;
use crate::woo::catalogue::{NewProduct, NewVariation, Purchase, Refused};
use crate::woo::model::{Item, Kind, Line, ManageStock, Order, OrderView, StockWrite, StockWriter, Tracking};
use crate::woo::orders::NewRefund;
use crate::woo::shop::WooShop;
use crate::woo::tracking;

impl WooShop {
    pub fn add_product(&self, product: NewProduct) -> i64 {
        self.inner.change(|state, now| {
            let id = state.add_item(product, Kind::Simple, 0, now);
            state.announce("product.created", id);
            id
        })
    }

    /// A variable product; the ids of its variations follow from [`WooShop::id_of`].
    pub fn add_variable_product(&self, shared: NewProduct, variations: Vec<NewVariation>) -> i64 {
        self.inner.change(|state, now| {
            let id = state.add_variable(shared, variations, now);
            state.announce("product.created", id);
            id
        })
    }

    /// Id of the product or variation with this SKU.
    pub fn id_of(&self, sku: &str) -> Option<i64> {
        self.inner.read(|state| state.find_sku(sku).map(|item| item.id))
    }

    /// A buyer checks out. The shop guards its own last unit unless the purchase says `oversell()`.
    pub fn place_order(&self, purchase: Purchase) -> Result<i64, Refused> {
        let key = format!("wc_order_{}", lock(&self.inner.front.dice).hex(13));
        self.inner.change(|state, now| state.place(purchase, key, now))
    }

    /// The merchant changes the units of one SKU in an order; 0 removes it, a SKU not yet there is added.
    pub fn edit_order(&self, order: i64, sku: &str, units: i64) -> Result<(), Refused> {
        self.inner.change(|state, now| state.edit_line(order, sku, units, now))
    }

    pub fn set_order_status(&self, order: i64, status: &str) -> Result<(), Refused> {
        self.inner.change(|state, now| {
            state.orders.get(&order).ok_or(Refused::NoSuchOrder(order))?;
            state.set_status(order, status, now);
            Ok(())
        })
    }

    pub fn cancel_order(&self, order: i64) -> Result<(), Refused> {
        self.set_order_status(order, "cancelled")
    }

    pub fn complete_order(&self, order: i64) -> Result<(), Refused> {
        self.set_order_status(order, "completed")
    }

    /// The merchant ships in the shop's own admin: a parcel is written down and the order completed.
    pub fn ship_order(&self, order: i64, provider: &str, number: &str) -> Result<(), Refused> {
        let id = lock(&self.inner.front.dice).hex(32);
        self.inner.change(|state, now| {
            let meta_id = state.next_id();
            let parcel = Tracking { id, provider: provider.into(), number: number.into(), link: String::new() };
            let found = state.orders.get_mut(&order).ok_or(Refused::NoSuchOrder(order))?;
            tracking::add(found, &parcel, now, meta_id);
            state.set_status(order, "completed", now);
            Ok(())
        })
    }

    /// The merchant refunds units of some SKUs (all of the order when `lines` is empty), putting them back if `restock`.
    pub fn refund_order(&self, order: i64, lines: &[(&str, i64)], restock: bool) -> Result<i64, Refused> {
        self.inner.change(|state, now| {
            let found = state.orders.get(&order).ok_or(Refused::NoSuchOrder(order))?;
            let refund = admin_refund(found, lines, restock)?;
            state.refund(order, refund, now)
        })
    }

    /// The merchant moves the order to the trash; webhooks carry its id alone.
    pub fn delete_order(&self, order: i64) -> Result<(), Refused> {
        self.inner.change(|state, now| {
            let found = state.orders.get_mut(&order).ok_or(Refused::NoSuchOrder(order))?;
            found.status = "trash".to_owned();
            found.modified_at = now;
            state.announce("order.deleted", order);
            Ok(())
        })
    }

    /// The merchant types a new quantity in the shop's own admin.
    pub fn set_stock(&self, sku: &str, stock: i64) -> Result<(), Refused> {
        self.inner.change(|state, now| {
            let id = state.find_sku(sku).map(|item| item.id).ok_or_else(|| Refused::NoSuchSku(sku.to_owned()))?;
            let owner = state.stock_owner(id).ok_or_else(|| Refused::NotCounted { sku: sku.to_owned() })?;
            state.write_stock(owner, stock, StockWriter::Admin, now);
            Ok(())
        })
    }

    /// The merchant decides whose number counts for a product or variation.
    pub fn set_manage_stock(&self, sku: &str, manage: ManageStock) -> Result<(), Refused> {
        self.edit_item(sku, |item| item.manage_stock = manage)
    }

    pub fn set_price(&self, sku: &str, price: Decimal) -> Result<(), Refused> {
        self.edit_item(sku, |item| item.regular_price = Some(price))
    }

    fn edit_item(&self, sku: &str, edit: impl FnOnce(&mut Item)) -> Result<(), Refused> {
        self.inner.change(|state, now| {
            let id = state.find_sku(sku).map(|item| item.id).ok_or_else(|| Refused::NoSuchSku(sku.to_owned()))?;
            if let Some(item) = state.items.get_mut(&id) {
                edit(item);
                item.modified_at = now;
            }
            state.announce("product.updated", id);
            Ok(())
        })
    }

    // What the merchant can look at

    /// The number that counts for this SKU; nothing when nobody counts.
    pub fn stock_of(&self, sku: &str) -> Option<i64> {
        self.inner.read(|state| state.find_sku(sku).and_then(|item| state.stock_of(item.id)))
    }

    /// The price that stands beside this SKU in the shop.
    pub fn price_of(&self, sku: &str) -> Option<Decimal> {
        self.inner.read(|state| state.find_sku(sku).and_then(|item| item.sale_price.or(item.regular_price)))
    }

    pub fn orders(&self) -> Vec<OrderView> {
        self.inner.read(|state| {
            let view = |order: &Order| OrderView {
                id: order.id,
                status: order.status.clone(),
                lines: order.lines.iter().map(|line| (line.sku.clone(), line.quantity)).collect(),
                total: order.total(),
                currency: order.currency.clone(),
                created_at_ms: order.created_at,
                modified_at_ms: order.modified_at,
            };
            state.orders.values().map(view).collect()
        })
    }

    pub fn order(&self, id: i64) -> Option<OrderView> {
        self.orders().into_iter().find(|order| order.id == id)
    }

    pub fn tracking_of(&self, order: i64) -> Vec<Tracking> {
        self.inner.read(|state| state.orders.get(&order).map(tracking::of).unwrap_or_default())
    }

    /// Custom fields of an order.
    pub fn meta_of(&self, order: i64) -> Vec<(String, Value)> {
        self.inner.read(|state| {
            let found = state.orders.get(&order).map(|order| order.meta.iter());
            found.into_iter().flatten().map(|meta| (meta.key.clone(), meta.value.clone())).collect()
        })
    }

    /// Notes on an order, oldest first, with whether the customer sees them.
    pub fn notes_of(&self, order: i64) -> Vec<(String, bool)> {
        self.inner.read(|state| {
            let found = state.orders.get(&order).map(|order| order.notes.iter());
            found.into_iter().flatten().map(|note| (note.text.clone(), note.to_customer)).collect()
        })
    }

    /// Every write to the shop's stock, oldest first.
    pub fn stock_writes(&self) -> Vec<StockWrite> {
        self.inner.read(|state| state.writes.clone())
    }

    /// The stock writes that came over the API.
    pub fn pushes(&self) -> Vec<StockWrite> {
        self.inner.read(|state| state.writes.iter().filter(|write| write.by == StockWriter::Api).cloned().collect())
    }
}

fn admin_refund(order: &Order, wanted: &[(&str, i64)], restock: bool) -> Result<NewRefund, Refused> {
    let mut lines = Vec::new();
    let mut amount = Decimal::ZERO;
    let mut take = |line: &Line, units: i64| {
        let share = |sum: Decimal| (sum * Decimal::from(units)).checked_div(Decimal::from(line.quantity)).unwrap_or_default().round_dp(2);
        amount += share(line.total) + share(line.total_tax);
        lines.push((line.id, units, share(line.total)));
    };
    if wanted.is_empty() {
        for line in &order.lines {
            take(line, line.quantity - line.refunded);
        }
        amount = order.total() - order.refunds.iter().map(|refund| refund.amount).sum::<Decimal>();
    } else {
        for (sku, units) in wanted {
            let line = order.lines.iter().find(|line| line.sku == *sku && line.quantity - line.refunded >= *units);
            let line = line.ok_or_else(|| Refused::NoSuchLine { order: order.id, sku: (*sku).to_owned() })?;
            take(line, *units);
        }
    }
    Ok(NewRefund { amount, reason: String::new(), lines, restock, paid_back: false })
}
