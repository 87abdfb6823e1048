//! The shop's books: the catalogue, who owns a stock number, and the events that webhooks are about. What happens to orders
//! is in `orders.rs`.

use std::collections::BTreeMap;

use rust_decimal::{Decimal, RoundingStrategy};

use crate::woo::catalogue::{NewProduct, NewVariation};
use crate::woo::model::{Item, Kind, ManageStock, Order, StockWrite, StockWriter, Webhook};

/// How this shop was set up once.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) currency: String,
    /// Minor digits of the currency.
    pub(crate) decimals: u32,
    /// Flat tax on everything, in hundredths of a percent.
    pub(crate) tax_bps: u32,
    pub(crate) prices_include_tax: bool,
}

/// Something a webhook may be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) topic: &'static str,
    pub(crate) resource: i64,
}

pub(crate) struct State {
    pub(crate) rules: Rules,
    pub(crate) items: BTreeMap<i64, Item>,
    pub(crate) orders: BTreeMap<i64, Order>,
    pub(crate) webhooks: BTreeMap<i64, Webhook>,
    pub(crate) writes: Vec<StockWrite>,
    pub(crate) events: Vec<Event>,
    /// Requests that a strict reader of the documents would not have sent.
    pub(crate) oddities: Vec<String>,
    last_id: i64,
}

impl State {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules,
            items: BTreeMap::new(),
            orders: BTreeMap::new(),
            webhooks: BTreeMap::new(),
            writes: Vec::new(),
            events: Vec::new(),
            oddities: Vec::new(),
            last_id: 100,
        }
    }

    /// WordPress numbers everything from one sequence.
    pub(crate) fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    pub(crate) fn announce(&mut self, topic: &'static str, resource: i64) {
        let event = Event { topic, resource };
        if !self.events.contains(&event) {
            self.events.push(event);
        }
    }

    pub(crate) fn round(&self, amount: Decimal) -> Decimal {
        amount.round_dp_with_strategy(self.rules.decimals, RoundingStrategy::MidpointAwayFromZero)
    }

    // Products

    pub(crate) fn add_item(&mut self, new: NewProduct, kind: Kind, parent: i64, now: i64) -> i64 {
        let id = self.next_id();
        self.items.insert(
            id,
            Item {
                id,
                parent,
                kind,
                name: new.name,
                sku: new.sku,
                gtin: new.gtin,
                status: new.status.to_owned(),
                description: String::new(),
                regular_price: Some(new.price),
                sale_price: new.sale_price,
                manage_stock: new.manage_stock,
                stock: new.stock,
                in_stock: true,
                backorders: if new.backorders { "notify" } else { "no" }.to_owned(),
                is_virtual: new.is_virtual,
                weight: new.weight,
                attributes: Vec::new(),
                variations: Vec::new(),
                meta: Vec::new(),
                total_sales: 0,
                created_at: now,
                modified_at: now,
            },
        );
        id
    }

    pub(crate) fn add_variable(&mut self, shared: NewProduct, variations: Vec<NewVariation>, now: i64) -> i64 {
        let parent = self.add_item(shared, Kind::Variable, 0, now);
        let mut attributes: Vec<(String, Vec<String>)> = Vec::new();
        let mut ids = Vec::new();
        for variation in variations {
            for (name, option) in &variation.options {
                match attributes.iter_mut().find(|(known, _)| known == name) {
                    Some((_, options)) if !options.contains(option) => options.push(option.clone()),
                    Some(_) => {}
                    None => attributes.push((name.clone(), vec![option.clone()])),
                }
            }
            let id = self.add_item(variation.product, Kind::Variation, parent, now);
            if let Some(item) = self.items.get_mut(&id) {
                item.attributes = variation.options.into_iter().map(|(name, option)| (name, vec![option])).collect();
            }
            ids.push(id);
        }
        if let Some(item) = self.items.get_mut(&parent) {
            item.attributes = attributes;
            item.variations = ids;
            item.regular_price = None;
            item.sale_price = None;
        }
        parent
    }

    pub(crate) fn find_sku(&self, sku: &str) -> Option<&Item> {
        // A variation's own SKU wins: a variable product and its only variation may share one.
        let hits = || self.items.values().filter(|item| !item.sku.is_empty() && item.sku == sku);
        hits().find(|item| item.kind != Kind::Variable).or_else(|| hits().next())
    }

    /// The item whose number counts for `id`, if anybody counts.
    pub(crate) fn stock_owner(&self, id: i64) -> Option<i64> {
        let item = self.items.get(&id)?;
        match item.manage_stock {
            ManageStock::Own => Some(id),
            ManageStock::No => None,
            ManageStock::Parent => {
                let parent = self.items.get(&item.parent)?;
                (parent.manage_stock == ManageStock::Own).then_some(parent.id)
            }
        }
    }

    pub(crate) fn stock_of(&self, id: i64) -> Option<i64> {
        let owner = self.stock_owner(id)?;
        self.items.get(&owner).map(|item| item.stock)
    }

    pub(crate) fn write_stock(&mut self, owner: i64, after: i64, by: StockWriter, now: i64) {
        let Some(item) = self.items.get_mut(&owner) else {
            return;
        };
        let before = item.stock;
        item.stock = after;
        item.modified_at = now;
        let sku = item.sku.clone();
        self.writes.push(StockWrite { at_ms: now, item_id: owner, sku, before, after, by });
        self.announce("product.updated", owner);
    }
}
