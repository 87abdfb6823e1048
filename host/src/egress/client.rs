//! Dialling and exchanging one request, within limits of size and time. One HTTP client per plugin and connection, so that a
//! pooled socket is never used by anybody for whom it was not checked.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, timeout_at};

use super::body::{self, Reader};
use super::credential::Wire;
use super::resolve::{Dial, Filtered, Inward, Resolver};
use super::{Error, Limits, Response, Sent};

/// Clients beyond this many are forgotten together; each is made again when it is needed.
const MAX_CLIENTS: usize = 512;

#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct ClientKey {
    pub tenant: String,
    pub plugin: String,
    pub connection: String,
    /// May reach private addresses: only for origins granted by hand.
    pub private: bool,
}

pub(super) struct Clients {
    resolver: Arc<dyn Resolver>,
    tls: rustls::ClientConfig,
    limits: Limits,
    made: Mutex<HashMap<ClientKey, reqwest::Client>>,
}

impl Clients {
    pub fn new(resolver: Arc<dyn Resolver>, tls: rustls::ClientConfig, limits: Limits) -> Self {
        Self { resolver, tls, limits, made: Mutex::default() }
    }

    fn client(&self, key: &ClientKey) -> Result<reqwest::Client, Error> {
        let mut made = self.made.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(client) = made.get(key) {
            return Ok(client.clone());
        }
        if made.len() >= MAX_CLIENTS {
            made.clear();
        }
        let filtered = Filtered { inner: Arc::clone(&self.resolver), private: key.private };
        #[allow(clippy::disallowed_methods)] // the one place that makes clients
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls.clone())
            .dns_resolver(Dial(Arc::new(filtered)))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(self.limits.connect)
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(4)
            .http2_max_header_list_size(self.limits.header_bytes as u32)
            .build()
            .map_err(|error| Error::Config(format!("no HTTP client can be made: {}", error.without_url())))?;
        made.insert(key.clone(), client.clone());
        Ok(client)
    }

    /// Sends and reads the whole answer.
    pub async fn exchange(&self, key: &ClientKey, wire: Wire, deadline: Instant) -> Result<Response, Error> {
        let limits = &self.limits;
        let client = self.client(key)?;
        let place = place_of(&wire.url);
        let begun = Arc::new(AtomicBool::new(wire.body.is_empty()));
        let head = wire.method == reqwest::Method::HEAD;
        let mut request = reqwest::Request::new(wire.method, wire.url);
        *request.headers_mut() = wire.headers;
        if !wire.body.is_empty() {
            *request.body_mut() = Some(reqwest::Body::wrap(Watched { data: Some(wire.body.into()), begun: Arc::clone(&begun) }));
        }
        let sent = || if begun.load(Ordering::Acquire) { Sent::Maybe } else { Sent::No };
        let first_byte = deadline.min(Instant::now() + limits.first_byte);
        let mut answer = match timeout_at(first_byte, client.execute(request)).await {
            Err(_) => return Err(Error::Network { message: format!("{place} did not answer in time"), sent: sent() }),
            Ok(Err(error)) => return Err(dial_error(&error, &place, sent())),
            Ok(Ok(answer)) => answer,
        };
        let status = answer.status().as_u16();
        let header_bytes: usize = answer.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        if header_bytes > limits.header_bytes {
            return Err(Error::Remote(format!("{place} sent more than {} bytes of headers", limits.header_bytes)));
        }
        let unusable = |error: body::Error| Error::Remote(format!("{place}: {error}"));
        let encodings = answer.headers().get_all("content-encoding").iter().map(|value| value.to_str().unwrap_or("?"));
        let bodiless = head || matches!(status, 204 | 304);
        let mut reader =
            if bodiless { Reader::new(std::iter::empty(), limits.response_bytes) } else { Reader::new(encodings, limits.response_bytes) }
                .map_err(unusable)?;
        let unpacked = !reader.is_plain();
        let headers = readable(answer.headers(), unpacked);
        loop {
            let next = deadline.min(Instant::now() + limits.between_bytes);
            match timeout_at(next, answer.chunk()).await {
                Err(_) => {
                    return Err(Error::Network { message: format!("{place} stopped in the middle of its answer"), sent: Sent::Maybe });
                }
                Ok(Err(_)) => return Err(Error::Network { message: format!("the answer of {place} broke off"), sent: Sent::Maybe }),
                Ok(Ok(None)) => break,
                Ok(Ok(Some(piece))) => reader.take(&piece).map_err(unusable)?,
            }
        }
        Ok(Response { status, headers, body: reader.finish().map_err(unusable)? })
    }
}

/// Host and port: enough for a message, and nothing private.
pub(super) fn place_of(url: &url::Url) -> String {
    super::Origin::of(url).map_or_else(|| "the channel".to_owned(), |origin| origin.to_string())
}

fn dial_error(error: &reqwest::Error, place: &str, sent: Sent) -> Error {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(inward) = inner.downcast_ref::<Inward>() {
            return Error::Denied(format!("{inward}; hint: an operator may grant {place} to this connection by hand"));
        }
        source = inner.source();
    }
    let what = innermost(error);
    if error.is_connect() {
        return Error::Network { message: format!("{place} cannot be reached: {what}"), sent: Sent::No };
    }
    Error::Network { message: format!("the exchange with {place} broke off: {what}"), sent }
}

/// The last cause is the one that says what happened; the ones above repeat each other.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(next) = last.source() {
        last = next;
    }
    last.to_string()
}

/// What a guest may see: no cookies, no echoes of a login, nothing that belongs to the connection itself.
fn readable(headers: &reqwest::header::HeaderMap, unpacked: bool) -> Vec<(String, String)> {
    const HIDDEN: &[&str] = &[
        "set-cookie",
        "set-cookie2",
        "authorization",
        "proxy-authorization",
        "proxy-authenticate",
        "connection",
        "keep-alive",
        "transfer-encoding",
        "te",
        "trailer",
        "upgrade",
        "alt-svc",
    ];
    headers
        .iter()
        .filter(|(name, _)| !HIDDEN.contains(&name.as_str()))
        .filter(|(name, _)| !unpacked || !matches!(name.as_str(), "content-encoding" | "content-length"))
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}

/// A request body that tells when it is first asked for: before that, nothing of the request was written.
struct Watched {
    data: Option<Bytes>,
    begun: Arc<AtomicBool>,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.begun.store(true, Ordering::Release);
        Poll::Ready(self.data.take().map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.data.as_ref().map_or(0, |data| data.len() as u64))
    }
}
