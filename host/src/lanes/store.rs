//! SQL on the table `lane`. Rows of all tenants are claimed by the same statements; everything else names its tenant.

use std::collections::HashSet;

use super::model::{Claim, End, LaneKey, LaneKind, MAX_CLAIMS, NEVER};
use super::schedule::NEXT_AT_SQL;
use crate::ctx::Tenant;
use crate::id::ConnectionId;
use crate::store::{Error, Row, Sql, Value, WriteTx, placeholders};
use crate::{args, cells};

/// Both databases use a partial index only where its condition is repeated, text for text.
macro_rules! free_and_live {
    () => {
        "claims = 0 AND quarantined_at IS NULL AND next_due < 9223372036854775807"
    };
}
macro_rules! held {
    () => {
        "claims > 0 AND quarantined_at IS NULL"
    };
}
/// The process that $2 stands for holds the lane, or left it behind.
macro_rules! mine {
    () => {
        "substr(owner, 1, length($2)) = $2"
    };
}
/// What a lane's claims come to when that process takes it now. It lives, so what it left behind is no crash.
macro_rules! claims_then {
    () => {
        concat!("claims + CASE WHEN ", mine!(), " THEN 0 ELSE 1 END")
    };
}

/// Fifteen values a row; well under the limit of parameters of either database.
const ROWS_PER_INSERT: usize = 500;

pub async fn make_due(tx: &mut WriteTx, tenant: &Tenant, lanes: &[LaneKey], at_ms: i64) -> Result<(), Error> {
    let mut lanes: Vec<(String, &LaneKey)> = lanes.iter().map(|lane| (lane.id(), lane)).collect();
    lanes.sort();
    lanes.dedup();
    let due = due_anyway(tx, tenant, &lanes, at_ms).await?;
    lanes.retain(|(id, _)| !due.contains(id));
    for chunk in lanes.chunks(ROWS_PER_INSERT) {
        let mut values = Vec::with_capacity(chunk.len() * 15);
        for (id, lane) in chunk {
            values.extend(cells![
                tenant,
                id,
                lane.flow(),
                lane.kind.as_str(),
                lane.connection_text(),
                &lane.subject,
                0i64,
                "",
                0i64,
                at_ms,
                NEVER,
                0i64,
                0i64,
                0i64,
                0i64
            ]);
        }
        // A wish that changes nothing writes nothing, yet locks the row: whoever claims it afterwards sees this work.
        let sql = format!(
            "INSERT INTO lane (tenant, id, flow, kind, connection, subject, epoch, owner, lease_until, next_due, wish_at, not_before, claims, failures, outages)
             VALUES {}
             ON CONFLICT (tenant, id) DO UPDATE SET
               wish_at = CASE WHEN lane.owner = '' THEN lane.wish_at ELSE excluded.next_due END,
               next_due = CASE WHEN lane.owner <> '' THEN lane.next_due
                               WHEN excluded.next_due < lane.not_before THEN lane.not_before
                               ELSE excluded.next_due END
             WHERE excluded.next_due < CASE WHEN lane.owner = '' THEN lane.next_due ELSE lane.wish_at END",
            placeholders(chunk.len(), 15)
        );
        tx.execute_built(sql, &values).await?;
    }
    Ok(())
}

/// Lanes on which another wish changes nothing: due, wished for, or in a back-off that no wish cuts short. They stay so until this unit of
/// work ends, and whoever claims them afterwards sees its work; many units of work may count on that at once, where waiting for one
/// another's commit would let one order at a time pass.
async fn due_anyway(tx: &mut WriteTx, tenant: &Tenant, lanes: &[(String, &LaneKey)], at_ms: i64) -> Result<HashSet<String>, Error> {
    // The lane of one record is mostly new, and nobody else asks for it.
    let lasting: Vec<&String> = lanes.iter().filter(|(_, lane)| !lane.kind.is_transient()).map(|(id, _)| id).collect();
    let mut due = HashSet::new();
    for chunk in lasting.chunks(ROWS_PER_INSERT) {
        let mut bound = Bound::new([Value::from(tenant.as_str()), Value::from(at_ms)]);
        let ids: Vec<String> = chunk.iter().map(|id| bound.add(id.as_str())).collect();
        let sql = format!(
            "SELECT id FROM lane WHERE tenant = $1 AND id IN ({}) \
             AND CASE WHEN owner <> '' THEN wish_at <= $2 ELSE next_due <= $2 OR next_due <= not_before END ORDER BY id{}",
            ids.join(", "),
            tx.dialect().keep_unclaimed()
        );
        for row in tx.fetch_built(sql, &bound.0).await? {
            due.insert(row.get(0)?);
        }
    }
    Ok(due)
}

/// What a runner can see without claiming anything.
pub struct Due {
    /// Flows that have free lanes waiting, with the earliest due time of each.
    pub flows: Vec<(LaneKind, String, i64)>,
    /// Earliest end of a lease.
    pub expires_at: i64,
    /// Next fire of a schedule.
    pub fires_at: i64,
}

/// Cost grows with the number of flows that wait for anything, not with the number of lanes.
pub async fn due(conn: &mut impl Sql, suspects: &Suspects) -> Result<Due, Error> {
    let rows = conn
        .fetch_all(
            concat!(
                "WITH RECURSIVE f (flow) AS (
                   SELECT MIN(flow) FROM lane WHERE ",
                free_and_live!(),
                "
                   UNION ALL
                   SELECT (SELECT MIN(lane.flow) FROM lane WHERE lane.flow > f.flow AND ",
                free_and_live!(),
                ") FROM f WHERE f.flow IS NOT NULL)
                 SELECT f.flow, (SELECT MIN(next_due) FROM lane WHERE lane.flow = f.flow AND ",
                free_and_live!(),
                ")
                 FROM f WHERE f.flow IS NOT NULL"
            ),
            &[],
        )
        .await?;
    let mut flows = Vec::with_capacity(rows.len());
    for row in rows {
        let flow: String = row.get(0)?;
        // A kind unknown here belongs to another version of the program that shares the database.
        let kind = flow.split_once('/').and_then(|(kind, _)| LaneKind::parse(kind));
        if let (Some(kind), Some(at)) = (kind, row.get::<Option<i64>>(1)?) {
            flows.push((kind, flow, at));
        }
    }
    let mut bound = Bound::new([Value::from(NEVER), Value::from(suspects.process.as_str())]);
    let passed_over = if suspects.last_try { String::new() } else { format!(" AND {} <> {MAX_CLAIMS}", claims_then!()) };
    let sql = format!("SELECT (SELECT MIN(next_due) FROM lane WHERE {}{passed_over}), {NEXT_AT_SQL}", suspects.sql(&mut bound));
    let row = conn.fetch_built(sql, &bound.0).await?.into_iter().next();
    let at = |column: usize| row.as_ref().map_or(Ok(None), |row| row.get::<Option<i64>>(column)).map(|at| at.unwrap_or(NEVER));
    Ok(Due { flows, expires_at: at(0)?, fires_at: at(1)? })
}

/// Parameters of a statement that is put together.
struct Bound(Vec<Value>);

impl Bound {
    fn new(first: impl Into<Vec<Value>>) -> Self {
        Self(first.into())
    }

    fn add(&mut self, value: impl Into<Value>) -> String {
        self.0.push(value.into());
        format!("${}", self.0.len())
    }
}

/// Which lanes a runner may take whose lease ran out, though they are held.
#[derive(Clone, Debug)]
pub struct Suspects {
    /// The runner's own process: how the owners of all its claims begin.
    pub process: String,
    pub kinds: Vec<LaneKind>,
    /// Those of other processes too. Its own it may always take.
    pub of_others: bool,
    /// How many that may be tried once more after this.
    pub more: usize,
    /// If there are none of those, one that may not.
    pub last_try: bool,
}

impl Suspects {
    pub fn is_empty(&self) -> bool {
        self.more == 0 && !self.last_try
    }

    pub fn at_most(self, places: usize) -> Self {
        Self { more: self.more.min(places), last_try: self.last_try && places > 0, ..self }
    }

    /// A condition; $1 is the latest end of a lease, $2 the process.
    fn sql(&self, bound: &mut Bound) -> String {
        let kinds: Vec<String> = self.kinds.iter().map(|kind| bound.add(kind.as_str())).collect();
        let whose = if self.of_others { String::new() } else { format!(" AND {}", mine!()) };
        format!("{} AND next_due <= $1 AND kind IN ({}){whose}", held!(), kinds.join(", "))
    }
}

/// Quarantines lanes whose last allowed claim another process died over; returns tenant and id of each.
pub async fn quarantine_crashed(tx: &mut WriteTx, process: &str, now_ms: i64) -> Result<Vec<(String, String)>, Error> {
    let reason = format!("the process ended {MAX_CLAIMS} times while this lane was running");
    let rows = tx
        .fetch_all(
            concat!(
                "UPDATE lane SET quarantined_at = $1, reason = $3, owner = '', lease_until = 0, wish_at = $4
                 WHERE ",
                held!(),
                " AND next_due <= $1 AND ",
                claims_then!(),
                " > $5 RETURNING tenant, id"
            ),
            args![now_ms, process, reason, NEVER, MAX_CLAIMS],
        )
        .await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Claims up to so many lanes of each flow, and as many suspects as it may. `claim` tells these claims from others of the process.
pub async fn claim(
    tx: &mut WriteTx,
    claim: &str,
    now_ms: i64,
    lease_ms: i64,
    flows: &[(String, usize)],
    suspects: &Suspects,
) -> Result<Vec<Claim>, Error> {
    let owner = format!("{}{claim}", suspects.process);
    let mut bound = Bound::new([Value::from(now_ms), Value::from(suspects.process.as_str())]);
    let skip = tx.dialect().skip_locked();
    let mut picks: Vec<String> = Vec::new();
    for (flow, slots) in flows {
        let (flow, slots) = (bound.add(flow.as_str()), bound.add(i64::try_from(*slots).unwrap_or(1)));
        picks.push(format!(
            "SELECT tenant, id FROM lane WHERE flow = {flow} AND next_due <= $1 AND {} ORDER BY next_due LIMIT {slots}{skip}",
            free_and_live!()
        ));
    }
    let left = if suspects.is_empty() { String::new() } else { suspects.sql(&mut bound) };
    let mut alone = String::new();
    if suspects.more > 0 {
        alone = format!(" AND NOT EXISTS (SELECT 1 FROM p{})", picks.len());
        picks.push(format!(
            "SELECT tenant, id FROM lane WHERE {left} AND {} < {MAX_CLAIMS} ORDER BY next_due LIMIT {}{skip}",
            claims_then!(),
            suspects.more
        ));
    }
    if suspects.last_try {
        picks.push(format!(
            "SELECT tenant, id FROM lane WHERE {left} AND {} = {MAX_CLAIMS}{alone} ORDER BY next_due LIMIT 1{skip}",
            claims_then!()
        ));
    }
    if picks.is_empty() {
        return Ok(Vec::new());
    }
    // Materialised, because PostgreSQL may otherwise run an inner select with LIMIT more than once.
    let parts: Vec<String> = picks.iter().enumerate().map(|(n, sql)| format!("p{n} (t, i) AS MATERIALIZED ({sql})")).collect();
    let union: Vec<String> = (0..picks.len()).map(|n| format!("SELECT t, i FROM p{n}")).collect();
    let (new_owner, lease_until, no_wish) = (bound.add(owner.as_str()), bound.add(now_ms.saturating_add(lease_ms)), bound.add(NEVER));
    let sql = format!(
        "WITH {} UPDATE lane SET epoch = epoch + 1, owner = {new_owner}, claims = {}, lease_until = {lease_until}, next_due = {lease_until},
           wish_at = {no_wish}
         FROM ({}) AS picked WHERE tenant = t AND id = i RETURNING tenant, id, epoch, claims, failures, outages",
        parts.join(", "),
        claims_then!(),
        union.join(" UNION ALL ")
    );
    tx.fetch_built(sql, &bound.0).await?.iter().map(|row| to_claim(row, &owner)).collect()
}

fn to_claim(row: &Row, owner: &str) -> Result<Claim, Error> {
    let tenant: String = row.get(0)?;
    Ok(Claim::new(Tenant::named(&tenant), key(row, 1)?, row.get(2)?, owner.to_owned(), row.get(3)?, (row.get(4)?, row.get(5)?)))
}

fn key(row: &Row, column: usize) -> Result<LaneKey, Error> {
    let id: String = row.get(column)?;
    LaneKey::parse(&id).ok_or_else(|| Error::Shape { column, found: format!("`{id}` instead of a lane's id") })
}

/// Whether the claim still holds its lane; if so, nobody can change that before this unit of work ends.
pub async fn holds(tx: &mut WriteTx, claim: &Claim) -> Result<bool, Error> {
    let sql = format!("SELECT 1 FROM lane WHERE tenant = $1 AND id = $2 AND epoch = $3 AND owner = $4{}", tx.dialect().for_update());
    Ok(!tx.fetch_built(sql, args![claim.tenant(), claim.key().id(), claim.epoch(), claim.owner()]).await?.is_empty())
}

/// `false` when the claim does not hold its lane any more.
pub async fn finish(tx: &mut WriteTx, claim: &Claim, end: &End) -> Result<bool, Error> {
    let id = claim.key().id();
    if end.removable && claim.key().kind.is_transient() {
        let removed = tx
            .execute(
                "DELETE FROM lane WHERE tenant = $1 AND id = $2 AND epoch = $3 AND owner = $4 AND wish_at = $5",
                args![claim.tenant(), &id, claim.epoch(), claim.owner(), NEVER],
            )
            .await?;
        if removed == 1 {
            return Ok(true);
        }
    }
    let changed = tx
        .execute(
            "UPDATE lane SET owner = '', lease_until = 0, claims = 0, failures = $5, not_before = $6, quarantined_at = $7, reason = $8, outages = $11,
               next_due = CASE WHEN wish_at >= $9 THEN $9 WHEN wish_at < $6 THEN $6 ELSE wish_at END, wish_at = $10
             WHERE tenant = $1 AND id = $2 AND epoch = $3 AND owner = $4",
            args![
                claim.tenant(),
                id,
                claim.epoch(),
                claim.owner(),
                end.failures,
                end.not_before,
                end.quarantined_at,
                end.reason.as_deref(),
                end.next_due,
                NEVER,
                end.outages
            ],
        )
        .await?;
    Ok(changed == 1)
}

/// Extends the leases that are still held; returns the lanes of `claims` that were lost.
pub async fn renew(tx: &mut WriteTx, claims: &[Claim], now_ms: i64, lease_ms: i64) -> Result<Vec<Claim>, Error> {
    let mut owners: Vec<&str> = claims.iter().map(Claim::owner).collect();
    owners.sort_unstable();
    owners.dedup();
    let mut kept = HashSet::new();
    for chunk in owners.chunks(ROWS_PER_INSERT) {
        let mut values = vec![Value::from(now_ms.saturating_add(lease_ms))];
        values.extend(chunk.iter().map(|owner| Value::from(*owner)));
        let list: Vec<String> = (2..chunk.len() + 2).map(|n| format!("${n}")).collect();
        // Locked in the order of their ids, like everybody who takes several lanes.
        let sql = format!(
            "WITH mine (t, i) AS MATERIALIZED (SELECT tenant, id FROM lane WHERE {} AND owner IN ({}) ORDER BY tenant, id{})
             UPDATE lane SET lease_until = $1, next_due = $1 FROM mine WHERE tenant = t AND id = i RETURNING tenant, id, epoch",
            held!(),
            list.join(", "),
            tx.dialect().for_update()
        );
        for row in tx.fetch_built(sql, &values).await? {
            kept.insert((row.get::<String>(0)?, row.get::<String>(1)?, row.get::<i64>(2)?));
        }
    }
    Ok(claims.iter().filter(|c| !kept.contains(&(c.tenant().as_str().to_owned(), c.key().id(), c.epoch()))).cloned().collect())
}

pub async fn release(tx: &mut WriteTx, tenant: &Tenant, lane: &LaneKey, now_ms: i64) -> Result<bool, Error> {
    let changed = tx
        .execute(
            "UPDATE lane SET quarantined_at = NULL, reason = NULL, not_before = 0, failures = 0, outages = 0,
               claims = CASE WHEN owner = '' THEN 0 ELSE claims END,
               wish_at = CASE WHEN owner = '' THEN wish_at ELSE $3 END,
               next_due = CASE WHEN owner = '' THEN $3 ELSE next_due END
             WHERE tenant = $1 AND id = $2",
            args![tenant, lane.id(), now_ms],
        )
        .await?;
    Ok(changed == 1)
}

pub async fn answers_again(tx: &mut WriteTx, tenant: &Tenant, connection: &ConnectionId, now_ms: i64) -> Result<u64, Error> {
    tx.execute(
        "UPDATE lane SET not_before = 0, next_due = $3
         WHERE tenant = $1 AND connection = $2 AND outages > 0 AND owner = '' AND quarantined_at IS NULL AND next_due > $3",
        args![tenant, connection, now_ms],
    )
    .await
}

/// Which quarantined lanes are meant; `None` means any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quarantined {
    pub connection: Option<ConnectionId>,
    pub kind: Option<LaneKind>,
    /// Quarantined at that instant or later.
    pub since_ms: Option<i64>,
    /// Quarantined before that instant.
    pub until_ms: Option<i64>,
    /// Part of the reason, word for word.
    pub reason: Option<String>,
}

/// A condition that takes the parameters 2 to 6 from [`Quarantined::args`]. `replace` finds a part alike in both databases, where
/// LIKE differs in its case.
macro_rules! fits {
    () => {
        "tenant = $1 AND quarantined_at >= $2 AND quarantined_at < $3 AND (connection = $4 OR $4 = '') AND (kind = $5 OR $5 = '') \
         AND ($6 = '' OR replace(COALESCE(reason, ''), $6, '') <> COALESCE(reason, ''))"
    };
}

impl Quarantined {
    fn args(&self, tenant: &Tenant) -> [Value; 6] {
        [
            Value::from(tenant.as_str()),
            Value::from(self.since_ms.unwrap_or(0)),
            Value::from(self.until_ms.unwrap_or(i64::MAX)),
            Value::from(self.connection.as_ref().map_or("", ConnectionId::as_str)),
            Value::from(self.kind.map_or("", LaneKind::as_str)),
            Value::from(self.reason.as_deref().unwrap_or("")),
        ]
    }
}

pub async fn release_quarantined(tx: &mut WriteTx, tenant: &Tenant, which: &Quarantined, now_ms: i64) -> Result<u64, Error> {
    let mut values = which.args(tenant).to_vec();
    values.push(Value::from(now_ms));
    let sql = concat!(
        "UPDATE lane SET quarantined_at = NULL, reason = NULL, not_before = 0, failures = 0, outages = 0, claims = 0, next_due = $7 WHERE ",
        fits!()
    );
    tx.execute(sql, &values).await
}

/// `false` when there is no such lane or a handler is at work on it.
pub async fn forget(tx: &mut WriteTx, tenant: &Tenant, lane: &LaneKey) -> Result<bool, Error> {
    Ok(tx.execute("DELETE FROM lane WHERE tenant = $1 AND id = $2 AND owner = ''", args![tenant, lane.id()]).await? == 1)
}

pub async fn remove_connection(tx: &mut WriteTx, tenant: &Tenant, connection: &ConnectionId) -> Result<u64, Error> {
    tx.execute("DELETE FROM lane WHERE tenant = $1 AND connection = $2", args![tenant, connection]).await
}

/// One lane as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    pub key: LaneKey,
    pub running: bool,
    /// [`NEVER`] when nothing is waiting; the end of the lease while it runs.
    pub next_due: i64,
    pub claims: i64,
    pub failures: i64,
    pub quarantined_at: Option<i64>,
    /// Why the last run failed or the lane is quarantined.
    pub reason: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Filter {
    All,
    Quarantined,
    /// Failed at least once in a row, quarantined ones included.
    Failing,
}

pub async fn list(conn: &mut impl Sql, tenant: &Tenant, filter: Filter, after: Option<&str>, limit: u32) -> Result<Vec<Lane>, Error> {
    macro_rules! select {
        ($condition:literal) => {
            concat!(
                "SELECT id, owner, next_due, claims, failures, quarantined_at, reason FROM lane WHERE tenant = $1 AND id > $2 ",
                $condition,
                " ORDER BY id LIMIT $3"
            )
        };
    }
    let sql = match filter {
        Filter::All => select!(""),
        Filter::Quarantined => select!("AND quarantined_at IS NOT NULL"),
        Filter::Failing => select!("AND (failures > 0 OR quarantined_at IS NOT NULL)"),
    };
    conn.fetch_all(sql, args![tenant, after.unwrap_or(""), limit]).await?.iter().map(lane).collect()
}

pub async fn find(conn: &mut impl Sql, tenant: &Tenant, key: &LaneKey) -> Result<Option<Lane>, Error> {
    let sql = "SELECT id, owner, next_due, claims, failures, quarantined_at, reason FROM lane WHERE tenant = $1 AND id = $2";
    conn.fetch_optional(sql, args![tenant, key.id()]).await?.as_ref().map(lane).transpose()
}

pub async fn list_quarantined(
    conn: &mut impl Sql,
    tenant: &Tenant,
    which: &Quarantined,
    after: &str,
    limit: u32,
) -> Result<Vec<Lane>, Error> {
    let mut values = which.args(tenant).to_vec();
    values.extend([Value::from(after), Value::from(limit)]);
    let sql = concat!(
        "SELECT id, owner, next_due, claims, failures, quarantined_at, reason FROM lane WHERE ",
        fits!(),
        " AND id > $7 ORDER BY id LIMIT $8"
    );
    conn.fetch_all(sql, &values).await?.iter().map(lane).collect()
}

fn lane(row: &Row) -> Result<Lane, Error> {
    Ok(Lane {
        key: key(row, 0)?,
        running: !row.get::<String>(1)?.is_empty(),
        next_due: row.get(2)?,
        claims: row.get(3)?,
        failures: row.get(4)?,
        quarantined_at: row.get(5)?,
        reason: row.get(6)?,
    })
}

/// Counts of the lanes of one kind and connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    pub kind: LaneKind,
    pub connection: Option<ConnectionId>,
    pub due: u64,
    pub waiting: u64,
    pub running: u64,
    pub failing: u64,
    pub quarantined: u64,
    /// Since when the longest waiting lane is due.
    pub oldest_due_at: Option<i64>,
}

pub async fn overview(conn: &mut impl Sql, tenant: &Tenant, now_ms: i64) -> Result<Vec<Flow>, Error> {
    let rows = conn
        .fetch_all(
            concat!(
                "SELECT kind, connection,
                   SUM(CASE WHEN ",
                free_and_live!(),
                " AND next_due <= $2 THEN 1 ELSE 0 END),
                   SUM(CASE WHEN ",
                free_and_live!(),
                " AND next_due > $2 THEN 1 ELSE 0 END),
                   SUM(CASE WHEN owner <> '' THEN 1 ELSE 0 END),
                   SUM(CASE WHEN failures > 0 AND quarantined_at IS NULL THEN 1 ELSE 0 END),
                   SUM(CASE WHEN quarantined_at IS NOT NULL THEN 1 ELSE 0 END),
                   MIN(CASE WHEN ",
                free_and_live!(),
                " AND next_due <= $2 THEN next_due END)
                 FROM lane WHERE tenant = $1 GROUP BY kind, connection ORDER BY kind, connection"
            ),
            args![tenant, now_ms],
        )
        .await?;
    let mut flows = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(kind) = LaneKind::parse(&row.get::<String>(0)?) else { continue };
        let count = |column: usize| row.get::<i64>(column).map(i64::unsigned_abs);
        flows.push(Flow {
            kind,
            connection: ConnectionId::parse(&row.get::<String>(1)?).ok(),
            due: count(2)?,
            waiting: count(3)?,
            running: count(4)?,
            failing: count(5)?,
            quarantined: count(6)?,
            oldest_due_at: row.get(7)?,
        });
    }
    Ok(flows)
}

/// Failing and quarantined lanes that have one reason in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    pub kind: LaneKind,
    pub connection: Option<ConnectionId>,
    pub reason: String,
    pub lanes: u64,
    pub quarantined: u64,
}

pub async fn causes(conn: &mut impl Sql, tenant: &Tenant) -> Result<Vec<Cause>, Error> {
    let rows = conn
        .fetch_all(
            "SELECT kind, connection, COALESCE(reason, ''), COUNT(*), SUM(CASE WHEN quarantined_at IS NULL THEN 0 ELSE 1 END)
             FROM lane WHERE tenant = $1 AND (failures > 0 OR quarantined_at IS NOT NULL)
             GROUP BY kind, connection, COALESCE(reason, '') ORDER BY 4 DESC, 1, 2, 3",
            args![tenant],
        )
        .await?;
    let mut causes = Vec::with_capacity(rows.len());
    for row in rows {
        let Some(kind) = LaneKind::parse(&row.get::<String>(0)?) else { continue };
        let count = |column: usize| row.get::<i64>(column).map(i64::unsigned_abs);
        let connection = ConnectionId::parse(&row.get::<String>(1)?).ok();
        causes.push(Cause { kind, connection, reason: row.get(2)?, lanes: count(3)?, quarantined: count(4)? });
    }
    Ok(causes)
}
