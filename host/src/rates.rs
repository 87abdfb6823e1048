//! Exchange rates as facts: what a source published, on which day, and since when we know it.
//!
//! A *series* holds the rates of one source, of one kind, for one base currency: units of another currency per one unit of the
//! base, exact decimals. Nothing in it is changed or deleted. A value that differs from the one we had for its day is a
//! correction: a row of its own with the next revision, so that [`table_known_at`] still answers as we would have answered then.
//!
//! Who needs a rate says what for ([`Purpose`]); the merchant says which series answers and how old its rates may be
//! ([`set_use`]). [`table`] hands out the whole series as the pure table that `entrepot_crossborder` looks up in. It is cheap
//! enough to call for every quote: tables are remembered by the version of their series, which depends on nothing but the rates.
//! A hub that never recorded any rate gets the ones that came with it, of the ECB and of a known age.

mod error;
mod file;
mod model;
mod snapshots;
mod store;

use std::sync::Arc;

use jiff::civil::Date;

pub use error::Error;
pub use file::{File, OWN_TITLE, read as read_file};
pub use model::{Book, OWN, Observation, Purpose, Rate, Recorded, Row, Series, SeriesKey, Use, built_in, check_code, parse_kind};

use crate::ctx::{Ctx, Tenant};
use crate::money::Currency;
use crate::page::{Page, PageRequest};
use crate::store::{Sql, WriteTx};
use entrepot_crossborder::fx::RateTable;

/// Observations that are recorded in one unit of work at most; more would keep other writers waiting.
pub const AT_ONCE: usize = 5_000;

/// Records what a source published. What is known already changes nothing; what differs from the value known for its day is
/// kept beside it as a correction. `title` is how the source wants to be named.
pub async fn record(tx: &mut WriteTx, ctx: &Ctx, series: &SeriesKey, title: &str, observations: &[Observation]) -> Result<Recorded, Error> {
    let observations = model::checked(series, observations)?;
    if observations.is_empty() {
        return Ok(Recorded::default());
    }
    store::open(tx, ctx, series, title).await?;
    let mut recorded = Recorded::default();
    let mut added = Vec::new();
    for chunk in observations.chunks(store::ROWS_AT_ONCE) {
        let known = store::current(tx, &ctx.tenant, series, chunk).await?;
        let mut rows = Vec::with_capacity(chunk.len());
        for observation in chunk {
            let revision = match known.get(&(observation.quote.clone(), observation.published_on)) {
                Some((_, value)) if *value == observation.value => {
                    recorded.unchanged += 1;
                    continue;
                }
                Some((revision, _)) => {
                    recorded.corrected += 1;
                    revision + 1
                }
                None => {
                    recorded.new += 1;
                    1
                }
            };
            rows.push((observation, revision));
        }
        store::insert(tx, ctx, series, &rows).await?;
        added.extend(rows);
    }
    if !added.is_empty() {
        store::advance(tx, ctx, series, &added).await?;
    }
    Ok(recorded)
}

/// Says that what was recorded of a source reaches up to its present. From then on its series may answer.
pub async fn ready(tx: &mut WriteTx, ctx: &Ctx, source: &str) -> Result<(), Error> {
    store::mark_ready(tx, ctx, source).await
}

/// The rates that answer for a purpose, and how old one may be. Cheap: see the head of this room.
pub async fn table(conn: &mut impl Sql, tenant: &Tenant, purpose: Purpose) -> Result<Book, Error> {
    let wanted = use_of(conn, tenant, purpose).await?;
    let series = match wanted.series {
        Some(key) => Some(get_series(conn, tenant, &key).await?),
        None => store::first_of_middle_rates(conn, tenant).await?,
    };
    match series {
        Some(series) => Ok(Book {
            table: snapshots::of(conn, tenant, &series).await?,
            series: series.key,
            version: series.version,
            built_in: false,
            max_age_days: wanted.max_age_days,
        }),
        None => model::built_in_book(wanted.max_age_days),
    }
}

/// One series as a table, whatever it is used for.
pub async fn table_of(conn: &mut impl Sql, tenant: &Tenant, key: &SeriesKey) -> Result<Arc<RateTable>, Error> {
    let series = get_series(conn, tenant, key).await?;
    snapshots::of(conn, tenant, &series).await
}

/// A series as we knew it at an instant, later corrections left out. Not remembered: for questions about the past.
pub async fn table_known_at(conn: &mut impl Sql, tenant: &Tenant, key: &SeriesKey, at_ms: i64) -> Result<RateTable, Error> {
    let series = get_series(conn, tenant, key).await?;
    snapshots::load(conn, tenant, &series, at_ms).await
}

/// The newest rate of a purpose for a pair on `today`, whatever its age, with the day it is of.
pub async fn latest(conn: &mut impl Sql, tenant: &Tenant, purpose: Purpose, base: &str, quote: &str, today: Date) -> Result<Rate, Error> {
    table(conn, tenant, purpose).await?.rate_of_any_age(base, quote, today)
}

pub async fn find_series(conn: &mut impl Sql, tenant: &Tenant, key: &SeriesKey) -> Result<Option<Series>, Error> {
    store::find_series(conn, tenant, key).await
}

pub async fn get_series(conn: &mut impl Sql, tenant: &Tenant, key: &SeriesKey) -> Result<Series, Error> {
    find_series(conn, tenant, key).await?.ok_or_else(|| Error::UnknownSeries { series: key.to_string() })
}

/// By source, kind and base.
pub async fn list_series(conn: &mut impl Sql, tenant: &Tenant) -> Result<Vec<Series>, Error> {
    store::list_series(conn, tenant).await
}

/// What a series says of one currency, newest day first, corrections with what they correct.
pub async fn list(conn: &mut impl Sql, tenant: &Tenant, key: &SeriesKey, quote: &str, request: &PageRequest) -> Result<Page<Row>, Error> {
    get_series(conn, tenant, key).await?;
    store::list(conn, tenant, key, quote, request).await
}

/// Says which series answers for a purpose (`None`: the first of middle rates) and how old a rate may be (`None`: any age).
pub async fn set_use(tx: &mut WriteTx, ctx: &Ctx, wanted: &Use) -> Result<(), Error> {
    if let Some(key) = &wanted.series
        && get_series(tx, &ctx.tenant, key).await?.ready_at.is_none()
    {
        return Err(Error::NotReady { series: key.to_string() });
    }
    store::put_use(tx, ctx, wanted).await
}

pub async fn use_of(conn: &mut impl Sql, tenant: &Tenant, purpose: Purpose) -> Result<Use, Error> {
    Ok(store::find_use(conn, tenant, purpose).await?.unwrap_or(Use { purpose, series: None, max_age_days: Some(model::MAX_AGE_DAYS) }))
}

/// A currency by its code, withdrawn ones included: history needs them.
pub fn currency(code: &str) -> Result<Currency, Error> {
    Currency::from_code(code).map_err(Error::Money)
}

#[cfg(test)]
mod tests;
