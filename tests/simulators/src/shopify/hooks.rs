//! Webhooks as Shopify sends them: the body of the moment the event happened, eight more tries over four hours with that
//! same body, and the subscription removed when the last of them fails.

use std::sync::{Arc, Mutex};

use crate::clock::zulu;
use crate::outbox::{Post, Reception, Sender};
use crate::server::{Front, lock};
use crate::shopify::facts::API_VERSION;
use crate::shopify::state::State;
use crate::sign::signature;

/// Waits before the second to the ninth try; four hours in all.
const RETRY_WAITS_MS: [i64; 8] = [10_000, 30_000, 120_000, 300_000, 900_000, 2_400_000, 3_600_000, 7_040_000];

#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) subscription: i64,
    /// As in the header (`orders/create`).
    pub(crate) topic: String,
    pub(crate) body: Arc<Vec<u8>>,
    /// One per event, whoever is subscribed.
    pub(crate) event_id: String,
    /// One per event and subscription, the same in every try.
    pub(crate) webhook_id: String,
    pub(crate) triggered_at: i64,
    pub(crate) tries: usize,
}

pub(crate) struct Messenger {
    pub(crate) front: Arc<Front>,
    pub(crate) state: Arc<Mutex<State>>,
    pub(crate) secret: String,
    pub(crate) domain: String,
}

/// `ORDERS_CREATE` is `orders/create` in the header: the event is the last word, but for a few.
pub(crate) fn header_topic(topic: &str) -> String {
    let lower = topic.to_lowercase();
    if let Some(resource) = lower.strip_suffix("_partially_fulfilled") {
        return format!("{resource}/partially_fulfilled");
    }
    match lower.rsplit_once('_') {
        Some((resource, event)) => format!("{resource}/{event}"),
        None => lower,
    }
}

impl Sender for Messenger {
    type Job = Job;

    fn topic(&self, job: &Job) -> String {
        job.topic.clone()
    }

    fn freeze(&self, _: &mut Job) {}

    fn prepare(&self, job: &Job) -> Option<Post> {
        let state = lock(&self.state);
        let uri = state.subscriptions.get(&job.subscription)?.uri.clone();
        let headers = vec![
            ("Content-Type", "application/json".to_owned()),
            ("User-Agent", "Shopify-Captain-Hook".to_owned()),
            ("X-Shopify-Topic", job.topic.clone()),
            ("X-Shopify-Hmac-Sha256", signature(&self.secret, &job.body)),
            ("X-Shopify-Shop-Domain", self.domain.clone()),
            ("X-Shopify-API-Version", API_VERSION.to_owned()),
            ("X-Shopify-Webhook-Id", job.webhook_id.clone()),
            ("X-Shopify-Event-Id", job.event_id.clone()),
            ("X-Shopify-Triggered-At", zulu(job.triggered_at)),
        ];
        Some(Post { url: uri, headers, body: job.body.to_vec() })
    }

    fn finished(&self, mut job: Job, reception: Reception) -> Option<(i64, Job)> {
        let mut state = lock(&self.state);
        let subscription = state.subscriptions.get_mut(&job.subscription)?;
        if reception.accepted() {
            subscription.failures = 0;
            return None;
        }
        job.tries += 1;
        // Counted per delivery: one bad minute with many orders is not many failures of one webhook.
        subscription.failures = subscription.failures.max(u32::try_from(job.tries).unwrap_or(u32::MAX));
        match RETRY_WAITS_MS.get(job.tries - 1) {
            Some(wait) => Some((self.front.now() + wait, job)),
            None => {
                state.subscriptions.remove(&job.subscription);
                None
            }
        }
    }
}
