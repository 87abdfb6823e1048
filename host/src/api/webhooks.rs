//! `POST /webhooks/{path}`: a marketplace pushes something in.
//!
//! Raw bytes first, verified before anything is parsed, durable before it is acknowledged. An unknown address is answered 404
//! after as much work as a known one; a signature that does not hold is 401 and leaves no row. What is parsed here, after
//! verification, is only what decides the lane: one JSON pointer.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{Extensions, HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use sha2::{Digest, Sha256};
use tokio::sync::RwLock;

use super::source::{self, Refusals};
use crate::config::Network;
use crate::connections::{self, Connection};
use crate::ctx::{Ctx, Tenant};
use crate::hex::hex;
use crate::inbox::verify::{self, Scheme};
use crate::inbox::{Accepted, Content, Delivery, Error as InboxError, Inbox};
use crate::lanes::{LaneKey, LaneKind};
use crate::plugins::manifest::{Dedupe, Handshake, Place, Webhooks};
use crate::secrets::Secret;
use crate::sync::{Sync, subscriptions};

/// How long a door stays open after its connection changed: secrets and settings are looked up again after this.
const DOOR_MS: i64 = 2_000;
const RETRY_AFTER_S: i64 = 5;

/// What the route needs.
pub struct Doors {
    pub sync: Sync,
    pub inbox: Inbox,
    pub ctx: Ctx,
    open: RwLock<HashMap<String, Arc<Door>>>,
    pub refused: AtomicU64,
    refusals: Refusals,
    proxies: Vec<Network>,
    body_bytes: usize,
}

/// One connection's address, ready to verify.
struct Door {
    tenant: Tenant,
    connection: Connection,
    webhooks: Webhooks,
    scheme: Scheme,
    secrets: Vec<Secret>,
    url: String,
    until: i64,
}

impl Doors {
    /// `proxies`: whose word about a sender's address counts. `body_bytes`: the largest body taken.
    pub fn new(sync: Sync, inbox: Inbox, ctx: Ctx, proxies: Vec<Network>, body_bytes: usize) -> Self {
        let (open, refused, refusals) = (RwLock::default(), AtomicU64::new(0), Refusals::default());
        Self { sync, inbox, ctx, open, refused, refusals, proxies, body_bytes }
    }

    pub fn router(self: Arc<Self>) -> axum::Router {
        axum::Router::new().route("/webhooks/{path}", any(receive)).layer(DefaultBodyLimit::max(self.body_bytes)).with_state(self)
    }

    async fn find(&self, path: &str) -> Result<Option<Arc<Door>>, crate::sync::Error> {
        let now = self.ctx.now_ms();
        if let Some(door) = self.open.read().await.get(path).filter(|door| door.until > now) {
            return Ok(Some(door.clone()));
        }
        let mut conn = self.sync.store.read().await?;
        let Some((tenant, connection)) = connections::by_webhook_path(&mut conn, path).await? else { return Ok(None) };
        let plugin = self.sync.connectors.registry.get(&tenant, &connection.plugin)?;
        let Some(webhooks) = plugin.manifest().webhooks.clone() else { return Ok(None) };
        let scheme: Scheme = serde_json::from_value(webhooks.verify.clone())?;
        let mut secrets = Vec::new();
        for name in scheme.secrets() {
            secrets.extend(self.sync.vault.active(&mut conn, &tenant, connection.id.as_str(), name).await?);
        }
        let url = self.sync.public_url.as_deref().map(|base| subscriptions::callback_url(base, &connection)).unwrap_or_default();
        let door = Arc::new(Door { tenant, connection, webhooks, scheme, secrets, url, until: now + DOOR_MS });
        self.open.write().await.insert(path.to_owned(), door.clone());
        Ok(Some(door))
    }
}

async fn receive(
    State(doors): State<Arc<Doors>>,
    Path(path): Path<String>,
    extensions: Extensions,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let source = source::of(&extensions, &headers, &doors.proxies);
    if let Some(wait_ms) = doors.refusals.wait_ms(source, doors.ctx.now_ms()) {
        return come_back(StatusCode::TOO_MANY_REQUESTS, wait_ms / 1_000 + 1);
    }
    // To find whose delivery it is may mean to read the database, which may be away as well as busy.
    match tokio::time::timeout(doors.inbox.patience(), take(&doors, &path, source, &method, &headers, &body)).await {
        Ok(Ok(answer)) => answer,
        Err(_) => come_back(StatusCode::SERVICE_UNAVAILABLE, RETRY_AFTER_S),
        Ok(Err(error)) => {
            tracing::error!(error = %crate::store::chain(&error), "a delivery could not be recorded");
            come_back(StatusCode::SERVICE_UNAVAILABLE, RETRY_AFTER_S)
        }
    }
}

fn come_back(status: StatusCode, after_s: i64) -> Response {
    (status, [(header::RETRY_AFTER, after_s.to_string())]).into_response()
}

async fn take(
    doors: &Doors,
    path: &str,
    source: Option<IpAddr>,
    method: &Method,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, crate::sync::Error> {
    let Some(door) = doors.find(path).await? else {
        verify::decoy(body);
        return Ok(StatusCode::NOT_FOUND.into_response());
    };
    if door.webhooks.handshakes.iter().any(|handshake| is_handshake(handshake, method, headers, body)) {
        return Ok(StatusCode::OK.into_response());
    }
    if method != Method::POST {
        return Ok(StatusCode::METHOD_NOT_ALLOWED.into_response());
    }
    let now = doors.ctx.now_ms();
    let delivery = verify::Delivery { headers, body, url: &door.url, received_at_ms: now };
    if let Err(refused) = door.scheme.verify(&delivery, &door.secrets) {
        doors.refused.fetch_add(1, Ordering::Relaxed);
        doors.refusals.note(source, now);
        tracing::warn!(connection = %door.connection.name, source = ?source, why = refused.word(), "webhook refused");
        return Ok(StatusCode::UNAUTHORIZED.into_response());
    }
    let delivery = door.delivery(headers, body)?;
    if doors.ctx.tenant != door.tenant {
        return Ok(StatusCode::NOT_FOUND.into_response());
    }
    match doors.inbox.accept(delivery).await {
        Ok(Accepted::New | Accepted::Duplicate) => Ok(StatusCode::OK.into_response()),
        Err(InboxError::Busy | InboxError::NotRecorded | InboxError::NoRoom) => {
            Ok(come_back(StatusCode::SERVICE_UNAVAILABLE, RETRY_AFTER_S))
        }
        Err(error) => Err(error.into()),
    }
}

/// Exactly the ping that the manifest declares: right method, right type, nothing but that field.
fn is_handshake(handshake: &Handshake, method: &Method, headers: &HeaderMap, body: &[u8]) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let same_type =
        handshake.content_type.as_deref().is_none_or(|wanted| content_type.split(';').next().unwrap_or_default().trim() == wanted);
    let only_field = |field: &str| {
        let mut fields = url::form_urlencoded::parse(body);
        fields.next().is_some_and(|(name, _)| name == field) && fields.next().is_none()
    };
    method.as_str() == handshake.method && same_type && handshake.field.as_deref().is_none_or(only_field)
}

impl Door {
    fn delivery(&self, headers: &HeaderMap, body: &[u8]) -> Result<Delivery, InboxError> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        // Parsed once, only if the manifest points into the body.
        let json = std::cell::LazyCell::new(|| serde_json::from_slice::<serde_json::Value>(body).unwrap_or_default());
        let pointed = |pointer: &str| match json.pointer(pointer) {
            Some(serde_json::Value::String(text)) => Some(text.clone()),
            Some(serde_json::Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let topic = match &self.webhooks.topic {
            Place::Header(name) => text(name),
            Place::Pointer(pointer) => pointed(pointer),
        };
        let topic = topic.unwrap_or_default();
        let digest = || hex(Sha256::new().chain_update(topic.as_bytes()).chain_update(b"\n").chain_update(body).finalize());
        let dedupe = match &self.webhooks.dedupe {
            Dedupe::Body => None,
            Dedupe::Header(name) => text(name),
            Dedupe::Pointer(pointer) => pointed(pointer),
        };
        let dedupe = dedupe.filter(|key| !key.is_empty() && key.len() <= 200).unwrap_or_else(digest);
        let resource = self.webhooks.resources.iter().find(|resource| resource.matches(&topic));
        let about = resource.and_then(|resource| Some(format!("{}:{}{}", resource.kind, resource.prefix, pointed(&resource.pointer)?)));
        // Without an id, the delivery is a lane of its own.
        let subject = about.filter(|subject| subject.len() <= 200).unwrap_or_else(|| format!("delivery:{dedupe}"));
        let wanted: Vec<_> = self.webhooks.headers.iter().filter_map(|name| Some((name.clone(), text(name)?))).collect();
        Ok(Delivery {
            connection: self.connection.id.clone(),
            lane: LaneKey::new(LaneKind::Inbound, &self.connection.id, subject),
            gather_ms: resource.map_or(0, |resource| i64::from(resource.gather_seconds) * 1_000),
            content: Content::of(&wanted, body)?,
            topic,
            dedupe,
        })
    }
}
