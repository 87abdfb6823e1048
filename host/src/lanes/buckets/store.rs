//! SQL on the table `bucket`.

use crate::args;
use crate::ctx::Tenant;
use crate::egress::{Bucket, BucketKey};
use crate::id::ConnectionId;
use crate::store::{Error, Sql, WriteTx};

pub struct Row {
    pub bucket: Bucket,
    /// The limits are the channel's own word, which no manifest overrides.
    pub observed: bool,
}

pub async fn create(tx: &mut WriteTx, key: &BucketKey, bucket: &Bucket) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO bucket (tenant, connection, name, milli_tokens, capacity, per_minute, observed, updated_at, hold_until)
         VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8) ON CONFLICT (tenant, connection, name) DO NOTHING",
        args![
            &key.tenant,
            &key.connection,
            &key.bucket,
            bucket.milli_units,
            bucket.capacity,
            bucket.per_minute,
            bucket.updated_at,
            bucket.hold_until
        ],
    )
    .await?;
    Ok(())
}

/// Reads the row; nobody else changes it before this unit of work ends.
pub async fn lock(tx: &mut WriteTx, key: &BucketKey) -> Result<Option<Row>, Error> {
    let sql = format!(
        "SELECT milli_tokens, capacity, per_minute, updated_at, hold_until, observed FROM bucket WHERE tenant = $1 AND connection = $2 AND name = $3{}",
        tx.dialect().for_update()
    );
    let rows = tx.fetch_built(sql, args![&key.tenant, &key.connection, &key.bucket]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let bucket = Bucket {
        milli_units: row.get(0)?,
        capacity: row.get(1)?,
        per_minute: row.get(2)?,
        updated_at: row.get(3)?,
        hold_until: row.get(4)?,
    };
    Ok(Some(Row { bucket, observed: row.get(5)? }))
}

pub async fn keep(tx: &mut WriteTx, key: &BucketKey, row: &Row) -> Result<(), Error> {
    let bucket = &row.bucket;
    tx.execute(
        "UPDATE bucket SET milli_tokens = $4, capacity = $5, per_minute = $6, updated_at = $7, hold_until = $8, observed = $9
         WHERE tenant = $1 AND connection = $2 AND name = $3",
        args![
            &key.tenant,
            &key.connection,
            &key.bucket,
            bucket.milli_units,
            bucket.capacity,
            bucket.per_minute,
            bucket.updated_at,
            bucket.hold_until,
            row.observed
        ],
    )
    .await?;
    Ok(())
}

pub async fn hold(tx: &mut WriteTx, key: &BucketKey, until_ms: i64) -> Result<(), Error> {
    tx.execute(
        "UPDATE bucket SET hold_until = $4 WHERE tenant = $1 AND connection = $2 AND name = $3 AND hold_until < $4",
        args![&key.tenant, &key.connection, &key.bucket, until_ms],
    )
    .await?;
    Ok(())
}

pub async fn remove_connection(tx: &mut WriteTx, tenant: &Tenant, connection: &ConnectionId) -> Result<(), Error> {
    tx.execute("DELETE FROM bucket WHERE tenant = $1 AND connection = $2", args![tenant, connection]).await?;
    Ok(())
}
