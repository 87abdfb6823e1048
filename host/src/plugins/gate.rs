//! How many calls run at once: per connection one writer and two readers, per connector eight, per hub eight a core.
//!
//! A slow channel then holds its own slots and nobody else's. Pure calls (translating a delivery) reach nothing outside and
//! have slots of their own, or deliveries would wait behind a shop that does not answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::call::CallError;
use crate::id::ConnectionId;

const READERS: usize = 2;
const PER_PLUGIN: usize = 8;
const PER_CORE: usize = 8;
const PURE_PER_CORE: usize = 4;

/// What a call does to the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
    /// Bytes to records; no network, no state, no secrets.
    Pure,
    /// Pure but for the vault: checking a signature.
    Verify,
}

/// The hub's slots, and those of its connections.
pub struct Gates {
    hub: Arc<Semaphore>,
    pure: Arc<Semaphore>,
    connections: Mutex<HashMap<ConnectionId, Weak<ConnectionGate>>>,
}

struct ConnectionGate {
    writer: Arc<Semaphore>,
    readers: Arc<Semaphore>,
}

/// One connector's slots.
#[derive(Clone)]
pub struct PluginGate(Arc<Semaphore>);

impl Default for PluginGate {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(PER_PLUGIN)))
    }
}

/// Held while a call runs.
pub struct Slots {
    _permits: Vec<OwnedSemaphorePermit>,
    _connection: Option<Arc<ConnectionGate>>,
}

impl Gates {
    /// `calls`: how many run at once in this hub; 0 means eight a core.
    pub fn new(calls: usize) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let calls = if calls == 0 { cores * PER_CORE } else { calls };
        Self {
            hub: Arc::new(Semaphore::new(calls)),
            pure: Arc::new(Semaphore::new(cores * PURE_PER_CORE)),
            connections: Mutex::new(HashMap::new()),
        }
    }

    /// Waits for its turn, at most `patience`.
    pub async fn enter(
        &self,
        access: Access,
        plugin: &PluginGate,
        connection: Option<&ConnectionId>,
        patience: Duration,
    ) -> Result<Slots, CallError> {
        let wait = async {
            if matches!(access, Access::Pure | Access::Verify) {
                return Some(Slots { _permits: vec![take(&self.pure).await?], _connection: None });
            }
            let connection = connection.map(|id| self.connection(id));
            let mut permits = Vec::with_capacity(3);
            // Always narrow to wide: who waits for a connection holds nothing that others need.
            if let Some(gate) = &connection {
                permits.push(take(if access == Access::Write { &gate.writer } else { &gate.readers }).await?);
            }
            permits.push(take(&plugin.0).await?);
            permits.push(take(&self.hub).await?);
            Some(Slots { _permits: permits, _connection: connection })
        };
        match tokio::time::timeout(patience, wait).await {
            Ok(Some(slots)) => Ok(slots),
            Ok(None) => Err(CallError::Stopped),
            Err(_) => Err(CallError::Busy { waited_ms: patience.as_millis() as u64 }),
        }
    }

    fn connection(&self, id: &ConnectionId) -> Arc<ConnectionGate> {
        let mut gates = self.connections.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(gate) = gates.get(id).and_then(Weak::upgrade) {
            return gate;
        }
        gates.retain(|_, gate| gate.strong_count() > 0);
        let gate = Arc::new(ConnectionGate { writer: Arc::new(Semaphore::new(1)), readers: Arc::new(Semaphore::new(READERS)) });
        gates.insert(id.clone(), Arc::downgrade(&gate));
        gate
    }
}

async fn take(semaphore: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    semaphore.clone().acquire_owned().await.ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::clock::Clock;
    use crate::id::{Entropy, Ids};

    const SOON: Duration = Duration::from_millis(20);

    fn connection(seed: u64) -> ConnectionId {
        ConnectionId::new(&Ids::new(Clock::manual(0), Entropy::seeded(seed)))
    }

    #[tokio::test]
    async fn a_connection_has_one_writer_and_two_readers() {
        let (gates, plugin) = (Gates::new(0), PluginGate::default());
        let (one, two) = (connection(1), connection(2));
        let writer = gates.enter(Access::Write, &plugin, Some(&one), SOON).await.unwrap();
        assert!(matches!(gates.enter(Access::Write, &plugin, Some(&one), SOON).await, Err(CallError::Busy { .. })));
        let _a = gates.enter(Access::Read, &plugin, Some(&one), SOON).await.unwrap();
        let _b = gates.enter(Access::Read, &plugin, Some(&one), SOON).await.unwrap();
        assert!(gates.enter(Access::Read, &plugin, Some(&one), SOON).await.is_err());
        let _other = gates.enter(Access::Write, &plugin, Some(&two), SOON).await.unwrap();
        drop(writer);
        assert!(gates.enter(Access::Write, &plugin, Some(&one), SOON).await.is_ok());
    }

    #[tokio::test]
    async fn deliveries_do_not_wait_behind_a_full_connector() {
        let (gates, plugin) = (Gates::new(0), PluginGate::default());
        let mut held = Vec::new();
        for seed in 0..PER_PLUGIN as u64 {
            held.push(gates.enter(Access::Read, &plugin, Some(&connection(seed + 10)), SOON).await.unwrap());
        }
        assert!(gates.enter(Access::Read, &plugin, Some(&connection(99)), SOON).await.is_err());
        assert!(gates.enter(Access::Pure, &plugin, Some(&connection(99)), SOON).await.is_ok());
    }
}
