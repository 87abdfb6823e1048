//! Rates the law names: the customs rate of a month, the EUR 150 test at sale and again at import, and the
//! irrevocable euro conversion rates.

use jiff::Span;
use jiff::civil::{Date, Weekday};

use super::{Error, Found, Policy, RateTable};
use crate::money::{Currency, Decimal, Exact, Money, RoundingMode};

/// The second-last Wednesday of the month before `import_date`, whose rate customs use for the import month.
pub fn second_last_wednesday(import_date: Date) -> Option<Date> {
    let mut day = import_date.first_of_month().checked_sub(Span::new().days(1)).ok()?;
    while day.weekday() != Weekday::Wednesday {
        day = day.yesterday().ok()?;
    }
    day.checked_sub(Span::new().days(7)).ok()
}

/// Units of `currency` per euro for customs purposes in the month of import.
pub fn customs_month_rate(table: &RateTable, currency: &str, import_date: Date) -> Result<Found, Error> {
    let day = second_last_wednesday(import_date).ok_or(crate::money::Error::OutOfRange)?;
    table.rate_on("EUR", currency, day, Policy::LatestOnOrBefore, None)
}

/// The two EUR 150 tests of one parcel: they use different rates and can disagree.
#[derive(Debug, Clone, Copy)]
pub struct ThresholdTwice {
    pub sale_value: Money,
    pub sale_rate_date: Date,
    /// At most the threshold when payment was accepted.
    pub low_value_at_sale: bool,
    pub import_value: Money,
    pub import_rate_date: Date,
    /// Above the threshold by the customs rate of the import month.
    pub over_at_import: bool,
}

/// Tests an intrinsic value against `threshold_eur` at sale and at import. The tests compare exact euros; the
/// returned amounts are rounded for show.
pub fn threshold_twice(
    table: &RateTable,
    intrinsic: Money,
    threshold_eur: Decimal,
    payment_date: Date,
    import_date: Date,
) -> Result<ThresholdTwice, Error> {
    let euro = Currency::from_code("EUR")?;
    let code = intrinsic.currency().code();
    let sale = table.rate_on("EUR", code, payment_date, Policy::LatestOnOrBefore, None)?;
    let import = customs_month_rate(table, code, import_date)?;
    let sale_value = intrinsic.exact().div(sale.rate)?;
    let import_value = intrinsic.exact().div(import.rate)?;
    let threshold = Exact::from_decimal(threshold_eur);
    Ok(ThresholdTwice {
        sale_value: Money::from_exact_rounded(sale_value, euro, RoundingMode::HalfUp)?,
        sale_rate_date: sale.rate_date,
        low_value_at_sale: sale_value.compare(threshold)?.is_le(),
        import_value: Money::from_exact_rounded(import_value, euro, RoundingMode::HalfUp)?,
        import_rate_date: import.rate_date,
        over_at_import: import_value.compare(threshold)?.is_gt(),
    })
}

/// One irrevocable conversion rate.
#[derive(Debug, Clone)]
pub struct FixedEuro {
    pub code: String,
    /// Six significant digits; only ever divided by, never inverted.
    pub units_per_eur: Decimal,
    pub euro_from: Date,
    /// Decimals of the ended currency, which may be older than the ISO table.
    pub exponent: u8,
}

impl FixedEuro {
    /// An amount of the ended currency in euro cents.
    pub fn to_euro(&self, minor: i64, date: Date, mode: RoundingMode) -> Result<Money, Error> {
        if date < self.euro_from {
            return Err(Error::NotFixedYet { currency: self.code.clone(), since: self.euro_from });
        }
        let euro = Currency::from_code("EUR")?;
        let value = Exact::from_minor(minor, self.exponent).div(Exact::from_decimal(self.units_per_eur))?;
        Ok(Money::from_exact_rounded(value, euro, mode)?)
    }
}
