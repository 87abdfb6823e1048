//! Origins with holes: `https://{shop}.example.com`, `{origin}`, `https://*.cdn.example`.
//!
//! A hole that is a whole origin takes `scheme://host[:port]` from the settings; any other hole stands for host labels and
//! takes letters, digits and hyphens only, so that a setting cannot move the request to another host.

use std::fmt;

use serde_json::Value;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    Https,
    Http,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// Lower case, IDNA; a literal address in its canonical text (IPv6 in brackets).
    Exact(String),
    /// One or more labels in front of this suffix, which begins with a dot.
    Below(String),
}

/// A place requests may go, holes filled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    pub scheme: Scheme,
    pub host: HostPattern,
    pub port: u16,
}

impl Origin {
    /// Reads `scheme://host[:port]`, nothing else.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = if let Some(rest) = text.strip_prefix("https://") {
            (Scheme::Https, rest)
        } else if let Some(rest) = text.strip_prefix("http://") {
            (Scheme::Http, rest)
        } else {
            return Err(format!("`{text}` does not begin with https://"));
        };
        let (wild, rest) = match rest.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        if rest.contains('*') {
            return Err(format!("`{text}`: a wildcard may only be the left-most label, as in https://*.example.com"));
        }
        let word = if scheme == Scheme::Https { "https" } else { "http" };
        let url = url::Url::parse(&format!("{word}://{rest}")).map_err(|error| format!("`{text}` is not an origin: {error}"))?;
        let bare = !rest.ends_with('/') && url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !bare || !url.username().is_empty() || url.password().is_some() || rest.contains('@') {
            return Err(format!("`{text}` is more than an origin; write scheme://host[:port] without a path"));
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| format!("`{text}` has no host"))?.to_owned();
        let port = url.port_or_known_default().unwrap_or(if scheme == Scheme::Https { 443 } else { 80 });
        let host = if wild {
            if host.split('.').filter(|label| !label.is_empty()).count() < 2
                || matches!(url.host(), Some(url::Host::Ipv4(_) | url::Host::Ipv6(_)))
            {
                return Err(format!("`{text}`: a wildcard needs at least two labels after it"));
            }
            HostPattern::Below(format!(".{host}"))
        } else {
            HostPattern::Exact(host)
        };
        Ok(Self { scheme, host, port })
    }

    /// Whether `url` goes there.
    pub fn matches(&self, url: &url::Url) -> bool {
        let scheme = match url.scheme() {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            _ => return false,
        };
        let Some(host) = url.host_str() else { return false };
        scheme == self.scheme
            && url.port_or_known_default() == Some(self.port)
            && match &self.host {
                HostPattern::Exact(exact) => exact == host,
                HostPattern::Below(suffix) => host.strip_suffix(suffix.as_str()).is_some_and(|labels| !labels.is_empty()),
            }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual) = match self.scheme {
            Scheme::Https => ("https", 443),
            Scheme::Http => ("http", 80),
        };
        match &self.host {
            HostPattern::Exact(host) => write!(f, "{scheme}://{host}")?,
            HostPattern::Below(suffix) => write!(f, "{scheme}://*{suffix}")?,
        }
        if self.port == usual { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

/// The names of the holes in `pattern`, or what is wrong with its braces.
pub(super) fn holes(pattern: &str) -> Result<Vec<&str>, String> {
    let mut names = Vec::new();
    let mut rest = pattern;
    while let Some(open) = rest.find(['{', '}']) {
        let inside = rest[open..].strip_prefix('{').and_then(|after| after.split_once('}'));
        let Some((name, after)) = inside.filter(|(name, _)| is_setting_name(name)) else {
            return Err(format!("`{pattern}`: a hole is `{{name-of-a-setting}}`"));
        };
        names.push(name);
        rest = after;
    }
    Ok(names)
}

fn is_setting_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Splits `{origin}/path` or `https://host/path` before the path.
pub(super) fn split_url(pattern: &str) -> (&str, &str) {
    let start = pattern.find("://").map_or(0, |at| at + 3);
    match pattern[start..].find('/') {
        Some(at) => pattern.split_at(start + at),
        None => (pattern, "/"),
    }
}

/// Checks a pattern without settings: holes replaced by a harmless label.
pub(super) fn check(pattern: &str) -> Result<(), String> {
    let names = holes(pattern)?;
    if is_whole_hole(pattern) {
        return Ok(());
    }
    let mut sample = pattern.to_owned();
    for name in names {
        sample = sample.replace(&format!("{{{name}}}"), "x");
    }
    Origin::parse(&sample).map(|_| ())
}

fn is_whole_hole(pattern: &str) -> bool {
    pattern.starts_with('{') && pattern.find('}') == Some(pattern.len() - 1)
}

pub(super) fn fill(pattern: &str, settings: &Value) -> Result<Origin, String> {
    let names = holes(pattern)?;
    let value_of = |name: &str| {
        settings.get(name).and_then(Value::as_str).ok_or_else(|| format!("the setting `{name}` is missing; `{pattern}` needs it"))
    };
    if is_whole_hole(pattern) {
        let value = value_of(names[0])?;
        return Origin::parse(value).map_err(|problem| format!("the setting `{}`: {problem}", names[0])).and_then(|origin| {
            match origin.host {
                HostPattern::Exact(_) => Ok(origin),
                HostPattern::Below(_) => Err(format!("the setting `{}`: `{value}` must be one host, without a wildcard", names[0])),
            }
        });
    }
    let mut filled = pattern.to_owned();
    for name in names {
        let value = value_of(name)?;
        let is_label = (1..=63).contains(&value.len())
            && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !value.starts_with('-')
            && !value.ends_with('-');
        if !is_label {
            return Err(format!("the setting `{name}` is `{value}`; only letters, digits and hyphens may stand in `{pattern}`"));
        }
        filled = filled.replace(&format!("{{{name}}}"), value);
    }
    Origin::parse(&filled)
}
