//! The pipeline against servers that behave badly and addresses that lead inward.

#![allow(clippy::unwrap_used)]

mod inward;
mod login;
mod misbehaving;
mod requests;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// Names as the test says; every question is counted.
#[derive(Default)]
struct Names {
    known: Mutex<HashMap<String, VecDeque<Vec<IpAddr>>>>,
    asked: AtomicUsize,
}

impl Names {
    /// Later answers replace earlier ones, as a rebinding name server does; the last one stays.
    fn answer(&self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        self.known.lock().unwrap().entry(name.to_owned()).or_default().push_back(addresses);
    }
}

struct Shared(Arc<Names>);

impl Resolver for Shared {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        let mut known = self.0.known.lock().unwrap();
        let answer = known.get_mut(host).and_then(|answers| if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() });
        Box::pin(std::future::ready(answer.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such name"))))
    }
}

struct Rig {
    egress: Egress,
    names: Arc<Names>,
    clock: Clock,
}

fn rig_with(limits: Limits) -> Rig {
    let names = Arc::new(Names::default());
    let clock = Clock::system();
    let egress = Egress::new(
        clock.clone(),
        Arc::new(Shared(Arc::clone(&names))),
        Arc::new(MemoryBuckets::default()),
        tls_config(None).unwrap(),
        limits,
    );
    Rig { egress, names, clock }
}

fn rig() -> Rig {
    rig_with(Limits {
        connect: Duration::from_millis(500),
        first_byte: Duration::from_millis(500),
        between_bytes: Duration::from_millis(300),
        total: Duration::from_secs(3),
        request_bytes: 1 << 20,
        response_bytes: 1 << 20,
        ..Limits::default()
    })
}

fn scope(allowed: &[&str]) -> Scope {
    Scope {
        tenant: "main".into(),
        plugin: "test".into(),
        connection: "con_test".into(),
        allowed: allowed.iter().map(|pattern| Allowed::fill(pattern, &[], |_| None).unwrap()).collect(),
        granted_by_hand: vec![],
        credentials: vec![],
        secrets: HashMap::new(),
        idempotency_header: None,
        pacing: vec![],
        dry_run: false,
        recorder: None,
    }
}

/// As for a simulated shop: the operator granted exactly this loopback origin.
fn local(origin: &str) -> Scope {
    let mut scope = scope(&[origin]);
    scope.granted_by_hand.push(Origin::parse(origin).unwrap());
    scope
}

fn get(url: &str) -> Request {
    Request { method: "GET".into(), url: url.into(), ..Request::default() }
}

fn post(url: &str, body: &str) -> Request {
    Request { method: "POST".into(), url: url.into(), body: body.into(), mutating: true, ..Request::default() }
}

impl Rig {
    async fn send(&self, scope: &Scope, request: Request) -> Result<Response, Error> {
        self.egress.send(scope, request, Duration::from_secs(3)).await
    }
}

/// A server that does with each connection what the test says, and keeps what it read.
struct Server {
    origin: String,
    connects: Arc<AtomicUsize>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn new<F>(answer: impl Fn(usize, TcpStream, Arc<Mutex<Vec<String>>>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let connects = Arc::new(AtomicUsize::new(0));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (counter, log) = (Arc::clone(&connects), Arc::clone(&heard));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let n = counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(answer(n, stream, Arc::clone(&log)));
            }
        });
        Self { origin, connects, heard }
    }

    /// Answers the n-th connection with the n-th text (the last one again and again), after reading its request.
    async fn scripted(answers: Vec<Vec<u8>>) -> Self {
        let answers = Arc::new(answers);
        Self::new(move |n, mut stream, heard| {
            let answers = Arc::clone(&answers);
            async move {
                let request = read_request(&mut stream).await;
                heard.lock().unwrap().push(request);
                let _ = stream.write_all(&answers[n.min(answers.len() - 1)]).await;
                let _ = stream.shutdown().await;
            }
        })
        .await
    }

    fn connects(&self) -> usize {
        self.connects.load(Ordering::SeqCst)
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

fn ok(headers: &str, body: &[u8]) -> Vec<u8> {
    status("200 OK", headers, body)
}

fn status(line: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 {line}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n", body.len()).into_bytes();
    out.extend_from_slice(body);
    out
}

/// Head and body of one request, as text.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let mut piece = [0u8; 4096];
    loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |text| text.trim().parse::<usize>().unwrap());
            if read.len() >= end + 4 + length {
                break;
            }
        }
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => break,
            Ok(n) => read.extend_from_slice(&piece[..n]),
        }
    }
    String::from_utf8_lossy(&read).into_owned()
}
