//! What every operation of the business is told first: whose data, what time, which ids, on whose behalf.

use crate::clock::Clock;
use crate::id::Ids;

/// The merchant whose rows are meant. Part of every key.
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Tenant(String);

impl Tenant {
    /// The only merchant of a hub that serves one.
    pub fn main() -> Self {
        Self("main".into())
    }

    pub fn named(name: &str) -> Self {
        Self(name.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&Tenant> for crate::store::Value {
    fn from(tenant: &Tenant) -> Self {
        crate::store::Value::Text(Some(tenant.0.clone()))
    }
}

/// Context of one operation.
#[derive(Clone)]
pub struct Ctx {
    pub tenant: Tenant,
    pub clock: Clock,
    pub ids: Ids,
    /// Who does it, for the ledger and the timeline: `key:…`, `connection:con_…`, `hub`.
    pub actor: String,
}

impl Ctx {
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    pub fn acting_as(&self, actor: impl Into<String>) -> Self {
        Self { actor: actor.into(), ..self.clone() }
    }
}
