//! How far the reading of a stream has come, when it will be through, and who stopped it.
//!
//! An import is the first reading of a stream, or a later one that takes more than a page: what fits one page is none. Where
//! it goes on is the stream's cursor; what is written here goes into the unit of work that stores page and cursor, so both tell
//! the same after a crash. It is paused between two pages and keeps its cursor. A pause holds an unfinished import only: the
//! polls after it go on.

use super::guards::Scope;
use super::{Error, listings_lane, poll_lane, store};
use crate::connections::{self, Connection};
use crate::ctx::{Ctx, Tenant};
use crate::id::ConnectionId;
use crate::lanes::{self, Lane, LaneKey};
use crate::page::{MAX_LIMIT, PageRequest};
use crate::store::{Sql, WriteTx};

/// A channel may ask for a longer pause than this, but a slip must not silence a stream.
const AGAIN_CAP_MS: i64 = 3_600_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    pub connection: ConnectionId,
    pub stream: String,
    pub began_at: i64,
    /// Records read, those that could not be taken among them.
    pub done: i64,
    /// In all, as the channel estimates.
    pub total: Option<i64>,
    /// Time in which records came: pauses and waiting for an export are left out.
    pub spent_ms: i64,
    pub read_at: i64,
    /// 0 when nothing is waited for.
    pub again_at: i64,
    pub finished_at: Option<i64>,
}

/// What a page was, beside its records.
#[derive(Clone, Copy, Debug)]
pub struct Turned {
    /// When it was asked for.
    pub asked_at: i64,
    pub records: usize,
    pub more: bool,
    pub total: Option<u64>,
    pub again_after_ms: Option<u32>,
}

impl Turned {
    /// When the next page may be asked for.
    pub fn again_at(&self, now_ms: i64) -> i64 {
        now_ms.saturating_add(i64::from(self.again_after_ms.unwrap_or(0)).min(AGAIN_CAP_MS))
    }

    fn counted(&self) -> i64 {
        i64::try_from(self.records).unwrap_or(i64::MAX)
    }

    /// Whether the channel has more than this page, and not only something else to look through.
    fn is_beginning(&self) -> bool {
        let total = self.total.map(|total| i64::try_from(total).unwrap_or(i64::MAX));
        self.more && total.is_none_or(|total| total > self.counted())
    }
}

impl Import {
    fn begun(connection: &ConnectionId, stream: &str, at_ms: i64) -> Self {
        let (connection, stream) = (connection.clone(), stream.to_owned());
        Self { connection, stream, began_at: at_ms, done: 0, total: None, spent_ms: 0, read_at: at_ms, again_at: 0, finished_at: None }
    }

    fn turn(&mut self, page: &Turned, now_ms: i64) {
        if page.records > 0 {
            self.spent_ms = self.spent_ms.saturating_add((now_ms - self.read_at).max(0));
        }
        self.done = self.done.saturating_add(page.counted());
        self.total = page.total.map(|total| i64::try_from(total).unwrap_or(i64::MAX)).or(self.total);
        self.read_at = now_ms;
        self.again_at = page.again_after_ms.map_or(0, |_| page.again_at(now_ms));
        self.finished_at = (!page.more).then_some(now_ms);
    }

    /// What is behind us, in whole per cent; an estimate that was overtaken is 99 until the end.
    pub fn per_cent(&self) -> Option<i64> {
        if self.finished_at.is_some() {
            return Some(100);
        }
        let total = self.total.filter(|total| *total > 0)?;
        i64::try_from(i128::from(self.done) * 100 / i128::from(total)).ok().map(|per_cent| per_cent.min(99))
    }

    /// Records in a minute, so far.
    pub fn per_minute(&self) -> Option<i64> {
        i64::try_from((i128::from(self.done) * 60_000).checked_div(i128::from(self.spent_ms))?).ok()
    }

    /// When it will be through if it goes on as it did.
    pub fn ends_at(&self, now_ms: i64) -> Option<i64> {
        let left = self.total?.checked_sub(self.done).filter(|left| *left > 0 && self.finished_at.is_none())?;
        let needed = (i128::from(left) * i128::from(self.spent_ms)).checked_div(i128::from(self.done)).filter(|needed| *needed > 0)?;
        now_ms.max(self.again_at).checked_add(i64::try_from(needed).ok()?)
    }
}

/// The streams that are imported, and on which lane.
fn lanes_of(connection: &ConnectionId) -> [(&'static str, LaneKey); 2] {
    [(super::listings::STREAM, listings_lane(connection)), (super::poll::STREAM, poll_lane(connection))]
}

/// In the unit of work that stores the page.
pub async fn turned(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId, stream: &str, page: &Turned) -> Result<(), Error> {
    let mut import = match store::find_import(tx, &ctx.tenant, connection, stream).await? {
        Some(open) if open.finished_at.is_none() => open,
        Some(_) if !page.is_beginning() => return Ok(()),
        _ => Import::begun(connection, stream, page.asked_at),
    };
    import.turn(page, ctx.now_ms());
    store::put_import(tx, ctx, &import).await
}

/// Whether a person stopped this stream's import.
pub async fn is_held(conn: &mut impl Sql, tenant: &Tenant, connection: &ConnectionId, stream: &str) -> Result<bool, Error> {
    if !lanes_of(connection).iter().any(|(known, _)| *known == stream)
        || !store::is_paused(conn, tenant, Scope::Import, connection.as_str()).await?
    {
        return Ok(false);
    }
    Ok(store::find_import(conn, tenant, connection, stream).await?.is_none_or(|import| import.finished_at.is_none()))
}

/// What a pause held goes on; what is through is not read again for that.
pub(super) async fn resume(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId) -> Result<(), Error> {
    let known = store::imports(tx, &ctx.tenant, Some(connection)).await?;
    let mut due = Vec::new();
    for (stream, lane) in lanes_of(connection) {
        let is_through = known.iter().any(|import| import.stream == stream && import.finished_at.is_some());
        // A stream without a lane is one that the connector does not bring.
        if !is_through && lanes::find(tx, ctx, &lane).await?.is_some() {
            due.push(lane);
        }
    }
    due.sort();
    lanes::make_due_many(tx, ctx, &due, ctx.now_ms()).await?;
    store::restart_clock(tx, ctx, connection).await
}

/// The connection reads again: the time in which it did not is not counted.
pub async fn resumed(tx: &mut WriteTx, ctx: &Ctx, connection: &ConnectionId) -> Result<(), Error> {
    store::restart_clock(tx, ctx, connection).await
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Running,
    /// For the channel: for an export, a rate limit, or the end of an outage.
    Waiting,
    Paused,
    Done,
}

/// An import as people see it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub import: Import,
    pub connection: Connection,
    pub state: State,
    /// Why it does not go on by itself, or not now.
    pub problem: Option<String>,
}

/// Of one connection or of all; those too that nothing was read of yet.
pub async fn list(conn: &mut impl Sql, ctx: &Ctx, connection: Option<&ConnectionId>) -> Result<Vec<Seen>, Error> {
    let (mut seen, mut request) = (Vec::new(), PageRequest::first(MAX_LIMIT));
    let mut known = store::imports(conn, &ctx.tenant, connection).await?;
    loop {
        let page = connections::list(conn, &ctx.tenant, &request).await?;
        for of in page.items.into_iter().filter(|of| connection.is_none_or(|id| *id == of.id)) {
            for (stream, key) in lanes_of(&of.id) {
                let lane = lanes::find(conn, ctx, &key).await?;
                let begun = known.iter().position(|import| import.connection == of.id && import.stream == stream);
                let import = match (begun, &lane) {
                    (Some(at), _) => known.swap_remove(at),
                    (None, Some(_)) => Import::begun(&of.id, stream, of.created_at),
                    (None, None) => continue,
                };
                let held = !of.may_read() || is_held(conn, &ctx.tenant, &of.id, stream).await?;
                seen.push(view(import, of.clone(), lane, held, ctx.now_ms()));
            }
        }
        match page.next_cursor {
            Some(cursor) => request.cursor = Some(cursor),
            None => return Ok(seen),
        }
    }
}

fn view(import: Import, connection: Connection, lane: Option<Lane>, held: bool, now_ms: i64) -> Seen {
    let state = state(&import, lane.as_ref(), held, now_ms);
    let problem = lane.filter(|_| matches!(state, State::Running | State::Waiting)).and_then(problem);
    Seen { import, connection, state, problem }
}

fn state(import: &Import, lane: Option<&Lane>, held: bool, now_ms: i64) -> State {
    let waits = |lane: &Lane| lane.quarantined_at.is_some() || (!lane.running && lane.next_due > now_ms);
    match import.finished_at {
        Some(_) => State::Done,
        None if held => State::Paused,
        None if import.again_at > now_ms || lane.is_some_and(waits) => State::Waiting,
        None => State::Running,
    }
}

fn problem(lane: Lane) -> Option<String> {
    let reason = lane.reason.filter(|_| lane.failures > 0 || lane.quarantined_at.is_some())?;
    Some(match lane.quarantined_at {
        Some(_) => format!("{reason}; hint: `entrepot sync retry {}`", lane.key),
        None => reason,
    })
}

#[cfg(test)]
mod tests;
