//! Running totals against the lines the law draws, and the returns of a period: sums over what was frozen.

use entrepot_crossborder::report::{Report, TaxLine, vat_return};
use entrepot_crossborder::rules::{Citation, RuleSet};
use entrepot_crossborder::thresholds::{self, Level, Sale};
use jiff::civil::Date;
use serde::Serialize;
use std::sync::Arc;

use super::model::{Entity, EntityFacts};
use super::store::totals as sums;
use super::{Error, rates, rules};
use crate::ctx::Tenant;
use crate::id::OrderId;
use crate::money::{Currency, Decimal, Money, RoundingMode};
use crate::store::Sql;
use entrepot_crossborder::fx::{Policy, RateTable};

/// EU distance sales of a year, net, in cents: what the hub has frozen, and what the merchant stated from elsewhere. `None` if
/// neither is there.
pub(super) async fn oss_of_year(
    conn: &mut impl Sql,
    tenant: &Tenant,
    entity: &str,
    facts: &EntityFacts,
    year: i16,
    before: Option<(i64, &OrderId)>,
) -> Result<Option<i64>, Error> {
    let (count, sum) = sums::oss_eur_minor(conn, tenant, entity, &format!("{year:04}-01-01"), &format!("{year:04}-12-31"), before).await?;
    let elsewhere = facts.eu_sales_elsewhere.get(&year).copied();
    // Taken back beyond what was sold counts as nothing sold.
    Ok((count > 0 || elsewhere.is_some()).then(|| sum.max(0).saturating_add(elsewhere.unwrap_or(0))))
}

/// A total against its line.
#[derive(Clone, Debug, Serialize)]
pub struct Threshold {
    pub entity: String,
    /// `eu.oss_threshold`, `us.TX`, `au.lvig`, …
    pub name: String,
    pub jurisdiction: String,
    pub from: Date,
    pub to: Date,
    /// `null`: the line has no amount.
    pub threshold: Option<Money>,
    /// Of what the hub has seen, with what the merchant stated.
    pub total: Money,
    /// Orders, where their number matters too.
    pub transactions: Option<u64>,
    pub level: Level,
    pub crossed_on: Option<Date>,
    pub why: String,
    pub citation: Arc<Citation>,
    pub verified: bool,
    /// Sales in a currency without a rate, which are not in the total.
    pub not_counted: u64,
}

/// Every line that one of the entity's sales of the year comes near, the EU's always.
pub async fn thresholds_of(conn: &mut impl Sql, tenant: &Tenant, entity: &Entity, as_of: Date) -> Result<Vec<Threshold>, Error> {
    let (set, rates) = (rules(conn, tenant).await?, rates(conn, tenant).await?);
    let year = as_of.year();
    let (from, to) = (format!("{:04}-01-01", year.saturating_sub(1)), format!("{year:04}-12-31"));
    let days = sums::days(conn, tenant, entity.id.as_str(), &from, &to).await?;
    let mut found = Vec::new();
    if let Some(home) = &entity.facts.country
        && set.zone_of(home, as_of).is_some_and(|z| z.zone == "EU")
    {
        for of in [year.saturating_sub(1), year] {
            found.extend(eu(&set, &rates, entity, home, of, &days)?);
        }
    }
    found.extend(nexus(&set, &rates, entity, as_of, &days)?);
    found.extend(turnovers(&set, &rates, entity, as_of, &days)?);
    Ok(found)
}

/// The sales in one currency, and how many could not be converted.
fn in_currency(days: &[sums::Day], currency: Currency, rates: &RateTable) -> Result<(Vec<Sale>, u64), Error> {
    let (mut sales, mut lost) = (Vec::new(), 0_u64);
    for day in days {
        let net = Money::new(day.net_minor, Currency::from_code(&day.currency)?);
        let Ok(date) = day.on.parse::<Date>() else { continue };
        let orders = u64::try_from(day.orders).unwrap_or(0);
        let converted = if net.currency() == currency {
            Some(net)
        } else {
            rates.convert(net, currency, date, Policy::LatestOnOrBefore, None, RoundingMode::HalfUp).ok().map(|(money, _)| money)
        };
        match converted {
            Some(net) => sales.push(Sale {
                date,
                ship_from: day.ship_from.clone().unwrap_or_default(),
                ship_to: day.ship_to.clone(),
                us_state: day.us_state.clone(),
                consumer: day.consumer,
                marketplace_is_taxpayer: day.marketplace_pays,
                net,
                transactions: orders,
            }),
            None => lost += orders,
        }
    }
    Ok((sales, lost))
}

fn year_of(year: i16) -> Result<(Date, Date), Error> {
    let day = |month, day| Date::new(year, month, day).map_err(|_| crate::money::Error::OutOfRange);
    Ok((day(1, 1)?, day(12, 31)?))
}

fn eu(set: &RuleSet, rates: &RateTable, entity: &Entity, home: &str, year: i16, days: &[sums::Day]) -> Result<Option<Threshold>, Error> {
    let (from, to) = year_of(year)?;
    if set.program("eu.oss_threshold", to).is_err() {
        return Ok(None);
    }
    let (mut sales, not_counted) = in_currency(days, Currency::from_code("EUR")?, rates)?;
    if let Some(elsewhere) = entity.facts.eu_sales_elsewhere.get(&year) {
        // Stated for the year, not by day: they came before the hub.
        let abroad = if home == "FR" { "DE" } else { "FR" };
        sales.push(Sale {
            date: from,
            ship_from: home.to_owned(),
            ship_to: abroad.to_owned(),
            us_state: None,
            consumer: true,
            marketplace_is_taxpayer: false,
            net: Money::new(*elsewhere, Currency::from_code("EUR")?),
            transactions: 0,
        });
    }
    let standing = thresholds::oss(set, home, year, &sales)?;
    let why = match standing.level {
        Level::Below => "below: consumers in other member states are taxed at home, unless the destination was chosen",
        Level::Near => "near: from the sale that crosses it on, every state taxes its own consumers",
        Level::Exceeded => "crossed: consumers are taxed where they live, this year and the next; register for the one-stop shop",
    };
    Ok(Some(Threshold {
        entity: entity.name.clone(),
        name: "eu.oss_threshold".into(),
        jurisdiction: "EU".into(),
        from,
        to,
        threshold: Some(standing.threshold),
        total: standing.total,
        transactions: None,
        level: standing.level,
        crossed_on: standing.crossed_on,
        why: why.into(),
        verified: standing.citation.verification.is_verified(),
        citation: standing.citation,
        not_counted,
    }))
}

fn nexus(set: &RuleSet, rates: &RateTable, entity: &Entity, as_of: Date, days: &[sums::Day]) -> Result<Vec<Threshold>, Error> {
    let dollar = Currency::from_code("USD")?;
    let (sales, not_counted) = in_currency(days, dollar, rates)?;
    let mut states: Vec<&str> = sales.iter().filter_map(|sale| sale.us_state.as_deref()).collect();
    states.sort_unstable();
    states.dedup();
    let from = as_of.checked_sub(jiff::Span::new().years(1)).unwrap_or(as_of);
    let mut found = Vec::new();
    for state in states {
        let Some(row) = set.us_state(state) else { continue };
        let (verdict, total, count) = thresholds::nexus(set, state, as_of, &sales)?;
        let threshold = row.nexus_sales_usd.map(|limit| Money::from_decimal_rounded(limit, dollar, RoundingMode::HalfUp)).transpose()?;
        let near = threshold.is_some_and(|limit| total.minor() >= limit.minor() / 10 * 8);
        found.push(Threshold {
            entity: entity.name.clone(),
            name: format!("us.{state}"),
            jurisdiction: format!("US-{state}"),
            from,
            to: as_of,
            threshold,
            total,
            transactions: Some(count),
            level: if verdict.nexus {
                Level::Exceeded
            } else if near {
                Level::Near
            } else {
                Level::Below
            },
            crossed_on: None,
            why: format!(
                "economic nexus over twelve months: {}",
                serde_json::to_value(verdict.why)?.as_str().unwrap_or_default().replace('_', " ")
            ),
            verified: row.cite.verification.is_verified(),
            citation: Arc::clone(&row.cite),
            not_counted,
        });
    }
    Ok(found)
}

/// Numbers of programmes that are yearly turnovers into their country.
const TURNOVERS: [&str; 2] = ["yearly_turnover", "yearly_turnover_local"];

fn turnovers(set: &RuleSet, rates: &RateTable, entity: &Entity, as_of: Date, days: &[sums::Day]) -> Result<Vec<Threshold>, Error> {
    let (from, to) = year_of(as_of.year())?;
    let mut found = Vec::new();
    for number in TURNOVERS {
        for program in set.programs_with(number, as_of) {
            if !days.iter().any(|day| day.ship_to == program.jurisdiction) {
                continue;
            }
            let (sales, not_counted) = in_currency(days, Currency::from_code(&program.ccy)?, rates)?;
            // A marketplace that pays the tax itself does not make the seller register.
            let own: Vec<Sale> = sales.into_iter().filter(|sale| !sale.marketplace_is_taxpayer).collect();
            let standing = thresholds::turnover(set, &program.series, number, as_of.year(), &own)?;
            found.push(Threshold {
                entity: entity.name.clone(),
                name: program.series.clone(),
                jurisdiction: program.jurisdiction.clone(),
                from,
                to,
                threshold: Some(standing.threshold),
                total: standing.total,
                transactions: None,
                level: standing.level,
                crossed_on: standing.crossed_on,
                why: format!("turnover with consumers in {} that makes a foreign seller register", program.jurisdiction),
                verified: standing.citation.verification.is_verified(),
                citation: standing.citation,
                not_counted,
            });
        }
    }
    Ok(found)
}

/// `2026`, `2026-Q4` or `2026-11`: first and last day.
pub fn period(text: &str) -> Result<(Date, Date), Error> {
    let bad = || Error::BadPeriod { text: text.chars().take(40).collect() };
    let (year, rest) = text.trim().split_once('-').unwrap_or((text.trim(), ""));
    let digits = |part: &str, len: usize| part.len() == len && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(year, 4) {
        return Err(bad());
    }
    let year: i16 = year.parse().map_err(|_| bad())?;
    let (first, last) = match rest.to_ascii_uppercase().as_str() {
        "" => (1, 12),
        "Q1" => (1, 3),
        "Q2" => (4, 6),
        "Q3" => (7, 9),
        "Q4" => (10, 12),
        month if digits(month, 2) => {
            let month: i8 = month.parse().map_err(|_| bad())?;
            (month, month)
        }
        _ => return Err(bad()),
    };
    let from = Date::new(year, first, 1).map_err(|_| bad())?;
    let to = Date::new(year, last, 1).map_err(|_| bad())?.last_of_month();
    Ok((from, to))
}

/// A return, and what is not in it.
#[derive(Clone, Debug, Serialize)]
pub struct Return {
    #[serde(flatten)]
    pub report: Report,
    /// What the seller owes, in the currency of the return.
    pub owed_by_seller: Money,
    /// Orders of the period whose tax is not known.
    pub unknown_orders: i64,
    /// Orders of the period that are not paid yet.
    pub unpaid_orders: i64,
    pub notice: &'static str,
}

/// The booked taxes of a period: sales by their day, what went back by the day it went.
pub async fn vat_report(
    conn: &mut impl Sql,
    tenant: &Tenant,
    entity: Option<&Entity>,
    country: Option<&str>,
    (from, to): (Date, Date),
    currency: Currency,
) -> Result<Return, Error> {
    let rates = rates(conn, tenant).await?;
    let entity = entity.map_or("", |entity| entity.id.as_str());
    let (first, last) = (from.to_string(), to.to_string());
    let rows = sums::lines(conn, tenant, entity, country.unwrap_or_default(), &first, &last).await?;
    let (unknown_orders, unpaid_orders) = sums::left_out(conn, tenant, entity, &first, &last).await?;
    let lines = rows.into_iter().map(tax_line).collect::<Result<Vec<_>, _>>()?;
    let report = vat_return(&lines, from, to, currency, &rates)?;
    Ok(Return {
        owed_by_seller: report.owed_by("seller")?,
        report,
        unknown_orders,
        unpaid_orders,
        notice: entrepot_crossborder::rules::NOT_ADVICE,
    })
}

fn tax_line(row: sums::Line) -> Result<TaxLine, Error> {
    let currency = Currency::from_code(&row.currency)?;
    let day = |text: &str| text.parse::<Date>().map_err(|_| Error::BadPeriod { text: text.to_owned() });
    Ok(TaxLine {
        order: row.order,
        date: day(&row.booked_on)?,
        corrects: row.corrects.as_deref().map(day).transpose()?,
        scheme: row.scheme,
        collector: row.collector,
        country: row.country,
        tax: row.tax,
        rate: row.rate.parse::<Decimal>().map_err(|_| crate::money::Error::BadNumber { text: row.rate })?,
        taxable: Money::new(row.taxable_minor, currency),
        amount: Money::new(row.amount_minor, currency),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_period_is_a_year_a_quarter_or_a_month() {
        let days = |text: &str| period(text).map(|(from, to)| format!("{from}..{to}"));
        assert_eq!(days("2026").unwrap(), "2026-01-01..2026-12-31");
        assert_eq!(days("2026-q4").unwrap(), "2026-10-01..2026-12-31");
        assert_eq!(days("2024-02").unwrap(), "2024-02-01..2024-02-29");
        for wrong in ["", "26", "2026-Q5", "2026-13", "2026-1", "2026-Q4-x"] {
            assert!(days(wrong).unwrap_err().to_string().contains("2026-Q4"), "{wrong}");
        }
    }
}
