//! The manifest: what a connector is, what it wants to do, and why. Static data inside the artifact.
//!
//! Read strictly: an unknown key is refused by name, and every refusal says which key and what to do. The form is
//! `wit/v1/manifest.schema.json`; what a schema cannot say (names that must exist, holes that must be filled) is in [`check`].

mod check;
mod origin;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use origin::{HostPattern, Origin, Scheme};

/// The form that authors and tools can check against.
pub const SCHEMA: &str = include_str!("../../../wit/v1/manifest.schema.json");

/// A manifest larger than this is not one.
pub const MAX_BYTES: usize = 256 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("manifest: {0}")]
    NotJson(String),
    /// `key` is a JSON pointer, empty for the whole.
    #[error("manifest: `{key}`: {problem}")]
    Wrong { key: String, problem: String },
}

impl Error {
    fn at(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Wrong { key: key.into(), problem: problem.into() }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Manifest {
    /// Version of the form: 1.
    pub manifest: u32,
    pub name: String,
    pub version: String,
    pub title: String,
    pub description: String,
    pub licence: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    pub kind: Kind,
    pub contract: String,
    pub capabilities: Vec<Capability>,
    /// JSON Schema of a connection's settings.
    pub settings: Value,
    #[serde(default)]
    pub hosts: Vec<HostRule>,
    #[serde(default)]
    pub secrets: Vec<SecretSlot>,
    #[serde(default)]
    pub credentials: Vec<Credential>,
    /// The request header that carries `request.idempotency-key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_header: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhooks: Option<Webhooks>,
    #[serde(default)]
    pub pacing: Vec<Bucket>,
    #[serde(default)]
    pub schedules: Vec<Schedule>,
    #[serde(default)]
    pub personal_data: Vec<String>,
    #[serde(default)]
    pub limits: Limits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Channel,
    Carrier,
    /// A source of facts about money.
    Finance,
}

macro_rules! capabilities {
    ($($variant:ident $text:literal $package:literal),* $(,)?) => {
        /// One optional interface of the contract.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Capability { $($variant),* }

        impl Capability {
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// The package that holds the interface.
            pub fn package(self) -> &'static str {
                match self { $(Self::$variant => $package),* }
            }
        }
    };
}

capabilities! {
    Connection "connection" "entrepot:channel",
    OrdersIn "orders-in" "entrepot:channel",
    ListingsIn "listings-in" "entrepot:channel",
    StockOut "stock-out" "entrepot:channel",
    PricesOut "prices-out" "entrepot:channel",
    FulfilmentOut "fulfilment-out" "entrepot:channel",
    CancellationsOut "cancellations-out" "entrepot:channel",
    Refunds "refunds" "entrepot:channel",
    Returns "returns" "entrepot:channel",
    OffersOut "offers-out" "entrepot:channel",
    Webhooks "webhooks" "entrepot:channel",
    WebhookVerify "webhook-verify" "entrepot:channel",
    Signing "signing" "entrepot:channel",
    Rates "rates" "entrepot:carrier",
    Shipments "shipments" "entrepot:carrier",
    Tracking "tracking" "entrepot:carrier",
    Addresses "addresses" "entrepot:carrier",
    Handover "handover" "entrepot:carrier",
    RatesIn "rates-in" "entrepot:finance",
}

impl std::fmt::Display for Capability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where requests may go. `origin` may hold `{setting}` holes; see [`Manifest::origins`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostRule {
    pub origin: String,
    /// Prefixes; empty: every path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    pub reason: String,
}

/// A secret the merchant gives, or the hub makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretSlot {
    pub name: String,
    pub title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default)]
    pub generate: bool,
    #[serde(default)]
    pub optional: bool,
}

/// How the host adds secrets to a request that names this credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct Credential {
    pub name: String,
    /// Origins it may be sent to, with holes.
    pub hosts: Vec<String>,
    #[serde(flatten)]
    pub strategy: Strategy,
}

/// Fields without a note are names of secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Strategy {
    Basic {
        username: String,
        password: String,
    },
    Bearer {
        secret: String,
    },
    Header {
        /// Header name.
        header: String,
        #[serde(default)]
        prefix: String,
        secret: String,
    },
    Query {
        /// Parameter name.
        parameter: String,
        secret: String,
    },
    JsonBody {
        /// JSON pointer of the string to fill in.
        pointer: String,
        secret: String,
    },
    /// OAuth 2 client credentials: the host fetches, keeps and refreshes the token.
    ClientCredentials {
        /// Origin with holes, then a path.
        token_url: String,
        client_id: String,
        client_secret: String,
        #[serde(default)]
        scopes: Vec<String>,
        #[serde(default = "authorization")]
        header: String,
        /// Absent: `Bearer ` with `authorization`, else nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prefix: Option<String>,
    },
}

fn authorization() -> String {
    "authorization".into()
}

impl TryFrom<Map<String, Value>> for Credential {
    type Error = String;

    /// `name` and `hosts` belong to every kind; the rest is the kind's own and nothing else is let through.
    fn try_from(mut object: Map<String, Value>) -> Result<Self, String> {
        let name = match object.remove("name") {
            Some(Value::String(name)) => name,
            _ => return Err("a credential needs a `name`, a string".into()),
        };
        let hosts = object.remove("hosts").ok_or_else(|| format!("credential `{name}` needs `hosts`: the origins it may be sent to"))?;
        let hosts = serde_json::from_value(hosts).map_err(|_| format!("credential `{name}`: `hosts` is a list of origins"))?;
        let strategy = serde_json::from_value(Value::Object(object)).map_err(|error| format!("credential `{name}`: {error}"))?;
        Ok(Self { name, hosts, strategy })
    }
}

impl Credential {
    /// The secrets it needs.
    pub fn secrets(&self) -> Vec<&str> {
        match &self.strategy {
            Strategy::Basic { username, password } => vec![username, password],
            Strategy::ClientCredentials { client_id, client_secret, .. } => vec![client_id, client_secret],
            Strategy::Bearer { secret }
            | Strategy::Header { secret, .. }
            | Strategy::Query { secret, .. }
            | Strategy::JsonBody { secret, .. } => vec![secret],
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhooks {
    /// The signature scheme in the form that `inbox` reads; the schema file knows the same words.
    pub verify: Value,
    pub topic: Place,
    /// What makes two deliveries the same one.
    #[serde(default)]
    pub dedupe: Dedupe,
    #[serde(default)]
    pub resources: Vec<Resource>,
    /// Handed to `translate`, lower case.
    #[serde(default)]
    pub headers: Vec<String>,
    /// What `ensure` is asked for.
    #[serde(default)]
    pub topics: Vec<String>,
    #[serde(default)]
    pub handshakes: Vec<Handshake>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub privacy: Vec<Privacy>,
}

/// Where in a delivery something is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    Header(String),
    /// JSON pointer into the body.
    Pointer(String),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dedupe {
    /// SHA-256 of topic and raw body.
    #[default]
    Body,
    Header(String),
    Pointer(String),
}

/// Which lane a delivery belongs to: the id at `pointer` of the body, behind `prefix`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Resource {
    /// A trailing `*` matches any rest.
    pub topics: Vec<String>,
    pub kind: String,
    pub pointer: String,
    /// What turns that id into the record's `external-id`, where the channel writes it in two ways.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// A delivery waits that long for others of the same resource; all are then translated in one run, which reads the resource once.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gather_seconds: u32,
}

fn is_zero(seconds: &u32) -> bool {
    *seconds == 0
}

impl Resource {
    pub fn matches(&self, topic: &str) -> bool {
        self.topics.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(start) => topic.starts_with(start),
            None => pattern == topic,
        })
    }
}

/// What deliveries of a topic ask of the hub on a person's behalf; the connector does not see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Privacy {
    pub topic: String,
    pub asks: Asks,
    /// The customer's id in the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// What turns that id into the buyer's `external-id`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// A list of ids of orders in the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orders: Option<String>,
    /// What turns those into the order's `external-id`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub order_prefix: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asks {
    /// What is kept of the customer.
    Export,
    /// To forget the customer.
    Erase,
    /// To forget every buyer of the connection.
    EraseAll,
}

/// An unsigned ping that is answered 200 and forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Handshake {
    pub method: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The only field of its form, or the query parameter of a `GET`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// A rate limit the hub obeys before the channel says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Bucket {
    pub bucket: String,
    pub capacity: u32,
    pub per_minute: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    pub run: Capability,
    /// Five fields, in the merchant's zone.
    pub cron: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Limits {
    #[serde(default = "default_memory")]
    pub memory_mib: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory_mib: default_memory() }
    }
}

fn default_memory() -> u32 {
    64
}

impl Manifest {
    /// Reads and checks a manifest.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_BYTES {
            return Err(Error::NotJson(format!("it has {} bytes; at most {MAX_BYTES} are read", bytes.len())));
        }
        let value: Value = serde_json::from_slice(bytes).map_err(|error| Error::NotJson(format!("it is not JSON: {error}")))?;
        // Serde first: it names an unknown key and its neighbours better than a schema does.
        let manifest: Self = serde_path_to_error::deserialize(&value)
            .map_err(|error| Error::at(error.path().to_string(), error.into_inner().to_string()))?;
        check::schema(&value)?;
        check::meaning(&manifest)?;
        Ok(manifest)
    }

    pub fn has(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }

    /// Checks a connection's settings against the manifest's schema; one sentence per problem.
    pub fn check_settings(&self, settings: &Value) -> Result<(), Vec<String>> {
        check::settings(&self.settings, settings)
    }

    /// The hosts a connection with these settings may reach, holes filled.
    pub fn origins(&self, settings: &Value) -> Result<Vec<(Origin, &HostRule)>, Error> {
        self.hosts
            .iter()
            .enumerate()
            .map(|(at, rule)| Ok((self.fill(&rule.origin, settings, &format!("hosts[{at}].origin"))?, rule)))
            .collect()
    }

    /// Fills one origin of this manifest (of a host or a credential).
    pub fn fill(&self, pattern: &str, settings: &Value, key: &str) -> Result<Origin, Error> {
        origin::fill(pattern, settings).map_err(|problem| Error::at(key, problem))
    }

    /// A credential's token address, filled: the origin and the path.
    pub fn fill_url(&self, pattern: &str, settings: &Value, key: &str) -> Result<(Origin, String), Error> {
        let (origin, path) = origin::split_url(pattern);
        Ok((self.fill(origin, settings, key)?, path.to_owned()))
    }
}
