//! Load over loopback: a fixed number of keep-alive connections, a bounded number of requests, hand-written HTTP/1.1 so that
//! the generator costs little beside what it measures.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What is sent: the bytes of request number `n`, from 0.
pub type Requests = Arc<dyn Fn(u64) -> Vec<u8> + Send + Sync>;

#[derive(Clone)]
pub struct Load {
    pub connections: u64,
    pub requests: u64,
    /// Requests per second over all connections. Latency then counts from when a request was due, so that a stall is not
    /// hidden by the requests it held back. `None`: as fast as answers come.
    pub rate: Option<u64>,
    /// The only status that counts as an answer; anything else failed.
    pub status: u16,
}

impl Load {
    /// As many as answers come, all of them 200.
    pub fn full(connections: u64, requests: u64) -> Self {
        Self { connections, requests, rate: None, status: 200 }
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub per_second: f64,
    /// Answers with another status, and requests that got none.
    pub failed: u64,
    latencies_us: Vec<u64>,
}

impl Outcome {
    pub fn answered(&self) -> u64 {
        self.latencies_us.len() as u64
    }

    /// `percentile(990)` is the 99.0th.
    pub fn percentile_us(&self, per_mille: usize) -> u64 {
        let last = self.latencies_us.len().saturating_sub(1);
        self.latencies_us.get(last * per_mille / 1_000).copied().unwrap_or(0)
    }
}

pub async fn run(address: SocketAddr, load: &Load, requests: Requests) -> Outcome {
    let next = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let workers: Vec<_> =
        (0..load.connections).map(|_| tokio::spawn(worker(address, next.clone(), requests.clone(), load.clone(), began))).collect();
    let (mut latencies_us, mut failed) = (Vec::new(), 0);
    for worker in workers {
        let (mut some, bad) = worker.await.unwrap();
        latencies_us.append(&mut some);
        failed += bad;
    }
    latencies_us.sort_unstable();
    Outcome { per_second: latencies_us.len() as f64 / began.elapsed().as_secs_f64(), failed, latencies_us }
}

async fn worker(address: SocketAddr, next: Arc<AtomicU64>, requests: Requests, load: Load, began: Instant) -> (Vec<u64>, u64) {
    let (mut latencies, mut failed, mut buffer) = (Vec::new(), 0, Vec::with_capacity(8_192));
    let mut stream = None;
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        if n >= load.requests {
            return (latencies, failed);
        }
        let bytes = requests(n);
        let mut due = Instant::now();
        if let Some(rate) = load.rate {
            due = began + Duration::from_nanos(n * 1_000_000_000 / rate);
            tokio::time::sleep_until(due.into()).await;
        }
        match exchange(&mut stream, address, &bytes, &mut buffer).await {
            Ok(status) if status == load.status => latencies.push(u64::try_from(due.elapsed().as_micros()).unwrap()),
            Ok(_) => failed += 1,
            Err(_) => {
                stream = None;
                failed += 1;
            }
        }
    }
}

async fn exchange(stream: &mut Option<TcpStream>, address: SocketAddr, request: &[u8], buffer: &mut Vec<u8>) -> std::io::Result<u16> {
    if stream.is_none() {
        let fresh = TcpStream::connect(address).await?;
        fresh.set_nodelay(true)?;
        *stream = Some(fresh);
    }
    let Some(stream) = stream else { return Err(std::io::ErrorKind::NotConnected.into()) };
    stream.write_all(request).await?;
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if let Some((status, length)) = complete(buffer) {
            if buffer.len() > length {
                return Err(std::io::Error::other("more bytes than one answer"));
            }
            return Ok(status);
        }
    }
}

/// Status and length of an answer that is wholly there. Understands `Content-Length` only.
fn complete(buffer: &[u8]) -> Option<(u16, usize)> {
    let head_end = buffer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&buffer[..head_end]).ok()?;
    let status = head.get(9..12)?.parse().ok()?;
    let named = head.lines().filter_map(|line| line.split_once(':')).find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let body: usize = named.and_then(|(_, value)| value.trim().parse().ok()).unwrap_or(0);
    (buffer.len() >= head_end + body).then_some((status, head_end + body))
}

/// A POST with these headers.
pub fn post(path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head =
        format!("POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_complete_when_its_body_is() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
        assert_eq!(complete(answer), Some((200, answer.len())));
        assert_eq!(complete(&answer[..answer.len() - 1]), None);
        assert_eq!(complete(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n").unwrap().0, 503);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn refusals_are_counted_and_not_timed() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, crate::baselines::signed::router()).await });
        let body = b"{}";
        let requests: Requests = Arc::new(move |n| {
            let signature = if n % 4 == 0 { "d3Jvbmc=".to_owned() } else { crate::baselines::signed::sign(body) };
            post("/webhooks/x", &[(crate::baselines::signed::HEADER, &signature)], body)
        });
        let outcome = run(address, &Load::full(4, 40), requests).await;
        assert_eq!((outcome.failed, outcome.latencies_us.len()), (10, 30));
        assert!(outcome.percentile_us(990) >= outcome.percentile_us(500));
    }
}
