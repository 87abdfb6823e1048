//! All SQL on `inbox`, `inbox_key` and `inbox_body`.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use super::{Delivery, Ending, Error};
use crate::args;
use crate::ctx::{Ctx, Tenant};
use crate::id::{ConnectionId, DataKeyId, DeliveryId};
use crate::lanes::LaneKey;
use crate::secrets::{DataKey, Vault};
use crate::store::{Sql, Value, WriteTx, placeholders};

const DAY_MS: i64 = 86_400_000;

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
        values.extend_from_slice(args![&ctx.tenant, connection, dedupe, ctx.now_ms()]);
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
    let day = ctx.now_ms() / DAY_MS;
    // A batch is mostly of one connection, and asking for a key costs as much as storing a row.
    let mut keys: HashMap<&ConnectionId, DataKey> = HashMap::new();
    let (mut rows, mut bodies): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
    for delivery in deliveries {
        let key = match keys.entry(&delivery.connection) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(vault.data_key(tx, ctx, &format!("inbox:{}:{day}", delivery.connection)).await?),
        };
        let id = DeliveryId::new(&ctx.ids);
        let sealed = vault.seal(key, &ctx.tenant, &["inbox", id.as_str()], &seal_form(delivery)?)?;
        rows.extend_from_slice(args![&ctx.tenant, &id, &delivery.connection, &delivery.topic, delivery.lane.id(), ctx.now_ms(), "new"]);
        bodies.extend_from_slice(args![&ctx.tenant, day, &id, key.id(), sealed]);
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

/// Headers as one line of JSON, a line feed, then the body byte for byte.
fn seal_form(delivery: &Delivery) -> Result<Vec<u8>, Error> {
    let mut content = serde_json::to_vec(&delivery.headers)?;
    content.push(b'\n');
    content.extend_from_slice(&delivery.body);
    Ok(content)
}

fn open_form(content: &[u8]) -> Result<(Vec<(String, String)>, Vec<u8>), Error> {
    let end = content.iter().position(|byte| *byte == b'\n').unwrap_or(content.len());
    Ok((serde_json::from_slice(&content[..end])?, content.get(end + 1..).unwrap_or_default().to_vec()))
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
        let (headers, body) = open_form(content.expose())?;
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

/// Which deliveries to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub connection: Option<ConnectionId>,
    /// new | done | ignored | refused
    pub state: Option<String>,
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
    let rows = conn
        .fetch_all(
            "SELECT id, connection, topic, received_at, state, reason, done_at FROM inbox WHERE tenant = $1 AND ($2 = '' OR id < $2) \
             AND ($3 = '' OR connection = $3) AND ($4 = '' OR state = $4) ORDER BY id DESC LIMIT $5",
            args![
                tenant,
                before.map_or(String::new(), ToString::to_string),
                filter.connection.as_ref().map_or(String::new(), ToString::to_string),
                filter.state.clone().unwrap_or_default(),
                limit,
            ],
        )
        .await?;
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
