//! Series as tables, remembered by version.
//!
//! A version is a digest over the rates themselves, so a remembered table can never be the wrong one, whichever database or
//! merchant it was made for. A daily fixing makes one new table; the one before it is forgotten when room is needed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::model::Series;
use super::{Error, store};
use crate::ctx::Tenant;
use crate::store::Sql;
use entrepot_crossborder::fx::RateTable;

/// Tables kept. The ECB's whole history takes some 7 MB.
const KEPT: usize = 16;
/// How often a table that changes while it is read is read again.
const ATTEMPTS: usize = 3;

static TABLES: Mutex<VecDeque<(String, Arc<RateTable>)>> = Mutex::new(VecDeque::new());

fn remembered(version: &str) -> Option<Arc<RateTable>> {
    let mut tables = TABLES.lock().unwrap_or_else(PoisonError::into_inner);
    let at = tables.iter().position(|(known, _)| known == version)?;
    let entry = tables.remove(at)?;
    let table = entry.1.clone();
    tables.push_back(entry);
    Some(table)
}

fn remember(version: &str, table: &Arc<RateTable>) {
    let mut tables = TABLES.lock().unwrap_or_else(PoisonError::into_inner);
    if tables.iter().any(|(known, _)| known == version) {
        return;
    }
    if tables.len() >= KEPT {
        tables.pop_front();
    }
    tables.push_back((version.to_owned(), table.clone()));
}

pub async fn of(conn: &mut impl Sql, tenant: &Tenant, series: &Series) -> Result<Arc<RateTable>, Error> {
    if let Some(table) = remembered(&series.version) {
        return Ok(table);
    }
    let mut series = series.clone();
    for _ in 0..ATTEMPTS {
        let table = Arc::new(load(conn, tenant, &series, i64::MAX).await?);
        let now = super::get_series(conn, tenant, &series.key).await?;
        if now.version == series.version {
            remember(&series.version, &table);
            return Ok(table);
        }
        // Rates were added meanwhile: what was read is newer than the version it would be remembered under.
        series = now;
    }
    Ok(Arc::new(load(conn, tenant, &series, i64::MAX).await?))
}

/// What was known at `known_at_ms`.
pub async fn load(conn: &mut impl Sql, tenant: &Tenant, series: &Series, known_at_ms: i64) -> Result<RateTable, Error> {
    let mut table = RateTable::new(&series.title, series.key.kind, series.key.base);
    let mut after = None;
    loop {
        let rows = store::rows_after(conn, tenant, &series.key, known_at_ms, after.as_ref()).await?;
        // Revisions of a day follow each other, so the last one stays.
        for row in &rows {
            table.insert(row.published_on, &row.quote, row.value)?;
        }
        match rows.into_iter().last() {
            Some(last) => after = Some(last),
            None => return Ok(table),
        }
    }
}
