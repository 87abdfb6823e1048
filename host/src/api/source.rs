//! Where a request came from, and how many refused deliveries one source may send.
//!
//! The peer's address is the source, unless the peer is a proxy that the operator trusts (or this machine): then it is the last
//! address in `X-Forwarded-For` that no trusted proxy has. A trusted peer that names nobody says nothing, and nothing is held
//! against it: everybody behind it would pay for one.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap};

use crate::config::Network;

/// Deliveries with a signature that does not hold, from one source in one window, after which more are not even looked at.
pub const REFUSED_AT_MOST: u32 = 60;
pub const WINDOW_MS: i64 = 60_000;
/// Sources remembered; a flood from more begins the count anew rather than fill the memory.
const SOURCES: usize = 10_000;

pub fn of(extensions: &Extensions, headers: &HeaderMap, proxies: &[Network]) -> Option<IpAddr> {
    let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
    forwarded(peer.ip().to_canonical(), headers, proxies)
}

fn forwarded(peer: IpAddr, headers: &HeaderMap, proxies: &[Network]) -> Option<IpAddr> {
    let trusted = |address: &IpAddr| address.is_loopback() || proxies.iter().any(|network| network.contains(*address));
    if !trusted(&peer) {
        return Some(peer);
    }
    let lines = headers.get_all("x-forwarded-for").into_iter().filter_map(|value| value.to_str().ok());
    let named: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    // Only the end of the list was written by somebody we trust.
    let first_stranger = named.iter().rev().map(|text| text.parse::<IpAddr>().ok().map(|ip| ip.to_canonical()));
    first_stranger.take_while(Option::is_some).flatten().find(|address| !trusted(address))
}

/// Counts refused deliveries by source.
#[derive(Default)]
pub struct Refusals(Mutex<HashMap<IpAddr, (i64, u32)>>);

impl Refusals {
    pub fn note(&self, source: Option<IpAddr>, now_ms: i64) {
        let Some(source) = source else { return };
        let mut counts = self.counts();
        if counts.len() >= SOURCES {
            counts.clear();
        }
        let count = counts.entry(source).or_insert((now_ms, 0));
        if now_ms.saturating_sub(count.0) >= WINDOW_MS {
            *count = (now_ms, 0);
        }
        count.1 = count.1.saturating_add(1);
    }

    /// Milliseconds until the source may send again, if it sent too much.
    pub fn wait_ms(&self, source: Option<IpAddr>, now_ms: i64) -> Option<i64> {
        let counts = self.counts();
        let (since, count) = counts.get(&source?)?;
        let left = WINDOW_MS - now_ms.saturating_sub(*since);
        (*count >= REFUSED_AT_MOST && left > 0).then_some(left)
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, (i64, u32)>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn source(peer: &str, forwarded_for: &[&str], proxies: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in forwarded_for {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        let proxies: Vec<Network> = proxies.iter().map(|text| Network::parse(text).unwrap()).collect();
        forwarded(peer.parse().unwrap(), &headers, &proxies).map(|ip| ip.to_string())
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_about_who_sent_something() {
        assert_eq!(source("203.0.113.9", &["198.51.100.1"], &[]).as_deref(), Some("203.0.113.9"), "a stranger names somebody else");
        assert_eq!(source("10.0.0.2", &["198.51.100.1"], &[]).as_deref(), Some("10.0.0.2"), "not configured as a proxy");
        assert_eq!(source("10.0.0.2", &["198.51.100.1"], &["10.0.0.0/8"]).as_deref(), Some("198.51.100.1"));
        assert_eq!(source("127.0.0.1", &["198.51.100.1"], &[]).as_deref(), Some("198.51.100.1"), "this machine always is");
        // What the sender itself wrote stands in front of what the proxies wrote.
        assert_eq!(source("10.0.0.2", &["1.1.1.1, 198.51.100.1", "10.0.0.3"], &["10.0.0.0/8"]).as_deref(), Some("198.51.100.1"));
        assert_eq!(source("10.0.0.2", &["1.1.1.1, nonsense"], &["10.0.0.0/8"]), None);
        assert_eq!(source("127.0.0.1", &[], &[]), None, "nobody is named, so nobody is blamed");
    }

    #[test]
    fn a_source_that_sends_only_refused_deliveries_waits_and_others_do_not() {
        let (refusals, bad, good) = (Refusals::default(), "203.0.113.9".parse().ok(), "203.0.113.10".parse().ok());
        for _ in 0..REFUSED_AT_MOST {
            assert_eq!(refusals.wait_ms(bad, 1_000), None);
            refusals.note(bad, 1_000);
        }
        assert_eq!(refusals.wait_ms(bad, 11_000), Some(WINDOW_MS - 10_000));
        assert_eq!(refusals.wait_ms(good, 11_000), None);
        assert_eq!(refusals.wait_ms(bad, 1_000 + WINDOW_MS), None, "the window ended");
        for _ in 0..2 * REFUSED_AT_MOST {
            refusals.note(None, 1_000);
        }
        assert_eq!(refusals.wait_ms(None, 1_000), None);
    }
}
