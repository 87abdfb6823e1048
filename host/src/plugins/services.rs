//! What the hub lends to a call. The sandbox knows only these traits, so that the same engine runs against the real hub, a
//! tape, or nothing at all.

use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::time::Instant;

use super::wire::{Failure, http, state, vault};
use crate::clock::Clock;
use crate::ctx::Tenant;
use crate::id::ConnectionId;

/// On whose behalf a call runs.
#[derive(Clone, Debug)]
pub struct CallScope {
    pub tenant: Tenant,
    /// None while a plugin is tried without a connection: then there is nothing it may reach.
    pub connection: Option<ConnectionId>,
    pub plugin: Arc<str>,
    /// The interface called: `stock-out`.
    pub capability: &'static str,
    pub dry_run: bool,
    /// The end of the call's wall time.
    pub deadline: Instant,
}

/// Sends one request through the one outbound pipeline.
pub trait Outbound: Send + Sync {
    fn send<'a>(&'a self, scope: &'a CallScope, request: http::Request) -> BoxFuture<'a, Result<http::Response, Failure>>;

    /// What the connector learnt about a rate limit.
    fn observed<'a>(&'a self, scope: &'a CallScope, bucket: String, remaining: u32, capacity: u32, per_minute: u32) -> BoxFuture<'a, ()>;
}

/// Secrets by name; values stay on this side.
pub trait Secrets: Send + Sync {
    fn has<'a>(&'a self, scope: &'a CallScope, name: &'a str) -> BoxFuture<'a, bool>;

    fn hmac<'a>(
        &'a self,
        scope: &'a CallScope,
        name: &'a str,
        algorithm: vault::Algorithm,
        data: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>, Failure>>;

    fn sign_jwt<'a>(&'a self, scope: &'a CallScope, name: &'a str, claims_json: &'a str) -> BoxFuture<'a, Result<String, Failure>>;
}

/// A connection's small store.
pub trait StateStore: Send + Sync {
    fn get<'a>(&'a self, scope: &'a CallScope, key: &'a str) -> BoxFuture<'a, Result<Option<state::Entry>, Failure>>;

    fn put<'a>(&'a self, scope: &'a CallScope, key: &'a str, value: Vec<u8>, expect: Option<u32>) -> BoxFuture<'a, Result<u32, Failure>>;

    fn delete<'a>(&'a self, scope: &'a CallScope, key: &'a str) -> BoxFuture<'a, Result<bool, Failure>>;

    fn list<'a>(
        &'a self,
        scope: &'a CallScope,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<String>, Failure>>;
}

/// Receives a plugin's log lines, already cut to size.
pub trait LogSink: Send + Sync {
    fn emit(&self, scope: &CallScope, level: tracing::Level, message: &str, fields: &[(String, String)]);
}

/// Everything together. Cheap to clone.
#[derive(Clone)]
pub struct Services {
    pub outbound: Arc<dyn Outbound>,
    pub secrets: Arc<dyn Secrets>,
    pub state: Arc<dyn StateStore>,
    pub log: Arc<dyn LogSink>,
    pub clock: Clock,
}

/// The host's own refusal.
pub fn denied(message: impl Into<String>) -> Failure {
    Failure {
        fault: super::wire::Fault::Denied,
        code: None,
        message: message.into(),
        retry_after_ms: None,
        sent: super::wire::Sent::No,
        extras: Vec::new(),
    }
}

/// Services that refuse everything: for translating a document without a connection.
pub struct Nothing;

impl Nothing {
    pub fn services(clock: Clock) -> Services {
        let nothing = Arc::new(Nothing);
        Services { outbound: nothing.clone(), secrets: nothing.clone(), state: nothing.clone(), log: nothing, clock }
    }
}

const NO_CONNECTION: &str = "this call runs without a connection, so there is nothing it may reach";

impl Outbound for Nothing {
    fn send<'a>(&'a self, _: &'a CallScope, _: http::Request) -> BoxFuture<'a, Result<http::Response, Failure>> {
        Box::pin(async { Err(denied(NO_CONNECTION)) })
    }

    fn observed<'a>(&'a self, _: &'a CallScope, _: String, _: u32, _: u32, _: u32) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
}

impl Secrets for Nothing {
    fn has<'a>(&'a self, _: &'a CallScope, _: &'a str) -> BoxFuture<'a, bool> {
        Box::pin(async { false })
    }

    fn hmac<'a>(&'a self, _: &'a CallScope, _: &'a str, _: vault::Algorithm, _: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, Failure>> {
        Box::pin(async { Err(denied(NO_CONNECTION)) })
    }

    fn sign_jwt<'a>(&'a self, _: &'a CallScope, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<String, Failure>> {
        Box::pin(async { Err(denied(NO_CONNECTION)) })
    }
}

impl StateStore for Nothing {
    fn get<'a>(&'a self, _: &'a CallScope, _: &'a str) -> BoxFuture<'a, Result<Option<state::Entry>, Failure>> {
        Box::pin(async { Err(denied(NO_CONNECTION)) })
    }

    fn put<'a>(&'a self, _: &'a CallScope, _: &'a str, _: Vec<u8>, _: Option<u32>) -> BoxFuture<'a, Result<u32, Failure>> {
        Box::pin(async { Err(denied(NO_CONNECTION)) })
    }

    fn delete<'a>(&'a self, _: &'a CallScope, _: &'a str) -> BoxFuture<'a, Result<bool, Failure>> {
        Box::pin(async { Err(denied(NO_CONNECTION)) })
    }

    fn list<'a>(&'a self, _: &'a CallScope, _: &'a str, _: Option<&'a str>, _: u32) -> BoxFuture<'a, Result<Vec<String>, Failure>> {
        Box::pin(async { Err(denied(NO_CONNECTION)) })
    }
}

impl LogSink for Nothing {
    fn emit(&self, _: &CallScope, _: tracing::Level, _: &str, _: &[(String, String)]) {}
}
