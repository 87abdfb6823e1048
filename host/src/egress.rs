//! The one way out: every request of the hub and its connectors passes [`Egress::send`].
//!
//! In order: method, address and origin are checked against the grant of the connection, before a name is resolved; the
//! guest's own request must not carry a secret; a slot of the rate limit is awaited; credentials are added; the name is
//! resolved once and only checked addresses are dialled; size and time are limited; redirects are answers. Nothing private
//! leaves in an error or a log line. Nothing here knows what a connector is for.

mod address;
mod body;
mod client;
mod credential;
mod error;
pub mod hub;
mod origin;
mod pacing;
mod resolve;
mod tls;
mod token;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;
use url::{Host, Url};

pub use address::is_public;
pub use credential::{Credential, Needles};
pub use error::{Error, Sent};
pub use origin::{Allowed, Malformed, Origin};
pub use pacing::{Booking, Bucket, BucketKey, BucketSpec, BucketStore, MemoryBuckets, Observed};
pub use resolve::{Resolver, SystemResolver};
pub use tls::{Error as TlsError, config as tls_config};

use crate::clock::Clock;
use crate::secrets::Secret;
use client::{ClientKey, Clients, place_of};
use credential::Wire;
use token::{TokenKey, Tokens};

/// On whose behalf, and what that one may do. Built once per call of a connector.
pub struct Scope {
    pub tenant: String,
    pub plugin: String,
    pub connection: String,
    pub allowed: Vec<Allowed>,
    /// Origins that an operator granted to this connection by hand: they may be private, without TLS, on any port.
    pub granted_by_hand: Vec<Origin>,
    pub credentials: Vec<ScopedCredential>,
    /// Values of the connection's secrets by name.
    pub secrets: HashMap<String, Secret>,
    /// The header that carries an idempotency key, where the channel has one.
    pub idempotency_header: Option<String>,
    pub pacing: Vec<BucketSpec>,
    /// Refuses every request that changes something.
    pub dry_run: bool,
    /// Sees each exchange as the connector sees it, without credentials.
    pub recorder: Option<Arc<dyn Recorder>>,
}

/// A credential and where it may be sent, holes filled.
pub struct ScopedCredential {
    pub credential: Credential,
    /// Empty means wherever the connection may send.
    pub hosts: Vec<Allowed>,
    /// The token endpoint with its holes filled, for the strategy that has one.
    pub token_url: Option<String>,
}

/// Takes down exchanges, for `plugin test` and support.
pub trait Recorder: Send + Sync {
    fn exchange(&self, request: &Request, outcome: &Result<Response, Error>);
}

#[derive(Clone, Debug, Default)]
pub struct Request {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Names of credentials.
    pub credentials: Vec<String>,
    pub idempotency_key: Option<String>,
    pub mutating: bool,
    pub timeout: Option<Duration>,
    /// Bucket and cost.
    pub pace: Option<(String, u32)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Sizes in bytes.
#[derive(Clone, Debug)]
pub struct Limits {
    pub connect: Duration,
    pub first_byte: Duration,
    pub between_bytes: Duration,
    pub total: Duration,
    pub request_bytes: usize,
    pub response_bytes: usize,
    pub header_bytes: usize,
    pub url_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(30),
            between_bytes: Duration::from_secs(15),
            total: Duration::from_secs(60),
            request_bytes: 8 << 20,
            response_bytes: 8 << 20,
            header_bytes: 64 << 10,
            url_bytes: 8 << 10,
        }
    }
}

/// The pipeline; cheap to clone.
#[derive(Clone)]
pub struct Egress(Arc<Inner>);

struct Inner {
    clients: Clients,
    tokens: Tokens,
    buckets: Arc<dyn BucketStore>,
    clock: Clock,
    limits: Limits,
}

/// Told by a channel to wait longer than this, the hub trusts its own rhythm instead.
const LONGEST_HOLD: Duration = Duration::from_secs(3_600);
const TOKEN_FORM: &str = "application/x-www-form-urlencoded";

impl Egress {
    pub fn new(
        clock: Clock,
        resolver: Arc<dyn Resolver>,
        buckets: Arc<dyn BucketStore>,
        tls: rustls::ClientConfig,
        limits: Limits,
    ) -> Self {
        Self(Arc::new(Inner { clients: Clients::new(resolver, tls, limits.clone()), tokens: Tokens::default(), buckets, clock, limits }))
    }

    /// Sends one request; `remaining` is what the call has left. Every status is a response, also a redirect.
    pub async fn send(&self, scope: &Scope, request: Request, remaining: Duration) -> Result<Response, Error> {
        crate::store::assert_no_write_open();
        let started = Instant::now();
        let needles = Needles::of(scope.secrets.values());
        let outcome = self.run(scope, &request, &needles, remaining).await;
        let place = Url::parse(&request.url).map_or_else(|_| "an unreadable address".to_owned(), |url| place_of(&url));
        let ms = started.elapsed().as_millis() as u64;
        match &outcome {
            Ok(answer) => tracing::debug!(
                plugin = scope.plugin,
                connection = scope.connection,
                method = request.method,
                place,
                status = answer.status,
                ms,
                "outbound"
            ),
            Err(error) => {
                tracing::debug!(plugin = scope.plugin, connection = scope.connection, method = request.method, place, %error, ms, "outbound")
            }
        }
        if let Some(recorder) = &scope.recorder {
            recorder.exchange(&request, &outcome);
        }
        outcome
    }

    /// What the channel said about its limits.
    pub async fn observed(&self, scope: &Scope, bucket: &str, seen: Observed) {
        self.0.buckets.observed(&bucket_key(scope, bucket), seen, self.0.clock.now_ms()).await;
    }

    async fn run(&self, scope: &Scope, request: &Request, needles: &Needles, remaining: Duration) -> Result<Response, Error> {
        let limits = &self.0.limits;
        let deadline = Instant::now() + remaining.min(request.timeout.unwrap_or(limits.total)).min(limits.total);
        let (wire, origin) = check(scope, request, limits, needles)?;
        let credentials = pick(scope, request, &wire, &origin)?;
        if let Some((bucket, cost)) = &request.pace {
            self.await_slot(scope, bucket, *cost, deadline).await?;
        }
        let key = ClientKey {
            tenant: scope.tenant.clone(),
            plugin: scope.plugin.clone(),
            connection: scope.connection.clone(),
            private: scope.granted_by_hand.contains(&origin),
        };
        let (answer, token) = self.attempt(scope, &credentials, wire.clone(), &key, None, deadline).await?;
        let (answer, token) = match (answer.status, token) {
            // The channel may have ended the token early. Refused means not done, so repeating is safe.
            (401, Some(token)) => self.attempt(scope, &credentials, wire, &key, Some(&token), deadline).await?,
            kept => (answer, kept.1),
        };
        self.hold_if_asked(scope, request, &answer).await;
        let tokens = Needles::of(token.iter());
        Ok(scrub(answer, &[needles, &tokens]))
    }

    /// One exchange with credentials added; returns the token it used, if any.
    async fn attempt(
        &self,
        scope: &Scope,
        credentials: &[&ScopedCredential],
        mut wire: Wire,
        key: &ClientKey,
        refused: Option<&Secret>,
        deadline: Instant,
    ) -> Result<(Response, Option<Secret>), Error> {
        let mut used = None;
        for scoped in credentials {
            let token = match &scoped.credential {
                Credential::ClientCredentials { .. } => Some(self.token(scope, scoped, refused, deadline).await?),
                _ => None,
            };
            scoped.credential.inject(&mut wire, &scope.secrets, token.as_ref())?;
            used = used.or(token);
        }
        if wire.body.len() > self.0.limits.request_bytes {
            return Err(Error::Denied(format!("the request is larger than {} bytes", self.0.limits.request_bytes)));
        }
        Ok((self.0.clients.exchange(key, wire, deadline).await?, used))
    }

    async fn token(&self, scope: &Scope, scoped: &ScopedCredential, refused: Option<&Secret>, deadline: Instant) -> Result<Secret, Error> {
        let Credential::ClientCredentials { name, client_id, client_secret, scope: wanted, .. } = &scoped.credential else {
            return Err(Error::Config("only a login by client credentials has a token".into()));
        };
        let (id, secret) = (credential::get(&scope.secrets, client_id)?, credential::get(&scope.secrets, client_secret)?);
        let address = scoped.token_url.as_deref().ok_or_else(|| Error::Config(format!("the credential `{name}` has no token address")))?;
        let slot = TokenKey::of(&[&scope.tenant, &scope.connection, name, address, id, secret].map(|part: &str| part.as_bytes()));
        let fetch = async {
            let (url, origin) = admitted(scope, address, &self.0.limits, false)?;
            let headers = HeaderMap::from_iter([
                (reqwest::header::CONTENT_TYPE, HeaderValue::from_static(TOKEN_FORM)),
                (reqwest::header::ACCEPT, HeaderValue::from_static("application/json")),
            ]);
            let key = ClientKey {
                tenant: scope.tenant.clone(),
                plugin: scope.plugin.clone(),
                connection: scope.connection.clone(),
                private: scope.granted_by_hand.contains(&origin),
            };
            let wire = Wire { method: Method::POST, url, headers, body: token_form(id, secret, wanted.as_deref()) };
            // A login changes nothing at the channel, so its failure never leaves the caller's own request in doubt.
            let answer = self.0.clients.exchange(&key, wire, deadline).await.map_err(not_sent)?;
            token::read(answer.status, &answer.body, self.0.clock.now_ms(), name)
        };
        self.0.tokens.get(&slot, self.0.clock.now_ms(), refused, fetch).await
    }

    async fn await_slot(&self, scope: &Scope, bucket: &str, cost: u32, deadline: Instant) -> Result<(), Error> {
        let spec = scope.pacing.iter().find(|spec| spec.bucket == bucket);
        let now = self.0.clock.now_ms();
        let left = deadline.saturating_duration_since(Instant::now());
        let patience = i64::try_from(left.as_millis()).unwrap_or(i64::MAX);
        let throttled = |ms: i64| Error::Throttled {
            message: format!("the channel's limit `{bucket}` has no room within the time of this call"),
            retry_after: Duration::from_millis(u64::try_from(ms).unwrap_or(0)),
        };
        match self.0.buckets.book(&bucket_key(scope, bucket), spec, cost, now, patience).await {
            Booking::After(0) => Ok(()),
            Booking::After(wait) => {
                let slept = tokio::time::timeout_at(deadline, self.0.clock.sleep_until(now.saturating_add(wait))).await;
                slept.map_err(|_| throttled(wait))
            }
            Booking::NotBefore(wait) => Err(throttled(wait)),
        }
    }

    /// 429 and 503 with a number of seconds stop the bucket for everybody who shares it.
    async fn hold_if_asked(&self, scope: &Scope, request: &Request, answer: &Response) {
        let (Some((bucket, _)), 429 | 503) = (&request.pace, answer.status) else { return };
        let Some(seconds) = answer.header("retry-after").and_then(|text| text.trim().parse::<u32>().ok()) else { return };
        let pause = Duration::from_secs(seconds.into()).min(LONGEST_HOLD);
        let until = self.0.clock.now_ms().saturating_add(i64::try_from(pause.as_millis()).unwrap_or(0));
        self.0.buckets.hold(&bucket_key(scope, bucket), until).await;
    }
}

/// The login as a form; made apart because a form under construction may not cross an await.
fn token_form(id: &str, secret: &str, wanted: Option<&str>) -> Vec<u8> {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials").append_pair("client_id", id).append_pair("client_secret", secret);
    if let Some(wanted) = wanted {
        form.append_pair("scope", wanted);
    }
    form.finish().into_bytes()
}

fn bucket_key(scope: &Scope, bucket: &str) -> BucketKey {
    BucketKey { tenant: scope.tenant.clone(), connection: scope.connection.clone(), bucket: bucket.to_owned() }
}

fn not_sent(error: Error) -> Error {
    match error {
        Error::Network { message, .. } | Error::Remote(message) => Error::Network { message, sent: Sent::No },
        other => other,
    }
}

/// Everything that can be said about a request before the network is touched.
fn check(scope: &Scope, request: &Request, limits: &Limits, needles: &Needles) -> Result<(Wire, Origin), Error> {
    let method = match request.method.as_str() {
        "GET" => Method::GET,
        "HEAD" => Method::HEAD,
        "POST" => Method::POST,
        "PUT" => Method::PUT,
        "PATCH" => Method::PATCH,
        "DELETE" => Method::DELETE,
        other => return Err(Error::Denied(format!("the method `{other}` is not allowed; hint: GET, HEAD, POST, PUT, PATCH or DELETE"))),
    };
    // What a connector says counts only where the method leaves it open.
    let changes = request.mutating || matches!(method, Method::PUT | Method::PATCH | Method::DELETE);
    if scope.dry_run && changes {
        return Err(Error::Denied("this is a dry run, and the request changes something at the channel".into()));
    }
    let (url, origin) = admitted(scope, &request.url, limits, true)?;
    if request.body.len() > limits.request_bytes {
        return Err(Error::Denied(format!("the request is larger than {} bytes", limits.request_bytes)));
    }
    let carried = needles.are_in(request.url.as_bytes())
        || needles.are_in(&request.body)
        || request.headers.iter().any(|(_, value)| needles.are_in(value.as_bytes()));
    if carried {
        return Err(Error::Denied("the request carries the value of a secret; hint: name the credential and the hub adds it".into()));
    }
    let headers = check_headers(scope, request, limits)?;
    Ok((Wire { method, url, headers, body: request.body.clone() }, origin))
}

/// The address, when this connection may send there. Decided from the text alone: a name that is not granted is not resolved.
fn admitted(scope: &Scope, text: &str, limits: &Limits, paths: bool) -> Result<(Url, Origin), Error> {
    if text.len() > limits.url_bytes {
        return Err(Error::Denied(format!("the address is longer than {} bytes", limits.url_bytes)));
    }
    let mut url = Url::parse(text).map_err(|_| Error::Denied("the address of the request cannot be read".into()))?;
    url.set_fragment(None);
    if !url.username().is_empty()
        || url.password().is_some()
        || text.split(['/', '?', '#']).nth(2).is_some_and(|authority| authority.contains('@'))
    {
        return Err(Error::Denied("an address with a user name or password is refused; hint: name a credential".into()));
    }
    let origin = Origin::of(&url).ok_or_else(|| Error::Denied(format!("`{}` addresses are refused; hint: https", url.scheme())))?;
    let granted = scope.granted_by_hand.contains(&origin);
    let by_hand = || format!("hint: an operator may grant {origin} to this connection by hand");
    let mut entries = scope.allowed.iter().filter(|entry| entry.matches_origin(&origin)).peekable();
    if entries.peek().is_none() {
        return Err(Error::Denied(format!("{origin} is not among the hosts this connection may reach")));
    }
    let entries: Vec<&Allowed> = entries.collect();
    if paths && !entries.iter().any(|entry| entry.matches_path(url.path())) {
        return Err(Error::Denied(format!("the path of this request at {origin} is not among those this connection may use")));
    }
    if !granted {
        if !origin.is_https() {
            return Err(Error::Denied(format!("{origin} is not https; {}", by_hand())));
        }
        if origin.port != 443 && !entries.iter().any(|entry| entry.names_port()) {
            return Err(Error::Denied(format!("{origin} is on an unusual port; {}", by_hand())));
        }
        match (&origin.host, origin.address()) {
            (_, Some(address)) if !is_public(address) => {
                return Err(Error::Denied(format!("{origin} is not on the public internet; {}", by_hand())));
            }
            (Host::Domain(name), _) if is_local_name(name) => {
                return Err(Error::Denied(format!("{origin} is a local name; {}", by_hand())));
            }
            _ => {}
        }
    }
    Ok((url, origin))
}

/// Names that no public resolver answers, or that mean a machine's own services.
fn is_local_name(name: &str) -> bool {
    const LOCAL: &[&str] = &[
        "localhost",
        "local",
        "internal",
        "intranet",
        "lan",
        "home",
        "corp",
        "private",
        "home.arpa",
        "localdomain",
        "onion",
        "test",
        "invalid",
        "arpa",
    ];
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    !name.contains('.') || LOCAL.iter().any(|tail| name == *tail || name.strip_suffix(tail).is_some_and(|rest| rest.ends_with('.')))
}

fn check_headers(scope: &Scope, request: &Request, limits: &Limits) -> Result<HeaderMap, Error> {
    const FORBIDDEN: &[&str] = &[
        "host",
        "connection",
        "keep-alive",
        "proxy-authorization",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "content-length",
        "expect",
        "accept-encoding",
        "http2-settings",
    ];
    let mut headers = HeaderMap::new();
    let mut size = 0;
    let injected: Vec<&str> = scope
        .credentials
        .iter()
        .filter(|scoped| request.credentials.iter().any(|name| name == scoped.credential.name()))
        .filter_map(|scoped| scoped.credential.header())
        .collect();
    for (name, value) in &request.headers {
        let refused = || Error::Denied(format!("the header `{}` is not for a connector to set", name.escape_debug()));
        if FORBIDDEN.iter().chain(&injected).any(|known| name.eq_ignore_ascii_case(known)) {
            return Err(refused());
        }
        size += name.len() + value.len() + 4;
        let unwritable = |_| Error::Denied(format!("the header `{}` cannot be written as HTTP", name.escape_debug()));
        headers.append(
            HeaderName::try_from(name.as_str()).map_err(|_| unwritable(()))?,
            HeaderValue::try_from(value.as_str()).map_err(|_| unwritable(()))?,
        );
    }
    if size > limits.header_bytes {
        return Err(Error::Denied(format!("the request has more than {} bytes of headers", limits.header_bytes)));
    }
    if let (Some(header), Some(key)) = (&scope.idempotency_header, &request.idempotency_key) {
        let name = HeaderName::try_from(header.as_str())
            .map_err(|_| Error::Config(format!("`{header}` is not the name of a header; hint: the plugin's manifest is wrong")))?;
        headers.insert(
            name,
            HeaderValue::try_from(key.as_str()).map_err(|_| Error::Denied("the idempotency key cannot be written as a header".into()))?,
        );
    }
    // A part of a packed body cannot be unpacked.
    let packed = if headers.contains_key(reqwest::header::RANGE) { "identity" } else { "gzip, deflate" };
    headers.entry(reqwest::header::ACCEPT_ENCODING).or_insert(HeaderValue::from_static(packed));
    headers.entry(reqwest::header::USER_AGENT).or_insert(HeaderValue::from_static(concat!("entrepot/", env!("CARGO_PKG_VERSION"))));
    Ok(headers)
}

/// The credentials a request names, each declared, each meant for this place.
fn pick<'a>(scope: &'a Scope, request: &Request, wire: &Wire, origin: &Origin) -> Result<Vec<&'a ScopedCredential>, Error> {
    request
        .credentials
        .iter()
        .map(|name| {
            let scoped = scope
                .credentials
                .iter()
                .find(|scoped| scoped.credential.name() == name)
                .ok_or_else(|| Error::Denied(format!("the manifest declares no credential `{name}`")))?;
            let meant = scoped.hosts.is_empty()
                || scoped.hosts.iter().any(|host| host.matches_origin(origin) && host.matches_path(wire.url.path()));
            if meant { Ok(scoped) } else { Err(Error::Denied(format!("the credential `{name}` is not meant for {origin}"))) }
        })
        .collect()
}

fn scrub(answer: Response, needles: &[&Needles]) -> Response {
    let clean = |bytes: Vec<u8>| needles.iter().fold(bytes, |bytes, needles| needles.scrub(bytes));
    let headers = answer
        .headers
        .into_iter()
        .map(|(name, value)| (name, needles.iter().fold(value, |value, needles| needles.scrub_text(value))))
        .collect();
    Response { status: answer.status, headers, body: clean(answer.body) }
}

#[cfg(test)]
mod tests;
