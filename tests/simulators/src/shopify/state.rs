//! The shop's books: catalogue, stock per location, and the events that webhooks are about. What happens to orders is in
//! `orders.rs`.
//!
//! Invariant: a level's `committed` is the sum of its orders' units that are neither shipped, removed nor cancelled.

use std::collections::{BTreeMap, VecDeque};

use rust_decimal::{Decimal, RoundingStrategy};

use crate::shopify::bulk::Export;
use crate::shopify::catalogue::NewVariant;
use crate::shopify::idempotency::Memory;
use crate::shopify::model::{
    Adjustment, Fulfillment, FulfillmentOrder, Item, Level, LevelWrite, LevelWriter, Location, Order, Product, Refund, Return,
    Subscription, Variant,
};
use crate::shopify::price_lists::PriceList;

/// How this shop was set up once.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) currency: String,
    /// Flat tax in hundredths of a percent.
    pub(crate) tax_bps: u32,
    pub(crate) taxes_included: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    Order(i64),
    Refund(i64),
    Fulfillment(i64),
    /// Item, location.
    Level(i64, i64),
    Product(i64),
    Shop,
}

/// Something a webhook may be about; topics are named as in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) topic: &'static str,
    pub(crate) resource: Resource,
}

pub(crate) struct State {
    pub(crate) rules: Rules,
    pub(crate) created_at: i64,
    pub(crate) locations: BTreeMap<i64, Location>,
    pub(crate) products: BTreeMap<i64, Product>,
    pub(crate) variants: BTreeMap<i64, Variant>,
    pub(crate) items: BTreeMap<i64, Item>,
    pub(crate) orders: BTreeMap<i64, Order>,
    pub(crate) fulfillment_orders: BTreeMap<i64, FulfillmentOrder>,
    pub(crate) fulfillments: BTreeMap<i64, Fulfillment>,
    pub(crate) refunds: BTreeMap<i64, Refund>,
    pub(crate) returns: BTreeMap<i64, Return>,
    pub(crate) subscriptions: BTreeMap<i64, Subscription>,
    pub(crate) adjustments: BTreeMap<i64, Adjustment>,
    pub(crate) price_lists: BTreeMap<i64, PriceList>,
    pub(crate) exports: BTreeMap<i64, Export>,
    /// Error codes with which the next exports end.
    pub(crate) export_failures: VecDeque<&'static str>,
    pub(crate) memory: Memory,
    pub(crate) writes: Vec<LevelWrite>,
    pub(crate) events: Vec<Event>,
    last_id: i64,
}

impl State {
    pub(crate) fn new(rules: Rules, now: i64) -> Self {
        let mut state = Self {
            rules,
            created_at: now,
            locations: BTreeMap::new(),
            products: BTreeMap::new(),
            variants: BTreeMap::new(),
            items: BTreeMap::new(),
            orders: BTreeMap::new(),
            fulfillment_orders: BTreeMap::new(),
            fulfillments: BTreeMap::new(),
            refunds: BTreeMap::new(),
            returns: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            adjustments: BTreeMap::new(),
            price_lists: BTreeMap::new(),
            exports: BTreeMap::new(),
            export_failures: VecDeque::new(),
            memory: Memory::default(),
            writes: Vec::new(),
            events: Vec::new(),
            // The channel's numbers do not fit 32 bits.
            last_id: 6_000_000_000,
        };
        state.add_location("Main warehouse", now);
        state
    }

    pub(crate) fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    pub(crate) fn announce(&mut self, topic: &'static str, resource: Resource) {
        let event = Event { topic, resource };
        if !self.events.contains(&event) {
            self.events.push(event);
        }
    }

    pub(crate) fn round(amount: Decimal) -> Decimal {
        amount.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
    }

    pub(crate) fn add_location(&mut self, name: &str, now: i64) -> i64 {
        let id = self.next_id();
        self.locations.insert(id, Location { id, name: name.to_owned(), created_at: now });
        id
    }

    pub(crate) fn first_location(&self) -> i64 {
        self.locations.keys().next().copied().unwrap_or_default()
    }

    pub(crate) fn add_product(&mut self, title: &str, variants: Vec<NewVariant>, now: i64) -> i64 {
        let id = self.next_id();
        let handle: String = title.to_lowercase().chars().map(|letter| if letter.is_alphanumeric() { letter } else { '-' }).collect();
        let location = self.first_location();
        let mut ids = Vec::new();
        for (index, new) in variants.into_iter().enumerate() {
            let (variant, item, level) = (self.next_id(), self.next_id(), self.next_id());
            let level = Level { id: level, available: new.stock, committed: 0, created_at: now, updated_at: now };
            let levels = BTreeMap::from([(location, level)]);
            self.items.insert(item, Item { id: item, variant, tracked: new.tracked, levels, created_at: now, updated_at: now });
            self.variants.insert(
                variant,
                Variant {
                    id: variant,
                    product: id,
                    item,
                    sku: new.sku,
                    barcode: new.barcode,
                    options: new.options,
                    price: new.price,
                    compare_at_price: None,
                    continue_selling: new.continue_selling,
                    taxable: true,
                    requires_shipping: new.requires_shipping,
                    grams: new.grams,
                    position: index + 1,
                    created_at: now,
                    updated_at: now,
                },
            );
            ids.push(variant);
        }
        self.products.insert(
            id,
            Product {
                id,
                title: title.to_owned(),
                handle,
                status: "ACTIVE",
                vendor: "Simulated vendor".to_owned(),
                tags: Vec::new(),
                variants: ids,
                created_at: now,
                updated_at: now,
            },
        );
        self.announce("PRODUCTS_CREATE", Resource::Product(id));
        id
    }

    pub(crate) fn find_sku(&self, sku: &str) -> Option<&Variant> {
        self.variants.values().find(|variant| variant.sku == sku)
    }

    /// Available units over all locations; nothing when the shop does not track the item.
    pub(crate) fn available(&self, variant: &Variant) -> Option<i64> {
        let item = self.items.get(&variant.item).filter(|item| item.tracked)?;
        Some(item.levels.values().map(|level| level.available).sum())
    }

    /// Changes a level by both deltas and books the change of `available`.
    pub(crate) fn move_level(&mut self, item_id: i64, location: i64, available: i64, committed: i64, by: LevelWriter, now: i64) {
        let fresh = self.next_id();
        let Some(item) = self.items.get_mut(&item_id) else {
            return;
        };
        let tracked = item.tracked;
        let variant = item.variant;
        let level =
            item.levels.entry(location).or_insert(Level { id: fresh, available: 0, committed: 0, created_at: now, updated_at: now });
        let before = level.available;
        level.available += available;
        level.committed += committed;
        level.updated_at = now;
        item.updated_at = now;
        let after = level.available;
        // A push of the number that is already there is still a push.
        if tracked && (available != 0 || by == LevelWriter::Api) {
            let sku = self.variants.get(&variant).map(|variant| variant.sku.clone()).unwrap_or_default();
            self.writes.push(LevelWrite { at_ms: now, sku, location, before, after, by });
        }
        if available != 0 {
            self.announce("INVENTORY_LEVELS_UPDATE", Resource::Level(item_id, location));
            if let Some(product) = self.variants.get(&variant).map(|variant| variant.product) {
                self.touch_product(product, now);
            }
        }
    }

    pub(crate) fn touch_product(&mut self, id: i64, now: i64) {
        if let Some(product) = self.products.get_mut(&id) {
            product.updated_at = now;
        }
        self.announce("PRODUCTS_UPDATE", Resource::Product(id));
    }
}
