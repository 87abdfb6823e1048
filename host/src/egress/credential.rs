//! Credentials: how the value of a secret enters a request that only names it, and how it is kept out of everything else.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use url::Url;
use zeroize::Zeroizing;

use super::Error;
use crate::hex::hex;
use crate::secrets::Secret;

/// One entry of the manifest's `credentials`. Texts named `username`, `password`, `secret`, `client-id` and `client-secret`
/// are names of secrets, never values. `hosts` are patterns like those of the allow-list; empty means all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Credential {
    Basic {
        name: String,
        #[serde(default)]
        hosts: Vec<String>,
        username: String,
        #[serde(default)]
        password: Option<String>,
    },
    Bearer {
        name: String,
        #[serde(default)]
        hosts: Vec<String>,
        secret: String,
    },
    Header {
        name: String,
        #[serde(default)]
        hosts: Vec<String>,
        header: String,
        #[serde(default)]
        prefix: String,
        secret: String,
    },
    Query {
        name: String,
        #[serde(default)]
        hosts: Vec<String>,
        parameter: String,
        secret: String,
    },
    JsonBody {
        name: String,
        #[serde(default)]
        hosts: Vec<String>,
        /// JSON pointer through objects; what is missing on the way is made.
        pointer: String,
        secret: String,
    },
    ClientCredentials {
        name: String,
        #[serde(default)]
        hosts: Vec<String>,
        /// May have holes like a host.
        token_url: String,
        client_id: String,
        client_secret: String,
        #[serde(default)]
        scope: Option<String>,
        #[serde(default = "authorization")]
        header: String,
        #[serde(default = "bearer")]
        prefix: String,
    },
}

fn authorization() -> String {
    "authorization".into()
}

fn bearer() -> String {
    "Bearer ".into()
}

impl Credential {
    pub fn name(&self) -> &str {
        match self {
            Self::Basic { name, .. }
            | Self::Bearer { name, .. }
            | Self::Header { name, .. }
            | Self::Query { name, .. }
            | Self::JsonBody { name, .. }
            | Self::ClientCredentials { name, .. } => name,
        }
    }

    pub fn hosts(&self) -> &[String] {
        match self {
            Self::Basic { hosts, .. }
            | Self::Bearer { hosts, .. }
            | Self::Header { hosts, .. }
            | Self::Query { hosts, .. }
            | Self::JsonBody { hosts, .. }
            | Self::ClientCredentials { hosts, .. } => hosts,
        }
    }

    /// Names of the secrets it is made of.
    pub fn secrets(&self) -> Vec<&str> {
        match self {
            Self::Basic { username, password, .. } => std::iter::once(username.as_str()).chain(password.as_deref()).collect(),
            Self::Bearer { secret, .. } | Self::Header { secret, .. } | Self::Query { secret, .. } | Self::JsonBody { secret, .. } => {
                vec![secret]
            }
            Self::ClientCredentials { client_id, client_secret, .. } => vec![client_id, client_secret],
        }
    }

    /// The header it sets, which the guest must leave alone.
    pub(super) fn header(&self) -> Option<&str> {
        match self {
            Self::Basic { .. } | Self::Bearer { .. } => Some("authorization"),
            Self::Header { header, .. } | Self::ClientCredentials { header, .. } => Some(header),
            Self::Query { .. } | Self::JsonBody { .. } => None,
        }
    }

    /// Adds the value to the request. `token` is the current one where the strategy works with tokens.
    pub(super) fn inject(&self, request: &mut Wire, secrets: &HashMap<String, Secret>, token: Option<&Secret>) -> Result<(), Error> {
        match self {
            Self::Basic { username, password, .. } => {
                let mut pair = Zeroizing::new(get(secrets, username)?.to_owned());
                pair.push(':');
                if let Some(password) = password {
                    pair.push_str(get(secrets, password)?);
                }
                let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
                set_header(&mut request.headers, AUTHORIZATION, "Basic ", &encoded, username)
            }
            Self::Bearer { secret, .. } => set_header(&mut request.headers, AUTHORIZATION, "Bearer ", get(secrets, secret)?, secret),
            Self::Header { header, prefix, secret, .. } => {
                set_header(&mut request.headers, header_name(header)?, prefix, get(secrets, secret)?, secret)
            }
            Self::ClientCredentials { name, header, prefix, .. } => {
                let token = token
                    .and_then(Secret::expose_text)
                    .ok_or_else(|| Error::Auth(format!("there is no token for the credential `{name}`")))?;
                set_header(&mut request.headers, header_name(header)?, prefix, token, name)
            }
            Self::Query { parameter, secret, .. } => {
                request.url.query_pairs_mut().append_pair(parameter, get(secrets, secret)?);
                Ok(())
            }
            Self::JsonBody { pointer, secret, .. } => {
                let value = get(secrets, secret)?;
                request.body = set_in_json(&request.body, pointer, value).ok_or_else(|| {
                    Error::Denied(format!(
                        "the credential `{}` belongs at {pointer} of a JSON body, but the body is no object there",
                        self.name()
                    ))
                })?;
                Ok(())
            }
        }
    }
}

/// A request on its way out, values of credentials included.
#[derive(Clone)]
pub(super) struct Wire {
    pub method: reqwest::Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

pub(super) fn get<'a>(secrets: &'a HashMap<String, Secret>, name: &str) -> Result<&'a str, Error> {
    let secret = secrets.get(name).filter(|secret| !secret.is_empty());
    let secret = secret
        .ok_or_else(|| Error::Config(format!("the secret `{name}` is not set; hint: entrepot connection secret CONNECTION {name}")))?;
    secret.expose_text().ok_or_else(|| Error::Config(format!("the secret `{name}` is not text; hint: enter it again")))
}

fn header_name(name: &str) -> Result<HeaderName, Error> {
    HeaderName::try_from(name)
        .map_err(|_| Error::Config(format!("`{name}` is not the name of a header; hint: the plugin's manifest is wrong")))
}

fn set_header(headers: &mut HeaderMap, header: HeaderName, prefix: &str, value: &str, secret: &str) -> Result<(), Error> {
    let text = Zeroizing::new(format!("{prefix}{value}"));
    let mut value = HeaderValue::from_str(&text)
        .map_err(|_| Error::Config(format!("the secret `{secret}` has characters that no header may have; hint: enter it again")))?;
    value.set_sensitive(true);
    headers.insert(header, value);
    Ok(())
}

/// Sets a text at a pointer and leaves every other value as it was written, numbers to the last digit.
fn set_in_json(body: &[u8], pointer: &str, value: &str) -> Option<Vec<u8>> {
    fn set(object: &RawValue, keys: &[String], value: &str) -> Option<Box<RawValue>> {
        let (key, below) = keys.split_first()?;
        let mut fields: std::collections::BTreeMap<String, Box<RawValue>> = serde_json::from_str(object.get()).ok()?;
        let new = if below.is_empty() {
            serde_json::value::to_raw_value(value).ok()?
        } else {
            let empty = RawValue::from_string("{}".into()).ok()?;
            set(fields.get(key).unwrap_or(&empty), below, value)?
        };
        fields.insert(key.clone(), new);
        serde_json::value::to_raw_value(&fields).ok()
    }
    let keys: Vec<String> = pointer.strip_prefix('/')?.split('/').map(|key| key.replace("~1", "/").replace("~0", "~")).collect();
    let body: Box<RawValue> = serde_json::from_slice(body).ok()?;
    set(&body, &keys, value).map(|whole| whole.get().as_bytes().to_vec())
}

/// Every way in which a connection's secrets could be written, to find them where they must not be.
pub struct Needles(Vec<Zeroizing<Vec<u8>>>);

/// A shorter secret would be found in innocent texts.
const SHORTEST: usize = 8;

impl Needles {
    pub fn of<'a>(secrets: impl Iterator<Item = &'a Secret>) -> Self {
        let mut forms: Vec<Zeroizing<Vec<u8>>> = Vec::new();
        for secret in secrets.filter(|secret| secret.expose().len() >= SHORTEST) {
            let value = secret.expose();
            let mut add = |form: Vec<u8>| {
                if form.len() >= SHORTEST && !forms.iter().any(|known| known.as_slice() == form) {
                    forms.push(form.into());
                }
            };
            add(value.to_vec());
            add(percent_encoding::percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string().into_bytes());
            add(url::form_urlencoded::byte_serialize(value).collect::<String>().into_bytes());
            add(hex(value).into_bytes());
            // Inside a longer text, base64 looks different at each of three offsets.
            for offset in 0..3usize {
                let shifted = Zeroizing::new([&[0u8; 2][..offset], value].concat());
                let (start, end) = ((offset * 8).div_ceil(6), (offset + value.len()) * 8 / 6);
                for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
                    let text = Zeroizing::new(engine.encode(shifted.as_slice()));
                    add(text.as_bytes().get(start..end).unwrap_or_default().to_vec());
                }
            }
        }
        // Longest first, so that a secret which contains another one goes whole.
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        Self(forms)
    }

    pub fn are_in(&self, bytes: &[u8]) -> bool {
        self.0.iter().any(|form| memmem::find(bytes, form).is_some())
    }

    /// The same bytes without the secrets.
    pub fn scrub(&self, bytes: Vec<u8>) -> Vec<u8> {
        if !self.are_in(&bytes) {
            return bytes;
        }
        let mut out = bytes;
        for form in &self.0 {
            let mut clean = Vec::with_capacity(out.len());
            let mut from = 0;
            for at in memmem::find_iter(&out, form.as_slice()) {
                clean.extend_from_slice(&out[from..at]);
                clean.extend_from_slice(b"[removed]");
                from = at + form.len();
            }
            clean.extend_from_slice(&out[from..]);
            out = clean;
        }
        out
    }

    pub fn scrub_text(&self, text: String) -> String {
        String::from_utf8_lossy(&self.scrub(text.into_bytes())).into_owned()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn wire(body: &str) -> Wire {
        Wire {
            method: reqwest::Method::POST,
            url: Url::parse("https://a.example/x?y=1").unwrap(),
            headers: HeaderMap::new(),
            body: body.into(),
        }
    }

    fn inject(spec: serde_json::Value, body: &str) -> Result<Wire, Error> {
        let credential: Credential = serde_json::from_value(spec).unwrap();
        let secrets = HashMap::from([("user".to_owned(), Secret::from_text("ck_1")), ("pass".to_owned(), Secret::from_text("cs \"2\""))]);
        let mut wire = wire(body);
        credential.inject(&mut wire, &secrets, Some(&Secret::from_text("tok"))).map(|()| wire)
    }

    #[test]
    fn each_strategy_puts_the_value_where_it_belongs() {
        let basic = inject(json!({"name": "a", "kind": "basic", "username": "user", "password": "pass"}), "").unwrap();
        assert_eq!(basic.headers["authorization"], format!("Basic {}", STANDARD.encode("ck_1:cs \"2\"")));
        assert!(basic.headers["authorization"].is_sensitive());
        assert_eq!(inject(json!({"name": "a", "kind": "bearer", "secret": "user"}), "").unwrap().headers["authorization"], "Bearer ck_1");
        let header = inject(json!({"name": "a", "kind": "header", "header": "X-Api-Key", "prefix": "k=", "secret": "user"}), "").unwrap();
        assert_eq!(header.headers["x-api-key"], "k=ck_1");
        let query = inject(json!({"name": "a", "kind": "query", "parameter": "key", "secret": "pass"}), "").unwrap();
        assert_eq!(query.url.as_str(), "https://a.example/x?y=1&key=cs+%222%22");
        let token = inject(json!({"name": "a", "kind": "client-credentials", "token-url": "u", "client-id": "user", "client-secret": "pass", "header": "x-shopify-access-token", "prefix": ""}), "").unwrap();
        assert_eq!(token.headers["x-shopify-access-token"], "tok");
    }

    #[test]
    fn a_json_body_keeps_every_other_digit() {
        let spec = json!({"name": "a", "kind": "json-body", "pointer": "/hook/secret", "secret": "pass"});
        let out = inject(spec.clone(), r#"{"price": 19.90, "big": 123456789012345678901234567890, "hook": {"topic": "x"}}"#).unwrap();
        let text = String::from_utf8(out.body).unwrap();
        assert!(text.contains("19.90") && text.contains("123456789012345678901234567890"), "{text}");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["hook"], json!({"topic": "x", "secret": "cs \"2\""}));
        assert!(inject(spec.clone(), "{}").is_ok());
        for bad in ["", "[]", "{\"hook\": 1}", "nonsense"] {
            assert!(matches!(inject(spec.clone(), bad), Err(Error::Denied(_))), "{bad}");
        }
    }

    #[test]
    fn a_missing_secret_is_asked_for_by_name() {
        let error = inject(json!({"name": "a", "kind": "bearer", "secret": "absent"}), "").err().unwrap();
        assert!(matches!(&error, Error::Config(text) if text.contains("`absent`")), "{error}");
    }

    #[test]
    fn a_secret_is_found_and_removed_in_every_writing() {
        let secret = Secret::from_text("cs_topsecret+/&value");
        let needles = Needles::of([&secret, &Secret::from_text("short")].into_iter());
        let plain = "cs_topsecret+/&value";
        let mut hidden = vec![
            format!("x{plain}y"),
            "a=cs%5Ftopsecret%2B%2F%26value".into(),
            "a=cs_topsecret%2B%2F%26value".into(),
            plain.bytes().map(|byte| format!("{byte:02x}")).collect(),
        ];
        for before in ["", "u:", "user:", "longer user:"] {
            hidden.push(STANDARD.encode(format!("{before}{plain}")));
            hidden.push(URL_SAFE_NO_PAD.encode(format!("{before}{plain}:after")));
        }
        for text in hidden {
            assert!(needles.are_in(text.as_bytes()), "{text}");
            assert!(!needles.are_in(&needles.scrub(text.clone().into_bytes())), "{text}");
        }
        assert!(!needles.are_in(b"short and innocent"));
        assert_eq!(needles.scrub_text(format!("{plain}, {plain}!")), "[removed], [removed]!");
    }
}
