//! Authenticated encryption of one value, bound to the place where it is kept.
//!
//! XChaCha20-Poly1305 with a random 24-byte nonce in front of the text. The associated data names the key's purpose, the
//! tenant and the row, each with its length, so that a sealed value copied to another row or tenant does not open.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::Secret;
use crate::id::Entropy;

pub const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
/// What a wrapped key takes: nonce, key, tag.
const WRAPPED_BYTES: usize = NONCE_BYTES + KEY_BYTES + TAG_BYTES;
/// First byte of every envelope, so that the format can change.
const ENVELOPE: u8 = 1;

/// The value does not open: another key, another place, or altered bytes. Which one cannot be told.
#[derive(Debug, thiserror::Error)]
#[error("a sealed value does not open with this key")]
pub struct Unopened;

/// A 256-bit key, wiped when dropped.
#[derive(Clone)]
pub struct Key(Zeroizing<[u8; KEY_BYTES]>);

impl Key {
    pub fn random(entropy: &Entropy) -> Self {
        let mut key = Zeroizing::new([0u8; KEY_BYTES]);
        entropy.fill(&mut *key);
        Self(key)
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes: [u8; KEY_BYTES]| Self(Zeroizing::new(bytes)))
    }

    pub(super) fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    pub fn seal(&self, entropy: &Entropy, place: &Place<'_>, value: &[u8]) -> Result<Vec<u8>, Unopened> {
        let mut nonce = [0u8; NONCE_BYTES];
        entropy.fill(&mut nonce);
        let cipher = XChaCha20Poly1305::new(self.0.as_slice().try_into().map_err(|_| Unopened)?);
        let text = cipher.encrypt(&XNonce::from(nonce), Payload { msg: value, aad: &place.associated() }).map_err(|_| Unopened)?;
        let mut sealed = Vec::with_capacity(NONCE_BYTES + text.len());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&text);
        Ok(sealed)
    }

    pub fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Secret, Unopened> {
        let (nonce, text) = sealed.split_at_checked(NONCE_BYTES).ok_or(Unopened)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| Unopened)?;
        let cipher = XChaCha20Poly1305::new(self.0.as_slice().try_into().map_err(|_| Unopened)?);
        cipher.decrypt(&XNonce::from(nonce), Payload { msg: text, aad: &place.associated() }).map(Secret::new).map_err(|_| Unopened)
    }

    /// Seals `value` under a fresh key of its own and puts that key, wrapped by this one, in front.
    pub fn seal_enveloped(&self, entropy: &Entropy, place: &Place<'_>, value: &[u8]) -> Result<Vec<u8>, Unopened> {
        let own = Key::random(entropy);
        let wrapped = self.seal(entropy, &place.wrapping(), own.expose())?;
        let body = own.seal(entropy, place, value)?;
        let mut out = Vec::with_capacity(1 + wrapped.len() + body.len());
        out.push(ENVELOPE);
        out.extend_from_slice(&wrapped);
        out.extend_from_slice(&body);
        Ok(out)
    }

    pub fn open_enveloped(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Secret, Unopened> {
        let (wrapped, body) = split_envelope(sealed)?;
        let own = self.unwrap_key(&place.wrapping(), wrapped)?;
        own.open(place, body)
    }

    /// The same envelope with its key wrapped by `to` instead of this one; the value itself is not touched.
    pub fn rewrap(&self, to: &Key, entropy: &Entropy, place: &Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, Unopened> {
        let (wrapped, body) = split_envelope(sealed)?;
        let own = self.unwrap_key(&place.wrapping(), wrapped)?;
        let mut out = vec![ENVELOPE];
        out.extend_from_slice(&to.seal(entropy, &place.wrapping(), own.expose())?);
        out.extend_from_slice(body);
        Ok(out)
    }

    pub fn unwrap_key(&self, place: &Place<'_>, wrapped: &[u8]) -> Result<Key, Unopened> {
        Key::from_bytes(self.open(place, wrapped)?.expose()).ok_or(Unopened)
    }
}

fn split_envelope(sealed: &[u8]) -> Result<(&[u8], &[u8]), Unopened> {
    match sealed.split_first() {
        Some((&ENVELOPE, rest)) => rest.split_at_checked(WRAPPED_BYTES).ok_or(Unopened),
        _ => Err(Unopened),
    }
}

/// Where a sealed value lives. Part of what is authenticated.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// What is kept there: `secret`, `data-key`, `body`, …
    purpose: &'a str,
    tenant: &'a str,
    /// The row, as unique within tenant and purpose as its primary key.
    row: &'a [&'a str],
    /// Whether the sealed value is itself a key of that row.
    wraps: bool,
}

impl<'a> Place<'a> {
    pub fn new(purpose: &'a str, tenant: &'a str, row: &'a [&'a str]) -> Self {
        Self { purpose, tenant, row, wraps: false }
    }

    fn associated(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(96);
        for part in [self.purpose, self.tenant].into_iter().chain(self.row.iter().copied()) {
            out.extend_from_slice(&(part.len() as u64).to_be_bytes());
            out.extend_from_slice(part.as_bytes());
        }
        out.push(u8::from(self.wraps));
        out
    }

    /// The place of the key that seals the value at this place.
    fn wrapping(&self) -> Self {
        Self { wraps: true, ..*self }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn place<'a>(tenant: &'a str, row: &'a [&'a str]) -> Place<'a> {
        Place::new("secret", tenant, row)
    }

    #[test]
    fn a_value_opens_only_with_its_key_at_its_place() {
        let entropy = Entropy::seeded(7);
        let key = Key::random(&entropy);
        let sealed = key.seal_enveloped(&entropy, &place("main", &["con_1", "api"]), b"canary").unwrap();
        assert_eq!(key.open_enveloped(&place("main", &["con_1", "api"]), &sealed).unwrap().expose(), b"canary");
        for (tenant, row) in [("other", ["con_1", "api"]), ("main", ["con_2", "api"]), ("main", ["con_1a", "pi"])] {
            assert!(key.open_enveloped(&place(tenant, &row), &sealed).is_err());
        }
        assert!(Key::random(&entropy).open_enveloped(&place("main", &["con_1", "api"]), &sealed).is_err());
        assert!(!sealed.windows(6).any(|w| w == b"canary"));
    }

    #[test]
    fn every_altered_or_missing_byte_is_noticed() {
        let entropy = Entropy::seeded(8);
        let key = Key::random(&entropy);
        let at = place("main", &["con_1", "api"]);
        let sealed = key.seal_enveloped(&entropy, &at, b"x").unwrap();
        for index in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[index] ^= 1;
            assert!(key.open_enveloped(&at, &altered).is_err(), "byte {index}");
            assert!(key.open_enveloped(&at, &sealed[..index]).is_err(), "length {index}");
        }
    }

    #[test]
    fn rewrapping_changes_the_key_and_keeps_the_value() {
        let entropy = Entropy::seeded(9);
        let (old, new) = (Key::random(&entropy), Key::random(&entropy));
        let at = place("main", &["con_1", "api"]);
        let sealed = old.seal_enveloped(&entropy, &at, b"value").unwrap();
        let moved = old.rewrap(&new, &entropy, &at, &sealed).unwrap();
        assert_eq!(new.open_enveloped(&at, &moved).unwrap().expose(), b"value");
        assert!(old.open_enveloped(&at, &moved).is_err());
    }

    #[test]
    fn the_same_value_sealed_twice_looks_different() {
        let entropy = Entropy::seeded(10);
        let key = Key::random(&entropy);
        let at = place("main", &["a"]);
        assert_ne!(key.seal(&entropy, &at, b"v").unwrap(), key.seal(&entropy, &at, b"v").unwrap());
    }
}
