//! Identifiers: a prefix that says what it names and a body that sorts by time.
//!
//! Text form `ord_01JD8Q4N7ZK3…`: 10 characters of milliseconds and 16 of randomness, Crockford's base 32. The prefix table
//! is append-only. A channel's own id is never one of these: it is an `external_id`.

use std::fmt;
use std::sync::{Arc, Mutex};

use crate::clock::Clock;

/// Where randomness comes from: the operating system, or a seed so that a failing run can be repeated.
#[derive(Clone)]
pub struct Entropy(Arc<Mutex<Source>>);

enum Source {
    System,
    Seeded(u64),
}

impl Entropy {
    pub fn system() -> Self {
        Self(Arc::new(Mutex::new(Source::System)))
    }

    /// Repeatable and predictable: tests only.
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Source::Seeded(seed))))
    }

    pub fn fill(&self, bytes: &mut [u8]) {
        let mut source = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match &mut *source {
            Source::System => {
                // The kernel's generator fails only where there is none; nothing safe can go on without it.
                if getrandom::fill(bytes).is_err() {
                    std::process::abort();
                }
            }
            Source::Seeded(state) => {
                for chunk in bytes.chunks_mut(8) {
                    chunk.copy_from_slice(&split_mix(state).to_le_bytes()[..chunk.len()]);
                }
            }
        }
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Makes new ids from the injected clock and randomness.
#[derive(Clone)]
pub struct Ids {
    clock: Clock,
    entropy: Entropy,
}

impl Ids {
    pub fn new(clock: Clock, entropy: Entropy) -> Self {
        Self { clock, entropy }
    }

    /// The 26 characters behind a prefix.
    pub fn body(&self) -> String {
        let mut bytes = [0u8; 16];
        let ms = self.clock.now_ms().max(0) as u64;
        bytes[..6].copy_from_slice(&ms.to_be_bytes()[2..]);
        self.entropy.fill(&mut bytes[6..]);
        encode(u128::from_be_bytes(bytes))
    }

    pub fn entropy(&self) -> &Entropy {
        &self.entropy
    }
}

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

fn encode(mut value: u128) -> String {
    let mut out = [b'0'; 26];
    for slot in out.iter_mut().rev() {
        *slot = ALPHABET[(value & 31) as usize];
        value >>= 5;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A text that is not an id of the kind asked for.
#[derive(Debug, thiserror::Error)]
#[error("`{value}` is not {what} id; one looks like `{prefix}_01JD8Q4N7ZK3T5V9W2X4Y6Z8AB`")]
pub struct Malformed {
    pub value: String,
    pub what: &'static str,
    pub prefix: &'static str,
}

macro_rules! ids {
    ($($name:ident $prefix:literal $what:literal),* $(,)?) => {$(
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            pub fn new(ids: &Ids) -> Self {
                Self(format!(concat!($prefix, "_{}"), ids.body()))
            }

            pub fn parse(text: &str) -> Result<Self, Malformed> {
                let body = text.strip_prefix(concat!($prefix, "_"));
                match body {
                    Some(b) if b.len() == 26 && b.bytes().all(|c| ALPHABET.contains(&c)) => Ok(Self(text.to_owned())),
                    _ => Err(Malformed { value: text.to_owned(), what: $what, prefix: $prefix }),
                }
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Malformed;
            fn try_from(text: String) -> Result<Self, Malformed> {
                Self::parse(&text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = Malformed;
            fn from_str(text: &str) -> Result<Self, Malformed> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl From<&$name> for crate::store::Value {
            fn from(id: &$name) -> Self {
                crate::store::Value::Text(Some(id.0.clone()))
            }
        }

        impl From<Option<&$name>> for crate::store::Value {
            fn from(id: Option<&$name>) -> Self {
                crate::store::Value::Text(id.map(|id| id.0.clone()))
            }
        }

        impl crate::store::FromCell for $name {
            fn from_cell(cell: &crate::store::Value) -> Option<Self> {
                match cell {
                    crate::store::Value::Text(Some(text)) => Self::parse(text).ok(),
                    _ => None,
                }
            }
        }
    )*};
}

ids! {
    ConnectionId "con" "a connection",
    ProductId "prd" "a product",
    VariantId "var" "a variant",
    ListingId "lst" "a listing",
    LocationId "loc" "a location",
    OrderId "ord" "an order",
    OrderLineId "oln" "an order line",
    MovementId "mov" "a stock movement",
    PersonId "per" "a person",
    DeliveryId "dlv" "a delivery",
    EffectId "eff" "an effect",
    ShipmentId "shp" "a shipment",
    PlanId "pln" "a plan",
    KeyId "key" "an access key",
    DataKeyId "dky" "a data key",
    ReturnId "rma" "a return",
    CallId "cal" "a plugin call",
    EntityId "ent" "a legal entity",
    PriceLineId "prl" "a line of a price list",
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ids_sort_by_time_and_come_back_from_text() {
        let clock = Clock::manual(1_000);
        let ids = Ids::new(clock.clone(), Entropy::seeded(1));
        let first = OrderId::new(&ids);
        clock.advance(1);
        let second = OrderId::new(&ids);
        assert!(first < second);
        assert_eq!(OrderId::parse(first.as_str()).unwrap(), first);
    }

    #[test]
    fn an_id_of_another_kind_is_refused_by_name() {
        let ids = Ids::new(Clock::manual(0), Entropy::seeded(1));
        let error = OrderId::parse(VariantId::new(&ids).as_str()).unwrap_err();
        assert!(error.to_string().contains("is not an order id"));
    }
}
