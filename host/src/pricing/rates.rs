//! Where exchange rates come from: the one place to change when another source answers.

use jiff::civil::Date;

use super::Error;
use crate::ctx::Tenant;
use crate::money::Exact;
use crate::rates::{self, Purpose};
use crate::store::Sql;

/// Units of `quote` per unit of `base` on a day, and the day they were published; or why none may be used. `max_age_days`
/// goes before what the merchant said of all prices.
pub async fn rate(
    conn: &mut impl Sql,
    tenant: &Tenant,
    base: &str,
    quote: &str,
    on: Date,
    max_age_days: Option<u32>,
) -> Result<Result<(Exact, Date), String>, Error> {
    let mut book = rates::table(conn, tenant, Purpose::Prices).await?;
    book.max_age_days = max_age_days.or(book.max_age_days);
    Ok(book.rate(base, quote, on).map(|rate| (rate.found.rate, rate.found.rate_date)).map_err(|error| error.to_string()))
}

/// Changes when a rate does.
pub async fn version(conn: &mut impl Sql, tenant: &Tenant) -> Result<String, Error> {
    Ok(rates::table(conn, tenant, Purpose::Prices).await?.version)
}
