//! Where exchange rates come from: the one place to change when another source answers.

use std::sync::OnceLock;

use entrepot_crossborder::fx::{Error, Policy, RateTable};
use jiff::civil::Date;

use crate::ctx::Tenant;
use crate::money::Exact;
use crate::store::Sql;

/// The ECB's rates that came with the program.
async fn table(_: &mut impl Sql, _: &Tenant) -> Result<&'static RateTable, Error> {
    static TABLE: OnceLock<RateTable> = OnceLock::new();
    if TABLE.get().is_none() {
        let _ = TABLE.set(RateTable::embedded()?);
    }
    TABLE.get().ok_or(Error::BadFile { line: 0, what: "no rates came with the program".into() })
}

/// Units of `quote` per unit of `base` on a day, and the day they were published. Refused beyond `max_age_days`.
pub async fn rate(
    conn: &mut impl Sql,
    tenant: &Tenant,
    base: &str,
    quote: &str,
    on: Date,
    max_age_days: u32,
) -> Result<(Exact, Date), Error> {
    let found = table(conn, tenant).await?.rate_on(base, quote, on, Policy::LatestOnOrBefore, Some(max_age_days))?;
    Ok((found.rate, found.rate_date))
}

/// The last day of which rates are known.
pub async fn newest(conn: &mut impl Sql, tenant: &Tenant) -> Result<Option<Date>, Error> {
    Ok(table(conn, tenant).await?.last_day())
}
