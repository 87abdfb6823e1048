//! A running WooCommerce shop: its switches, its logs and the people who use it without the API.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rust_decimal::Decimal;
use serde_json::Value;

use crate::clock::{Clock, system_clock};
use crate::faults::Faults;
use crate::outbox::{Courier, Delivery, Outbox, Poster, WebhookCounts};
use crate::random::Dice;
use crate::server::{Front, RequestSeen, Server, bind, lock};
use crate::woo::catalogue::{NewProduct, NewVariation, Purchase, Refused};
use crate::woo::hooks::{Hookshot, Job};
use crate::woo::model::{Kind, ManageStock, OrderView, StockWrite, StockWriter, Tracking, WebhookView};
use crate::woo::render::Face;
use crate::woo::routes;
use crate::woo::state::{NewRefund, Rules, State};
use crate::woo::tracking;

/// How long WooCommerce waits for a webhook's answer.
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(60);

/// How the shop is set up. The keys of the default come from the seed.
#[derive(Clone)]
pub struct WooConfig {
    pub seed: u64,
    pub clock: Clock,
    /// 0 takes any free port.
    pub port: u16,
    pub consumer_key: String,
    pub consumer_secret: String,
    /// False: the key may read only.
    pub may_write: bool,
    pub currency: String,
    /// Minor digits of the currency.
    pub decimals: u32,
    /// The site's zone, minutes east of UTC.
    pub zone_offset_minutes: i32,
    /// Flat tax in hundredths of a percent.
    pub tax_bps: u32,
    pub prices_include_tax: bool,
    /// The shipment-tracking extension is installed and adds its route.
    pub shipment_tracking: bool,
    /// Quantities are written as text, as some shops do.
    pub stock_as_text: bool,
}

impl WooConfig {
    pub fn seeded(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        Self {
            seed,
            clock: system_clock(),
            port: 0,
            consumer_key: format!("ck_{}", dice.hex(40)),
            consumer_secret: format!("cs_{}", dice.hex(40)),
            may_write: true,
            currency: "EUR".to_owned(),
            decimals: 2,
            zone_offset_minutes: 60,
            tax_bps: 1900,
            prices_include_tax: false,
            shipment_tracking: false,
            stock_as_text: false,
        }
    }
}

/// Everything the routes and the admin side share.
pub(crate) struct Inner {
    pub(crate) config: WooConfig,
    pub(crate) face: Face,
    pub(crate) front: Arc<Front>,
    pub(crate) state: Arc<Mutex<State>>,
    pub(crate) outbox: Arc<Outbox<Hookshot>>,
    pub(crate) hookshot: Arc<Hookshot>,
    pub(crate) pinger: Poster,
}

impl Inner {
    /// Changes the books, then queues the webhooks that the change calls for.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State, i64) -> T) -> T {
        let mut jobs = Vec::new();
        let result = {
            let mut state = lock(&self.state);
            let result = change(&mut state, self.front.now());
            for event in std::mem::take(&mut state.events) {
                let hooks = state.webhooks.values().filter(|hook| hook.status == "active" && hook.topic == event.topic);
                jobs.extend(hooks.map(|hook| Job { webhook: hook.id, topic: event.topic, resource: event.resource, body: None }));
            }
            result
        };
        for job in jobs {
            self.outbox.enqueue(&self.hookshot, job);
        }
        result
    }

    pub(crate) fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&lock(&self.state))
    }
}

/// A simulated WooCommerce shop. Dropping it closes the shop.
pub struct WooShop {
    inner: Arc<Inner>,
    server: Server,
    _courier: Courier,
}

impl WooShop {
    pub async fn start(config: WooConfig) -> io::Result<Self> {
        let listener = bind(config.port).await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let front = Arc::new(Front::new(Arc::clone(&config.clock), config.seed));
        let state = Arc::new(Mutex::new(State::new(Rules {
            currency: config.currency.clone(),
            decimals: config.decimals,
            tax_bps: config.tax_bps,
            prices_include_tax: config.prices_include_tax,
        })));
        let face = Face {
            origin,
            zone_offset_minutes: config.zone_offset_minutes,
            decimals: config.decimals,
            stock_as_text: config.stock_as_text,
        };
        let outbox = Arc::new(Outbox::new(Arc::clone(&front)));
        let hookshot = Arc::new(Hookshot { front: Arc::clone(&front), state: Arc::clone(&state), face: face.clone() });
        let courier = outbox.start(Arc::clone(&hookshot), WEBHOOK_TIMEOUT);
        let pinger = Poster::new(WEBHOOK_TIMEOUT);
        let inner = Arc::new(Inner { config, face, front, state, outbox, hookshot, pinger });
        let router = routes::router(Arc::clone(&inner));
        let server = Server::start(listener, Arc::clone(&inner.front), Arc::new(routes::WooManners), router)?;
        Ok(Self { inner, server, _courier: courier })
    }

    /// `http://127.0.0.1:port`, without a path.
    pub fn origin(&self) -> String {
        self.inner.face.origin.clone()
    }

    pub fn consumer_key(&self) -> &str {
        &self.inner.config.consumer_key
    }

    pub fn consumer_secret(&self) -> &str {
        &self.inner.config.consumer_secret
    }

    /// The web server goes down: connecting is refused. Selling and webhooks go on.
    pub async fn stop(&self) {
        self.server.stop().await;
    }

    /// Listens again on the same port.
    pub async fn restart(&self) -> io::Result<()> {
        self.server.restart().await
    }

    /// Turns fault switches while the shop runs.
    pub fn faults(&self, turn: impl FnOnce(&mut Faults)) {
        turn(&mut lock(&self.inner.front.faults));
    }

    /// Every API request so far (the newest 20,000).
    pub fn requests(&self) -> Vec<RequestSeen> {
        self.inner.front.seen()
    }

    /// What a strict reader of the documents would not have sent: unknown fields, writes to read-only ones.
    pub fn oddities(&self) -> Vec<String> {
        self.inner.read(|state| state.oddities.clone())
    }

    // The merchant and the buyers

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

    fn edit_item(&self, sku: &str, edit: impl FnOnce(&mut crate::woo::model::Item)) -> Result<(), Refused> {
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

    pub fn orders(&self) -> Vec<OrderView> {
        self.inner.read(|state| {
            let view = |order: &crate::woo::model::Order| OrderView {
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

    // Webhooks

    pub fn webhooks(&self) -> Vec<WebhookView> {
        self.inner.read(|state| {
            let view = |hook: &crate::woo::model::Webhook| WebhookView {
                id: hook.id,
                topic: hook.topic.clone(),
                status: hook.status.clone(),
                delivery_url: hook.delivery_url.clone(),
                secret: hook.secret.clone(),
                failures: hook.failures,
                ping: hook.ping,
            };
            state.webhooks.values().map(view).collect()
        })
    }

    /// Every post made, with headers and body.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.inner.outbox.deliveries()
    }

    pub fn webhook_counts(&self) -> WebhookCounts {
        self.inner.outbox.counts()
    }

    /// Webhooks that still wait, also those not due yet.
    pub fn webhooks_waiting(&self) -> usize {
        self.inner.outbox.waiting()
    }

    /// Waits until no webhook is due or on its way.
    pub async fn deliveries_idle(&self) {
        self.inner.outbox.idle().await;
    }
}

fn admin_refund(order: &crate::woo::model::Order, wanted: &[(&str, i64)], restock: bool) -> Result<NewRefund, Refused> {
    let mut lines = Vec::new();
    let mut amount = Decimal::ZERO;
    let mut take = |line: &crate::woo::model::Line, units: i64| {
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
            let line = order.lines.iter().find(|line| line.sku == *sku);
            let line = line.ok_or_else(|| Refused::NoSuchLine { order: order.id, sku: (*sku).to_owned() })?;
            take(line, *units);
        }
    }
    Ok(NewRefund { amount, reason: String::new(), lines, restock, paid_back: false })
}
