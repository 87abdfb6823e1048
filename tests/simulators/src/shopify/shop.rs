//! A running Shopify shop: its switches, its logs and the people who use it without the API.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::clock::{Clock, system_clock};
use crate::faults::Faults;
use crate::outbox::{Courier, Delivery, Outbox, WebhookCounts};
use crate::random::Dice;
use crate::server::{Front, RequestSeen, Server, bind, lock};
use crate::shopify::api;
use crate::shopify::cost::Bucket;
use crate::shopify::hooks::{Job, Messenger, header_topic};
use crate::shopify::model::SubscriptionView;
use crate::shopify::rest::Rest;
use crate::shopify::search::{Facet, Search};
use crate::shopify::state::{Event, Rules, State};

/// How long Shopify waits for a webhook's answer.
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// How the shop is set up. The credentials of the default come from the seed.
#[derive(Clone)]
pub struct ShopifyConfig {
    pub seed: u64,
    pub clock: Clock,
    /// 0 takes any free port.
    pub port: u16,
    /// `something.myshopify.com`, as in headers and bodies.
    pub domain: String,
    pub client_id: String,
    /// Also signs the webhooks.
    pub client_secret: String,
    pub scopes: Vec<String>,
    pub token_lifetime_s: i64,
    pub currency: String,
    /// The shop's zone, minutes east of UTC.
    pub zone_offset_minutes: i32,
    /// Flat tax in hundredths of a percent.
    pub tax_bps: u32,
    pub taxes_included: bool,
    /// Size of the points bucket and points restored per second.
    pub bucket_points: i64,
    pub restore_rate: i64,
    /// How long a bulk operation takes.
    pub export_ms: i64,
}

impl ShopifyConfig {
    pub fn seeded(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x5109);
        let scopes = [
            "read_products",
            "write_products",
            "read_inventory",
            "write_inventory",
            "read_locations",
            "read_orders",
            "write_orders",
            "read_returns",
            "read_merchant_managed_fulfillment_orders",
            "write_merchant_managed_fulfillment_orders",
        ];
        Self {
            seed,
            clock: system_clock(),
            port: 0,
            domain: format!("simulated-{}.myshopify.com", dice.hex(6)),
            client_id: dice.hex(32),
            client_secret: format!("shpss_{}", dice.hex(32)),
            scopes: scopes.map(str::to_owned).to_vec(),
            token_lifetime_s: 86_399,
            currency: "EUR".to_owned(),
            zone_offset_minutes: 60,
            tax_bps: 1900,
            taxes_included: false,
            bucket_points: 2000,
            restore_rate: 100,
            export_ms: 20_000,
        }
    }
}

/// Everything the API and the admin side share.
pub(crate) struct Inner {
    pub(crate) config: ShopifyConfig,
    pub(crate) origin: String,
    pub(crate) front: Arc<Front>,
    pub(crate) state: Arc<Mutex<State>>,
    pub(crate) tokens: Mutex<BTreeMap<String, i64>>,
    pub(crate) bucket: Mutex<Bucket>,
    outbox: Arc<Outbox<Messenger>>,
    messenger: Arc<Messenger>,
}

impl Inner {
    /// Changes the books, then queues the webhooks that the change calls for, with the bodies of this moment.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State, i64) -> T) -> T {
        let (result, jobs) = {
            let mut state = lock(&self.state);
            let result = change(&mut state, self.front.now());
            let events = std::mem::take(&mut state.events);
            (result, events.into_iter().flat_map(|event| self.jobs(&state, event)).collect::<Vec<_>>())
        };
        for job in jobs {
            self.outbox.enqueue(&self.messenger, job);
        }
        result
    }

    fn jobs(&self, state: &State, event: Event) -> Vec<Job> {
        let subscribed: Vec<_> = state.subscriptions.values().filter(|known| known.topic == event.topic).collect();
        if subscribed.is_empty() {
            return Vec::new();
        }
        let rest = Rest { state, zone_offset_minutes: self.config.zone_offset_minutes, domain: &self.config.domain };
        let Some(body) = rest.body(event.resource) else {
            return Vec::new();
        };
        let mut dice = lock(&self.front.dice);
        let event_id = uuid(&mut dice);
        let wanted = subscribed.into_iter().filter(|known| {
            let field = |name: &str| match body.get(name)? {
                Value::String(text) => Some(Facet::Text(text.clone())),
                Value::Null => Some(Facet::Text(String::new())),
                other => Some(Facet::Text(other.to_string())),
            };
            known.filter.as_ref().is_none_or(|filter| Search::parse(filter).matches(field))
        });
        wanted
            .map(|known| Job {
                subscription: known.id,
                topic: header_topic(event.topic),
                body: Arc::new(included(&body, &known.include_fields).to_string().into_bytes()),
                event_id: event_id.clone(),
                webhook_id: uuid(&mut dice),
                triggered_at: self.front.now(),
                tries: 0,
            })
            .collect()
    }

    pub(crate) fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&lock(&self.state))
    }
}

/// The top-level fields asked for, or all of them.
fn included(body: &Value, fields: &[String]) -> Value {
    match body {
        Value::Object(object) if !fields.is_empty() => {
            let kept = object.iter().filter(|(name, _)| fields.iter().any(|field| field.split('.').next() == Some(name)));
            Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
        }
        other => other.clone(),
    }
}

fn uuid(dice: &mut Dice) -> String {
    let hex = dice.hex(32);
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

/// A simulated Shopify shop. Dropping it closes the shop.
pub struct ShopifyShop {
    pub(crate) inner: Arc<Inner>,
    server: Server,
    _courier: Courier,
}

impl ShopifyShop {
    pub async fn start(config: ShopifyConfig) -> io::Result<Self> {
        let listener = bind(config.port).await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let front = Arc::new(Front::new(Arc::clone(&config.clock), config.seed));
        let rules = Rules { currency: config.currency.clone(), tax_bps: config.tax_bps, taxes_included: config.taxes_included };
        let state = Arc::new(Mutex::new(State::new(rules, front.now())));
        let messenger = Arc::new(Messenger {
            front: Arc::clone(&front),
            state: Arc::clone(&state),
            secret: config.client_secret.clone(),
            domain: config.domain.clone(),
        });
        let outbox = Arc::new(Outbox::new(Arc::clone(&front)));
        let courier = outbox.start(Arc::clone(&messenger), WEBHOOK_TIMEOUT);
        let bucket = Mutex::new(Bucket::new(config.bucket_points, config.restore_rate, front.now()));
        let inner = Arc::new(Inner { config, origin, front, state, tokens: Mutex::default(), bucket, outbox, messenger });
        let router = api::router(Arc::clone(&inner));
        let server = Server::start(listener, Arc::clone(&inner.front), Arc::new(api::ShopifyManners), router)?;
        Ok(Self { inner, server, _courier: courier })
    }

    /// `http://127.0.0.1:port`, without a path.
    pub fn origin(&self) -> String {
        self.inner.origin.clone()
    }

    pub fn domain(&self) -> &str {
        &self.inner.config.domain
    }

    pub fn client_id(&self) -> &str {
        &self.inner.config.client_id
    }

    /// The app's secret: buys tokens and signs webhooks.
    pub fn client_secret(&self) -> &str {
        &self.inner.config.client_secret
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

    /// Every token given out so far is refused from now on.
    pub fn expire_tokens(&self) {
        lock(&self.inner.tokens).clear();
    }

    /// Leaves this many points in the bucket; it fills again with the clock.
    pub fn drain_bucket(&self, points_left: i64) {
        lock(&self.inner.bucket).set(points_left, self.inner.front.now());
    }

    /// Every API request so far (the newest 20,000).
    pub fn requests(&self) -> Vec<RequestSeen> {
        self.inner.front.seen()
    }

    // Webhooks

    pub fn webhooks(&self) -> Vec<SubscriptionView> {
        self.inner.read(|state| {
            let view = |known: &crate::shopify::model::Subscription| SubscriptionView {
                id: known.id,
                topic: known.topic.clone(),
                uri: known.uri.clone(),
                failures: known.failures,
            };
            state.subscriptions.values().map(view).collect()
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
