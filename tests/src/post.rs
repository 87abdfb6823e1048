//! Posts to a hub's doors, byte for byte as a story wants them: wrong, doubled and missing headers included.

use std::net::SocketAddr;

use entrepot_simulators::signature;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::shop::{Kind, Shop};

pub struct Post {
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// What the shop signs its webhooks with.
pub fn secret(shop: &Shop) -> String {
    match shop {
        Shop::Woo(shop) => shop.webhooks().into_iter().map(|hook| hook.secret).next().unwrap(),
        Shop::Shopify(shop) => shop.client_secret().to_owned(),
    }
}

pub fn signature_header(kind: Kind) -> &'static str {
    match kind {
        Kind::Woo => "x-wc-webhook-signature",
        Kind::Shopify => "x-shopify-hmac-sha256",
    }
}

pub fn topic_header(kind: Kind) -> &'static str {
    match kind {
        Kind::Woo => "x-wc-webhook-topic",
        Kind::Shopify => "x-shopify-topic",
    }
}

impl Post {
    pub fn to(path: &str) -> Self {
        Self { path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn headers<N: AsRef<str>>(self, headers: impl IntoIterator<Item = (N, String)>) -> Self {
        headers.into_iter().fold(self, |post, (name, value)| post.header(name.as_ref(), &value))
    }

    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self
    }

    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// This body with the signature that belongs to it, in place of any other.
    #[must_use]
    pub fn signed(self, kind: Kind, secret: &str, body: &str) -> Self {
        let name = signature_header(kind);
        self.without(name).header(name, &signature(secret, body.as_bytes())).body(body)
    }

    /// Returns the status.
    pub async fn send(&self, hub: SocketAddr) -> u16 {
        self.try_send(hub).await.unwrap_or_else(|| panic!("no HTTP answer from {hub}"))
    }

    /// `None` where nobody answers.
    pub async fn try_send(&self, hub: SocketAddr) -> Option<u16> {
        self.exchange(hub).await?.split(' ').nth(1)?.parse().ok()
    }

    /// The whole answer as text.
    pub async fn exchange(&self, hub: SocketAddr) -> Option<String> {
        let mut head =
            format!("POST {} HTTP/1.1\r\nconnection: close\r\nhost: {hub}\r\ncontent-length: {}\r\n", self.path, self.body.len());
        for (name, value) in self.headers.iter().filter(|(name, _)| !matches!(name.as_str(), "host" | "content-length" | "connection")) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut stream = TcpStream::connect(hub).await.ok()?;
        stream.write_all(head.as_bytes()).await.ok()?;
        // A door that refuses early closes before it has read everything.
        let _ = stream.write_all(&self.body).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        Some(String::from_utf8_lossy(&answer).into_owned())
    }
}
