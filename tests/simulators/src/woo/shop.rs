//! A running WooCommerce shop: its switches, its logs and the people who use it without the API.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::clock::{Clock, system_clock};
use crate::faults::Faults;
use crate::outbox::{Courier, Delivery, Outbox, Poster, WebhookCounts};
use crate::random::Dice;
use crate::server::{Front, RequestSeen, Server, bind, lock};
use crate::woo::hooks::{Hookshot, Job};
use crate::woo::model::{Webhook, WebhookView};
use crate::woo::render::Face;
use crate::woo::routes;
use crate::woo::state::{Rules, State};

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
    pub(crate) inner: Arc<Inner>,
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

    // Webhooks

    pub fn webhooks(&self) -> Vec<WebhookView> {
        self.inner.read(|state| {
            let view = |hook: &Webhook| WebhookView {
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

    /// Every post made (the newest 20,000), with headers and body.
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
