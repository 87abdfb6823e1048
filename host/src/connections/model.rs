//! The words of connections. Pure.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::error::Error;
use crate::hex::hex;
use crate::id::{ConnectionId, Entropy, PlanId};

#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Connection {
    pub id: ConnectionId,
    pub plugin: String,
    pub name: String,
    pub state: State,
    pub settings: Json,
    pub grants: Vec<Origin>,
    pub webhook_path: String,
    pub account: Option<Json>,
    pub since_at: i64,
    pub health: Health,
    pub health_reason: Option<String>,
    pub health_at: i64,
    pub buffer: i64,
    pub live_plan: Option<PlanId>,
    pub created_at: i64,
}

impl Connection {
    pub fn may_read(&self) -> bool {
        self.state != State::Paused
    }

    pub fn may_push(&self) -> bool {
        self.state == State::Live
    }

    pub(super) fn step(&mut self, to: State) -> Result<(), Error> {
        match (self.state, to) {
            (from, to) if from == to => {}
            (_, State::Observing) => self.live_plan = None,
            (_, State::Paused) => {}
            (State::Paused, State::Live) if self.live_plan.is_some() => {}
            (from, State::Live) => return Err(Error::Step { from, to: State::Live }),
        }
        self.state = to;
        Ok(())
    }
}

/// What a person gives to add one.
#[derive(Clone, Debug)]
pub struct NewConnection {
    pub plugin: String,
    pub name: String,
    pub settings: Json,
    /// Now, if not given.
    pub since_at: Option<i64>,
}

macro_rules! words {
    ($name:ident { $($variant:ident = $text:literal),* $(,)? }) => {
        #[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum $name { $($variant),* }

        impl $name {
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl crate::store::FromCell for $name {
            fn from_cell(cell: &crate::store::Value) -> Option<Self> {
                match String::from_cell(cell)?.as_str() {
                    $($text => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

words!(State { Observing = "observing", Live = "live", Paused = "paused" });
words!(Health { Unknown = "unknown", Healthy = "healthy", Failing = "failing", Refused = "refused" });

/// Scheme, host and port, as browsers write them: `https://shop.example`, `http://127.0.0.1:8080`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin(String);

impl Origin {
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bad = || Error::BadOrigin { value: text.chars().take(120).collect() };
        let url = url::Url::parse(text.trim()).map_err(|_| bad())?;
        let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        let anonymous = url.username().is_empty() && url.password().is_none();
        if !matches!(url.scheme(), "https" | "http") || !bare || !anonymous {
            return Err(bad());
        }
        Ok(Self(url.origin().ascii_serialization()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Origin {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> String {
        origin.0
    }
}

/// What hangs on a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct OpenWork {
    /// Orders that hold stock which has not left.
    pub reserving_orders: i64,
    /// Values that a listing should show and was not told.
    pub unsent: i64,
    /// Batches whose outcome is not known.
    pub open_effects: i64,
    /// Shipments the channel was not told of.
    pub unwritten_shipments: i64,
    /// Deliveries received and not worked off.
    pub waiting_deliveries: i64,
}

impl OpenWork {
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for OpenWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.reserving_orders, "orders that reserve stock"),
            (self.unsent, "values not sent"),
            (self.open_effects, "batches without a known outcome"),
            (self.unwritten_shipments, "shipments not written back"),
            (self.waiting_deliveries, "deliveries not worked off"),
        ];
        let named: Vec<String> = parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        f.write_str(if named.is_empty() { "none" } else { "" })?;
        f.write_str(&named.join(", "))
    }
}

pub fn clean_name(name: &str) -> Result<String, Error> {
    let clean = name.trim();
    let is_id = ConnectionId::parse(clean).is_ok();
    if clean.is_empty() || clean.chars().count() > 60 || clean.chars().any(char::is_control) || is_id {
        return Err(Error::BadName { name: name.chars().take(80).collect() });
    }
    Ok(clean.to_owned())
}

/// 32 random bytes, 43 characters.
pub fn new_webhook_path(entropy: &Entropy) -> String {
    let mut bytes = [0u8; 32];
    entropy.fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn hash_of(path: &str) -> String {
    hex(Sha256::digest(path.as_bytes()))
}
