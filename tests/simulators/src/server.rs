//! The HTTP front of a simulated shop: one listener on 127.0.0.1 that can be stopped and started again on the same port,
//! with the fault switches in front of the shop's own routes.
//!
//! Plain HTTP stands for "behind TLS". A dropped request or a lost answer closes the connection without a response, which
//! a caller cannot tell from a crashed host; that is the point.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tower::ServiceExt;

use crate::clock::Clock;
use crate::faults::{Fault, Faults, Seen};
use crate::random::Dice;

/// Largest request body a shop reads.
const BODY_LIMIT_BYTES: usize = 16 * 1024 * 1024;
/// How many requests the log keeps.
const LOG_LENGTH: usize = 20_000;

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One request as the shop saw it.
#[derive(Clone, Debug)]
pub struct RequestSeen {
    pub at_ms: i64,
    pub method: String,
    /// Path and query.
    pub target: String,
    pub body: String,
    /// The status answered; `None` when the connection was closed without an answer.
    pub status: Option<u16>,
    pub fault: Option<Fault>,
}

/// How one channel words its refusals and tells a write from a read.
pub(crate) trait Manners: Send + Sync + 'static {
    fn is_write(&self, method: &Method, target: &str, body: &[u8]) -> bool;
    fn refusal(&self, fault: Fault, retry_after_s: Option<u32>) -> Response<Body>;
}

/// Faults, chance and the request log: what stands before the routes.
pub(crate) struct Front {
    pub(crate) clock: Clock,
    pub(crate) faults: Mutex<Faults>,
    pub(crate) dice: Mutex<Dice>,
    log: Mutex<VecDeque<RequestSeen>>,
}

impl Front {
    pub(crate) fn new(clock: Clock, seed: u64) -> Self {
        Self { clock, faults: Mutex::default(), dice: Mutex::new(Dice::new(seed)), log: Mutex::default() }
    }

    pub(crate) fn now(&self) -> i64 {
        (self.clock)()
    }

    pub(crate) fn seen(&self) -> Vec<RequestSeen> {
        lock(&self.log).iter().cloned().collect()
    }

    fn note(&self, request: RequestSeen) {
        let mut log = lock(&self.log);
        if log.len() == LOG_LENGTH {
            log.pop_front();
        }
        log.push_back(request);
    }
}

/// The fault a route itself has to play ([`Fault::RepeatPage`], [`Fault::PartialBatch`]); always present as an extension.
#[derive(Clone, Copy)]
pub(crate) struct Played(pub(crate) Option<Fault>);

#[derive(Debug, thiserror::Error)]
#[error("the simulated shop closed the connection")]
struct Closed;

pub(crate) struct Server {
    port: u16,
    app: Arc<App>,
    running: Mutex<Option<Running>>,
}

struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

struct App {
    front: Arc<Front>,
    manners: Arc<dyn Manners>,
    router: Router,
}

pub(crate) async fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
}

impl Server {
    pub(crate) fn start(listener: TcpListener, front: Arc<Front>, manners: Arc<dyn Manners>, router: Router) -> io::Result<Self> {
        let port = listener.local_addr()?.port();
        let server = Self { port, app: Arc::new(App { front, manners, router }), running: Mutex::new(None) };
        server.run(listener);
        Ok(server)
    }

    fn run(&self, listener: TcpListener) {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(listener, Arc::clone(&self.app), stopped));
        *lock(&self.running) = Some(Running { stop, task });
    }

    /// Closes the listener and every open connection: from here on connecting is refused.
    pub(crate) async fn stop(&self) {
        let running = lock(&self.running).take();
        if let Some(running) = running {
            let _ = running.stop.send(true);
            let _ = running.task.await;
        }
    }

    pub(crate) async fn restart(&self) -> io::Result<()> {
        self.stop().await;
        let listener = bind(self.port).await?;
        self.run(listener);
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(running) = lock(&self.running).take() {
            running.task.abort();
        }
    }
}

async fn accept(listener: TcpListener, app: Arc<App>, mut stopped: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let _ = stream.set_nodelay(true);
                let app = Arc::clone(&app);
                connections.spawn(async move {
                    let service = service_fn(move |request| serve(Arc::clone(&app), request));
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        }
    }
    connections.shutdown().await;
}

async fn serve(app: Arc<App>, request: Request<Incoming>) -> Result<Response<Body>, Closed> {
    let (parts, body) = request.into_parts();
    let body = http_body_util::Limited::new(body, BODY_LIMIT_BYTES).collect().await.map_err(|_| Closed)?.to_bytes();
    let target = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    let method = parts.method.clone();
    let write = app.manners.is_write(&method, &target, &body);

    let (delay_ms, fault, retry_after_s) = {
        let mut faults = lock(&app.front.faults);
        let fault = if faults.maintenance {
            Some(Fault::ServerError)
        } else {
            let seen = Seen { target: &target, body: &body, write };
            faults.choose(&seen, &mut lock(&app.front.dice))
        };
        (faults.api_delay_ms, fault, faults.throttle_retry_after_s)
    };
    if delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
    }

    let mut entry = RequestSeen {
        at_ms: app.front.now(),
        method: method.to_string(),
        target,
        body: String::from_utf8_lossy(&body).into_owned(),
        status: None,
        fault,
    };
    let answer = match fault {
        Some(Fault::DropRequest) => Err(Closed),
        Some(Fault::ServerError) => Ok(server_error(&app.front)),
        Some(refused @ (Fault::Throttle | Fault::ErrorIn200 | Fault::RefuseCredentials)) => Ok(app.manners.refusal(refused, retry_after_s)),
        Some(Fault::LoseAnswer | Fault::TruncateBody | Fault::RepeatPage | Fault::PartialBatch) | None => {
            let mut request = Request::from_parts(parts, Body::from(body));
            request.extensions_mut().insert(Played(fault));
            let response = app.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
            match fault {
                Some(Fault::LoseAnswer) => Err(Closed),
                Some(Fault::TruncateBody) => truncate(response).await,
                _ => Ok(response),
            }
        }
    };
    entry.status = answer.as_ref().ok().map(|response| response.status().as_u16());
    app.front.note(entry);
    answer
}

/// Announces the whole length and sends half of it.
async fn truncate(response: Response<Body>) -> Result<Response<Body>, Closed> {
    let (mut parts, body) = response.into_parts();
    let whole = body.collect().await.map_err(|_| Closed)?.to_bytes();
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(whole.len()));
    let half = whole.slice(..whole.len() / 2);
    let pieces: [Result<Bytes, Closed>; 2] = [Ok(half), Err(Closed)];
    Ok(Response::from_parts(parts, Body::from_stream(Pieces(pieces.into_iter()))))
}

struct Pieces(std::array::IntoIter<Result<Bytes, Closed>, 2>);

impl futures_core::Stream for Pieces {
    type Item = Result<Bytes, Closed>;

    fn poll_next(mut self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.next())
    }
}

/// What a web server in front of a failing application says; never JSON.
fn server_error(front: &Front) -> Response<Body> {
    let maintenance = lock(&front.faults).maintenance;
    let status = if maintenance {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        match lock(&front.dice).next() % 3 {
            0 => StatusCode::INTERNAL_SERVER_ERROR,
            1 => StatusCode::BAD_GATEWAY,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        }
    };
    let page = format!("<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>");
    answer(status, "text/html", page.into_bytes())
}

pub(crate) fn answer(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

pub(crate) fn json(status: StatusCode, body: &serde_json::Value) -> Response<Body> {
    answer(status, "application/json; charset=UTF-8", body.to_string().into_bytes())
}

pub(crate) fn set_header(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
