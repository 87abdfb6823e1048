//! The small store that a connector has for each connection: 1 MiB in all, 64 KiB a value, keys up to 256 bytes.
//!
//! It is the only thing that a connector keeps between calls. Values are opaque bytes; revisions begin at 1 and grow by one.

use crate::args;
use crate::ctx::{Ctx, Tenant};
use crate::id::ConnectionId;
use crate::store::{Sql, WriteTx};

pub const TOTAL_BYTES: i64 = 1 << 20;
pub const VALUE_BYTES: usize = 64 << 10;
pub const KEY_BYTES: usize = 256;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    TooLarge(String),
    #[error("the key has revision {found}, not {expected}")]
    Conflict { expected: u32, found: u32 },
    #[error(transparent)]
    Store(#[from] crate::store::Error),
}

/// A value and its revision.
pub async fn get(conn: &mut impl Sql, tenant: &Tenant, connection: &ConnectionId, key: &str) -> Result<Option<(Vec<u8>, u32)>, Error> {
    let row = conn
        .fetch_optional(
            "SELECT value, revision FROM connector_state WHERE tenant = $1 AND connection = $2 AND name = $3",
            args![tenant, connection, key],
        )
        .await?;
    Ok(row.map(|row| Ok::<_, crate::store::Error>((row.get(0)?, row.get(1)?))).transpose()?)
}

/// `expect`: `None` writes always, `Some(0)` only where nothing is, `Some(n)` only over revision n. Returns the new revision.
pub async fn put(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, key: &str, value: &[u8], expect: Option<u32>) -> Result<u32, Error> {
    if key.is_empty() || key.len() > KEY_BYTES {
        return Err(Error::TooLarge(format!("a key has 1 to {KEY_BYTES} bytes, this one has {}", key.len())));
    }
    if value.len() > VALUE_BYTES {
        return Err(Error::TooLarge(format!("a value has at most {VALUE_BYTES} bytes, this one has {}", value.len())));
    }
    let found = get(tx, &ctx.tenant, connection, key).await?;
    let revision = found.as_ref().map_or(0, |(_, revision)| *revision);
    if let Some(expected) = expect.filter(|expected| *expected != revision) {
        return Err(Error::Conflict { expected, found: revision });
    }
    let used: i64 = tx
        .fetch_one(
            "SELECT CAST(COALESCE(SUM(LENGTH(value)), 0) AS BIGINT) FROM connector_state WHERE tenant = $1 AND connection = $2 AND name <> $3",
            args![&ctx.tenant, connection, key],
        )
        .await?
        .get(0)?;
    if used + value.len() as i64 > TOTAL_BYTES {
        return Err(Error::TooLarge(format!("this connection's state would hold more than {TOTAL_BYTES} bytes")));
    }
    tx.execute(
        "INSERT INTO connector_state (tenant, connection, name, value, revision, updated_at) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (tenant, connection, name) DO UPDATE SET value = excluded.value, revision = excluded.revision, updated_at = excluded.updated_at",
        args![&ctx.tenant, connection, key, value, revision + 1, ctx.now_ms()],
    )
    .await?;
    Ok(revision + 1)
}

pub async fn delete(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, key: &str) -> Result<bool, Error> {
    let gone = tx
        .execute(
            "DELETE FROM connector_state WHERE tenant = $1 AND connection = $2 AND name = $3",
            args![&ctx.tenant, connection, key],
        )
        .await?;
    Ok(gone > 0)
}

/// Keys that begin with `prefix`, after `after`, in byte order.
pub async fn list(
    conn: &mut impl Sql,
    tenant: &Tenant,
    connection: &ConnectionId,
    prefix: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<String>, Error> {
    let rows = conn
        .fetch_all(
            "SELECT name FROM connector_state WHERE tenant = $1 AND connection = $2 AND name > $3 AND SUBSTR(name, 1, LENGTH($4)) = $4 \
             ORDER BY name LIMIT $5",
            args![tenant, connection, after.unwrap_or_default(), prefix, limit],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::on_both;
    use crate::store::tests::TestDb;

    async fn write(db: &TestDb, ctx: &Ctx, id: &ConnectionId, key: &'static str, value: Vec<u8>, expect: Option<u32>) -> Result<u32, Error> {
        let (ctx, id) = (ctx.clone(), id.clone());
        db.store.write(move |tx| Box::pin(async move { put(tx, &ctx, &id, key, &value, expect).await })).await
    }

    on_both! {
        async fn compare_and_set_and_the_quota_hold(db: TestDb) {
            let ctx = db.ctx();
            let id = ConnectionId::new(&ctx.ids);
            assert_eq!(write(&db, &ctx, &id, "a", vec![1], Some(0)).await.unwrap(), 1);
            assert!(matches!(write(&db, &ctx, &id, "a", vec![2], Some(0)).await, Err(Error::Conflict { expected: 0, found: 1 })));
            assert_eq!(write(&db, &ctx, &id, "a", vec![2], Some(1)).await.unwrap(), 2);
            assert!(matches!(write(&db, &ctx, &id, "b", vec![0; VALUE_BYTES + 1], None).await, Err(Error::TooLarge(_))));
            let names: Vec<&'static str> = vec!["k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9", "ka", "kb", "kc", "kd", "ke"];
            for name in names {
                write(&db, &ctx, &id, name, vec![0; VALUE_BYTES], None).await.unwrap();
            }
            assert!(matches!(write(&db, &ctx, &id, "kf", vec![0; VALUE_BYTES], None).await, Err(Error::TooLarge(_))));
            let mut conn = db.store.read().await.unwrap();
            assert_eq!(list(&mut conn, &ctx.tenant, &id, "k", Some("k9"), 2).await.unwrap(), ["ka", "kb"]);
            // Another connection's connector sees nothing of it.
            assert_eq!(get(&mut conn, &ctx.tenant, &ConnectionId::new(&ctx.ids), "a").await.unwrap(), None);
        }
    }
}
