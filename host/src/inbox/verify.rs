//! Is a delivery from whom it says it is? Pure: raw bytes and headers in, yes or a reason out.
//!
//! The manifest declares the scheme; the host runs it before any plugin sees a byte. Every path computes the same
//! authentication codes over the whole body before it says no, so that the time taken does not tell why.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName};
use serde::{Deserialize, Serialize};
use subtle::{Choice, ConstantTimeEq};
use unicode_normalization::UnicodeNormalization;

use crate::secrets::Secret;

/// How many secrets of one name are accepted at once, so that a secret can be changed without losing a delivery.
pub const MAX_SECRETS: usize = 3;
/// Signatures looked at in one header that carries a list.
const MAX_SIGNATURES: usize = 8;
/// Minutes and hours of clock drift are the sender's to fix; five minutes are customary.
const DEFAULT_TOLERANCE_S: u32 = 300;

/// `webhooks.verify` of a manifest. There is no scheme that accepts without proof: an operator writes that per connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "scheme", rename_all = "kebab-case")]
pub enum Scheme {
    /// An authentication code in a header.
    Hmac(HmacScheme),
    /// The Standard Webhooks specification 1.0.0, symmetric signatures (`v1`).
    StandardWebhooks(StandardScheme),
    /// The plugin exports `webhook-verify`.
    Plugin(PluginScheme),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HmacScheme {
    pub algorithm: Algorithm,
    /// Carries the signature; exactly one is accepted.
    #[serde(with = "header_name")]
    pub header: HeaderName,
    /// The header is a list, `t=1795255200,v1=5f2c`: the signature is the value of this name. It may come more than once while
    /// the sender changes its secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    pub encoding: Encoding,
    /// Stands in front of the encoded signature, such as `sha256=`.
    #[serde(default)]
    pub prefix: String,
    #[serde(default)]
    pub signed: Signed,
    /// The secret's name in the manifest.
    pub secret: String,
    #[serde(default)]
    pub secret_form: SecretForm,
    /// Needed where the time is signed; allowed where it is only sent.
    #[serde(default)]
    pub timestamp: Option<Timestamp>,
    /// Header of the delivery's id, where it is signed.
    #[serde(default, with = "optional_header_name", skip_serializing_if = "Option::is_none")]
    pub id: Option<HeaderName>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StandardScheme {
    pub secret: String,
    #[serde(default = "default_tolerance")]
    pub tolerance_s: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PluginScheme {
    /// Secrets the verifier may ask the vault about.
    #[serde(default)]
    pub secrets: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    Sha1,
    Sha256,
    Sha512,
}

/// Strict: no white space, no missing or superfluous padding, no stray bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// Either case.
    Hex,
    /// `+` and `/`, padded.
    Base64,
    /// `-` and `_`, padded or not.
    Base64url,
}

/// Which bytes the code covers. `url` is the address the channel was told to call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signed {
    #[default]
    #[serde(rename = "body")]
    Body,
    #[serde(rename = "url-body")]
    UrlBody,
    #[serde(rename = "timestamp.body")]
    TimestampBody,
    #[serde(rename = "id.timestamp.body")]
    IdTimestampBody,
}

/// How the secret's text becomes the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretForm {
    /// Its bytes.
    #[default]
    Text,
    Hex,
    Base64,
    /// Its bytes after Unicode normalisation NFKD.
    Nfkd,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Timestamp {
    #[serde(with = "header_name")]
    pub header: HeaderName,
    /// The header is such a list: the time is the one value of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// How far it may be from now, both ways.
    #[serde(default = "default_tolerance")]
    pub tolerance_s: u32,
    #[serde(default)]
    pub unit: Unit,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    #[default]
    #[serde(rename = "s")]
    Seconds,
    #[serde(rename = "ms")]
    Milliseconds,
}

/// What arrived.
pub struct Delivery<'a> {
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
    /// The address the channel was told to call.
    pub url: &'a str,
    pub received_at_ms: i64,
}

/// Why a delivery is refused. Every one is a 401 without a body; the word goes into a counter and the connection's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("a header that the signature needs is missing")]
    Missing,
    #[error("a header that must be single came twice")]
    Doubled,
    #[error("the signature or its time is not written as the channel writes it")]
    Malformed,
    #[error("the signature is not made with a secret of this connection")]
    Mismatch,
    #[error("the signature is too old or from the future")]
    Stale,
    #[error("this connection has no usable webhook secret")]
    NoSecret,
    #[error("this scheme is verified by the plugin")]
    NotHere,
}

impl Refused {
    /// The counter's label.
    pub fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Doubled => "doubled",
            Self::Malformed => "malformed",
            Self::Mismatch => "mismatch",
            Self::Stale => "stale",
            Self::NoSecret => "no-secret",
            Self::NotHere => "not-here",
        }
    }
}

impl Scheme {
    /// Names of the secrets it needs.
    pub fn secrets(&self) -> Vec<&str> {
        match self {
            Self::Hmac(scheme) => vec![&scheme.secret],
            Self::StandardWebhooks(scheme) => vec![&scheme.secret],
            Self::Plugin(scheme) => scheme.secrets.iter().map(String::as_str).collect(),
        }
    }

    /// What is contradictory in a manifest's scheme, as a sentence for its author.
    pub fn check(&self) -> Result<(), &'static str> {
        let Self::Hmac(scheme) = self else { return Ok(()) };
        match scheme.signed {
            Signed::TimestampBody | Signed::IdTimestampBody if scheme.timestamp.is_none() => {
                Err("webhooks.verify signs a timestamp but names no `timestamp` header")
            }
            Signed::IdTimestampBody if scheme.id.is_none() => Err("webhooks.verify signs an id but names no `id` header"),
            _ => Ok(()),
        }
    }

    /// Accepts a delivery signed with any of the first [`MAX_SECRETS`] secrets.
    pub fn verify(&self, delivery: &Delivery<'_>, secrets: &[Secret]) -> Result<(), Refused> {
        match self {
            Self::Hmac(scheme) => scheme.verify(delivery, secrets),
            Self::StandardWebhooks(scheme) => scheme.verify(delivery, secrets),
            Self::Plugin(_) => Err(Refused::NotHere),
        }
    }
}

/// Spends the time a verification takes, for an address that does not exist.
pub fn decoy(body: &[u8]) {
    std::hint::black_box(Algorithm::Sha256.code(&[0; 32], &[body]));
}

impl HmacScheme {
    fn verify(&self, delivery: &Delivery<'_>, secrets: &[Secret]) -> Result<(), Refused> {
        let given = single(delivery.headers, &self.header).and_then(|text| self.codes(text));
        let time = self.timestamp.as_ref().map(|timestamp| timestamp.text(delivery.headers));
        let id = self.id.as_ref().map(|header| single(delivery.headers, header));
        let time_text = time.and_then(Result::ok).unwrap_or_default();
        let id_text = id.and_then(Result::ok).unwrap_or_default();
        let parts: Vec<&[u8]> = match self.signed {
            Signed::Body => vec![delivery.body],
            Signed::UrlBody => vec![delivery.url.as_bytes(), delivery.body],
            Signed::TimestampBody => vec![time_text.as_bytes(), b".", delivery.body],
            Signed::IdTimestampBody => vec![id_text.as_bytes(), b".", time_text.as_bytes(), b".", delivery.body],
        };
        let keys = secrets.iter().take(MAX_SECRETS).filter_map(|secret| self.secret_form.key(secret)).collect::<Vec<_>>();
        let matched = any_match(self.algorithm, &keys, &parts, given.as_deref().unwrap_or_default());
        given?;
        time.transpose()?;
        id.transpose()?;
        matched?;
        match &self.timestamp {
            Some(timestamp) => in_window(time_text, timestamp.unit, timestamp.tolerance_s, delivery.received_at_ms),
            None => Ok(()),
        }
    }

    /// The signatures in the header's text; at least one.
    fn codes(&self, text: &str) -> Result<Vec<Vec<u8>>, Refused> {
        let decode = |text: &str| {
            let code = self.encoding.decode(text.strip_prefix(&self.prefix)?)?;
            (code.len() == self.algorithm.bytes()).then_some(code)
        };
        let codes: Vec<Vec<u8>> = match &self.part {
            None => decode(text).into_iter().collect(),
            Some(name) => values(text, name).take(MAX_SIGNATURES).filter_map(decode).collect(),
        };
        if codes.is_empty() { Err(Refused::Malformed) } else { Ok(codes) }
    }
}

impl Timestamp {
    fn text<'a>(&self, headers: &'a HeaderMap) -> Result<&'a str, Refused> {
        let text = single(headers, &self.header)?;
        let Some(name) = &self.part else { return Ok(text) };
        let mut found = values(text, name);
        let first = found.next().ok_or(Refused::Missing)?;
        if found.next().is_some() { Err(Refused::Doubled) } else { Ok(first) }
    }
}

/// Values of one name in a list `name=value,name=value`.
fn values<'a>(list: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    list.split(',').filter_map(move |one| one.split_once('=').filter(|(known, _)| *known == name).map(|(_, value)| value))
}

impl StandardScheme {
    fn verify(&self, delivery: &Delivery<'_>, secrets: &[Secret]) -> Result<(), Refused> {
        let headers = delivery.headers;
        let id = single(headers, &HeaderName::from_static("webhook-id"));
        let time = single(headers, &HeaderName::from_static("webhook-timestamp"));
        let list = single(headers, &HeaderName::from_static("webhook-signature"));
        // A full stop in the id would let one signed text be read as two different ones.
        let id = id.and_then(|id| if id.is_empty() || id.contains('.') { Err(Refused::Malformed) } else { Ok(id) });
        let candidates = list.map(|list| {
            list.split(' ')
                .take(MAX_SIGNATURES)
                .filter_map(|one| one.strip_prefix("v1,"))
                .filter_map(|one| Encoding::Base64.decode(one).filter(|code| code.len() == Algorithm::Sha256.bytes()))
                .collect::<Vec<_>>()
        });
        let parts = [id.unwrap_or_default().as_bytes(), b".", time.unwrap_or_default().as_bytes(), b".", delivery.body];
        let keys: Vec<_> = secrets.iter().take(MAX_SECRETS).filter_map(standard_key).collect();
        let matched = any_match(Algorithm::Sha256, &keys, &parts, candidates.as_deref().unwrap_or_default());
        id?;
        let time = time?;
        if candidates?.is_empty() {
            return Err(Refused::Malformed);
        }
        matched?;
        in_window(time, Unit::Seconds, self.tolerance_s, delivery.received_at_ms)
    }
}

/// `whsec_` and base64 of 24 to 64 bytes.
fn standard_key(secret: &Secret) -> Option<zeroize::Zeroizing<Vec<u8>>> {
    let text = secret.expose_text()?;
    let key = STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text)).ok()?;
    (24..=64).contains(&key.len()).then(|| key.into())
}

/// Compares every code with every key's, never stopping early.
fn any_match(algorithm: Algorithm, keys: &[zeroize::Zeroizing<Vec<u8>>], parts: &[&[u8]], candidates: &[Vec<u8>]) -> Result<(), Refused> {
    if keys.is_empty() {
        decoy(parts.last().copied().unwrap_or_default());
        return Err(Refused::NoSecret);
    }
    let mut matched = Choice::from(0);
    for key in keys {
        let code = algorithm.code(key, parts);
        for candidate in candidates {
            matched |= code.ct_eq(candidate);
        }
    }
    if bool::from(matched) { Ok(()) } else { Err(Refused::Mismatch) }
}

/// The one value of a header, as visible ASCII.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a str, Refused> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().ok_or(Refused::Missing)?;
    if values.next().is_some() {
        return Err(Refused::Doubled);
    }
    first.to_str().map_err(|_| Refused::Malformed)
}

/// Only digits count as a time: no sign, no exponent, no white space, no more than an `i64` holds.
fn in_window(text: &str, unit: Unit, tolerance_s: u32, now_ms: i64) -> Result<(), Refused> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refused::Malformed);
    }
    let value: i64 = text.parse().map_err(|_| Refused::Malformed)?;
    let sent_ms = match unit {
        Unit::Seconds => value.checked_mul(1000).ok_or(Refused::Stale)?,
        Unit::Milliseconds => value,
    };
    let apart_ms = now_ms.checked_sub(sent_ms).and_then(i64::checked_abs).ok_or(Refused::Stale)?;
    if apart_ms <= i64::from(tolerance_s) * 1000 { Ok(()) } else { Err(Refused::Stale) }
}

impl Algorithm {
    fn bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// The authentication code of the parts, one after the other.
    pub fn code(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        fn run<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
            // HMAC takes keys of any length; an error cannot happen, and an empty code matches nothing.
            let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return Vec::new() };
            parts.iter().for_each(|part| mac.update(part));
            mac.finalize().into_bytes().to_vec()
        }
        match self {
            Self::Sha1 => run::<Hmac<sha1::Sha1>>(key, parts),
            Self::Sha256 => run::<Hmac<sha2::Sha256>>(key, parts),
            Self::Sha512 => run::<Hmac<sha2::Sha512>>(key, parts),
        }
    }
}

impl Encoding {
    fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Hex => from_hex(text),
            Self::Base64 => STANDARD.decode(text).ok(),
            Self::Base64url if text.ends_with('=') => URL_SAFE.decode(text).ok(),
            Self::Base64url => URL_SAFE_NO_PAD.decode(text).ok(),
        }
    }
}

impl SecretForm {
    /// `None` where the secret is empty or not written in this form: it then opens nothing.
    fn key(self, secret: &Secret) -> Option<zeroize::Zeroizing<Vec<u8>>> {
        let key = match self {
            Self::Text => secret.expose().to_vec(),
            Self::Hex => from_hex(secret.expose_text()?)?,
            Self::Base64 => STANDARD.decode(secret.expose_text()?).ok()?,
            Self::Nfkd => secret.expose_text()?.nfkd().collect::<String>().into_bytes(),
        };
        (!key.is_empty()).then(|| key.into())
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|value| value as u8);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

fn default_tolerance() -> u32 {
    DEFAULT_TOLERANCE_S
}

mod header_name {
    use http::HeaderName;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(name: &HeaderName, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(name.as_str())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<HeaderName, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(|_| D::Error::custom(format!("`{text}` is not the name of a header")))
    }
}

mod optional_header_name {
    use http::HeaderName;
    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer>(name: &Option<HeaderName>, to: S) -> Result<S::Ok, S::Error> {
        match name {
            Some(name) => super::header_name::serialize(name, to),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<HeaderName>, D::Error> {
        super::header_name::deserialize(from).map(Some)
    }
}

#[cfg(test)]
mod tests;
