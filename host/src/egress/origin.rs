//! Where a connection may send requests: origins from the manifest with the merchant's settings filled in.
//!
//! `https://api.example.com`, `https://*.example.com` (one label), `{origin}` (a whole origin from a setting) or
//! `https://{shop}.example.com` (one label from a setting); optionally only below some paths.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

/// Scheme, host and port, as a browser compares them.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Origin {
    pub scheme: String,
    pub host: Host<String>,
    pub port: u16,
}

/// Why a text is not an origin or a pattern; shown to whoever wrote it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Malformed {
    #[error("`{0}` is not an origin; hint: write it like https://shop.example.com, without a path")]
    Origin(String),
    #[error(
        "`{0}` is no pattern of hosts; hint: https://api.example.com, https://*.example.com, https://{{setting}}.example.com or {{setting}}"
    )]
    Pattern(String),
    #[error("the setting `{0}` is needed to know the host, but is not given")]
    Unfilled(String),
    #[error("the setting `{name}` is `{value}`, which is no single part of a host name; hint: only letters, digits and hyphens")]
    Label { name: String, value: String },
}

impl Origin {
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let malformed = || Malformed::Origin(text.to_owned());
        let url = Url::parse(text).map_err(|_| malformed())?;
        let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        if !bare || !url.username().is_empty() || url.password().is_some() {
            return Err(malformed());
        }
        Self::of(&url).ok_or_else(malformed)
    }

    /// `None` for addresses that are not http or https.
    pub fn of(url: &Url) -> Option<Self> {
        if !matches!(url.scheme(), "http" | "https") {
            return None;
        }
        let host = url.host()?.to_owned();
        Some(Self { scheme: url.scheme().to_owned(), host, port: url.port_or_known_default()? })
    }

    pub fn is_https(&self) -> bool {
        self.scheme == "https"
    }

    /// The host, when it is written as an address; such a host never meets a resolver.
    pub fn address(&self) -> Option<IpAddr> {
        match &self.host {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(IpAddr::V4(*address)),
            Host::Ipv6(address) => Some(IpAddr::V6(*address)),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        match (self.scheme.as_str(), self.port) {
            ("https", 443) | ("http", 80) => Ok(()),
            (_, port) => write!(f, ":{port}"),
        }
    }
}

/// One entry of the allow-list, its holes filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    scheme: String,
    host: HostPattern,
    port: u16,
    /// The manifest itself names the port, so whoever installed the plugin saw it.
    port_named: bool,
    /// Prefixes; empty means every path.
    paths: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HostPattern {
    Exact(Host<String>),
    /// One label and this tail (`.example.com`).
    Below(String),
}

impl Allowed {
    /// Reads an entry of the manifest's `hosts`; `setting` gives the merchant's value for a hole.
    pub fn fill(pattern: &str, paths: &[String], setting: impl Fn(&str) -> Option<String>) -> Result<Self, Malformed> {
        let value_of = |name: &str| setting(name).filter(|value| !value.is_empty()).ok_or_else(|| Malformed::Unfilled(name.to_owned()));
        let whole_hole = pattern.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).filter(|name| !name.contains(['{', '}']));
        if let Some(name) = whole_hole {
            let origin = Origin::parse(&value_of(name)?)?;
            return Ok(Self {
                scheme: origin.scheme,
                host: HostPattern::Exact(origin.host),
                port: origin.port,
                port_named: false,
                paths: paths.to_vec(),
            });
        }
        let malformed = || Malformed::Pattern(pattern.to_owned());
        let mut filled = String::new();
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, tail) = after.split_once('}').ok_or_else(malformed)?;
            let value = value_of(name)?;
            if !is_label(&value) {
                return Err(Malformed::Label { name: name.to_owned(), value });
            }
            filled.push_str(before);
            filled.push_str(&value);
            rest = tail;
        }
        filled.push_str(rest);
        let (scheme, authority) = filled.split_once("://").ok_or_else(malformed)?;
        let below = authority.strip_prefix("*.");
        if below.unwrap_or(authority).contains('*') {
            return Err(malformed());
        }
        // Checked as an origin of its own; the star stands for one more label.
        let origin = Origin::parse(&format!("{scheme}://{}", below.unwrap_or(authority))).map_err(|_| malformed())?;
        let host = match (below, origin.host) {
            (None, host) => HostPattern::Exact(host),
            (Some(_), Host::Domain(domain)) if domain.contains('.') => HostPattern::Below(format!(".{domain}")),
            _ => return Err(malformed()),
        };
        Ok(Self { scheme: origin.scheme, host, port: origin.port, port_named: authority.contains(':'), paths: paths.to_vec() })
    }

    pub fn matches_origin(&self, origin: &Origin) -> bool {
        self.scheme == origin.scheme
            && self.port == origin.port
            && match (&self.host, &origin.host) {
                (HostPattern::Exact(allowed), host) => allowed == host,
                (HostPattern::Below(tail), Host::Domain(host)) => host.strip_suffix(tail.as_str()).is_some_and(is_label),
                _ => false,
            }
    }

    /// `path` as the URL library writes it: dot segments are gone.
    pub fn matches_path(&self, path: &str) -> bool {
        self.paths.is_empty() || (!hides_a_climb(path) && self.paths.iter().any(|prefix| is_below(path, prefix)))
    }

    pub fn names_port(&self) -> bool {
        self.port_named
    }
}

fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || prefix.ends_with('/') || rest.starts_with('/'))
}

/// Some servers decode `%2f` and walk up from there, out of the prefix that was granted.
fn hides_a_climb(path: &str) -> bool {
    let mut text = path.as_bytes().to_vec();
    for _ in 0..3 {
        if text.split(|byte| matches!(byte, b'/' | b'\\')).any(|segment| segment == b"..") || text.contains(&b'\\') {
            return true;
        }
        text = percent_encoding::percent_decode(&text).collect();
    }
    text.split(|byte| matches!(byte, b'/' | b'\\')).any(|segment| segment == b"..")
}

fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn fill(pattern: &str, paths: &[&str]) -> Result<Allowed, Malformed> {
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        Allowed::fill(pattern, &paths, |name| match name {
            "origin" => Some("https://shop.example:8443".into()),
            "shop" => Some("my-shop".into()),
            "evil" => Some("evil.example/".into()),
            _ => None,
        })
    }

    fn admits(allowed: &Allowed, url: &str) -> bool {
        let url = Url::parse(url).unwrap();
        allowed.matches_origin(&Origin::of(&url).unwrap()) && allowed.matches_path(url.path())
    }

    #[test]
    fn an_entry_admits_its_own_origin_and_no_neighbour() {
        let exact = fill("https://api.example.com", &[]).unwrap();
        assert!(admits(&exact, "https://API.example.com:443/x"));
        for other in [
            "http://api.example.com/",
            "https://api.example.com:8443/",
            "https://api.example.com.evil.example/",
            "https://xapi.example.com/",
            "https://example.com/",
            "https://api.example.com./",
        ] {
            assert!(!admits(&exact, other), "{other}");
        }
        let hole = fill("{origin}", &[]).unwrap();
        assert!(admits(&hole, "https://shop.example:8443/a") && !admits(&hole, "https://shop.example/a"));
        assert!(admits(&fill("https://{shop}.example.com", &[]).unwrap(), "https://my-shop.example.com/"));
    }

    #[test]
    fn a_star_stands_for_one_label() {
        let star = fill("https://*.example.com", &[]).unwrap();
        assert!(admits(&star, "https://a.example.com/"));
        for other in ["https://example.com/", "https://a.b.example.com/", "https://aexample.com/", "https://-.example.com/"] {
            assert!(!admits(&star, other), "{other}");
        }
        for bad in [
            "https://*.com",
            "https://a.*.example.com",
            "https://*",
            "*.example.com",
            "https://*example.com",
            "https://{shop",
            "ftp://example.com",
            "https://example.com/path",
            "https://u:p@example.com",
        ] {
            assert!(fill(bad, &[]).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_setting_cannot_smuggle_a_host() {
        assert!(matches!(fill("https://{evil}.example.com", &[]), Err(Malformed::Label { .. })));
        assert_eq!(fill("https://{none}.example.com", &[]), Err(Malformed::Unfilled("none".into())));
    }

    #[test]
    fn a_path_prefix_ends_at_a_segment_and_cannot_be_climbed_out_of() {
        let api = fill("https://a.example", &["/api", "/wp-json/"]).unwrap();
        for good in ["https://a.example/api", "https://a.example/api/x", "https://a.example/wp-json/wc/v3?x=/../"] {
            assert!(admits(&api, good), "{good}");
        }
        for bad in [
            "/apix",
            "/",
            "/wp-json",
            "/api/../admin",
            "/api/%2e%2e/admin",
            "/api/..%2fadmin",
            "/api/%2e%2e%2fadmin",
            "/api/..%252fadmin",
            "/api/..%5cadmin",
            "/api/%252e%252e/x",
        ] {
            assert!(!admits(&api, &format!("https://a.example{bad}")), "{bad}");
        }
    }
}
