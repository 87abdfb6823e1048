//! The hub's ear: HTTP/1.1 on TCP, with bounds on how long a sender may take.
//!
//! Whoever opens a thousand connections and says nothing, or one byte a minute, holds each of them for [`Pace`] at most.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::response::Response;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::time::Sleep;
use tower::ServiceExt as _;

/// How long a sender may take.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Until the head of a request is whole; a connection on which nothing is asked is closed then, too.
    pub head: Duration,
    /// From the head to the end of the body.
    pub body: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { head: Duration::from_secs(30), body: Duration::from_secs(120) }
    }
}

/// The machine has no more connections to give: some end, then there are.
const PAUSE: Duration = Duration::from_millis(100);

/// Answers until `stop` resolves, then lets requests under way end.
pub async fn serve(listener: TcpListener, router: Router, pace: Pace, stop: impl Future<Output = ()>) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(pace.head);
    let (connections, mut stop) = (GracefulShutdown::new(), std::pin::pin!(stop));
    loop {
        let (stream, peer) = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            },
        };
        // Answers are small and whole; waiting for more to send with them only delays them.
        let _ = stream.set_nodelay(true);
        let router = router.clone();
        let answer = service_fn(move |request| answer(router.clone(), peer, pace.body, request));
        let connection = connections.watch(http.serve_connection(TokioIo::new(stream), answer));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%peer, %error, "a connection ended early");
            }
        });
    }
    drop(listener);
    connections.shutdown().await;
}

async fn answer(router: Router, peer: SocketAddr, body: Duration, request: Request<Incoming>) -> Result<Response, Infallible> {
    let mut request = request.map(|incoming| Body::new(Timely { incoming, end: Box::pin(tokio::time::sleep(body)) }));
    request.extensions_mut().insert(ConnectInfo(peer));
    router.oneshot(request).await
}

/// A body that must be whole in time.
struct Timely {
    incoming: Incoming,
    end: Pin<Box<Sleep>>,
}

impl http_body::Body for Timely {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(axum::Error::new)));
        }
        self.end.as_mut().poll(cx).map(|()| Some(Err(axum::Error::new(std::io::Error::from(std::io::ErrorKind::TimedOut)))))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::post;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;

    /// What comes back on a connection on which `said` is all that is ever said.
    async fn heard(said: &[u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", post(|body: Bytes| async move { body.len().to_string() }));
        let pace = Pace { head: Duration::from_millis(200), body: Duration::from_millis(200) };
        let (_stop, stopped) = tokio::sync::oneshot::channel::<()>();
        tokio::spawn(serve(listener, router, pace, async move { drop(stopped.await) }));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(said).await.unwrap();
        let mut answer = String::new();
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_string(&mut answer)).await;
        read.expect("the connection stays open").unwrap();
        answer
    }

    #[tokio::test]
    async fn a_sender_that_does_not_come_to_an_end_is_let_go() {
        assert_eq!(heard(b"").await, "", "silence");
        assert!(!heard(b"POST / HTTP/1.1\r\nhost: x\r\n").await.contains("200"), "half a head");
        assert!(heard(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc").await.contains(" 400 "), "half a body");
        let whole = heard(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc").await;
        assert!(whole.contains(" 200 ") && whole.ends_with('3'), "{whole}");
    }
}
