//! Tokens of the client-credentials login: fetched once for all who wait, kept until shortly before they end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::Error;
use crate::secrets::Secret;

/// A token is not used in its last minute: it could end on the way.
const MARGIN_MS: i64 = 60_000;
/// For channels that do not say how long a token lives.
const DEFAULT_LIFE_S: i64 = 3_600;
const MAX_LIFE_S: i64 = 30 * 86_400;
const MAX_SLOTS: usize = 4_096;

#[derive(Clone)]
pub(super) struct Token {
    pub value: Secret,
    until_ms: i64,
}

/// One per tenant, connection, credential and value of its secrets, so that new secrets never meet an old token.
#[derive(PartialEq, Eq, Hash, Clone)]
pub(super) struct TokenKey([u8; 32]);

impl TokenKey {
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut digest = Sha256::new();
        for part in parts {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        Self(digest.finalize().into())
    }
}

type Slot = Arc<tokio::sync::Mutex<Option<Token>>>;

#[derive(Default)]
pub(super) struct Tokens(Mutex<HashMap<TokenKey, Slot>>);

impl Tokens {
    /// The current token, or a fresh one from `fetch`, which runs once however many ask. `refused` is a token that the
    /// channel did not take: it is not handed out again.
    pub async fn get<F>(&self, key: &TokenKey, now_ms: i64, refused: Option<&Secret>, fetch: F) -> Result<Secret, Error>
    where
        F: Future<Output = Result<Token, Error>>,
    {
        let slot = {
            let mut slots = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            if slots.len() >= MAX_SLOTS {
                slots.clear();
            }
            Arc::clone(slots.entry(key.clone()).or_default())
        };
        let mut held = slot.lock().await;
        if let Some(token) = &*held
            && now_ms < token.until_ms
            && !refused.is_some_and(|refused| refused.matches(token.value.expose()))
        {
            return Ok(token.value.clone());
        }
        *held = None;
        let token = fetch.await?;
        let value = token.value.clone();
        *held = Some(token);
        Ok(value)
    }
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    #[serde(default)]
    expires_in: Option<serde_json::Value>,
}

/// Reads the token endpoint's answer (RFC 6749, section 5.1); some write the seconds as a text.
pub(super) fn read(status: u16, body: &[u8], now_ms: i64, credential: &str) -> Result<Token, Error> {
    match status {
        200..=299 => {}
        400 | 401 | 403 => {
            return Err(Error::Auth(format!(
                "the channel refused the login for the credential `{credential}` (status {status}); hint: check its client id and secret"
            )));
        }
        429 => {
            return Err(Error::Throttled {
                message: format!("the channel limits logins for the credential `{credential}`"),
                retry_after: std::time::Duration::from_secs(60),
            });
        }
        _ => {
            return Err(Error::Network {
                message: format!("the login for the credential `{credential}` failed at the channel (status {status})"),
                sent: super::Sent::No,
            });
        }
    }
    let unusable = || Error::Network {
        message: format!("the channel's answer to the login for the credential `{credential}` holds no token"),
        sent: super::Sent::No,
    };
    let answer: Answer = serde_json::from_slice(body).map_err(|_| unusable())?;
    if answer.access_token.is_empty() {
        return Err(unusable());
    }
    let life =
        answer.expires_in.as_ref().and_then(|value| value.as_i64().or_else(|| value.as_str()?.parse().ok())).unwrap_or(DEFAULT_LIFE_S);
    let life_ms = life.clamp(0, MAX_LIFE_S) * 1000;
    // A life shorter than the margin still serves the request it was fetched for.
    Ok(Token { value: Secret::from_text(&answer.access_token), until_ms: now_ms.saturating_add((life_ms - MARGIN_MS).max(life_ms / 2)) })
}
