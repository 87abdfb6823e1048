//! Webhook delivery: one task per shop, one post at a time, in order of the moment each became due.
//!
//! The queue runs on the shop's injected clock. A faulted webhook (delayed, reordered, duplicated) carries the body of the
//! moment it was made, so what arrives late is also stale.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::server::{Front, lock};

/// How often the queue looks at the clock while something lies in the future.
const CLOCK_GLANCE: Duration = Duration::from_millis(5);
/// How many posts the log keeps.
const LOG_LENGTH: usize = 20_000;
const DEFAULT_REORDER_WINDOW_MS: u64 = 100;

pub(crate) struct Post {
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

/// What the receiver made of one post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reception {
    /// The status answered.
    Answered(u16),
    /// Refused, timed out or closed without an answer.
    NoAnswer,
}

impl Reception {
    pub fn accepted(self) -> bool {
        matches!(self, Self::Answered(status) if (200..300).contains(&status))
    }
}

/// One post a shop made, as its delivery log shows it.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub at_ms: i64,
    pub topic: String,
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    pub reception: Reception,
}

/// What happened to the shop's webhooks so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WebhookCounts {
    /// Posts made, retries and duplicates included.
    pub sent: u64,
    pub accepted: u64,
    pub duplicates_sent: u64,
    pub dropped: u64,
    pub delayed: u64,
    pub reordered: u64,
}

/// The channel's side of delivery.
pub(crate) trait Sender: Send + Sync + 'static {
    type Job: Clone + Send + 'static;

    fn topic(&self, job: &Self::Job) -> String;
    /// Fixes the body as it is now.
    fn freeze(&self, job: &mut Self::Job);
    /// Builds the request, or nothing when the subscription is gone or switched off.
    fn prepare(&self, job: &Self::Job) -> Option<Post>;
    /// Books the result; a retry comes back with the moment it is due.
    fn finished(&self, job: Self::Job, reception: Reception) -> Option<(i64, Self::Job)>;
}

struct Queued<J> {
    job: J,
    duplicate: bool,
}

/// By the moment due, then by the order of arrival.
type Queue<J> = BTreeMap<(i64, u64), Queued<J>>;

pub(crate) struct Outbox<S: Sender> {
    front: Arc<Front>,
    queue: Mutex<Queue<S::Job>>,
    sequence: AtomicU64,
    busy: AtomicBool,
    wake: Notify,
    log: Mutex<(WebhookCounts, VecDeque<Delivery>)>,
}

/// Stops the delivery task when the shop goes away.
pub(crate) struct Courier(JoinHandle<()>);

impl Drop for Courier {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<S: Sender> Outbox<S> {
    pub(crate) fn new(front: Arc<Front>) -> Self {
        Self {
            front,
            queue: Mutex::default(),
            sequence: AtomicU64::new(0),
            busy: AtomicBool::new(false),
            wake: Notify::new(),
            log: Mutex::default(),
        }
    }

    /// Queues one webhook, after the fault switches had their say.
    pub(crate) fn enqueue(&self, sender: &S, mut job: S::Job) {
        let now = self.front.now();
        let mut due = now;
        let mut duplicate = false;
        {
            let faults = lock(&self.front.faults);
            let mut dice = lock(&self.front.dice);
            let mut log = lock(&self.log);
            if dice.per_mille(faults.webhook_drop_per_mille) {
                log.0.dropped += 1;
                return;
            }
            if dice.per_mille(faults.webhook_duplicate_per_mille) {
                duplicate = true;
            }
            if dice.per_mille(faults.webhook_delay_per_mille) {
                log.0.delayed += 1;
                due = due.saturating_add_unsigned(faults.webhook_delay_ms);
            }
            if dice.per_mille(faults.webhook_reorder_per_mille) {
                log.0.reordered += 1;
                let window = match faults.webhook_reorder_window_ms {
                    0 => DEFAULT_REORDER_WINDOW_MS,
                    window => window,
                };
                due = due.saturating_add_unsigned(dice.up_to(window));
            }
        }
        if duplicate || due > now {
            sender.freeze(&mut job);
        }
        if duplicate {
            self.put(due, Queued { job: job.clone(), duplicate: true });
        }
        self.put(due, Queued { job, duplicate: false });
        self.wake.notify_one();
    }

    fn put(&self, due: i64, queued: Queued<S::Job>) {
        let sequence = self.sequence.fetch_add(1, Ordering::SeqCst);
        lock(&self.queue).insert((due, sequence), queued);
    }

    pub(crate) fn counts(&self) -> WebhookCounts {
        lock(&self.log).0
    }

    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        lock(&self.log).1.iter().cloned().collect()
    }

    /// Webhooks that still wait, due or not.
    pub(crate) fn waiting(&self) -> usize {
        lock(&self.queue).len() + usize::from(self.busy.load(Ordering::SeqCst))
    }

    /// Returns once nothing is due and nothing is on its way.
    pub(crate) async fn idle(&self) {
        loop {
            {
                let queue = lock(&self.queue);
                let due = queue.first_key_value().is_some_and(|((due, _), _)| *due <= self.front.now());
                if !due && !self.busy.load(Ordering::SeqCst) {
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Takes the next due webhook and marks the outbox busy under the same lock, so [`Outbox::idle`] cannot slip between.
    fn take_due(&self) -> Result<Queued<S::Job>, bool> {
        let mut queue = lock(&self.queue);
        match queue.first_entry() {
            Some(entry) if entry.key().0 <= self.front.now() => {
                self.busy.store(true, Ordering::SeqCst);
                Ok(entry.remove())
            }
            Some(_) => Err(true),
            None => Err(false),
        }
    }

    pub(crate) fn start(self: &Arc<Self>, sender: Arc<S>, timeout: Duration) -> Courier {
        let outbox = Arc::clone(self);
        Courier(tokio::spawn(async move { outbox.run(sender, timeout).await }))
    }

    async fn run(&self, sender: Arc<S>, timeout: Duration) {
        let poster = Poster::new(timeout);
        loop {
            match self.take_due() {
                Ok(queued) => {
                    self.deliver(&poster, &sender, queued).await;
                    self.busy.store(false, Ordering::SeqCst);
                }
                Err(true) => {
                    let _ = tokio::time::timeout(CLOCK_GLANCE, self.wake.notified()).await;
                }
                Err(false) => self.wake.notified().await,
            }
        }
    }

    async fn deliver(&self, poster: &Poster, sender: &S, queued: Queued<S::Job>) {
        let Some(post) = sender.prepare(&queued.job) else {
            return;
        };
        let body = String::from_utf8_lossy(&post.body).into_owned();
        let reception = poster.send(&post).await;
        {
            let mut log = lock(&self.log);
            log.0.sent += 1;
            log.0.accepted += u64::from(reception.accepted());
            log.0.duplicates_sent += u64::from(queued.duplicate);
            if log.1.len() == LOG_LENGTH {
                log.1.pop_front();
            }
            log.1.push_back(Delivery {
                at_ms: self.front.now(),
                topic: sender.topic(&queued.job),
                url: post.url,
                headers: post.headers,
                body,
                reception,
            });
        }
        if let Some((due, job)) = sender.finished(queued.job, reception) {
            self.put(due, Queued { job, duplicate: false });
        }
    }
}

/// Makes posts. Plain HTTP only: what stands behind TLS in life stands on the loopback interface here.
pub(crate) struct Poster {
    client: Client<HttpConnector, Full<Bytes>>,
    timeout: Duration,
}

impl Poster {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http(), timeout }
    }

    pub(crate) async fn send(&self, post: &Post) -> Reception {
        let mut request = Request::post(&post.url);
        for (name, value) in &post.headers {
            request = request.header(*name, value);
        }
        let Ok(request) = request.body(Full::new(Bytes::from(post.body.clone()))) else {
            return Reception::NoAnswer;
        };
        let answered = async {
            let response = self.client.request(request).await.ok()?;
            let status = response.status().as_u16();
            // Reading the body to its end lets the connection serve again.
            response.into_body().collect().await.ok()?;
            Some(status)
        };
        match tokio::time::timeout(self.timeout, answered).await {
            Ok(Some(status)) => Reception::Answered(status),
            Ok(None) | Err(_) => Reception::NoAnswer,
        }
    }
}
