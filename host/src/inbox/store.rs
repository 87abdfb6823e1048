//! All SQL on `inbox`, `inbox_key` and `inbox_body`.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{Delivery, Ending, Error, content};
use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, DataKeyId, DeliveryId};
use crate::lanes::LaneKey;
use crate::secrets::{DataKey, Vault};
use crate::store::{Sql, Value, WriteTx, placeholders};
use crate::{args, cells};

pub const DAY_MS: i64 = 86_400_000;

/// A condition on `inbox i` that takes the parameters 1 to 6 from [`Filter::args`]. `replace` finds a part alike in both
/// databases, where LIKE differs in its case.
macro_rules! fits {
    () => {
        "i.tenant = $1 AND i.received_at >= $2 AND i.received_at < $3 AND ($4 = '' OR i.connection = $4) AND ($5 = '' OR i.state = $5) \
         AND ($6 = '' OR replace(COALESCE(i.reason, ''), $6, '') <> COALESCE(i.reason, ''))"
    };
}

/// A delivery as it was received.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub id: DeliveryId,
    pub topic: String,
    pub received_at: i64,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Returns the (connection, key) pairs that nobody had claimed.
pub async fn claim_keys(tx: &mut WriteTx, ctx: &Ctx, deliveries: &[Delivery]) -> Result<HashSet<(String, String)>, Error> {
    let mut keys: Vec<(String, String)> = deliveries.iter().map(|d| (d.connection.to_string(), d.dedupe.clone())).collect();
    // Sorted, so that two nodes inserting the same keys wait for each other in one direction only.
    keys.sort();
    keys.dedup();
    let mut values: Vec<Value> = Vec::with_capacity(keys.len() * 4);
    for (connection, dedupe) in &keys {
        values.extend(cells![&ctx.tenant, connection, dedupe, ctx.now_ms()]);
    }
    let sql = format!(
        "INSERT INTO inbox_key (tenant, connection, dedupe, received_at) VALUES {} ON CONFLICT DO NOTHING RETURNING connection, dedupe",
        placeholders(keys.len(), 4)
    );
    let rows = tx.fetch_built(sql, &values).await?;
    Ok(rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<_, crate::store::Error>>()?)
}

pub async fn put(tx: &mut WriteTx, ctx: &Ctx, vault: &Vault, deliveries: &[Delivery]) -> Result<(), Error> {
    if deliveries.is_empty() {
        return Ok(());
    }
    // One instant for both tables: a body is found by the day of its row.
    let now = ctx.now_ms();
    let day = now / DAY_MS;
    // A batch is mostly of one connection, and asking for a key costs as much as storing a row.
    let mut keys: HashMap<&ConnectionId, DataKey> = HashMap::new();
    let (mut rows, mut bodies): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
    for delivery in deliveries {
        let key = match keys.entry(&delivery.connection) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(vault.data_key(tx, ctx, &format!("inbox:{}:{day}", delivery.connection)).await?),
        };
        let id = DeliveryId::new(&ctx.ids);
        let sealed = vault.seal(key, &ctx.tenant, &["inbox", id.as_str()], delivery.content.packed())?;
        rows.extend(cells![&ctx.tenant, &id, &delivery.connection, &delivery.topic, delivery.lane.id(), now, "new"]);
        bodies.extend(cells![&ctx.tenant, day, &id, key.id(), sealed]);
    }
    let count = deliveries.len();
    tx.execute_built(
        format!("INSERT INTO inbox (tenant, id, connection, topic, lane, received_at, state) VALUES {}", placeholders(count, 7)),
        &rows,
    )
    .await?;
    tx.execute_built(format!("INSERT INTO inbox_body (tenant, day, id, key_id, sealed) VALUES {}", placeholders(count, 5)), &bodies)
        .await?;
    Ok(())
}

pub async fn waiting(conn: &mut impl Sql, ctx: &Ctx, vault: &Vault, lane: &LaneKey) -> Result<Vec<Recorded>, Error> {
    let rows = conn
        .fetch_all(
            "SELECT i.id, i.topic, i.received_at, b.key_id, b.sealed FROM inbox i JOIN inbox_body b ON b.tenant = i.tenant AND b.id = i.id \
             AND b.day = i.received_at / 86400000 WHERE i.tenant = $1 AND i.lane = $2 AND i.state = 'new' ORDER BY i.id LIMIT $3",
            args![&ctx.tenant, lane.id(), super::AT_ONCE as i64],
        )
        .await?;
    let mut recorded = Vec::with_capacity(rows.len());
    for row in rows {
        let (id, key, sealed): (DeliveryId, DataKeyId, Vec<u8>) = (row.get(0)?, row.get(3)?, row.get(4)?);
        let key = vault.get_data_key(conn, ctx, &key).await?;
        let content = vault.open(&key, &ctx.tenant, &["inbox", id.as_str()], &sealed)?;
        let (headers, body) = content::unpack(content.expose())?;
        recorded.push(Recorded { id, topic: row.get(1)?, received_at: row.get(2)?, headers, body });
    }
    Ok(recorded)
}

pub async fn end(tx: &mut WriteTx, ctx: &Ctx, delivery: &DeliveryId, ending: &Ending) -> Result<(), Error> {
    let (state, reason) = match ending {
        Ending::Done => ("done", None),
        Ending::Ignored(why) => ("ignored", Some(why.as_str())),
        Ending::Refused(why) => ("refused", Some(why.as_str())),
    };
    tx.execute(
        "UPDATE inbox SET state = $3, reason = $4, done_at = $5 WHERE tenant = $1 AND id = $2",
        args![&ctx.tenant, delivery, state, reason, ctx.now_ms()],
    )
    .await?;
    Ok(())
}

/// Ends everything that waits on a lane; returns how many there were.
pub async fn end_waiting(tx: &mut WriteTx, ctx: &Ctx, lane: &LaneKey, why: &str) -> Result<u64, Error> {
    let sql = "UPDATE inbox SET state = 'ignored', reason = $3, done_at = $4 WHERE tenant = $1 AND lane = $2 AND state = 'new'";
    Ok(tx.execute(sql, args![&ctx.tenant, lane.id(), why, ctx.now_ms()]).await?)
}

/// Takes the bodies of every delivery of a lane away.
pub async fn drop_lane(tx: &mut WriteTx, ctx: &Ctx, lane: &LaneKey) -> Result<(), Error> {
    let sql = "DELETE FROM inbox_body WHERE tenant = $1 AND (day, id) IN \
               (SELECT received_at / 86400000, id FROM inbox WHERE tenant = $1 AND lane = $2)";
    tx.execute(sql, args![&ctx.tenant, lane.id()]).await?;
    Ok(())
}

/// The oldest day of which bodies are kept, if it lies before `before_day`.
pub async fn oldest_day(conn: &mut impl Sql, tenant: &Tenant, before_day: i64) -> Result<Option<i64>, Error> {
    let sql = "SELECT MIN(day) FROM inbox_body WHERE tenant = $1 AND day < $2";
    Ok(conn.fetch_one(sql, args![tenant, before_day]).await?.get(0)?)
}

/// Makes the bodies of a day unreadable and takes up to so many of them away; how many went.
pub async fn drop_day(tx: &mut WriteTx, ctx: &Ctx, vault: &Vault, day: i64, limit: u32) -> Result<u64, Error> {
    let sql = "SELECT DISTINCT key_id FROM inbox_body WHERE tenant = $1 AND day = $2 ORDER BY key_id";
    for row in tx.fetch_all(sql, args![&ctx.tenant, day]).await? {
        vault.destroy_key(tx, ctx, &row.get(0)?).await?;
    }
    let sql = "UPDATE inbox SET state = 'refused', reason = $3, done_at = $4 WHERE tenant = $1 AND state = 'new' \
               AND id IN (SELECT id FROM inbox_body WHERE tenant = $1 AND day = $2)";
    let why = "its content was dropped before it could be translated: retention.delivery_body_days had passed";
    tx.execute(sql, args![&ctx.tenant, day, why, ctx.now_ms()]).await?;
    let sql = "DELETE FROM inbox_body WHERE tenant = $1 AND day = $2 \
               AND id IN (SELECT id FROM inbox_body WHERE tenant = $1 AND day = $2 ORDER BY id LIMIT $3)";
    Ok(tx.execute(sql, args![&ctx.tenant, day, limit]).await?)
}

/// A place in the order of the keys: connection and key.
pub type KeyPlace = (String, String);

/// The last of the next `limit` keys after a place.
pub async fn next_keys(conn: &mut impl Sql, tenant: &Tenant, after: &KeyPlace, limit: u32) -> Result<Option<KeyPlace>, Error> {
    let sql = "SELECT connection, dedupe FROM (SELECT connection, dedupe FROM inbox_key WHERE tenant = $1 AND (connection, dedupe) > ($2, $3) \
               ORDER BY connection, dedupe LIMIT $4) AS next ORDER BY connection DESC, dedupe DESC LIMIT 1";
    let row = conn.fetch_optional(sql, args![tenant, &after.0, &after.1, limit]).await?;
    Ok(row.map(|row| Ok::<_, crate::store::Error>((row.get(0)?, row.get(1)?))).transpose()?)
}

pub async fn forget_keys(tx: &mut WriteTx, ctx: &Ctx, after: &KeyPlace, upto: &KeyPlace, before_ms: i64) -> Result<u64, Error> {
    let sql = "DELETE FROM inbox_key WHERE tenant = $1 AND (connection, dedupe) > ($2, $3) AND (connection, dedupe) <= ($4, $5) \
               AND received_at < $6";
    Ok(tx.execute(sql, args![&ctx.tenant, &after.0, &after.1, &upto.0, &upto.1, before_ms]).await?)
}

/// Whether the content of a delivery is still there.
pub async fn has_body(conn: &mut impl Sql, tenant: &Tenant, delivery: &DeliveryId) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM inbox i JOIN inbox_body b ON b.tenant = i.tenant AND b.id = i.id AND b.day = i.received_at / 86400000 \
               WHERE i.tenant = $1 AND i.id = $2";
    Ok(conn.fetch_optional(sql, args![tenant, delivery]).await?.is_some())
}

/// Deliveries that fit and whose content is still there, oldest first, after one.
pub async fn select(
    conn: &mut impl Sql,
    tenant: &Tenant,
    filter: &Filter,
    after: Option<&DeliveryId>,
    limit: u32,
) -> Result<Vec<DeliveryId>, Error> {
    let mut values = filter.args(tenant).to_vec();
    values.extend([Value::from(after.map_or("", DeliveryId::as_str)), Value::from(limit)]);
    let sql = concat!(
        "SELECT i.id FROM inbox i JOIN inbox_body b ON b.tenant = i.tenant AND b.id = i.id AND b.day = i.received_at / 86400000 WHERE ",
        fits!(),
        " AND i.id > $7 ORDER BY i.id LIMIT $8"
    );
    Ok(conn.fetch_all(sql, &values).await?.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?)
}

pub async fn reopen(tx: &mut WriteTx, ctx: &Ctx, delivery: &DeliveryId) -> Result<Option<LaneKey>, Error> {
    let row = tx
        .fetch_optional(
            "UPDATE inbox SET state = 'new', reason = NULL, done_at = NULL WHERE tenant = $1 AND id = $2 RETURNING lane",
            args![&ctx.tenant, delivery],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(LaneKey::parse(&row.get::<String>(0)?))
}

/// Refused deliveries with one reason in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    pub connection: ConnectionId,
    pub reason: String,
    pub deliveries: i64,
    /// Orders they are about, as the channel names them.
    pub orders: BTreeSet<String>,
}

/// The most recent refused deliveries by connection and reason.
pub async fn causes(conn: &mut impl Sql, tenant: &Tenant, limit: u32) -> Result<Vec<Cause>, Error> {
    let sql = "SELECT connection, COALESCE(reason, ''), lane FROM inbox WHERE tenant = $1 AND state = 'refused' ORDER BY id DESC LIMIT $2";
    let mut causes: BTreeMap<(String, String), Cause> = BTreeMap::new();
    for row in conn.fetch_all(sql, args![tenant, limit]).await? {
        let (connection, reason, lane): (ConnectionId, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let new = || Cause { connection: connection.clone(), reason: reason.clone(), deliveries: 0, orders: BTreeSet::new() };
        let cause = causes.entry((connection.to_string(), reason.clone())).or_insert_with(new);
        cause.deliveries += 1;
        cause.orders.extend(LaneKey::parse(&lane).and_then(|lane| super::order_of(&lane).map(str::to_owned)));
    }
    Ok(causes.into_values().collect())
}

/// Ends a delivery that is not done. `None` if there is no such delivery, `false` if it was done already.
pub async fn skip(tx: &mut WriteTx, ctx: &Ctx, delivery: &DeliveryId, why: &str) -> Result<Option<bool>, Error> {
    let sql = "UPDATE inbox SET state = 'ignored', reason = $3, done_at = $4 WHERE tenant = $1 AND id = $2 AND state IN ('new', 'refused')";
    if tx.execute(sql, args![&ctx.tenant, delivery, why, ctx.now_ms()]).await? == 1 {
        return Ok(Some(true));
    }
    let known = tx.fetch_optional("SELECT 1 FROM inbox WHERE tenant = $1 AND id = $2", args![&ctx.tenant, delivery]).await?;
    Ok(known.map(|_| false))
}

/// Which deliveries are meant; `None` means any.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub connection: Option<ConnectionId>,
    /// new | done | ignored | refused
    pub state: Option<String>,
    /// Received at that instant or later.
    pub since_ms: Option<i64>,
    /// Received before that instant.
    pub until_ms: Option<i64>,
    /// Part of the reason, word for word.
    pub reason: Option<String>,
}

impl Filter {
    fn args(&self, tenant: &Tenant) -> [Value; 6] {
        [
            Value::from(tenant.as_str()),
            Value::from(self.since_ms.unwrap_or(i64::MIN)),
            Value::from(self.until_ms.unwrap_or(i64::MAX)),
            Value::from(self.connection.as_ref().map_or("", ConnectionId::as_str)),
            Value::from(self.state.as_deref().unwrap_or("")),
            Value::from(self.reason.as_deref().unwrap_or("")),
        ]
    }
}

/// One row of a list of deliveries.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Row {
    pub id: DeliveryId,
    pub connection: ConnectionId,
    pub topic: String,
    pub received_at: i64,
    pub state: String,
    pub reason: Option<String>,
    pub done_at: Option<i64>,
}

pub async fn list(
    conn: &mut impl Sql,
    tenant: &Tenant,
    filter: &Filter,
    before: Option<&DeliveryId>,
    limit: u32,
) -> Result<Vec<Row>, Error> {
    let mut values = filter.args(tenant).to_vec();
    values.extend([Value::from(before.map_or("", DeliveryId::as_str)), Value::from(limit)]);
    let sql = concat!(
        "SELECT i.id, i.connection, i.topic, i.received_at, i.state, i.reason, i.done_at FROM inbox i WHERE ",
        fits!(),
        " AND ($7 = '' OR i.id < $7) ORDER BY i.id DESC LIMIT $8"
    );
    let rows = conn.fetch_all(sql, &values).await?;
    let delivery = |row: &crate::store::Row| -> Result<Row, crate::store::Error> {
        Ok(Row {
            id: row.get(0)?,
            connection: row.get(1)?,
            topic: row.get(2)?,
            received_at: row.get(3)?,
            state: row.get(4)?,
            reason: row.get(5)?,
            done_at: row.get(6)?,
        })
    };
    Ok(rows.iter().map(delivery).collect::<Result<_, _>>()?)
}
