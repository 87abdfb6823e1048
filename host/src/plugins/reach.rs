//! What the calls of one connection may reach: the manifest's wishes, cut down to what was granted, with the connection's own
//! secrets. Built when the first call asks for it, so that pure calls cost no look-up.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::future::BoxFuture;
use hmac::{Hmac, KeyInit, Mac};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::manifest::{Manifest, Strategy};
use super::registry::Plugin;
use super::services::{CallScope, LogSink, Outbound, Secrets, Services, denied};
use super::state::StoredState;
use super::wire::{Failure, Fault, Sent, http, vault as wire_vault};
use crate::connections::Connection;
use crate::ctx::Ctx;
use crate::egress::{self, Allowed, BucketSpec, Credential, Egress, Observed, Origin, Scope, ScopedCredential};
use crate::secrets::{Secret, Vault};
use crate::store::Store;

/// Serves the imports of one connection's calls.
pub struct Reach {
    pub store: Store,
    pub vault: Vault,
    pub egress: Egress,
    pub ctx: Ctx,
    pub plugin: Plugin,
    pub connection: Connection,
    pub dry_run: bool,
    scope: OnceCell<Scope>,
}

impl Reach {
    #[allow(clippy::too_many_arguments)] // everything that bounds a connection
    pub fn services(
        store: Store,
        vault: Vault,
        egress: Egress,
        ctx: Ctx,
        plugin: Plugin,
        connection: Connection,
        dry_run: bool,
    ) -> Services {
        let clock = ctx.clock.clone();
        let state = StoredState::shared(store.clone(), clock.clone());
        let reach = Arc::new(Self { store, vault, egress, ctx, plugin, connection, dry_run, scope: OnceCell::new() });
        Services { outbound: reach.clone(), secrets: reach.clone(), state, log: reach, clock }
    }

    fn manifest(&self) -> &Manifest {
        self.plugin.manifest()
    }

    async fn scope(&self) -> Result<&Scope, Failure> {
        self.scope.get_or_try_init(|| self.build()).await
    }

    async fn build(&self) -> Result<Scope, Failure> {
        let allowed = self.manifest().hosts.iter().map(|rule| self.fill(&rule.origin, &rule.paths)).collect::<Result<_, _>>()?;
        let granted = self.connection.grants.iter().map(|origin| Origin::parse(origin.as_str()).map_err(|e| config(e.to_string())));
        let credentials = self.manifest().credentials.iter().map(|credential| self.credential(credential)).collect::<Result<_, _>>()?;
        let pacing = self.manifest().pacing.iter();
        Ok(Scope {
            tenant: self.ctx.tenant.as_str().to_owned(),
            plugin: self.manifest().name.clone(),
            connection: self.connection.id.to_string(),
            allowed,
            granted_by_hand: granted.collect::<Result<_, _>>()?,
            credentials,
            secrets: self.secrets().await?,
            idempotency_header: self.manifest().idempotency_header.clone(),
            pacing: pacing.map(|b| BucketSpec { bucket: b.bucket.clone(), capacity: b.capacity, per_minute: b.per_minute }).collect(),
            dry_run: self.dry_run,
            recorder: None,
        })
    }

    async fn secrets(&self) -> Result<HashMap<String, Secret>, Failure> {
        let unreadable = |error: &dyn std::error::Error| {
            tracing::error!(connection = %self.connection.id, error = %crate::store::chain(error), "secrets cannot be read");
            config("the connection's secrets cannot be read".into())
        };
        let mut conn = self.store.read().await.map_err(|e| unreadable(&e))?;
        self.vault.all(&mut conn, &self.ctx.tenant, self.connection.id.as_str()).await.map_err(|e| unreadable(&e))
    }

    fn setting(&self, name: &str) -> Option<String> {
        self.connection.settings.get(name).and_then(serde_json::Value::as_str).map(str::to_owned)
    }

    fn fill(&self, pattern: &str, paths: &[String]) -> Result<Allowed, Failure> {
        Allowed::fill(pattern, paths, |name| self.setting(name)).map_err(|error| config(error.to_string()))
    }

    fn credential(&self, declared: &super::manifest::Credential) -> Result<ScopedCredential, Failure> {
        let (name, hosts) = (declared.name.clone(), declared.hosts.clone());
        let mut token_address = None;
        let credential = match declared.strategy.clone() {
            Strategy::Basic { username, password } => Credential::Basic { name, hosts, username, password: Some(password) },
            Strategy::Bearer { secret } => Credential::Bearer { name, hosts, secret },
            Strategy::Header { header, prefix, secret } => Credential::Header { name, hosts, header, prefix, secret },
            Strategy::Query { parameter, secret } => Credential::Query { name, hosts, parameter, secret },
            Strategy::JsonBody { pointer, secret } => Credential::JsonBody { name, hosts, pointer, secret },
            Strategy::ClientCredentials { token_url, client_id, client_secret, scopes, header, prefix } => {
                let (origin, path) = self
                    .manifest()
                    .fill_url(&token_url, &self.connection.settings, "token-url")
                    .map_err(|error| config(error.to_string()))?;
                token_address = Some(format!("{origin}{path}"));
                let prefix = prefix.unwrap_or_else(|| if header == "authorization" { "Bearer ".into() } else { String::new() });
                let scope = Some(scopes.join(" ")).filter(|scope| !scope.is_empty());
                Credential::ClientCredentials { name, hosts, token_url, client_id, client_secret, scope, header, prefix }
            }
        };
        let hosts = declared.hosts.iter().map(|pattern| self.fill(pattern, &[])).collect::<Result<_, _>>()?;
        Ok(ScopedCredential { credential, hosts, token_url: token_address })
    }

    async fn secret(&self, name: &str) -> Result<&Secret, Failure> {
        let scope = self.scope().await?;
        scope
            .secrets
            .get(name)
            .ok_or_else(|| denied(format!("this connection has no secret `{name}`; hint: give it with `entrepot connection secret`")))
    }
}

fn config(message: String) -> Failure {
    Failure { fault: Fault::Config, ..denied(message) }
}

/// The pipeline's refusals in the contract's words.
fn failure(error: egress::Error) -> Failure {
    let sent = match error.sent() {
        egress::Sent::No => Sent::No,
        egress::Sent::Maybe => Sent::Maybe,
    };
    let (fault, retry_after_ms) = match &error {
        egress::Error::Denied(_) => (Fault::Denied, None),
        egress::Error::Config(_) => (Fault::Config, None),
        egress::Error::Auth(_) => (Fault::Auth, None),
        egress::Error::Network { .. } => (Fault::Network, None),
        egress::Error::Throttled { retry_after, .. } => (Fault::Throttled, u32::try_from(retry_after.as_millis()).ok()),
        egress::Error::Remote(_) => (Fault::Remote, None),
    };
    Failure { fault, code: None, message: error.to_string(), retry_after_ms, sent, extras: Vec::new() }
}

impl Outbound for Reach {
    fn send<'a>(&'a self, call: &'a CallScope, request: http::Request) -> BoxFuture<'a, Result<http::Response, Failure>> {
        Box::pin(async move {
            let scope = self.scope().await?;
            let text = matches!(request.want, http::BodyForm::Text);
            let request = egress::Request {
                method: request.method,
                url: request.url,
                headers: request.headers,
                body: match request.body {
                    http::Payload::Empty | http::Payload::Stored(_) => Vec::new(),
                    http::Payload::Text(text) => text.into_bytes(),
                    http::Payload::Bytes(bytes) => bytes,
                },
                credentials: request.credentials,
                idempotency_key: request.idempotency_key,
                mutating: request.mutating,
                timeout: request.timeout_ms.map(|ms| std::time::Duration::from_millis(ms.into())),
                pace: request.pace.map(|pace| (pace.bucket, pace.cost)),
            };
            let remaining = call.deadline.saturating_duration_since(Instant::now());
            let response = self.egress.send(scope, request, remaining).await.map_err(failure)?;
            let body = match (text, response.body.is_empty()) {
                (_, true) => http::Payload::Empty,
                (false, _) => http::Payload::Bytes(response.body),
                (true, _) => http::Payload::Text(String::from_utf8(response.body).map_err(|_| Failure {
                    fault: Fault::Remote,
                    sent: Sent::Maybe,
                    ..denied("the channel's answer is not UTF-8")
                })?),
            };
            Ok(http::Response { status: response.status, headers: response.headers, body })
        })
    }

    fn observed<'a>(&'a self, _: &'a CallScope, bucket: String, remaining: u32, capacity: u32, per_minute: u32) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if let Ok(scope) = self.scope().await {
                self.egress.observed(scope, &bucket, Observed { remaining, capacity, per_minute }).await;
            }
        })
    }
}

impl Secrets for Reach {
    fn has<'a>(&'a self, _: &'a CallScope, name: &'a str) -> BoxFuture<'a, bool> {
        Box::pin(async move { self.secret(name).await.is_ok() })
    }

    fn hmac<'a>(
        &'a self,
        _: &'a CallScope,
        name: &'a str,
        algorithm: wire_vault::Algorithm,
        data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, Failure>> {
        Box::pin(async move {
            let secret = self.secret(name).await?.expose();
            Ok(match algorithm {
                wire_vault::Algorithm::HmacSha1 => code::<Hmac<sha1::Sha1>>(secret, data),
                wire_vault::Algorithm::HmacSha256 => code::<Hmac<sha2::Sha256>>(secret, data),
                wire_vault::Algorithm::HmacSha512 => code::<Hmac<sha2::Sha512>>(secret, data),
            })
        })
    }

    fn sign_jwt<'a>(&'a self, _: &'a CallScope, name: &'a str, claims_json: &'a str) -> BoxFuture<'a, Result<String, Failure>> {
        Box::pin(async move {
            if !serde_json::from_str::<serde_json::Value>(claims_json).is_ok_and(|claims| claims.is_object()) {
                return Err(Failure { fault: Fault::Invalid, ..denied("the claims are not a JSON object") });
            }
            let secret = self.secret(name).await?.expose();
            let head = URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
            let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims_json));
            let signature = code::<Hmac<sha2::Sha256>>(secret, signed.as_bytes());
            Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
        })
    }
}

/// HMAC takes a key of any length, so making one cannot fail.
fn code<M: Mac + KeyInit>(secret: &[u8], data: &[u8]) -> Vec<u8> {
    <M as KeyInit>::new_from_slice(secret).map_or_else(|_| Vec::new(), |mac| mac.chain_update(data).finalize().into_bytes().to_vec())
}

impl LogSink for Reach {
    fn emit(&self, scope: &CallScope, level: tracing::Level, message: &str, fields: &[(String, String)]) {
        let (plugin, connection, capability) = (&*scope.plugin, self.connection.id.as_str(), scope.capability);
        // The level of an event is fixed where it is written, so each has a line.
        match level {
            tracing::Level::ERROR => tracing::error!(target: "connector", plugin, connection, capability, ?fields, "{message}"),
            tracing::Level::WARN => tracing::warn!(target: "connector", plugin, connection, capability, ?fields, "{message}"),
            tracing::Level::INFO => tracing::info!(target: "connector", plugin, connection, capability, ?fields, "{message}"),
            tracing::Level::DEBUG => tracing::debug!(target: "connector", plugin, connection, capability, ?fields, "{message}"),
            _ => tracing::trace!(target: "connector", plugin, connection, capability, ?fields, "{message}"),
        }
    }
}
