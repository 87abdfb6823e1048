//! The small store of a connection's connector: table `plugin_state`.
//!
//! 1 MiB in all, 64 KiB a value, keys up to 256 bytes. It is a cache and a notebook: cursors and orders live elsewhere.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::services::{CallScope, StateStore, denied};
use super::wire::{Failure, Fault, state::Entry};
use crate::args;
use crate::clock::Clock;
use crate::ctx::Tenant;
use crate::id::ConnectionId;
use crate::store::{Sql, Store, WriteTx};

const KEY_BYTES: usize = 256;
const VALUE_BYTES: usize = 64 << 10;
const QUOTA_BYTES: i64 = 1 << 20;

/// Serves connectors' calls. A call runs outside any unit of work, so each write here is a unit of its own.
pub struct StoredState {
    store: Store,
    clock: Clock,
}

impl StoredState {
    pub fn shared(store: Store, clock: Clock) -> Arc<Self> {
        Arc::new(Self { store, clock })
    }
}

#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("the value has another revision than expected")]
    Conflict,
    #[error("the connector's store is full: {QUOTA_BYTES} bytes per connection")]
    Full,
    #[error("the database failed")]
    Store(#[from] crate::store::Error),
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Conflict => Failure { fault: Fault::Conflict, ..denied(refused.to_string()) },
            Refused::Full => denied(refused.to_string()),
            Refused::Store(error) => {
                tracing::error!(error = crate::store::chain(&error), "a connector's store could not be used");
                Failure { fault: Fault::Other, ..denied("The hub's database could not be used; try again later.") }
            }
        }
    }
}

fn owner(scope: &CallScope) -> Result<(Tenant, ConnectionId), Failure> {
    let connection = scope.connection.clone().ok_or_else(|| denied("this call runs without a connection, so it has no store"))?;
    Ok((scope.tenant.clone(), connection))
}

fn check_key(key: &str) -> Result<(), Failure> {
    if key.is_empty() || key.len() > KEY_BYTES {
        return Err(denied(format!("a key has 1 to {KEY_BYTES} bytes; this one has {}", key.len())));
    }
    Ok(())
}

impl StateStore for StoredState {
    fn get<'a>(&'a self, scope: &'a CallScope, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, Failure>> {
        Box::pin(async move {
            let (tenant, connection) = owner(scope)?;
            let found = async {
                let mut conn = self.store.read().await?;
                find(&mut conn, &tenant, &connection, key).await
            };
            let found = found.await.map_err(Refused::Store)?;
            Ok(found.map(|(value, revision)| Entry { key: key.to_owned(), value, revision: clamp(revision) }))
        })
    }

    fn put<'a>(&'a self, scope: &'a CallScope, key: &'a str, value: Vec<u8>, expect: Option<u32>) -> BoxFuture<'a, Result<u32, Failure>> {
        Box::pin(async move {
            check_key(key)?;
            if value.len() > VALUE_BYTES {
                return Err(denied(format!("a value has at most {VALUE_BYTES} bytes; this one has {}; use a blob", value.len())));
            }
            let (tenant, connection) = owner(scope)?;
            let (key, now) = (key.to_owned(), self.clock.now_ms());
            let revision =
                self.store.write(move |tx| Box::pin(async move { put(tx, &tenant, &connection, &key, value, expect, now).await })).await?;
            Ok(clamp(revision))
        })
    }

    fn delete<'a>(&'a self, scope: &'a CallScope, key: &'a str) -> BoxFuture<'a, Result<bool, Failure>> {
        Box::pin(async move {
            let (tenant, connection) = owner(scope)?;
            let key = key.to_owned();
            let gone = self.store.write(move |tx| {
                Box::pin(async move {
                    let sql = "DELETE FROM plugin_state WHERE tenant = $1 AND connection = $2 AND key = $3";
                    Ok::<_, Refused>(tx.execute(sql, args![&tenant, &connection, key]).await?)
                })
            });
            Ok(gone.await? == 1)
        })
    }

    fn list<'a>(
        &'a self,
        scope: &'a CallScope,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<String>, Failure>> {
        Box::pin(async move {
            let (tenant, connection) = owner(scope)?;
            let keys = async {
                let mut conn = self.store.read().await?;
                keys(&mut conn, &tenant, &connection).await
            };
            let mut keys = keys.await.map_err(Refused::Store)?;
            // Sorted here: the databases disagree about the order of text, the contract says bytes.
            keys.retain(|key| key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after));
            keys.sort_unstable();
            keys.truncate(limit as usize);
            Ok(keys)
        })
    }
}

fn clamp(revision: i64) -> u32 {
    u32::try_from(revision).unwrap_or(u32::MAX)
}

async fn find(
    conn: &mut impl Sql,
    tenant: &Tenant,
    connection: &ConnectionId,
    key: &str,
) -> Result<Option<(Vec<u8>, i64)>, crate::store::Error> {
    let sql = "SELECT value, revision FROM plugin_state WHERE tenant = $1 AND connection = $2 AND key = $3";
    match conn.fetch_optional(sql, args![tenant, connection, key]).await? {
        Some(row) => Ok(Some((row.get(0)?, row.get(1)?))),
        None => Ok(None),
    }
}

async fn keys(conn: &mut impl Sql, tenant: &Tenant, connection: &ConnectionId) -> Result<Vec<String>, crate::store::Error> {
    let rows = conn.fetch_all("SELECT key FROM plugin_state WHERE tenant = $1 AND connection = $2", args![tenant, connection]).await?;
    rows.iter().map(|row| row.get(0)).collect()
}

async fn put(
    tx: &mut WriteTx,
    tenant: &Tenant,
    connection: &ConnectionId,
    key: &str,
    value: Vec<u8>,
    expect: Option<u32>,
    now_ms: i64,
) -> Result<i64, Refused> {
    let bytes = (key.len() + value.len()) as i64;
    let sql = match expect {
        None => {
            "INSERT INTO plugin_state (tenant, connection, key, value, bytes, revision, updated_at) VALUES ($1, $2, $3, $4, $5, 1, $6) \
             ON CONFLICT (tenant, connection, key) DO UPDATE SET value = excluded.value, bytes = excluded.bytes, \
             revision = plugin_state.revision + 1, updated_at = excluded.updated_at RETURNING revision"
        }
        Some(0) => {
            "INSERT INTO plugin_state (tenant, connection, key, value, bytes, revision, updated_at) VALUES ($1, $2, $3, $4, $5, 1, $6) \
             ON CONFLICT DO NOTHING RETURNING revision"
        }
        Some(_) => {
            "UPDATE plugin_state SET value = $4, bytes = $5, revision = revision + 1, updated_at = $6 \
             WHERE tenant = $1 AND connection = $2 AND key = $3 AND revision = $7 RETURNING revision"
        }
    };
    let mut args = args![tenant, connection, key, value, bytes, now_ms].to_vec();
    if let Some(revision @ 1..) = expect {
        args.push(revision.into());
    }
    let row = tx.fetch_optional(sql, &args).await?.ok_or(Refused::Conflict)?;
    let sum = "SELECT CAST(SUM(bytes) AS BIGINT) FROM plugin_state WHERE tenant = $1 AND connection = $2";
    let total: Option<i64> = tx.fetch_one(sum, args![tenant, connection]).await?.get(0)?;
    if total.unwrap_or(0) > QUOTA_BYTES {
        return Err(Refused::Full);
    }
    Ok(row.get(0)?)
}

/// Forgets what a connection's connector kept; part of removing the connection.
pub async fn forget(tx: &mut WriteTx, tenant: &Tenant, connection: &ConnectionId) -> Result<(), crate::store::Error> {
    tx.execute("DELETE FROM plugin_state WHERE tenant = $1 AND connection = $2", args![tenant, connection]).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::id::{Entropy, Ids};

    fn scope(seed: u64) -> CallScope {
        CallScope {
            tenant: Tenant::main(),
            connection: Some(ConnectionId::new(&Ids::new(Clock::manual(0), Entropy::seeded(seed)))),
            plugin: "test".into(),
            capability: "connection",
            dry_run: false,
            deadline: tokio::time::Instant::now(),
        }
    }

    crate::on_both! {
        async fn a_value_is_written_only_over_the_revision_expected(db: TestDb) {
            let state = StoredState::shared(db.store.clone(), db.clock.clone());
            let here = scope(1);
            assert_eq!(state.put(&here, "k", b"a".to_vec(), Some(0)).await.unwrap(), 1);
            assert_eq!(state.put(&here, "k", b"b".to_vec(), Some(0)).await.unwrap_err().fault, Fault::Conflict);
            assert_eq!(state.put(&here, "k", b"b".to_vec(), Some(1)).await.unwrap(), 2);
            assert_eq!(state.put(&here, "k", b"c".to_vec(), Some(1)).await.unwrap_err().fault, Fault::Conflict);
            assert_eq!(state.put(&here, "k", b"c".to_vec(), None).await.unwrap(), 3);
            let entry = state.get(&here, "k").await.unwrap().unwrap();
            assert_eq!((entry.value.as_slice(), entry.revision), (b"c".as_slice(), 3));
            assert!(state.delete(&here, "k").await.unwrap());
            assert!(!state.delete(&here, "k").await.unwrap());
        }

        async fn a_connection_sees_its_own_keys_in_byte_order(db: TestDb) {
            let state = StoredState::shared(db.store.clone(), db.clock.clone());
            let (here, there) = (scope(1), scope(2));
            for key in ["b", "a%", "a_", "aB", "ab", "ä"] {
                state.put(&here, key, vec![1], None).await.unwrap();
            }
            state.put(&there, "a-other", vec![1], None).await.unwrap();
            assert_eq!(state.list(&here, "a", None, 10).await.unwrap(), ["a%", "aB", "a_", "ab"]);
            assert_eq!(state.list(&here, "a", Some("aB"), 1).await.unwrap(), ["a_"]);
            assert!(state.get(&there, "b").await.unwrap().is_none());
        }

        async fn the_quota_refuses_and_keeps_what_was_there(db: TestDb) {
            let state = StoredState::shared(db.store.clone(), db.clock.clone());
            let here = scope(1);
            assert_eq!(state.put(&here, "big", vec![0; VALUE_BYTES + 1], None).await.unwrap_err().fault, Fault::Denied);
            let mut written = 0;
            let refusal = loop {
                match state.put(&here, &format!("k{written}"), vec![0; VALUE_BYTES], None).await {
                    Ok(_) => written += 1,
                    Err(refusal) => break refusal,
                }
            };
            assert_eq!((refusal.fault, written), (Fault::Denied, 15));
            assert_eq!(state.list(&here, "", None, 100).await.unwrap().len(), 15);
        }
    }
}
