//! The people in the shop: buyers at the checkout, the merchant in the shop's own admin.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use crate::server::lock;
use crate::shopify::aftersale::Cancellation;
use crate::shopify::catalogue::{Basket, NewVariant, ShopifyRefused};
use crate::shopify::facts::{gid, number};
use crate::shopify::model::{LevelWrite, LevelWriter, Order, Parcel, ShopifyOrderView, Transaction};
use crate::shopify::price_lists::PriceList;
use crate::shopify::shipping::Shipment;
use crate::shopify::shop::ShopifyShop;
use crate::shopify::state::Resource;

impl ShopifyShop {
    /// A second, third, ... location; the first exists from the start.
    pub fn add_location(&self, name: &str) -> i64 {
        self.inner.change(|state, now| state.add_location(name, now))
    }

    /// Location ids, the first one first.
    pub fn locations(&self) -> Vec<i64> {
        self.inner.read(|state| state.locations.keys().copied().collect())
    }

    pub fn add_product(&self, title: &str, variants: Vec<NewVariant>) -> i64 {
        self.inner.change(|state, now| state.add_product(title, variants, now))
    }

    /// (variant id, inventory item id) of a SKU.
    pub fn ids_of(&self, sku: &str) -> Option<(i64, i64)> {
        self.inner.read(|state| state.find_sku(sku).map(|variant| (variant.id, variant.item)))
    }

    /// A buyer checks out. The shop guards its own last unit unless the basket says `oversell()`.
    pub fn place_order(&self, basket: Basket) -> Result<i64, ShopifyRefused> {
        let token = lock(&self.inner.front.dice).hex(32);
        self.inner.change(|state, now| state.place(basket, token, now))
    }

    /// The merchant edits an order: `sku` shall now have `units`; a SKU not yet there is added.
    pub fn edit_order(&self, order: i64, sku: &str, units: i64) -> Result<(), ShopifyRefused> {
        self.inner.change(|state, now| state.edit(order, sku, units, now))
    }

    pub fn cancel_order(&self, order: i64) -> Result<(), ShopifyRefused> {
        self.inner.change(|state, now| {
            let how = Cancellation { reason: "CUSTOMER".into(), restock: true, refund: true, staff_note: None };
            state.cancel(order, how, now)
        })
    }

    /// The merchant marks an unpaid order as paid.
    pub fn mark_paid(&self, order: i64) -> Result<(), ShopifyRefused> {
        self.inner.change(|state, now| {
            let id = state.next_id();
            let found = state.orders.get_mut(&order).ok_or(ShopifyRefused::NoSuchOrder(order))?;
            if !found.paid {
                found.paid = true;
                let amount = found.total(true);
                found.transactions.push(Transaction { id, kind: "SALE", amount, at: now });
                state.announce("ORDERS_PAID", Resource::Order(order));
                state.touch_order(order, now);
            }
            Ok(())
        })
    }

    /// The merchant ships everything left in the shop's own admin.
    pub fn ship_order(&self, order: i64, company: &str, number: &str) -> Result<i64, ShopifyRefused> {
        self.inner.change(|state, now| {
            let found = state.orders.get(&order).ok_or(ShopifyRefused::NoSuchOrder(order))?;
            let open: Vec<(i64, Vec<(i64, i64)>)> = found
                .fulfillment_orders
                .iter()
                .filter(|id| state.fulfillment_orders.get(id).is_some_and(|part| part.lines.iter().any(|line| line.remaining > 0)))
                .map(|id| (*id, Vec::new()))
                .collect();
            if open.is_empty() || found.cancelled_at.is_some() {
                return Err(ShopifyRefused::NothingToShip(order));
            }
            let parcel = Parcel { company: Some(company.to_owned()), numbers: vec![number.to_owned()], urls: Vec::new() };
            Ok(state.ship(order, Shipment { parts: open, parcel, notified: false }, now))
        })
    }

    /// The merchant refunds units of some SKUs (all that is left when `lines` is empty). Unshipped units are no longer
    /// owed; shipped ones go back on the shelf if `restock`.
    pub fn refund_order(&self, order: i64, lines: &[(&str, i64)], restock: bool) -> Result<i64, ShopifyRefused> {
        self.inner.change(|state, now| {
            let found = state.orders.get(&order).ok_or(ShopifyRefused::NoSuchOrder(order))?;
            let mut wanted = Vec::new();
            for (sku, units) in lines {
                let line = found.lines.iter().find(|line| line.sku == *sku && line.current >= *units);
                let missing = || ShopifyRefused::NoSuchLine { order, sku: (*sku).to_owned() };
                wanted.push((line.ok_or_else(missing)?.id, *units));
            }
            let all = wanted.is_empty();
            if all {
                wanted = found.lines.iter().filter(|line| line.current > 0).map(|line| (line.id, line.current)).collect();
            }
            let plan = state.plan_refund(found, &wanted, restock, all);
            state.refund(order, plan, now)
        })
    }

    /// A return of shipped units is announced; nothing moves yet.
    pub fn open_return(&self, order: i64, sku: &str, units: i64) -> Result<i64, ShopifyRefused> {
        self.inner.change(|state, now| state.open_return(order, sku, units, now))
    }

    /// The merchant types a new available quantity at the first location.
    pub fn set_stock(&self, sku: &str, available: i64) -> Result<(), ShopifyRefused> {
        let location = self.locations().first().copied().unwrap_or_default();
        self.set_stock_at(sku, location, available)
    }

    pub fn set_stock_at(&self, sku: &str, location: i64, available: i64) -> Result<(), ShopifyRefused> {
        self.inner.change(|state, now| {
            let variant = state.find_sku(sku).ok_or_else(|| ShopifyRefused::NoSuchSku(sku.to_owned()))?;
            let item = variant.item;
            let levels = state.items.get(&item).map(|item| &item.levels);
            let before = levels.and_then(|levels| levels.get(&location)).map_or(0, |level| level.available);
            state.move_level(item, location, available - before, 0, LevelWriter::Admin, now);
            Ok(())
        })
    }

    pub fn set_price(&self, sku: &str, price: Decimal) -> Result<(), ShopifyRefused> {
        self.inner.change(|state, now| {
            let id = state.find_sku(sku).ok_or_else(|| ShopifyRefused::NoSuchSku(sku.to_owned()))?.id;
            let Some(variant) = state.variants.get_mut(&id) else {
                return Ok(());
            };
            variant.price = price;
            variant.updated_at = now;
            let product = variant.product;
            state.touch_product(product, now);
            Ok(())
        })
    }

    /// The merchant adds a price list, say for another market. Returns its global id.
    pub fn add_price_list(&self, name: &str, currency: &str) -> String {
        let id = self.inner.change(|state, _| {
            let id = state.next_id();
            let list = PriceList { id, name: name.to_owned(), currency: currency.to_owned(), fixed: BTreeMap::new() };
            state.price_lists.insert(id, list);
            Ok::<_, ShopifyRefused>(id)
        });
        gid("PriceList", id.unwrap_or_default())
    }

    /// The fixed price of a SKU in a price list.
    pub fn list_price_of(&self, list: &str, sku: &str) -> Option<Decimal> {
        self.inner.read(|state| {
            let variant = state.find_sku(sku)?.id;
            state.price_lists.get(&number(list, "PriceList")?)?.fixed.get(&variant).map(|(price, _)| *price)
        })
    }

    /// The next so many bulk operations end as failed, with this error code of the API.
    pub fn fail_exports(&self, times: usize, code: &'static str) {
        self.inner.change(|state, _| state.export_failures.extend(std::iter::repeat_n(code, times)));
    }

    /// A week has gone by for every file of a bulk operation.
    pub fn expire_exports(&self) {
        self.inner.change(|state, now| state.exports.values_mut().for_each(|export| export.expires_at = export.expires_at.min(now)));
    }

    /// The files of bulk operations are gone, and the shop goes on naming them.
    pub fn lose_exports(&self) {
        self.inner.change(|state, _| state.exports.values_mut().for_each(|export| export.lost = true));
    }

    /// The merchant throws the app out: tokens and subscriptions are gone, `app/uninstalled` goes out first.
    pub fn uninstall_app(&self) {
        self.inner.change(|state, _| state.announce("APP_UNINSTALLED", Resource::Shop));
        self.expire_tokens();
    }

    // What the merchant can look at

    /// Available units over all locations; nothing when the shop does not track the SKU.
    pub fn stock_of(&self, sku: &str) -> Option<i64> {
        self.inner.read(|state| state.find_sku(sku).and_then(|variant| state.available(variant)))
    }

    /// The price of this SKU without any market's own.
    pub fn price_of(&self, sku: &str) -> Option<Decimal> {
        self.inner.read(|state| state.find_sku(sku).map(|variant| variant.price))
    }

    /// (available, committed, on hand) at one location.
    pub fn level_of(&self, sku: &str, location: i64) -> Option<(i64, i64, i64)> {
        self.inner.read(|state| {
            let variant = state.find_sku(sku)?;
            let level = state.items.get(&variant.item)?.levels.get(&location)?;
            Some((level.available, level.committed, level.on_hand()))
        })
    }

    pub fn orders(&self) -> Vec<ShopifyOrderView> {
        self.inner.read(|state| {
            let view = |order: &Order| ShopifyOrderView {
                id: order.id,
                name: order.name(),
                financial_status: order.financial_status(),
                fulfillment_status: order.fulfillment_status(),
                cancelled: order.cancelled_at.is_some(),
                lines: order.lines.iter().map(|line| (line.sku.clone(), line.current)).collect(),
                total: order.total(true),
                created_at_ms: order.created_at,
                updated_at_ms: order.updated_at,
            };
            state.orders.values().map(view).collect()
        })
    }

    pub fn order(&self, id: i64) -> Option<ShopifyOrderView> {
        self.orders().into_iter().find(|order| order.id == id)
    }

    /// The parcels of an order that were not undone.
    pub fn tracking_of(&self, order: i64) -> Vec<Parcel> {
        self.inner.read(|state| {
            let shipped = state.fulfillments.values().filter(|known| known.order == order && known.status == "SUCCESS");
            shipped.map(|known| known.parcel.clone()).collect()
        })
    }

    /// How often the buyer was written to about a parcel.
    pub fn notices_of(&self, order: i64) -> usize {
        self.inner.read(|state| state.fulfillments.values().filter(|known| known.order == order && known.notified).count())
    }

    /// Every write to available stock, oldest first.
    pub fn stock_writes(&self) -> Vec<LevelWrite> {
        self.inner.read(|state| state.writes.clone())
    }

    /// The stock writes that came over the API.
    pub fn pushes(&self) -> Vec<LevelWrite> {
        self.inner.read(|state| state.writes.iter().filter(|write| write.by == LevelWriter::Api).cloned().collect())
    }
}
