//! Webhooks as WooCommerce sends them: a fat body equal to the REST answer, built when the post is made; five failures in
//! a row switch the webhook off; nothing is ever sent again by itself.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::outbox::{Post, Reception, Sender};
use crate::server::{Front, lock};
use crate::sign::{hmac_sha256, signature};
use crate::woo::render::Face;
use crate::woo::state::State;

const FAILURES_ALLOWED: u32 = 5;
const USER_AGENT: &str = "WooCommerce/11.0.1 Hookshot (WordPress/7.0)";

#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) webhook: i64,
    pub(crate) topic: &'static str,
    pub(crate) resource: i64,
    /// Set when the body had to be fixed before the post is made.
    pub(crate) body: Option<Vec<u8>>,
}

pub(crate) struct Hookshot {
    pub(crate) front: Arc<Front>,
    pub(crate) state: Arc<Mutex<State>>,
    pub(crate) face: Face,
}

impl Hookshot {
    fn payload(&self, state: &State, topic: &str, resource: i64) -> Option<Value> {
        if topic.ends_with(".deleted") {
            return Some(json!({ "id": resource }));
        }
        if let Some(order) = state.orders.get(&resource) {
            return Some(self.face.order(state, order));
        }
        state.items.get(&resource).map(|item| self.face.item(state, item))
    }
}

impl Sender for Hookshot {
    type Job = Job;

    fn topic(&self, job: &Job) -> String {
        job.topic.to_owned()
    }

    fn freeze(&self, job: &mut Job) {
        let state = lock(&self.state);
        job.body = self.payload(&state, job.topic, job.resource).map(|body| body.to_string().into_bytes());
    }

    fn prepare(&self, job: &Job) -> Option<Post> {
        let state = lock(&self.state);
        let webhook = state.webhooks.get(&job.webhook).filter(|webhook| webhook.status == "active")?;
        let body = match &job.body {
            Some(body) => body.clone(),
            None => self.payload(&state, job.topic, job.resource)?.to_string().into_bytes(),
        };
        let (resource, event) = job.topic.split_once('.')?;
        // The channel derives the delivery id from the webhook and the second alone, so two orders may share one.
        let of = format!("{}{}", webhook.id, self.front.now() / 1000);
        let delivery: String = hmac_sha256(b"delivery", of.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let headers = vec![
            ("Content-Type", "application/json".to_owned()),
            ("User-Agent", USER_AGENT.to_owned()),
            ("X-WC-Webhook-Source", format!("{}/", self.face.origin)),
            ("X-WC-Webhook-Topic", job.topic.to_owned()),
            ("X-WC-Webhook-Resource", resource.to_owned()),
            ("X-WC-Webhook-Event", event.to_owned()),
            ("X-WC-Webhook-Signature", signature(&webhook.secret, &body)),
            ("X-WC-Webhook-ID", webhook.id.to_string()),
            ("X-WC-Webhook-Delivery-ID", delivery[..32].to_owned()),
        ];
        Some(Post { url: webhook.delivery_url.clone(), headers, body })
    }

    fn finished(&self, job: Job, reception: Reception) -> Option<(i64, Job)> {
        let mut state = lock(&self.state);
        if let Some(webhook) = state.webhooks.get_mut(&job.webhook) {
            if reception.accepted() {
                webhook.failures = 0;
            } else {
                webhook.failures += 1;
                if webhook.failures >= FAILURES_ALLOWED {
                    webhook.status = "disabled".to_owned();
                    webhook.modified_at = self.front.now();
                }
            }
        }
        None
    }
}

/// The unsigned, form-encoded greeting a new webhook sends before anything else.
pub(crate) fn ping(url: &str, webhook: i64) -> Post {
    Post {
        url: url.to_owned(),
        headers: vec![("Content-Type", "application/x-www-form-urlencoded".to_owned()), ("User-Agent", USER_AGENT.to_owned())],
        body: format!("webhook_id={webhook}").into_bytes(),
    }
}
